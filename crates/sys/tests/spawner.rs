//! Children that are alone in their process, because they hold what other tests open, or change what all share.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

use supervisord_sys::pipe;
use supervisord_sys::spawn::{Environment, NOT_SPAWNED, SpawnPlan, Spawner, Stdio};
use supervisord_sys::user::{RunAs, current_uid};
use supervisord_sys::wait::{ExitStatus, wait_for};

fn plan(argv: &[&str]) -> SpawnPlan {
    SpawnPlan::new(Path::new(argv[0]), argv, Environment::default()).unwrap()
}

/// Both ways to make children, by the release of Linux that has them.
const RELEASES: [&str; 2] = ["6.1.0", "5.10.0"];

/// A pipe that is full. A child that has it as its stderr, and something to say, does not come off the ground.
fn full_pipe() -> (OwnedFd, File) {
    let full = pipe::pipe().unwrap();
    let capacity = pipe::capacity(full.writer.as_fd()).unwrap();
    let mut writer = File::from(full.writer);
    writer.write_all(&vec![b'x'; capacity]).unwrap();
    (full.reader, writer)
}

/// A full stderr stands for the dead disk.
#[test]
fn a_child_that_does_not_come_off_the_ground_holds_nobody_up() {
    RELEASES.into_iter().for_each(holds_nobody_up);
}

fn holds_nobody_up(release: &str) {
    let (reader, writer) = full_pipe();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let mut spawner = Spawner::on(release);
    let stdio = Stdio { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
    let stuck: Vec<_> = (0..10).map(|_| spawner.spawn(plan(&["/nonexistent/program"]), stdio).unwrap()).collect();

    let stdio = Stdio { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
    let other = spawner.spawn(plan(&["/bin/sh", "-c", "exit 4"]), stdio).unwrap();
    assert_eq!(wait_for(other).unwrap(), ExitStatus::Code(4));

    drop(writer);
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("child process was not spawned\n").count(), stuck.len(), "{text}");
    for child in stuck {
        assert_eq!(wait_for(child).unwrap(), ExitStatus::Code(NOT_SPAWNED));
    }
}

/// Where a signal that dumps core would end all who share the memory, a child has one of its own from the beginning.
#[test]
fn memory_is_shared_only_where_a_child_cannot_end_the_daemon() {
    let is_possible = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    let releases = [("6.1.0-28-amd64", true), ("5.16.0", true), ("5.15.0-91", false), ("4.19.0", false), ("", false)];
    for (release, shares) in releases {
        let (reader, writer) = full_pipe();
        let null = File::open("/dev/null").unwrap();
        let stdio = Stdio { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
        let word = AtomicU8::new(0);
        let child = Spawner::on(release).spawn(plan(&["/nonexistent/program"]), stdio).unwrap();
        word.store(1, Ordering::SeqCst);
        let mut seen = [9];
        let memory = File::open(format!("/proc/{child}/mem")).unwrap();
        memory.read_exact_at(&mut seen, ptr::from_ref(&word).addr() as u64).unwrap();
        drop(writer);
        File::from(reader).read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(wait_for(child).unwrap(), ExitStatus::Code(NOT_SPAWNED));
        assert_eq!(seen, [u8::from(shares && is_possible)], "{release:?}");
    }
}

#[test]
fn a_child_becomes_another_user_and_the_daemon_does_not() {
    if current_uid() != 0 {
        return;
    }
    RELEASES.into_iter().for_each(becomes_another_user);
}

fn becomes_another_user(release: &str) {
    let mut spawner = Spawner::on(release);
    let mut user_of_next = |run_as: RunAs| {
        let output = pipe::pipe().unwrap();
        let null = File::open("/dev/null").unwrap();
        let stdio = Stdio { stdin: null.as_fd(), stdout: output.writer.as_fd(), stderr: output.writer.as_fd() };
        let child = spawner.spawn(plan(&["/usr/bin/id", "-u"]).run_as(run_as), stdio).unwrap();
        drop(output.writer);
        let mut text = String::new();
        File::from(output.reader).read_to_string(&mut text).unwrap();
        assert_eq!(wait_for(child), Ok(ExitStatus::Code(0)));
        spawner.settle();
        text
    };
    assert_eq!(user_of_next(RunAs::uid(65534)), "65534\n");
    assert_eq!(nix::sys::prctl::get_dumpable(), Ok(true));
    assert_eq!(user_of_next(RunAs::Same), "0\n");
    assert_eq!(current_uid(), 0);
}
