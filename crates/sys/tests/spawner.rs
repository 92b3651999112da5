//! Children that are alone in their process, because they hold what other tests open, or change what all share.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use supervisord_sys::pipe;
use supervisord_sys::spawn::{Environment, NOT_SPAWNED, SpawnPlan, Spawner, Stdio};
use supervisord_sys::user::{RunAs, current_uid};
use supervisord_sys::wait::{ExitStatus, wait_for};

fn plan(argv: &[&str]) -> SpawnPlan {
    SpawnPlan::new(Path::new(argv[0]), argv, Environment::default()).unwrap()
}

/// A stderr that is full, for children that have something to say, stands for the dead disk.
#[test]
fn a_child_that_does_not_come_off_the_ground_holds_nobody_up() {
    let full = pipe::pipe().unwrap();
    let capacity = pipe::capacity(full.writer.as_fd()).unwrap();
    let mut writer = File::from(full.writer);
    writer.write_all(&vec![b'x'; capacity]).unwrap();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let mut spawner = Spawner::default();
    let stdio = Stdio { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: writer.as_fd() };
    let stuck: Vec<_> = (0..10).map(|_| spawner.spawn(plan(&["/nonexistent/program"]), stdio).unwrap()).collect();

    let stdio = Stdio { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
    let other = spawner.spawn(plan(&["/bin/sh", "-c", "exit 4"]), stdio).unwrap();
    assert_eq!(wait_for(other).unwrap(), ExitStatus::Code(4));

    drop(writer);
    let mut text = String::new();
    File::from(full.reader).read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("child process was not spawned\n").count(), stuck.len(), "{text}");
    for child in stuck {
        assert_eq!(wait_for(child).unwrap(), ExitStatus::Code(NOT_SPAWNED));
    }
}

#[test]
fn a_child_becomes_another_user_and_the_daemon_does_not() {
    if current_uid() != 0 {
        return;
    }
    let mut spawner = Spawner::default();
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
