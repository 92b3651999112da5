//! Rolling restarts.

use super::*;
use crate::event::ProcessName;
use crate::parallelism::Parallelism;

fn web(count: usize) -> Vec<Arc<Group>> {
    let processes = (0..count).map(|number| samples::process(&format!("web_{number}"))).collect();
    vec![samples::group("web", 999, processes)]
}

fn world(count: usize) -> World {
    let mut world = World::started(web(count));
    world.pass(5_000);
    world
}

impl World {
    fn roll(&mut self, count: usize, parallelism: Parallelism) -> CallId {
        let name =
            |number: usize| ProcessName { group: "web".into(), process: format!("web_{number}").as_str().into() };
        self.call(Call::RollingRestart { processes: (0..count).map(name).collect(), parallelism })
    }

    fn running(&self) -> usize {
        let ids = self.supervisor.active().flat_map(|(_, ids)| ids);
        ids.filter(|id| self.supervisor.row(**id).is_some_and(|row| row.state() == ProcessState::Running)).count()
    }

    fn spawned(&self) -> usize {
        self.log.iter().filter(|line| line.contains("spawned: ")).count()
    }

    fn results(&self, call: CallId) -> Vec<bool> {
        match self.replies.get(&call) {
            Some(Ok(Answer::Statuses(statuses))) => statuses.iter().map(|status| status.result.is_ok()).collect(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn never_more_than_so_many_are_away() {
    for (parallelism, away) in [(Parallelism::Count(1), 1), (Parallelism::Percent(50), 4)] {
        let mut world = world(8);
        let call = world.roll(8, parallelism);
        let mut fewest = 8;
        while !world.replies.contains_key(&call) {
            world.pass(50);
            fewest = fewest.min(world.running());
        }
        assert_eq!((fewest, world.running(), world.spawned()), (8 - away, 8, 16), "{parallelism}");
        assert_eq!(world.results(call), [true; 8]);
    }
}

#[test]
fn the_first_failure_ends_it() {
    let mut world = world(4);
    world.missing.push("web_1".to_owned());
    let call = world.roll(4, Parallelism::Count(1));
    world.pass(60_000);
    assert_eq!(world.results(call), [true, false, false, false]);
    assert_eq!(world.running(), 3, "the others go on");
    let line = world.log.iter().find(|line| line.contains("rolling restart: stopped at web:web_1")).expect("a line");
    assert!(line.starts_with("WARN") && line.ends_with("; not restarted: web:web_2, web:web_3"), "{line}");
}

#[test]
fn it_goes_on_in_the_next_daemon() {
    for is_crash in [false, true] {
        let mut world = world(3);
        let before: Vec<u32> = world.children.keys().copied().collect();
        world.roll(3, Parallelism::Count(1));
        world.pass(500);
        if is_crash {
            world.crash(0, web(3))
        } else {
            world.hand_over()
        }
        world.pass(60_000);
        assert_eq!(world.running(), 3, "{is_crash}");
        assert!(before.iter().all(|pid| !world.children.contains_key(pid)), "{is_crash}: {:#?}", world.log);
    }
}

impl World {
    fn lines(&self, part: &str) -> Vec<&String> {
        self.log.iter().filter(|line| line.contains(part)).collect()
    }
}

#[test]
fn what_has_failed_is_not_said_to_be_ready() {
    for is_crash in [None, Some(false), Some(true)] {
        let mut world = world(4);
        world.missing.push("web_0".to_owned());
        world.roll(4, Parallelism::Count(2));
        while world.lines("rolling restart: stopped at web:web_0").is_empty() {
            world.pass(50);
        }
        match is_crash {
            Some(true) => world.crash(0, web(4)),
            Some(false) => world.hand_over(),
            None => {}
        }
        world.pass(60_000);
        assert_eq!(world.lines("all are ready").len(), 0, "{is_crash:?}: {:#?}", world.log);
        let line = world.lines("rolling restart: stopped at")[0];
        assert!(line.contains("web:web_0: can't find command"), "the reason is told: {line}");
    }
}

#[test]
fn a_second_one_of_the_same_process_is_refused_and_changes_nothing() {
    let mut world = world(4);
    let first = world.roll(2, Parallelism::Count(1));
    world.pass(100);
    let second = world.roll(4, Parallelism::Count(4));
    let Some(Err(refusal)) = world.replies.get(&second) else { panic!("{:?}", world.replies.get(&second)) };
    assert_eq!(refusal.reason, Reason::UnderWay);
    let detail = refusal.detail.clone().unwrap_or_default();
    assert!(detail.starts_with("web:web_0 takes part in a rolling restart that was requested by "), "{detail}");
    world.pass(60_000);
    assert_eq!((world.results(first), world.spawned()), (vec![true; 2], 6));
    let third = world.roll(4, Parallelism::Count(4));
    world.pass(60_000);
    assert_eq!(world.results(third), [true; 4]);
}

#[test]
fn two_of_different_processes_go_on_beside_each_other() {
    let mut world = world(4);
    let name = |number: usize| ProcessName { group: "web".into(), process: format!("web_{number}").as_str().into() };
    let roll = |world: &mut World, names: [usize; 2]| {
        let processes = names.into_iter().map(name).collect();
        world.call(Call::RollingRestart { processes, parallelism: Parallelism::Count(1) })
    };
    let (one, other) = (roll(&mut world, [0, 1]), roll(&mut world, [2, 3]));
    world.pass(60_000);
    assert_eq!((world.results(one), world.results(other)), (vec![true; 2], vec![true; 2]));
    assert_eq!(world.lines("all are ready").len(), 2);
}

#[test]
fn one_that_is_removed_while_it_is_away_ends_it() {
    let mut world = world(4);
    let call = world.roll(4, Parallelism::Count(1));
    let mut without = web(4);
    let processes = without[0].processes[1..].iter().map(|process| Process::clone(process)).collect();
    without[0] = samples::group("web", 999, processes);
    let config = Box::new(samples::config(without));
    world.call(Call::ReloadConfig { config });
    world.call(Call::UpdateMinimally { groups: Vec::new() });
    world.pass(60_000);
    assert_eq!(world.results(call)[1..], [false; 3], "{:#?}", world.log);
    assert_eq!((world.running(), world.lines("all are ready").len()), (3, 0));
}
