//! The commands that run beside programs: before and after their starts and stops. The original has none.

mod lives;

use std::fs;

use nix::unistd::geteuid;

use crate::harness::{Daemon, Scene, Subject, http, only_ours, processes, wait};

/// The options these tests are about.
pub const PINNED: &[&str] =
    &["program pre_start", "program post_start", "program pre_stop", "program post_stop", "program hook_timeout"];

/// A hook that tells what it knows, and takes as long as there is a file that holds it.
const HOOK: &str = "#!/bin/sh\n\
    echo \"$1 out\"; echo \"$1 err\" >&2\n\
    echo \"$1 $SUPERVISOR_PROCESS_NAME${SUPERVISOR_REASON+ [$SUPERVISOR_EXIT_CODE] [$SUPERVISOR_EXIT_SIGNAL] \
    $SUPERVISOR_REASON}\" >> told\n\
    echo $$ > \"pid-$1\"\n\
    while test -e \"hold-$1\"; do sleep 0.02; done\n\
    echo \"$1 ended\" >> told\n\
    exit ${2-0}\n";

/// All hooks of a program.
const ALL: &str =
    "pre_start=./hook pre_start\npost_start=./hook post_start\npre_stop=./hook pre_stop\npost_stop=./hook post_stop\n";

fn scene(options: &str) -> Scene {
    let program = format!(
        "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile={{dir}}/p.log\nstderr_logfile={{dir}}/p.err\n{options}\n"
    );
    Scene::with("hooks", &program).script("hook", HOOK).env("PWD", "{dir}")
}

/// What the hooks have told, in order.
fn told(daemon: &Daemon) -> Vec<String> {
    daemon.read("told").lines().map(str::to_owned).collect()
}

/// What clients see of the program beside its state.
fn description(daemon: &Daemon) -> String {
    daemon.info("p").get("description").text().to_owned()
}

/// The process id of a hook that has begun.
fn pid_of_hook(daemon: &mut Daemon, hook: &str) -> i32 {
    daemon.wait_for_file(&format!("pid-{hook}")).trim().parse().expect("it writes its pid")
}

fn hold(daemon: &Daemon, hook: &str) {
    daemon.write(&format!("hold-{hook}"), "");
}

fn release(daemon: &Daemon, hook: &str) {
    fs::remove_file(daemon.path(&format!("hold-{hook}"))).expect("it is there");
}

