//! Programs that are disabled and enabled.

use super::*;
use crate::call::ProgramAction;
use crate::dependencies::Hindrance;
use crate::event::ProcessName;
use supervisord_config::dependency::Dependency;

impl World {
    pub(super) fn act(&mut self, action: ProgramAction, names: &[&str]) -> CallId {
        let name = |name: &&str| ProcessName { group: (*name).into(), process: (*name).into() };
        self.call(Call::ActOn { action, processes: names.iter().map(name).collect(), wait: true })
    }

    fn reasons(&self, call: CallId) -> Vec<Option<Reason>> {
        match self.reply(call) {
            Ok(Answer::Statuses(statuses)) => {
                let reason = |status: &crate::call::Status| status.result.as_ref().err().map(|refusal| refusal.reason);
                statuses.iter().map(reason).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn is_disabled(&self, name: &str) -> bool {
        self.supervisor.row(self.id(name)).is_some_and(|row| row.disabled.is_some())
    }
}

fn world() -> World {
    let mut world = World::started(vec![program("a"), program("b")]);
    world.pass(5_000);
    world
}

#[test]
fn what_is_disabled_stops_and_nothing_starts_it() {
    let mut world = world();
    let call = world.act(ProgramAction::Disable, &["a"]);
    assert!(!world.replies.contains_key(&call), "it has not stopped yet");
    world.pass(100);
    assert_eq!((world.reasons(call), world.state("a")), (vec![None], ProcessState::Stopped));
    assert!(world.stored.get("a", "a").is_some_and(|disabling| disabling.by == "a plug-in"));
    for call in [start("a", true), start("a:*", true), Call::StartAllProcesses { wait: true }] {
        world.call(call);
        world.pass(5_000);
    }
    for action in [ProgramAction::Start, ProgramAction::Restart] {
        let call = world.act(action, &["a", "b"]);
        world.pass(5_000);
        assert_eq!(world.reasons(call)[0], Some(Reason::Disabled), "{action:?}");
    }
    let call = world.call(start("a", true));
    let Err(refusal) = world.reply(call) else { panic!("it is started") };
    let expected =
        "a: disabled by a plug-in at 1970-01-12T13:46:47Z; to let it be started again: supervisorctl enable a";
    assert_eq!(refusal.detail.as_deref(), Some(expected));
    world.call(Call::RemoveProcessGroup { group: "a".to_owned() });
    world.call(Call::AddProcessGroup { group: "a".to_owned() });
    world.pass(5_000);
    assert_eq!((world.state("a"), world.state("b")), (ProcessState::Stopped, ProcessState::Running));
    let call = world.act(ProgramAction::Enable, &["a"]);
    assert_eq!((world.reasons(call), world.state("a")), (vec![None], ProcessState::Stopped), "it is not started");
    assert!(world.stored.is_empty());
    world.call(start("a", true));
    world.pass(5_000);
    assert_eq!(world.state("a"), ProcessState::Running);
}

#[test]
fn groups_and_all_leave_it_out_without_a_word() {
    let mut world = world();
    world.act(ProgramAction::Disable, &["a"]);
    world.pass(100);
    for call in [Call::StartAllProcesses { wait: true }, Call::StartProcessGroup { group: "a".to_owned(), wait: true }]
    {
        let call = world.call(call);
        assert_eq!(world.reasons(call), []);
    }
}

#[test]
fn a_list_that_cannot_be_stored_changes_nothing() {
    let mut world = world();
    world.cannot_store = true;
    let call = world.act(ProgramAction::Disable, &["a", "b"]);
    assert_eq!(world.reasons(call), [Some(Reason::Failed); 2]);
    world.pass(5_000);
    assert_eq!((world.state("a"), world.is_disabled("a")), (ProcessState::Running, false));
    let call = world.act(ProgramAction::Enable, &["a"]);
    assert_eq!(world.reasons(call), [Some(Reason::Failed)], "nor does the next boot know that it is enabled");
    world.cannot_store = false;
    world.act(ProgramAction::Disable, &["b"]);
    world.pass(5_000);
    assert!(!world.is_disabled("a") && world.is_disabled("b"));
    let list = std::mem::take(&mut world.stored);
    let call = world.act(ProgramAction::Disable, &["b"]);
    world.pass(5_000);
    assert_eq!((world.reasons(call), &world.stored), (vec![None], &list), "somebody had removed it");
}

#[test]
fn the_next_daemon_knows_it_also_where_it_could_not_be_stopped() {
    let mut world = world();
    world.act(ProgramAction::Disable, &["a"]);
    world.pass(100);
    world.hand_over();
    world.crash(0, vec![program("a"), program("b")]);
    world.pass(5_000);
    assert!(world.is_disabled("a") && world.state("a") == ProcessState::Stopped);
    // The daemon was killed when it had stored the list.
    let mut disabled = DisabledPrograms::clone(&world.stored);
    let disabling = disabled.get("a", "a").cloned().expect("it is disabled");
    disabled.disable(&ProcessName { group: "b".into(), process: "b".into() }, &disabling);
    world.supervisor.set_disabled_programs(Arc::new(disabled));
    world.supervisor.stop_disabled(world.now);
    world.settle();
    world.pass(5_000);
    assert_eq!(world.state("b"), ProcessState::Stopped);
}

#[test]
fn what_depends_on_it_waits_in_vain() {
    let web = varied("web", |process| {
        let condition = DependencyCondition::Ready;
        process.order.depends_on = vec![Dependency::On { group: "a".into(), process: Some("a".into()), condition }];
    });
    let mut world = World::started(vec![program("a"), web]);
    world.pass(5_000);
    world.act(ProgramAction::Disable, &["a"]);
    world.pass(5_000);
    assert_eq!(world.state("web"), ProcessState::Running, "it goes on");
    let call = world.act(ProgramAction::Restart, &["web"]);
    world.pass(5_000);
    assert_eq!(world.reasons(call), [Some(Reason::DependencyFailed)]);
    let awaited = world.supervisor.row(world.id("web")).map(|row| row.awaited).unwrap_or_default();
    let hindrance = awaited[0].hindrance.as_ref().map(Hindrance::to_string);
    assert_eq!(hindrance.as_deref(), Some("a is STOPPED"));
    world.act(ProgramAction::Enable, &["a"]);
    world.call(start("a", true));
    world.pass(5_000);
    assert_eq!(world.state("web"), ProcessState::Running);
}

#[test]
fn a_plan_says_that_it_is_not_started() {
    let mut world = world();
    world.act(ProgramAction::Disable, &["a"]);
    world.pass(100);
    let changed = varied("a", |process| process.spawn.command = "/bin/other".to_owned());
    for mode in [UpdateMode::Groups, UpdateMode::Minimal] {
        let config = Box::new(samples::config(vec![changed.clone(), program("b")]));
        let call = world.call(Call::PlanUpdate { config, mode: Some(mode), groups: Vec::new() });
        let Ok(Answer::Plan(plan)) = world.reply(call) else { panic!("no plan") };
        let steps: Vec<_> = plan.steps.iter().map(|step| (step.action.word(), step.starts)).collect();
        assert_eq!(steps, [("next_start", false)], "{mode:?}");
    }
}

#[test]
fn a_rolling_restart_goes_on_without_it() {
    let mut world = world();
    world.act(ProgramAction::Disable, &["a"]);
    world.pass(100);
    let name = |name: &str| ProcessName { group: name.into(), process: name.into() };
    let parallelism = crate::parallelism::Parallelism::Count(1);
    let call = world.call(Call::RollingRestart { processes: vec![name("a"), name("b")], parallelism });
    world.pass(60_000);
    assert_eq!(world.reasons(call), [Some(Reason::Disabled), None]);
}

#[test]
fn what_is_disabled_and_removed_can_be_enabled() {
    let mut world = world();
    for name in ["a", "b"] {
        world.act(ProgramAction::Disable, &[name]);
        world.pass(5_000);
        world.call(Call::RemoveProcessGroup { group: name.to_owned() });
    }
    assert_eq!(world.published_disabled, ["a", "b"]);
    let unknown = world.act(ProgramAction::Disable, &["a"]);
    assert_eq!(world.reasons(unknown), [Some(Reason::UnknownName)], "it is not there");
    world.cannot_store = true;
    let call = world.act(ProgramAction::Enable, &["a", "c"]);
    assert_eq!(world.reasons(call), [Some(Reason::UnknownName), Some(Reason::Failed)]);
    world.cannot_store = false;
    let call = world.act(ProgramAction::Enable, &["a"]);
    assert_eq!((world.reasons(call), world.published_disabled.as_slice()), (vec![None], &["b".to_owned()][..]));
    let call = world.call(Call::EnableProcess { name: "b:*".to_owned() });
    assert_eq!((world.reasons(call), world.published_disabled.len()), (vec![None], 0));
    let call = world.call(Call::EnableProcess { name: "b".to_owned() });
    assert!(matches!(world.reply(call), Err(refusal) if refusal.is(Reason::UnknownName)), "it is not on the list");
}

#[test]
fn nobody_enables_what_is_removed_and_not_theirs() {
    let mut world = world();
    world.act(ProgramAction::Disable, &["a"]);
    world.pass(5_000);
    world.call(Call::RemoveProcessGroup { group: "a".to_owned() });
    let patterns = supervisord_config::program_patterns::ProgramPatterns::parse("b").expect("patterns");
    let programs = crate::scope::ProgramScope::Matching(Arc::new(patterns));
    let actor = Actor { right: Some(crate::actor::Right::Operate), programs, ..Actor::plug_in() };
    let call = world.call_as(actor, Call::EnableProcess { name: "a".to_owned() });
    assert!(matches!(world.reply(call), Err(refusal) if refusal.is(Reason::UnknownName)));
    assert_eq!(world.published_disabled, ["a"]);
}

#[test]
fn a_name_of_xml_rpc_is_that_of_a_process_or_a_group() {
    let mut world = world();
    let call = world.call(Call::DisableProcess { name: "a:*".to_owned(), wait: false });
    assert_eq!(world.reasons(call), [None]);
    world.pass(5_000);
    assert!(world.is_disabled("a") && world.state("a") == ProcessState::Stopped);
    let call = world.call(Call::DisableProcess { name: "nobody".to_owned(), wait: true });
    assert!(matches!(world.reply(call), Err(refusal) if refusal.is(Reason::UnknownName)));
    let call = world.call(Call::EnableProcess { name: "a".to_owned() });
    assert_eq!((world.reasons(call), world.is_disabled("a")), (vec![None], false));
}
