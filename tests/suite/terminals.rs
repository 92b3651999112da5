//! `supervisorctl` on a terminal.

use nix::sys::signal::Signal;

use crate::harness::needs::Power;
use crate::harness::programs::{CAT, TEAM};
use crate::harness::terminal::{SILENCE_HINT, Terminal};
use crate::harness::{Program, Scene, Subject, compare, only_ours, processes, wait};

const PROMPT: &str = "supervisor> ";

fn scene(name: &str) -> Scene {
    Scene::with(name, &[CAT, TEAM].concat())
}

/// The number of output lines that are this answer and not typed input.
fn answers(shown: &str, answer: &str) -> usize {
    shown.lines().filter(|line| line.trim_end() == answer).count()
}

/// Input that is pasted, or typed while an action still runs.
#[test]
fn lines_typed_ahead_are_read_by_the_next_prompts() {
    for pasted in ["version\rversion\rquit\r", "version\nversion\nquit\n", "\r\rversion\r  version\rquit\r"] {
        compare(&scene("pasted"), |daemon, observed| {
            daemon.wait_for_state("cat", "RUNNING");
            let mut shell = Terminal::ctl(daemon, &[]);
            shell.wait_for(PROMPT, 1);
            shell.send(pasted);
            let (shown, code) = shell.end();
            observed.exactly("answers", answers(&shown, "4.3.0"));
            observed.exactly("exit status", code);
        });
    }
}

/// Input that is typed ahead may answer a later question, or go to a process.
#[test]
fn typed_ahead_input_answers_questions_and_reaches_processes() {
    compare(&scene("questions"), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        let mut shell = Terminal::ctl(daemon, &[]);
        shell.wait_for(PROMPT, 1);
        shell.send("reload\rn\rversion\rshutdown\ry\rquit\r");
        let (shown, code) = shell.end();
        observed.exactly("answers", answers(&shown, "4.3.0"));
        observed.exactly("questions", shown.matches("Really ").count());
        observed.exactly("exit status", code);
        observed.exactly("the daemon", daemon.exit_code());
    });
    only_ours(|| {
        let mut daemon = scene("foreground").start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        let mut shell = Terminal::ctl(&daemon, &[]);
        shell.wait_for(PROMPT, 1);
        shell.send("fg cat\rhello\r");
        daemon.wait_until("it arrived", |daemon| daemon.read("cat.log") == "hello\n");
        shell.send("\u{3}");
        shell.wait_for("Exiting foreground", 1);
        shell.send("version\rquit\r");
        let (shown, _) = shell.end();
        assert_eq!(answers(&shown, "4.3.0"), 1, "{shown}");
    });
}

/// Completion and history work without any capability of the terminal.
#[test]
fn history_and_completion_work_on_every_terminal() {
    for term in [Some("xterm"), Some("dumb"), Some("emacs"), Some(""), None] {
        compare(&scene("terms"), |daemon, observed| {
            daemon.wait_for_state("cat", "RUNNING");
            let program = daemon.subject.path(Program::Supervisorctl);
            let mut shell = Terminal::open_with(daemon, &program, &["-c", "supervisord.conf"], &[("TERM", term)]);
            let mut expected = 0;
            for keys in ["version\r", "\u{10}\r", "vers\t\r", "rsion\u{1}ve\r", "x\u{15}version\r"] {
                shell.wait_for(PROMPT, 1 + expected);
                shell.send(keys);
                expected += 1;
                shell.wait_until(keys, |shown| answers(shown, "4.3.0") == expected);
            }
            shell.send("status cat\u{17}team:\tmember_1\r");
            shell
                .wait_until("a group is completed", |shown| shown.contains("team:member_1                    RUNNING"));
            shell.wait_for(PROMPT, 2 + expected);
            shell.send("\u{4}");
            observed.exactly("exit status", shell.end().1);
        });
    }
}

