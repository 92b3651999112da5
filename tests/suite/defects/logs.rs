//! Logs.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use crate::harness::{Scene, Subject, Value, only_ours};

/// The original renames the device itself.
#[test]
fn a_device_is_never_rotated() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'head -c 5000 /dev/zero; exec sleep 1000'\nstartsecs=0\nstdout_logfile=/dev/null\nstdout_logfile_maxbytes=1KB\n\
            [program:q]\ncommand=sh -c 'echo to the terminal; exec sleep 1000'\nstartsecs=0\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=1KB\n";
        let mut daemon = Scene::with("device", text).start(Subject::Ours);
        daemon.wait_for_states(&["p", "q"], "RUNNING");
        daemon.wait_until("it comes through", |daemon| daemon.stdout().contains("to the terminal"));
        daemon.ctl(&["clear", "p"]);
        daemon.ctl(&["clear", "q"]);
        assert!(fs::metadata("/dev/null").expect("it is there").file_type().is_char_device());
        assert!(fs::symlink_metadata("/dev/stdout").expect("it is there").file_type().is_symlink());
        assert!(!fs::exists("/dev/null.1").unwrap_or(true) && !fs::exists("/dev/stdout.1").unwrap_or(true));
    });
}

/// The original answers that it did, and does nothing.
#[test]
fn the_log_of_a_stopped_program_can_be_cleared() {
    only_ours(|| {
        let text = "[program:p]\ncommand=echo something\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\n";
        let mut daemon = Scene::with("clear", text).start(Subject::Ours);
        daemon.wait_for_state("p", "EXITED");
        assert_eq!(daemon.read("p.log"), "something\n");
        assert_eq!(daemon.ctl(&["clear", "p"]).stdout, "p: cleared\n");
        assert_eq!(daemon.read("p.log"), "");
    });
}

/// The original holds it back and loses it.
#[test]
fn short_output_is_kept_in_capture_mode() {
    only_ours(|| {
        let text = "[program:p]\ncommand=printf hello\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\nstdout_capture_maxbytes=1KB\n";
        let mut daemon = Scene::with("short", text).start(Subject::Ours);
        daemon.wait_for_state("p", "EXITED");
        assert_eq!(daemon.read("p.log"), "hello");
    });
}

/// The original writes to where its handle was, and leaves a hole of zeros.
#[test]
fn a_log_that_is_emptied_from_outside_has_no_hole() {
    only_ours(|| {
        let text = "[program:p]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/p.log\nstdout_logfile_maxbytes=100\nstdout_logfile_backups=1\n";
        let mut daemon = Scene::with("emptied", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let mut say = |text: &str| {
            daemon.call("supervisor.sendProcessStdin", &["p".into(), text.into()]);
            daemon.wait_until("it is written", |daemon| {
                daemon.read("p.log").ends_with(text) || daemon.read("p.log.1").ends_with(text)
            });
        };
        say(&("a".repeat(120) + "\n"));
        say("first\n");
        fs::write(daemon.path("p.log"), "").expect("the file is ours");
        daemon.call("supervisor.sendProcessStdin", &["p".into(), "second\n".into()]);
        daemon.wait_until("it is written", |daemon| daemon.read("p.log").ends_with("second\n"));
        assert_eq!(daemon.read("p.log"), "second\n");
    });
}

/// The original ends the request with an internal error.
#[test]
fn logs_that_are_not_utf8_can_be_read() {
    only_ours(|| {
        let text = "[program:p]\ncommand=printf 'a\\377b\\303\\274\\033[1m\\001c'\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\n";
        let mut daemon = Scene::with("bytes", text).start(Subject::Ours);
        daemon.wait_for_state("p", "EXITED");
        let read = |offset: i64, length: i64| {
            daemon.call("supervisor.readProcessStdoutLog", &["p".into(), offset.into(), length.into()])
        };
        assert!(read(0, 0).text().starts_with("a\u{fffd}b\u{fc}"), "{}", read(0, 0));
        // The range cuts a character in two.
        assert!(matches!(read(3, 1), Value::Text(_)));
        assert_eq!(daemon.ctl(&["tail", "p"]).code, 0);
    });
}

/// The original writes nothing at all then.
#[test]
fn negative_sizes_count_as_none() {
    only_ours(|| {
        let text = "[program:p]\ncommand=echo something\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/p.log\nstdout_logfile_maxbytes=-1\n";
        let mut daemon = Scene::with("negative", text).start(Subject::Ours);
        daemon.wait_for_state("p", "EXITED");
        assert_eq!(daemon.read("p.log"), "something\n");
    });
}

/// In the original each rotates the file under the other.
#[test]
fn programs_may_share_a_log() {
    only_ours(|| {
        let program = |name: &str| {
            format!(
                "[program:{name}]\ncommand=sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo {name} $i; done'\nstartsecs=0\nautorestart=false\n\
                stdout_logfile={{dir}}/shared.log\nstdout_logfile_maxbytes=1KB\nstdout_logfile_backups=50\n"
            )
        };
        let mut daemon = Scene::with("shared", &(program("one") + &program("two"))).start(Subject::Ours);
        daemon.wait_for_states(&["one", "two"], "EXITED");
        let mut text = String::new();
        for number in (1..=50).rev() {
            text += &daemon.read(&format!("shared.log.{number}"));
        }
        text += &daemon.read("shared.log");
        for name in ["one", "two"] {
            let count = text.split_whitespace().collect::<Vec<_>>().windows(2).filter(|words| words[0] == name).count();
            assert_eq!(count, 300, "{name}");
        }
    });
}

/// The original keeps apart what both means that there is no log.
#[test]
fn an_empty_log_file_is_shown_as_none() {
    only_ours(|| {
        let text = "[program:p]\ncommand=cat\nautostart=false\nstdout_logfile=\nstderr_logfile=NONE\n";
        let daemon = Scene::with("empty", text).start(Subject::Ours);
        let info = daemon.call("supervisor.getAllConfigInfo", &[]);
        for log in ["stdout_logfile", "stderr_logfile"] {
            assert_eq!(info.items()[0].get(log).text(), "none");
        }
    });
}

/// The original ends the request with an internal error.
#[test]
fn clearing_what_goes_to_the_system_log_clears_the_rest() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'echo something >&2; exec sleep 1000'\nstartsecs=0\nstdout_logfile=NONE\n\
            stdout_syslog=true\nstderr_logfile={dir}/p.err\nstderr_syslog=true\n";
        let mut daemon = Scene::with("clear", text).start(Subject::Ours);
        daemon.wait_for_file("p.err");
        assert_eq!(daemon.ctl(&["clear", "p"]).transcript(), "stdout:\np: cleared\n\nexit status 0\n");
        assert_eq!(daemon.read("p.err"), "");
        assert_eq!(daemon.ctl(&["clear", "all"]).code, 0);
    });
}
