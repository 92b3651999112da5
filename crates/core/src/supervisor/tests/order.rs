//! Programs that depend on others.

use supervisord_config::dependency::{Dependency, DependencyCondition, OnDependencyFailure};

use super::*;

pub(super) fn on(group: &str, process: Option<&str>, condition: DependencyCondition) -> Dependency {
    Dependency::On { group: group.to_owned(), process: process.map(str::to_owned), condition }
}

fn needs(name: &str, dependencies: &[(&str, DependencyCondition)]) -> Arc<Group> {
    needing(name, dependencies, |_| {})
}

fn needing(name: &str, dependencies: &[(&str, DependencyCondition)], vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    varied(name, |process| {
        process.order.depends_on =
            dependencies.iter().map(|(name, condition)| on(name, Some(name), *condition)).collect();
        vary(process);
    })
}

/// A program that does something once.
fn job(name: &str) -> Arc<Group> {
    varied(name, |process| {
        process.start.startsecs = 0;
        process.restart.autorestart = AutoRestart::Never;
    })
}

use DependencyCondition::{Exited, ExitedOk, Ready, Started};

fn description(world: &World, name: &str) -> String {
    let local = |_| crate::row::LocalTime {
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        weekday: 0,
        utc_offset: 0,
    };
    world.supervisor.row(world.id(name)).unwrap().description(0, local)
}

fn states(world: &World, names: &[&str]) -> Vec<&'static str> {
    names.iter().map(|name| world.state(name).name()).collect()
}

impl World {
    fn end_of(&mut self, name: &str, status: i32) {
        let pid = self.pid_of(name);
        self.end(pid, ExitStatus::Code(status));
    }
}

