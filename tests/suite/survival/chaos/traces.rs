//! What the programs wrote, and whether that is what they must have written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::cast::Cast;
use super::numbered::Numbered;
use super::services::Services;
use super::volume::Volume;
use crate::harness::{Daemon, wait};

/// All traces of one chaos.
pub struct Traces {
    numbered: BTreeMap<String, Numbered>,
    /// Logs on the volume, by their names there.
    spilled: BTreeMap<String, Numbered>,
    /// What the log services heard, by the names of the logs that have the same lines.
    forwarded: BTreeMap<String, Numbered>,
    /// How many losses of the services were told of and found.
    excused: usize,
    events: usize,
    /// How many of the captured sections that programs have noted down are known.
    told: usize,
    /// Events that were sent and not yet seen to be heard.
    pending: BTreeSet<String>,
    /// Events that were on their way when the daemon was killed, or whose sending failed.
    doubtful: BTreeSet<String>,
    certain: BTreeSet<String>,
    /// Those of them that were seen to be heard a moment ago: whether the listener has said so to the daemon is not known.
    recent: BTreeSet<String>,
    /// Those that were so when the daemon was killed: they may be heard again.
    repeatable: BTreeSet<String>,
    lines: u64,
    /// What was sent to each stdin, and whether the daemon said so.
    sent: BTreeMap<String, Vec<(u64, bool)>>,
}

impl Traces {
    pub fn new(cast: &Cast) -> Traces {
        let begin = |logs: Vec<String>| logs.into_iter().map(|log| (log, Numbered::default())).collect();
        Traces {
            numbered: begin(cast.endless_logs()),
            spilled: begin(cast.spilled_logs()),
            forwarded: begin(cast.forwarded_logs()),
            excused: 0,
            events: 0,
            told: 0,
            pending: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            certain: BTreeSet::new(),
            recent: BTreeSet::new(),
            repeatable: BTreeSet::new(),
            lines: 0,
            sent: cast.echoes.iter().map(|name| (name.clone(), Vec::new())).collect(),
        }
    }

    /// Checks the lines of the chatty programs so far.
    pub fn read(&mut self, daemon: &Daemon) {
        for (log, numbered) in &mut self.numbered {
            numbered.read(daemon, log);
        }
    }

    /// Checks the lines on the volume so far. What daemons that were killed wrote twice is there once nothing waits any more.
    pub fn read_volume(&mut self, daemon: &Daemon, volume: &Volume) {
        let has_waiting = Volume::has_waiting(daemon);
        for (log, numbered) in &mut self.spilled {
            numbered.read(daemon, &volume.path(log).to_string_lossy());
            if !has_waiting {
                numbered.tolerance.repeats = 0;
            }
        }
    }

    /// Waits until the services have heard what the logs have by now. What is missing was waiting when a daemon was killed.
    pub fn wait_for_services(&mut self, daemon: &Daemon, services: &Services) {
        let mut hear = || {
            for (log, lines) in services.take() {
                let numbered = self.forwarded.get_mut(&log).unwrap_or_else(|| panic!("nobody forwards {log}"));
                numbered.take_all(&lines, |wrong, line| {
                    self.excused += 1;
                    let told = losses_of_services(daemon);
                    assert!(told >= self.excused, "the service for {log}: {line:?} {wrong}\n{}", daemon.report());
                });
            }
            let written = |log: &String| &self.numbered[&format!("logs/{log}")];
            let missing = self.forwarded.iter().find(|(log, numbered)| !numbered.has_reached(written(log)));
            missing.map(|(log, _)| log.clone())
        };
        let mut missing = None;
        let heard = wait::poll(wait::DEADLINE, || {
            missing = hear();
            missing.is_none().then_some(())
        });
        assert!(heard.is_some(), "the service lacks lines of {missing:?}\n{}", daemon.report());
        self.forwarded.values_mut().for_each(|numbered| numbered.tolerance.gaps = 0);
    }

    pub fn next_event(&mut self) -> String {
        self.events += 1;
        format!("event {}", self.events)
    }

    pub fn event_sent(&mut self, event: String, certain: bool) {
        if certain {
            self.pending.insert(event)
        } else {
            self.doubtful.insert(event)
        };
    }

    pub fn next_line(&mut self) -> u64 {
        self.lines += 1;
        self.lines
    }

    pub fn line_sent(&mut self, name: String, line: u64, certain: bool) {
        self.sent.entry(name).or_default().push((line, certain));
    }

