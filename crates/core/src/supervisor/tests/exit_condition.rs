//! The end of the daemon that a program causes.

use proptest::prelude::*;
use supervisord_config::dependency::{Dependency, DependencyCondition, OnDependencyFailure};
use supervisord_config::model::{ExitWhen, OnUnhealthy};
use supervisord_config::probe::Probe;

use super::*;

fn code(number: i32) -> ExitStatus {
    ExitStatus::Code(number)
}

/// Programs that are not restarted; those of these names are essential.
fn programs(essential: &[&str]) -> Vec<Arc<Group>> {
    let priorities = [("a", 1), ("b", 2), ("c", 3)];
    let group = |(name, priority): (&str, i64)| {
        varied(name, |process| {
            process.identity.priority = priority;
            process.restart.autorestart = AutoRestart::Never;
            process.restart.essential = essential.contains(&name);
        })
    };
    priorities.into_iter().map(group).collect()
}

fn running(groups: Vec<Arc<Group>>, exit_when: ExitWhen) -> World {
    let mut config = samples::config(groups.clone());
    config.supervisord.exit_when = exit_when;
    let mut world = World::new(groups);
    world.supervisor.adopt_config(config);
    world.give(SupervisorInput::Started);
    world.pass(2000);
    world
}

fn end(world: &mut World, name: &str, status: ExitStatus) {
    let pid = world.pid_of(name);
    world.end(pid, status);
    world.pass(1000);
}

fn exit_of(world: &World) -> Option<u8> {
    match world.ending {
        Some(Ending::Exit(code)) => Some(code),
        _ => None,
    }
}

#[test]
fn an_essential_program_ends_the_daemon_in_order_and_with_its_status() {
    for (status, expected, how) in [
        (code(0), 0, "exit status 0"),
        (code(7), 7, "exit status 7"),
        (ExitStatus::Signal { number: 9, core_dumped: false }, 137, "terminated by SIGKILL"),
        (ExitStatus::Unknown, 1, "exit status unknown"),
    ] {
        let mut world = running(programs(&["b"]), ExitWhen::Never);
        world.log.clear();
        end(&mut world, "b", status);
        assert_eq!(exit_of(&world), Some(expected));
        let level = if expected == 0 { "INFO" } else { "WARN" };
        let reason = format!(
            "{level} shutting down, because the essential program b has finished ({how}); supervisord will exit with status \
             {expected}"
        );
        assert!(world.log.contains(&reason), "{:?}", world.log);
        let stops: Vec<&String> = world.log.iter().filter(|line| line.contains("stopped: ")).collect();
        assert!(stops[0].contains("stopped: c") && stops[1].contains("stopped: a"), "{stops:?}");
    }
}

