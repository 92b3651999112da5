//! The commands of programs: who waits for them, and who goes on with them.

use super::*;
use crate::process::ProgramCommand::{PostStop, PreStart, PreStop};

/// A program with these hooks.
fn hooked(name: &str, hooks: &[ProgramCommand], vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    varied(name, |process| {
        set_hooks(process, hooks);
        vary(process);
    })
}

/// Sets these hooks and no others.
pub(super) fn set_hooks(process: &mut Process, hooks: &[ProgramCommand]) {
    let command = |hook| hooks.contains(&hook).then(|| "/bin/hook".to_owned());
    process.hooks.pre_start = command(PreStart);
    process.hooks.post_start = command(ProgramCommand::PostStart);
    process.hooks.pre_stop = command(PreStop);
    process.hooks.post_stop = command(PostStop);
}

impl World {
    fn description(&self, name: &str) -> String {
        let local = |_| crate::row::LocalTime {
            year: 2026,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            weekday: 4,
            utc_offset: 0,
        };
        self.supervisor.row(self.id(name)).unwrap().description(0, local)
    }
}

#[test]
fn a_start_waits_for_its_hook_and_the_call_for_both() {
    let mut world = World::new(vec![hooked("p", &[PreStart], |_| {})]);
    world.command_time = Duration::from_secs(3);
    let (waiting, impatient) = (world.call(start("p", true)), world.call(start("p", false)));
    assert_eq!((world.state("p"), world.description("p").as_str()), (ProcessState::Starting, "running pre-start hook"));
    assert_eq!(world.reply(impatient), &refused(Reason::AlreadyStarted, "p"));
    world.pass(3_999);
    assert!(!world.replies.contains_key(&waiting) && world.pid_of("p") != 0);
    world.pass(1);
    assert_eq!(world.reply(waiting), &Ok(Answer::Done));
}

#[test]
fn a_call_that_does_not_wait_is_answered_before_the_hook_has_ended() {
    let mut world = World::new(vec![hooked("p", &[PreStart], |_| {})]);
    world.command_time = Duration::from_secs(3);
    let call = world.call(start("p", false));
    assert_eq!(world.reply(call), &Ok(Answer::Done));
}

#[test]
fn a_hook_that_fails_or_cannot_be_run_refuses_the_start() {
    for unrunnable in [false, true] {
        let mut world = World::new(vec![hooked("p", &[PreStart], |process| process.start.startretries = 0)]);
        if unrunnable {
            world.unrunnable.push(PreStart)
        } else {
            world.failing.push(PreStart)
        }
        let call = world.call(start("p", true));
        world.pass(0);
        assert_eq!(world.reply(call), &refused(Reason::SpawnError, "p"));
        let reason = if unrunnable { "can't find command 'x'" } else { "exit status 1" };
        assert_eq!(world.description("p"), format!("pre-start hook failed ({reason})"));
        assert!(world.log.contains(&format!("WARN p: pre-start hook failed ({reason})")), "{:?}", world.log);
        world.pass(10_000);
        assert_eq!((world.state("p"), world.children.len()), (ProcessState::Fatal, 0));
    }
}

#[test]
fn a_stop_waits_for_its_hooks_and_a_start_for_those_of_the_stop() {
    let mut world = World::started(vec![hooked("p", &[PreStop, PostStop], |_| {})]);
    world.pass(1_000);
    world.command_time = Duration::from_secs(2);
    let stopping = world.call(stop("p", true));
    assert_eq!((world.state("p"), world.description("p").as_str()), (ProcessState::Stopping, "running pre-stop hook"));
    world.pass(2_000);
    assert_eq!((world.state("p"), world.replies.contains_key(&stopping)), (ProcessState::Stopped, false));
    let starting = world.call(start("p", true));
    assert_eq!(world.reply(stopping), &Ok(Answer::Done), "it had stopped");
    assert_eq!(world.description("p"), "waiting for post-stop hook to end");
    world.pass(2_000);
    assert_eq!(world.description("p"), "");
    world.pass(1_000);
    assert_eq!(world.reply(starting), &Ok(Answer::Done));
    let variables = "SUPERVISOR_EXIT_CODE= SUPERVISOR_EXIT_SIGNAL=SIGTERM SUPERVISOR_REASON=stopped";
    assert_eq!(world.hooks, ["pre-stop hook".to_owned(), format!("post-stop hook {variables}")]);
}

#[test]
fn a_stop_that_does_not_wait_is_answered_before_the_hook_has_ended() {
    let mut world = World::started(vec![hooked("p", &[PreStop], |_| {})]);
    world.pass(1_000);
    world.command_time = Duration::from_secs(2);
    let call = world.call(stop("p", false));
    assert_eq!(world.reply(call), &Ok(Answer::Done));
}

