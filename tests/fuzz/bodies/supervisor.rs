//! The whole supervisor as a sequence of inputs, in a simulated world with its own clock and children.
//!
//! Each byte of the input selects an event, the next byte its details. Afterwards time passes, and the world must come
//! to rest: each call has exactly one reply, no process runs twice, and a shutdown ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use supervisord_core::actor::Actor;
use supervisord_core::call::Call;
use supervisord_core::output::Channel;
use supervisord_core::process::ExitStatus;
use supervisord_core::supervisor::{
    CallId, CommandFailure, Effect, Ending, FeedFailure, HandlerVerdict, KillFailure, OutputKind, ProcessId, RunId,
    SpawnFailure, Spawned, Supervisor, SupervisorInput,
};
use supervisord_core::time::Now;
use supervisord_daemon::state::{self, version};
use supervisord_wire::state::{Mood, ProcessState};

use super::configuration;

/// The configuration at the start; a reread finds the other variant.
const FIRST: &str = "
[supervisord]
[program:plain]
command=x
[program:eager]
command=x
autorestart=true
startsecs=0
[program:failing]
command=x
startretries=2
startsecs=3
autorestart=unexpected
[program:early]
command=x
priority=1
numprocs=3
process_name=%(process_num)d
stopsignal=INT
stopasgroup=true
[group:pair]
programs=one,two
priority=5
[program:one]
command=x
autostart=false
[program:two]
command=x
stopwaitsecs=0
startsecs=-1
[fcgi-program:web]
command=x
socket=unix:///tmp/web.sock
numprocs=2
process_name=%(process_num)d
[eventlistener:ear]
command=x
events=EVENT
buffer_size=3
numprocs=2
process_name=%(process_num)d
[eventlistener:clock]
command=x
events=TICK_5,TICK_60,PROCESS_LOG,PROCESS_COMMUNICATION
buffer_size=1
[eventlistener:judged]
command=x
events=EVENT
result_handler=package.module:attribute
";

const SECOND: &str = "
[supervisord]
[program:plain]
command=y
[program:new]
command=x
[program:eager]
command=x
autorestart=true
startsecs=0
[eventlistener:clock]
command=x
events=TICK_3600
";

const NAMES: [&str; 20] = [
    "plain", "eager", "failing", "early:0", "early:1", "early:*", "pair:one", "pair:two", "pair:*", "web:0", "web:1",
    "web:*", "ear:0", "ear:1", "ear:*", "clock", "new", "nobody", "pair", "",
];

const GROUPS: [&str; 9] = ["plain", "eager", "early", "pair", "web", "ear", "clock", "new", "nobody"];

const LISTENER_OUTPUTS: [&[u8]; 8] = [
    b"READY\n",
    b"RESULT 2\nOK",
    b"RESULT 4\nFAIL",
    b"READY\nRE",
    b"junk\n",
    b"RESULT x\n",
    b"RESULT 2\nOKREADY\n",
    b"\0",
];

/// More effects than this from one input, or more wake-ups in one span of time, mean an endless loop.
const MAX_STEPS: usize = 20_000;

struct Child {
    process: ProcessId,
    ignores_term: bool,
    /// A signal was refused: as in the original, its process becomes UNKNOWN and the child is not signalled again.
    is_given_up: bool,
}

struct World {
    supervisor: Supervisor,
    now: Now,
    children: BTreeMap<u32, Child>,
    /// Children that will end because of a signal.
    dying: Vec<(u32, i32)>,
    next_pid: u32,
    calls: u64,
    replies: BTreeMap<CallId, usize>,
    processes: Vec<ProcessId>,
    mood: Mood,
    ending: Option<Ending>,
    stubborn: bool,
    /// Starting, signalling and writing to stdin all fail.
    cannot_spawn: bool,
    cannot_find: bool,
    cannot_kill: bool,
    cannot_feed: Option<FeedFailure>,
    /// Calls whose logs a slow disk has not cleared yet.
    clearing: Vec<(Option<ProcessId>, CallId)>,
    /// Results of listeners that a slow result handler has not judged yet.
    judging: Vec<(ProcessId, u64)>,
}