#[test]
fn each_hook_runs_at_its_moment_and_writes_to_the_logs_of_the_program() {
    only_ours(|| {
        let mut daemon = scene(ALL).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_until("the start is told", |daemon| told(daemon).len() == 4);
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(
            told(&daemon),
            [
                "pre_start p",
                "pre_start ended",
                "post_start p",
                "post_start ended",
                "pre_stop p",
                "pre_stop ended",
                "post_stop p [] [SIGTERM] stopped",
                "post_stop ended"
            ]
        );
        let lines = |kind: &str| {
            ["pre_start", "post_start", "pre_stop", "post_stop"].map(|hook| format!("{hook} {kind}\n")).concat()
        };
        assert_eq!((daemon.read("p.log"), daemon.read("p.err")), (lines("out"), lines("err")));
        assert_eq!(daemon.state_of("p"), "STOPPED");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn the_hook_after_an_end_is_told_of_it() {
    only_ours(|| {
        for (command, options, expected) in [
            ("sh -c 'exit 3'", "startsecs=0", "post_stop p [3] [] unexpected"),
            ("true", "startsecs=0", "post_stop p [0] [] expected"),
            ("sh -c 'kill -9 $$'", "startsecs=0", "post_stop p [] [SIGKILL] unexpected"),
            ("true", "startsecs=5\nstartretries=0", "post_stop p [0] [] too_quick"),
        ] {
            let text =
                format!("[program:p]\ncommand={command}\nautorestart=false\npost_stop=./hook post_stop\n{options}\n");
            let mut daemon = Scene::with("hooks", &text).script("hook", HOOK).start(Subject::Ours);
            daemon.wait_until("the hook has ended", |daemon| told(daemon).len() == 2);
            assert_eq!(told(&daemon)[0], expected);
        }
    });
}

#[test]
fn a_failed_pre_start_hook_is_a_failed_start_with_a_clear_text() {
    only_ours(|| {
        for (hook, reason) in [
            ("./hook pre_start 3", "exit status 3: pre_start err"),
            ("sh -c 'kill -SEGV $$'", "terminated by SIGSEGV"),
            ("./no-such-hook", "can't find command './no-such-hook'"),
            ("/", "command at '/' is a directory"),
            ("sh -c 'sleep 1000'\nhook_timeout=1", "killed after 1s, its time limit"),
        ] {
            let mut daemon = scene(&format!("pre_start={hook}\nstartretries=0")).start(Subject::Ours);
            daemon.wait_for_state("p", "FATAL");
            let text = format!("pre-start hook failed ({reason})");
            let found = description(&daemon);
            assert!(found.starts_with(text.trim_end_matches(')')), "{found}");
            daemon.wait_for_log(&format!("WARN p: {text}"));
            let refusal = daemon.ctl(&["start", "p"]);
            assert_eq!(refusal.stdout, "p: ERROR (spawn error)\n");
            assert!(!daemon.log().contains("spawned: 'p'"), "{}", daemon.log());
        }
    });
}

#[test]
fn a_hook_that_hangs_is_killed_with_its_group_and_what_it_left_does_not_hold_its_pipe() {
    only_ours(|| {
        let options = "pre_start=./forks\nhook_timeout=15\nstartretries=0\n";
        let forks = "#!/bin/sh\nsleep 1234 &\necho $! > child\necho before\nsetsid sh -c 'echo $$ > away; exec sleep 1234' &\n\
            while test ! -s away; do sleep 0.02; done\nsleep 1234\n";
        let mut daemon = scene(options).script("forks", forks).start(Subject::Ours);
        daemon.wait_for_state("p", "FATAL");
        let pid = |file: &str| -> i32 { daemon.read(file).trim().parse().expect("a pid") };
        let (child, away) = (pid("child"), pid("away"));
        wait::until("its group has been killed", || !processes::alive(child));
        assert!(processes::alive(away), "it has left the group, and holds the pipe");
        assert_eq!(daemon.read("p.log"), "before\n");
        processes::signal(away, nix::sys::signal::Signal::SIGKILL);
    });
}

#[test]
fn a_stop_during_the_pre_start_hook_ends_it() {
    only_ours(|| {
        let scene = scene("pre_start=./hook pre_start\nautostart=false");
        let mut daemon = scene.start(Subject::Ours);
        hold(&daemon, "pre_start");
        daemon.call("supervisor.startProcess", &["p".into(), false.into()]);
        let hook = pid_of_hook(&mut daemon, "pre_start");
        assert_eq!((daemon.state_of("p"), description(&daemon)), ("STARTING".into(), "running pre-start hook".into()));
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert!(!processes::alive(hook));
        assert_eq!(daemon.state_of("p"), "STOPPED");
        release(&daemon, "pre_start");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
        assert_eq!(told(&daemon), ["pre_start p", "pre_start p", "pre_start ended"]);
    });
}

#[test]
fn a_restart_waits_for_the_hook_after_the_end() {
    only_ours(|| {
        let mut daemon = scene("post_stop=./hook post_stop\nautorestart=true").start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        hold(&daemon, "post_stop");
        let first = daemon.kill_child("p");
        daemon.wait_until("it waits", |daemon| description(daemon) == "waiting for post-stop hook to end");
        assert_eq!((daemon.state_of("p"), daemon.pid_of("p")), ("STARTING".into(), 0));
        release(&daemon, "post_stop");
        daemon.wait_for_state("p", "RUNNING");
        assert_ne!(daemon.pid_of("p"), first);
        assert_eq!(told(&daemon), ["post_stop p [] [SIGKILL] unexpected", "post_stop ended"]);
    });
}

#[test]
fn hooks_that_fail_beside_the_start_are_only_warned_of() {
    only_ours(|| {
        let options = "post_start=./hook post_start 3\npre_stop=./hook pre_stop 4\npost_stop=./no-such-hook\n";
        let mut daemon = scene(options).start(Subject::Ours);
        daemon.wait_for_log("WARN p: post-start hook failed (exit status 3: post_start err)");
        assert_eq!(daemon.state_of("p"), "RUNNING");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: h\r\nLast-Event-ID: none\r\n\r\n").expect("it is sent");
        http::head(&mut *stream).expect("a stream");
        assert_eq!(daemon.ctl(&["restart", "p"]).stdout, "p: stopped\np: started\n");
        let mut events = String::new();
        while !events.contains("\"hook\":\"pre_stop\",\"reason\":\"exit status 4: pre_stop err\"}") {
            let chunk = http::chunk(&mut *stream).expect("a piece").expect("it goes on");
            events.push_str(&String::from_utf8(chunk).expect("text"));
        }
        assert!(events.contains("event: hook_failed\ndata: {\"time\":"), "{events}");
        daemon.wait_for_log("WARN p: pre-stop hook failed (exit status 4: pre_stop err)");
        daemon.wait_for_log("WARN p: post-stop hook failed (can't find command './no-such-hook')");
    });
}

#[test]
fn hooks_run_as_the_user_of_the_program_in_its_directory_and_environment() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nuser=nobody\ndirectory={dir}/there\numask=027\nenvironment=COLOUR=\"red\"\n\
            pre_start=sh -c 'id -un; pwd; umask; echo $COLOUR $SUPERVISOR_GROUP_NAME; cat; touch made'\n\
            stdout_logfile={dir}/p.log\nredirect_stderr=true\n";
        let scene = Scene::with("hooks", text).open_to_all().shell("mkdir there; chmod 777 there");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let there = daemon.path("there");
        assert_eq!(daemon.read("p.log"), format!("nobody\n{}\n0027\nred p\n", there.display()));
        assert!(there.join("made").exists());
    });
}

