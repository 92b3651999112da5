//! Files of variables. The original has none.

use std::path::Path;
use std::process::Command;

use crate::harness::{Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program env_file"];

const SHOW: &str = "#!/bin/sh\necho \"[$A] [$B] [$C] [$SUPERVISOR_PROCESS_NAME] [$MODE]\" > seen.new\nmv seen.new seen\nexec sleep 1000\n";

fn scene(options: &str) -> Scene {
    let text = format!("[program:p]\ncommand=./show\nstartsecs=0\nstartretries=0\n{options}\n");
    Scene::with("env-file", &text).script("show", SHOW)
}

#[test]
fn files_are_read_at_each_start_below_the_environment_of_the_configuration() {
    only_ours(|| {
        let scene = scene("env_file={dir}/one.env, -{dir}/missing.env\nenvFiles=x\nenvironment=MODE=\"mine\"").file(
            "one.env",
            "# of the program\nexport A='100% $X'\nB=b # comment\nMODE=theirs\nSUPERVISOR_PROCESS_NAME=q\nC=\n",
        );
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.wait_for_file("seen"), "[100% $X] [b] [] [p] [mine]\n");
        assert!(
            daemon.log().contains("envfiles in section [program:p] means the same as env_file"),
            "{}",
            daemon.log()
        );
        daemon.write("one.env", "A=changed\n");
        daemon.write("missing.env", "C=here\n");
        daemon.ctl(&["restart", "p"]);
        daemon
            .wait_until("the files are read again", |daemon| daemon.read("seen") == "[changed] [] [here] [p] [mine]\n");
        let pid = daemon.pid_of("p");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.pid_of("p"), pid);
        let reread = daemon.ctl(&["reread"]).stdout;
        assert_eq!(reread, "No config updates to processes\n", "the state knows the files");
    });
}

#[test]
fn a_file_that_is_missing_or_wrong_is_a_failed_start_that_says_where() {
    only_ours(|| {
        let mut daemon = scene("environment_file={dir}/p.env\nautostart=false").start(Subject::Ours);
        daemon.wait_for_state("p", "STOPPED");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: ERROR (spawn error)\n");
        let path = daemon.path("p.env").display().to_string();
        let why = daemon.ctl(&["why", "p"]).stdout;
        assert!(
            why.contains(&format!("environment file of 'p': {path} cannot be read as user "))
                && why.contains("No such file"),
            "{why}"
        );
        daemon.write("p.env", "A=1\nhunter2\n");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: ERROR (spawn error)\n");
        let why = daemon.ctl(&["why", "p"]).stdout;
        assert!(why.contains(&format!("environment file of 'p': {path}:2: expected NAME=VALUE")), "{why}");
        assert!(!daemon.log().contains("hunter2") && !why.contains("hunter2"));
        daemon.write("p.env", "A=1\n");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
    });
}

/// Nobody writes to it, so that whoever opens it would wait.
#[test]
fn a_named_pipe_is_refused_at_once() {
    only_ours(|| {
        let options = "env_file={dir}/pipe\nsecret.KEY=file:{dir}/pipe\nautostart=false";
        let checked = scene(options).arguments(&["--check", "-c", "supervisord.conf"]);
        let place = checked.set_up(Subject::Ours);
        make_pipe(&place.path("pipe"));
        let said = checked.run_in(&place);
        assert_eq!(said.code, 2, "{}", said.transcript());
        assert_eq!(
            said.stdout.matches(": it is a named pipe, and must be a regular file (").count(),
            2,
            "{}",
            said.stdout
        );
        let daemon_scene = scene(options);
        let place = daemon_scene.set_up(Subject::Ours);
        let pipe = place.path("pipe");
        make_pipe(&pipe);
        let mut daemon = daemon_scene.start_in(place);
        let reason = format!("{} cannot be read as user ", pipe.display());
        daemon.wait_for_state("p", "STOPPED");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: ERROR (spawn error)\n");
        let why = daemon.ctl(&["why", "p"]).stdout;
        assert!(why.contains(&reason) && why.contains("it is a named pipe, and must be a regular file"), "{why}");
    });
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success(), "{}", path.display());
}