#[test]
fn control_c_leaves_the_shell() {
    compare(&scene("control-c"), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        for keys in ["\u{3}", "status\u{3}", "\u{4}"] {
            let mut shell = Terminal::ctl(daemon, &[]);
            shell.wait_for(PROMPT, 1);
            observed.exactly(keys, shell.end_by(|shell| shell.send(keys)).1);
        }
        let mut shell = Terminal::ctl(daemon, &[]);
        shell.wait_for(PROMPT, 1);
        let interrupt = |shell: &mut Terminal| processes::signal(shell.pid(), Signal::SIGINT);
        observed.exactly("from elsewhere", shell.end_by(interrupt).1);
    });
}

/// The terminal has its old mode afterwards, also when a signal kills the shell in the middle of a line.
#[test]
fn a_signal_at_the_prompt_restores_the_terminal() {
    only_ours(|| {
        let mut daemon = scene("signals").start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        for (signal, code) in
            [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGQUIT, 131), (Signal::SIGINT, 0)]
        {
            let mut shell = Terminal::ctl(&daemon, &[]);
            shell.wait_for(PROMPT, 1);
            shell.send("sta");
            shell.wait_for("> sta", 1);
            let before = shell.before.clone();
            assert_ne!(shell.mode().local_flags, before.local_flags);
            processes::signal(shell.pid(), signal);
            let (mode, status) = shell.mode_after_end();
            assert_eq!(status, code, "{signal}");
            assert_eq!(mode.local_flags, before.local_flags, "{signal}");
            assert_eq!(mode.input_flags, before.input_flags, "{signal}");
        }
    });
}

/// The password prompt reads a line without echo.
#[test]
fn a_signal_at_the_password_prompt_restores_the_terminal() {
    only_ours(|| {
        let text = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword=secret\n";
        let daemon = Scene::with("password", text).start(Subject::Ours);
        let url = format!("http://127.0.0.1:{}", daemon.ports[0]);
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let mut client = Terminal::ctl(&daemon, &["-s", &url, "-i", "version"]);
            client.wait_for("Username:", 1);
            client.send("user\r");
            client.wait_for("Password:", 1);
            let before = client.before.clone();
            processes::signal(client.pid(), signal);
            let (mode, code) = client.mode_after_end();
            assert_eq!(code, 128 + signal as i32);
            assert_eq!(mode.local_flags, before.local_flags);
        }
    });
}

/// A shell starts background jobs with SIGINT ignored.
#[test]
fn an_ignored_interrupt_stays_ignored() {
    compare(&scene("ignored"), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        daemon.wait_until("its log is open", |daemon| daemon.path("cat.log").exists());
        let program = daemon.subject.path(Program::Supervisorctl);
        let script = format!("trap '' INT; exec {} -c supervisord.conf tail -f cat", program.display());
        let mut tail = Terminal::open(daemon, std::path::Path::new("/bin/sh"), &["-c", &script]);
        tail.wait_for("Ctrl-C to exit", 1);
        for (times, text) in [(1, "one\n"), (2, "two\n")] {
            tail.send("\u{3}");
            // The terminal drops with it what has been written and not been read.
            tail.wait_for("^C", times);
            daemon.call("supervisor.sendProcessStdin", &["cat".into(), text.into()]);
            tail.wait_for(text.trim(), 1);
        }
        processes::signal(tail.pid(), Signal::SIGTERM);
        observed.exactly("exit status", tail.end().1);
    });
}

/// Scripts run by `cron` would mail an explanation.
#[test]
fn explanations_are_shown_only_on_terminals() {
    const ASKED: [&[&str]; 12] = [
        &["status", "nobody"],
        &["restart", "team"],
        &["tail", "nobody"],
        &["tail", "team"],
        &["signal", "HUP", "nobody"],
        &["clear", "team"],
        &["pid", "team"],
        &["fg", "nobody"],
        &["add", "nobody"],
        &["remove", "nobody"],
        &["update", "nobody"],
        &["start", "taem:*"],
    ];
    compare(&scene("quiet"), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        for arguments in ASKED {
            let said = daemon.ctl(arguments);
            assert_eq!(said.stderr, "", "{arguments:?}");
            observed.note(daemon, &arguments.join(" "), said.transcript());
        }
        daemon.write("supervisord.conf", "[supervisord]\nnonsense\n");
        let said = daemon.ctl(&["-s", "unix://{dir}/s.sock", "update"]);
        assert_eq!(said.stderr.lines().filter(|line| line.starts_with("supervisorctl: ")).count(), 0);
    });
}

