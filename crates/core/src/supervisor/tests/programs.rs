//! What starts when, and what counts as started.

use super::*;

#[test]
fn groups_start_in_the_order_of_priority_and_name() {
    let world = World::started(vec![
        varied("late", |process| process.priority = 1000),
        program("b"),
        program("a"),
        varied("early", |process| process.priority = 1),
        varied("manual", |process| process.autostart = false),
    ]);
    let spawned: Vec<&str> = world.log.iter().filter_map(|line| line.strip_prefix("INFO spawned: ")).collect();
    assert_eq!(spawned, ["'early' with pid 1001", "'a' with pid 1002", "'b' with pid 1003", "'late' with pid 1004"]);
    assert_eq!(world.state("manual"), ProcessState::Stopped);
}

#[test]
fn a_program_without_startsecs_runs_before_the_next_is_started() {
    let at_once = |name| varied(name, |process| process.startsecs = 0);
    let world = World::started(vec![at_once("a"), at_once("b")]);
    let starts: Vec<&str> =
        world.log.iter().filter_map(|line| line.strip_prefix("INFO s")?.split(' ').next()).collect();
    assert_eq!(starts, ["pawned:", "uccess:", "pawned:", "uccess:"]);
}

#[test]
fn a_child_that_died_before_startsecs_has_failed_however_long_its_last_words_are_read() {
    let mut world = World::started(vec![program("p")]);
    let pid = world.pid_of("p");
    world.pass(500);
    world.children.remove(&pid);
    world.give(Input::Died { pid });
    world.pass(5_000);
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.give(Input::Exited { pid, status: ExitStatus::Code(0) });
    assert_eq!(world.state("p"), ProcessState::Backoff);
}