/// A program that does its work and ends.
fn oneshot(name: &str, dependencies: &[(&str, DependencyCondition)]) -> Arc<Group> {
    needing(name, dependencies, |process| process.start.r#type = ProgramType::Oneshot)
}

#[test]
fn a_oneshot_gates_others_and_answers_when_it_has_ended() {
    let mut world = World::started(vec![
        oneshot("migrate", &[]),
        needs("web", &[("migrate", ExitedOk)]),
        needs("old", &[("migrate", Ready)]),
    ]);
    assert_eq!(description(&world, "web"), "waiting for migrate to exit successfully");
    let call = world.call(Call::StartProcess { name: "web".to_owned(), wait: true });
    world.end_of("migrate", 3);
    assert_eq!(states(&world, &["migrate", "web", "old"]), ["BACKOFF", "STARTING", "STARTING"]);
    let again = world.call(Call::StartProcess { name: "migrate".to_owned(), wait: true });
    assert!(world.replies[&again].is_err(), "it is being tried already");
    world.pass(1000);
    assert_eq!(world.replies.get(&call), None);
    world.pass(10_000);
    world.end_of("migrate", 0);
    assert_eq!(states(&world, &["migrate", "web", "old"]), ["EXITED", "STARTING", "STARTING"]);
    assert!(world.pid_of("web") != 0 && world.pid_of("old") != 0);
    world.pass(1000);
    assert_eq!(world.replies[&call], Ok(Answer::Done));

    let call = world.call(Call::StartProcess { name: "migrate".to_owned(), wait: true });
    world.pass(10_000);
    assert_eq!(world.replies.get(&call), None, "it has not ended yet");
    world.end_of("migrate", 0);
    assert_eq!(world.replies[&call], Ok(Answer::Done));
    let call = world.call(Call::StartProcess { name: "migrate".to_owned(), wait: true });
    world.end_of("migrate", 1);
    assert!(matches!(&world.replies[&call], Err(refusal) if refusal.is(Reason::SpawnError)));
}

#[test]
fn each_program_starts_as_soon_as_its_own_conditions_hold() {
    let mut world = World::started(vec![
        needs("proxy", &[("web", Ready)]),
        needs("web", &[("db", Ready), ("migrate", ExitedOk)]),
        needing("migrate", &[("db", Ready)], |process| process.start.startsecs = 0),
        varied("db", |process| process.start.startsecs = 3),
        needs("watcher", &[("db", Started)]),
        program("alone"),
    ]);
    let all = ["proxy", "web", "migrate", "db", "watcher", "alone"];
    assert_eq!(states(&world, &all), ["STARTING"; 6]);
    let has_child = |world: &World| all.map(|name| world.pid_of(name) != 0);
    assert_eq!(has_child(&world), [false, false, false, true, true, true]);
    assert_eq!(description(&world, "web"), "waiting for db to be ready, migrate to exit successfully");
    assert!(world.log.contains(&"INFO not yet started: migrate (waiting for db to be ready)".to_owned()));
    world.pass(2999);
    assert_eq!(has_child(&world), [false, false, false, true, true, true]);
    world.pass(1);
    assert_eq!(has_child(&world), [false, false, true, true, true, true]);
    assert_eq!(description(&world, "web"), "waiting for migrate to exit successfully");
    world.end_of("migrate", 0);
    assert_eq!(has_child(&world), [false, true, false, true, true, true]);
    world.pass(1000);
    assert_ne!(world.pid_of("proxy"), 0);
    world.pass(1000);
    assert_eq!(states(&world, &all), ["RUNNING", "RUNNING", "EXITED", "RUNNING", "RUNNING", "RUNNING"]);
}

#[test]
fn starting_a_program_starts_what_it_depends_on_and_answers_when_it_runs() {
    let idle = |process: &mut Process| process.start.autostart = false;
    let mut world = World::started(vec![
        varied("db", idle),
        needing("cache", &[("db", Ready)], idle),
        needing("web", &[("cache", Ready)], idle),
        varied("other", idle),
    ]);
    let (waited, begun) = (world.call(start("web", true)), world.call(start("web", false)));
    assert_eq!(world.reply(begun), &Ok(Answer::Done), "it is accepted");
    assert_eq!(states(&world, &["db", "cache", "web", "other"]), ["STARTING", "STARTING", "STARTING", "STOPPED"]);
    world.pass(2999);
    assert!(!world.replies.contains_key(&waited));
    world.pass(1);
    assert_eq!(world.reply(waited), &Ok(Answer::Done));
}

#[test]
fn a_start_that_waits_in_vain_is_answered_with_the_reason_and_goes_on_waiting() {
    let mut world = World::started(vec![
        varied("db", |process| process.start.startretries = 0),
        needs("cache", &[("db", Ready)]),
        needs("web", &[("cache", Ready)]),
    ]);
    let call = world.call(start("web", true));
    assert!(!world.replies.contains_key(&call));
    world.end_of("db", 1);
    assert_eq!(states(&world, &["db", "cache", "web"]), ["FATAL", "STARTING", "STARTING"]);
    assert_eq!(description(&world, "cache"), "waiting for db to be ready (db is FATAL)");
    let reason = "web: waiting for cache to be ready (cache waits in vain)";
    assert_eq!(world.reply(call), &refused(Reason::DependencyFailed, reason));
    assert!(world.log.contains(&"WARN cannot start: cache (waiting for db to be ready (db is FATAL))".to_owned()));
    // Somebody mends it.
    world.call(start("db", false));
    assert_eq!(description(&world, "web"), "waiting for cache to be ready");
    world.pass(3000);
    assert_eq!(states(&world, &["db", "cache", "web"]), ["RUNNING"; 3]);
}

#[test]
fn another_start_of_a_waiting_program_starts_what_it_waits_for() {
    let mut world = World::started(vec![program("db"), needs("web", &[("db", Ready)])]);
    world.call(stop("db", false));
    world.pass(0);
    assert_eq!(description(&world, "web"), "waiting for db to be ready (db is STOPPED)");
    let call = world.call(start("web", true));
    world.pass(2000);
    assert_eq!(world.reply(call), &Ok(Answer::Done));
    assert_eq!(states(&world, &["db", "web"]), ["RUNNING"; 2]);
}

#[test]
fn a_failed_job_holds_back_until_it_succeeds() {
    let mut world = World::started(vec![job("migrate"), needs("web", &[("migrate", ExitedOk)])]);
    world.end_of("migrate", 3);
    let waits = "waiting for migrate to exit successfully (migrate exited with status 3)";
    assert_eq!(description(&world, "web"), waits);
    world.call(start("migrate", false));
    assert_eq!(description(&world, "web"), "waiting for migrate to exit successfully");
    world.end_of("migrate", 0);
    assert_ne!(world.pid_of("web"), 0);
    // A job that has been done is not done again.
    world.pass(1000);
    world.call(stop("web", false));
    world.pass(0);
    world.call(start("web", false));
    assert_eq!((world.pid_of("migrate"), world.pid_of("web") != 0), (0, true));
}

#[test]
fn a_stop_ends_the_waiting() {
    let mut world = World::started(vec![program("db"), needs("web", &[("db", Ready)])]);
    let (started, stopped) = (world.call(start("web", true)), world.call(stop("web", true)));
    assert_eq!(world.reply(stopped), &Ok(Answer::Done));
    let reason = "web: stopped while it was waiting for db to be ready";
    assert_eq!(world.reply(started), &refused(Reason::AbnormalTermination, reason));
    assert_eq!((world.state("web"), description(&world, "web")), (ProcessState::Stopped, "Not started".to_owned()));
    world.pass(5000);
    assert_eq!(world.state("web"), ProcessState::Stopped);
}

#[test]
fn a_restart_waits_for_a_dependency_that_is_down_too() {
    let always = |process: &mut Process| process.restart.autorestart = AutoRestart::Always;
    let mut world = World::started(vec![varied("db", always), needing("web", &[("db", Ready)], always)]);
    world.pass(3000);
    let pids = (world.pid_of("db"), world.pid_of("web"));
    world.end(pids.0, ExitStatus::Code(1));
    world.end(pids.1, ExitStatus::Code(1));
    assert_eq!((world.state("web"), world.pid_of("web")), (ProcessState::Starting, 0));
    world.pass(1000);
    assert_ne!(world.pid_of("web"), 0);
    // What somebody has stopped is not started by an automatic restart.
    world.pass(1000);
    world.call(stop("db", false));
    world.pass(0);
    let pid = world.pid_of("web");
    world.end(pid, ExitStatus::Code(1));
    world.pass(60_000);
    assert_eq!(description(&world, "web"), "waiting for db to be ready (db is STOPPED)");
}

#[test]
fn two_hundred_programs_outlive_the_database_they_lost() {
    let mut groups = vec![varied("db", |process| process.restart.autorestart = AutoRestart::Always)];
    let names: Vec<String> = (0..200).map(|number| format!("w{number}")).collect();
    for name in &names {
        let vary = |process: &mut Process| {
            process.start.startretries = 0;
            process.order.on_dependency_failure = OnDependencyFailure::Restart;
        };
        groups.push(needing(name, &[("db", Ready)], vary));
    }
    let mut world = World::started(groups);
    world.pass(3000);
    world.missing.push("db".to_owned());
    world.end_of("db", 1);
    world.pass(5000);
    for name in &names {
        assert_eq!((world.state(name), world.pid_of(name)), (ProcessState::Starting, 0), "{name}");
    }
    world.missing.clear();
    world.pass(60_000);
    for name in &names {
        assert_eq!(world.state(name), ProcessState::Running, "{name}");
    }
}

#[test]
fn the_failure_of_a_dependency_stops_or_restarts_as_wished() {
    let reacting = |name: &str, of: &str, reaction| {
        needing(name, &[(of, Ready)], |process| process.order.on_dependency_failure = reaction)
    };
    let mut world = World::started(vec![
        varied("db", |process| process.start.startretries = 0),
        reacting("ignoring", "db", OnDependencyFailure::Ignore),
        reacting("stopping", "db", OnDependencyFailure::Stop),
        reacting("restarting", "db", OnDependencyFailure::Restart),
        reacting("behind", "restarting", OnDependencyFailure::Stop),
        needing("finished", &[("db", Started), ("job", Exited)], |process| {
            process.order.on_dependency_failure = OnDependencyFailure::Ignore;
        }),
        job("job"),
    ]);
    world.end_of("job", 1);
    world.pass(5000);
    let names = ["ignoring", "stopping", "restarting", "behind", "finished"];
    assert_eq!(states(&world, &names), ["RUNNING"; 5]);
    world.missing.push("db".to_owned());
    assert_eq!(world.supervisor.take_reactions(), []);
    world.end_of("db", 1);
    let reactions = world.supervisor.take_reactions();
    let reacting: Vec<String> = reactions.iter().map(|id| world.supervisor.member_name(*id)).collect();
    // One that is restarted reacts once more, because the database is FATAL at last.
    assert_eq!(
        reacting,
        ["behind", "stopping", "restarting", "restarting"],
        "what follows from another comes before it"
    );
    world.pass(0);
    assert_eq!(states(&world, &names), ["RUNNING", "STOPPED", "STARTING", "STOPPED", "RUNNING"]);
    let line = "WARN stopping stopping, because db, on which it depends, ended unexpectedly";
    assert!(world.log.contains(&line.to_owned()), "{:?}", world.log);
    assert!(world.log.iter().any(|line| line.starts_with("WARN restarting restarting, because db")));
    assert!(world.log.iter().any(|line| line.starts_with("WARN stopping behind, because restarting")));
}

#[test]
fn a_program_that_waits_for_what_became_fatal_stops_where_that_is_wished() {
    let mut world = World::started(vec![
        varied("db", |process| process.start.startretries = 0),
        needing("web", &[("db", Ready)], |process| process.order.on_dependency_failure = OnDependencyFailure::Stop),
    ]);
    world.end_of("db", 1);
    assert_eq!(states(&world, &["db", "web"]), ["FATAL", "STOPPED"]);
}

#[test]
fn everything_stops_backwards_and_branches_at_once() {
    let groups = || {
        vec![
            program("db"),
            needs("web", &[("db", Ready)]),
            needs("proxy", &[("web", Ready)]),
            needs("worker", &[("db", Ready)]),
            program("alone"),
        ]
    };
    let stopped = |world: &World| -> Vec<String> {
        let names = world.log.iter().filter_map(|line| line.strip_prefix("WARN stopped: "));
        names.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    for by_call in [true, false] {
        let mut world = World::started(groups());
        world.pass(5000);
        let call = match by_call {
            true => Some(world.call(Call::StopAllProcesses { wait: true })),
            false => {
                world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
                None
            }
        };
        let names = ["db", "web", "proxy", "worker", "alone"];
        assert_eq!(states(&world, &names), ["RUNNING", "RUNNING", "STOPPING", "STOPPING", "STOPPING"]);
        world.pass(100);
        assert_eq!(states(&world, &names), ["STOPPED"; 5]);
        let order = stopped(&world);
        let position = |name: &str| order.iter().position(|known| known == name).unwrap();
        assert!(position("proxy") < position("web") && position("web") < position("db"), "{order:?}");
        assert!(position("worker") < position("db"), "{order:?}");
        match call {
            Some(call) => {
                let Ok(Answer::Statuses(statuses)) = world.reply(call) else { panic!("{:?}", world.reply(call)) };
                assert!(statuses.len() == 5 && statuses.iter().all(|status| status.result.is_ok()), "{statuses:?}");
            }
            None => assert!(world.ending.is_some()),
        }
    }
}

#[test]
fn priority_decides_where_the_graph_does_not() {
    let at = |priority| move |process: &mut Process| process.identity.priority = priority;
    let mut world = World::started(vec![
        varied("db", at(1)),
        // It stops before the database although its number is lower.
        needing("web", &[("db", Ready)], at(0)),
        varied("early", at(500)),
        varied("late", at(999)),
    ]);
    world.pass(5000);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    let mut order = Vec::new();
    for line in {
        world.pass(100);
        &world.log
    } {
        order.extend(line.strip_prefix("WARN stopped: ").map(|line| line.split(' ').next().unwrap().to_owned()));
    }
    assert_eq!(order, ["late", "early", "web", "db"]);
}

#[test]
fn a_stop_without_waiting_still_keeps_the_order() {
    let mut world = World::started(vec![program("db"), needs("web", &[("db", Ready)])]);
    world.pass(5000);
    let call = world.call(Call::StopAllProcesses { wait: false });
    assert!(world.replies.contains_key(&call));
    assert_eq!(states(&world, &["db", "web"]), ["RUNNING", "STOPPING"]);
    world.pass(100);
    assert_eq!(states(&world, &["db", "web"]), ["STOPPED"; 2]);
}

#[test]
fn a_single_stop_leaves_the_dependents_and_names_them() {
    let mut world = World::started(vec![program("db"), needs("web", &[("db", Ready)])]);
    world.pass(5000);
    world.call(stop("db", true));
    world.pass(100);
    assert_eq!(states(&world, &["db", "web"]), ["STOPPED", "RUNNING"]);
    assert!(world.log.contains(&"INFO stopping db, on which others depend that go on: web".to_owned()));
    world.call(start("db", false));
    world.pass(2000);
    let call = world.call(Call::StopWithDependents { name: "db".to_owned(), wait: true });
    assert_eq!(states(&world, &["db", "web"]), ["RUNNING", "STOPPING"]);
    world.pass(100);
    let Ok(Answer::Statuses(statuses)) = world.reply(call) else { panic!("{:?}", world.reply(call)) };
    assert_eq!(statuses.iter().map(|status| status.process.as_str()).collect::<Vec<_>>(), ["web", "db"]);
    let call = world.call(Call::StopWithDependents { name: "db".to_owned(), wait: true });
    assert_eq!(world.reply(call), &refused(Reason::NotRunning, "db"));
}

#[test]
fn a_restart_of_all_comes_up_in_order_again() {
    let mut world = World::started(vec![needs("web", &[("db", Ready)]), program("db")]);
    world.pass(5000);
    world.call(Call::StopAllProcesses { wait: true });
    world.pass(100);
    let call = world.call(Call::StartAllProcesses { wait: true });
    world.pass(5000);
    let Ok(Answer::Statuses(statuses)) = world.reply(call) else { panic!("{:?}", world.reply(call)) };
    assert!(statuses.len() == 2 && statuses.iter().all(|status| status.result.is_ok()), "{statuses:?}");
}

#[test]
fn what_is_not_active_is_waited_for_until_it_is_added() {
    let groups = vec![program("db"), needs("web", &[("db", Ready)])];
    let mut world = World::started(groups);
    world.call(stop("db", true));
    world.pass(0);
    world.call(Call::RemoveProcessGroup { group: "db".to_owned() });
    assert_eq!(description(&world, "web"), "waiting for db to be ready (db is not active)");
    world.call(Call::AddProcessGroup { group: "db".to_owned() });
    world.pass(2000);
    assert_eq!(states(&world, &["db", "web"]), ["RUNNING"; 2]);
}

#[test]
fn processes_that_wait_for_each_other_do_not_wait_for_ever() {
    let groups =
        vec![needs("a", &[("b", Ready)]), needs("b", &[("a", Ready)]), needs("c", &[("a", Ready), ("c", Ready)])];
    let mut world = World::started(groups);
    world.pass(5000);
    assert_eq!(states(&world, &["a", "b", "c"]), ["RUNNING"; 3]);
    assert!(world.log.iter().any(|line| line.contains("because they depend on each other")), "{:?}", world.log);
}

#[test]
fn waiting_survives_an_upgrade_and_a_crash() {
    for crashes in [false, true] {
        let groups = || vec![varied("db", |process| process.start.startsecs = 3), needs("web", &[("db", Ready)])];
        let mut world = World::started(groups());
        world.pass(1000);
        match crashes {
            true => world.crash(0, groups()),
            false => world.hand_over(),
        }
        assert_eq!(states(&world, &["db", "web"]), ["STARTING"; 2]);
        world.pass(0);
        assert_eq!(description(&world, "web"), "waiting for db to be ready");
        world.pass(1999);
        assert_eq!(world.pid_of("web"), 0);
        world.pass(2);
        assert_ne!(world.pid_of("web"), 0);
    }
}

#[test]
fn whoever_waits_learns_what_has_happened_to_a_killed_daemon() {
    let groups = || vec![program("db"), needs("web", &[("db", Ready)])];
    let mut world = World::started(groups());
    // The daemon is killed between the record that the database runs and that its dependent is started.
    world.advance(world.now.mono + Duration::from_secs(1));
    world.supervisor.handle(world.now, SupervisorInput::Elapsed);
    world.crash(3, groups());
    world.pass(2000);
    assert_eq!(states(&world, &["db", "web"]), ["RUNNING"; 2]);
}

/// An update adds one group after the other. What it adds starts as it would with the daemon.
#[test]
fn what_a_new_program_depends_on_is_started_once_it_is_added_too() {
    let added = || {
        let needing_started =
            |name: &str, of: &str| needing(name, &[(of, Ready)], |process| process.start.autostart = name == "app");
        vec![
            needing_started("app", "middle"),
            needing_started("middle", "zdb"),
            varied("zdb", |process| process.start.autostart = false),
        ]
    };
    let mut world = World::started(vec![program("other")]);
    let mut groups = added();
    groups.push(program("other"));
    world.call(Call::ReloadConfig { config: Box::new(samples::config(groups)) });
    for name in ["app", "middle", "zdb"] {
        world.call(Call::AddProcessGroup { group: name.to_owned() });
    }
    world.pass(5000);
    assert_eq!(states(&world, &["app", "middle", "zdb"]), ["RUNNING"; 3]);
    assert!(!world.log.iter().any(|line| line.contains("cannot start")), "{:#?}", world.log);
    // What is replaced later is not started because somebody waits for it: an operator may have stopped it.
    world.call(stop("zdb", true));
    world.call(stop("middle", true));
    world.pass(1000);
    world.call(start("middle", false));
    world.call(stop("zdb", true));
    world.pass(1000);
    world.call(Call::RemoveProcessGroup { group: "zdb".to_owned() });
    world.call(Call::AddProcessGroup { group: "zdb".to_owned() });
    world.pass(5000);
    assert_eq!(states(&world, &["middle", "zdb"]), ["STARTING", "STOPPED"]);
}

#[test]
fn a_stop_of_all_goes_on_in_the_next_daemon() {
    for crashes in [false, true] {
        let groups = || vec![program("db"), needs("cache", &[("db", Ready)]), needs("web", &[("cache", Ready)])];
        let mut world = World::started(groups());
        world.pass(5000);
        world.stubborn.push("web".to_owned());
        world.call(stop("web", false));
        world.pass(20_000);
        world.call(start("web", false));
        world.pass(2000);
        world.call(Call::StopAllProcesses { wait: false });
        assert_eq!(states(&world, &["db", "cache", "web"]), ["RUNNING", "RUNNING", "STOPPING"]);
        for _ in 0..2 {
            match crashes {
                true => world.crash(0, groups()),
                false => world.hand_over(),
            }
            world.pass(100);
            assert_eq!(states(&world, &["db", "cache", "web"]), ["RUNNING", "RUNNING", "STOPPING"]);
        }
        world.pass(20_000);
        assert_eq!(states(&world, &["db", "cache", "web"]), ["STOPPED"; 3]);
        let stops: Vec<&String> = world.log.iter().rev().filter(|line| line.contains("stopped: ")).take(3).collect();
        let order = ["db", "cache", "web"];
        assert!(stops.iter().zip(order).all(|(line, name)| line.contains(&format!("stopped: {name} "))), "{stops:?}");
        world.call(start("db", true));
        world.pass(5000);
        assert_eq!(world.state("db"), ProcessState::Running, "nothing is left of the stop");
    }
}
