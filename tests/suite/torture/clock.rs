//! Changes of the wall clock, which supervision does not use for delays.

use std::time::{Duration, Instant};

use super::resources::{assert_idle, restart_latency};
use crate::harness::needs;
use crate::harness::{Scene, Subject, only_ours, wait};

/// The clock of the machine is never changed.
#[test]
fn setting_the_clock_changes_no_delay() {
    let Some(library) = needs::clock_library("changes of the clock") else { return };
    only_ours(|| {
        let configuration = "[program:steady]\ncommand=env -u LD_PRELOAD sleep 1000\nstartsecs=0\nautorestart=true\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n[program:slow]\ncommand=env -u LD_PRELOAD sleep 1000\nstartsecs=2\n\
            autorestart=true\nautostart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n[program:deaf]\n\
            command=env -u LD_PRELOAD sh -c 'trap \"\" TERM; touch {dir}/ready; while :; do sleep 0.1; done'\nstartsecs=0\nautostart=false\n\
            stopwaitsecs=2\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let scene = Scene::with("clock", configuration)
            .file("offset", "+0\n")
            .env("LD_PRELOAD", &library.display().to_string())
            .env("FAKETIME_TIMESTAMP_FILE", "{dir}/offset")
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("steady", "RUNNING");
        for offset in ["-1h", "+1h", "+0", "-300d", "+300d", "+0"] {
            let start = Instant::now();
            daemon.call("supervisor.startProcess", &["deaf".into()]);
            daemon.call("supervisor.startProcess", &["slow".into(), false.into()]);
            daemon.write("offset", &format!("{offset}\n"));
            assert!(restart_latency(&daemon, "steady") < wait::DEADLINE, "{offset}");
            daemon.wait_for_state("slow", "RUNNING");
            let took = start.elapsed();
            assert!(took >= Duration::from_secs(2) && took < wait::DEADLINE, "{offset}: {took:?}");
            daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
            let start = Instant::now();
            daemon.write("offset", "+0\n");
            daemon.call("supervisor.stopAllProcesses", &[]);
            let took = start.elapsed();
            assert!(took >= Duration::from_secs(2) && took < wait::DEADLINE, "{offset}: {took:?}");
            std::fs::remove_file(daemon.path("ready")).expect("it exists");
            daemon.call("supervisor.startProcess", &["steady".into()]);
        }
        assert_idle(&daemon);
        assert_eq!(daemon.stop(), 0);
    });
}
