//! Defects of the original in logs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Daemon, Scene, Subject, differ};

/// A program that writes its stdin to its stdout.
const ECHO: &str = "[program:p]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/p.log\nstderr_logfile=NONE\n";

fn echo(subject: Subject, name: &str, options: &str) -> Daemon {
    let mut daemon = Scene::with(name, &format!("{ECHO}{options}")).start(subject);
    daemon.wait_for_state("p", "RUNNING");
    daemon
}

/// Runs a program to its end, and returns the content of its log.
fn logged(subject: Subject, name: &str, options: &str) -> String {
    let text = format!("[program:p]\nstartsecs=0\nautorestart=false\nstdout_logfile={{dir}}/p.log\n{options}");
    let mut daemon = Scene::with(name, &text).start(subject);
    daemon.wait_for_state("p", "EXITED");
    daemon.read("p.log")
}

fn send_line(daemon: &Daemon, name: &str, text: &str) {
    daemon.call("supervisor.sendProcessStdin", &[name.into(), text.into()]);
}

/// How many bytes are in a log and its backups, newest first.
fn sizes(daemon: &Daemon) -> Vec<usize> {
    ["p.log", "p.log.1", "p.log.2"].map(|name| daemon.read(name).len()).into()
}

#[test]
fn a_device_is_never_removed() {
    let original = (false, "p: cleared\n".to_owned());
    let ours = (true, "p: ERROR (failed)\n".to_owned());
    differ(original, ours, |subject| {
        let text = "[program:p]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/null\nstdout_logfile_maxbytes=1KB\n";
        let mut daemon = Scene::with("device", text).shell("ln -s /dev/null null").start(subject);
        daemon.wait_for_state("p", "RUNNING");
        let said = daemon.ctl(&["clear", "p"]).stdout;
        (daemon.path("null").is_symlink(), said)
    });
}

/// The original asks for the size of a pipe, which has none, and fails with every write.
#[test]
fn a_pipe_is_not_rotated_and_one_warning_is_logged() {
    const COMPLAINTS: [&str; 2] = ["uncaptured python exception", "is not rotated: it is not a regular file"];
    differ([true, false], [false, true], |subject| {
        let text = "[program:p]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/fifo\nstdout_logfile_maxbytes=1KB\n";
        // The shell keeps the pipe open on both sides, and the daemon inherits it.
        let mut daemon = Scene::with("pipe", text).shell("mkfifo fifo; exec 7<>fifo").start(subject);
        daemon.wait_for_state("p", "RUNNING");
        send_line(&daemon, "p", "something\n");
        daemon.wait_until("it is reported", |daemon| COMPLAINTS.iter().any(|text| daemon.log().contains(text)));
        COMPLAINTS.map(|text| daemon.log().contains(text))
    });
}

#[test]
fn the_log_of_a_stopped_program_can_be_cleared() {
    differ("something\n", "", |subject| {
        let text = "[program:p]\ncommand=echo something\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\n";
        let mut daemon = Scene::with("clear", text).start(subject);
        daemon.wait_for_state("p", "EXITED");
        assert_eq!(daemon.read("p.log"), "something\n");
        assert_eq!(daemon.ctl(&["clear", "p"]).stdout, "p: cleared\n");
        if daemon.read("p.log").is_empty() { "" } else { "something\n" }
    });
}

#[test]
fn short_output_is_logged_in_capture_mode() {
    differ(String::new(), "hello".to_owned(), |subject| {
        logged(subject, "short", "command=printf hello\nstdout_capture_maxbytes=1KB\n")
    });
}

/// The original writes at its old offset, and leaves a hole of zero bytes.
#[test]
fn a_log_truncated_by_another_process_has_no_hole() {
    differ("\0\0\0\0\0\0second\n".to_owned(), "second\n".to_owned(), |subject| {
        let mut daemon = echo(subject, "emptied", "stdout_logfile_maxbytes=100\nstdout_logfile_backups=1\n");
        for text in ["a".repeat(120) + "\n", "first\n".to_owned()] {
            send_line(&daemon, "p", &text);
            daemon.wait_until("it is written", |daemon| {
                daemon.read("p.log").ends_with(&text) || daemon.read("p.log.1").ends_with(&text)
            });
        }
        fs::write(daemon.path("p.log"), "").expect("the file is ours");
        send_line(&daemon, "p", "second\n");
        daemon.wait_until("it is written", |daemon| daemon.read("p.log").ends_with("second\n"));
        daemon.read("p.log")
    });
}

