//! A small world: virtual time, children that do what the test says, and a supervisor that knows nothing of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use supervisord_config::model::{AutoRestart, Process};
use supervisord_config::samples;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::state::ProcessState;
use supervisord_wire::value::Value;

use super::*;
use crate::call::{Call, Outcome};

/// A child of the world.
struct Child {
    process: ProcessId,
    ignores_term: bool,
    heard: Vec<u8>,
}

struct World {
    supervisor: Supervisor,
    now: Now,
    children: BTreeMap<u32, Child>,
    next_pid: u32,
    next_call: u64,
    /// Children that a signal will end.
    dying: Vec<(u32, i32)>,
    log: Vec<String>,
    replies: BTreeMap<CallId, Outcome>,
    mood: Mood,
    ending: Option<Ending>,
    /// Processes whose children ignore TERM.
    stubborn: Vec<String>,
    /// Processes whose command does not exist.
    missing: Vec<String>,
    /// Processes that may not be sent a signal.
    untouchable: Vec<String>,
    judgements: Vec<(ProcessId, u64, String, Vec<u8>)>,
    announced: Vec<String>,
    /// There is no activity log to clear.
    cannot_clear: bool,
}

impl World {
    fn new(groups: Vec<Arc<Group>>) -> World {
        let now = Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_002) };
        let mut world = World {
            supervisor: Supervisor::new(Arc::new(samples::config(groups)), now, 1, 0),
            now,
            children: BTreeMap::new(),
            next_pid: 1000,
            next_call: 0,
            dying: Vec::new(),
            log: Vec::new(),
            replies: BTreeMap::new(),
            mood: Mood::Running,
            ending: None,
            stubborn: Vec::new(),
            missing: Vec::new(),
            untouchable: Vec::new(),
            judgements: Vec::new(),
            announced: Vec::new(),
            cannot_clear: false,
        };
        world.settle();
        world
    }

    fn started(groups: Vec<Arc<Group>>) -> World {
        let mut world = World::new(groups);
        world.give(Input::Started);
        world
    }

    fn give(&mut self, input: Input) {
        self.supervisor.handle(self.now, input);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(effect) = self.supervisor.poll_effect() {
            if let Some(answer) = self.perform(effect) {
                self.supervisor.handle(self.now, answer);
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Log(level, line) => self.log.push(format!("{} {line}", level.code())),
            Effect::Check { process, call } => {
                let result = match self.is_missing(process) {
                    true => Err(CommandFailure::Missing("can't find command 'x'".to_owned())),
                    false => Ok(()),
                };
                return Some(Input::Checked { process, call, result });
            }
            Effect::Spawn { process } => return Some(self.spawn(process)),
            Effect::Kill { process, pid, signal, call, .. } => {
                let name = self.supervisor.process(process).map(|config| config.name.clone()).unwrap_or_default();
                let result = match self.untouchable.contains(&name) {
                    true => Err(KillFailure::Refused("operation not permitted".to_owned())),
                    false => self.kill(pid, signal),
                };
                return Some(Input::Killed { process, call, result });
            }
            Effect::Feed { process, bytes, call } => {
                let child = self.children.values_mut().find(|child| child.process == process);
                let result = child.map(|child| child.heard.extend(bytes)).ok_or(FeedFailure::Closed);
                return Some(Input::Fed { process, call, result });
            }
            Effect::ClearLogs { process, call, .. } => {
                return Some(Input::Cleared { process: Some(process), call, result: Ok(()) });
            }
            Effect::ClearActivity { call } => {
                let result = if self.cannot_clear { Err(Fault::new(FaultCode::NoFile)) } else { Ok(()) };
                return Some(Input::Cleared { process: None, call, result });
            }
            Effect::PublishMood(mood) => self.mood = mood,
            Effect::Judge { process, judgement, handler, result, .. } => {
                self.judgements.push((process, judgement, handler, result));
            }
            Effect::Announce(event) => self.announced.push(event.payload.clone()),
            Effect::Reply { call, outcome } => {
                assert!(self.replies.insert(call, outcome).is_none(), "two replies to one call");
            }
            Effect::Finished(ending) => {
                assert!(self.ending.replace(ending).is_none(), "finished twice");
            }
            _ => {}
        }
        None
    }

    fn is_missing(&self, process: ProcessId) -> bool {
        self.supervisor.process(process).is_some_and(|config| self.missing.contains(&config.name))
    }

    fn spawn(&mut self, process: ProcessId) -> Input {
        if self.is_missing(process) {
            return Input::Spawned { process, result: Err("can't find command 'x'".to_owned()) };
        }
        assert!(!self.children.values().any(|child| child.process == process), "two children of one process");
        assert!(self.ending.is_none() && self.mood == Mood::Running, "nothing is started during a shutdown");
        self.next_pid += 1;
        let ignores_term = self.supervisor.process(process).is_some_and(|config| self.stubborn.contains(&config.name));
        self.children.insert(self.next_pid, Child { process, ignores_term, heard: Vec::new() });
        Input::Spawned { process, result: Ok(self.next_pid) }
    }

    /// Signals reach the child at once; its end is noticed when time passes.
    fn kill(&mut self, pid: u32, signal: i32) -> Result<(), KillFailure> {
        let child = self.children.get(&pid).ok_or_else(|| KillFailure::Gone("no such process".to_owned()))?;
        if signal == 9 || (signal == 15 && !child.ignores_term) {
            self.dying.push((pid, signal));
        }
        Ok(())
    }

    /// Lets everything happen that happens by itself in this time.
    fn pass(&mut self, millis: u64) {
        let end = self.now.mono + Duration::from_millis(millis);
        loop {
            for (pid, number) in std::mem::take(&mut self.dying) {
                self.end(pid, ExitStatus::Signal { number, core_dumped: false });
            }
            match self.supervisor.next_deadline(self.now).filter(|deadline| *deadline <= end) {
                Some(deadline) if self.ending.is_none() => {
                    self.advance(deadline);
                    self.give(Input::Elapsed);
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
        if self.children.remove(&pid).is_some() {
            self.give(Input::Exited { pid, status });
        }
    }

    fn pid_of(&self, name: &str) -> u32 {
        let id = self.id(name);
        self.supervisor.row(id).unwrap().pid
    }

    fn id(&self, name: &str) -> ProcessId {
        *self.supervisor.members.iter().find(|(_, member)| member.config.name == name).unwrap().0
    }

    fn state(&self, name: &str) -> ProcessState {
        self.supervisor.row(self.id(name)).unwrap().state
    }

    fn call(&mut self, call: Call) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.give(Input::Call { id, call });
        id
    }

    fn reply(&self, id: CallId) -> &Outcome {
        self.replies.get(&id).expect("the call has been answered")
    }
}

fn program(name: &str) -> Arc<Group> {
    varied(name, |_| {})
}

fn varied(name: &str, vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    let mut process = samples::process(name);
    vary(&mut process);
    samples::group(name, process.priority, vec![process])
}

fn start(name: &str, wait: bool) -> Call {
    Call::StartProcess { name: name.to_owned(), wait }
}

fn stop(name: &str, wait: bool) -> Call {
    Call::StopProcess { name: name.to_owned(), wait }
}

/// `name status` of each element of a status array.
fn statuses(outcome: &Outcome) -> Vec<String> {
    let items = outcome.as_ref().unwrap().as_array().unwrap();
    let element = |item: &Value| {
        format!(
            "{} {}",
            item.member("name").unwrap().as_str().unwrap(),
            item.member("status").unwrap().as_int().unwrap()
        )
    };
    items.iter().map(element).collect()
}

fn fault(outcome: &Outcome) -> (i32, &str) {
    let fault = outcome.as_ref().unwrap_err();
    (fault.code, &fault.text)
}

#[test]
fn groups_start_in_the_order_of_priority_and_name() {
    let world = World::started(vec![
        varied("late", |process| process.priority = 1000),
        program("b"),
        program("a"),
        varied("early", |process| process.priority = 1),
        varied("manual", |process| process.autostart = false),
    ]);
    let spawned: Vec<&str> = world.log.iter().filter_map(|line| line.strip_prefix("INFO spawned: ")).collect();
    assert_eq!(spawned, ["'early' with pid 1001", "'a' with pid 1002", "'b' with pid 1003", "'late' with pid 1004"]);
    assert_eq!(world.state("manual"), ProcessState::Stopped);
}

#[test]
fn a_program_without_startsecs_runs_before_the_next_is_started() {
    let at_once = |name| varied(name, |process| process.startsecs = 0);
    let world = World::started(vec![at_once("a"), at_once("b")]);
    let starts: Vec<&str> =
        world.log.iter().filter_map(|line| line.strip_prefix("INFO s")?.split(' ').next()).collect();
    assert_eq!(starts, ["pawned:", "uccess:", "pawned:", "uccess:"]);
}

#[test]
fn shutdown_stops_one_group_after_the_other_in_reverse() {
    let mut world = World::started(vec![
        varied("first", |process| process.priority = 1),
        varied("last", |process| process.priority = 1000),
    ]);
    world.pass(2000);
    world.log.clear();
    world.give(Input::ShutdownSignal { name: "SIGTERM" });
    assert_eq!(world.state("last"), ProcessState::Stopping);
    assert_eq!(world.state("first"), ProcessState::Running, "not before the others are gone");
    world.pass(0);
    assert_eq!(
        world.log,
        [
            "WARN received SIGTERM indicating exit request",
            "DEBG killing last (pid 1002) with signal SIGTERM",
            "INFO waiting for first, last to die",
            "BLAT first state: RUNNING",
            "BLAT last state: STOPPING",
            "WARN stopped: last (terminated by SIGTERM)",
            "DEBG killing first (pid 1001) with signal SIGTERM",
            "WARN stopped: first (terminated by SIGTERM)",
        ]
    );
    assert!(matches!(world.ending, Some(Ending::Exit)));
}

#[test]
fn shutdown_waits_for_the_stubborn_and_says_so_every_three_seconds() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(Input::Started);
    world.pass(2000);
    world.give(Input::ShutdownSignal { name: "SIGTERM" });
    world.pass(9900);
    assert_eq!(world.log.iter().filter(|line| *line == "INFO waiting for p to die").count(), 4);
    assert!(world.ending.is_none());
    world.pass(200);
    assert!(world.ending.is_some());
    assert!(world.log.contains(&"WARN killing 'p' (1001) with SIGKILL".to_owned()));
}

#[test]
fn a_child_that_died_before_startsecs_has_failed_however_long_its_last_words_are_read() {
    let mut world = World::started(vec![program("p")]);
    let pid = world.pid_of("p");
    world.pass(500);
    world.children.remove(&pid);
    world.give(Input::Died { pid });
    world.pass(5_000);
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.give(Input::Exited { pid, status: ExitStatus::Code(0) });
    assert_eq!(world.state("p"), ProcessState::Backoff);
}

#[test]
fn a_second_signal_turns_a_restart_into_a_shutdown_and_a_shutdown_ignores_a_restart() {
    let mut world = World::started(vec![program("p")]);
    let config = || Ok(Box::new(samples::config(vec![program("p")])));
    world.give(Input::RestartSignal { config: config() });
    assert_eq!(world.mood, Mood::Restarting);
    world.give(Input::ShutdownSignal { name: "SIGINT" });
    world.give(Input::RestartSignal { config: config() });
    assert_eq!(world.mood, Mood::Shutdown);
    world.pass(0);
    assert!(matches!(world.ending, Some(Ending::Exit)));
}

#[test]
fn a_restart_with_a_broken_configuration_changes_nothing() {
    let mut world = World::started(vec![program("p")]);
    world.give(Input::RestartSignal { config: Err("no such thing".to_owned()) });
    assert_eq!(world.mood, Mood::Running);
    assert!(world.log.last().unwrap().starts_with("ERRO not restarting"));
}

#[test]
fn a_signal_that_may_not_be_sent_changes_nothing() {
    let mut world = World::started(vec![program("p")]);
    world.untouchable.push("p".to_owned());
    world.pass(2000);
    let call = world.call(Call::SignalProcess { name: "p".to_owned(), signal: "HUP".to_owned() });
    assert_eq!(fault(world.reply(call)).0, FaultCode::Failed as i32);
    assert_eq!(world.state("p"), ProcessState::Running);
    let call = world.call(stop("p", true));
    assert_eq!(fault(world.reply(call)).0, FaultCode::Failed as i32);
    assert_eq!(world.state("p"), ProcessState::Unknown, "whether it will stop is not known");
    world.end(world.pid_of("p"), ExitStatus::Code(0));
    assert_eq!(world.state("p"), ProcessState::Exited);
}

#[test]
fn a_start_that_waits_is_answered_when_the_program_runs() {
    let mut world = World::started(vec![varied("p", |process| process.autostart = false)]);
    let waiting = world.call(start("p", true));
    let quick = world.call(start("p", false));
    assert!(!world.replies.contains_key(&waiting));
    assert_eq!(fault(world.reply(quick)), (60, "ALREADY_STARTED: p"));
    world.pass(1000);
    assert_eq!(world.reply(waiting), &Ok(Value::Bool(true)));
}

#[test]
fn a_start_that_fails_says_how() {
    let mut world = World::started(vec![varied("p", |process| process.autostart = false)]);
    let waiting = world.call(start("p", true));
    world.end(world.pid_of("p"), ExitStatus::Code(1));
    assert_eq!(fault(world.reply(waiting)), (50, "SPAWN_ERROR: p"));

    let unknown = world.call(start("nobody", true));
    assert_eq!(fault(world.reply(unknown)), (10, "BAD_NAME: nobody"));

    world.call(stop("p", true));
    world.missing.push("p".to_owned());
    let missing = world.call(start("p", true));
    assert_eq!(fault(world.reply(missing)), (20, "NO_FILE: can't find command 'x'"));
    assert_eq!(world.state("p"), ProcessState::Stopped, "the check comes before everything else");
}

#[test]
fn nothing_is_started_while_it_is_still_stopping() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(Input::Started);
    world.pass(2000);
    world.call(stop("p", false));
    let call = world.call(start("p", false));
    assert_eq!(fault(world.reply(call)), (40, "ABNORMAL_TERMINATION: p"));
}

