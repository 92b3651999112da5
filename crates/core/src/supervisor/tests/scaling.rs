//! Programs with another number of processes.

use super::*;
use crate::actor::Right;
use crate::scope::ProgramScope;

fn web(count: usize, command: &str) -> Vec<Arc<Group>> {
    let process = |number: usize| {
        let mut process = samples::process(&format!("web_{number}"));
        process.identity.section = "program:web".to_owned();
        process.spawn.command = command.to_owned();
        process
    };
    vec![samples::group("web", 999, (0..count).map(process).collect()), program("db")]
}

impl World {
    fn scale(&mut self, actor: Actor, count: usize, command: &str) -> CallId {
        let config = Box::new(samples::config(web(count, command)));
        self.scale_from(actor, count, config, None)
    }

    fn scale_from(&mut self, actor: Actor, count: usize, config: Box<Config>, based_on: Option<i64>) -> CallId {
        let section = "program:web".to_owned();
        self.call_as(actor, Call::Scale { config, section, numprocs: count as i64, based_on })
    }

    fn members(&self) -> usize {
        self.supervisor.active().filter(|(group, _)| group.name == "web").map(|(_, ids)| ids.len()).sum()
    }
}

#[test]
fn only_the_difference_starts_or_stops() {
    let mut world = World::started(web(3, "/bin/cat"));
    world.pass(5_000);
    let before: Vec<u32> = (0..3).map(|number| world.pid_of(&format!("web_{number}"))).collect();
    world.scale(Actor::plug_in(), 5, "/bin/cat");
    world.pass(5_000);
    assert_eq!((world.members(), world.state("web_4")), (5, ProcessState::Running));
    let call = world.scale(Actor::plug_in(), 2, "/bin/cat");
    assert!(!world.replies.contains_key(&call), "three have not stopped yet");
    world.pass(5_000);
    assert!(world.reply(call).is_ok());
    assert_eq!((world.members(), world.pid_of("web_0"), world.pid_of("web_1")), (2, before[0], before[1]));
}

#[test]
fn a_change_that_was_worked_out_from_another_number_is_refused() {
    let mut world = World::started(web(3, "/bin/cat"));
    world.pass(5_000);
    let config = || Box::new(samples::config(web(4, "/bin/cat")));
    // Two ask for one more at the same time.
    let first = world.scale_from(Actor::plug_in(), 4, config(), Some(3));
    let second = world.scale_from(Actor::plug_in(), 4, config(), Some(3));
    assert!(world.reply(first).is_ok());
    assert!(matches!(world.reply(second), Err(refusal) if refusal.is(Reason::UnderWay)));
    assert_eq!(world.members(), 4);
}

#[test]
fn what_differs_otherwise_is_refused() {
    let mut world = World::started(web(3, "/bin/cat"));
    world.pass(5_000);
    let call = world.scale(Actor::plug_in(), 5, "/bin/other");
    let Err(refusal) = world.reply(call) else { panic!("it is scaled") };
    assert!(refusal.is(Reason::NotConfigured) && refusal.detail.as_ref().is_some_and(|text| text.contains("command")));
    assert_eq!(world.members(), 3);
}

#[test]
fn whoever_does_not_see_all_of_them_may_not() {
    let mut world = World::started(web(3, "/bin/cat"));
    world.pass(5_000);
    let patterns = supervisord_config::program_patterns::ProgramPatterns::parse("web:web_0, web:web_1, web:web_2")
        .expect("patterns");
    let actor =
        Actor { right: Some(Right::Operate), programs: ProgramScope::Matching(Arc::new(patterns)), ..Actor::plug_in() };
    let call = world.scale(actor.clone(), 5, "/bin/cat");
    assert!(matches!(world.reply(call), Err(refusal) if refusal.is(Reason::NotPermitted)));
    let call = world.scale(actor, 2, "/bin/cat");
    world.pass(5_000);
    assert!(world.reply(call).is_ok() && world.members() == 2);
}