/// The original's message comes first, then the suggestion.
#[test]
fn similar_names_are_suggested() {
    only_ours(|| {
        let text = [CAT, TEAM, "[program:silent]\ncommand=cat\nstdout_logfile=NONE\n"].concat();
        let pipe =
            "[program:piped]\ncommand=cat\nautostart=false\nstdout_logfile=/dev/full\nstdout_logfile_maxbytes=0\n";
        let mut daemon = Scene::with("meant", &[&text, pipe].concat()).start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        for (arguments, words, proposed) in [
            (&["restart", "team"] as &[&str], "team: ERROR (no such process)", "did you mean team:*?"),
            (&["stop", "taem:*"], "taem: ERROR (no such group)", "did you mean team:*?"),
            (&["status", "member_1"], "member_1: ERROR (no such process)", "did you mean team:member_1?"),
            (&["signal", "HUP", "cta"], "cta: ERROR (no such process)", "did you mean cat?"),
            (&["pid", "team:membr_1"], "No such process team:membr_1", "did you mean team:member_1?"),
            (&["clear", "team"], "team: ERROR (no such process)", "did you mean team:member_0 or team:member_1?"),
            (&["fg", "team"], "ERROR: bad process name supplied", "did you mean team:member_0 or team:member_1?"),
            (&["remove", "taem"], "ERROR: no such process/group: taem", "did you mean team?"),
            (
                &["tail", "-f", "all"],
                "/logtail/all/stdout Cannot read, status code 404",
                "this takes one process at a time; did you mean cat, ",
            ),
            (&["tail", "-f", "silent"], "/logtail/silent/stdout Cannot read", "silent has no log of stdout: "),
            (&["tail", "silent"], "silent: ERROR (no log file)", "silent has no log of stdout: "),
            (&["tail", "piped"], "piped: ERROR (", "the stdout of piped goes to /dev/full, a device, "),
        ] {
            let (shown, _) = Terminal::ctl(&daemon, arguments).end();
            let place = shown.find(words).unwrap_or_else(|| panic!("{shown}"));
            let proposal = format!("supervisorctl: {proposed}");
            assert_eq!(shown[place..].matches(&proposal).count(), 1, "{arguments:?}\n{shown}");
        }
        let more = daemon.read("supervisord.conf") + "[program:recent]\ncommand=cat\n";
        daemon.write("supervisord.conf", &more);
        daemon.ctl(&["reread"]);
        for action in ["start", "status"] {
            let (shown, _) = Terminal::ctl(&daemon, &[action, "recent"]).end();
            let proposal = "the group recent is configured, but not active: use add recent, or update";
            assert!(shown.ends_with(&format!("supervisorctl: {proposal}\n")), "{shown}");
        }
        daemon.write("supervisord.conf", "[supervisord]\nnonsense\n");
        let url = format!("unix://{}", daemon.path("s.sock").display());
        let program = Subject::Ours.path(Program::Supervisorctl);
        daemon.write("ctl.conf", "[supervisorctl]\n");
        let (shown, code) = Terminal::open(&daemon, &program, &["-c", "ctl.conf", "-s", &url, "update"]).end();
        assert!(shown.starts_with("error: <class 'xmlrpc.client.Fault'>, <Fault 92: "), "{shown}");
        assert!(
            shown.contains("supervisorctl: the configuration cannot be used, and nothing was changed: "),
            "{shown}"
        );
        assert_eq!(code, 1);
    });
}