#[test]
fn a_stop_that_waits_is_answered_when_the_child_is_gone() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(Input::Started);
    world.pass(2000);
    let waiting = world.call(stop("p", true));
    let again = world.call(stop("p", true));
    assert_eq!(fault(world.reply(again)), (70, "NOT_RUNNING: p"));
    world.pass(9000);
    assert!(!world.replies.contains_key(&waiting));
    assert_eq!(world.log.iter().filter(|line| *line == "INFO waiting for p to stop").count(), 5);
    world.pass(1000);
    assert_eq!(world.reply(waiting), &Ok(Value::Bool(true)));
}

#[test]
fn a_group_is_answered_with_one_status_for_each_process_that_was_concerned() {
    let group = samples::group("g", 5, vec![samples::process("a"), samples::process("b")]);
    let mut world = World::new(vec![group]);
    world.missing.push("b".to_owned());
    world.give(Input::Started);
    world.pass(100_000);
    let started = world.call(start("g:*", true));
    assert_eq!(statuses(world.reply(started)), ["b 20"], "a runs already");
    let stopped = world.call(Call::StopProcessGroup { group: "g".to_owned(), wait: true });
    world.pass(0);
    assert_eq!(statuses(world.reply(stopped)), ["a 80"]);
    let again = world.call(Call::StopAllProcesses { wait: true });
    assert_eq!(world.reply(again), &Ok(Value::Array(Vec::new())));
}