/// The original shifts the backups although it has no file for the first one.
#[test]
fn a_log_that_was_moved_away_is_not_rotated() {
    differ(vec![0, 0, 121], vec![0, 121, 0], |subject| {
        let mut daemon = echo(subject, "moved", "stdout_logfile_maxbytes=100\nstdout_logfile_backups=3\n");
        let text = "a".repeat(120) + "\n";
        send_line(&daemon, "p", &text);
        daemon.wait_until("it is rotated", |daemon| sizes(daemon) == [0, 121, 0] && daemon.path("p.log").exists());
        fs::rename(daemon.path("p.log"), daemon.path("away")).expect("the file is ours");
        send_line(&daemon, "p", &text);
        daemon
            .wait_until("the log is made anew", |daemon| daemon.read("away") == text && daemon.path("p.log").exists());
        sizes(&daemon)
    });
}

/// The original stops logging.
#[test]
fn a_failed_rotation_loses_no_output() {
    let first = "a".repeat(120) + "\n";
    differ(first.clone(), first.clone() + "second\n", |subject| {
        let options = "stdout_logfile_maxbytes=100\nstdout_logfile_backups=1\n";
        let scene = Scene::with("rotation", &format!("{ECHO}{options}")).file("p.log.1/there", "");
        let mut daemon = scene.start(subject);
        daemon.wait_for_state("p", "RUNNING");
        for text in [&*first, "second\n"] {
            let before = daemon.log().matches("uncaptured python exception").count();
            send_line(&daemon, "p", text);
            daemon.wait_until("it is written or refused", |daemon| {
                let refused = daemon.log().matches("uncaptured python exception").count() > before;
                refused || subject == Subject::Ours && daemon.read("p.log").ends_with(text)
            });
        }
        daemon.read("p.log")
    });
}

/// The original reports it on stderr, which a daemon in the background does not have.
#[test]
fn a_full_disk_is_logged() {
    differ(false, true, |subject| {
        let text = "[program:p]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/full\nstdout_logfile_maxbytes=0\n";
        let mut daemon = Scene::with("full", text).shell("ln -s /dev/full full").start(subject);
        daemon.wait_for_state("p", "RUNNING");
        send_line(&daemon, "p", "something\n");
        const REASON: &str = "No space left on device";
        daemon.wait_until("it is reported", |daemon| daemon.log().contains(REASON) || daemon.stderr().contains(REASON));
        daemon.log().contains(REASON)
    });
}

#[test]
fn cleared_automatic_logs_stay_private() {
    differ(0o644, 0o600, |subject| {
        let text = "[program:p]\ncommand=cat\nstartsecs=0\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("private", text).start(subject);
        daemon.wait_for_state("p", "RUNNING");
        let mode = |daemon: &Daemon| {
            let names = daemon.names();
            let name = names.iter().find(|name| name.starts_with("p-stdout")).expect("there is an automatic log");
            fs::metadata(daemon.path(name)).expect("the file is ours").permissions().mode() & 0o777
        };
        assert_eq!(mode(&daemon), 0o600);
        assert_eq!(daemon.ctl(&["clear", "p"]).stdout, "p: cleared\n");
        mode(&daemon)
    });
}