#[test]
fn similar_actions_are_suggested_on_a_terminal() {
    only_ours(|| {
        let daemon = Scene::with("action", CAT).start(Subject::Ours);
        for (arguments, words, proposed) in [
            (&["restrat", "a"] as &[&str], "*** Unknown syntax: restrat a", Some("restart")),
            (&["Status"], "*** Unknown syntax: Status", Some("status")),
            (&["help", "udpate"], "*** No help on udpate", Some("update")),
            (&["something"], "*** Unknown syntax: something", None),
        ] {
            let said = daemon.ctl(arguments);
            assert_eq!((said.stdout, said.stderr.as_str()), (format!("{words}\n"), ""), "{arguments:?}");
            let (shown, code) = Terminal::ctl(&daemon, arguments).end();
            let proposal = proposed.map(|action| format!("supervisorctl: did you mean {action}?\n"));
            assert_eq!((shown, code), (format!("{words}\n{}", proposal.unwrap_or_default()), said.code));
        }
    });
}

/// The client may have more rights than the daemon.
#[test]
fn a_log_that_the_daemon_cannot_open_is_explained_on_a_terminal() {
    if !nix::unistd::Uid::effective().is_root() {
        return eprintln!("left out, because it needs root: a daemon that gives up its rights");
    }
    only_ours(|| {
        let text = "[supervisord]\nuser=nobody\n[program:w]\ncommand=sleep 1000\nstartretries=0\n\
            stdout_logfile={dir}/closed/w.log\n";
        let scene = Scene::with("closed", text).open_to_all().shell("mkdir closed; chmod 700 closed");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("w", "FATAL");
        let path = daemon.path("closed/w.log").display().to_string();
        let (shown, _) = Terminal::ctl(&daemon, &["tail", "w"]).end();
        let reason =
            format!("the stdout of w goes to {path}, which could not be opened: Permission denied, as user nobody\n");
        assert_eq!(shown, format!("w: ERROR (no log file)\nsupervisorctl: {reason}"));
    });
}

/// A daemon stopped by SIGSTOP accepts connections and does not answer.
#[test]
fn a_silent_daemon_is_reported_and_timeout_ends_the_wait() {
    only_ours(|| {
        let mut daemon = scene("stopped").start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        daemon.signal(Signal::SIGSTOP);
        let mut waiting = Terminal::ctl(&daemon, &["status"]);
        let limited = daemon.ctl(&["--timeout=0.5", "status"]);
        assert_eq!(limited.transcript(), "stdout:\nerror: <class 'TimeoutError'>, timed out\n\nexit status 1\n");
        let followed = daemon.ctl(&["--timeout", "0.5", "maintail", "-f"]);
        assert_eq!(followed.code, 1, "{}", followed.transcript());
        let (shown, _) = Terminal::ctl(&daemon, &["--timeout=0.5", "version"]).end();
        assert!(shown.contains("s.sock did not answer within 0.5 s; supervisord may be stopped or hung"), "{shown}");
        waiting.wait_for(&format!("s.sock {SILENCE_HINT}"), 1);
        daemon.signal(Signal::SIGCONT);
        let (shown, code) = waiting.end();
        assert!(shown.contains("cat                              RUNNING"), "{shown}");
        assert_eq!(code, 0);
    });
}

