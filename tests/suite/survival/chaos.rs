//! The daemon is killed and upgraded at random moments, again and again, under programs of all kinds.
//!
//! `CHAOS_PROGRAMS` says how many programs there are, `CHAOS_KILLS` and `CHAOS_UPGRADES` how often at least the daemon is
//! killed and upgraded, `CHAOS_SEED` what is done; how the machine interleaves it is chance. The whole of it:
//!
//! `CHAOS_PROGRAMS=50 CHAOS_KILLS=1000 CHAOS_UPGRADES=300 cargo test --release --test suite -- chaos --nocapture`

mod cast;
mod health;
mod hooks;
mod numbered;
mod services;
mod traces;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::random::Random;
use crate::harness::{Daemon, Subject, processes, rpc, wait};
use cast::{Cast, Logs, Player, group, living, players};
use health::Counts;
use services::Services;
use traces::Traces;
use volume::Volume;

/// How much more memory the daemon may have at the end than in the first half, in kB.
const GROWTH: u64 = 8 * 1024;

/// How many more descriptors the daemon may have: one that has taken programs over and started others has handles on the
/// ones and the logs of the others open.
const MORE_DESCRIPTORS: usize = 32;

/// How many more the keeper may hold.
const MORE_KEPT: usize = 12;

/// How many processes the program has that is scaled, as the file says.
const SCALED: usize = 2;

/// How many processes of one program that ended may not have noticed yet that nobody reads them.
const LATE: usize = 2;

#[test]
fn chaos_loses_nothing() {
    run(Logs::Mixed, 40, [20, 6]);
}

#[test]
fn chaos_loses_nothing_of_stripped_logs() {
    run(Logs::Stripped, 20, [6, 2]);
}

fn run(logs: Logs, programs: usize, least: [usize; 2]) {
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let programs = number("CHAOS_PROGRAMS", programs);
    let (kills, upgrades) = (number("CHAOS_KILLS", least[0]), number("CHAOS_UPGRADES", least[1]));
    let seed = number("CHAOS_SEED", std::process::id() as usize);
    println!("chaos: {programs} programs, {kills} kills, {upgrades} upgrades, {logs:?} logs, CHAOS_SEED={seed}");
    let begin = Instant::now();
    let mut chaos = Chaos::begin(Cast::new(programs, logs), Random::new(seed as u64));
    let mut round = 0;
    while chaos.kills < kills || chaos.upgrades < upgrades {
        chaos.round(round);
        // One round may have many kills.
        let is_early = round == 0 || chaos.kills < kills / 2;
        chaos.measure(is_early);
        round += 1;
    }
    let summary = chaos.end();
    println!("chaos: passed in {} s, CHAOS_SEED={seed}\n{summary}", begin.elapsed().as_secs());
}

struct Chaos {
    /// Before the daemon, with which the directory goes that has their socket.
    services: Services,
    daemon: Daemon,
    /// None where no program has its logs there.
    volume: Option<Volume>,
    cast: Cast,
    random: Random,
    /// Whose process id is known, because nobody has asked it to end.
    pids: BTreeMap<String, i32>,
    traces: Traces,
    /// How long the activity log was when a daemon or an upgrade was last waited for.
    log_seen: usize,
    kills: usize,
    upgrades: usize,
    tally: BTreeMap<&'static str, usize>,
    counts: Counts,
    /// How often everything was stopped.
    stops: usize,
    early: Vitals,
    late: Vitals,
    /// How many processes the scaled program has; none where the daemon was killed before or after it had begun to end.
    scaled: Option<usize>,
    /// Which of the benched programs are disabled.
    benched: BTreeSet<String>,
}

/// The most of what was seen.
#[derive(Clone, Copy, Debug)]
struct Vitals {
    memory: u64,
    descriptors: usize,
    /// The least that the keeper holds: how many programs and commands are just being started decides about the most.
    kept: usize,
    state_file: u64,
}

