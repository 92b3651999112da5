//! Shutdown and restart of the supervisor.

use super::*;

#[test]
fn shutdown_stops_one_group_after_the_other_in_reverse() {
    let mut world = World::started(vec![
        varied("first", |process| process.identity.priority = 1),
        varied("last", |process| process.identity.priority = 1000),
    ]);
    world.pass(2000);
    world.log.clear();
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
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
    assert!(matches!(world.ending, Some(Ending::Exit(0))));
}

#[test]
fn shutdown_logs_remaining_processes_every_three_seconds() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(2000);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.pass(9900);
    assert_eq!(world.log.iter().filter(|line| *line == "INFO waiting for p to die").count(), 4);
    assert!(world.ending.is_none());
    world.pass(200);
    assert!(world.ending.is_some());
    assert!(world.log.contains(&"WARN killing 'p' (1001) with SIGKILL".to_owned()));
}

#[test]
fn a_second_signal_turns_a_restart_into_a_shutdown_and_a_shutdown_ignores_a_restart() {
    let mut world = World::started(vec![program("p")]);
    let config = || Ok(Box::new(samples::config(vec![program("p")])));
    world.give(SupervisorInput::RestartSignal { config: config() });
    assert_eq!(world.mood, Mood::Restarting);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGINT" });
    world.give(SupervisorInput::RestartSignal { config: config() });
    assert_eq!(world.mood, Mood::Shutdown);
    world.pass(0);
    assert!(matches!(world.ending, Some(Ending::Exit(0))));
}

#[test]
fn a_restart_with_a_broken_configuration_changes_nothing() {
    let mut world = World::started(vec![program("p")]);
    world.give(SupervisorInput::RestartSignal { config: Err("no such thing".to_owned()) });
    assert_eq!(world.mood, Mood::Running);
    assert!(world.log.last().unwrap().starts_with("ERRO not restarting"));
}

#[test]
fn nothing_but_remote_events_is_accepted_during_a_shutdown() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn.push("p".to_owned());
    world.give(SupervisorInput::Started);
    let end = world.call(Call::Shutdown);
    assert_eq!(world.reply(end), &Ok(Answer::Done));
    let late = world.call(start("p", true));
    assert_eq!(world.reply(late), &Err(Refusal::new(Reason::ShuttingDown)));
    let event = world.call(Call::SendRemoteCommEvent { kind: "a".to_owned(), data: "b".to_owned() });
    assert_eq!(world.reply(event), &Ok(Answer::Done));
}

#[test]
fn a_listener_may_process_its_last_event_before_it_is_stopped() {
    for answers in [true, false] {
        let pool = samples::pool("pool", &["SUPERVISOR_STATE_CHANGE"], 10);
        let mut world = World::started(vec![pool, program("p")]);
        world.pass(2000);
        let listener = world.id("pool");
        let say = |world: &mut World, bytes: &[u8]| {
            world.give(SupervisorInput::ListenerOutput { process: listener, bytes: bytes.to_vec() });
        };
        // It processes the event of the start first.
        say(&mut world, b"READY\n");
        say(&mut world, b"RESULT 2\nOKREADY\n");
        world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
        world.pass(900);
        assert_eq!(world.state("pool"), ProcessState::Running, "{:?}", world.log);
        assert!(world.ending.is_none());
        match answers {
            true => say(&mut world, b"RESULT 2\nOK"),
            false => world.pass(200),
        }
        world.pass(0);
        assert!(world.ending.is_some(), "{:?}", world.log);
    }
}

#[test]
fn a_shutdown_before_the_start_starts_no_programs() {
    let mut world = World::new(vec![program("p")]);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.give(SupervisorInput::Started);
    assert!(matches!(world.ending, Some(Ending::Exit(0))));
    assert_eq!(world.supervisor.row(world.id("p")).unwrap().start, 0);
}

#[test]
fn a_shutdown_signal_turns_a_completed_restart_into_a_shutdown() {
    let mut world = World::started(vec![program("p")]);
    world.give(SupervisorInput::RestartSignal { config: Ok(Box::new(samples::config(vec![program("p")]))) });
    world.pass(100);
    assert!(matches!(world.ending.take(), Some(Ending::Restart(_))));
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    assert!(matches!(world.ending, Some(Ending::Exit(0))));
}