/// A terminal interprets control characters; logs keep their colours. Other output is unchanged.
#[test]
fn control_characters_are_not_sent_to_a_terminal() {
    const NAME: &str = "\u{1b}cx\u{7}\u{9b}2J\u{202e}";
    const LOG: &str = "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}\u{9b}2Jend\n";
    let text = format!(
        "[program:{NAME}]\ncommand=/nowhere/{NAME}\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
         [program:p]\ncommand=printf '\\033[31mred\\033[0m \\033]0;title\\007\\302\\2332Jend\\n'\nstartsecs=0\n\
         autorestart=false\nstdout_logfile={{dir}}/p.log\nstderr_logfile=NONE\n"
    );
    only_ours(|| {
        let mut daemon = Scene::with("obeys", &text).start(Subject::Ours);
        daemon.wait_until("it has spoken", |daemon| daemon.read("p.log") == LOG);
        daemon.wait_for_log("gave up");
        // Characters that XML cannot carry have been replaced on the way; the others have not.
        assert!(daemon.ctl(&["tail", "p"]).stdout.contains("\u{9b}2Jend\n"));
        assert!(daemon.ctl(&["status"]).stdout.contains("\u{9b}2J\u{202e}"));
        for arguments in [&["status"][..], &["avail"], &["start", "all"], &["tail", "p"], &["maintail"]] {
            let (shown, _) = Terminal::ctl(&daemon, arguments).raw_end();
            let obeyed = ["\u{1b}c", "\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}"];
            assert!(obeyed.iter().all(|part| !shown.contains(part)), "{arguments:?}: {shown:?}");
            match arguments[0] {
                "status" | "avail" => assert!(shown.contains("\\x9b2J\\u202e"), "{shown:?}"),
                "tail" => assert!(shown.contains("end"), "{shown:?}"),
                _ => {}
            }
        }
        let mut follower = Terminal::ctl(&daemon, &["tail", "-f", "p"]);
        follower.wait_for("end", 1);
        follower.send("\u{3}");
        let (shown, _) = follower.raw_end();
        assert!(shown.contains("\u{1b}[31mred\u{1b}[0m end"), "{shown:?}");
    });
}

/// A process with a controlling terminal can type into it (TIOCSTI). A program of the daemon's own user keeps it.
#[test]
fn a_program_of_another_user_has_no_terminal() {
    if !Power::ChangeUser.is_there_for("a program of another user") {
        return;
    }
    let program = |name: &str, user: &str| {
        format!(
            "[program:{name}]\ncommand=sh -c 'if (: > /dev/tty) 2>/dev/null; then echo has; else echo none; fi; exec sleep 1000'\n\
             user={user}\nstartsecs=0\nstdout_logfile={{dir}}/{name}.log\n"
        )
    };
    let text = program("other", "nobody") + &program("own", "root");
    only_ours(|| {
        let place = Scene::with("tty", &text).set_up(Subject::Ours);
        let daemon =
            Terminal::open(&place, &Subject::Ours.path(Program::Supervisord), &["-n", "-c", "supervisord.conf"]);
        let logs = || place.read("other.log") + &place.read("own.log");
        assert!(wait::poll(wait::DEADLINE, || (logs().lines().count() == 2).then_some(())).is_some());
        assert_eq!(logs(), "none\nhas\n");
        processes::signal(daemon.pid(), Signal::SIGTERM);
        daemon.end();
    });
}

/// At the level debug the activity log repeats the output of programs, which a terminal would interpret.
#[test]
fn output_of_programs_cannot_control_the_terminal_of_the_daemon() {
    let text = "[program:p]\ncommand=printf '\\033[31mred\\033[0m \\033]0;title\\007\\302\\2332J\\r2026-03-04 05:06:07,008 INFO forged\\n'\n\
        startsecs=0\nautorestart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    only_ours(|| {
        let place = Scene::with("echo", text).set_up(Subject::Ours);
        let arguments = ["-n", "-e", "debug", "-c", "supervisord.conf"];
        let mut daemon = Terminal::open(&place, &Subject::Ours.path(Program::Supervisord), &arguments);
        daemon.wait_for("exited: p", 1);
        processes::signal(daemon.pid(), Signal::SIGTERM);
        let (shown, _) = daemon.raw_end();
        assert!(shown.contains("'p' stdout output:\r\n\u{1b}[31mred\u{1b}[0m \r\n"), "{shown:?}");
        assert!(["\u{1b}]", "\u{7}", "\u{9b}"].iter().all(|part| !shown.contains(part)), "{shown:?}");
    });
}