#[test]
fn groups_come_and_go() {
    let mut world = World::started(vec![program("a"), program("b")]);
    world.pass(2000);
    let changed = varied("b", |process| process.startsecs = 7);
    let config = Box::new(samples::config(vec![program("c"), changed]));
    let reload = world.call(Call::ReloadConfig { config });
    let lists =
        |names: [&str; 3]| Value::Array(vec![Value::Array(names.map(|name| Value::Array(vec![name.into()])).to_vec())]);
    assert_eq!(world.reply(reload), &Ok(lists(["c", "b", "a"])));

    let group = |name: &str| name.to_owned();
    let early = world.call(Call::RemoveProcessGroup { group: group("a") });
    assert_eq!(fault(world.reply(early)), (91, "STILL_RUNNING: a"));
    let twice = world.call(Call::AddProcessGroup { group: group("b") });
    assert_eq!(fault(world.reply(twice)), (90, "ALREADY_ADDED: b"));
    world.call(stop("a", true));
    world.pass(0);
    let removed = world.call(Call::RemoveProcessGroup { group: group("a") });
    assert_eq!(world.reply(removed), &Ok(Value::Bool(true)));
    let added = world.call(Call::AddProcessGroup { group: group("c") });
    assert_eq!(world.reply(added), &Ok(Value::Bool(true)));
    assert_eq!(world.state("c"), ProcessState::Starting);
}

