//! Programs that say when they are ready, or are asked.

use supervisord_config::probe::Probe;
use supervisord_config::readiness::ReadyWhen;

use super::*;
use crate::notification::Notification;

fn probed(name: &str, vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    varied(name, |process| {
        process.start.startsecs = 0;
        process.readiness.ready_when = Some(ReadyWhen::Probe(Probe::parse("tcp:localhost:1").unwrap().into()));
        vary(process);
    })
}

fn refusal() -> Result<(), String> {
    Err("connection refused".to_owned())
}

fn trouble(world: &World, name: &str) -> Option<String> {
    world.supervisor.row(world.id(name)).unwrap().ready_trouble
}

#[test]
fn a_program_is_probed_until_it_is_ready() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(0);
    assert_eq!(world.probes.len(), 1, "at once");
    world.pass(5000);
    assert_eq!(world.probes.len(), 1, "one at a time");
    world.answer_probes(&refusal());
    assert_eq!((world.probes.len(), trouble(&world, "p").as_deref()), (0, Some("connection refused")));
    world.pass(49);
    assert_eq!(world.probes.len(), 0);
    world.pass(1);
    assert_eq!(world.probes.len(), 1, "a hundredth of the time waited later");
    world.answer_probes(&Ok(()));
    assert_eq!((world.state("p"), trouble(&world, "p")), (ProcessState::Running, None));
    world.pass(1_000_000);
    assert_eq!(
        (world.probes.len(), world.supervisor.next_deadline(world.now)),
        (0, None),
        "nothing is left to be done"
    );
}

#[test]
fn the_last_failure_says_why_it_was_not_ready_in_time() {
    let mut world = World::started(vec![probed("p", |process| process.start.startretries = 0)]);
    world.pass(0);
    world.answer_probes(&refusal());
    world.pass(90_000);
    assert_eq!(world.state("p"), ProcessState::Fatal);
    let row = world.supervisor.row(world.id("p")).unwrap();
    assert_eq!(row.spawnerr, "Not ready within 90s (tcp:localhost:1: connection refused)");
    // The answer comes when nobody waits for it any more.
    world.answer_probes(&Ok(()));
    assert_eq!((world.state("p"), world.probes.len()), (ProcessState::Fatal, 0));
}

#[test]
fn an_answer_about_the_child_before_says_nothing() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(0);
    let early = world.probes.clone();
    let pid = world.pid_of("p");
    world.end(pid, ExitStatus::Code(1));
    world.pass(1000);
    assert_eq!((world.state("p"), world.probes.len()), (ProcessState::Starting, 2));
    let late = std::mem::replace(&mut world.probes, early);
    world.probes.truncate(1);
    world.answer_probes(&Ok(()));
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.probes = late;
    world.answer_probes(&Ok(()));
    assert_eq!(world.state("p"), ProcessState::Running);
}

#[test]
fn an_answer_about_a_child_that_has_died_says_nothing() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(0);
    let pid = world.pid_of("p");
    world.die(pid, ExitStatus::Code(1));
    world.answer_probes(&Ok(()));
    world.pass(0);
    assert_eq!(world.state("p"), ProcessState::Backoff);
}

#[test]
fn probes_begin_anew_with_the_next_daemon_and_the_deadline_stays() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(60_000);
    world.probes.clear();
    world.hand_over();
    world.pass(0);
    assert_eq!((world.state("p"), world.probes.len()), (ProcessState::Starting, 1));
    world.pass(29_999);
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.pass(1);
    assert_eq!(world.pid_of("p"), 0, "it has been stopped");
}

#[test]
fn a_call_for_a_start_waits_until_it_is_ready_or_cannot_be() {
    let mut world = World::started(vec![
        probed("a", |process| process.start.autostart = false),
        probed("b", |process| process.start.autostart = false),
    ]);
    let (a, b) = (world.call(start("a", true)), world.call(start("b", true)));
    world.pass(0);
    world.probes.truncate(1);
    world.pass(20_000);
    assert!(world.replies.is_empty());
    world.answer_probes(&Ok(()));
    assert_eq!(world.reply(a), &Ok(Answer::Done));
    world.pass(70_000);
    assert_eq!(world.reply(b), &refused(Reason::AbnormalTermination, "b: not ready within 90s (tcp:localhost:1)"));
}

#[test]
fn a_call_for_a_start_that_is_stopped_says_how_far_it_had_got() {
    let mut world = World::started(vec![
        probed("a", |process| process.start.autostart = false),
        varied("b", |process| process.start.autostart = false),
    ]);
    for (name, reason) in [("a", "a: stopped before it was ready"), ("b", "b")] {
        let started = world.call(start(name, true));
        world.pass(100);
        world.call(stop(name, true));
        assert_eq!(
            world.reply(started),
            &refused(Reason::AbnormalTermination, reason),
            "as the original says it of others"
        );
    }
}

#[test]
fn what_depends_on_it_starts_when_it_is_ready() {
    let mut world = World::started(vec![
        probed("db", |_| {}),
        varied("web", |process| {
            process.order.depends_on = vec![order::on("db", Some("db"), DependencyCondition::Ready)];
        }),
        varied("watcher", |process| {
            process.order.depends_on = vec![order::on("db", Some("db"), DependencyCondition::Started)];
        }),
    ]);
    world.pass(3000);
    assert_eq!((world.pid_of("web"), world.state("watcher")), (0, ProcessState::Running));
    world.answer_probes(&Ok(()));
    assert!(world.pid_of("web") != 0);
}

#[test]
fn a_program_cannot_flood_the_log_with_its_main_process() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    let run = world.children[&world.pid_of("p")].run;
    for other in 1..=100 {
        let notification = Notification { main_pid: Some(other), ..Notification::default() };
        world.give(SupervisorInput::Notified { run, notification });
    }
    let lines: Vec<_> = world.log.iter().filter(|line| line.contains("says that its main process is")).collect();
    assert_eq!(lines.len(), 7, "the 1st, 2nd, 4th, 8th and so on: {lines:?}");
    assert!(lines[6].ends_with("goes on to be supervised (64 so far)"), "{}", lines[6]);
}
