//! Two daemons with one pid file: one lives, and the other says why it does not.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use super::{LIVING, pids, start, wait_for_more_lines};
use crate::harness::scene::MARK;
use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, command, processes, wait};

/// No server could tell the two apart.
const ALONE: &str = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nchildlogdir={dir}\n\
    [program:q]\ncommand=sleep 1000\nprocess_name=q%(process_num)d\nnumprocs=3\nstartsecs=0\n";

fn supervisord(daemon: &Daemon, file: &str) -> Command {
    let mut command = daemon.command(&Subject::Ours.path(Program::Supervisord));
    command.args(["-n", "-c", file]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The programs of the scene.
fn sleepers(daemon: &Daemon) -> usize {
    let is_sleeper = |pid: &i32| processes::process(*pid).is_some_and(|process| process.name == "sleep");
    processes::with_environment(&format!("{MARK}={}", daemon.dir().display()))
        .iter()
        .filter(|pid| is_sleeper(pid))
        .count()
}

/// One of the two ends and names the other; the programs run once.
fn check_that_one_lives(daemon: &mut Daemon, mut second: Child) {
    wait::until("one has ended", || !daemon.is_running() || second.try_wait().expect("it is ours").is_some());
    let is_second_refused = daemon.is_running();
    let winner = if is_second_refused { daemon.launched_pid() as u32 } else { second.id() };
    let taken = format!("Another supervisord (pid {winner}) is running with the pid file");
    wait::until("the other has started its programs", || sleepers(daemon) == 3);
    if !is_second_refused {
        second.kill().expect("it lives");
    }
    let output = second.wait_with_output().expect("its words can be read");
    let (code, words) = match is_second_refused {
        true => (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()),
        false => (Some(daemon.exit_code()), daemon.stderr()),
    };
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains(&taken) && words.contains("pidfile="), "{words}");
    assert_eq!(sleepers(daemon), 3, "nothing runs twice");
}

#[test]
fn of_two_daemons_started_together_one_runs() {
    let scene = Scene::new("together").config(ALONE);
    for _ in 0..3 {
        let mut daemon = scene.launch(Subject::Ours);
        let second = supervisord(&daemon, "supervisord.conf").spawn().expect("it can be executed");
        check_that_one_lives(&mut daemon, second);
        // The same where one has just been killed.
        let mut daemon = scene.start(Subject::Ours);
        wait::until("the programs run", || sleepers(&daemon) == 3);
        daemon.crash();
        daemon.launch_again();
        let second = supervisord(&daemon, "supervisord.conf").spawn().expect("it can be executed");
        check_that_one_lives(&mut daemon, second);
    }
}

#[test]
fn a_second_daemon_is_refused_after_an_upgrade_and_a_crash_too() {
    let mut alone = Scene::new("alone").config(ALONE).start(Subject::Ours);
    let mut daemon = start("with servers", "");
    wait::until("the programs run", || sleepers(&alone) == 3);
    let before = pids(&daemon, &LIVING);
    let refuse = |daemon: &Daemon, words: &str| {
        let second = command::run(&mut supervisord(daemon, "supervisord.conf"), "");
        assert_eq!(second.code, 2, "{second:?}");
        assert!(second.stderr.contains(words), "{second:?}");
    };
    let refuse_both = |alone: &Daemon, daemon: &Daemon| {
        refuse(alone, &format!("Another supervisord (pid {}) is running with the pid file", alone.launched_pid()));
        // The server is found taken first, as by the original.
        refuse(daemon, "Another program is already listening on a port");
    };
    refuse_both(&alone, &daemon);
    for daemon in [&mut alone, &mut daemon] {
        daemon.signal(Signal::SIGUSR1);
        daemon.wait_for_log("supervisord upgraded with pid");
    }
    refuse_both(&alone, &daemon);
    for daemon in [&mut alone, &mut daemon] {
        daemon.crash();
        daemon.start_again();
    }
    refuse_both(&alone, &daemon);
    assert_eq!(sleepers(&alone), 3);
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    wait_for_more_lines(&mut daemon, "writer.log");
}

/// The pid file is what the two share: a server that only the second one has stays as it is.
#[test]
fn a_daemon_that_is_refused_leaves_a_stale_socket_where_it_is() {
    let second = format!("[unix_http_server]\nfile={{dir}}/stale.sock\n{ALONE}");
    let daemon = Scene::new("stale").config(ALONE).file("two.conf", &second).start(Subject::Ours);
    let path = daemon.path("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("the path is free"));
    let inode = |path: &std::path::Path| {
        std::fs::symlink_metadata(path).map(|found| std::os::unix::fs::MetadataExt::ino(&found)).ok()
    };
    let before = inode(&path);
    let refused = command::run(&mut supervisord(&daemon, "two.conf"), "");
    let taken = format!("Another supervisord (pid {}) is running with the pid file", daemon.launched_pid());
    assert!(refused.code == 2 && refused.stderr.contains(&taken), "{refused:?}");
    assert!(!refused.stderr.contains("Unlinking"), "{refused:?}");
    assert_eq!(inode(&path), before, "the socket is still the same file");
}

/// Without `pidfile`, all configurations of one directory mean the same file.
#[test]
fn two_configurations_with_the_default_pid_file_are_told_apart_by_words() {
    let one = "[supervisord]\nlogfile={dir}/one.log\n[program:one]\ncommand=sleep 1000\n";
    let two = "[supervisord]\nlogfile={dir}/two.log\n[program:two]\ncommand=sleep 1000\n";
    let scene = Scene::new("default").config(one).file("two.conf", two);
    let mut daemon = scene.start(Subject::Ours);
    let second = command::run(&mut supervisord(&daemon, "two.conf"), "");
    assert_eq!(second.code, 2, "{second:?}");
    for words in [format!("(pid {})", daemon.launched_pid()), "supervisord.pid".into(), "pidfile=".into()] {
        assert!(second.stderr.contains(&words), "{words}: {second:?}");
    }
    assert!(!daemon.path("two.log").exists(), "it touches nothing");
    let mut third = supervisord(&daemon, "two.conf");
    third.args(["--pidfile", "two.pid"]);
    let mut third = third.spawn().expect("it can be executed");
    daemon.wait_until("with another file it runs", |daemon| daemon.read("two.pid").trim() == third.id().to_string());
    assert!(daemon.is_running());
    third.kill().expect("it lives");
    third.wait().expect("it is ours");
}
