//! Hooks before and after the start and the stop of a process.

use super::*;
use crate::process::ProgramCommand::{Environment, PostStart, PostStop, PreStart, PreStop};

fn hooked(hooks: &[ProgramCommand]) -> TestMachine {
    TestMachine::new(|config| {
        let command = |hook| hooks.contains(&hook).then(|| "/bin/hook".to_owned());
        config.hooks.pre_start = command(PreStart);
        config.hooks.post_start = command(PostStart);
        config.hooks.pre_stop = command(PreStop);
        config.hooks.post_stop = command(PostStop);
    })
}

fn ended(hook: ProgramCommand) -> MachineInput {
    MachineInput::CommandEnded(hook, Ok(()))
}

fn failed(hook: ProgramCommand) -> MachineInput {
    MachineInput::CommandEnded(hook, Err("exit status 3".to_owned()))
}

#[test]
fn each_hook_runs_at_its_moment() {
    let mut test = hooked(&ProgramCommand::ALL);
    test.give(MachineInput::Start).pass(10_000);
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0", "pre-start hook"]);
    assert_eq!(test.machine.pid(), 0);
    test.give(ended(PreStart)).pass(999);
    assert_eq!(test.take_events(), [""; 0], "startsecs count from the birth of the child");
    test.pass(1);
    assert_eq!(test.take_events(), ["STARTING>RUNNING pid:1001", "post-start hook"]);
    test.give(failed(PostStart));
    assert_eq!((test.state(), test.machine.has_failed()), (Running, false));
    test.give(MachineInput::Stop);
    assert_eq!(test.take_events(), ["RUNNING>STOPPING pid:1001", "pre-stop hook"]);
    assert_eq!(test.signals, []);
    test.give(failed(PreStop));
    assert_eq!(test.signals, [(15, false)]);
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!(test.take_events(), ["post-stop hook", "STOPPING>STOPPED pid:1001"]);
    assert_eq!(test.commands_ended, 2, "what still runs is ended with the stop, and with the child");
}

#[test]
fn a_failed_pre_start_hook_is_a_failed_start() {
    let mut test = hooked(&[PreStart]);
    test.config.start.startretries = 1;
    test.give(MachineInput::Start).give(failed(PreStart));
    assert_eq!(test.machine.spawn_error(), "pre-start hook failed (exit status 3)");
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0", "pre-start hook", "STARTING>BACKOFF tries:1"]);
    test.pass(1_000);
    assert_eq!(test.take_events(), ["BACKOFF>STARTING tries:1", "pre-start hook"]);
    test.give(failed(PreStart));
    assert_eq!(test.take_events(), ["STARTING>BACKOFF tries:2", "BACKOFF>FATAL"]);
    assert_eq!(test.next_pid, 1000, "no child was made");
}

#[test]
fn a_stop_ends_the_pre_start_hook() {
    for input in [MachineInput::Stop, MachineInput::Shutdown] {
        let mut test = hooked(&[PreStart]);
        test.give(MachineInput::Start).give(input);
        assert_eq!((test.state(), test.machine.wanted(), test.commands_ended), (Stopped, Wanted::Down, 1));
        test.give(failed(PreStart));
        assert_eq!((test.state(), test.machine.has_failed()), (Stopped, false));
    }
}

#[test]
fn a_start_waits_while_a_command_runs() {
    let mut test = hooked(&[PostStop]);
    test.config.restart.autorestart = AutoRestart::Always;
    test.give(MachineInput::Start).pass(1_000).give(MachineInput::Ended(CODE_0));
    assert_eq!(test.machine.phase(), ProcessPhase::AwaitingDependencies);
    test.give(MachineInput::DependenciesMet);
    assert_eq!(test.machine.phase(), ProcessPhase::AwaitingDependencies, "it still runs");
    test.give(ended(PostStop)).give(MachineInput::DependenciesMet).pass(1_000);
    assert_eq!(test.state(), Running);
}

#[test]
fn the_end_of_the_child_ends_a_stop_before_its_hook_has_ended() {
    let mut test = hooked(&[PreStop]);
    test.give(MachineInput::Start).pass(1_000).give(MachineInput::Stop).give(MachineInput::Ended(CODE_0));
    assert_eq!(test.state(), Stopped);
    test.give(ended(PreStop));
    assert_eq!((test.state(), test.signals.as_slice()), (Stopped, &[][..]));
}

#[test]
fn a_hook_that_cannot_be_killed_does_not_hold_the_stop() {
    let mut test = hooked(&[PreStop]);
    test.give(MachineInput::Start).pass(1_000).give(MachineInput::Stop).pass(34_999);
    assert_eq!(test.signals, []);
    test.pass(1);
    assert_eq!((test.state(), test.signals.as_slice()), (Stopping, &[(15, false)][..]));
}

#[test]
fn a_hook_whose_dependencies_fail_meanwhile_runs_again_later() {
    let mut test = hooked(&[PreStart]);
    test.give(MachineInput::Start);
    test.dependencies_met = false;
    test.give(ended(PreStart));
    assert_eq!(test.machine.phase(), ProcessPhase::AwaitingDependencies);
    test.dependencies_met = true;
    test.take_events();
    test.give(MachineInput::DependenciesMet);
    assert_eq!(test.take_events(), ["pre-start hook"]);
    test.give(ended(PreStart)).pass(1_000);
    assert_eq!(test.state(), Running);
}

fn asking() -> TestMachine {
    TestMachine::new(|config| config.spawn.env_command = Some("/bin/tell".to_owned()))
}

#[test]
fn a_command_tells_about_the_environment_before_the_child_is_made() {
    let mut test = asking();
    test.config.hooks.pre_start = Some("/bin/hook".to_owned());
    test.give(MachineInput::Start).give(ended(PreStart));
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0", "pre-start hook", "environment command"]);
    assert_eq!(test.next_pid, 1000, "no child is made before");
    test.give(ended(Environment)).pass(1_000);
    assert_eq!(test.take_events(), ["STARTING>RUNNING pid:1001"]);
    test.give(MachineInput::Stop).give(MachineInput::Ended(CODE_0)).take_events();
    test.give(MachineInput::Start).give(ended(PreStart)).give(MachineInput::Stop).give(ended(Environment));
    assert_eq!((test.state(), test.next_pid), (Stopped, 1001), "a stop comes before its end");
}

#[test]
fn a_command_that_does_not_tell_is_a_failed_start() {
    let mut test = asking();
    test.config.start.startretries = 1;
    test.give(MachineInput::Start).give(failed(Environment));
    assert_eq!(test.machine.spawn_error(), "environment command failed (exit status 3)");
    test.take_events();
    test.pass(1_000);
    assert_eq!(test.take_events(), ["BACKOFF>STARTING tries:1", "environment command"]);
    test.give(failed(Environment));
    assert_eq!(test.take_events(), ["STARTING>BACKOFF tries:2", "BACKOFF>FATAL"]);
}
