//! Programs that are recycled, of each group one at a time.

use supervisord_config::model::RecycleAfter;

use super::*;
use crate::process::Recycling;

const LIFE: Duration = Duration::from_secs(60);

fn pool(name: &str, members: usize, vary: impl Fn(&mut Process)) -> Arc<Group> {
    let member = |number| {
        let mut process = samples::process(&format!("{name}{number}"));
        process.restart.recycle_after = Some(RecycleAfter { after: LIFE, spread: Duration::ZERO });
        vary(&mut process);
        process
    };
    samples::group(name, 999, (0..members).map(member).collect())
}

impl World {
    fn recycled(&self, what: Recycling) -> Vec<String> {
        let members = self.supervisor.members.values();
        let such = members.filter(|member| member.machine.recycling() == what);
        such.map(|member| member.config.identity.name.clone()).collect()
    }

    /// Which of these processes have no child.
    fn without_child(&self, group: &str, number: usize) -> usize {
        (0..number).filter(|number| self.pid_of(&format!("{group}{number}")) == 0).count()
    }
}

#[test]
fn of_a_group_one_at_a_time_is_recycled() {
    let mut world = World::started(vec![pool("a", 3, |_| {}), pool("b", 2, |_| {})]);
    let first = world.pid_of("a0");
    world.pass(60_000);
    assert_eq!(world.recycled(Recycling::UnderWay), ["a0", "b0"]);
    assert_eq!(world.recycled(Recycling::Due), ["a1", "a2", "b1"]);
    // Each takes a second, until it is up again.
    for (under_way, due) in [(vec!["a1", "b1"], vec!["a2"]), (vec!["a2"], vec![]), (vec![], vec![])] {
        world.pass(1000);
        assert_eq!(
            (world.recycled(Recycling::UnderWay), world.recycled(Recycling::Due)),
            (strings(&under_way), strings(&due))
        );
    }
    assert!(world.supervisor.recycles.is_empty());
    assert_ne!(world.pid_of("a0"), first);
    assert_eq!(world.supervisor.row(world.id("a0")).unwrap().restarts, 1);
    world.pass(56_000);
    assert_eq!(world.recycled(Recycling::UnderWay), [""; 0], "each counts from its own start");
    world.pass(1500);
    assert_eq!(world.recycled(Recycling::UnderWay), ["a0", "b0"]);
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_next_has_its_turn_when_the_one_before_is_given_up_stopped_or_removed() {
    let world = || {
        let mut world = World::started(vec![pool("a", 2, |process| process.start.startretries = 0)]);
        world.stubborn.push("a0".to_owned());
        world.call(Call::StopProcessGroup { group: "a".to_owned(), wait: false });
        world.pass(30_000);
        world.call(Call::StartProcessGroup { group: "a".to_owned(), wait: false });
        world.pass(60_000);
        assert_eq!(
            (world.recycled(Recycling::UnderWay), world.recycled(Recycling::Due)),
            (strings(&["a0"]), strings(&["a1"]))
        );
        world
    };
    let mut stopped = world();
    stopped.call(stop("a:a0", false));
    assert_eq!(stopped.recycled(Recycling::UnderWay), ["a1"]);
    let mut given_up = world();
    given_up.missing.push("a0".to_owned());
    given_up.pass(10_000);
    assert_eq!(given_up.state("a0"), ProcessState::Fatal);
    assert_eq!((given_up.recycled(Recycling::UnderWay), given_up.recycled(Recycling::Due)), (strings(&["a1"]), vec![]));
    let mut due_is_removed = world();
    due_is_removed.call(stop("a:a1", true));
    due_is_removed.pass(1000);
    due_is_removed.call(Call::UnregisterProcess { group: "a".to_owned(), process: "a1".to_owned() });
    due_is_removed.pass(30_000);
    assert!(due_is_removed.supervisor.recycles.is_empty());
}

/// Whoever goes on: of a group never more than one has no child, and all are recycled in the end.
#[test]
fn recycling_goes_on_after_an_upgrade_and_after_a_crash() {
    for crashes in [false, true] {
        let groups = || vec![pool("a", 4, |_| {})];
        let mut world = World::started(groups());
        world.pass(1000);
        let before: Vec<u32> = (0..4).map(|number| world.pid_of(&format!("a{number}"))).collect();
        for _ in 0..100 {
            world.pass(700);
            match crashes {
                true => world.crash(0, groups()),
                false => world.hand_over(),
            }
            assert!(world.without_child("a", 4) <= 1);
            world.pass(0);
            assert!(world.recycled(Recycling::UnderWay).len() <= 1);
        }
        world.pass(10_000);
        for (number, pid) in before.into_iter().enumerate() {
            assert_ne!(world.pid_of(&format!("a{number}")), pid);
        }
    }
}

#[test]
fn many_that_are_due_together_are_spread_and_end_with_the_daemon() {
    let spread = Duration::from_secs(30);
    let mut world = World::started(vec![pool("a", 50, |process| {
        process.restart.recycle_after = Some(RecycleAfter { after: LIFE, spread });
    })]);
    world.pass(1000);
    let until = |number: usize| world.supervisor.row(world.id(&format!("a{number}"))).unwrap().runs_until.unwrap();
    let mut untils: Vec<Duration> = (0..50).map(until).collect();
    untils.sort_unstable();
    untils.dedup();
    assert!(untils.len() > 40, "{untils:?}");
    assert!(untils[0] < untils[untils.len() - 1] - spread);
    world.pass(60_000);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.pass(20_000);
    assert!(world.ending.is_some() && world.children.is_empty());
}
