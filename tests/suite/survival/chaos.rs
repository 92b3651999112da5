//! The daemon is killed and upgraded at random moments, again and again, under programs of all kinds.
//!
//! `CHAOS_PROGRAMS` says how many programs there are, `CHAOS_ROUNDS` how often it happens, `CHAOS_SEED` what is done;
//! how the machine interleaves it is chance. The whole of it:
//!
//! `CHAOS_PROGRAMS=200 CHAOS_ROUNDS=300 cargo test --release --test suite -- chaos --nocapture`

mod cast;
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::random::Random;
use crate::harness::{Daemon, Subject, processes, rpc};
use cast::{Cast, group, leaders};
use traces::Traces;

/// How much more memory the daemon may have at the end than in the first half, in kB.
const GROWTH: u64 = 8 * 1024;

/// How many more descriptors.
const MORE_DESCRIPTORS: usize = 12;

#[test]
fn chaos_loses_nothing() {
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (programs, rounds) = (number("CHAOS_PROGRAMS", 40), number("CHAOS_ROUNDS", 20));
    let seed = number("CHAOS_SEED", std::process::id() as usize);
    println!("chaos: {programs} programs, {rounds} rounds, CHAOS_SEED={seed}");
    let begin = Instant::now();
    let mut chaos = Chaos::begin(Cast::new(programs), Random::new(seed as u64));
    for round in 0..rounds {
        chaos.round(round);
        chaos.measure(round, rounds);
    }
    let summary = chaos.end();
    println!("chaos: passed in {} s, CHAOS_SEED={seed}\n{summary}", begin.elapsed().as_secs());
}

struct Chaos {
    daemon: Daemon,
    cast: Cast,
    random: Random,
    /// Whose process id is known, because nobody has asked it to end.
    pids: BTreeMap<String, i32>,
    traces: Traces,
    /// How long the activity log was when a daemon or an upgrade was last waited for.
    log_seen: usize,
    tally: BTreeMap<&'static str, usize>,
    early: Vitals,
    late: Vitals,
}

/// The most of what was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Vitals {
    memory: u64,
    descriptors: usize,
    state_file: u64,
}

impl Chaos {
    fn begin(cast: Cast, random: Random) -> Chaos {
        let daemon = cast.scene().start(Subject::Ours);
        let traces = Traces::new(&cast);
        let mut chaos = Chaos {
            daemon,
            cast,
            random,
            pids: BTreeMap::new(),
            traces,
            log_seen: 0,
            tally: BTreeMap::new(),
            early: Vitals::default(),
            late: Vitals::default(),
        };
        chaos.wait_for_all();
        chaos.pids = chaos.listed().into_iter().filter(|(name, _)| group(name) != "crashing").collect();
        chaos
    }

    fn round(&mut self, round: usize) {
        self.pause(200);
        self.talk();
        let kind = match self.random.below(7) {
            0 | 1 => self.kill(),
            2 | 3 => self.upgrade(),
            4 => self.kill_at_the_start(),
            5 => self.kill_in_an_upgrade(),
            _ => self.upgrade_twice(),
        };
        *self.tally.entry(kind).or_default() += 1;
        self.wait_for_all();
        self.check_processes(&format!("round {round}: {kind}"));
        self.check_gates();
        self.traces.read(&self.daemon, &self.cast);
        self.talk();
        self.traces.wait_for_events(&mut self.daemon);
        if self.random.below(3) == 0 {
            self.end_somebody();
        }
    }

    fn pause(&mut self, most: usize) {
        sleep(Duration::from_millis(self.random.below(most) as u64));
    }

    /// Killed, and nobody is there for a while.
    fn kill(&mut self) -> &'static str {
        self.crash();
        self.pause(300);
        self.daemon.launch_again();
        "killed"
    }

    /// Killed again while it takes over.
    fn kill_at_the_start(&mut self) -> &'static str {
        self.crash();
        for _ in 0..=self.random.below(3) {
            self.daemon.launch_again();
            self.pause(80);
            self.crash();
        }
        self.daemon.launch_again();
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
        self.daemon.launch_again();
        "killed while it was upgraded"
    }

    fn crash(&mut self) {
        self.daemon.crash();
        self.traces.crashed();
    }

    fn wait_for_upgrade(&mut self) {
        let seen = self.log_seen;
        self.daemon.wait_until("it is upgraded", |daemon| {
            daemon.log().get(seen..).is_some_and(|log| log.contains("supervisord upgraded"))
        });
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
        let mut seen: BTreeMap<String, i32> = BTreeMap::new();
        for (name, pid) in leaders(&self.daemon) {
            if let Some(other) = seen.insert(name.clone(), pid) {
                // One may just have ended while the list was made.
                let alive: Vec<i32> = [pid, other].into_iter().filter(|pid| processes::alive(*pid)).collect();
                assert!(alive.len() < 2, "{when}: {name} runs twice: {alive:?}\n{}", self.daemon.report());
            }
        }
        for name in self.cast.steady() {
            assert_eq!(seen.get(name), self.pids.get(name), "{when}: {name}\n{}", self.daemon.report());
        }
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

    fn measure(&mut self, round: usize, rounds: usize) {
        let pid = self.daemon.launched_pid();
        let state_file = fs::metadata(self.daemon.path("supervisord.pid.state")).map_or(0, |file| file.len());
        let now = Vitals {
            memory: processes::status(pid, "RssAnon").unwrap_or(0),
            descriptors: processes::descriptors(pid),
            state_file,
        };
        let most = if round < rounds.div_ceil(2) { &mut self.early } else { &mut self.late };
        most.memory = most.memory.max(now.memory);
        most.descriptors = most.descriptors.max(now.descriptors);
        most.state_file = most.state_file.max(now.state_file);
    }

    fn end(mut self) -> String {
        let (early, late) = (self.early, self.late);
        assert!(late.memory <= early.memory + GROWTH, "{early:?} {late:?}");
        assert!(late.descriptors <= early.descriptors + MORE_DESCRIPTORS, "{early:?} {late:?}");
        self.traces.wait_for_lines(&mut self.daemon);
        assert_eq!(self.daemon.stop(), 0, "{}", self.daemon.report());
        for (name, pid) in leaders(&self.daemon) {
            assert!(!processes::alive(pid), "{name} is left behind\n{}", self.daemon.report());
        }
        assert!(!self.daemon.path("supervisord.pid.state").exists());
        let figures = self.traces.finish(&self.daemon, &self.cast);
        format!("{:?}\n{figures}\nfirst half {early:?}\nsecond half {late:?}", self.tally)
    }
}

fn answer(mut stream: impl Read) -> io::Result<i32> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    text.parse().map_err(io::Error::other)
}