impl Vitals {
    /// Before anything was seen.
    const NONE: Vitals = Vitals { memory: 0, descriptors: 0, kept: usize::MAX, state_file: 0 };
}

impl Chaos {
    fn begin(cast: Cast, random: Random) -> Chaos {
        let scene = cast.scene();
        let place = scene.set_up(Subject::Ours);
        let services = Services::begin(&place);
        let volume = (!cast.spilling.is_empty()).then(|| Volume::mount(&place));
        let daemon = scene.start_in(place);
        let traces = Traces::new(&cast);
        let mut chaos = Chaos {
            services,
            daemon,
            volume,
            cast,
            random,
            pids: BTreeMap::new(),
            traces,
            log_seen: 0,
            kills: 0,
            upgrades: 0,
            tally: BTreeMap::new(),
            counts: Counts::default(),
            stops: 0,
            early: Vitals::NONE,
            late: Vitals::NONE,
            scaled: Some(SCALED),
            benched: BTreeSet::new(),
        };
        chaos.wait_for_all();
        chaos.meet();
        chaos
    }

    /// Learns who runs now.
    fn meet(&mut self) {
        let steady: BTreeSet<&String> = self.cast.steady().into_iter().collect();
        self.pids = self.listed().into_iter().filter(|(name, _)| steady.contains(name)).collect();
        self.counts = Counts::begin(&self.daemon, &self.cast.checked);
    }

    fn round(&mut self, round: usize) {
        self.change_volume();
        self.pause(200);
        self.talk();
        let kind = match self.random.below(32) {
            0..10 => self.kill(),
            10..14 => self.kill_at_the_start(),
            14..18 => self.kill_in_an_upgrade(),
            18..24 => self.upgrade(),
            24..27 => self.upgrade_twice(),
            27 => self.kill_keeper(),
            28 => self.kill_keeper_and_then_the_daemon(),
            29 => self.restart(),
            30 => self.end_and_start(),
            _ => self.kill_at_its_end(),
        };
        *self.tally.entry(kind).or_default() += 1;
        println!("round {round}: {kind}");
        self.wait_for_all();
        if self.pids.is_empty() {
            self.meet();
            // The listeners are others, and those before have not heard everything.
            self.traces.interrupted(&self.daemon);
        }
        self.check_processes(&format!("round {round}: {kind}"));
        self.check_gates();
        self.check_bench();
        self.check_scale();
        self.counts.check(&self.daemon);
        self.traces.read(&self.daemon);
        self.traces.wait_for_services(&self.daemon, &self.services);
        self.change_volume();
        if let Some(volume) = &self.volume {
            self.traces.read_volume(&self.daemon, volume);
        }
        self.talk();
        self.traces.wait_for_events(&self.daemon);
        if self.random.below(3) == 0 {
            self.end_somebody();
        }
    }

    /// Every other time, the volume becomes full, or empty again.
    fn change_volume(&mut self) {
        if let Some(volume) = self.volume.as_ref().filter(|_| self.random.below(2) == 0) {
            volume.change(&mut self.random);
        }
    }

    /// Makes room on the volume for ever, and waits until nothing waits.
    fn empty_volume(&mut self) {
        let Some(volume) = &self.volume else { return };
        volume.make_room();
        self.daemon.wait_until("no output waits", |daemon| !Volume::has_waiting(daemon));
    }

    fn pause(&mut self, most: usize) {
        sleep(Duration::from_millis(self.random.below(most) as u64));
    }

