//! The end of everything, and the daemon as process 1: what an image needs of its first process.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::needs::{self, Power};
use crate::harness::{Daemon, Program, Scene, Subject, only_ours, processes};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program essential", "supervisord exit_when"];

/// A program that ends as a client tells it: it becomes the command in the file with its name.
const WAITS: &str = "#!/bin/sh\nwhile [ ! -s \"$0.$1\" ]; do sleep 0.02; done\n. \"$0.$1\"\n";

fn program(name: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand=./waits {name}\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
         {options}\n"
    )
}

fn scene(programs: &str) -> Scene {
    Scene::with("containers", programs).script("waits", WAITS)
}

/// Starts the programs, and waits until all run.
fn running(programs: &str) -> Daemon {
    let mut daemon = scene(programs).start(Subject::Ours);
    all_run(&mut daemon);
    daemon
}

fn all_run(daemon: &mut Daemon) {
    daemon.wait_until("everything runs", |daemon| {
        let all = daemon.rpc_if_up("supervisor.getAllProcessInfo", &[]);
        all.is_some_and(|all| all.items().iter().all(|row| row.get("statename").text() == "RUNNING"))
    });
}

/// Lets a program execute a command.
fn tell(daemon: &Daemon, name: &str, command: &str) {
    let path = daemon.path(&format!("waits.{name}"));
    fs::write(daemon.path("told"), command).expect("written");
    fs::rename(daemon.path("told"), path).expect("renamed");
}

#[test]
fn an_essential_program_ends_the_daemon_with_its_status() {
    only_ours(|| {
        for (command, code, how) in [
            ("exit 0", 0, "exit status 0"),
            ("exit 3", 3, "exit status 3"),
            ("kill -9 $$", 137, "terminated by SIGKILL"),
        ] {
            let programs = [
                program("first", "priority=1"),
                program("web", "priority=2\nessential=true"),
                program("last", "priority=3"),
            ];
            let mut daemon = running(&programs.concat());
            tell(&daemon, "web", command);
            assert_eq!(daemon.exit_code(), code);
            let log = daemon.log();
            let reason = format!(
                "shutting down, because the essential program web has finished ({how}); supervisord will exit with status {code}"
            );
            let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{log}"));
            assert!(at(&reason) < at("stopped: last") && at("stopped: last") < at("stopped: first"), "{log}");
            assert!(!daemon.path("supervisord.pid").exists(), "it leaves nothing");
        }
    });
}

#[test]
fn an_essential_program_that_cannot_run_ends_the_daemon_with_status_1() {
    only_ours(|| {
        let programs =
            program("other", "") + "[program:web]\ncommand=no-such-command\nstartretries=0\nessential=true\n";
        let mut daemon = scene(&programs).launch(Subject::Ours);
        assert_eq!(daemon.exit_code(), 1);
        assert!(daemon.log().contains("the essential program web has finished (FATAL)"), "{}", daemon.log());
    });
}

#[test]
fn a_stop_by_a_client_does_not_end_the_daemon() {
    only_ours(|| {
        let mut daemon = running(&program("web", "essential=true"));
        assert_eq!(daemon.ctl(&["stop", "web"]).stdout, "web: stopped\n");
        assert_eq!(daemon.ctl(&["start", "web"]).stdout, "web: started\n");
        assert_eq!(daemon.ctl(&["restart", "web"]).stdout, "web: stopped\nweb: started\n");
        assert!(daemon.is_running());
        assert_eq!(daemon.stop(), 0, "an end that somebody asked for is a success");
    });
}

#[test]
fn the_daemon_ends_when_all_have_finished_or_one_has_failed() {
    only_ours(|| {
        let programs =
            |when: &str| format!("{}{}[supervisord]\nexit_when={when}\n", program("a", ""), program("b", ""));
        for (when, ends, code, reason) in [
            (
                "all_finished",
                [("a", "exit 0"), ("b", "exit 0")],
                0,
                "all programs have finished and exit_when is all_finished",
            ),
            (
                "all_finished",
                [("a", "exit 4"), ("b", "exit 0")],
                4,
                "all programs have finished, a with a failure (exit status 4)",
            ),
            (
                "any_failed",
                [("a", "exit 0"), ("b", "exit 5")],
                5,
                "b has failed (exit status 5) and exit_when is any_failed",
            ),
        ] {
            let mut daemon = running(&programs(when));
            for (name, command) in ends {
                assert!(daemon.is_running());
                tell(&daemon, name, command);
                daemon.wait_for_log(&format!("exited: {name}"));
            }
            assert_eq!(daemon.exit_code(), code, "{when}");
            assert!(daemon.log().contains(reason), "{}", daemon.log());
        }
    });
}

