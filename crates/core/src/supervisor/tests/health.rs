//! The health of programs, and what follows from it.

use supervisord_config::dependency::{Dependency, DependencyCondition, OnDependencyFailure};
use supervisord_config::model::OnUnhealthy;
use supervisord_config::model::RestartLimit;
use supervisord_config::probe::Probe;

use super::*;
use crate::health::HealthStatus;

/// A program with a health check.
fn checked(name: &str, vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    varied(name, |process| {
        process.health.healthcheck = Some(Arc::new(Probe::parse("http://127.0.0.1/").unwrap()));
        vary(process);
    })
}

/// A program that depends on the health of another one.
fn needing_health(name: &str, of: &str, reaction: OnDependencyFailure) -> Arc<Group> {
    varied(name, |process| {
        let (group, process_name) = (of.to_owned(), Some(of.to_owned()));
        let condition = DependencyCondition::Healthy;
        process.order.depends_on = vec![Dependency::On { group, process: process_name, condition }];
        process.order.on_dependency_failure = reaction;
    })
}

fn health(world: &World, name: &str) -> Option<(HealthStatus, u32)> {
    let row = world.supervisor.row(world.id(name)).unwrap();
    row.health.map(|health| (health.status, health.failures))
}

use HealthStatus::{Healthy, Starting, Unhealthy};

#[test]
fn a_program_is_checked_as_soon_as_it_is_running() {
    let mut world = World::started(vec![checked("web", |_| {})]);
    world.pass(999);
    assert_eq!((health(&world, "web"), world.state("web")), (None, ProcessState::Starting));
    world.silent.push("web".to_owned());
    world.pass(1);
    assert_eq!(health(&world, "web"), Some((Starting, 0)));
    world.silent.clear();
    world.pass(1);
    assert_eq!(health(&world, "web"), Some((Healthy, 0)));
    assert!(world.log.contains(&"INFO healthy: web is healthy".to_owned()), "{:#?}", world.log);
    assert!(world.published.contains(&"starting to healthy".to_owned()));
    let pid = world.pid_of("web");
    world.end(pid, ExitStatus::Code(0));
    assert_eq!(health(&world, "web"), None);
}

#[test]
fn a_program_without_a_check_has_no_deadline() {
    let mut world = World::started(vec![program("web")]);
    world.pass(2000);
    assert_eq!((health(&world, "web"), world.supervisor.next_deadline(world.now)), (None, None));
}

#[test]
fn failures_in_a_row_are_logged_once_and_a_success_makes_it_healthy_again() {
    let mut world = World::started(vec![checked("web", |_| {})]);
    world.pass(1001);
    world.ill.push("web".to_owned());
    world.pass(60_000);
    assert_eq!(health(&world, "web"), Some((Healthy, 2)));
    world.pass(60_000);
    assert_eq!(health(&world, "web"), Some((Unhealthy, 4)));
    let lines =
        |world: &World| world.log.iter().filter(|line| line.contains("healthy: web")).cloned().collect::<Vec<_>>();
    let unhealthy = "WARN unhealthy: web (refused (3 failures in a row))";
    assert_eq!(lines(&world), ["INFO healthy: web is healthy", unhealthy]);
    assert_eq!(world.state("web"), ProcessState::Running, "nothing follows");
    world.ill.clear();
    world.pass(30_000);
    assert_eq!(health(&world, "web"), Some((Healthy, 0)));
    assert_eq!(lines(&world)[2], "INFO healthy: web is healthy again");
}

#[test]
fn an_answer_that_comes_after_a_restart_counts_for_nothing() {
    let mut world = World::started(vec![checked("web", |process| {
        process.health.healthcheck_retries = 1;
        process.start.startsecs = 0;
    })]);
    world.silent.push("web".to_owned());
    world.pass(1);
    let old = world.probes.pop().unwrap();
    let pid = world.pid_of("web");
    world.end(pid, ExitStatus::Code(1));
    world.pass(1);
    assert_ne!(world.pid_of("web"), pid);
    let (process, purpose, attempt) = old;
    world.give(SupervisorInput::Probed { process, purpose, attempt, result: Err("late".to_owned()) });
    assert_eq!(health(&world, "web"), Some((Starting, 0)));
    let (process, purpose, attempt) = world.probes[0];
    world.give(SupervisorInput::Probed { process, purpose, attempt, result: Ok(()) });
    assert_eq!(health(&world, "web"), Some((Healthy, 0)));
}