    /// The daemon has been killed, or the listeners have been ended: what no listener has heard yet may be lost, or be heard
    /// twice.
    pub fn interrupted(&mut self, daemon: &Daemon) {
        self.hear_what_is_told(daemon);
        self.doubtful.append(&mut self.pending);
        self.repeatable.append(&mut self.recent);
        self.forwarded.values_mut().for_each(|numbered| numbered.tolerance.gaps += 1);
        self.spilled.values_mut().for_each(|numbered| numbered.tolerance.repeats += 1);
    }

    /// Takes in what programs have noted down that they say in captured sections.
    fn hear_what_is_told(&mut self, daemon: &Daemon) {
        let told = daemon.read("state/told");
        let before = self.pending.len();
        self.pending.extend(told.lines().skip(self.told).map(str::to_owned));
        self.told += self.pending.len() - before;
    }

    /// Waits until listeners have heard what was sent since the last kill.
    pub fn wait_for_events(&mut self, daemon: &Daemon) {
        self.hear_what_is_told(daemon);
        let missing = |daemon: &Daemon| {
            let heard = daemon.read("state/heard");
            let heard: BTreeSet<&str> = heard.lines().collect();
            self.pending.iter().filter(|event| !heard.contains(event.as_str())).cloned().collect::<Vec<_>>()
        };
        let heard = wait::poll(wait::DEADLINE, || missing(daemon).is_empty().then_some(()));
        assert!(heard.is_some(), "nobody hears {:?}\n{}", missing(daemon), daemon.report());
        self.recent = self.pending.clone();
        self.certain.append(&mut self.pending);
    }

    /// Waits until what was sent to programs has been written by them.
    pub fn wait_for_lines(&self, daemon: &mut Daemon) {
        for (name, sent) in &self.sent {
            let Some((last, _)) = sent.iter().rfind(|(_, certain)| *certain) else { continue };
            let last = last.to_string();
            daemon.wait_until(&format!("{name} has written {last}"), |daemon| {
                daemon.read(&format!("logs/{name}.out")).lines().any(|line| line == last)
            });
        }
    }

    /// Checks everything, now that nobody writes any more; figures for people.
    pub fn finish(mut self, daemon: &Daemon, cast: &Cast, services: &Services, volume: Option<&Volume>) -> String {
        self.read(daemon);
        if let Some(volume) = volume {
            self.read_volume(daemon, volume);
        }
        for (log, numbered) in self.numbered.iter().chain(&self.spilled) {
            assert!(numbered.is_complete(), "{log} ends too early");
        }
        if losses_of_services(daemon) == self.excused {
            self.wait_for_services(daemon, services);
        }
        let sum = |logs: &BTreeMap<String, Numbered>| logs.values().map(|numbered| numbered.lines).sum::<u64>();
        let used =
            |logs: &BTreeMap<String, Numbered>| logs.values().map(|numbered| numbered.tolerance.used).sum::<usize>();
        let mut lines = sum(&self.numbered) + sum(&self.spilled);
        let forwarded = format!("{} lines forwarded with {} gaps", sum(&self.forwarded), used(&self.forwarded));
        let spilled = format!("{} on the volume, {} repeats", sum(&self.spilled), used(&self.spilled));
        for log in cast.rotating.iter().flat_map(|name| [format!("{name}.out"), format!("{name}.err")]) {
            lines += check_rotated(daemon, &log);
        }
        self.check_echoes(daemon);
        let (once, twice) = self.check_events(daemon);
        let brief = check_brief(daemon, cast);
        let (known, unknown) = check_ends(daemon, cast);
        format!(
            "{lines} numbered lines ({spilled}), {forwarded}, {brief} brief lives, {} lines through stdin, {} captured sections, \
             {once} events heard, {twice} of them twice, {known} ends with their exact status, {unknown} unknown",
            self.lines, self.told
        )
    }

    fn check_echoes(&self, daemon: &Daemon) {
        for (name, sent) in &self.sent {
            let log = daemon.read(&format!("logs/{name}.out"));
            let mut echoed = log.lines().peekable();
            for (line, certain) in sent {
                let came = echoed.next_if(|echo| *echo == line.to_string()).is_some();
                assert!(came || !certain, "{name}: {line} is missing before {:?}", echoed.peek());
            }
            assert_eq!(echoed.next(), None, "{name}: more than was sent");
        }
    }

