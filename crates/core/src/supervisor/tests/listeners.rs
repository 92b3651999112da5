//! Events on their way to listeners, and what becomes of the results.

use super::*;

#[test]
fn a_listener_gets_events_one_by_one_and_refused_ones_again() {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    let listener = world.id("pool");
    let pid = world.pid_of("pool");
    let event = |data: &str| Call::SendRemoteCommEvent { kind: "t".to_owned(), data: data.to_owned() };
    world.call(event("one"));
    world.call(event("two"));
    let say = |world: &mut World, bytes: &[u8]| {
        world.give(SupervisorInput::ListenerOutput { process: listener, bytes: bytes.to_vec() });
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
    // Not for the second event, which only waited while the listener was busy.
    let back: Vec<&String> = world.log.iter().filter(|line| line.contains("rebuffering")).collect();
    assert_eq!(back, ["DEBG rebuffering event 0 for pool pool (buf size=1, max=10)"]);
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
        world.give(SupervisorInput::ListenerOutput { process: listener, bytes: bytes.to_vec() });
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
fn a_listener_is_busy_until_its_result_handler_answers() {
    let (mut world, process) = judged_world();
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "two".to_owned() });
    assert_eq!(world.heard_events(), 1);
    world.give(SupervisorInput::Judged { process, judgement: 7, verdict: HandlerVerdict::Accepted });
    assert_eq!(world.heard_events(), 1, "that was no judgement of this result");
    world.give(SupervisorInput::Judged { process, judgement: 0, verdict: HandlerVerdict::Accepted });
    assert_eq!(world.heard_events(), 2, "it had said already that it wants the next one");
}

#[test]
fn what_is_rejected_or_lost_comes_again_and_a_failed_handler_ends_the_conversation() {
    for verdict in [HandlerVerdict::Rejected, HandlerVerdict::Lost] {
        let (mut world, process) = judged_world();
        world.give(SupervisorInput::Judged { process, judgement: 0, verdict });
        assert_eq!(world.heard_events(), 2);
    }
    let (mut world, process) = judged_world();
    world.give(SupervisorInput::Judged { process, judgement: 0, verdict: HandlerVerdict::Failed });
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
        world.give(SupervisorInput::ListenerOutput { process, bytes: bytes.to_vec() });
    }
    world.give(SupervisorInput::Judged { process, judgement: 0, verdict: HandlerVerdict::Failed });
    assert!(!world.log.iter().any(|line| line.contains("caused an error")), "{:?}", world.log);
    assert_eq!(world.judgements.last().map(|judgement| judgement.1), Some(1));
}

#[test]
fn an_event_a_dead_listener_worked_on_goes_to_its_successor() {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    let listener = world.id("pool");
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "one".to_owned() });
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    world.end(world.pid_of("pool"), ExitStatus::Code(1));
    let successor = world.pid_of("pool");
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    assert!(String::from_utf8_lossy(&world.children[&successor].heard).contains("serial:0 "));
}

/// A listener that was READY and was sent the first of these events by a daemon that was then killed, so that it is
/// unknown whether it has processed the event.
fn taken_over(events: &[&str]) -> (World, ProcessId) {
    let mut world = World::started(vec![samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    let listener = world.id("pool");
    for data in events {
        world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: (*data).to_owned() });
    }
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    world.children.values_mut().next().unwrap().heard.clear();
    world.supervisor.mark_listeners_uncertain(world.now);
    (world, listener)
}

#[test]
fn an_event_whose_answer_died_with_the_daemon_is_sent_again() {
    let (mut world, _) = taken_over(&["one"]);
    world.pass(9_000);
    assert!(world.children.values().next().unwrap().heard.is_empty(), "it may still be at work");
    world.pass(2_000);
    assert!(String::from_utf8_lossy(&world.children.values().next().unwrap().heard).contains("serial:0 "));
}

#[test]
fn an_answer_to_an_unknown_event_is_no_violation_after_a_take_over() {
    for answer in ["RESULT 2\nOKREADY\n", "RESULT 4\nFAILREADY\n"] {
        let (mut world, listener) = taken_over(&[]);
        world.give(SupervisorInput::ListenerOutput { process: listener, bytes: answer.into() });
        world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "one".to_owned() });
        let heard = String::from_utf8_lossy(&world.children.values().next().unwrap().heard).into_owned();
        assert!(heard.contains("serial:0 "), "{answer}: {heard}");
        assert!(!world.log.iter().any(|line| line.contains("UNKNOWN")), "{:?}", world.log);
    }
}

#[test]
fn only_one_violation_is_ignored_after_a_take_over() {
    let (mut world, listener) = taken_over(&[]);
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"nonsense\n".to_vec() });
    world.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "one".to_owned() });
    world.pass(11_000);
    assert!(String::from_utf8_lossy(&world.children.values().next().unwrap().heard).contains("serial:0 "));
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"nonsense\n".to_vec() });
    assert!(world.log.iter().any(|line| line.contains("has entered the UNKNOWN state")), "{:?}", world.log);
}

#[test]
fn a_taken_over_listener_that_keeps_violating_the_protocol_is_replaced() {
    let (mut world, listener) = taken_over(&[]);
    for _ in 0..4 {
        world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"heartbeat\n".to_vec() });
        world.pass(5_000);
    }
    assert!(world.log.iter().any(|line| line.contains("has entered the UNKNOWN state")), "{:?}", world.log);
}

#[test]
fn an_event_with_an_unknown_result_is_sent_again_after_a_take_over() {
    for (rest, offers) in [("LREADY\n", 1), ("READY\n", 1), ("OKREADY\n", 0)] {
        let (mut world, listener) = taken_over(&["one"]);
        world.give(SupervisorInput::ListenerOutput { process: listener, bytes: rest.into() });
        world.pass(5_000);
        assert_eq!(world.heard_events(), offers, "{rest}");
    }
}

#[test]
fn a_full_pool_drops_and_logs_the_oldest_event() {
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
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"nonsense\n".to_vec() });
    assert!(world.log.iter().any(|line| line.contains("has entered the UNKNOWN state")));
    world.pass(1500);
    assert_eq!(world.state("pool"), ProcessState::Running);
    assert_ne!(world.pid_of("pool"), pid);
}

#[test]
fn only_wanted_ticks_wake_the_supervisor() {
    let world = World::started(vec![varied("p", |process| process.start.autostart = false)]);
    assert_eq!(world.supervisor.next_deadline(world.now), None);
    let mut world = World::started(vec![samples::pool("pool", &["TICK_5"], 10)]);
    let listener = world.id("pool");
    world.give(SupervisorInput::ListenerOutput { process: listener, bytes: b"READY\n".to_vec() });
    world.pass(3000);
    let heard = world.children.values().next().unwrap().heard.clone();
    assert!(String::from_utf8(heard).unwrap().ends_with("eventname:TICK_5 len:12\nwhen:1000005"));
}
