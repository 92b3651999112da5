//! `supervisorctl top` on terminals of all kinds, and beside a daemon that does not always answer.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::screen::screen;
use crate::harness::terminal::Terminal;
use crate::harness::{Daemon, Program, Scene, Subject, only_ours};

const PROGRAMS: &str = "[program:cat]\ncommand=cat\nstartsecs=0\n[program:broken]\n\
    command=sh -c 'echo no database >&2; exit 3'\nstartretries=0\n";

fn started(name: &str, programs: &str) -> Daemon {
    Scene::with(name, programs).start(Subject::Ours)
}

fn resize(top: &Terminal, rows: u16, columns: u16) {
    let device = format!("/proc/{}/fd/0", top.pid());
    let size = ["rows", &rows.to_string(), "cols", &columns.to_string()].map(str::to_owned);
    let resized = Command::new("stty").args(["-F", &device]).args(size).status();
    assert!(resized.is_ok_and(|status| status.success()), "stty of coreutils");
}

/// Everything that has been on the screen at some time.
fn moments(raw: &str) -> Vec<String> {
    raw.match_indices("\u{1b}[0m").map(|(end, _)| screen(&raw[..end])).collect()
}

#[test]
fn an_upgrade_is_not_reported_and_a_silent_daemon_is() {
    only_ours(|| {
        let mut daemon = started("top-silent", PROGRAMS);
        daemon.wait_for_state("broken", "FATAL");
        let mut top = Terminal::ctl(&daemon, &["top"]);
        top.wait_on_screen("2 programs  1 FATAL  1 RUNNING");
        for _ in 0..2 {
            assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
            daemon.call("supervisor.stopProcess", &["cat".into()]);
            top.wait_on_screen("2 programs  1 FATAL  1 STOPPED");
            daemon.call("supervisor.startProcess", &["cat".into()]);
            top.wait_on_screen("2 programs  1 FATAL  1 RUNNING");
        }
        // It counts every two seconds what programs use.
        top.wait_on_screen("0.0");
        daemon.signal(Signal::SIGSTOP);
        top.wait_on_screen("supervisord has said nothing for ");
        daemon.signal(Signal::SIGCONT);
        top.wait_on_screen("? help  q quit");
        top.send("q");
        let (raw, code) = top.raw_end();
        assert_eq!(code, 0);
        let reported = moments(&raw).into_iter().find(|moment| moment.contains("does not answer"));
        assert_eq!(reported, None);
    });
}

#[test]
fn narrow_and_short_terminals_show_what_matters() {
    only_ours(|| {
        let mut daemon = started("top-small", PROGRAMS);
        daemon.wait_for_state("broken", "FATAL");
        let mut top = Terminal::ctl(&daemon, &["top"]);
        top.wait_on_screen("s start  x stop  r restart  Enter details  / filter  o order  ? help  q quit");
        resize(&top, 8, 30);
        top.wait_on_screen("2 programs  1 FATAL");
        top.wait_on_screen("/ filter  ? help  q quit");
        top.send("?");
        top.wait_on_screen("Up/Down more");
        top.send(&"j".repeat(30));
        top.wait_on_screen("Ctrl-Z");
        top.send("q");
        top.wait_on_screen("NAME");
        top.send("\r");
        top.wait_on_screen("broken is FATAL");
        resize(&top, 2, 10);
        resize(&top, 24, 100);
        top.wait_on_screen("broken is FATAL");
        top.send("\u{c}qq");
        assert_eq!(top.end().1, 0);
    });
}

#[test]
fn names_and_logs_cannot_control_the_terminal_and_colours_can_be_switched_off() {
    const NAME: &str = "\u{1b}cx\u{7}\u{9b}2J\u{202e}";
    let programs = format!(
        "[program:{NAME}]\ncommand=printf '\\033[31mred\\033[0m \\033]0;title\\007\\302\\2332Jend\\n'\nstartsecs=0\n\
         autorestart=false\n"
    );
    only_ours(|| {
        let mut daemon = started("top-hostile", &programs);
        daemon.wait_for_log("exited: ");
        let program = Subject::Ours.path(Program::Supervisorctl);
        let variables = [("TERM", Some("xterm")), ("NO_COLOR", Some("1"))];
        let mut top = Terminal::open_with(&daemon, &program, &["-c", "supervisord.conf", "top"], &variables);
        top.wait_on_screen("1 program  1 EXITED");
        top.wait_on_screen("\\x1bcx\\x07\\x9b2J\\u202e");
        top.send("\r");
        top.wait_on_screen("end");
        top.send("qq");
        let (raw, _) = top.raw_end();
        let obeyed = ["\u{1b}c", "\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}", "\u{1b}[31m"];
        assert!(obeyed.iter().all(|part| !raw.contains(part)), "{raw:?}");
        assert!((30..38).all(|colour| !raw.contains(&format!(";{colour}m"))), "{raw:?}");
        let dumb = [("TERM", Some("dumb"))];
        let refused = Terminal::open_with(&daemon, &program, &["-c", "supervisord.conf", "top"], &dumb).end();
        assert_eq!(refused, ("ERROR: top needs a terminal; elsewhere there is status --watch\n".to_owned(), 1));
    });
}
