//! `pidproxy`, under the supervisor and alone.

use nix::sys::signal::Signal;

use crate::harness::command::{run, run_within};
use crate::harness::{Observed, Program, Scene, Subject, compare_runs, only_ours, processes, wait};

/// A daemon that writes its own pid file, and records the signals it gets.
const SERVER: &str = "#!/bin/sh
for name in HUP INT QUIT USR1 USR2; do trap \"echo $name >> got\" $name; done
trap 'echo TERM >> got; exit 0' TERM
echo $$ > inner.pid
while :; do sleep 0.1; done
";

#[test]
fn signals_reach_the_process_in_the_pid_file() {
    compare_runs(|subject| {
        let proxy = subject.path(Program::Pidproxy).display().to_string();
        let text = format!(
            "[program:p]\ncommand={proxy} {{dir}}/inner.pid {{dir}}/server.sh\nstartsecs=0\nautorestart=false\n\
             stdout_logfile={{dir}}/p.log\nredirect_stderr=true\n"
        );
        let mut daemon = Scene::with("proxy", &text).script("server.sh", SERVER).start(subject);
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_for_file("inner.pid");
        let mut observed = Observed::new();
        for name in ["HUP", "USR1", "USR2"] {
            observed.exactly(name, daemon.ctl(&["signal", name, "p"]).transcript());
            daemon.wait_until("it arrives", |daemon| daemon.read("got").contains(name));
        }
        observed.exactly("stop", daemon.ctl(&["stop", "p"]).transcript());
        daemon.wait_until("it arrives", |daemon| daemon.read("got").contains("TERM"));
        observed.exactly("got", daemon.read("got"));
        observed.note(&daemon, "said", daemon.read("p.log"));
        let log = daemon.log();
        let ends: Vec<&str> = log.lines().filter(|line| line.contains("stopped: ")).collect();
        observed.note(&daemon, "end", ends.join("\n"));
        observed
    });
}

#[test]
fn pidproxy_ends_when_its_command_ends() {
    compare_runs(|subject| {
        let place = Scene::new("alone").set_up(subject);
        let mut observed = Observed::new();
        for arguments in
            [&["p.pid", "true"] as &[&str], &["p.pid", "sh", "-c", "exit 3"], &["p.pid", "no-such-command"]]
        {
            let mut command = place.command(&subject.path(Program::Pidproxy));
            let output = run_within(wait::DEADLINE, command.args(arguments), "").expect("it ends");
            observed.exactly(&arguments.join(" "), format!("{} {:?}", output.code, output.stdout));
        }
        // The wording of the usage message is ours.
        for arguments in [&[] as &[&str], &["p.pid"]] {
            let output = run(place.command(&subject.path(Program::Pidproxy)).args(arguments), "");
            observed.exactly("too little", format!("{} {}", output.code, output.stdout.is_empty()));
        }
        observed
    });
}

/// The original's child exits silently.
#[test]
fn a_program_that_cannot_be_executed_is_reported() {
    only_ours(|| {
        let place = Scene::new("missing").set_up(Subject::Ours);
        let mut command = place.command(&Subject::Ours.path(Program::Pidproxy));
        let output = run(command.args(["p.pid", "./missing"]), "");
        let expected = format!("pidproxy: can't execute {}: ", place.path("missing").display());
        assert!(output.stderr.starts_with(&expected), "{output:?}");
    });
}

/// The original polls every five seconds. Ours does not poll, so that only the end of the program can wake it.
#[test]
fn the_end_of_a_long_running_program_is_noticed_at_once() {
    only_ours(|| {
        const APPLICATION: &str = "echo $$ >pid.new; mv pid.new a.pid; exec sleep 1000";
        let place = Scene::new("end").file("app.sh", APPLICATION).set_up(Subject::Ours);
        let proxy = |arguments: &[&str]| {
            let mut command = place.command(&Subject::Ours.path(Program::Pidproxy));
            command.args(arguments);
            command
        };
        let mut watched = proxy(&["a.pid", "/bin/sh", "app.sh"]).spawn().expect("it starts");
        wait::until("the application runs", || !place.read("a.pid").is_empty());
        // Another one whose command ends at once lives for five seconds; a proxy never lives for less.
        let wakings_after_a_life = || {
            run(&mut proxy(&["b.pid", "/bin/true"]), "");
            processes::status(watched.id() as i32, "voluntary_ctxt_switches")
        };
        let wakings = [wakings_after_a_life(), wakings_after_a_life()];
        if let Ok(application) = place.read("a.pid").trim().parse() {
            processes::signal(application, Signal::SIGKILL);
        }
        let ended = wait::poll(wait::DEADLINE, || watched.try_wait().ok().flatten());
        // From here on it may fail.
        place.kill_everything(&[]);
        let _ = watched.wait();
        assert_eq!(ended.expect("it ends").code(), Some(0));
        assert!(
            wakings[0].is_some() && wakings[0] == wakings[1],
            "it looks whether the program still runs: {wakings:?}"
        );
    });
}
