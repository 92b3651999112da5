//! What is kept of the ends of children, and of who asked for what.

use super::*;
use supervisord_config::dependency::Dependency;

use crate::last_request::RequestedAction;
use crate::process::{EndJudgement, EndTraces, LastEnd, MemoryKills};

fn said(output: &str) -> EndTraces {
    EndTraces { output: output.to_owned(), kills: None }
}

fn last_end(world: &World, name: &str) -> LastEnd {
    let row = world.supervisor.row(world.id(name)).unwrap();
    LastEnd::clone(&row.last_end.expect("it has ended"))
}

/// The process, by name, ends so after it has said something.
fn end_with(world: &mut World, name: &str, status: ExitStatus, traces: EndTraces) -> RunId {
    let pid = world.pid_of(name);
    let run = world.children[&pid].run;
    world.give(SupervisorInput::Traces { run, traces });
    world.end(pid, status);
    run
}

#[test]
fn the_last_end_is_kept_with_its_traces_through_the_next_start() {
    let mut world = World::started(vec![varied("p", |process| process.restart.autorestart = AutoRestart::Always)]);
    world.pass(5_000);
    end_with(&mut world, "p", ExitStatus::Code(3), said("no data"));
    assert_eq!(world.state("p"), ProcessState::Starting, "it has been started again");
    let LastEnd { status, judgement, lived, traces, .. } = last_end(&world, "p");
    assert_eq!((status, judgement), (ExitStatus::Code(3), EndJudgement::Unexpected));
    assert_eq!((lived, traces), (Duration::from_secs(5), said("no data")));
    world.pass(100);
    end_with(&mut world, "p", ExitStatus::Code(0), EndTraces::default());
    let LastEnd { status, judgement, traces, .. } = last_end(&world, "p");
    assert_eq!((status, judgement, traces), (ExitStatus::Code(0), EndJudgement::TooQuick, EndTraces::default()));
}

#[test]
fn what_was_read_too_late_belongs_to_its_run_only() {
    let mut world = World::started(vec![varied("p", |process| process.restart.autorestart = AutoRestart::Always)]);
    world.pass(5_000);
    let kills = Some(MemoryKills { since: 1, in_cgroup: None, on_machine: Some(1) });
    let killed = ExitStatus::Signal { number: 9, core_dumped: false };
    let first = end_with(&mut world, "p", killed, EndTraces { output: String::new(), kills });
    world.pass(5_000);
    world.give(SupervisorInput::Traces { run: first, traces: said("late") });
    assert_eq!(last_end(&world, "p").traces, EndTraces { output: "late".to_owned(), kills });
    end_with(&mut world, "p", ExitStatus::Code(1), said("second"));
    world.give(SupervisorInput::Traces { run: first, traces: said("much too late") });
    assert_eq!(last_end(&world, "p").traces, said("second"));
}

#[test]
fn a_stop_is_told_from_an_end_and_has_an_actor() {
    let mut world = World::started(vec![program("p")]);
    world.pass(5_000);
    let requested = |world: &World| world.supervisor.row(world.id("p")).unwrap().last_request;
    assert_eq!(requested(&world), None, "it was started automatically");
    world.call(Call::SignalProcess { name: "p".to_owned(), signal: "HUP".to_owned() });
    assert_eq!(requested(&world).map(|request| request.action), Some(RequestedAction::Signal(1)));
    world.call(stop("p", true));
    world.pass(1_000);
    assert_eq!(last_end(&world, "p").judgement, EndJudgement::Stopped);
    let request = requested(&world).expect("there was one");
    assert_eq!((request.action, request.by.as_str()), (RequestedAction::Stop, "a plug-in"));
    world.call(start("p", false));
    let request = requested(&world).expect("there was one");
    assert_eq!(request.action, RequestedAction::Start);
    let refused = world.call(start("p", false));
    assert!(world.reply(refused).is_err());
    assert_eq!(requested(&world), Some(request), "a refused request is none");
}

#[test]
fn what_is_started_for_another_one_says_so() {
    let dependency = Dependency::from_text("db:db:ready");
    let web = varied("web", |process| {
        process.order.depends_on.push(dependency);
        process.start.autostart = false;
    });
    let mut world = World::started(vec![varied("db", |process| process.start.autostart = false), web]);
    world.call(start("web", false));
    let request = world.supervisor.row(world.id("db")).unwrap().last_request.expect("there was one");
    assert_eq!(request.by, "a plug-in, for web, which depends on it");
}
