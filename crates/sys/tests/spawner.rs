//! Spawning tests in a process of their own, because the children hold descriptors of other tests, or change state that
//! all share.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use supervisord_sys::pipe;
use supervisord_sys::spawn::{Environment, NOT_SPAWNED, SpawnPlan, Spawner, Stdio};
use supervisord_sys::user::{RunAs, current_uid};
use supervisord_sys::user_ids::UserIds;
use supervisord_sys::wait::{WaitStatus, wait_for};

fn plan(argv: &[&str]) -> SpawnPlan {
    SpawnPlan::new(Path::new(argv[0]), argv, Environment::default()).unwrap()
}

/// Both ways to spawn, by a release of Linux that uses them.
const RELEASES: [&str; 2] = ["6.1.0", "5.10.0"];

/// A full pipe. A child that has it as its stderr, and an error to write, does not reach its exec.
fn full_pipe() -> (OwnedFd, File) {
    let full = pipe::pipe().unwrap();
    let capacity = pipe::capacity(full.writer.as_fd()).unwrap();
    let mut writer = File::from(full.writer);
    writer.write_all(&vec![b'x'; capacity]).unwrap();
    (full.reader, writer)
}

/// The full stderr simulates a dead disk.
#[test]
fn a_child_that_hangs_before_exec_does_not_block_others() {
    RELEASES.into_iter().for_each(does_not_block_others);
}

fn does_not_block_others(release: &str) {
    let (reader, writer) = full_pipe();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let mut spawner = Spawner::on(release);
    let stdio = Stdio { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
    let stuck: Vec<_> =
        (0..10).map(|_| spawner.spawn(plan(&["/nonexistent/program"]), stdio, &AtomicU64::new(0)).unwrap()).collect();

    let stdio = Stdio { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
    let other = spawner.spawn(plan(&["/bin/sh", "-c", "exit 4"]), stdio, &AtomicU64::new(0)).unwrap();
    assert_eq!(wait_for(other).unwrap(), WaitStatus::Code(4));

    drop(writer);
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("child process was not spawned\n").count(), stuck.len(), "{text}");
    for child in stuck {
        assert_eq!(wait_for(child).unwrap(), WaitStatus::Code(NOT_SPAWNED));
    }
}

/// If a signal that dumps core could end all processes with the same memory, a child has its own memory from the start.
#[test]
fn memory_is_shared_only_where_a_child_cannot_end_the_daemon() {
    let is_possible = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    let releases = [("6.1.0-28-amd64", true), ("5.16.0", true), ("5.15.0-91", false), ("4.19.0", false), ("", false)];
    for (release, shares) in releases {
        let (reader, writer) = full_pipe();
        let null = File::open("/dev/null").unwrap();
        let stdio = Stdio { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
        let word = AtomicU8::new(0);
        let child = Spawner::on(release).spawn(plan(&["/nonexistent/program"]), stdio, &AtomicU64::new(0)).unwrap();
        word.store(1, Ordering::SeqCst);
        let mut seen = [9];
        let memory = File::open(format!("/proc/{child}/mem")).unwrap();
        memory.read_exact_at(&mut seen, ptr::from_ref(&word).addr() as u64).unwrap();
        drop(writer);
        File::from(reader).read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(wait_for(child).unwrap(), WaitStatus::Code(NOT_SPAWNED));
        assert_eq!(seen, [u8::from(shares && is_possible)], "{release:?}");
    }
}

/// The dumpable flag is one for all: tests with a change of the user run one after the other.
static OTHERS: Mutex<()> = Mutex::new(());

fn others() -> MutexGuard<'static, ()> {
    OTHERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// With `fs.suid_dumpable` = 1, a change of the user does not prevent that user from tracing the child, whose memory is
/// the daemon's; but a process without all groups of the child, including the saved one, may not trace it.
#[test]
fn a_child_cannot_be_traced_before_it_executes_its_program() {
    if current_uid() != 0 {
        return;
    }
    let _turn = others();
    for (uid, gid) in [(65534, 65534), (65534, 0)] {
        let (reader, writer) = full_pipe();
        let null = File::open("/dev/null").unwrap();
        let stdio = Stdio { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
        let run_as = RunAs::Other(UserIds { uid, gid, groups: vec![gid] });
        let mut spawner = Spawner::default();
        let child = spawner.spawn(plan(&["/nonexistent/program"]).run_as(run_as), stdio, &AtomicU64::new(0)).unwrap();
        let status = || std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
        let ids = |name: &str| {
            let status = status();
            let line = status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            line.split_whitespace().skip(1).map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
        };
        // The child has changed its user, has not executed its program, and waits for a reader of its error.
        while ids("Uid:")[0] != uid {
            std::thread::yield_now();
        }
        let [real, effective, saved, _] = ids("Gid:")[..] else { panic!("four numbers") };
        drop(writer);
        File::from(reader).read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(wait_for(child).unwrap(), WaitStatus::Code(NOT_SPAWNED));
        spawner.settle();
        assert_eq!((real, effective), (gid, gid));
        assert_ne!(saved, gid);
    }
}

#[test]
fn exec_resets_the_saved_group() {
    if current_uid() != 0 {
        return;
    }
    let _turn = others();
    let output = pipe::pipe().unwrap();
    let null = File::open("/dev/null").unwrap();
    let stdio = Stdio { stdin: null.as_fd(), stdout: output.writer.as_fd(), stderr: output.writer.as_fd() };
    let plan = plan(&["/bin/cat", "/proc/self/status"]).run_as(RunAs::uid(65534));
    let mut spawner = Spawner::default();
    let child = spawner.spawn(plan, stdio, &AtomicU64::new(0)).unwrap();
    drop(output.writer);
    let mut text = String::new();
    File::from(output.reader).read_to_string(&mut text).unwrap();
    assert_eq!(wait_for(child), Ok(WaitStatus::Code(0)));
    spawner.settle();
    assert!(text.contains("Gid:\t65534\t65534\t65534\t65534\n"), "{text}");
}

#[test]
fn a_child_becomes_another_user_and_the_daemon_does_not() {
    if current_uid() != 0 {
        return;
    }
    let _turn = others();
    RELEASES.into_iter().for_each(becomes_another_user);
}

fn becomes_another_user(release: &str) {
    let mut spawner = Spawner::on(release);
    let mut user_of_next = |run_as: RunAs| {
        let output = pipe::pipe().unwrap();
        let null = File::open("/dev/null").unwrap();
        let stdio = Stdio { stdin: null.as_fd(), stdout: output.writer.as_fd(), stderr: output.writer.as_fd() };
        let child = spawner.spawn(plan(&["/usr/bin/id", "-u"]).run_as(run_as), stdio, &AtomicU64::new(0)).unwrap();
        drop(output.writer);
        let mut text = String::new();
        File::from(output.reader).read_to_string(&mut text).unwrap();
        assert_eq!(wait_for(child), Ok(WaitStatus::Code(0)));
        spawner.settle();
        text
    };
    assert_eq!(user_of_next(RunAs::uid(65534)), "65534\n");
    assert_eq!(nix::sys::prctl::get_dumpable(), Ok(true));
    assert_eq!(user_of_next(RunAs::Same), "0\n");
    assert_eq!(current_uid(), 0);
}
