//! Updates that touch only what has changed.

use supervisord_config::dependency::Dependency;

use super::*;
use crate::update_plan::{UpdateAction, UpdatePlan};

fn web(count: usize, change: impl Fn(usize, &mut Process)) -> Arc<Group> {
    let process = |number: usize| {
        let mut process = samples::process(&format!("web_{number}"));
        process.start.startsecs = 0;
        change(number, &mut process);
        process
    };
    samples::group("web", 999, (0..count).map(process).collect())
}

fn single(name: &str, command: &str, needs: Option<&str>) -> Arc<Group> {
    let mut process = samples::process(name);
    process.start.startsecs = 0;
    command.clone_into(&mut process.spawn.command);
    let dependency = |on: &str| Dependency::On {
        group: on.to_owned(),
        process: Some(on.to_owned()),
        condition: DependencyCondition::Ready,
    };
    process.order.depends_on = needs.into_iter().map(dependency).collect();
    samples::group(name, 999, vec![process])
}

impl World {
    fn update(&mut self, groups: Vec<Arc<Group>>) -> CallId {
        self.call(Call::ReloadConfig { config: Box::new(samples::config(groups)) });
        self.call(Call::UpdateMinimally { groups: Vec::new() })
    }

    fn pids(&self) -> Vec<(String, u32)> {
        let ids = self.supervisor.active().flat_map(|(_, ids)| ids);
        let rows = ids.filter_map(|id| self.supervisor.row(*id));
        rows.map(|row| (row.config.identity.name.clone(), row.pid)).collect()
    }

    fn plan_of(&self, call: CallId) -> UpdatePlan {
        match self.replies.get(&call) {
            Some(Ok(Answer::Plan(plan))) => UpdatePlan::clone(plan),
            other => panic!("{other:?}"),
        }
    }

    fn actions(&self, call: CallId) -> Vec<(String, UpdateAction)> {
        self.plan_of(call).steps.into_iter().map(|step| (step.process, step.action)).collect()
    }
}

#[test]
fn one_changed_process_restarts_and_its_group_goes_on() {
    let mut world = World::started(vec![web(3, |_, _| {})]);
    let before = world.pids();
    let call = world.update(vec![web(3, |number, process| {
        if number == 1 {
            process.spawn.command = "/bin/other".to_owned();
        }
    })]);
    assert!(!world.replies.contains_key(&call), "it waits for the stop");
    world.pass(100);
    assert_eq!(world.actions(call), [("web_1".to_owned(), UpdateAction::Restart)]);
    let after = world.pids();
    assert_eq!((&before[0], &before[2]), (&after[0], &after[2]));
    assert!(before[1].1 != after[1].1 && after[1].1 != 0);
    let id = world.supervisor.find_process("web", "web_1").unwrap();
    assert_eq!(world.supervisor.process(id).unwrap().spawn.command, "/bin/other");
    let again = world.update(vec![web(3, |number, process| {
        if number == 1 {
            process.spawn.command = "/bin/other".to_owned();
        }
    })]);
    assert!(world.plan_of(again).is_empty(), "what has been applied is not applied again");
}

#[test]
fn a_live_option_takes_effect_without_a_restart() {
    let mut world = World::started(vec![web(1, |_, _| {})]);
    let before = world.pids();
    let call = world.update(vec![web(1, |_, process| {
        process.stop.stopsignal = 2.into();
        process.restart.max_runtime = Some(Duration::from_secs(60));
    })]);
    assert_eq!(world.actions(call), [("web_0".to_owned(), UpdateAction::Apply)]);
    assert_eq!(world.pids(), before);
    let id = world.supervisor.find_process("web", "web_0").unwrap();
    assert!(world.supervisor.row(id).unwrap().runs_until.is_some());
    world.call(stop("web:web_0", false));
    assert_eq!(world.signals.last(), Some(&(id, 2)));
}

#[test]
fn more_and_fewer_processes_are_only_the_difference() {
    let mut world = World::started(vec![web(2, |_, _| {})]);
    let before = world.pids();
    world.update(vec![web(4, |_, _| {})]);
    world.pass(100);
    let grown = world.pids();
    assert_eq!((grown.len(), &grown[..2]), (4, &before[..]));
    assert!(grown.iter().all(|(_, pid)| *pid != 0));
    let call = world.update(vec![web(1, |_, _| {})]);
    world.pass(100);
    assert_eq!(world.pids(), before[..1]);
    assert_eq!(world.actions(call).len(), 3);
}

#[test]
fn what_depends_on_others_stops_first_and_starts_last() {
    let groups = |command: &str| vec![single("app", command, Some("db")), single("db", command, None)];
    let mut world = World::started(groups("/bin/old"));
    world.stubborn.push("app".to_owned());
    let (app, db) =
        (world.supervisor.find_process("app", "app").unwrap(), world.supervisor.find_process("db", "db").unwrap());
    // The children of before obey TERM.
    world.signals.clear();
    let call = world.update(groups("/bin/new"));
    world.pass(100);
    assert_eq!(world.signals.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [app, db]);
    let names: Vec<String> = world.actions(call).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["db", "app"]);
    let starts = |id| world.supervisor.row(id).unwrap().start;
    assert!(starts(db) <= starts(app));
}

#[test]
fn what_is_new_is_added_when_the_rest_has_stopped() {
    let mut world = World::new(vec![single("old", "/bin/x", None)]);
    world.stubborn.push("old".to_owned());
    world.give(SupervisorInput::Started);
    let call = world.update(vec![single("new", "/bin/x", None)]);
    assert_eq!(world.pids().len(), 1, "the old one does not obey, and the new one may need its port");
    world.pass(20_000);
    assert_eq!(world.actions(call).len(), 2);
    assert_eq!(world.pids().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["new"]);
}

#[test]
fn what_somebody_has_stopped_stays_stopped() {
    let mut world = World::started(vec![web(1, |_, _| {})]);
    world.call(stop("web:web_0", true));
    world.pass(100);
    let other = |_: usize, process: &mut Process| process.spawn.command = "/bin/other".to_owned();
    let call = world.update(vec![web(1, other)]);
    world.pass(100);
    assert_eq!(world.actions(call), [("web_0".to_owned(), UpdateAction::NextStart)]);
    assert_eq!(world.pids(), [("web_0".to_owned(), 0)]);
}

#[test]
fn an_update_goes_on_in_the_next_daemon() {
    let old = || vec![web(2, |_, _| {})];
    let new = || vec![web(3, |_, process| process.spawn.command = "/bin/other".to_owned())];
    for is_crash in [false, true] {
        let mut world = World::new(old());
        world.stubborn.extend(["web_0".to_owned(), "web_1".to_owned()]);
        world.give(SupervisorInput::Started);
        world.update(new());
        world.stubborn.clear();
        if is_crash {
            world.crash(0, new())
        } else {
            world.hand_over()
        }
        world.pass(30_000);
        let commands: Vec<String> = world
            .supervisor
            .active()
            .flat_map(|(group, _)| group.processes.iter().map(|process| process.spawn.command.clone()))
            .collect();
        assert_eq!(commands, ["/bin/other", "/bin/other", "/bin/other"], "{is_crash}");
        assert!(world.pids().iter().all(|(_, pid)| *pid != 0), "{is_crash}: {:?} {:#?}", world.pids(), world.log);
    }
}