#[test]
fn clearing_the_activity_log_is_answered_when_it_has_been_tried() {
    let mut world = World::started(vec![program("p")]);
    world.cannot_clear = true;
    let cleared = world.call(Call::ClearLog);
    assert_eq!(world.reply(cleared).as_ref().unwrap_err().code, FaultCode::NoFile.code());
}

#[test]
fn nothing_but_remote_events_is_accepted_during_a_shutdown() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(Input::Started);
    let end = world.call(Call::Shutdown);
    assert_eq!(world.reply(end), &Ok(Value::Bool(true)));
    let late = world.call(start("p", true));
    assert_eq!(world.reply(late).as_ref().unwrap_err().code, FaultCode::ShutdownState.code());
    let event = world.call(Call::SendRemoteCommEvent { kind: "a".to_owned(), data: "b".to_owned() });
    assert_eq!(world.reply(event), &Ok(Value::Bool(true)));
}

#[test]
fn a_listener_gets_events_one_by_one_and_refused_ones_again() {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    let listener = world.id("pool");
    let pid = world.pid_of("pool");
    let event = |data: &str| Call::SendRemoteCommEvent { kind: "t".to_owned(), data: data.to_owned() };
    world.call(event("one"));
    world.call(event("two"));
    let say = |world: &mut World, bytes: &[u8]| {
        world.give(Input::ListenerOutput { process: listener, bytes: bytes.to_vec() });
    };
    let heard = |world: &mut World| {
        String::from_utf8(std::mem::take(&mut world.children.get_mut(&pid).unwrap().heard)).unwrap()
    };
    say(&mut world, b"READY\n");
    let first =
        "ver:3.0 server:supervisor serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:10\ntype:t\none";
    assert_eq!(heard(&mut world), first);
    say(&mut world, b"RESULT 4\nFAILREADY\n");
    assert_eq!(heard(&mut world), first, "refused once, it is offered again at once");
    say(&mut world, b"RESULT 2\nOK");
    assert_eq!(heard(&mut world), "");
    say(&mut world, b"READY\n");
    assert!(heard(&mut world).starts_with("ver:3.0 server:supervisor serial:1 pool:pool poolserial:1 "));
}