/// The original forgets an unfinished sequence between two reads.
#[test]
fn an_escape_sequence_split_over_two_reads_is_removed() {
    differ("a31mred\n".to_owned(), "ared\n".to_owned(), |subject| {
        let text = "[supervisord]\nstrip_ansi=true\n[program:p]\ncommand={dir}/colour\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\n";
        let script = "#!/bin/sh\nprintf 'a\\033['\nwhile [ ! -e go ]; do sleep 0.1; done\nprintf '31mred\\033[0m\\n'\n";
        let mut daemon = Scene::with("pieces", text).script("colour", script).start(subject);
        daemon.wait_until("the first piece is written", |daemon| daemon.read("p.log") == "a");
        daemon.write("go", "");
        daemon.wait_for_state("p", "EXITED");
        daemon.read("p.log")
    });
}

#[test]
fn logs_that_are_not_utf8_can_be_read() {
    differ("HTTP status 500".to_owned(), "\"a\u{fffd}b\u{fc}\"".to_owned(), |subject| {
        let text = "[program:p]\ncommand=printf 'a\\377b\\303\\274'\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\n";
        let mut daemon = Scene::with("bytes", text).start(subject);
        daemon.wait_for_state("p", "EXITED");
        let read = |offset: i64, length: i64| {
            daemon.answer("supervisor.readProcessStdoutLog", &["p".into(), offset.into(), length.into()])
        };
        // The range cuts a character.
        assert_eq!(read(3, 1) == "HTTP status 500", subject == Subject::Original);
        read(0, 0)
    });
}

/// The original then writes no output.
#[test]
fn a_negative_log_size_counts_as_0() {
    differ(String::new(), "something\n".to_owned(), |subject| {
        logged(subject, "negative", "command=echo something\nstdout_logfile_maxbytes=-1\n")
    });
}

/// In the original one program goes on writing into the backup that the other made, and creates an empty one.
#[test]
fn programs_may_share_a_log() {
    differ(vec![0, 0, 140], vec![20, 120, 0], |subject| {
        let options = "stdout_logfile_maxbytes=100\nstdout_logfile_backups=5\n";
        let other = ECHO.replace("program:p", "program:q");
        let mut daemon = echo(subject, "shared", &format!("{options}{other}{options}"));
        daemon.wait_for_state("q", "RUNNING");
        let mut total = 0;
        for (name, size) in [("p", 60), ("q", 60), ("p", 20)] {
            send_line(&daemon, name, &("x".repeat(size - 1) + "\n"));
            total += size;
            daemon.wait_until("it is written", |daemon| sizes(daemon).iter().sum::<usize>() == total);
        }
        // The write that exceeds the limit triggers the rotation at once.
        let expected = if subject == Subject::Original { 140 } else { 0 };
        daemon.wait_until("it is rotated", |daemon| sizes(daemon)[2] == expected);
        sizes(&daemon)
    });
}

/// The original distinguishes two settings that both mean "no log".
#[test]
fn an_empty_log_file_is_shown_as_none() {
    differ(["", "none"], ["none", "none"], |subject| {
        let text = "[program:p]\ncommand=cat\nautostart=false\nstdout_logfile=\nstderr_logfile=NONE\n";
        let daemon = Scene::with("empty", text).start(subject);
        let info = daemon.call("supervisor.getAllConfigInfo", &[]);
        ["stdout_logfile", "stderr_logfile"]
            .map(|log| if info.items()[0].get(log).text() == "none" { "none" } else { "" })
    });
}

#[test]
fn clearing_the_logs_of_a_program_with_syslog_clears_its_files() {
    differ(["HTTP status 500", "something\n"], ["true", ""], |subject| {
        let text = "[program:p]\ncommand=sh -c 'echo something >&2; exec sleep 1000'\nstartsecs=0\nstdout_logfile=NONE\n\
            stdout_syslog=true\nstderr_logfile={dir}/p.err\nstderr_syslog=true\n";
        let mut daemon = Scene::with("clear", text).start(subject);
        daemon.wait_for_file("p.err");
        let answer = daemon.answer("supervisor.clearProcessLogs", &["p".into()]);
        assert_eq!(daemon.ctl(&["clear", "all"]).code, i32::from(subject == Subject::Original));
        [
            if answer == "true" { "true" } else { "HTTP status 500" },
            if daemon.read("p.err").is_empty() { "" } else { "something\n" },
        ]
    });
}
