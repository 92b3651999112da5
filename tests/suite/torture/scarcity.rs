//! Nothing left to use: descriptors, processes.

use std::process::Command;

use super::vitals::{Vitals, assert_flat, assert_rests};
use crate::harness::needs::Power;
use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

const COUNT: usize = 12;

fn programs() -> String {
    format!(
        "[supervisord]\nminfds=64\nminprocs=8\n[program:p]\ncommand=sleep 1000\nnumprocs={COUNT}\n\
         process_name=%(process_num)02d\nstartsecs=0\nautorestart=true\nstartretries=100000\n\
         stdout_logfile={{dir}}/log.%(process_num)02d\n"
    )
}

/// Changes a limit of a running process.
fn limit(pid: i32, limit: &str) {
    limit_as(&mut Command::new("prlimit"), pid, limit);
}

fn limit_as(prlimit: &mut Command, pid: i32, limit: &str) {
    let output = prlimit.args(["--pid", &pid.to_string(), limit]).output().expect("prlimit runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn running(daemon: &Daemon) -> usize {
    processes::children(daemon.pid()).iter().filter(|child| child.state != 'Z').count()
}

fn wait_for_all(daemon: &mut Daemon) {
    daemon.wait_until("all are running", |daemon| running(daemon) == COUNT);
    daemon.wait_until("all are said to be running", |daemon| {
        let all = daemon.call("supervisor.getAllProcessInfo", &[]);
        all.items().iter().all(|process| process.get("statename").text() == "RUNNING")
    });
}

fn kill_all(daemon: &Daemon) {
    for child in processes::children(daemon.pid()) {
        processes::signal(child.pid, nix::sys::signal::Signal::SIGKILL);
    }
}

#[test]
fn without_descriptors_it_waits_for_better_times() {
    only_ours(|| {
        let mut daemon = Scene::with("descriptors", &programs()).start(Subject::Ours);
        wait_for_all(&mut daemon);
        let before = Vitals::of(&daemon);
        let pid = daemon.pid();
        for round in 0..3 {
            // Room for one or two programs only, and hardly for a client.
            let few = before.descriptors - 5 * (COUNT - 1) - round;
            limit(pid, &format!("--nofile={few}:20000"));
            kill_all(&daemon);
            let mut clients = Vec::new();
            daemon.wait_until("it says why it cannot spawn", |daemon| {
                clients.extend(std::os::unix::net::UnixStream::connect(daemon.path("s.sock")));
                daemon.log().matches("too many open files to spawn").count() > round
            });
            assert!(daemon.is_running());
            // A client that cannot be accepted waits; that must not keep the loop busy.
            assert_rests(&daemon);
            limit(pid, "--nofile=20000:20000");
            drop(clients);
            wait_for_all(&mut daemon);
        }
        assert_flat(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The limit counts the processes of one user and does not hold for root, so the daemon runs as somebody.
#[test]
fn without_processes_it_waits_for_better_times() {
    if !Power::ChangeUser.is_there_for("no more processes") {
        return;
    }
    only_ours(|| {
        // A user id nobody else has, so that no other test counts.
        let user = 3_000_000 + std::process::id();
        let become_user = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
        let shell = format!("exec setpriv {} \"$@\"", become_user.join(" "));
        let limit_ours =
            |pid, limit: &str| limit_as(Command::new("setpriv").args(&become_user).arg("prlimit"), pid, limit);
        let scene = Scene::with("processes", &programs()).shell(&shell).open_to_all();
        let mut daemon = scene.start(Subject::Ours);
        wait_for_all(&mut daemon);
        let before = Vitals::of(&daemon);
        let pid = daemon.pid();
        for round in 0..3 {
            // Threads count as well.
            limit_ours(pid, &format!("--nproc={}:", before.threads + 2));
            kill_all(&daemon);
            daemon.wait_until("it says why it cannot spawn", |daemon| {
                daemon.log().matches("Too many processes in process table to spawn").count() > round
            });
            assert!(daemon.is_running());
            assert_eq!(daemon.call("supervisor.getAllProcessInfo", &[]).items().len(), COUNT);
            limit_ours(pid, "--nproc=90000:");
            wait_for_all(&mut daemon);
        }
        assert_flat(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A program whose user may have no more processes.
#[test]
fn a_user_without_processes_left_affects_only_its_programs() {
    if !Power::ChangeUser.is_there_for("a user without processes") {
        return;
    }
    only_ours(|| {
        let configuration = "[program:p]\ncommand=sleep 1000\nuser=nobody\nstartsecs=0\nautorestart=true\n\
            startretries=1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n[program:q]\ncommand=sleep 1000\nstartsecs=0\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("user", configuration).start(Subject::Ours);
        daemon.wait_for_states(&["p", "q"], "RUNNING");
        let pid = daemon.pid();
        limit(pid, "--nproc=0:");
        daemon.kill_child("p");
        // Which of fork, setuid and exec refuses depends on the system; the daemon and its neighbour do not care.
        daemon.wait_until("p has a successor or a reason", |daemon| {
            let info = daemon.info("p");
            info.get("statename").text() == "RUNNING"
                || !info.get("spawnerr").text().is_empty()
                || daemon.log().contains("exited: p")
        });
        limit(pid, "--nproc=90000:");
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.state_of("q"), "RUNNING");
        assert_eq!(daemon.stop(), 0);
    });
}