#[test]
fn a_stopped_start_ends_its_hook_and_waits_for_that() {
    let mut world = World::started(vec![hooked("p", &[PreStart], |_| {})]);
    world.command_time = Duration::from_secs(3);
    world.call(stop("p", true));
    world.call(start("p", false));
    world.pass(0);
    world.pass(5_000);
    assert_eq!(world.state("p"), ProcessState::Running);
    assert_eq!(world.hooks.len(), 2);
}

#[test]
fn the_hook_after_an_end_waits_for_those_that_are_ended_with_the_program() {
    for crash in [false, true] {
        let groups = || vec![hooked("p", &[ProgramCommand::PostStart, PostStop], |_| {})];
        let mut world = World::started(groups());
        world.command_time = Duration::from_secs(1_000);
        world.command_grace = Duration::from_secs(2);
        world.pass(1_000);
        let call = world.call(stop("p", true));
        world.command_time = Duration::from_secs(1);
        world.pass(1_000);
        assert_eq!((world.state("p"), world.hooks.len()), (ProcessState::Stopped, 1), "{:?}", world.hooks);
        if crash {
            world.crash(0, groups());
        }
        world.pass(999);
        assert_eq!(world.hooks.len(), 1);
        world.pass(1);
        assert_eq!(world.hooks.len(), 2, "{:?}", world.hooks);
        assert!(!world.replies.contains_key(&call));
        world.pass(1_000);
        assert!(crash || world.reply(call) == &Ok(Answer::Done));
        world.pass(1_000);
        assert_eq!(world.hooks.len(), 2, "{:?}", world.hooks);
    }
}

#[test]
fn a_group_is_removed_when_its_hooks_have_ended() {
    let mut world = World::started(vec![hooked("p", &[PostStop], |_| {})]);
    world.command_time = Duration::from_secs(2);
    world.pass(1_000);
    world.call(stop("p", false));
    world.pass(0);
    let early = world.call(Call::RemoveProcessGroup { group: "p".to_owned() });
    assert_eq!(world.reply(early), &refused(Reason::StillRunning, "p"));
    world.pass(2_000);
    let late = world.call(Call::RemoveProcessGroup { group: "p".to_owned() });
    assert_eq!(world.reply(late), &Ok(Answer::Done));
}

#[test]
fn a_shutdown_waits_for_hooks_until_their_limit() {
    let mut world = World::started(vec![hooked("p", &[PreStop, PostStop], |_| {})]);
    world.pass(1_000);
    world.command_time = Duration::from_secs(1_000);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.pass(59_999);
    assert!(world.ending.is_none());
    world.pass(1);
    assert!(world.ending.is_some());
}

#[test]
fn a_shutdown_ends_a_pre_start_hook() {
    let mut world = World::started(vec![hooked("p", &[PreStart], |_| {})]);
    world.command_time = Duration::from_secs(1_000);
    world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
    world.pass(0);
    assert!(world.ending.is_some());
}

#[test]
fn whoever_goes_on_waits_for_the_same_hooks() {
    for crash in [false, true] {
        for hook in [PreStart, PreStop, PostStop] {
            let groups = || vec![hooked("p", &[hook], |_| {})];
            let mut world = World::started(groups());
            world.pass(if hook == PreStart { 0 } else { 1_000 });
            world.command_time = Duration::from_secs(5);
            match hook {
                PreStart => drop(world.call(stop("p", true))),
                _ => drop(world.call(stop("p", false))),
            }
            world.pass(0);
            if hook == PreStart {
                world.call(start("p", false));
            }
            let before = world.hooks.clone();
            match crash {
                true => world.crash(0, groups()),
                false => world.hand_over(),
            }
            assert_eq!(world.commands.len(), 1, "{hook}");
            world.pass(4_999);
            assert_eq!(world.children.len(), usize::from(hook == PreStop), "{hook}");
            world.pass(3_000);
            let state = if hook == PreStart { ProcessState::Running } else { ProcessState::Stopped };
            assert_eq!((world.state("p"), &world.hooks), (state, &before), "{hook} ran once");
        }
    }
}

#[test]
fn a_hook_that_was_about_to_run_is_run_by_whoever_goes_on() {
    let groups = || vec![hooked("p", &[PostStop], |_| {})];
    let mut world = World::started(groups());
    world.pass(1_000);
    world.call(stop("p", false));
    let (pid, run) = world.children.iter().map(|(pid, child)| (*pid, child.run)).next().unwrap();
    world.dying.clear();
    world.children.clear();
    let process = world.id("p");
    world.supervisor.handle(world.now, SupervisorInput::Exited { run, pid, status: ExitStatus::Code(7) });
    world.note(process);
    world.crash(0, groups());
    world.pass(0);
    let variables = "SUPERVISOR_EXIT_CODE=7 SUPERVISOR_EXIT_SIGNAL= SUPERVISOR_REASON=stopped";
    assert_eq!(world.hooks, [format!("post-stop hook {variables}")]);
    assert!(world.commands.is_empty());
}
