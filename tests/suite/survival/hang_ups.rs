//! What processes that a program has left behind notice of its end: nobody reads them any more, and nobody feeds them.

use nix::sys::signal::Signal;

use super::scene;
use crate::harness::subject::each_subject;
use crate::harness::{Daemon, Scene, Subject, processes, wait};

/// The process ids in a file.
fn noted(daemon: &Daemon, file: &str) -> Vec<i32> {
    daemon.read(file).lines().map(|line| line.parse().expect("a process id")).collect()
}

/// A master whose worker writes without an end.
const MASTER: &str = "#!/bin/sh\n(while echo served; do sleep 0.01; done) &\necho $! >> workers\nexec sleep 1000\n";

const MASTERS: &str =
    "[program:web]\ncommand={dir}/master\ndirectory={dir}\nstartsecs=0\nstdout_logfile={dir}/web.log\n";

fn masters(name: &str) -> Scene {
    Scene::with(name, MASTERS).script("master", MASTER)
}

/// Waits for another child in the place of one that was killed.
fn wait_for_another(daemon: &mut Daemon, program: &str, before: i32) {
    daemon.wait_until("another one runs", |daemon| {
        daemon.state_of(program) == "RUNNING" && daemon.pid_of(program) != before
    });
}

#[test]
fn a_worker_whose_master_was_killed_ends_when_it_writes() {
    each_subject(|subject| {
        let mut daemon = masters("worker").start(subject);
        daemon.wait_until("the worker is known", |daemon| noted(daemon, "workers").len() == 1);
        daemon.wait_until("it writes", |daemon| daemon.read("web.log").contains("served"));
        let master = daemon.kill_child("web");
        wait_for_another(&mut daemon, "web", master);
        let worker = noted(&daemon, "workers")[0];
        wait::until("the worker has ended", || !processes::alive(worker));
    });
}

/// The keeper has copies of the pipe, which it closes, too: in the daemon before, in one that has taken over, in another
/// program and with another keeper.
#[test]
fn a_worker_ends_whoever_has_supervised_its_master() {
    let another_keeper = |daemon: &mut Daemon| {
        let before = daemon.running_keeper();
        processes::signal(before, Signal::SIGKILL);
        daemon.wait_until("there is another", |daemon| daemon.keeper().is_some_and(|keeper| keeper != before));
    };
    let upgrade = |daemon: &mut Daemon| {
        daemon.signal(Signal::SIGUSR1);
        daemon.wait_for_log("supervisord upgraded with pid");
    };
    let crash = |daemon: &mut Daemon| {
        daemon.crash();
        daemon.start_again();
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Daemon));
    let changes: [Change<'_>; 3] = [("another keeper", &another_keeper), ("upgraded", &upgrade), ("crashed", &crash)];
    for (what, change) in changes {
        let mut daemon = masters(what).start(Subject::Ours);
        daemon.wait_until("the worker is known", |daemon| noted(daemon, "workers").len() == 1);
        let worker = noted(&daemon, "workers")[0];
        change(&mut daemon);
        daemon.wait_for_state("web", "RUNNING");
        assert!(processes::alive(worker), "{what}: it noticed");
        let master = daemon.kill_child("web");
        wait_for_another(&mut daemon, "web", master);
        wait::until(&format!("{what}: the worker has ended"), || !processes::alive(worker));
    }
}

#[test]
fn a_worker_whose_master_ended_while_nobody_was_there_ends_with_the_next_daemon() {
    let mut daemon = masters("nobody").start(Subject::Ours);
    daemon.wait_until("the worker is known", |daemon| noted(daemon, "workers").len() == 1);
    let (worker, master) = (noted(&daemon, "workers")[0], daemon.pid_of("web"));
    daemon.crash();
    processes::signal(master, Signal::SIGKILL);
    wait::until("the master has ended", || !processes::alive(master));
    assert!(processes::alive(worker), "its output is still kept for the next daemon");
    daemon.start_again();
    wait::until("the worker has ended", || !processes::alive(worker));
}

