//! Warnings and errors of a running daemon, and how they reach the user who can fix their cause.

use std::fs::File;
use std::net::TcpListener;
use std::process::Stdio;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;

use crate::harness::http;
use crate::harness::needs::{self, Power};
use std::os::unix::ffi::OsStrExt;

use crate::harness::terminal::Terminal;
use crate::harness::{Daemon, Program, Scene, Subject, compare, only_ours, processes, wait};

const SLEEPER: &str = "[program:a]\ncommand=sleep 1000\nstartsecs=0\n";

const MISTAKES: &str = "autostrat=true\n[progam:b]\ncommand=sleep 1000\n";

const WARNINGS: [&str; 2] = [
    "warning: Unknown option autostrat in section [program:a] is ignored (supervisord.conf:14: did you mean autostart?)",
    "warning: Unknown section [progam:b] is ignored (supervisord.conf:15: did you mean [program:b]?)",
];

#[test]
fn reread_and_update_show_configuration_warnings_on_a_terminal() {
    only_ours(|| {
        let mut daemon = Scene::with("misspelt", SLEEPER).start(Subject::Ours);
        daemon.wait_for_state("a", "RUNNING");
        assert_eq!(daemon.answer("supervisor.getConfigWarnings", &[]), "[]");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{text}{MISTAKES}"));
        let first = text.lines().count() + 1;
        for action in ["reread", "update"] {
            let (shown, _) = Terminal::ctl(&daemon, &[action]).end();
            for warning in WARNINGS {
                let warning =
                    warning.replace(":14:", &format!(":{first}:")).replace(":15:", &format!(":{}:", first + 1));
                let line = format!("supervisorctl: {warning}");
                assert!(shown.lines().any(|said| said == line), "{action}: {shown} lacks {line:?}");
            }
            let output = daemon.ctl(&[action]);
            assert_eq!(
                (output.stderr.as_str(), output.code),
                ("", 0),
                "scripts and cron jobs see the original's words"
            );
        }
    });
}

#[test]
fn the_log_at_the_level_debug_says_who_asked_for_what_and_no_secret() {
    only_ours(|| {
        let server = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=eve\npassword=hunter2\n";
        let text = [SLEEPER, server, "[supervisord]\nloglevel=debug\n"].concat();
        let mut daemon = Scene::with("audit", &text).start(Subject::Ours);
        daemon.wait_for_state("a", "RUNNING");
        daemon.call("supervisor.sendProcessStdin", &["a".into(), "hunter2".into()]);
        daemon.call("supervisor.stopProcess", &["a".into()]);
        let port: u16 = daemon.fill("{port}").parse().expect("a number");
        let mut stream = http::tcp(port).expect("it listens");
        let headers = ["Authorization: Basic ZXZlOmh1bnRlcjI=", "Connection: close"];
        let path = "/index.html?action=start&processname=a";
        let response = http::request(&mut *stream, "GET", path, &headers, b"").expect("an answer");
        assert_eq!(response.status(), 303);
        let log = daemon.log();
        let requests: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once(" DEBG ")?.1)).collect();
        let local = |request: &str| {
            (
                format!(
                    "a client via XML-RPC from the unix socket, uid {}, pid {}",
                    nix::unistd::geteuid(),
                    std::process::id()
                ),
                request.to_owned(),
            )
        };
        let expected = [
            local("write 7 bytes to stdin of 'a'"),
            local("stop 'a'"),
            ("user 'eve' via the web page from 127.0.0.1:".to_owned(), "start 'a'".to_owned()),
        ];
        let found: Vec<(&str, &str)> = requests.iter().filter_map(|line| line.split_once(" requested: ")).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((actor, request), (beginning, expected)) in found.iter().zip(&expected) {
            assert!(actor.starts_with(beginning) && request == expected, "{actor}: {request}");
        }
        assert!(!log.contains("hunter2"), "{log}");
    });
}

/// Scripts see the original's output for a file with mistakes.
#[test]
fn configuration_warnings_change_nothing_for_scripts() {
    compare(&Scene::with("misspelt", SLEEPER), |daemon, observed| {
        daemon.wait_for_state("a", "RUNNING");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{text}{MISTAKES}[program:c]\ncommand=sleep 1000\n"));
        observed.exactly("the lists", daemon.call("supervisor.reloadConfig", &[]));
        for action in ["reread", "update"] {
            observed.note(daemon, action, daemon.ctl(&[action]).transcript());
        }
    });
}

