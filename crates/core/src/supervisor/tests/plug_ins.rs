//! Plug-ins: their events, and their changes of groups.

use super::*;

#[test]
fn plug_ins_get_subscribed_events_without_serial_numbers() {
    let mut world = World::new(vec![program("p"), samples::pool("pool", &["REMOTE_COMMUNICATION"], 10)]);
    world.give(SupervisorInput::Subscribed { kinds: vec![EventType::ProcessState] });
    world.give(SupervisorInput::Started);
    let serial = world.supervisor.next_serial();
    assert!(world.announced.contains(&"processname:p groupname:p from_state:STOPPED tries:0".to_owned()));
    world.give(SupervisorInput::Subscribed { kinds: Vec::new() });
    let before = world.announced.len();
    world.call(stop("p", false));
    assert_eq!((world.announced.len(), world.supervisor.next_serial()), (before, serial));
}

#[test]
fn plug_ins_change_the_members_of_a_group() {
    let mut world = World::started(vec![program("p")]);
    let process = samples::process("more");
    let register = || Call::RegisterProcess { group: "p".to_owned(), process: Box::new(process.clone()) };
    let call = world.call(register());
    assert_eq!(world.reply(call), &Ok(Answer::Done));
    let again = world.call(register());
    assert_eq!(world.reply(again), &refused(Reason::UnknownName, "more"));
    let begin = world.call(start("p:more", false));
    assert_eq!(world.reply(begin), &Ok(Answer::Done));
    let unregister = || Call::UnregisterProcess { group: "p".to_owned(), process: "more".to_owned() };
    let busy = world.call(unregister());
    assert_eq!(world.reply(busy), &refused(Reason::StillRunning, "more"));
    world.call(stop("p:more", true));
    world.pass(1000);
    let gone = world.call(unregister());
    assert_eq!(world.reply(gone), &Ok(Answer::Done));
    let unknown = world.call(start("p:more", false));
    assert_eq!(world.reply(unknown), &refused(Reason::UnknownName, "p:more"));
}
