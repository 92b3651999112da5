//! Daemons that are killed between a signal and all that follows it.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::harness::{Daemon, Scene, Subject, needs, only_ours, processes};

/// Longer than any test, in microseconds.
const FOREVER_MICROS: u64 = 3_600_000_000;

/// Holds the daemon in the system call that sends a signal, after the signal has been sent.
struct HeldAfterSignal {
    strace: Child,
}

impl HeldAfterSignal {
    fn begin(daemon: &mut Daemon) -> HeldAfterSignal {
        let calls = "kill,pidfd_send_signal";
        let pid = daemon.pid();
        let strace = Command::new(needs::program("strace"))
            .args(["-q", "-o", "/dev/null", "-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:delay_exit={FOREVER_MICROS}"), "-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace can be executed");
        let held = HeldAfterSignal { strace };
        daemon.wait_until("it is traced", |_| processes::status(pid, "TracerPid").is_some_and(|tracer| tracer > 0));
        held
    }
}

impl Drop for HeldAfterSignal {
    fn drop(&mut self) {
        processes::signal(self.strace.id() as i32, Signal::SIGKILL);
        let _ = self.strace.wait();
    }
}

/// A program that is restarted because it is unhealthy, and would not be started again after an end by itself.
#[test]
fn a_restart_goes_on_of_which_only_the_signal_was_sent() {
    only_ours(|| {
        let options = "command=sleep 1000\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
                       healthcheck=file:{dir}/well\nhealthcheck_interval=1s\nhealthcheck_retries=1\non_unhealthy=restart\n";
        let scene = Scene::with("stops", &format!("[program:web]\n{options}")).file("well", "");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("web", "RUNNING");
        let pid = daemon.pid_of("web");
        let held = HeldAfterSignal::begin(&mut daemon);
        std::fs::remove_file(daemon.path("well")).expect("it is there");
        daemon.wait_until("the signal has been sent", |_| !processes::alive(pid));
        daemon.write("well", "");
        // Its end is reported to whoever traces it first.
        processes::signal(daemon.pid(), Signal::SIGKILL);
        drop(held);
        daemon.exit_code();
        daemon.start_again();
        daemon.wait_until("another one runs", |daemon| {
            daemon.state_of("web") == "RUNNING" && daemon.pid_of("web") != pid
        });
    });
}