#[test]
fn a_command_that_cannot_be_one_is_refused_with_its_place() {
    only_ours(|| {
        for (line, message) in [
            ("pre_start=sh -c 'never closed", "not a valid command: \"sh -c 'never closed\" (No closing quotation)"),
            ("pre_stop=/bin/sh -c \0", "(no argument of a program can contain a NUL byte)"),
            ("post_stop_command=''", "not a valid command: \"''\" has no program"),
            ("hook_timeout=0", "0s is below lower bound (1s)"),
        ] {
            let mut daemon = scene(line).launch(Subject::Ours);
            assert_eq!(daemon.exit_code(), 2);
            let stderr = daemon.stderr();
            assert!(stderr.contains(message) && stderr.contains("(supervisord.conf:"), "{stderr}");
        }
    });
}

#[test]
fn a_hundred_programs_run_their_hooks_at_the_same_time() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nnumprocs=100\nprocess_name=p_%(process_num)d\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n\
            pre_start=sh -c 'echo $SUPERVISOR_PROCESS_NAME >> began; while test ! -e go; do sleep 0.05; done'\n\
            post_stop=sh -c 'echo $SUPERVISOR_PROCESS_NAME >> stopped'\n";
        let mut daemon = Scene::with("hooks", text).start(Subject::Ours);
        daemon.wait_until("all hooks have begun", |daemon| daemon.read("began").lines().count() == 100);
        daemon.write("go", "");
        daemon.wait_until("all run", |daemon| {
            let all = daemon.call("supervisor.getAllProcessInfo", &[]);
            all.items().iter().all(|row| row.get("statename").text() == "RUNNING")
        });
        assert_eq!(daemon.stop(), 0);
        assert_eq!(daemon.read("stopped").lines().count(), 100);
    });
}

#[test]
fn why_tells_what_a_failed_hook_wrote_and_which_option_to_mend() {
    only_ours(|| {
        let hook = "pre_start=sh -c 'echo connecting >&2; echo \"migration 7 failed\" >&2; exit 4'\nstartretries=0";
        let mut daemon = scene(hook).start(Subject::Ours);
        daemon.wait_for_state("p", "FATAL");
        let text = "pre-start hook failed (exit status 4: migration 7 failed)";
        assert!(description(&daemon).contains(text), "{}", description(&daemon));
        assert!(daemon.ctl(&["why", "p"]).stdout.contains(text));
        assert!(daemon.ctl(&["status", "--wide"]).stdout.contains("migration 7 failed"));
        let mut daemon = scene("pre_start=/no/such/hook\nstartretries=0").start(Subject::Ours);
        daemon.wait_for_state("p", "FATAL");
        let why = daemon.ctl(&["why", "p"]).stdout;
        assert!(
            why.contains("what to do: /no/such/hook does not exist: install it, or correct the path in `pre_start`"),
            "{why}"
        );
    });
}
