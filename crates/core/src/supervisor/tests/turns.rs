//! No more than so many programs start at once, and everybody has a turn.

use supervisord_config::dependency::OnDependencyFailure;
use supervisord_config::model::RestartLimit;

use super::order::on;
use super::*;
use crate::process::ProcessPhase;

fn numbered(number: usize) -> Vec<Arc<Group>> {
    (0..number).map(|number| program(&format!("p{number}"))).collect()
}

impl World {
    fn in_phase(&self, phase: ProcessPhase) -> Vec<String> {
        let ids = self.supervisor.active().flat_map(|(_, ids)| ids);
        let rows = ids.filter_map(|id| self.supervisor.row(*id)).filter(|row| row.phase == phase);
        rows.map(|row| row.config.identity.name.clone()).collect()
    }
}

#[test]
fn no_more_than_the_limit_start_at_once() {
    let mut world = World::limited(numbered(5), 2);
    world.give(SupervisorInput::Started);
    for (starting, waiting) in [(["p0", "p1"], 3), (["p2", "p3"], 1)] {
        assert_eq!(world.in_phase(ProcessPhase::Settling), starting);
        assert_eq!(world.in_phase(ProcessPhase::AwaitingTurn).len(), waiting);
        world.supervisor.check_turns();
        world.pass(1000);
    }
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["p4"]);
    let row = world.supervisor.row(world.id("p4")).unwrap();
    assert_eq!(row.phase.state(), ProcessState::Starting);
    let lines: Vec<&String> = world.log.iter().filter(|line| line.contains(" turn")).collect();
    assert_eq!(
        lines,
        [
            "INFO 2 at a time are started (max_parallel_starts); others wait for their turn",
            "INFO nobody waits for a turn to start any more; 3 had to wait, the last one for 2s"
        ]
    );
}

#[test]
fn a_place_is_free_again_when_its_program_is_up_fails_is_stopped_or_removed() {
    let mut world = World::limited(numbered(4), 1);
    world.missing.push("p1".to_owned());
    world.give(SupervisorInput::Started);
    let kill = world.call(stop("p2", true));
    assert_eq!(world.reply(kill), &Ok(Answer::Done), "one that waits is stopped at once");
    world.call(Call::RemoveProcessGroup { group: "p2".to_owned() });
    world.supervisor.check_turns();
    world.call(stop("p0", false));
    assert_eq!(world.in_phase(ProcessPhase::BackingOff), ["p1"], "it came after p0, and could not be started");
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["p3"]);
    world.pass(60_000);
    assert_eq!((world.state("p1"), world.state("p3")), (ProcessState::Fatal, ProcessState::Running));
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.pass(10_000);
    assert!(world.ending.is_some());
}

#[test]
fn what_somebody_asks_for_comes_first_with_what_it_depends_on() {
    let mut groups = numbered(4);
    groups.push(varied("db", |process| process.identity.priority = 1000));
    groups.push(varied("web", |process| {
        process.order.depends_on = vec![on("db", Some("db"), DependencyCondition::Ready)];
        process.identity.priority = 1001;
    }));
    let mut world = World::limited(groups, 1);
    world.give(SupervisorInput::Started);
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["p0"]);
    let call = world.call(start("web", true));
    let at_once = world.call(start("p3", false));
    assert_eq!(world.reply(at_once), &Ok(Answer::Done));
    world.pass(1000);
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["p3"], "by priority among those that somebody asked for");
    world.pass(1000);
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["db"]);
    world.pass(1000);
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["web"]);
    world.pass(1000);
    assert_eq!(world.reply(call), &Ok(Answer::Done));
    assert_eq!(world.in_phase(ProcessPhase::Settling), ["p1"]);
}