/// A pool whose results are judged by Python code, with one listener that has one event and answered it.
fn judged_world() -> (World, ProcessId) {
    let mut group = Group::clone(&samples::pool("pool", &["REMOTE_COMMUNICATION"], 10));
    if let GroupKind::Listeners(pool) = &mut group.kind {
        pool.result_handler = "some:handler".to_owned();
    }
    let mut world = World::started(vec![Arc::new(group)]);
    let listener = world.id("pool");
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "one".to_owned() });
    for bytes in [&b"READY\n"[..], b"RESULT 2\nXXREADY\n"] {
        world.give(Input::ListenerOutput { process: listener, bytes: bytes.to_vec() });
    }
    assert_eq!(world.judgements, [(listener, 0, "some:handler".to_owned(), b"XX".to_vec())]);
    (world, listener)
}

impl World {
    fn heard_events(&self) -> usize {
        let heard = |child: &Child| String::from_utf8_lossy(&child.heard).matches("eventname:").count();
        self.children.values().map(heard).sum()
    }
}

#[test]
fn a_listener_is_busy_until_python_code_has_judged() {
    let (mut world, process) = judged_world();
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "two".to_owned() });
    assert_eq!(world.heard_events(), 1);
    world.give(Input::Judged { process, judgement: 7, verdict: Verdict::Accepted });
    assert_eq!(world.heard_events(), 1, "that was no judgement of this result");
    world.give(Input::Judged { process, judgement: 0, verdict: Verdict::Accepted });
    assert_eq!(world.heard_events(), 2, "it had said already that it wants the next one");
}

#[test]
fn what_is_rejected_or_lost_comes_again_and_a_failed_handler_ends_the_conversation() {
    for verdict in [Verdict::Rejected, Verdict::Lost] {
        let (mut world, process) = judged_world();
        world.give(Input::Judged { process, judgement: 0, verdict });
        assert_eq!(world.heard_events(), 2);
    }
    let (mut world, process) = judged_world();
    world.give(Input::Judged { process, judgement: 0, verdict: Verdict::Failed });
    assert_eq!(world.heard_events(), 1);
    assert!(world.log.contains(&"WARN pool: event caused an error".to_owned()), "{:?}", world.log);
}

