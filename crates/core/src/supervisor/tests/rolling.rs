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
