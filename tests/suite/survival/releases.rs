//! A take-over between two releases, whose states have different versions.

use std::fs;

use super::{LIVING, pids, scene, wait_for_more_lines, wait_for_others};
use crate::harness::subject::Program;
use crate::harness::{Daemon, Subject, cargo, command, processes};

/// `supervisord` as it is when the form of its state has changed.
fn next_version() -> std::path::PathBuf {
    let ours = Subject::Ours.path(Program::Supervisord);
    let directory = ours.parent().expect("it is in the build directory");
    let mut build = cargo::cargo();
    // Of the workspace, as of the daemon alone its dependencies would have other features, and be built again.
    build.args(["build", "--quiet", "--offline", "--workspace", "--example", "next_version"]);
    build.arg("--target-dir").arg(directory.parent().expect("above the profile"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if directory.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo can be executed").success());
    directory.join("examples/next_version")
}

/// The next release takes over from this one, by an upgrade and after a crash. This one refuses an upgrade to itself from the
/// next; after a crash it knows what runs, and starts it again.
#[test]
fn a_release_reads_the_state_of_the_one_before_and_knows_the_children_of_the_one_after() {
    let (ours, next) = (Subject::Ours.path(Program::Supervisord), next_version());
    let place = scene("versions", "").set_up(Subject::Ours);
    let program = place.path("supervisord");
    command::copy_program(&ours, &program);
    let mut command = place.command(&program);
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    let before = pids(&daemon, &LIVING);
    let replace = |other: &std::path::Path| {
        fs::remove_file(&program).expect("it is there");
        command::copy_program(other, &program);
    };
    let go_on = |daemon: &mut Daemon| {
        daemon.crash();
        daemon.start_again_with(&program);
        daemon.wait_for_states(&LIVING, "RUNNING");
    };

    replace(&next);
    go_on(&mut daemon);
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    replace(&ours);
    let refused = daemon.ctl(&["upgrade"]);
    let words = "the state is of version 3, this program understands version 2 and the one before";
    assert!(refused.code == 1 && refused.stdout.contains(words), "{refused:?}");
    assert_eq!(pids(&daemon, &LIVING), before);
    wait_for_more_lines(&mut daemon, "writer.log");

    daemon.crash();
    daemon.start_again_with(&program);
    wait_for_others(&mut daemon, &LIVING, &before);
    assert!(before.values().all(|pid| !processes::alive(*pid)), "{}", daemon.report());
    daemon.wait_for_log("the state is of version 3, this program understands version 2: what still runs is stopped");

    let before = pids(&daemon, &LIVING);
    replace(&next);
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n", "{}", daemon.report());
    daemon.wait_for_log("supervisord upgraded with pid");
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
}
