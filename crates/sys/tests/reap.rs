//! Reaping of any child. This test has its own process, because it also reaps children of other tests.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use supervisord_sys::Pid;
use supervisord_sys::signal::{Signal, Signals};
use supervisord_sys::spawn::{Environment, SpawnPlan, Stdio, spawn};
use supervisord_sys::wait::{WaitStatus, reap};

fn start(script: &str) -> Pid {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let stdio = Stdio { stdin: null.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
    spawn(SpawnPlan::new(Path::new("/bin/sh"), &["sh", "-c", script], Environment::default()).unwrap(), stdio).unwrap()
}

#[test]
fn every_child_is_reaped_once_and_announced() {
    assert_eq!(reap(), Ok(None), "there are no children yet");
    let mut signals = Signals::catch(&[Signal::Child]).unwrap();
    let mut expected: BTreeMap<Pid, WaitStatus> =
        (0..20).map(|code| (start(&format!("exit {code}")), WaitStatus::Code(code))).collect();
    expected.insert(start("kill -KILL $$"), WaitStatus::Signal { number: 9, core_dumped: false });

    let mut seen = BTreeMap::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while seen.len() < expected.len() {
        assert!(signals.wait(Some(deadline - Instant::now())).unwrap(), "not announced: {seen:?}");
        assert_eq!(signals.drain(), [Signal::Child]);
        while let Some((pid, status)) = reap().unwrap() {
            assert_eq!(seen.insert(pid, status), None);
        }
    }
    assert_eq!(seen, expected);
    assert_eq!(reap(), Ok(None));
}