impl World {
    fn new() -> World {
        let now = Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_003) };
        World {
            supervisor: Supervisor::new(Arc::new(*config(true)), now, 1, 0),
            now,
            children: BTreeMap::new(),
            dying: Vec::new(),
            next_pid: 1000,
            calls: 0,
            replies: BTreeMap::new(),
            processes: Vec::new(),
            mood: Mood::Running,
            ending: None,
            stubborn: false,
            cannot_spawn: false,
            cannot_find: false,
            cannot_kill: false,
            cannot_feed: None,
            clearing: Vec::new(),
            judging: Vec::new(),
        }
    }

    fn give(&mut self, input: SupervisorInput) {
        if self.ending.is_some() {
            return;
        }
        self.supervisor.handle(self.now, input);
        self.settle();
        self.check();
    }

    fn settle(&mut self) {
        let mut effects = 0;
        while let Some(effect) = self.supervisor.poll_effect() {
            effects += 1;
            assert!(effects < MAX_STEPS, "one input has effects without end");
            if let Some(answer) = self.perform(effect) {
                self.supervisor.handle(self.now, answer);
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<SupervisorInput> {
        match effect {
            Effect::Check { process, call } => {
                let missing = || CommandFailure::Missing("can't find command 'x'".to_owned());
                let result = if self.cannot_find { Err(missing()) } else { Ok(()) };
                return Some(SupervisorInput::Checked { process, call, result });
            }
            Effect::Spawn { process } => return Some(self.spawn(process)),
            Effect::Kill { process, run, signal, call, .. } => {
                let result = self.kill(run, signal);
                return Some(SupervisorInput::Killed { process, call, result });
            }
            Effect::Feed { process, call, .. } => {
                let lives = self.children.values().any(|child| child.process == process);
                let result = match self.cannot_feed {
                    Some(failure) => Err(failure),
                    None if lives => Ok(()),
                    None => Err(FeedFailure::Closed),
                };
                return Some(SupervisorInput::Fed { process, call, result });
            }
            Effect::ClearLogs { process, call, .. } => self.clearing.push((Some(process), call)),
            Effect::ClearActivity { call } => self.clearing.push((None, call)),
            Effect::Judge { process, judgement, .. } => self.judging.push((process, judgement)),
            Effect::PublishRow(process) if !self.processes.contains(&process) => self.processes.push(process),
            Effect::ReplaceGroup { members, .. } => self.processes.extend(members),
            Effect::PublishMood(mood) => self.mood = mood,
            Effect::Reply { call, .. } => *self.replies.entry(call).or_default() += 1,
            Effect::Finished(ending) => assert!(self.ending.replace(ending).is_none(), "finished twice"),
            _ => {}
        }
        None
    }

    fn spawn(&mut self, process: ProcessId) -> SupervisorInput {
        assert!(self.ending.is_none() && self.mood == Mood::Running, "nothing is started during a shutdown");
        let twice = self.children.values().any(|child| child.process == process);
        assert!(!twice, "two children of one process");
        let result = if self.cannot_spawn {
            Err(match process.0 % 2 {
                0 => SpawnFailure::Refused("no more processes".to_owned()),
                _ => SpawnFailure::Unanswered("the disk does not respond".to_owned()),
            })
        } else {
            self.next_pid += 1;
            self.children.insert(self.next_pid, Child { process, ignores_term: self.stubborn, is_given_up: false });
            Ok(Spawned { run: run_of(self.next_pid), pid: self.next_pid, at: self.now })
        };
        SupervisorInput::Spawned { process, result }
    }

    fn kill(&mut self, run: RunId, signal: i32) -> Result<(), KillFailure> {
        let pid = run.0 as u32;
        let child = self.children.get_mut(&pid).ok_or_else(|| KillFailure::Gone("no such process".to_owned()))?;
        if self.cannot_kill {
            child.is_given_up = true;
            return Err(KillFailure::Refused("not permitted".to_owned()));
        }
        if signal == 9 || !child.ignores_term {
            self.dying.push((pid, signal));
        }
        Ok(())
    }

    /// The states shown to clients match the actual children.
    fn check(&self) {
        for id in &self.processes {
            let Some(row) = self.supervisor.row(*id) else { continue };
            let child = self.children.iter().find(|(_, child)| child.process == *id).map(|(pid, _)| *pid);
            assert_eq!(child.unwrap_or(0), row.pid, "{} is {:?}", row.config.identity.name, row.state());
            let lives = matches!(row.state(), ProcessState::Starting | ProcessState::Running | ProcessState::Stopping);
            assert!(
                lives == (row.pid != 0) || row.state() == ProcessState::Unknown,
                "{:?} with pid {}",
                row.state(),
                row.pid
            );
        }
        let known = |child: &Child| child.is_given_up || self.supervisor.row(child.process).is_some();
        assert!(self.children.values().all(known), "a child without a process");
        assert!(self.replies.values().all(|times| *times == 1), "two replies to one call");
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        for turn in 0.. {
            assert!(turn < MAX_STEPS, "it never rests");
            for (pid, number) in std::mem::take(&mut self.dying) {
                self.end(pid, ExitStatus::Signal { number, core_dumped: false });
            }
            let deadline = self.supervisor.next_deadline(self.now).filter(|deadline| *deadline <= end);
            match deadline {
                Some(deadline) if self.ending.is_none() => {
                    self.advance(deadline);
                    self.give(SupervisorInput::Elapsed);
                    let next = self.supervisor.next_deadline(self.now);
                    let moves = self.ending.is_some() || next.is_none_or(|next| next > self.now.mono);
                    assert!(moves, "what was due is still due: a loop that never sleeps");
                }
                _ if self.dying.is_empty() => break,
                _ => {}
            }
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Duration) {
        let step = to.saturating_sub(self.now.mono);
        self.now = Now { mono: self.now.mono + step, wall: self.now.wall + step };
    }

    fn end(&mut self, pid: u32, status: ExitStatus) {
        if self.children.contains_key(&pid) {
            self.give(SupervisorInput::Died { run: run_of(pid), at: self.now });
            self.children.remove(&pid);
            self.give(SupervisorInput::Exited { run: run_of(pid), pid, status });
        }
    }

    fn call(&mut self, call: Call) {
        if self.ending.is_some() {
            return;
        }
        let id = CallId(self.calls);
        self.calls += 1;
        self.give(SupervisorInput::Call { id, actor: Actor::plug_in(), call });
    }

    fn child(&self, detail: u8) -> Option<(u32, ProcessId)> {
        let count = self.children.len().max(1);
        self.children.iter().nth(usize::from(detail) % count).map(|(pid, child)| (*pid, child.process))
    }

    fn apply_random_input(&mut self, what: u8, detail: u8) {
        let name = NAMES[usize::from(detail) % NAMES.len()].to_owned();
        let group = GROUPS[usize::from(detail) % GROUPS.len()].to_owned();
        let wait = detail >= 128;
        match what % 32 {
            0 | 1 => self.call(Call::StartProcess { name, wait }),
            2 | 3 => self.call(Call::StopProcess { name, wait }),
            4 => self.call(Call::StartProcessGroup { group, wait }),
            5 => self.call(Call::StopProcessGroup { group, wait }),
            6 => self.call(Call::StartAllProcesses { wait }),
            7 => self.call(Call::StopAllProcesses { wait }),
            8 => self.call(Call::SignalProcess {
                name,
                signal: ["HUP", "KILL", "nonsense"][usize::from(detail) % 3].to_owned(),
            }),
            9 => self.call(Call::SignalAllProcesses { signal: "TERM".to_owned() }),
            10 => self.call(Call::SendProcessStdin { name, chars: vec![detail; usize::from(detail)] }),
            11 => self.call(Call::SendRemoteCommEvent { kind: name, data: group }),
            12 => self.call(if wait { Call::ClearProcessLogs { name } } else { Call::ClearAllProcessLogs }),
            13 => self.call(Call::ReloadConfig { config: config(wait) }),
            14 => self.call(Call::RemoveProcessGroup { group }),
            15 => self.call(Call::AddProcessGroup { group }),
            16..=18 => {
                if let Some((pid, _)) = self.child(detail) {
                    self.end(pid, ExitStatus::Code(i32::from(detail % 3)));
                }
            }
            19 => self.give(match wait {
                true => {
                    let pid = 1 + u32::from(detail);
                    SupervisorInput::Exited { run: run_of(pid), pid, status: ExitStatus::Other(255) }
                }
                false => SupervisorInput::UnknownExited { pid: 1 + u32::from(detail), status: ExitStatus::Other(255) },
            }),
            20..=22 => self.pass(Duration::from_millis(u64::from(detail) * 50)),
            23 => self.now.wall = Duration::from_secs([10, 996_400, 1_003_600, 4_000_000_000][usize::from(detail) % 4]),
            24 | 25 => {
                if let Some((_, process)) =
                    self.child(detail).filter(|(_, process)| self.supervisor.is_listener(*process))
                {
                    let bytes = LISTENER_OUTPUTS[usize::from(detail / 8) % LISTENER_OUTPUTS.len()].to_vec();
                    self.give(SupervisorInput::ListenerOutput { process, bytes });
                }
            }
            26 => {
                if let Some((pid, process)) = self.child(detail) {
                    let kind = if wait { OutputKind::Log } else { OutputKind::Communication };
                    self.give(SupervisorInput::Output {
                        process,
                        pid,
                        kind,
                        channel: Channel::Stderr,
                        bytes: vec![detail],
                    });
                }
            }
            27 => self.stubborn = wait,
            28 => (self.cannot_spawn, self.cannot_find) = (wait, detail & 1 == 1),
            29 => {
                self.cannot_kill = wait;
                self.cannot_feed = [None, Some(FeedFailure::Full), Some(FeedFailure::Closed)][usize::from(detail) % 3];
            }
            30 => {
                self.clear();
                self.judge(detail);
            }
            _ => match detail {
                // Rare, because a shutdown ends nearly all other activity.
                0..4 => self.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" }),
                4..8 => self.give(SupervisorInput::RestartSignal { config: Ok(config(false)) }),
                8 => self.call(Call::Shutdown),
                9 => self.call(Call::Restart { config: config(true) }),
                10..20 => self.give(SupervisorInput::RestartSignal { config: Err("unreadable".to_owned()) }),
                20..40 => self.call(Call::ClearLog),
                40..80 => self.upgrade(),
                _ => self.give(SupervisorInput::ReopenSignal),
            },
        }
    }

    /// Takes a snapshot of the supervisor at rest and continues with a new one made from it.
    fn upgrade(&mut self) {
        let is_at_rest = self.replies.len() as u64 == self.calls && self.clearing.is_empty() && self.judging.is_empty();
        if !is_at_rest || self.ending.is_some() || self.mood != Mood::Running {
            return;
        }
        let write = |supervisor: &Supervisor| {
            let snapshot = state::Snapshot::new(&supervisor.snapshot(), version::of_hand_over());
            serde_json::to_string(&snapshot).expect("it can be written")
        };
        let written = write(&self.supervisor);
        let read: state::Snapshot = serde_json::from_str(&written).expect("it can be read");
        let next = Supervisor::restore(read.into(), self.now, 1);
        let again = write(&next);
        assert_eq!(again, written, "nothing is forgotten");
        let moved = |process: ProcessId| {
            let row = self.supervisor.row(process)?;
            next.find_process(&row.group, &row.config.identity.name)
        };
        let children = std::mem::take(&mut self.children).into_iter();
        let known = children.filter_map(|(pid, child)| Some((pid, Child { process: moved(child.process)?, ..child })));
        self.children = known.collect();
        self.processes = self.processes.iter().filter_map(|process| moved(*process)).collect();
        self.supervisor = next;
        self.settle();
        let adopted: Vec<_> = self.children.iter().map(|(pid, child)| (*pid, child.process)).collect();
        for (pid, process) in adopted {
            self.supervisor.handle(self.now, SupervisorInput::Adopted { process, run: run_of(pid) });
            self.settle();
        }
    }

    fn clear(&mut self) {
        for (process, call) in std::mem::take(&mut self.clearing) {
            self.give(SupervisorInput::Cleared { process, call, result: Ok(()) });
        }
    }

    fn judge(&mut self, detail: u8) {
        for (process, judgement) in std::mem::take(&mut self.judging) {
            let verdict =
                [HandlerVerdict::Accepted, HandlerVerdict::Rejected, HandlerVerdict::Failed, HandlerVerdict::Lost]
                    [usize::from(detail) % 4];
            self.give(SupervisorInput::Judged { process, judgement, verdict });
        }
    }

    /// Lets everything finish in a world without failures.
    fn come_to_rest(&mut self) {
        (self.cannot_spawn, self.cannot_find, self.cannot_kill, self.cannot_feed) = (false, false, false, None);
        self.clear();
        self.pass(Duration::from_secs(200));
        assert!(self.ending.is_some() || self.replies.len() as u64 == self.calls, "every call has one reply");
        self.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
        self.pass(Duration::from_secs(200));
        assert!(self.ending.is_some(), "a shutdown ends when children obey KILL");
        assert!(self.children.values().all(|child| child.is_given_up), "something is left behind");
    }
}

/// Every process id is used once in this world, so that it identifies a run, too.
fn run_of(pid: u32) -> RunId {
    RunId(pid.into())
}

fn config(first: bool) -> Box<supervisord_config::model::Config> {
    let text = if first { FIRST } else { SECOND };
    Box::new(configuration::read(text.as_bytes()).expect("it is a good configuration"))
}

pub fn run(data: &[u8]) {
    let mut world = World::new();
    world.settle();
    world.give(SupervisorInput::Started);
    for pair in data.chunks(2).take(400) {
        world.apply_random_input(pair[0], pair.get(1).copied().unwrap_or(0));
    }
    world.come_to_rest();
}