    fn check_events(&self, daemon: &Daemon) -> (usize, usize) {
        let mut heard: BTreeMap<String, usize> = BTreeMap::new();
        for event in daemon.read("state/heard").lines() {
            *heard.entry(event.to_owned()).or_default() += 1;
        }
        for event in &self.certain {
            assert!(heard.contains_key(event), "{event} was not heard");
        }
        for (event, count) in &heard {
            let may_repeat = self.doubtful.contains(event) || self.repeatable.contains(event);
            assert!(*count == 1 || may_repeat, "{event} was heard {count} times");
        }
        (heard.len(), heard.values().filter(|count| **count > 1).count())
    }
}

/// How often the activity log says that messages to a service were lost.
fn losses_of_services(daemon: &Daemon) -> usize {
    let told = |line: &&str| line.contains(" messages ") && line.ends_with(" were lost");
    daemon.log().lines().filter(told).count()
}

/// Checks a log that was rotated, from its oldest file to the newest; gives the number of lines.
fn check_rotated(daemon: &Daemon, log: &str) -> u64 {
    let prefix = format!("{log}.");
    let mut numbers: Vec<u32> = fs::read_dir(daemon.path("logs"))
        .expect("the directory exists")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let mut text: String = numbers.iter().rev().map(|number| daemon.read(&format!("logs/{log}.{number}"))).collect();
    text.push_str(&daemon.read(&format!("logs/{log}")));
    let mut numbered = Numbered::default();
    numbered.take(&text, daemon, log);
    assert!(numbered.is_complete(), "{log} ends too early");
    numbered.lines
}

/// Whoever was there, however briefly, has been heard once.
fn check_brief(daemon: &Daemon, cast: &Cast) -> usize {
    let text: String = cast.brief.iter().map(|name| daemon.read(&format!("logs/{name}.out"))).collect();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let (said, mut unheard) = (sorted(&text), sorted(&daemon.read("state/brief")));
    let lives = unheard.len();
    for pid in &said {
        let at = unheard.binary_search(pid).unwrap_or_else(|_| panic!("{pid} was heard twice, or was never there"));
        unheard.remove(at);
    }
    assert!(unheard.is_empty(), "{unheard:?} of {lives} brief lives were not heard");
    lives
}

/// Checks what the activity log says about the ends of the crashing programs: exact while the daemon was their parent,
/// exact or unknown after it was killed. Gives how many were either.
fn check_ends(daemon: &Daemon, cast: &Cast) -> (usize, usize) {
    let log = daemon.log();
    let (mut exact, mut unknown) = (0, 0);
    for name in &cast.crashing {
        let ends = daemon.read(&format!("state/{name}"));
        let written = daemon.read(&format!("logs/{name}.out"));
        let said: BTreeSet<&str> = written.lines().filter_map(|line| line.strip_suffix(" end")).collect();
        check_lives(name, &written);
        let mut child: Option<(&str, bool)> = None;
        for line in log.lines() {
            if line.contains(" supervisord started with pid ") {
                child = child.map(|(pid, _)| (pid, true));
            } else if let Some((_, pid)) = line.split_once(&format!(" spawned: '{name}' with pid ")) {
                assert!(child.is_none_or(|(_, orphan)| orphan), "{name}: no end of {child:?} before {line}");
                child = Some((pid, false));
            } else if line.contains(&format!(" stopped: {name} (")) {
                child = None;
            } else if let Some((_, end)) = line.split_once(&format!(" exited: {name} (")) {
                let Some((pid, orphan)) = child.take() else { continue };
                let end = end.rsplit_once("; ").map_or(end, |(end, _)| end);
                if end == "exit status unknown" {
                    assert!(orphan, "{name}: the end of {pid} is unknown");
                    unknown += 1;
                    continue;
                }
                let truth = format!("{pid} {end}");
                assert!(ends.lines().any(|line| line == truth), "{name}: {truth} is not true");
                // Of an orphan nothing is certain: lines about its end and the next child may have died with the daemon.
                assert!(orphan || said.contains(pid), "{name}: the last words of {pid} are lost");
                exact += 1;
            }
        }
    }
    (exact, unknown)
}

/// The lines of one child after the other, each counted from 1.
fn check_lives(name: &str, written: &str) {
    let mut current: Option<(&str, u32)> = None;
    for line in written.lines() {
        let (pid, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{name}: torn line {line:?}"));
        let last = current.filter(|(before, _)| *before == pid).map_or(0, |(_, last)| last);
        current = match rest {
            "end" => None,
            number => {
                assert_eq!(number, (last + 1).to_string(), "{name}: {line:?} after {current:?}");
                Some((pid, last + 1))
            }
        };
    }
}
