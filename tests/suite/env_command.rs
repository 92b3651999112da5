//! `env_command`: variables that a command tells before each start. The original has none.

use std::fs;

use nix::unistd::geteuid;

use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program env_command"];

const VALUE: &str = "correct-horse-battery";

/// Tells variables, and takes as long as there is a file that holds it.
const TELL: &str = "#!/bin/sh\necho $$ > pid\necho told >> times\necho noise >&2\necho \"# a comment\"\necho \"KEY='correct-horse-battery'\"\n\
    echo \"PORT=$ASKED\"\necho MINE=theirs\nwhile test -e hold; do sleep 0.02; done\n";

const SHOW: &str = "#!/bin/sh\necho \"$KEY $PORT $MINE\" > seen.new\nmv seen.new seen\nexec sleep 1000\n";

fn scene(options: &str) -> Scene {
    let program = format!(
        "[program:p]\ncommand=./show\nstartsecs=0\nstartretries=0\nenv_command=./tell\nstderr_logfile={{dir}}/p.err\n\
         stdout_logfile={{dir}}/p.log\nenvironment=MINE=\"mine\",ASKED=\"8000\"\n{options}\n[program:other]\ncommand=sleep 1000\n\
         startsecs=0\n"
    );
    Scene::with("env-command", &program).script("show", SHOW).script("tell", TELL)
}

/// How often the command has run.
fn times(daemon: &Daemon) -> usize {
    daemon.read("times").lines().count()
}

#[test]
fn a_program_finds_what_its_command_tells_at_each_start() {
    only_ours(|| {
        let mut daemon = scene("").start(Subject::Ours);
        assert_eq!(daemon.wait_for_file("seen"), format!("{VALUE} 8000 mine\n"));
        daemon.wait_until("stderr is logged", |daemon| daemon.read("p.err") == "noise\n");
        let other = TELL.replace("horse", "zebra");
        daemon.write("tell", &other);
        daemon.ctl(&["restart", "p"]);
        daemon.wait_until("it finds the other value", |daemon| {
            daemon.read("seen") == "correct-zebra-battery 8000 mine\n"
        });
        assert_eq!((times(&daemon), daemon.read("p.log").as_str()), (2, ""));
        daemon.kill_child("p");
        daemon.wait_until("it is asked again", |daemon| times(daemon) == 3);
    });
}

#[test]
fn nobody_else_waits_and_a_stop_ends_it() {
    only_ours(|| {
        let mut daemon = scene("").file("hold", "").start(Subject::Ours);
        let pid = daemon.wait_for_file("pid").trim().parse().expect("it writes its pid");
        daemon.wait_for_state("other", "RUNNING");
        assert_eq!(daemon.state_of("p"), "STARTING");
        assert_eq!(daemon.info("p").get("description").text(), "running environment command");
        assert!(
            daemon.ctl(&["why", "p"]).stdout.contains(": it is being started: running environment command\n"),
            "{}",
            daemon.ctl(&["why", "p"]).stdout
        );
        assert_eq!(daemon.ctl(&["restart", "other"]).stdout, "other: stopped\nother: started\n");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        daemon.wait_until("the command has ended", |_| !processes::alive(pid));
    });
}

#[test]
fn one_that_fails_is_a_failed_start_that_says_why_and_no_value() {
    only_ours(|| {
        for (options, script, reason) in [
            (
                "",
                "#!/bin/sh\necho KEY=hunter2\necho sealed >&2\nexit 3\n",
                "environment command failed (exit status 3; what it wrote to stderr is in {dir}/p.err)",
            ),
            (
                "hook_timeout=20s",
                "#!/bin/sh\nset -x\nKEY=hunter2\nfalse \"$KEY\"\n",
                "failed (exit status 1; what it wrote to stderr is in {dir}/p.err)",
            ),
            ("", "#!/bin/sh\necho A=1\necho hunter2\n", "failed (line 2 of its output: expected NAME=VALUE"),
            (
                "",
                "#!/bin/sh\nyes KEY=hunter2 | head -c 1000000\nexec sleep 1000\n",
                "failed (it wrote more than 65535 bytes)",
            ),
            // Long before its time limit, and where each line takes as much of the pipe as a whole page of it.
            (
                "hook_timeout=1h",
                "#!/usr/bin/perl\n$| = 1;\nprint 'KEY=hunter2', 'x' x 3000, \"\\n\" for 1 .. 400;\nsleep 1000;\n",
                "failed (it wrote more than 65535 bytes)",
            ),
            ("hook_timeout=1s", "#!/bin/sh\nexec sleep 1000\n", "failed (killed after 1s, its time limit)"),
        ] {
            let options = if options.is_empty() { "hook_timeout=2s" } else { options };
            let mut daemon = scene(options).script("tell", script).start(Subject::Ours);
            let reason = reason.replace("{dir}", &daemon.dir().display().to_string());
            daemon.wait_for_state("p", "FATAL");
            let why = daemon.ctl(&["why", "p"]).stdout;
            assert!(why.contains(&reason), "{reason}: {why}");
            let told = daemon.ctl(&["status", "p"]).stdout + &daemon.ctl(&["status", "--json", "p"]).stdout;
            let kept = daemon.read("supervisord.pid.state");
            assert!(!(why + &told + &kept + &daemon.log() + &daemon.read("p.log")).contains("hunter2"), "{reason}");
        }
    });
}

#[test]
fn a_daemon_that_is_replaced_or_killed_meanwhile_changes_nothing() {
    only_ours(|| {
        for options in ["", "redirect_stderr=true"] {
            let mut daemon = scene(options).file("hold", "").start(Subject::Ours);
            daemon.wait_for_file("times");
            daemon.ctl(&["upgrade"]);
            daemon.wait_for_log("upgrade");
            assert_eq!(daemon.state_of("p"), "STARTING");
            daemon.crash();
            daemon.start_again();
            assert_eq!(daemon.state_of("p"), "STARTING");
            fs::remove_file(daemon.path("hold")).expect("it is there");
            assert_eq!(daemon.wait_for_file("seen"), format!("{VALUE} 8000 mine\n"));
            daemon.wait_for_state("p", "RUNNING");
            assert!(!daemon.log().contains(VALUE) && !daemon.read("p.log").contains(VALUE));
        }
    });
}

#[test]
fn it_runs_as_the_user_of_the_program() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    only_ours(|| {
        let scene = scene("user=nobody").script("tell", "#!/bin/sh\necho KEY=$(id -un)\n");
        let scene = scene.script("show", "#!/bin/sh\necho $KEY\nexec sleep 1000\n").open_to_all();
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_until("it has told", |daemon| daemon.read("p.log") == "nobody\n");
    });
}