#[test]
fn an_essential_program_that_cannot_be_started_ends_the_daemon_with_status_1() {
    let mut world = World::new(programs(&["b"]));
    world.missing.push("b".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(1000);
    assert_eq!((exit_of(&world), world.state("b")), (None, ProcessState::Backoff), "there are attempts left");
    world.pass(60_000);
    assert_eq!(exit_of(&world), Some(1));
    assert!(world.log.iter().any(|line| line.contains("the essential program b has finished (FATAL)")));
}

#[test]
fn a_restart_and_a_stop_of_an_essential_program_end_nothing() {
    let mut world = running(
        vec![varied("web", |process| {
            process.restart.essential = true;
            process.restart.autorestart = AutoRestart::Always;
        })],
        ExitWhen::AnyFailed,
    );
    end(&mut world, "web", code(3));
    world.pass(5000);
    assert_eq!((exit_of(&world), world.state("web")), (None, ProcessState::Running));
    world.call(stop("web", true));
    world.pass(5000);
    assert_eq!((exit_of(&world), world.state("web")), (None, ProcessState::Stopped));
    world.call(start("web", true));
    world.pass(5000);
    assert_eq!(world.state("web"), ProcessState::Running);
}

/// A time limit, bad health and a dependency: whatever the daemon stops without being asked to, and does not start again, has
/// finished.
#[test]
fn what_the_daemon_itself_stops_for_good_ends_it() {
    let overdue = |process: &mut Process| process.restart.max_runtime = Some(Duration::from_secs(5));
    let ill = |process: &mut Process| {
        process.health.healthcheck = Some(Arc::new(Probe::parse("tcp:127.0.0.1:1").unwrap()));
        process.health.on_unhealthy = OnUnhealthy::Stop;
    };
    let variants = [
        (&overdue as &dyn Fn(&mut Process), "stopped, max_runtime: it ran for 5s"),
        (&ill, "stopped, unhealthy: refused"),
    ];
    for (vary, how) in variants {
        for (essential, exit_when) in
            [(true, ExitWhen::Never), (false, ExitWhen::AllFinished), (false, ExitWhen::AnyFailed)]
        {
            let group = varied("web", |process| {
                process.restart.essential = essential;
                process.restart.autorestart = AutoRestart::Never;
                vary(process);
            });
            let mut world = running(vec![group], exit_when);
            world.ill.push("web".to_owned());
            assert_eq!(exit_of(&world), None);
            world.pass(200_000);
            assert_eq!(exit_of(&world), Some(1), "{exit_when:?} {:#?}", world.log);
            assert!(world.log.iter().any(|line| line.contains("web") && line.contains(how)), "{:#?}", world.log);
        }
    }
}

#[test]
fn what_stops_with_its_dependency_has_finished() {
    for essential in [false, true] {
        let groups = vec![
            varied("db", |process| process.restart.autorestart = AutoRestart::Never),
            varied("web", |process| {
                process.restart.essential = essential;
                let (group, name) = ("db".to_owned(), Some("db".to_owned()));
                process.order.depends_on =
                    vec![Dependency::On { group, process: name, condition: DependencyCondition::Ready }];
                process.order.on_dependency_failure = OnDependencyFailure::Stop;
            }),
        ];
        let mut world = running(groups, if essential { ExitWhen::Never } else { ExitWhen::AllFinished });
        end(&mut world, "db", code(3));
        assert_eq!(exit_of(&world), Some(if essential { 1 } else { 3 }), "{:#?}", world.log);
    }
}

#[test]
fn listeners_neither_fail_nor_keep_the_daemon() {
    let mut groups = programs(&[]);
    groups.truncate(1);
    groups.push(samples::pool("pool", &["EVENT"], 3));
    let mut world = running(groups, ExitWhen::AllFinished);
    end(&mut world, "a", code(0));
    assert_eq!(exit_of(&world), Some(0));
}

/// A signal that comes meanwhile changes nothing: the status is that of the program.
#[test]
fn a_shutdown_during_the_end_keeps_its_status() {
    let mut world = World::new(programs(&["b"]));
    world.stubborn.push("a".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(2000);
    let pid = world.pid_of("b");
    world.end(pid, code(4));
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.give(SupervisorInput::RestartSignal { config: Ok(Box::new(samples::config(programs(&[])))) });
    world.pass(60_000);
    assert_eq!(exit_of(&world), Some(4));
}

#[test]
fn an_end_that_was_begun_is_gone_on_with() {
    let mut world = running(programs(&[]), ExitWhen::Never);
    let exit = DaemonExit { code: 9, reason: "it was so".to_owned() };
    world.supervisor.resume_exit(exit, world.now);
    world.settle();
    world.pass(5000);
    assert_eq!(exit_of(&world), Some(9));
}

/// A daemon that was killed before it saw what follows from the end of a program.
#[test]
fn a_finish_that_was_missed_is_found() {
    for (essential, exit_when) in [(&["b"][..], ExitWhen::Never), (&[], ExitWhen::AnyFailed)] {
        let mut world = running(programs(essential), exit_when);
        world.supervisor.find_exit();
        world.settle();
        assert_eq!(world.mood, Mood::Running);
        let id = world.id("b");
        let pid = world.pid_of("b");
        world.children.remove(&pid);
        world.supervisor.mood = Mood::Shutdown;
        world.supervisor.ended(world.now, id, code(6));
        world.supervisor.mood = Mood::Running;
        world.settle();
        world.supervisor.find_exit();
        world.settle();
        world.pass(5000);
        assert_eq!(exit_of(&world), Some(6), "{exit_when:?}");
    }
}

proptest! {
    /// Whichever programs end in whichever order: the daemon ends when its condition holds, and not before.
    #[test]
    fn the_daemon_ends_when_its_condition_holds(
        essential in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 0..2),
        exit_when in prop::sample::select(ExitWhen::ALL.to_vec()),
        ends in prop::collection::vec((0..3_usize, 0..3_i32), 0..6),
    ) {
        let mut world = running(programs(&essential), exit_when);
        let mut ended: Vec<(usize, i32)> = Vec::new();
        let mut expected = None;
        for (index, status) in ends {
            let name = ["a", "b", "c"][index];
            if ended.iter().any(|(other, _)| *other == index) {
                continue;
            }
            prop_assert_eq!(world.state(name), ProcessState::Running);
            end(&mut world, name, code(status));
            ended.push((index, status));
            let first_failed = ended.iter().map(|(_, status)| *status).find(|status| *status != 0);
            expected = match exit_when {
                _ if essential.contains(&name) => Some(status),
                ExitWhen::AnyFailed if status != 0 => Some(status),
                ExitWhen::AllFinished if ended.len() == 3 => Some(first_failed.unwrap_or(0)),
                _ => None,
            };
            world.pass(30_000);
            prop_assert_eq!(exit_of(&world).map(i32::from), expected);
            if expected.is_some() {
                break;
            }
        }
        prop_assert_eq!(exit_of(&world).is_some(), expected.is_some());
    }

    /// Processes that are nobody's children are counted and not logged, where they are expected. An upgrade does not forget them.
    #[test]
    fn orphans_are_counted(count in 1..20_u32, before_upgrade in 0..20_u32) {
        let mut world = World::started(Vec::new());
        world.give(SupervisorInput::UnknownExited { pid: 7, status: code(0) });
        prop_assert!(world.log.contains(&"INFO reaped unknown pid 7 (exit status 0)".to_owned()));
        world.supervisor.expect_orphans();
        world.supervisor.log_level = LogLevel::Info;
        world.log.clear();
        for pid in 0..count {
            if pid == before_upgrade {
                world.hand_over();
                world.supervisor.expect_orphans();
                world.supervisor.log_level = LogLevel::Info;
                world.log.clear();
            }
            world.give(SupervisorInput::UnknownExited { pid, status: code(0) });
        }
        prop_assert!(world.log.is_empty());
        world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
        let line = if count == 1 { "INFO reaped 1 orphaned process".to_owned() } else { format!("INFO reaped {count} orphaned processes") };
        prop_assert!(world.log.contains(&line));
    }
}
