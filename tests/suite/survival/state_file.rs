//! The state file in the hands of others, and on a disk that is full: what is taken over is what the daemon wrote.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::{LIVING, pids, start};
use crate::harness::needs;
use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, processes};

const STATE: &str = "supervisord.pid.state";

/// Whether the state file knows the present children of these programs.
pub fn knows(daemon: &Daemon, names: &[&str]) -> bool {
    let text = daemon.read(STATE);
    pids(daemon, names).values().all(|pid| *pid != 0 && text.contains(&format!("\"pid\":{pid},")))
}

fn is_whole(daemon: &Daemon) -> bool {
    daemon.read(STATE).lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
}

#[test]
fn a_link_in_the_place_of_the_state_file_is_neither_believed_nor_followed() {
    let mut daemon = start("link", "");
    daemon.wait_until("all is noted", |daemon| knows(daemon, &LIVING));
    let before = pids(&daemon, &LIVING);
    daemon.crash_with_keeper();
    fs::rename(daemon.path(STATE), daemon.path("elsewhere")).expect("it is left behind");
    symlink(daemon.path("elsewhere"), daemon.path(STATE)).expect("the place is free");
    let written = daemon.read("elsewhere");
    daemon.start_again();
    daemon.wait_for_states(&LIVING, "RUNNING");
    let complaint = format!("WARN the state file {} cannot be used, no programs are", daemon.path(STATE).display());
    assert!(daemon.log().contains(&complaint), "{}", daemon.report());
    let after = pids(&daemon, &LIVING);
    assert!(LIVING.iter().all(|name| after[*name] != before[*name]), "{before:?} {after:?}");
    daemon.wait_until("all is noted in a file", |daemon| {
        knows(daemon, &LIVING) && fs::symlink_metadata(daemon.path(STATE)).is_ok_and(|found| found.is_file())
    });
    assert_eq!(daemon.read("elsewhere"), written);
    processes::kill_all(&before.into_values().collect::<Vec<_>>());
    assert_eq!(daemon.stop(), 0);
}

/// Lets no file of the daemon grow beyond so many bytes: what is written there stays behind half way, as on a full disk.
fn limit_files(daemon: &Daemon, bytes: &str) {
    let limit = ["--pid", &daemon.pid().to_string(), &format!("--fsize={bytes}:")].map(str::to_owned);
    let status = Command::new(needs::program("prlimit")).args(limit).status().expect("prlimit can be executed");
    assert!(status.success());
}

const PAIR: &str = "[program:a]\ncommand=sleep 1000\nstartsecs=0\n[program:b]\ncommand=sleep 1000\nstartsecs=0\n";

/// Kills a child of the pair while the state file cannot grow, and takes the limit away when it is replaced.
fn restart_unwritten(daemon: &mut Daemon, name: &str, failures: usize) {
    let before = daemon.read(STATE);
    daemon.kill_child(name);
    wait_for_logged(daemon, "could not write the state file, will try again", failures);
    daemon.wait_for_state(name, "RUNNING");
    assert!(!knows(daemon, &[name]));
    assert!(daemon.read(STATE).starts_with(&before), "at most a part of a line was added");
    limit_files(daemon, "unlimited");
    wait_for_logged(daemon, "the state file is written again", failures);
    daemon.wait_until("all is noted", |daemon| knows(daemon, &["a", "b"]));
}

fn wait_for_logged(daemon: &mut Daemon, text: &str, times: usize) {
    daemon.wait_until(text, |daemon| daemon.log().matches(text).count() == times);
}

#[test]
fn a_state_that_could_not_be_written_is_whole_when_there_is_room_again() {
    // More than the other files of the daemon hold.
    let more: String = (0..60).map(|number| format!("[program:off{number}]\ncommand=cat\nautostart=false\n")).collect();
    let mut daemon = Scene::with("full disk", &format!("{PAIR}{more}")).start(Subject::Ours);
    let names = ["a", "b"];
    daemon.wait_for_states(&names, "RUNNING");
    daemon.wait_until("all is noted", |daemon| knows(daemon, &names));
    // A file that has been appended to shrinks when it is begun anew, and may fit again. One that was just begun cannot.
    limit_files(&daemon, &(daemon.log().len() + 1000).to_string());
    restart_unwritten(&mut daemon, "a", 1);
    let begun_anew = daemon.read(STATE);
    limit_files(&daemon, &(begun_anew.len() + 40).to_string());
    restart_unwritten(&mut daemon, "b", 2);
    assert!(daemon.read(STATE).len() > begun_anew.len(), "it says how b ended");
    daemon.kill_child("a");
    daemon.wait_until("all is noted", |daemon| knows(daemon, &names));
    assert!(is_whole(&daemon), "{}", daemon.read(STATE));
    // What a daemon was writing when it was killed.
    let after = pids(&daemon, &names);
    daemon.crash_with_keeper();
    let torn = daemon.read(STATE) + "{\"Member\":{\"group\":\"a\",\"mem";
    fs::write(daemon.path(STATE), torn).expect("it is left behind");
    daemon.start_again();
    daemon.wait_for_states(&names, "RUNNING");
    // Nothing is left at the other ends of their pipes, so that they are replaced, one by one.
    daemon.wait_until("both are others", |daemon| pids(daemon, &names).iter().all(|(name, pid)| after[name] != *pid));
    assert!(daemon.log().contains("has lost its pipes"), "{}", daemon.report());
    assert!(after.values().all(|pid| !processes::alive(*pid)), "nothing runs twice");
    daemon.wait_until("it is begun anew", |daemon| knows(daemon, &names) && is_whole(daemon));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_pid_file_that_found_its_disk_full_is_written_when_there_is_room() {
    // Less than a process id takes, so that only a part of it could be written.
    let scene = Scene::with("full pid file", "[supervisord]\nadopt=false\nlogfile=/dev/stdout\nlogfile_maxbytes=0\n");
    let place = scene.set_up(Subject::Ours);
    // A limit is signalled, too, which a full disk is not.
    let limited =
        format!("trap '' XFSZ; {} --pid $$ --fsize=1: && exec \"$0\" \"$@\"", needs::program("prlimit").display());
    let mut command = place.command("/bin/sh".as_ref());
    command.args(["-c", &limited]).arg(Subject::Ours.path(Program::Supervisord)).args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("it is known to be full", |daemon| daemon.rpc_if_up("supervisor.getState", &[]).is_some());
    assert!(!daemon.path("supervisord.pid").exists(), "it would look as if the daemon were ready");
    limit_files(&daemon, "unlimited");
    let pid = daemon.launched_pid();
    daemon.wait_until("it is written", |daemon| daemon.recorded_pid() == Some(pid));
    assert_eq!(daemon.stop(), 0);
    assert!(!daemon.path("supervisord.pid").exists());
}