    /// Killed, and nobody is there for a while.
    fn kill(&mut self) -> &'static str {
        self.crash();
        self.pause(300);
        self.launch();
        "killed"
    }

    /// Killed again while it takes over.
    fn kill_at_the_start(&mut self) -> &'static str {
        self.crash();
        for _ in 0..=self.random.below(3) {
            self.launch();
            self.pause(80);
            self.crash();
        }
        self.launch();
        "killed while it took over"
    }

    fn upgrade(&mut self) -> &'static str {
        self.log_seen = self.daemon.log().len();
        self.daemon.signal(Signal::SIGUSR1);
        self.pause(30);
        self.talk();
        self.wait_for_upgrade();
        "upgraded"
    }

    fn upgrade_twice(&mut self) -> &'static str {
        self.log_seen = self.daemon.log().len();
        self.daemon.signal(Signal::SIGUSR1);
        self.pause(60);
        self.daemon.signal(Signal::SIGUSR1);
        self.wait_for_upgrade();
        "upgraded twice"
    }

    fn kill_in_an_upgrade(&mut self) -> &'static str {
        self.daemon.signal(Signal::SIGUSR1);
        self.pause(150);
        self.crash();
        self.launch();
        "killed while it was upgraded"
    }

    /// Another keeper takes the place of one that was killed.
    fn kill_keeper(&mut self) -> &'static str {
        let before = self.daemon.running_keeper();
        processes::signal(before, Signal::SIGKILL);
        let pipes: BTreeSet<_> = self.pids.values().flat_map(|pid| outputs(*pid)).collect();
        self.daemon.wait_until("another keeper holds everything", |daemon| {
            daemon.keeper().is_some_and(|keeper| keeper != before && pipes.is_subset(&descriptors(keeper)))
        });
        "keeper killed"
    }

    fn kill_keeper_and_then_the_daemon(&mut self) -> &'static str {
        self.kill_keeper();
        self.kill();
        "keeper killed, and then the daemon"
    }

    /// All programs end and are started again.
    fn restart(&mut self) -> &'static str {
        self.come_to_rest();
        self.log_seen = self.daemon.log().len();
        self.daemon.signal(Signal::SIGHUP);
        let seen = self.log_seen;
        self.daemon.wait_until("it begins again", |daemon| {
            daemon.log().get(seen..).is_some_and(|log| log.contains("supervisord started with pid"))
        });
        "restarted"
    }

    fn end_and_start(&mut self) -> &'static str {
        self.come_to_rest();
        self.end_daemon();
        self.launch();
        "ended and started"
    }

    /// Killed while it ends all programs: the next daemon starts all of them.
    fn kill_at_its_end(&mut self) -> &'static str {
        self.come_to_rest();
        self.scaled = None;
        let signal = *self.random.pick(&[Signal::SIGTERM, Signal::SIGHUP]);
        self.daemon.signal(signal);
        self.pause(150);
        self.crash();
        self.launch();
        "killed while it ended"
    }

    /// Before programs are ended: they have answered to everything. A scale ends with the daemon.
    fn come_to_rest(&mut self) {
        self.scaled = Some(SCALED);
        self.traces.wait_for_lines(&mut self.daemon);
        self.pids.clear();
        self.stops += 1;
    }

    /// Ends the daemon in an orderly way, which leaves nothing behind.
    fn end_daemon(&mut self) {
        assert_eq!(self.daemon.stop(), 0, "{}", self.daemon.report());
        let mut left = BTreeSet::new();
        let is_empty = wait::poll(wait::DEADLINE, || {
            left = living(&self.daemon);
            left.is_empty().then_some(())
        });
        assert!(is_empty.is_some(), "{left:?} are left behind\n{}", self.daemon.report());
        for beside in ["", ".state", ".state.new", ".keeper", ".lock"] {
            let path = self.daemon.path(&format!("supervisord.pid{beside}"));
            assert!(!path.exists(), "{} is left behind", path.display());
        }
    }

    fn launch(&mut self) {
        let program = self.daemon.path("powerless");
        self.daemon.launch_again_with(&program);
    }

    fn crash(&mut self) {
        self.daemon.crash();
        self.kills += 1;
        self.counts.interrupted();
        self.traces.interrupted(&self.daemon);
    }

    /// Where the program on disk, or the thread of the logs, gets no processor and does not answer in time, the upgrade is refused:
    /// then it is asked for again, some times.
    fn wait_for_upgrade(&mut self) {
        const REFUSED: [&str; 2] = [
            "ERRO not upgrading: the program on disk cannot take over (no answer within ",
            "ERRO not upgrading: the log files do not respond",
        ];
        const MOST: usize = 10;
        let seen = self.log_seen;
        let said = |daemon: &Daemon| daemon.log().get(seen..).unwrap_or_default().to_owned();
        for refusals in 0..=MOST {
            let is_upgraded = wait::poll(wait::DEADLINE, || {
                let log = said(&self.daemon);
                let refused = REFUSED.iter().map(|text| log.matches(text).count()).sum::<usize>();
                let is_upgraded = log.contains("supervisord upgraded");
                (is_upgraded || refused > refusals).then_some(is_upgraded)
            });
            match is_upgraded {
                Some(true) => break,
                Some(false) if refusals < MOST => self.daemon.signal(Signal::SIGUSR1),
                _ => {
                    let log = said(&self.daemon);
                    let about = log.lines().filter(|line| line.contains("upgrad") || line.contains("SIGUSR1"));
                    panic!("it is not upgraded: {:?}\n{}", about.collect::<Vec<_>>(), self.daemon.report());
                }
            }
        }
        self.upgrades += 1;
        self.counts.interrupted();
    }

    /// Waits until every process runs that is meant to.
    fn wait_for_all(&mut self) {
        let launched = self.daemon.launched_pid();
        self.daemon.wait_until("it answers", |daemon| {
            daemon.rpc_if_up("supervisor.getPID", &[]).is_some_and(|pid| pid.int() == i64::from(launched))
        });
        let steady: BTreeSet<String> = self.cast.steady().into_iter().cloned().collect();
        self.daemon.wait_until("everybody runs", |daemon| {
            let Some(listed) = daemon.rpc_if_up("supervisor.getAllProcessInfo", &[]) else { return false };
            let runs = |name: &str| {
                listed
                    .items()
                    .iter()
                    .any(|row| row.get("name").text() == name && row.get("statename").text() == "RUNNING")
            };
            steady.iter().all(|name| runs(name))
        });
    }

    /// The processes the daemon says it has.
    fn listed(&self) -> BTreeMap<String, i32> {
        let listed = self.daemon.call("supervisor.getAllProcessInfo", &[]);
        let pid = |row: &rpc::Value| (row.get("name").text().to_owned(), row.get("pid").int() as i32);
        listed.items().iter().map(pid).filter(|(_, pid)| *pid != 0).collect()
    }

    /// Nobody is there twice, nobody has been replaced, and the daemon knows them all.
    fn check_processes(&mut self, when: &str) {
        let listed = self.listed();
        for (name, pid) in &self.pids {
            assert_eq!(listed.get(name), Some(pid), "{when}: {name}\n{}", self.daemon.report());
        }
        // A program that was just started may not be executed yet.
        let mut leaders = Vec::new();
        let are_there = wait::poll(wait::DEADLINE, || {
            leaders = players(&self.daemon).into_iter().filter(|one| one.is_leader).collect();
            let seen =
                |name: &String| leaders.iter().any(|one| one.name == *name && Some(&one.pid) == self.pids.get(name));
            self.cast.steady().into_iter().all(seen).then_some(())
        });
        assert!(are_there.is_some(), "{when}: {:?} instead of {leaders:?}\n{}", self.pids, self.daemon.report());
        let mut seen: BTreeMap<String, i32> = BTreeMap::new();
        let is_hook = |name: &String| [&self.cast.hooked, &self.cast.checked].iter().any(|kind| kind.contains(name));
        for Player { name, pid, is_stopped, .. } in leaders.into_iter().filter(|one| !is_hook(&one.name)) {
            assert!(!is_stopped, "{when}: {name} is left stopped\n{}", self.daemon.report());
            if let Some(other) = seen.insert(name.clone(), pid) {
                // One may just have ended while the list was made.
                let alive: Vec<i32> = [pid, other].into_iter().filter(|pid| processes::alive(*pid)).collect();
                assert!(alive.len() < 2, "{when}: {name} runs twice: {alive:?}\n{}", self.daemon.report());
            }
        }
        let most = self.cast.leaving.len() * (1 + LATE);
        self.daemon.wait_until("those left behind have ended", |daemon| {
            players(daemon).into_iter().filter(|one| !one.is_leader).count() <= most
        });
    }

    /// Whoever connects to a FastCGI socket is answered by a process of its group, all of which share one socket.
    fn check_gates(&mut self) {
        for names in self.cast.gates.clone() {
            let answer = match group(&names[0]) {
                "gate" => UnixStream::connect(self.daemon.path("gate.sock")).and_then(answer),
                _ => TcpStream::connect(("127.0.0.1", self.daemon.ports[0])).and_then(answer),
            };
            let answered = answer.unwrap_or_else(|error| panic!("{}: {error}\n{}", names[0], self.daemon.report()));
            let pids: Vec<i32> = names.iter().map(|name| self.pids[name]).collect();
            assert!(pids.contains(&answered), "{answered} answers, not one of {pids:?}\n{}", self.daemon.report());
            let sockets: BTreeSet<_> = pids.iter().map(|pid| fs::read_link(format!("/proc/{pid}/fd/0")).ok()).collect();
            assert_eq!(sockets.len(), 1, "{sockets:?}\n{}", self.daemon.report());
        }
    }

    /// Says something to listeners and to the stdin of a program.
    fn talk(&mut self) {
        for _ in 0..self.random.below(4) {
            let event = self.traces.next_event();
            let sent =
                self.daemon.rpc_if_up("supervisor.sendRemoteCommEvent", &["chaos".into(), event.as_str().into()]);
            self.traces.event_sent(event, sent.is_some());
            if !self.cast.brief.is_empty() {
                let name = format!("brief:{}", self.random.pick(&self.cast.brief));
                // It may run already, or nobody may be there.
                self.daemon.rpc_if_up("supervisor.startProcess", &[name.as_str().into(), false.into()]);
            }
            if self.cast.echoes.is_empty() {
                continue;
            }
            let name = self.random.pick(&self.cast.echoes).clone();
            let line = self.traces.next_line();
            let words = [format!("echo:{name}").as_str().into(), format!("{line}\n").as_str().into()];
            let sent = self.daemon.rpc_if_up("supervisor.sendProcessStdin", &words);
            self.traces.line_sent(name, line, sent.is_some());
        }
    }

    /// Ends a program in an unfriendly way: the only ends that are asked for.
    fn end_somebody(&mut self) {
        let gates = self.cast.gates.iter().flatten();
        let victims: Vec<String> = self.cast.quiet.iter().chain(gates).cloned().collect();
        let victim = self.random.pick(&victims).clone();
        let before = self.pids[&victim];
        processes::signal(before, Signal::SIGKILL);
        let name = format!("{}:{victim}", group(&victim));
        self.daemon.wait_until(&format!("{name} is replaced"), |daemon| {
            let info = daemon.info(&name);
            info.get("statename").text() == "RUNNING" && info.get("pid").int() != i64::from(before)
        });
        self.pids.insert(victim, self.daemon.pid_of(&name));
    }

    /// So many processes run as were asked for last; and another number is asked for.
    fn check_scale(&mut self) {
        let scaled = self.scaled;
        self.daemon.wait_until(&format!("{scaled:?} processes are there"), |daemon| {
            let listed = daemon.call("supervisor.getAllProcessInfo", &[]);
            let of_group = listed.items().iter().filter(|row| row.get("group").text() == "elastic");
            let states: Vec<&str> = of_group.map(|row| row.get("statename").text()).collect();
            scaled.is_none_or(|scaled| states.len() == scaled) && states.iter().all(|state| *state == "RUNNING")
        });
        let number = 1 + self.random.below(5);
        let said = self.daemon.ctl(&["scale", &format!("elastic={number}")]);
        self.scaled = Some(number);
        assert_eq!(said.code, 0, "{}\n{}", said.stdout, self.daemon.report());
    }

    /// What is disabled is down, what is not runs; and another one is disabled or enabled.
    fn check_bench(&mut self) {
        for name in &self.cast.benched {
            let state = if self.benched.contains(name) { "STOPPED" } else { "RUNNING" };
            self.daemon.wait_for_state(&format!("benched:{name}"), state);
        }
        if self.cast.benched.is_empty() {
            return;
        }
        let name = self.random.pick(&self.cast.benched).clone();
        let is_disabled = self.benched.remove(&name);
        let verb = if is_disabled { &["enable", "--now"][..] } else { &["disable"] };
        let said = self.daemon.ctl(&[verb, &[format!("benched:{name}").as_str()]].concat());
        assert_eq!(said.code, 0, "{verb:?} {name}: {}\n{}", said.stdout, self.daemon.report());
        if !is_disabled {
            self.benched.insert(name);
        }
    }

    /// Waits until those that end again and again have done so: nobody has been given up, and none waits for a hook in vain.
    fn wait_for_lives(&mut self) {
        for name in self.cast.hooked.iter().chain(&self.cast.ready) {
            let before = hooks::lives(&self.daemon, name);
            self.daemon.wait_until(&format!("{name} lives again and again"), |daemon| {
                hooks::lives(daemon, name) >= before + 2
            });
        }
    }

    fn measure(&mut self, is_early: bool) {
        let pid = self.daemon.launched_pid();
        let state_file = fs::metadata(self.daemon.path("supervisord.pid.state")).map_or(0, |file| file.len());
        let now = Vitals {
            memory: processes::status(pid, "RssAnon").unwrap_or(0),
            descriptors: processes::descriptors(pid),
            kept: self.daemon.keeper().map_or(usize::MAX, processes::descriptors),
            state_file,
        };
        println!("{now:?}");
        let most = if is_early { &mut self.early } else { &mut self.late };
        most.memory = most.memory.max(now.memory);
        most.descriptors = most.descriptors.max(now.descriptors);
        most.kept = most.kept.min(now.kept);
        most.state_file = most.state_file.max(now.state_file);
    }

    fn end(mut self) -> String {
        let (early, late) = (self.early, self.late);
        assert!(late.memory <= early.memory + GROWTH, "{early:?} {late:?}");
        assert!(late.descriptors <= early.descriptors + MORE_DESCRIPTORS, "{early:?} {late:?}");
        assert!(late.kept <= early.kept.saturating_add(MORE_KEPT), "{early:?} {late:?}");
        self.traces.wait_for_lines(&mut self.daemon);
        self.wait_for_lives();
        self.empty_volume();
        self.end_daemon();
        let lacking = self.cast.ready.iter().filter(|name| self.daemon.path(&format!("lack-{name}")).exists());
        assert_eq!(lacking.collect::<Vec<_>>(), [""; 0], "they started without their variables or secrets");
        // Lines that a killed daemon had not written yet.
        let doubts = self.stops + 1 + self.kills / 10;
        let hooked = hooks::check(&self.daemon, &self.cast.hooked, doubts);
        let figures = self.traces.finish(&self.daemon, &self.cast, &self.services, self.volume.as_ref());
        let (kills, upgrades) = (self.kills, self.upgrades);
        format!(
            "{kills} kills, {upgrades} upgrades: {:?}\n{figures}, {hooked} lives with hooks\nfirst half {early:?}\nsecond half {late:?}",
            self.tally
        )
    }
}

fn answer(mut stream: impl Read) -> io::Result<i32> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    text.parse().map_err(io::Error::other)
}

/// What the outputs of a process are.
fn outputs(pid: i32) -> Vec<std::path::PathBuf> {
    let links = [1, 2].map(|descriptor| fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok());
    links.into_iter().flatten().filter(|link| link.to_string_lossy().starts_with("pipe:")).collect()
}

/// What a process has open.
fn descriptors(pid: i32) -> BTreeSet<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
    entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}