#[test]
fn a_log_that_cannot_be_opened_is_reported_with_reason_and_user() {
    only_ours(|| {
        let text = "[program:w]\ncommand=sleep 1000\nstartretries=0\nstdout_logfile={dir}/there\n";
        let mut daemon = Scene::with("unwritable", text).file("there/.keep", "").start(Subject::Ours);
        daemon.wait_for_state("w", "FATAL");
        let path = daemon.path("there").display().to_string();
        let user = own_name();
        let reason =
            format!("unknown error making dispatchers for 'w': EISDIR ({path}: Is a directory, as user {user})");
        let log = daemon.log();
        let said: Vec<&str> = log.lines().filter(|line| line.contains(&path)).collect();
        let warning = format!(" WARN 'w' cannot be started: user {user} cannot open its log {path}: Is a directory");
        let lines = [warning, format!(" INFO spawnerr: {reason}")];
        let is_each = said.iter().zip(&lines).all(|(said, line)| said.ends_with(line.as_str()));
        assert!(said.len() == lines.len() && is_each, "each once: {said:#?}");
        let status = daemon.ctl(&["status"]).stdout;
        assert!(status.contains(&reason), "{status}");
        let (start, _) = Terminal::ctl(&daemon, &["start", "w"]).end();
        assert_eq!(
            start,
            format!("w: ERROR (spawn error)\nsupervisorctl: w: could not be started: {reason} (supervisorctl why w)\n")
        );
        let start = daemon.ctl(&["start", "w"]);
        assert_eq!((start.stdout.as_str(), start.stderr.as_str()), ("w: ERROR (spawn error)\n", ""));
    });
}

#[test]
fn unusable_files_of_the_daemon_are_reported_with_reason_and_user() {
    only_ours(|| {
        let user = own_name();
        let scene = |options: &str| {
            let text = format!("{SLEEPER}[supervisord]\n{options}\n");
            Scene::with("files", &text).file("there/.keep", "")
        };
        let output = scene("logfile={dir}/there").run(Subject::Ours);
        let expected = format!("/there: Is a directory, as user {user}: write logfile=PATH in [supervisord], or ");
        assert!(output.stderr.contains(&expected), "{output:?}");
        let mut daemon = scene("pidfile={dir}/there").launch(Subject::Ours);
        let expected =
            format!("/there (Is a directory, as user {user}: write pidfile=PATH in [supervisord], or --pidfile=PATH)");
        daemon.wait_for_log(&expected);
    });
}

/// The user name of this test.
fn own_name() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map_or_else(String::new, |user| user.name)
}

#[test]
fn a_port_in_use_is_reported_with_the_process_that_has_it() {
    only_ours(|| {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        let text = format!("{SLEEPER}[inet_http_server]\nport=127.0.0.1:{port}\n");
        let output = Scene::with("taken", &text).run(Subject::Ours);
        let name = std::fs::read_to_string("/proc/self/comm").expect("we are there");
        let (name, pid) = (name.trim(), std::process::id());
        let expected = format!("([inet_http_server] port=127.0.0.1:{port} is used by {name}, pid {pid})\n");
        assert!(output.stderr.contains(&expected) && output.code == 2, "{expected}{output:?}");
    });
}

#[test]
fn a_unix_socket_in_use_is_reported_with_the_process_that_has_it() {
    only_ours(|| {
        let daemon = Scene::with("socket-taken", SLEEPER).start(Subject::Ours);
        let socket = daemon.path("s.sock").display().to_string();
        let other = SLEEPER.to_owned() + &format!("[unix_http_server]\nfile={socket}\n");
        let output = Scene::with("socket-second", &other).run(Subject::Ours);
        let pid = daemon.pid();
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("it runs");
        let place = format!("[unix_http_server] file={socket} is used by {}, pid {pid})\n", name.trim());
        assert!(output.stderr.contains(&place) && output.code == 2, "{place}{output:?}");
        let checked = Scene::with("socket-check", &other).arguments(&["--check"]).run(Subject::Ours);
        let expected = format!("warning: {socket} is in use by {} (pid {pid}) (", name.trim());
        assert!(checked.stdout.contains(&expected), "{expected}{}", checked.stdout);
        assert_eq!(daemon.state_of("a"), "RUNNING", "it goes on");
    });
}

