use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use mio::Poll;
use supervisord_sys::own_child::wait_at_most;
use supervisord_sys::pipe;
use supervisord_sys::spawn::Environment;

use super::*;
use crate::clock::present;
use crate::control::exit_status::exit_status;

/// Long enough for everything that is bound to happen.
const LONG: Duration = Duration::from_secs(60);

fn spawn(children: &mut Children, script: &str, role: Role, kill_at: Option<Duration>) -> (RunId, u32) {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let stdio = Stdio { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
    let command = SpawnPlan::new(Path::new("/bin/sh"), &["sh", "-c", script], Environment::default()).unwrap();
    children.spawn(ChildPlan { command, stdio, role, kill_at }).unwrap()
}

fn telling(number: u32, tell: &Sender<u32>) -> Role {
    let tell = tell.clone();
    Role::Plugin(Box::new(move || tell.send(number).unwrap()))
}

fn reap(pid: u32) -> ExitStatus {
    exit_status(wait_at_most(Pid::new(pid).unwrap(), LONG).unwrap().unwrap())
}

#[test]
fn a_child_that_runs_for_too_long_is_killed() {
    let (mut children, poll) = (Children::new(OutputHandle::new()), Poll::new().unwrap());
    let now = present().mono;
    let output = pipe::from_child().unwrap();
    let role = Role::SelfTest(output.reader.into());
    let (run, pid) = spawn(&mut children, "exec sleep 100", role, Some(now + LONG));
    assert_eq!(children.next_time_limit(), Some(now + LONG));
    children.enforce_time_limits(now);
    assert_eq!(children.next_time_limit(), Some(now + LONG), "it is left alone until then");
    children.enforce_time_limits(now + LONG);
    assert_eq!(children.next_time_limit(), None);
    let exit = children.reaped(pid, reap(pid), present(), poll.registry());
    let Some(Exit::SelfTest(ended, SelfTestResult { status, timed_out: true, .. })) = exit else { panic!("too early") };
    assert_eq!((ended, status), (run, ExitStatus::Signal { number: SIGKILL, core_dumped: false }));
}

#[test]
fn a_child_that_ends_in_time_has_no_limit_any_more() {
    let (mut children, poll) = (Children::new(OutputHandle::new()), Poll::new().unwrap());
    let role = Role::SelfTest(pipe::from_child().unwrap().reader.into());
    let (_, pid) = spawn(&mut children, "exit 3", role, Some(present().mono + LONG));
    let exit = children.reaped(pid, reap(pid), present(), poll.registry());
    let Some(Exit::SelfTest(_, SelfTestResult { status, timed_out: false, .. })) = exit else { panic!("too late") };
    assert_eq!((status, children.next_time_limit()), (ExitStatus::Code(3), None));
}

#[test]
fn a_pid_that_comes_again_is_another_run() {
    let (mut children, poll) = (Children::new(OutputHandle::new()), Poll::new().unwrap());
    let (tell, told) = channel();
    let (first, pid) = spawn(&mut children, "exit 1", telling(1, &tell), None);
    reap(pid);
    // The end of the first one is not known yet when its number is used again.
    let second = RunId(first.0 + 1000);
    children.add(second, pid, telling(2, &tell), None);
    let gone = children.kill(first, 0, KillScope::Process);
    assert_eq!(gone, Err(KillFailure::Gone("[Errno 3] No such process".to_owned())));
    let tell_of = |exit: Option<Exit>| match exit {
        Some(Exit::Plugin(on_exit)) => on_exit(),
        _ => panic!("it is another child"),
    };
    tell_of(children.reaped(pid, ExitStatus::Code(2), present(), poll.registry()));
    assert_eq!(told.try_recv(), Ok(2));
    tell_of(children.exited(first, ExitStatus::Code(1), present(), poll.registry()));
    assert_eq!(told.try_recv(), Ok(1));
    let unknown = children.reaped(pid, ExitStatus::Code(0), present(), poll.registry());
    assert!(matches!(unknown, Some(Exit::Unknown { .. })), "nobody has this number now");
}