/// The end goes on where it was, with its status, when the daemon is killed in the middle of it.
#[test]
fn an_end_survives_an_upgrade_before_it_and_a_crash_during_it() {
    only_ours(|| {
        let deaf = "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo > deaf; while :; do sleep 0.05; done'\nstartsecs=0\n\
            stopwaitsecs=6\nkillasgroup=true\npriority=1\n";
        let mut daemon = running(&(program("web", "essential=true\npriority=2") + deaf));
        daemon.wait_for_file("deaf");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        tell(&daemon, "web", "exit 6");
        daemon.wait_for_log("shutting down, because the essential program web has finished (exit status 6)");
        daemon.wait_for_log("waiting for deaf to die");
        daemon.crash();
        daemon.launch_again();
        assert_eq!(daemon.exit_code(), 6, "{}", daemon.log());
        let log = daemon.log();
        assert!(log.contains("going on with the end that the daemon before had begun, because the essential"), "{log}");
        assert!(log.contains("killing 'deaf'"), "{log}");
        assert_eq!(log.matches("spawned: ").count(), 2, "nothing is started again: {log}");
    });
}

/// The daemon as process 1 of a pid namespace, which is what a container has. Gives its process id outside.
fn as_first_process(scene: &Scene, arguments: &[&str]) -> (Daemon, i32) {
    let place = scene.set_up(Subject::Ours);
    let mut command: Command = place.command(&needs::program("unshare"));
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(Subject::Ours.path(Program::Supervisord)).args(arguments).args(["-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("it has started its programs", |daemon| daemon.log().contains("spawned: "));
    let init = processes::children(daemon.launched_pid()).first().map_or(0, |init| init.pid);
    assert!(init > 0, "{}", daemon.report());
    (daemon, init)
}

const INNER: &str = "[supervisord]\npidfile={dir}/inner.pid\n";

/// Processes whose parents end become children of process 1: these are as many as a shell script makes in a day.
const ORPHANS: &str = "import os, sys\n\
count = int(sys.argv[1])\n\
for _ in range(count):\n\
\x20   if os.fork() == 0:\n\
\x20       if os.fork() == 0:\n\
\x20           os._exit(0)\n\
\x20       os._exit(0)\n\
\x20   os.wait()\n\
open('orphaned', 'w').write('all\\n')\n";

#[test]
fn process_1_reaps_10000_orphans_without_a_line_for_each() {
    if !Power::BeFirstProcess.is_there_for("10,000 orphans") {
        return;
    }
    only_ours(|| {
        let configuration = format!(
            "{INNER}[program:maker]\ncommand=python3 orphans.py 10000\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\n\
             stderr_logfile={{dir}}/maker.log\n{}",
            program("other", "")
        );
        let scene = scene(&configuration).file("orphans.py", ORPHANS);
        let (mut daemon, init) = as_first_process(&scene, &["-n"]);
        daemon.wait_for_file("orphaned");
        // The last one may not have ended yet.
        let is_orphan = |child: &processes::Process| child.name.starts_with("python");
        daemon.wait_until("all have been reaped", |_| !processes::children(init).iter().any(is_orphan));
        assert!(!daemon.log().contains("reaped unknown"), "{}", daemon.report());
        // The program that goes on has reaped them as well.
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        processes::signal(init, Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
        let log = daemon.log();
        let reaped = log.split_once(" INFO reaped ").and_then(|(_, rest)| rest.split_once(" orphaned processes"));
        let reaped: u32 = reaped.and_then(|(count, _)| count.parse().ok()).unwrap_or(0);
        // What the other program was waiting for becomes an orphan, too, if it outlives that program.
        assert!([10_000, 10_001].contains(&reaped), "{reaped}: {}", daemon.report());
    });
}

#[test]
fn process_1_stops_in_order_at_term_and_int() {
    if !Power::BeFirstProcess.is_there_for("an orderly end of process 1") {
        return;
    }
    only_ours(|| {
        for (signal, arguments) in [(Signal::SIGTERM, &["-n"][..]), (Signal::SIGINT, &[])] {
            let programs = program("first", "priority=1") + &program("last", "priority=2");
            let (mut daemon, init) = as_first_process(&scene(&(INNER.to_owned() + &programs)), arguments);
            all_run(&mut daemon);
            processes::signal(init, signal);
            assert_eq!(daemon.exit_code(), 0);
            let log = daemon.log();
            let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{log}"));
            assert!(
                at("indicating exit request") < at("stopped: last") && at("stopped: last") < at("stopped: first"),
                "{log}"
            );
            assert_eq!(log.contains("is process 1 and stays in the foreground"), arguments.is_empty(), "{log}");
        }
    });
}

#[test]
fn a_container_ends_with_the_status_of_its_essential_program() {
    if !Power::BeFirstProcess.is_there_for("the exit status of process 1") {
        return;
    }
    only_ours(|| {
        for (command, code) in [("exit 3", 3), ("kill -15 $$", 143)] {
            let programs = program("web", "essential=true") + &program("other", "");
            let (mut daemon, _) = as_first_process(&scene(&(INNER.to_owned() + &programs)), &["-n"]);
            tell(&daemon, "web", command);
            assert_eq!(daemon.exit_code(), code, "{}", daemon.report());
        }
    });
}

/// The configurations in the guide can be used as they are; each of them ends by itself.
#[test]
fn the_examples_of_the_container_guide_run() {
    only_ours(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/containers.md");
        let guide = fs::read_to_string(path).expect("the guide exists");
        let examples: Vec<&str> = guide.split("```ini\n").skip(1).filter_map(|text| text.split("```").next()).collect();
        let expected = [3, 0];
        assert_eq!(examples.len(), expected.len());
        for (example, code) in examples.into_iter().zip(expected) {
            let mut daemon = Scene::with("guide", example).launch(Subject::Ours);
            assert_eq!(daemon.exit_code(), code, "{}", daemon.report());
            assert!(!daemon.log().contains("WARN unknown"), "{}", daemon.log());
        }
    });
}

/// Nobody asked for these stops, and nothing follows them: an empty container must not stay, nor one be well that lacks a program.
#[test]
fn what_the_daemon_itself_stops_for_good_has_failed() {
    only_ours(|| {
        let ill = "healthcheck=file:{dir}/missing\nhealthcheck_interval=1s\nhealthcheck_retries=1\non_unhealthy=stop";
        let overdue = "max_runtime=1s";
        let behind = "[program:db]\ncommand=./waits db\nautorestart=false\nstartsecs=0\n";
        let needs_db = format!("depends_on=db\non_dependency_failure=stop\n{behind}");
        for (options, how) in [
            (ill, "stopped, unhealthy: "),
            (overdue, "stopped, max_runtime: it ran for "),
            (&needs_db, "stopped, on_dependency_failure: db ended unexpectedly"),
        ] {
            let mut daemon = scene(&program("web", &format!("essential=true\n{options}"))).launch(Subject::Ours);
            tell(&daemon, "db", "exit 3");
            assert_eq!(daemon.exit_code(), 1, "{options}");
            let reason = format!("the essential program web has finished ({how}");
            assert!(daemon.log().contains(&reason), "{}", daemon.log());
        }
        let mut daemon = scene(&(program("web", ill) + &program("other", ""))).start(Subject::Ours);
        daemon.wait_for_log("stopped: web");
        for _ in ["before", "after"] {
            let health = daemon.ctl(&["health"]);
            assert_eq!(health.code, 1);
            assert!(health.stdout.starts_with("web: STOPPED: unhealthy: "), "{}", health.stdout);
            let why = daemon.ctl(&["why", "web"]).stdout;
            assert!(why.contains("it was stopped (unhealthy: "), "{why}");
            assert_eq!(daemon.ctl(&["wait", "web", "--timeout", "1min"]).code, 1, "it will not come by itself");
            daemon.crash();
            daemon.start_again();
        }
    });
}