#[test]
fn programs_that_crash_again_and_again_keep_nobody_waiting_for_ever() {
    let crashing = |name: &str| {
        varied(name, |process| {
            process.identity.priority = 1;
            process.restart.autorestart = AutoRestart::Always;
        })
    };
    let mut world = World::limited(vec![crashing("a"), crashing("b"), crashing("c"), program("patient")], 1);
    world.give(SupervisorInput::Started);
    for _ in 0..200 {
        world.pass(50);
        for name in world.in_phase(ProcessPhase::Up).into_iter().filter(|name| name != "patient") {
            let pid = world.pid_of(&name);
            world.end(pid, ExitStatus::Code(1));
        }
    }
    assert_eq!(world.state("patient"), ProcessState::Running);
    assert!(!world.in_phase(ProcessPhase::AwaitingTurn).is_empty());
}

#[test]
fn another_daemon_goes_on_with_those_that_wait() {
    let mut world = World::limited(numbered(5), 2);
    world.give(SupervisorInput::Started);
    for _ in 0..2 {
        world.hand_over();
        world.pass(0);
        world.supervisor.check_turns();
    }
    assert_eq!(world.in_phase(ProcessPhase::AwaitingTurn), ["p2", "p3", "p4"]);
    world.crash(0, numbered(5));
    world.pass(0);
    assert_eq!(world.in_phase(ProcessPhase::AwaitingTurn), ["p2", "p3", "p4"]);
    world.pass(3000);
    assert_eq!(world.in_phase(ProcessPhase::Up).len(), 5);
}

#[test]
fn a_limit_that_changes_counts_at_once() {
    let mut world = World::limited(numbered(5), 1);
    world.give(SupervisorInput::Started);
    let mut config = samples::config(numbered(5));
    config.supervisord.max_parallel_starts = 3;
    world.most = 3;
    world.call(Call::ReloadConfig { config: Box::new(config) });
    assert_eq!(world.in_phase(ProcessPhase::Settling).len(), 3);
    world.most = 0;
    world.call(Call::ReloadConfig { config: Box::new(samples::config(numbered(5))) });
    assert_eq!(world.in_phase(ProcessPhase::Settling).len(), 5);
}

/// Half of 200 programs are stopped when they lose their database, half crash. No more than eight start in any second, all come
/// back, and none becomes FATAL.
#[test]
fn two_hundred_programs_come_back_without_a_storm() {
    const MOST: usize = 8;
    let mut groups = vec![varied("db", |process| process.restart.autorestart = AutoRestart::Always)];
    for number in 0..200 {
        groups.push(varied(&format!("w{number}"), |process| {
            process.order.depends_on = vec![on("db", Some("db"), DependencyCondition::Ready)];
            process.start.startretries = 0;
            if number % 2 == 0 {
                process.order.on_dependency_failure = OnDependencyFailure::Restart;
            } else {
                process.restart.restart_limit =
                    Some(RestartLimit::Within { restarts: 1, window: Duration::from_secs(600) });
                process.start.startretries = 3;
            }
        }));
    }
    let mut world = World::limited(groups, MOST);
    world.give(SupervisorInput::Started);
    world.pass(60_000);
    assert_eq!(world.in_phase(ProcessPhase::Up).len(), 201);
    world.missing.push("db".to_owned());
    let db = world.pid_of("db");
    world.end(db, ExitStatus::Code(1));
    for number in (1..200).step_by(2) {
        let pid = world.pid_of(&format!("w{number}"));
        world.end(pid, ExitStatus::Code(1));
    }
    world.pass(5000);
    assert_eq!(world.in_phase(ProcessPhase::AwaitingDependencies).len(), 200);
    world.missing.clear();
    let mut starts = Vec::new();
    for _ in 0..600 {
        let before = world.next_pid;
        world.pass(100);
        starts.push((world.next_pid - before) as usize);
    }
    let most = starts.windows(10).map(|second| second.iter().sum::<usize>()).max().unwrap();
    assert!(most <= MOST + 1, "{most} starts within a second");
    assert_eq!(world.in_phase(ProcessPhase::Up).len(), 201, "all are back");
}