#[test]
fn a_port_open_to_the_network_without_password_is_warned_about_once() {
    only_ours(|| {
        let scene = Scene::with("open", &format!("{SLEEPER}[inet_http_server]\nport=*:{{port}}\n"));
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("a", "RUNNING");
        let port = format!("port={}: write port=127.0.0.1:{0}", daemon.ports[0]);
        let log = daemon.log();
        let warnings = log.lines().filter(|line| line.contains(" WARN ") && line.contains(&port));
        assert_eq!(warnings.count(), 1, "{log}");
    });
}

/// The original exits with status 1 when its terminal is closed, and leaves its programs behind.
#[test]
fn a_closed_terminal_restarts_the_daemon_with_a_warning() {
    only_ours(|| {
        let place = Scene::with("closed", SLEEPER).set_up(Subject::Ours);
        // No child may inherit the descriptor: the terminal is closed only with the last descriptor.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        let slave = File::options().read(true).write(true).open(ptsname_r(&master).expect("it has a name"));
        let slave = slave.expect("it is ours");
        let mut command = place.command("setsid".as_ref());
        command.arg("--ctty").arg(place.subject.path(Program::Supervisord)).args(["-n", "-c", "supervisord.conf"]);
        let stream = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut daemon = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().expect("util-linux");
        drop((command, slave));
        let runs = || place.read("supervisord.log").contains("success: a entered RUNNING").then_some(());
        assert!(wait::poll(wait::DEADLINE, runs).is_some(), "{}", place.read("supervisord.log"));
        drop(master);
        let restarted = || {
            let log = place.read("supervisord.log");
            let explanation = log.find(" WARN the terminal of supervisord was closed, which sends SIGHUP");
            let restart = log.find(" WARN received SIGHUP indicating restart request");
            let again = log.matches("success: a entered RUNNING").count() == 2;
            (again && explanation.is_some() && explanation < restart).then_some(())
        };
        let seen = wait::poll(wait::DEADLINE, restarted);
        let log = place.read("supervisord.log");
        processes::signal(daemon.id() as i32, Signal::SIGTERM);
        let status = wait::poll(wait::DEADLINE, || daemon.try_wait().expect("a child can be waited for"));
        place.kill_everything(&[daemon.id() as i32]);
        assert!(seen.is_some(), "{log}");
        assert_eq!(status.and_then(|status| status.code()), Some(0));
    });
}