#[test]
fn an_unhealthy_program_may_be_stopped_or_sent_a_signal() {
    let ill = |reaction| {
        let mut world = World::started(vec![checked("web", |process| process.health.on_unhealthy = reaction)]);
        world.ill.push("web".to_owned());
        world.pass(100_000);
        world
    };
    let world = ill(OnUnhealthy::Stop);
    assert_eq!(world.state("web"), ProcessState::Stopped);
    let world = ill(OnUnhealthy::Signal(10));
    assert_eq!(world.signals, [(world.id("web"), 10)], "once");
    assert_eq!((world.state("web"), health(&world, "web")), (ProcessState::Running, Some((Unhealthy, 4))));
}

#[test]
fn an_unhealthy_program_is_restarted_by_its_policy_whatever_autorestart_says() {
    let mut world = World::started(vec![checked("web", |process| {
        process.health.on_unhealthy = OnUnhealthy::Restart;
        process.health.healthcheck_retries = 1;
        process.restart.autorestart = AutoRestart::Never;
        process.restart.restart_delay = Some(Duration::from_secs(7));
        process.restart.restart_limit = Some(RestartLimit::Within { restarts: 2, window: Duration::from_secs(600) });
    })]);
    let pid = world.pid_of("web");
    world.ill.push("web".to_owned());
    world.pass(1001);
    assert_eq!((world.state("web"), health(&world, "web")), (ProcessState::Exited, None));
    let row = world.supervisor.row(world.id("web")).unwrap();
    assert_eq!(row.spawnerr, "Unhealthy: refused");
    assert_eq!(row.next_start, Some(world.now.mono + Duration::from_millis(6999)));
    world.pass(7000);
    assert_eq!((world.state("web"), world.pid_of("web")), (ProcessState::Starting, pid + 1));
    world.pass(30_000);
    assert_eq!(world.state("web"), ProcessState::Fatal, "{:#?}", world.log);
    let lines: Vec<&str> = world.log[..6].iter().map(String::as_str).collect();
    assert_eq!(
        lines[2..],
        [
            "WARN unhealthy: web (refused)",
            "WARN restarting web, because it is unhealthy",
            "DEBG killing web (pid 1001) with signal SIGTERM",
            "WARN stopped: web (terminated by SIGTERM)",
        ]
    );
    let said = |line: &str| world.log.iter().filter(|logged| *logged == line).count();
    assert_eq!(
        [said("WARN restarting web, because it is unhealthy"), said("WARN stopping web, because it is unhealthy")],
        [2, 1],
        "the last one is followed by no restart: {:#?}",
        world.log
    );
}