/// A helper that reads what its program is sent, until the end.
#[test]
fn a_helper_sees_the_end_of_the_input_when_its_program_has_ended() {
    const APP: &str = "#!/bin/sh\nexec 3<&0\ncat <&3 3<&- > fed &\necho $! >> helpers\nexec sleep 1000 3<&-\n";
    let text = "[program:app]\ncommand={dir}/app\ndirectory={dir}\nstartsecs=0\n";
    each_subject(|subject| {
        let mut daemon = Scene::with("helpers", text).script("app", APP).start(subject);
        for round in 1..=3 {
            daemon.wait_until("the helper is known", |daemon| noted(daemon, "helpers").len() == round);
            daemon.wait_for_state("app", "RUNNING");
            daemon.call("supervisor.sendProcessStdin", &["app".into(), "fed\n".into()]);
            daemon.wait_until("the helper reads", |daemon| daemon.read("fed") == "fed\n");
            daemon.call("supervisor.stopProcess", &["app".into()]);
            let helper = noted(&daemon, "helpers")[round - 1];
            wait::until("the helper has ended", || !processes::alive(helper));
            daemon.call("supervisor.startProcess", &["app".into()]);
        }
        daemon.wait_until("the helper is known", |daemon| noted(daemon, "helpers").len() == 4);
        assert_eq!(daemon.stop(), 0);
        let helper = noted(&daemon, "helpers")[3];
        wait::until("the last helper has ended with the daemon", || !processes::alive(helper));
    });
}

#[test]
fn writers_that_are_left_behind_end_one_after_the_other() {
    const LEAVING: &str = "#!/bin/sh\n(while echo left; do sleep 0.01; done) &\necho $! >> writers\n\
        while test ! -e \"go $$\"; do sleep 0.01; done\n";
    let text = "[program:a]\ncommand={dir}/leaving\ndirectory={dir}\nautorestart=true\nstartsecs=0\n\
        stdout_logfile={dir}/a.log\n";
    each_subject(|subject| {
        let mut daemon = Scene::with("leaving", text).script("leaving", LEAVING).start(subject);
        for round in 1..=4 {
            daemon.wait_until("the writer is known", |daemon| noted(daemon, "writers").len() == round);
            daemon.wait_for_state("a", "RUNNING");
            let pid = daemon.pid_of("a");
            daemon.write(&format!("go {pid}"), "");
            wait_for_another(&mut daemon, "a", pid);
            let writer = noted(&daemon, "writers")[round - 1];
            wait::until("the writer that was left behind has ended", || !processes::alive(writer));
        }
        daemon.wait_until("the writer is known", |daemon| noted(daemon, "writers").len() == 5);
        assert_eq!(daemon.stop(), 0);
        let writer = noted(&daemon, "writers")[4];
        wait::until("the last writer has ended with the daemon", || !processes::alive(writer));
    });
}

/// A program whose first thread has ended goes on with its others: its entry in the list of processes shows a zombie.
#[test]
fn a_program_whose_first_thread_has_ended_is_taken_over() {
    let Some(exit) = [("x86_64", 60), ("aarch64", 93), ("riscv64", 93)]
        .into_iter()
        .find_map(|(machine, number)| (machine == std::env::consts::ARCH).then_some(number))
    else {
        return eprintln!("left out, because the number of exit(2) is not known for {}", std::env::consts::ARCH);
    };
    let threads = format!(
        "import ctypes, threading, time\n\
         threading.Thread(target=time.sleep, args=(1000,)).start()\n\
         ctypes.CDLL(None).syscall({exit}, 0)\n"
    );
    let more = "[program:threads]\ncommand=python3 {dir}/threads.py\nstartsecs=0\n";
    let mut daemon = scene("threads", more).file("threads.py", &threads).start(Subject::Ours);
    daemon.wait_for_state("threads", "RUNNING");
    let pid = daemon.pid_of("threads");
    let count = |pid: i32| std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    daemon.wait_until("its first thread has ended", |_| {
        count(pid) == 2 && processes::process(pid).is_some_and(|process| process.state == 'Z')
    });
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_state("threads", "RUNNING");
    assert_eq!(daemon.pid_of("threads"), pid, "{}", daemon.report());
    assert_eq!(daemon.ctl(&["stop", "threads"]).stdout, "threads: stopped\n", "{}", daemon.report());
    wait::until("all its threads have ended", || count(pid) == 0);
}