/// The original forks, and the container ends with process 1.
#[test]
fn process_1_stays_in_the_foreground_with_a_warning() {
    if !Power::BeFirstProcess.is_there_for("a daemon as process 1") {
        return;
    }
    only_ours(|| {
        let place = Scene::with("init", &format!("{SLEEPER}[supervisord]\npidfile={{dir}}/inner.pid\n"));
        let place = place.set_up(Subject::Ours);
        let mut command = place.command(&needs::program("unshare"));
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.arg(place.subject.path(Program::Supervisord)).args(["-c", "supervisord.conf"]);
        let mut daemon = Daemon::launch(place, command);
        daemon.wait_for_log("success: a entered RUNNING");
        let reason = " WARN supervisord is process 1 and stays in the foreground";
        assert!(daemon.log().contains(reason) && daemon.stdout().contains(reason), "{}", daemon.report());
        let init = processes::children(daemon.launched_pid()).first().map_or(0, |init| init.pid);
        processes::signal(init, Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
    });
}

/// In the original no client can connect to such a daemon before a restart.
#[test]
fn a_removed_socket_file_is_created_again() {
    only_ours(|| {
        let scene = Scene::with("removed", &format!("{SLEEPER}[inet_http_server]\nport=127.0.0.1:{{port}}\n"));
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("a", "RUNNING");
        let pid = daemon.pid_of("a");
        let socket = daemon.path("s.sock");
        let by_port = format!("http://127.0.0.1:{}", daemon.ports[0]);
        for way in ["SIGUSR2", "reread", "upgrade"] {
            let mode = std::fs::metadata(&socket).expect("it is there").permissions();
            std::fs::remove_file(&socket).expect("it is there");
            let (shown, code) = Terminal::ctl(&daemon, &["pid"]).end();
            let advice = format!("kill -USR2 {} puts it back\n", daemon.pid());
            assert!(code != 0 && shown.ends_with(&advice), "{shown}");
            match way {
                "SIGUSR2" => processes::signal(daemon.pid(), Signal::SIGUSR2),
                "upgrade" => processes::signal(daemon.pid(), Signal::SIGUSR1),
                _ => assert_eq!(daemon.ctl(&["-s", &by_port, way]).code, 0),
            }
            daemon.wait_until(&format!("the socket is back after {way}"), |daemon| daemon.ctl(&["pid"]).code == 0);
            assert_eq!(std::fs::metadata(&socket).expect("it is there").permissions(), mode, "{way}");
            assert_eq!(daemon.pid_of("a"), pid, "nothing was restarted");
        }
        let text = format!(" WARN the socket {} had been removed, and has been created again", socket.display());
        assert_eq!(daemon.log().matches(&text).count(), 3, "{}", daemon.log());
        // The current socket is removed at shutdown.
        assert_eq!(daemon.stop(), 0);
        assert!(!socket.exists());
    });
}

/// The original skips these files silently, and their programs are missing.
#[test]
fn included_files_that_cannot_be_read_are_logged() {
    only_ours(|| {
        let scene = Scene::with("unread", &format!("{SLEEPER}[include]\nfiles=d/*\n")).file("d/sub/x", "");
        let place = scene.set_up(Subject::Ours);
        std::os::unix::fs::symlink("nowhere", place.path("d/link.conf")).expect("the directory is ours");
        let latin = std::ffi::OsStr::from_bytes(b"d/caf\xe9.conf");
        std::fs::write(place.dir().join(latin), "[program:x]\ncommand=cat\n").expect("the directory is ours");
        let mut daemon = scene.start_in(place);
        daemon.wait_for_state("a", "RUNNING");
        daemon.wait_for_log("success: a");
        let log = daemon.log();
        let warned: Vec<&str> = log.lines().filter(|line| line.contains("it is a link to nowhere")).collect();
        assert_eq!(warned.len(), 2, "{log}");
        assert!(warned.iter().all(|line| line.contains(" WARN Included file \"")), "{log}");
    });
}

#[test]
fn a_program_that_cannot_be_started_is_explained_on_a_terminal() {
    only_ours(|| {
        let text = "[program:lost]\ncommand=/no/such/program x\nautostart=false\n\
            [program:shell]\ncommand=cd /srv && ./run\nautostart=false\n[program:text]\ncommand={dir}/text\n\
            autostart=false\n[program:quick]\ncommand=sh -c 'exit 3'\nautostart=false\nstartretries=0\n\
            [program:one]\ncommand=sh -c 'echo it failed; exit 3'\nautostart=false\nstartretries=0\nredirect_stderr=true\n";
        let daemon = Scene::with("explained", text).file("text", "no program").start(Subject::Ours);
        for (name, error, reason) in [
            ("lost", "no such file", "can't find command '/no/such/program'".to_owned()),
            (
                "shell",
                "no such file",
                "can't find command 'cd' (supervisord runs no shell; write command=/bin/sh -c '...')".to_owned(),
            ),
            (
                "text",
                "file is not executable",
                format!("command at '{}' is not executable", daemon.path("text").display()),
            ),
            ("quick", "spawn error", "exit status 3 after N ms (supervisorctl why quick)".to_owned()),
            ("one", "spawn error", "exit status 3 after N ms: it failed (supervisorctl why one)".to_owned()),
        ] {
            let (shown, _) = Terminal::ctl(&daemon, &["start", name]).end();
            let shown = without_time(&shown);
            assert_eq!(shown, format!("{name}: ERROR ({error})\nsupervisorctl: {name}: {reason}\n"));
            let output = daemon.ctl(&["start", name]);
            assert_eq!((output.stdout, output.stderr), (format!("{name}: ERROR ({error})\n"), String::new()));
        }
    });
}

/// The text with another number of milliseconds.
fn without_time(text: &str) -> String {
    match text.split_once(" after ").and_then(|(before, rest)| Some((before, rest.split_once(" ms")?.1))) {
        Some((before, rest)) => format!("{before} after N ms{rest}"),
        None => text.to_owned(),
    }
}
