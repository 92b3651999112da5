//! The last output of programs whose logs are no files, kept in memory. The original shows nothing of it.

use crate::harness::http::{self, Stream};
use crate::harness::rpc::Value;
use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program stdout_log_memory", "program stderr_log_memory"];

/// Repeats what comes through a FIFO, on both streams.
const PARROT: &str =
    "#!/bin/sh\nmkfifo words.$1; echo ready > ready.$1\nwhile true; do tee /dev/stderr < words.$1; done\n";

fn start(name: &str, options: &[(&str, &str)]) -> Daemon {
    let program = |(name, options): &(&str, &str)| {
        format!(
            "[program:{name}]\ncommand={{dir}}/parrot {name}\ndirectory={{dir}}\nstartsecs=0\nstopasgroup=true\n\
             killasgroup=true\n{options}\n"
        )
    };
    let text: String = options.iter().map(program).collect();
    let mut daemon = Scene::with(name, &text).script("parrot", PARROT).start(Subject::Ours);
    options.iter().for_each(|(name, _)| _ = daemon.wait_for_file(&format!("ready.{name}")));
    daemon
}

fn say(daemon: &Daemon, name: &str, text: &str) {
    std::fs::write(daemon.path(&format!("words.{name}")), text).expect("it is taken");
}

fn connect(daemon: &Daemon) -> Box<dyn Stream> {
    http::unix(&daemon.path("s.sock")).expect("it listens")
}

fn get(daemon: &Daemon, path: &str) -> http::Response {
    http::request(&mut *connect(daemon), "GET", path, &["Host: h"], b"").expect("an answer")
}

/// What is shown of a log, without the line feed that is printed behind it.
fn tail(daemon: &Daemon, arguments: &[&str]) -> String {
    let mut text = daemon.ctl(&[&["tail"], arguments].concat()).stdout;
    assert_eq!(text.pop(), Some('\n'), "{arguments:?}");
    text
}

/// Begins to follow something.
fn follow(daemon: &Daemon, path: &str) -> Box<dyn Stream> {
    let mut stream = connect(daemon);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).expect("sent");
    assert_eq!(http::head(&mut *stream).expect("a head").status(), 200, "{path}");
    stream
}

/// Reads until this comes.
fn hear(stream: &mut dyn Stream, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let piece = http::chunk(stream).unwrap_or_else(|error| panic!("{error} after {text:?}"));
        text += &String::from_utf8_lossy(&piece.unwrap_or_else(|| panic!("it ends after {text:?}")));
    }
    text
}

