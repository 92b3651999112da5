//! File owners and changes of users. Most of it needs root.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::geteuid;

use crate::harness::http;
use crate::harness::needs::Power;
use crate::harness::{Daemon, Observed, Program, Scene, Subject, compare, compare_refusal, compare_runs, only_ours};

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
fn programs_run_as_their_configured_users() {
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
fn a_daemon_that_changes_user_owns_its_files() {
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

/// Starts the daemon as a user without privileges.
const AS_NOBODY: &str = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";

#[test]
fn a_daemon_without_privileges_logs_what_it_cannot_do() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    let unprivileged = |text: &str| Scene::with("unprivileged", text).open_to_all().shell(AS_NOBODY);
    let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nuser=nobody\nstdout_logfile={dir}/p.log\n\
        [program:root]\ncommand=sleep 1000\nuser=root\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile={dir}/root.err\n";
    compare(&unprivileged(text), |daemon, observed| {
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_for_state("root", "FATAL");
        daemon.wait_for_log("gave up: root");
        daemon.wait_for_log("success: p");
        // The order of the two programs varies.
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

/// The environment of a program is not changed to that of its user.
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

/// A user that was removed from a group does not get it any more.
#[test]
fn groups_are_looked_up_at_every_start() {
    if !Power::Mount.is_there_for("another group file") {
        return;
    }
    let text =
        "[program:p]\ncommand=sh -c 'id -G; exec sleep 1000'\nuser=nobody\nstartsecs=0\nstdout_logfile={dir}/p.log\n";
    let with = "root:x:0:\nnogroup:x:65534:\nextra:x:61234:nobody\n";
    let shell = "exec unshare -m sh -c 'mount --bind {dir}/group /etc/group && exec \"$@\"' sh \"$@\"";
    let scene = Scene::with("groups", text).file("group", with).shell(shell);
    compare(&scene, |daemon, observed| {
        daemon.wait_until("it has spoken", |daemon| daemon.read("p.log").lines().count() == 1);
        observed.exactly("before", daemon.read("p.log"));
        assert!(daemon.read("p.log").contains("61234"));
        daemon.write("group", "root:x:0:\nnogroup:x:65534:\n");
        daemon.ctl(&["restart", "p"]);
        daemon.wait_until("it has spoken again", |daemon| daemon.read("p.log").lines().count() == 2);
        observed.exactly("after", daemon.read("p.log"));
    });
}

/// A directory of the user nobody with traps for root. All of it exists before the daemon starts.
const TRAPS: &str = "umask 022; mkdir etc home tmp; echo precious > etc/victim; chmod 600 etc/victim; chmod 1777 tmp
    for name in started stopped; do ln -s ../etc/victim home/$name.log; done
    ln -s ../etc/victim tmp/pid; ln -s ../etc/victim tmp/activity.log; ln -s ../etc home/etc
    chown -h 65534:65534 home home/* tmp/*";

/// Root neither writes, truncates, renames nor reads any file that a program's user has linked to.
#[test]
fn a_root_daemon_follows_no_links_planted_by_program_users() {
    if !Power::ChangeUser.is_there_for("files of others") {
        return;
    }
    let text = "[supervisord]\npidfile={dir}/tmp/pid\n\
        [program:started]\ncommand=echo x\nuser=nobody\nstartretries=0\nstdout_logfile={dir}/home/started.log\n\
        [program:deep]\ncommand=echo x\nuser=nobody\nstartretries=0\nstdout_logfile={dir}/home/etc/deep.log\nstdout_logfile_maxbytes=10\n\
        [program:stopped]\ncommand=cat\nuser=nobody\nautostart=false\nstdout_logfile={dir}/home/stopped.log\n";
    only_ours(|| {
        let mut daemon = Scene::with("traps", text).shell(TRAPS).launch(Subject::Ours);
        daemon.wait_until("it answers", |daemon| daemon.rpc_if_up("supervisor.getState", &[]).is_some());
        daemon.wait_for_states(&["started", "deep"], "FATAL");
        assert!(daemon.log().contains("could not write pidfile"), "{}", daemon.log());
        let fault = daemon.rpc("supervisor.clearProcessLogs", &["stopped".into()]).expect_err("a link");
        assert_eq!(fault, (30, "FAILED: stopped".to_owned()));
        let read = daemon.rpc("supervisor.readProcessStdoutLog", &["stopped".into(), 0.into(), 0.into()]);
        assert_eq!(read, Err((30, "FAILED".to_owned())));
        let tail = daemon.call("supervisor.tailProcessStdoutLog", &["stopped".into(), 0.into(), 100.into()]);
        assert_eq!(tail.items()[0].text(), "");
        for path in ["/tail.html?processname=stopped", "/logtail/stopped"] {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            let answer = http::request(&mut *stream, "GET", path, &["Connection: close"], b"").expect("an answer");
            assert!(!answer.text().contains("precious"), "{path}");
        }
        let output = daemon.ctl(&["start", "stopped"]);
        assert_eq!(output.stdout, "stopped: ERROR (spawn error)\n");
        assert_eq!((daemon.read("etc/victim"), daemon.path("etc/deep.log").exists()), ("precious\n".to_owned(), false));
        // Without the link the daemon uses the path again.
        fs::remove_file(daemon.path("home/stopped.log")).expect("removed");
        daemon.wait_for_state("stopped", "RUNNING");
        daemon.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
        assert_eq!(daemon.read("etc/victim"), "precious\n");
    });
    only_ours(|| {
        let text = "[supervisord]\nlogfile={dir}/tmp/activity.log\n";
        let place = Scene::with("activity", text).shell(TRAPS).set_up(Subject::Ours);
        let output = Scene::with("activity", text).shell(TRAPS).run_in(&place);
        assert_eq!(output.code, 2, "{}", output.transcript());
        assert_eq!(place.read("etc/victim"), "precious\n");
    });
}

/// Links of root, links of users to their own files, files with a changed owner, FIFOs, the standard output.
#[test]
fn logs_behind_common_links_are_written() {
    if !Power::ChangeUser.is_there_for("links of others") {
        return;
    }
    let prepare = "umask 022; mkdir -p data log home/releases/42/log home/data tmp; chmod 1777 tmp
        ln -s data linked; ln -s ../data/file.log log/file.log; ln -s releases/42 home/current; ln -s ../../data home/releases/data
        ln -s {dir}/data tmp/data; touch home/own.log log/given.log; mkfifo home/fifo
        chown -h 65534:65534 home home/* home/releases/* home/releases/42/* log/given.log; chown -h 0:0 home/releases/data
        cat home/fifo > fifo.out & ";
    let logs = [
        ("dir", "linked/new.log"),
        ("file", "log/file.log"),
        ("deploy", "home/current/log/app.log"),
        ("own", "home/own.log"),
        ("given", "log/given.log"),
        ("made", "home/made.log"),
        ("deep", "home/releases/data/deep.log"),
        ("sticky", "tmp/sticky.log"),
        ("through", "tmp/data/through.log"),
    ];
    let program = |(name, log): &(&str, &str)| {
        format!(
            "[program:{name}]\ncommand=sh -c 'echo {name}; exec sleep 1000'\nuser=nobody\nstartsecs=0\n\
             stdout_logfile={{dir}}/{log}\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n"
        )
    };
    let text: String = logs.iter().chain(&[("fifo", "home/fifo")]).map(program).collect();
    compare(&Scene::with("usual", &text).shell(prepare), |daemon, observed| {
        for (name, log) in logs {
            daemon.wait_for_state(name, "RUNNING");
            daemon.wait_until("it is written", |daemon| daemon.read(log) == format!("{name}\n"));
            note_owners(daemon, observed, &[log]);
        }
        daemon.wait_for_state("fifo", "RUNNING");
        daemon.wait_until("the FIFO has it", |daemon| daemon.read("fifo.out") == "fifo\n");
        observed.exactly("tail", daemon.ctl(&["tail", "deploy"]).transcript());
        observed.exactly(
            "links",
            [daemon.path("log/file.log").is_symlink(), daemon.path("linked").is_symlink()]
                .map(|is| is.to_string())
                .join(" "),
        );
    });
}

/// In containers, directories of logs often have links to the standard output, of any owner.
#[test]
fn a_link_of_any_user_may_lead_to_the_standard_output() {
    if !Power::ChangeUser.is_there_for("links of others") {
        return;
    }
    let text = "[program:p]\ncommand=sh -c 'echo spoken; exec sleep 1000'\nuser=nobody\nstartsecs=0\n\
        stdout_logfile={dir}/log/p.log\nstdout_logfile_maxbytes=0\n";
    let prepare = "mkdir log; ln -s /dev/stdout log/p.log; chown -h 65534 log log/p.log";
    only_ours(|| {
        let mut daemon = Scene::with("output", text).shell(prepare).start(Subject::Ours);
        daemon.wait_until("the output has it", |daemon| daemon.stdout().contains("spoken\n"));
    });
}

/// In a container, root may have CAP_CHOWN without CAP_FOWNER.
#[test]
fn a_unix_socket_gets_its_owner_and_mode_without_cap_fowner() {
    if !Power::ChangeUser.is_there_for("sockets of others") {
        return;
    }
    let text = "[unix_http_server]\nchown=nobody:games\nchmod=0770\n";
    let shell = "exec setpriv --bounding-set -fowner --inh-caps -fowner \"$@\"";
    for directory in ["", "chmod 1777 {dir}; "] {
        compare(&Scene::with("owner", text).shell(&format!("{directory}{shell}")), |daemon, observed| {
            note_owners(daemon, observed, &["s.sock"]);
            let names: Vec<String> = daemon.names().into_iter().filter(|name| name.contains(".sock")).collect();
            observed.exactly("names", names.join(" "));
        });
    }
}

/// A home directory is that of the account, not of `HOME`.
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