#[test]
fn a_stop_wins_over_the_restart_of_an_unhealthy_program() {
    let mut world = World::new(vec![checked("web", |process| {
        process.health.on_unhealthy = OnUnhealthy::Restart;
        process.health.healthcheck_retries = 1;
    })]);
    world.stubborn.push("web".to_owned());
    world.ill.push("web".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(1001);
    assert_eq!(world.state("web"), ProcessState::Stopping);
    world.call(stop("web", true));
    world.pass(60_000);
    assert_eq!(world.state("web"), ProcessState::Stopped);
}

#[test]
fn nothing_is_done_about_bad_health_during_the_shutdown() {
    let mut world = World::new(vec![
        checked("web", |process| {
            process.health.on_unhealthy = OnUnhealthy::Restart;
            process.identity.priority = 1;
        }),
        varied("last", |process| process.stop.stopwaitsecs = 500),
    ]);
    world.stubborn.push("last".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(1001);
    world.ill.push("web".to_owned());
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.pass(200_000);
    assert_eq!(health(&world, "web").map(|(status, _)| status), Some(Unhealthy), "{:#?}", world.log);
    assert_eq!(world.state("web"), ProcessState::Running);
}

#[test]
fn who_needs_a_healthy_program_waits_for_it() {
    let mut world =
        World::started(vec![checked("cache", |_| {}), needing_health("web", "cache", OnDependencyFailure::Ignore)]);
    world.ill.push("cache".to_owned());
    world.pass(50_000);
    let row = world.supervisor.row(world.id("web")).unwrap();
    assert_eq!(
        (row.pid, crate::dependencies::waiting_for(&row.awaited).as_str()),
        (0, "waiting for cache to be healthy")
    );
    let call = world.call(start("web", true));
    world.pass(50_000);
    let vain = "waiting for cache to be healthy (cache is unhealthy)";
    assert!(world.log.contains(&format!("WARN cannot start: web ({vain})")), "{:#?}", world.log);
    assert_eq!(world.reply(call).as_ref().unwrap_err().detail.as_deref(), Some(&*format!("web: {vain}")));
    world.ill.clear();
    world.pass(60_000);
    assert_eq!(world.state("web"), ProcessState::Running);
}

#[test]
fn who_needs_the_health_of_a_program_may_react_to_its_loss() {
    let mut world = World::started(vec![
        checked("cache", |_| {}),
        needing_health("web", "cache", OnDependencyFailure::Restart),
        needing_health("other", "cache", OnDependencyFailure::Ignore),
        varied("loose", |process| {
            let (group, name) = ("cache".to_owned(), Some("cache".to_owned()));
            process.order.depends_on =
                vec![Dependency::On { group, process: name, condition: DependencyCondition::Ready }];
            process.order.on_dependency_failure = OnDependencyFailure::Stop;
        }),
    ]);
    world.pass(10_000);
    let before = ["web", "other", "loose"].map(|name| world.pid_of(name));
    assert!(before.iter().all(|pid| *pid != 0));
    world.ill.push("cache".to_owned());
    world.pass(100_000);
    assert_eq!((world.state("web"), world.pid_of("web")), (ProcessState::Starting, 0));
    assert_eq!([world.pid_of("other"), world.pid_of("loose")], [before[1], before[2]]);
    let line = "WARN restarting web, because cache, on which it depends, is unhealthy";
    assert!(world.log.contains(&line.to_owned()), "{:#?}", world.log);
    world.ill.clear();
    world.pass(60_000);
    assert_eq!(world.state("web"), ProcessState::Running);
}

/// Each is told what happened to the one it depends on, and what started it.
#[test]
fn the_reason_of_a_chain_of_stops_names_what_began_it() {
    let mut world = World::started(vec![
        checked("web", |_| {}),
        needing_health("first", "web", OnDependencyFailure::Stop),
        varied("second", |process| {
            let (group, name) = ("first".to_owned(), Some("first".to_owned()));
            process.order.depends_on =
                vec![Dependency::On { group, process: name, condition: DependencyCondition::Running }];
            process.order.on_dependency_failure = OnDependencyFailure::Stop;
        }),
    ]);
    world.pass(10_000);
    world.ill.push("web".to_owned());
    world.pass(100_000);
    let lines = [
        "WARN stopping first, because web, on which it depends, is unhealthy",
        "WARN stopping second, because first, on which it depends, is stopped (web is unhealthy)",
    ];
    assert!(lines.iter().all(|line| world.log.contains(&(*line).to_owned())), "{:#?}", world.log);
    let row = world.supervisor.row(world.id("second")).unwrap();
    let reason = crate::why::reason(&row).unwrap();
    assert_eq!(reason, "on_dependency_failure: first is stopped (web is unhealthy)");
    assert_eq!((row.wanted, row.state()), (crate::process::Wanted::Up, ProcessState::Stopped));
}

/// What an unhealthy program takes with it stops before it, as in a stop of everything, and comes back after it.
#[test]
fn those_that_depend_on_an_unhealthy_program_stop_before_it() {
    let mut world = World::started(vec![
        checked("db", |process| process.health.on_unhealthy = OnUnhealthy::Restart),
        needing_health("web", "db", OnDependencyFailure::Restart),
        varied("proxy", |process| {
            let (group, name) = ("web".to_owned(), Some("web".to_owned()));
            process.order.depends_on =
                vec![Dependency::On { group, process: name, condition: DependencyCondition::Running }];
            process.order.on_dependency_failure = OnDependencyFailure::Restart;
        }),
    ]);
    world.pass(10_000);
    let names = ["proxy", "web", "db"];
    let before = names.map(|name| world.pid_of(name));
    assert!(before.iter().all(|pid| *pid != 0));
    world.ill.push("db".to_owned());
    while world.pid_of("db") == before[2] {
        world.pass(100);
    }
    world.ill.clear();
    world.pass(60_000);
    let stopped: Vec<&String> = world.log.iter().filter(|line| line.contains(" stopped: ")).collect();
    let order: Vec<bool> = names.iter().enumerate().map(|(index, name)| stopped[index].contains(name)).collect();
    assert_eq!(order, [true; 3], "{:#?}", world.log);
    for (name, pid) in names.iter().zip(before) {
        assert_eq!(world.state(name), ProcessState::Running, "{name}");
        assert_ne!(world.pid_of(name), pid, "{name}");
    }
}