#[test]
fn a_judgement_of_a_dead_listener_changes_nothing() {
    let (mut world, process) = judged_world();
    let pid = world.pid_of("pool");
    world.end(pid, ExitStatus::Code(1));
    world.pass(2000);
    for bytes in [&b"READY\n"[..], b"RESULT 2\nYY"] {
        world.give(Input::ListenerOutput { process, bytes: bytes.to_vec() });
    }
    world.give(Input::Judged { process, judgement: 0, verdict: Verdict::Failed });
    assert!(!world.log.iter().any(|line| line.contains("caused an error")), "{:?}", world.log);
    assert_eq!(world.judgements.last().map(|judgement| judgement.1), Some(1));
}

#[test]
fn plug_ins_hear_what_they_subscribed_to_and_use_no_numbers() {
    let mut world = World::new(vec![program("p"), samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    world.give(Input::Subscribed { kinds: vec![EventType::ProcessState] });
    world.give(Input::Started);
    let serial = world.supervisor.next_serial();
    assert!(world.announced.contains(&"processname:p groupname:p from_state:STOPPED tries:0".to_owned()));
    world.give(Input::Subscribed { kinds: Vec::new() });
    let before = world.announced.len();
    world.call(stop("p", false));
    assert_eq!((world.announced.len(), world.supervisor.next_serial()), (before, serial));
}

#[test]
fn plug_ins_change_the_members_of_a_group() {
    let mut world = World::started(vec![program("p")]);
    let process = samples::process("more");
    let enlist = || Call::EnlistProcess { group: "p".to_owned(), process: Box::new(process.clone()) };
    let call = world.call(enlist());
    assert_eq!(world.reply(call), &Ok(Value::Bool(true)));
    let again = world.call(enlist());
    assert_eq!(fault(world.reply(again)), (10, "BAD_NAME: more"));
    let begin = world.call(start("p:more", false));
    assert_eq!(world.reply(begin), &Ok(Value::Bool(true)));
    let discharge = || Call::DischargeProcess { group: "p".to_owned(), process: "more".to_owned() };
    let busy = world.call(discharge());
    assert_eq!(fault(world.reply(busy)), (91, "STILL_RUNNING: more"));
    world.call(stop("p:more", true));
    world.pass(1000);
    let gone = world.call(discharge());
    assert_eq!(world.reply(gone), &Ok(Value::Bool(true)));
    let unknown = world.call(start("p:more", false));
    assert_eq!(fault(world.reply(unknown)), (10, "BAD_NAME: p:more"));
}

#[test]
fn an_event_a_dead_listener_worked_on_goes_to_its_successor() {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    let listener = world.id("pool");
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "one".to_owned() });
    world.give(Input::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    world.end(world.pid_of("pool"), ExitStatus::Code(1));
    let successor = world.pid_of("pool");
    world.give(Input::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    assert!(String::from_utf8_lossy(&world.children[&successor].heard).contains("serial:0 "));
}

#[test]
fn a_listener_whose_last_words_died_with_the_daemon_is_asked_again() {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    let listener = world.id("pool");
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "one".to_owned() });
    world.give(Input::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    world.children.values_mut().next().unwrap().heard.clear();
    world.supervisor.doubt_listeners(world.now);
    world.pass(9_000);
    assert!(world.children.values().next().unwrap().heard.is_empty(), "it may still be at work");
    world.pass(2_000);
    assert!(String::from_utf8_lossy(&world.children.values().next().unwrap().heard).contains("serial:0 "));
}

#[test]
fn a_full_pool_drops_the_oldest_event_and_says_so() {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 2)]);
    for data in ["a", "b", "c"] {
        world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: data.to_owned() });
    }
    assert_eq!(world.log.last().unwrap(), "ERRO pool pool event buffer overflowed, discarding event 0");
}

#[test]
fn a_listener_that_breaks_the_protocol_is_replaced() {
    let mut world = World::started(vec![samples::pool("pool", &["TICK_5"], 10)]);
    let (listener, pid) = (world.id("pool"), world.pid_of("pool"));
    world.give(Input::ListenerOutput { process: listener, bytes: b"nonsense\n".to_vec() });
    assert!(world.log.iter().any(|line| line.contains("has entered the UNKNOWN state")));
    world.pass(1500);
    assert_eq!(world.state("pool"), ProcessState::Running);
    assert_ne!(world.pid_of("pool"), pid);
}

