use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use mio::Poll;
use supervisord_config::model::LogLevel;
use supervisord_sys::own_child::wait_at_most;
use supervisord_sys::pipe;
use supervisord_sys::process_handle::ProcessHandle;
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

/// An activity log, and its lines.
fn activity() -> (Activity, Arc<Mutex<String>>) {
    let lines = Arc::new(Mutex::new(String::new()));
    let written = lines.clone();
    (Activity::new(LogLevel::Info, move |line| written.lock().unwrap().push_str(&line)), lines)
}

/// A descriptor cannot be watched twice, which stands in for a system without room for one more watch.
const OTHER: Token = Token(usize::MAX >> 1);

#[test]
fn an_orphan_that_cannot_be_watched_lives_and_its_end_is_seen() {
    let (mut children, poll) = (Children::new(OutputHandle::new()), Poll::new().unwrap());
    let (activity, log) = activity();
    let (run, pid) = spawn(&mut children, "exec sleep 100", Role::Keeper, None);
    let handle = OwnedFd::from(ProcessHandle::open(Pid::new(pid).unwrap()).unwrap());
    register(poll.registry(), &handle, OTHER, Interest::READABLE).unwrap();
    let kept = state::Run::new(run).of(pid);
    let orphan = children.watch_orphan(run, &kept, Some(handle), "web", &activity, poll.registry());
    let orphan = Some(orphan.expect("it lives"));
    let text = log.lock().unwrap().clone();
    assert!(text.contains("WARN cannot watch the process of web, which is looked at every 100 ms instead"), "{text}");
    let supervised = Supervised { process: ProcessId(1), kept, stdin: None, orphan, ready: None };
    children.add(run, pid, Role::Program(supervised), None);
    let mut now = present().mono;
    let looked_at = children.take_unwatched(now, poll.registry());
    assert_eq!(looked_at.len(), 1);
    assert_eq!(children.orphan_ended(looked_at[0], now), None);
    assert!(children.take_unwatched(now, poll.registry()).is_empty(), "not again at once");
    children.kill(run, SIGKILL, KillScope::Process).unwrap();
    let status = loop {
        now = children.next_look().expect("it is looked at again").max(present().mono);
        let looked_at = children.take_unwatched(now, poll.registry());
        if let Some((ended, status)) = looked_at.into_iter().find_map(|token| children.orphan_ended(token, now)) {
            assert_eq!(ended, run);
            break status;
        }
        std::thread::yield_now();
    };
    assert_eq!(status, ExitStatus::Signal { number: SIGKILL, core_dumped: false });
    reap(pid);
    assert!(children.exited(run, status, present(), poll.registry()).is_some());
    children.take_unwatched(now + LONG, poll.registry());
    assert_eq!(children.next_look(), None, "nothing is left to be looked at");
}

#[test]
fn a_readiness_that_cannot_be_watched_is_heard_nevertheless() {
    let (mut children, poll) = (Children::new(OutputHandle::new()), Poll::new().unwrap());
    let (activity, log) = activity();
    let output = pipe::from_child().unwrap();
    register(poll.registry(), &output.reader, OTHER, Interest::READABLE).unwrap();
    let run = RunId(1);
    let ready = children.await_readiness(run, output.reader, "db", &activity, poll.registry());
    let text = log.lock().unwrap().clone();
    assert!(text.contains("WARN cannot watch the readiness of db"), "{text}");
    let kept = state::Run::new(run);
    let supervised = Supervised { process: ProcessId(1), kept, stdin: None, orphan: None, ready: Some(ready) };
    children.add(run, u32::MAX, Role::Program(supervised), None);
    let mut writer = File::from(output.writer);
    let mut now = present().mono;
    for (word, expected) in [("almost", None), ("ready\n", Some((run, Heard::Ready)))] {
        writer.write_all(word.as_bytes()).unwrap();
        now += LONG;
        let looked_at = children.take_unwatched(now, poll.registry());
        assert_eq!(looked_at.len(), 1);
        assert_eq!(children.hear_readiness(looked_at[0], poll.registry()), expected);
    }
    children.take_unwatched(now + LONG, poll.registry());
    assert_eq!(children.next_look(), None, "nothing is left to be looked at");
}

#[test]
fn a_listener_that_cannot_be_watched_is_heard_until_it_can() {
    let (mut children, poll) = (Children::new(OutputHandle::new()), Poll::new().unwrap());
    let (activity, log) = activity();
    let output = pipe::from_child().unwrap();
    let stdout = output.reader;
    register(poll.registry(), &stdout, OTHER, Interest::READABLE).unwrap();
    let run = RunId(1);
    let listener = children.listen(run, stdout, "ears", &activity, poll.registry());
    let text = log.lock().unwrap().clone();
    assert!(text.contains("WARN cannot watch the stdout of ears"), "{text}");
    let kept = state::Run::new(run);
    let supervised = Supervised { process: ProcessId(1), kept, stdin: None, orphan: None, ready: None };
    children.add(run, u32::MAX, Role::Listener(supervised, Box::new(listener)), None);
    let mut writer = File::from(output.writer);
    let mut now = present().mono;
    for word in ["READY", "RESULT"] {
        writer.write_all(word.as_bytes()).unwrap();
        now += LONG;
        let looked_at = children.take_unwatched(now, poll.registry());
        let heard = looked_at.into_iter().find_map(|token| children.read_listener(token)).unwrap();
        assert_eq!(heard, (run, ProcessId(1), word.as_bytes().to_vec()));
    }
    let Some(Role::Listener(_, listener)) = children.living.get(&run).map(|child| &child.role) else { panic!("lost") };
    deregister(poll.registry(), &listener.pipe);
    assert_eq!(children.take_unwatched(now + LONG, poll.registry()).len(), 1);
    assert_eq!(children.next_look(), None, "it is watched");
}
