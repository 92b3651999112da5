//! Who owns what, and who may become whom. Most of it can only be seen by root.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::geteuid;

use crate::harness::{Daemon, Observed, Program, Scene, Subject, compare, compare_refusal, compare_runs};

/// Notes owner, group and mode of files of the scene.
fn note_owners(daemon: &Daemon, observed: &mut Observed, names: &[&str]) {
    for name in names {
        let metadata = fs::metadata(daemon.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        observed.exactly(name, format!("{}:{} {:o}", metadata.uid(), metadata.gid(), metadata.mode()));
    }
}

/// The lines about users and groups in the status of a process.
fn identity(pid: i32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let lines = status.lines().filter(|line| ["Uid:", "Gid:", "Groups:"].iter().any(|field| line.starts_with(field)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn programs_run_as_whom_they_name() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    let program = |name: &str, user: &str| {
        format!(
            "[program:{name}]\ncommand=sh -c 'id -u; pwd; echo $HOME,$USER,$LOGNAME; touch there/{name}; exec sleep 1000'\n\
             directory={{dir}}\nuser={user}\numask=027\nstartsecs=0\nstdout_logfile={{dir}}/{name}.log\nstderr_logfile={{dir}}/{name}.err\n"
        )
    };
    let text = [("name", "nobody"), ("number", "65534"), ("own", "root"), ("games", "games")]
        .map(|(name, user)| program(name, user))
        .concat();
    let scene = Scene::with("whom", &text).open_to_all().shell("mkdir there; chmod 777 there");
    compare(&scene, |daemon, observed| {
        for name in ["name", "number", "own", "games"] {
            daemon.wait_for_state(name, "RUNNING");
            let made = format!("there/{name}");
            daemon.wait_until("it has made its file", |daemon| daemon.path(&made).exists());
            daemon.wait_until("it has spoken", |daemon| daemon.read(&format!("{name}.log")).lines().count() == 3);
            observed.note(
                daemon,
                "what it says",
                daemon.read(&format!("{name}.log")) + &daemon.read(&format!("{name}.err")),
            );
            observed.exactly("identity", identity(daemon.pid_of(name)));
            note_owners(daemon, observed, &[&made, &format!("{name}.log")]);
            observed.exactly("stopped", daemon.ctl(&["stop", name]).transcript());
        }
    });
}

#[test]
fn a_daemon_that_becomes_somebody_owns_what_it_makes() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    let text = "[supervisord]\nuser=nobody\n[unix_http_server]\nfile={dir}/s.sock\nchmod=0770\n\
        [program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile={dir}/p.log\n\
        [program:same]\ncommand=sleep 1000\nuser=nobody\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
        [program:other]\ncommand=sleep 1000\nuser=games\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile={dir}/other.err\n";
    compare(&Scene::with("becomes", text).open_to_all(), |daemon, observed| {
        daemon.wait_for_states(&["p", "same"], "RUNNING");
        daemon.wait_for_state("other", "FATAL");
        note_owners(daemon, observed, &["s.sock", "p.log", "supervisord.log", "supervisord.pid"]);
        observed.exactly("daemon", identity(daemon.pid()));
        observed.exactly("child", identity(daemon.pid_of("p")));
        observed.exactly("child of the same user", identity(daemon.pid_of("same")));
        observed.note(daemon, "complaint", daemon.read("other.err"));
        let log = daemon.log();
        observed.note(daemon, "log", log.lines().filter(|line| line.contains("other")).collect::<Vec<_>>().join("\n"));
        observed.exactly("exit status", daemon.stop());
    });
}

/// Starts the daemon as a user who may nothing.
const AS_NOBODY: &str = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";

/// Whether the programs can be started by everybody; below the home directory of root they cannot.
fn everybody_may_start() -> bool {
    geteuid().is_root()
        && Subject::chosen().into_iter().all(|subject| {
            let output = Scene::new("reach").open_to_all().shell(AS_NOBODY).arguments(&["-v"]).run(subject);
            output.code == 0
        })
}

#[test]
fn a_daemon_without_privileges_says_what_it_cannot_do() {
    if !everybody_may_start() {
        return eprintln!("left out, because nobody else can start the programs");
    }
    let unprivileged = |text: &str| Scene::with("unprivileged", text).open_to_all().shell(AS_NOBODY);
    let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nuser=nobody\nstdout_logfile={dir}/p.log\n\
        [program:root]\ncommand=sleep 1000\nuser=root\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile={dir}/root.err\n";
    compare(&unprivileged(text), |daemon, observed| {
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_for_state("root", "FATAL");
        daemon.wait_for_log("gave up: root");
        daemon.wait_for_log("success: p");
        // The two programs have nothing to do with each other.
        let log = daemon.story();
        let mut lines: Vec<&str> =
            log.lines().map(|line| line.split_once(',').map_or(line, |(_, line)| &line[4..])).collect();
        lines.sort();
        observed.note(daemon, "log", lines.join("\n"));
        observed.note(daemon, "complaint", daemon.read("root.err"));
        observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
    });
    compare_refusal(&unprivileged("[supervisord]\nuser=root\n"));
    compare_refusal(&unprivileged("[supervisord]\nuser=games\n"));
}

/// The environment of a program tells what it was told, not whose it is.
#[test]
fn a_listener_and_a_fastcgi_program_change_their_users_too() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    let text = "[eventlistener:l]\ncommand=sh -c 'id -un >&2; echo READY; exec cat'\nuser=nobody\nevents=TICK_3600\nstartsecs=0\nstderr_logfile={dir}/l.err\n\
        [fcgi-program:f]\ncommand=sh -c 'id -un; exec sleep 1000'\nuser=nobody\nstartsecs=0\nsocket=unix://{dir}/f.sock\nsocket_owner=games:games\nsocket_mode=0660\n\
        stdout_logfile={dir}/f.log\n\
        [fcgi-program:g]\ncommand=sleep 1000\nuser=nobody\nstartsecs=0\nsocket=unix://{dir}/g.sock\nstdout_logfile=NONE\n";
    compare(&Scene::with("others", text).open_to_all(), |daemon, observed| {
        daemon.wait_for_states(&["l", "f", "g"], "RUNNING");
        observed.exactly("listener", daemon.wait_for_file("l.err"));
        observed.exactly("program", daemon.wait_for_file("f.log"));
        note_owners(daemon, observed, &["f.sock", "g.sock"]);
    });
}

/// A home directory is that of the account.
#[test]
fn a_tilde_means_the_home_of_the_user() {
    compare_runs(|subject| {
        let place = Scene::with("home", "").set_up(subject);
        let mut observed = Observed::new();
        for url in ["unix://~/s.sock", "unix://~nobody/s.sock", "unix://~no-such-user/s.sock"] {
            let mut command = place.command(&subject.path(Program::Supervisorctl));
            let output = crate::harness::command::run(command.args(["-s", url, "status"]), "");
            observed.note(&place, url, format!("{}{}", output.stdout, output.code));
        }
        observed
    });
}