#[test]
fn output_that_is_in_no_file_is_shown_everywhere() {
    only_ours(|| {
        let none = "stdout_logfile=NONE\nstdout_log_memory=1KB\nstderr_logfile=NONE\nstderr_log_memory=10";
        let null = "stdout_logfile=/dev/null\nstdout_log_memory=1KB\nstdout_log_format=json\nlog_markers=true";
        let out = "stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstdout_log_memory=1KB\nredirect_stderr=true";
        let mut daemon = start("memory-shown", &[("none", none), ("null", null), ("out", out)]);
        let mut plain = follow(&daemon, "/logtail/none");
        let mut events = follow(&daemon, "/api/v1/programs/none/none/logs/stdout?follow");
        say(&daemon, "none", "one\ntwo\n");
        say(&daemon, "null", "three\n");
        say(&daemon, "out", "four\n");
        daemon.wait_until("all is there", |daemon| {
            tail(daemon, &["none"]) == "one\ntwo\n"
                && tail(daemon, &["none", "stderr"]) == "one\ntwo\n"
                && tail(daemon, &["null"]).contains("\"message\":\"three\"")
                && tail(daemon, &["out"]) == "four\nfour\n"
        });
        assert!(tail(&daemon, &["null"]).contains("\"marker\":true"), "{}", tail(&daemon, &["null"]));
        assert!(daemon.stdout().contains("four\n"), "the log has it, too");
        assert_eq!(hear(&mut *plain, "two\n"), "one\ntwo\n");
        assert!(hear(&mut *events, "two").contains("\"text\":\"one"));
        say(&daemon, "none", "5\n");
        daemon.wait_until("only the end is kept", |daemon| tail(daemon, &["none", "stderr"]) == "one\ntwo\n5\n");
        say(&daemon, "none", "6\n");
        daemon.wait_until("only the end is kept", |daemon| tail(daemon, &["none", "stderr"]) == "e\ntwo\n5\n6\n");
        let part = get(&daemon, "/api/v1/programs/none/none/logs/stderr?offset=0&length=100");
        assert_eq!(
            (part.text(), part.header("log-offset"), part.header("log-size")),
            ("e\ntwo\n5\n6\n".to_owned(), Some("2"), Some("12"))
        );
        assert_eq!(get(&daemon, "/api/v1/programs/none/none/logs/stdout?download").text(), "one\ntwo\n5\n6\n");
        assert_eq!(get(&daemon, "/api/v1/programs/none/none/logs/stdout/files").text(), "{\"files\":[]}");
        assert!(get(&daemon, "/tail.html?processname=none").text().contains("two"));
        let name = || Value::from("none");
        let read = daemon.call("supervisor.readProcessStdoutLog", &[name(), Value::Int(4), Value::Int(3)]);
        assert_eq!(read, Value::from("two"));
        let read = daemon.call("supervisor.tailProcessStderrLog", &[name(), Value::Int(0), Value::Int(4)]);
        assert_eq!(format!("{read:?}").matches("5\\n6\\n").count(), 1, "{read:?}");
        let logs = daemon.ctl(&["logs", "-n", "2", "none", "out"]).stdout;
        assert!(logs.contains("5\n") && logs.contains("6\n") && logs.contains("four\n"), "{logs}");
        let metric = |daemon: &Daemon| {
            let text = get(daemon, "/metrics").text();
            let line = text.lines().find_map(|line| line.strip_prefix("supervisord_log_memory_bytes "));
            line.and_then(|value| value.parse::<f64>().ok()).expect("a number")
        };
        assert_eq!(metric(&daemon), 4.0 * 8192.0);

        assert_eq!(daemon.ctl(&["clear", "none"]).stdout, "none: cleared\n");
        assert_eq!((tail(&daemon, &["none"]), metric(&daemon)), (String::new(), 2.0 * 8192.0 + 2.0 * 4096.0));
        say(&daemon, "none", "new\n");
        let heard = hear(&mut *plain, "new\n");
        assert!(heard.starts_with("5\n6\n") && heard.ends_with("==> File truncated <==\nnew\n"), "{heard}");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn output_in_memory_survives_an_upgrade_kill_9_and_the_end_of_its_program() {
    only_ours(|| {
        let kept = "stdout_logfile=NONE\nstdout_log_memory=64KB\nstderr_logfile=NONE";
        let mut daemon = start("memory-survives", &[("p", kept), ("q", kept)]);
        let shows = |daemon: &mut Daemon, text: &str| {
            daemon.wait_until(text, |daemon| tail(daemon, &["p"]) == text);
        };
        say(&daemon, "p", "one\n");
        say(&daemon, "q", "of q\n");
        shows(&mut daemon, "one\n");
        assert_eq!(daemon.ctl(&["stop", "q"]).code, 0);
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_eq!((tail(&daemon, &["p"]), tail(&daemon, &["q"])), ("one\n".to_owned(), "of q\n".to_owned()));
        say(&daemon, "p", "two\n");
        shows(&mut daemon, "one\ntwo\n");
        daemon.crash();
        daemon.start_again();
        assert_eq!((tail(&daemon, &["p"]), tail(&daemon, &["q"])), ("one\ntwo\n".to_owned(), "of q\n".to_owned()));
        say(&daemon, "p", "three\n");
        shows(&mut daemon, "one\ntwo\nthree\n");
        // Another keeper gets it as well.
        let keeper = daemon.running_keeper();
        crate::harness::processes::signal(keeper, nix::sys::signal::Signal::SIGKILL);
        daemon.wait_until("there is another keeper", |daemon| daemon.keeper().is_some_and(|other| other != keeper));
        daemon.wait_for_log("another one will be started");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.crash();
        daemon.start_again();
        assert_eq!(tail(&daemon, &["p"]), "one\ntwo\nthree\n");
        daemon.crash_with_keeper();
        daemon.start_again();
        daemon
            .wait_until("nothing is left", |daemon| tail(daemon, &["q"]).is_empty() && tail(daemon, &["p"]).is_empty());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn memory_is_changed_under_a_running_program_and_given_back() {
    only_ours(|| {
        let log = "stdout_logfile=NONE\nstderr_logfile={dir}/p.err\nstderr_log_memory=1KB\nstdout_log_memory=";
        let mut daemon = start("memory-live", &[("p", &format!("{log}0"))]);
        let pid = daemon.pid_of("p");
        let rewrite = |daemon: &mut Daemon, from: &str, to: &str| {
            let text = daemon.read("supervisord.conf");
            assert!(text.contains(from), "{text}");
            daemon.write("supervisord.conf", &text.replace(from, to));
            assert_eq!(daemon.ctl(&["update", "--minimal"]).stdout, "p: updated without a restart\n");
        };
        say(&daemon, "p", "unseen\n");
        daemon.wait_until("it is logged", |daemon| daemon.read("p.err") == "unseen\n");
        let refused = get(&daemon, "/api/v1/programs/p/p/logs/stdout");
        assert!(refused.status() == 404 && refused.text().contains("stdout_log_memory=64KB"), "{}", refused.text());
        rewrite(&mut daemon, "stdout_log_memory=0", "stdout_log_memory=1KB");
        say(&daemon, "p", "0123456789\n");
        daemon.wait_until("it is kept", |daemon| tail(daemon, &["p"]) == "0123456789\n");
        rewrite(&mut daemon, "stdout_log_memory=1KB", "stdout_log_memory=4");
        daemon.wait_until("its end is kept", |daemon| tail(daemon, &["p"]) == "789\n");
        assert_eq!(tail(&daemon, &["p", "stderr"]), "unseen\n0123456789\n", "a file is read from the file");
        let metric = |daemon: &Daemon, value: &str| {
            get(daemon, "/metrics").text().contains(&format!("\nsupervisord_log_memory_bytes {value}\n"))
        };
        assert!(metric(&daemon, "8192"), "of stdout alone");
        rewrite(&mut daemon, "stdout_log_memory=4", "stdout_log_memory=0");
        assert_eq!(tail(&daemon, &["p"]), "p: ERROR (no log file)");
        assert!(metric(&daemon, "0"));
        assert_eq!(daemon.pid_of("p"), pid);
        rewrite(&mut daemon, "stdout_log_memory=0", "stdout_log_memory=1KB");
        say(&daemon, "p", "x\n");
        daemon.wait_until("it is kept", |daemon| tail(daemon, &["p"]) == "x\n");
        assert_eq!(daemon.ctl(&["stop", "p"]).code, 0);
        assert_eq!(tail(&daemon, &["p"]), "x\n", "a program that has ended can be read");
        assert_eq!(daemon.ctl(&["remove", "p"]).code, 0);
        assert!(metric(&daemon, "0"));
        assert_eq!(daemon.stop(), 0);
    });
}