#[test]
fn only_wanted_ticks_wake_the_supervisor() {
    let world = World::started(vec![varied("p", |process| process.autostart = false)]);
    assert_eq!(world.supervisor.next_deadline(world.now), None);
    let mut world = World::started(vec![samples::pool("pool", &["TICK_5"], 10)]);
    let listener = world.id("pool");
    world.give(Input::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    world.pass(3000);
    let heard = world.children.values().next().unwrap().heard.clone();
    assert!(String::from_utf8(heard).unwrap().ends_with("eventname:TICK_5 len:12\nwhen:1000005"));
}

/// What may happen in a world.
#[derive(Clone, Debug)]
enum Step {
    Start(usize, bool),
    Stop(usize, bool),
    StopAll,
    StartAll,
    Die(usize, i32),
    Break(usize),
    Mend,
    Say(&'static [u8]),
    Event,
    Pass(u64),
    Reload(bool),
    Remove(usize),
    Add(usize),
}

const NAMES: [&str; 4] = ["a", "b", "c", "pool"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_usize, any::<bool>()).prop_map(|(index, wait)| Step::Start(index, wait)),
        (0..4_usize, any::<bool>()).prop_map(|(index, wait)| Step::Stop(index, wait)),
        Just(Step::StopAll),
        Just(Step::StartAll),
        (0..4_usize, 0..2).prop_map(|(index, code)| Step::Die(index, code)),
        (0..4_usize).prop_map(Step::Break),
        Just(Step::Mend),
        prop_oneof![
            Just(&b"READY\n"[..]),
            Just(&b"RESULT 2\nOK"[..]),
            Just(&b"RESULT 4\nFAIL"[..]),
            Just(&b"junk in any length\n"[..])
        ]
        .prop_map(Step::Say),
        Just(Step::Event),
        (0..5000_u64).prop_map(Step::Pass),
        any::<bool>().prop_map(Step::Reload),
        (0..4_usize).prop_map(Step::Remove),
        (0..4_usize).prop_map(Step::Add),
    ]
}

fn population(variant: bool) -> Vec<Arc<Group>> {
    vec![
        varied("a", |process| process.autorestart = AutoRestart::Always),
        varied("b", |process| process.startsecs = if variant { 2 } else { 0 }),
        varied("c", |process| process.startretries = 1),
        samples::pool("pool", &["EVENT"], 3),
    ]
}

impl World {
    fn step(&mut self, step: Step) {
        let name = |index: usize| NAMES[index].to_owned();
        match step {
            Step::Start(index, wait) => drop(self.call(start(NAMES[index], wait))),
            Step::Stop(index, wait) => drop(self.call(stop(NAMES[index], wait))),
            Step::StopAll => drop(self.call(Call::StopAllProcesses { wait: true })),
            Step::StartAll => drop(self.call(Call::StartAllProcesses { wait: true })),
            Step::Die(index, code) => {
                if let Some(pid) = self.children.keys().copied().nth(index) {
                    self.end(pid, ExitStatus::Code(code));
                }
            }
            Step::Break(index) => self.missing.push(name(index)),
            Step::Mend => self.missing.clear(),
            Step::Say(bytes) => {
                let listener =
                    self.children.values().map(|child| child.process).find(|id| self.supervisor.is_listener(*id));
                if let Some(process) = listener {
                    self.give(Input::ListenerOutput { process, bytes: bytes.to_vec() });
                }
            }
            Step::Event => {
                self.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "d".to_owned() });
            }
            Step::Pass(millis) => self.pass(millis),
            Step::Reload(variant) => {
                let config = Box::new(samples::config(population(variant)));
                self.call(Call::ReloadConfig { config });
            }
            Step::Remove(index) => drop(self.call(Call::RemoveProcessGroup { group: name(index) })),
            Step::Add(index) => drop(self.call(Call::AddProcessGroup { group: name(index) })),
        }
    }
}

proptest! {
    #[test]
    fn any_world_comes_to_rest_and_answers_every_call(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::started(population(false));
        for step in steps {
            world.step(step);
        }
        world.pass(200_000);
        prop_assert_eq!(world.replies.len() as u64, world.next_call, "every call has one reply");
        prop_assert!(world.supervisor.jobs.is_empty());
        world.give(Input::ShutdownSignal { name: "SIGTERM" });
        world.pass(30_000);
        prop_assert!(world.ending.is_some(), "a shutdown ends when children obey KILL");
        prop_assert!(world.children.is_empty());
    }
}
