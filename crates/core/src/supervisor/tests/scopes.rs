//! Programs that are not an actor's do not exist for the actor.

use supervisord_config::dependency::{Dependency, DependencyCondition};
use supervisord_config::program_patterns::ProgramPatterns;

use super::*;
use crate::call::{ProgramAction, Status};
use crate::event::ProcessName;
use crate::scope::ProgramScope;

fn operator(programs: &str) -> Actor {
    let patterns = ProgramPatterns::parse(programs).expect("patterns");
    Actor { programs: ProgramScope::Matching(Arc::new(patterns)), ..Actor::plug_in() }
}

/// `web:a`, `web:b` and `db`, which all run.
fn world() -> World {
    let web = samples::group("web", 999, vec![samples::process("a"), samples::process("b")]);
    let mut world = World::started(vec![web, program("db")]);
    world.pass(2000);
    world
}

fn names(outcome: &CallOutcome) -> Vec<&str> {
    let Ok(Answer::Statuses(statuses)) = outcome else { panic!("{outcome:?}") };
    statuses.iter().map(|status: &Status| status.process.as_str()).collect()
}

#[test]
fn a_call_for_several_reaches_the_actors_own() {
    let mut world = world();
    let signal = || "HUP".to_owned();
    let call = world.call_as(operator("web:a"), Call::SignalAllProcesses { signal: signal() });
    assert_eq!(names(world.reply(call)), ["a"]);
    let call = Call::SignalProcessGroup { group: "web".to_owned(), signal: signal() };
    let call = world.call_as(operator("web:b, db"), call);
    assert_eq!(names(world.reply(call)), ["b"]);
    let call = world.call_as(operator("web:b"), Call::SignalProcess { name: "web:*".to_owned(), signal: signal() });
    assert_eq!(names(world.reply(call)), ["b"]);
    let call = world.call_as(operator("web:*"), Call::StopAllProcesses { wait: false });
    assert_eq!(names(world.reply(call)), ["a", "b"]);
    assert_eq!(world.state("db"), ProcessState::Running);
    let call = world.call_as(operator("db"), Call::StartAllProcesses { wait: false });
    assert!(names(world.reply(call)).is_empty());
}

#[test]
fn other_programs_and_groups_have_unknown_names() {
    let mut world = world();
    let name = |name: &str| name.to_owned();
    let calls: [fn(String) -> Call; 5] = [
        |name| Call::StartProcess { name, wait: false },
        |name| Call::StopProcess { name, wait: false },
        |name| Call::StopWithDependents { name, wait: false },
        |name| Call::SignalProcess { name, signal: "HUP".to_owned() },
        |name| Call::SendProcessStdin { name, chars: Vec::new() },
    ];
    for call in calls {
        for other in ["web:b", "db", "db:*"] {
            let call = world.call_as(operator("web:a"), call(name(other)));
            assert_eq!(world.reply(call), &refused(Reason::UnknownName, other));
        }
    }
    let groups: [fn(String) -> Call; 3] = [
        |group| Call::StartProcessGroup { group, wait: false },
        |group| Call::StopProcessGroup { group, wait: false },
        |group| Call::SignalProcessGroup { group, signal: "HUP".to_owned() },
    ];
    for call in groups {
        let call = world.call_as(operator("web:a"), call(name("db")));
        assert_eq!(world.reply(call), &refused(Reason::UnknownName, "db"));
    }
    let processes = vec![ProcessName { group: "web".into(), process: "b".into() }];
    let call = Call::ActOn { action: ProgramAction::Stop, processes, wait: false };
    let call = world.call_as(operator("web:a"), call);
    let Ok(Answer::Statuses(statuses)) = world.reply(call) else { panic!("statuses") };
    assert!(statuses[0].result.as_ref().unwrap_err().is(Reason::UnknownName));
    let clear = world.call_as(operator("web:a"), Call::ClearProcessLogs { name: name("web:b") });
    assert_eq!(world.reply(clear), &refused(Reason::UnknownName, "web:b"));
    assert_eq!((world.state("a"), world.state("b")), (ProcessState::Running, ProcessState::Running));
}

#[test]
fn dependents_of_others_are_not_stopped() {
    let dependent = varied("web", |process| {
        let (group, on) = ("db".to_owned(), Some("db".to_owned()));
        process.order.depends_on = vec![Dependency::On { group, process: on, condition: DependencyCondition::Running }];
    });
    let mut world = World::started(vec![program("db"), dependent]);
    world.pass(5000);
    let stop = || Call::StopWithDependents { name: "db".to_owned(), wait: false };
    let call = world.call_as(operator("db"), stop());
    assert!(world.reply(call).as_ref().unwrap_err().is(Reason::NotPermitted));
    assert_eq!(world.state("web"), ProcessState::Running);
    let call = world.call_as(operator("db, web"), stop());
    assert!(world.reply(call).is_ok());
}
