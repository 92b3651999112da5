//! The output of `supervisorctl` when it cannot reach the daemon: the first line and the exit status of the original,
//! and on a terminal the reason and the file that is responsible.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::harness::command::{Output, run};
use crate::harness::scene::Place;
use crate::harness::terminal::Terminal;
use crate::harness::{Daemon, Program, Scene, Subject, each_subject};

/// A configuration of the client, an action, and the expected output.
struct Case {
    configuration: &'static str,
    action: &'static str,
    first_line: &'static str,
    code: i32,
    reason: &'static str,
    /// The text after the reason.
    file: &'static str,
}

const FROM_FILE: &str = "this address comes from {dir}/ctl.conf";

const CASES: &[Case] = &[
    Case {
        configuration: "[supervisorctl]\nserverurl=unix://{dir}/none.sock\n[unix_http_server]\nfile={dir}/none.sock\n",
        action: "status",
        first_line: "unix://{dir}/none.sock no such file",
        code: 4,
        reason: "there is no socket {dir}/none.sock; is supervisord running?",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=unix://{dir}/none.sock\n[unix_http_server]\nfile={dir}/other.sock\n",
        action: "version",
        first_line: "unix://{dir}/none.sock no such file",
        code: 7,
        reason: "there is no socket {dir}/none.sock; is supervisord running?",
        file: "this address comes from {dir}/ctl.conf\n\
               supervisorctl: the [unix_http_server] of {dir}/ctl.conf is {dir}/other.sock, not {dir}/none.sock",
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=unix://{dir}/none.sock\n",
        action: "shutdown",
        first_line: "ERROR: unix://{dir}/none.sock no such file (already shut down?)",
        code: 1,
        reason: "there is no socket {dir}/none.sock; is supervisord running?",
        file: "this address comes from {dir}/ctl.conf\n\
               supervisorctl: {dir}/ctl.conf has no [unix_http_server], so supervisord opens no socket",
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=unix://{dir}/dead.sock\n[unix_http_server]\nfile={dir}/dead.sock\n",
        action: "pid",
        first_line: "unix://{dir}/dead.sock refused connection",
        code: 4,
        reason: "no process is listening on {dir}/dead.sock; supervisord has ended and left it behind",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=unix://{dir}/ctl.conf\n[unix_http_server]\nfile={dir}/ctl.conf\n",
        action: "status",
        first_line: "unix://{dir}/ctl.conf refused connection",
        code: 4,
        reason: "{dir}/ctl.conf is not a socket",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=http://127.0.0.1:{port}\n",
        action: "status",
        first_line: "http://127.0.0.1:{port} refused connection",
        code: 4,
        reason: "no process is listening on port {port} of 127.0.0.1",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=http://127.0.0.1:{port2}\nusername=user\npassword=wrong\n",
        action: "status",
        first_line: "Server requires authentication",
        code: 1,
        reason: "user name or password is wrong",
        file: "the configuration file is {dir}/ctl.conf",
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=http://127.0.0.1:{port2}\n",
        action: "status",
        first_line: "Server requires authentication",
        code: 1,
        reason: "user name and password are needed: give them with -u and -p or in [supervisorctl]",
        file: "the configuration file is {dir}/ctl.conf",
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=ftp://127.0.0.1:1\n",
        action: "status",
        first_line: "error: <class 'ValueError'>, Unknown protocol for serverurl ftp://127.0.0.1:1",
        code: 1,
        reason: "an address begins with http://, https:// or unix://",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=http://127.0.0.1:9000x\n",
        action: "status",
        first_line: "error: <class 'ValueError'>, Port could not be cast to integer value as '9000x'",
        code: 1,
        reason: "the port 9000x is no number: write http://HOST:PORT",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=http://127.0.0.1:90000\n",
        action: "status",
        first_line: "error: <class 'ValueError'>, Port out of range 0-65535",
        code: 1,
        reason: "a port is a number from 1 to 65535: write http://HOST:PORT",
        file: FROM_FILE,
    },
    Case {
        configuration: "[supervisorctl]\nserverurl=http://::1:9001\n",
        action: "status",
        first_line: "error: <class 'ValueError'>, Port could not be cast to integer value as ':1:9001'",
        code: 1,
        reason: "an IPv6 address stands in brackets: write http://[ADDRESS]:PORT",
        file: FROM_FILE,
    },
];

fn ask(place: &Place, action: &str) -> Output {
    let mut command = place.command(&place.subject.path(Program::Supervisorctl));
    run(command.args(["-c", "ctl.conf", action]), "")
}

#[test]
fn each_reason_is_reported_with_the_file_that_was_read() {
    each_subject(|subject| {
        let scene =
            Scene::with("unreachable", "[inet_http_server]\nport=127.0.0.1:{port2}\nusername=user\npassword=p\n");
        let daemon: Daemon = scene.start(subject);
        drop(UnixListener::bind(daemon.path("dead.sock")).expect("a stale socket"));
        for case in CASES {
            daemon.write("ctl.conf", case.configuration);
            let said = ask(&daemon, case.action);
            let first = said.stdout.lines().next().unwrap_or_default();
            assert!(first.starts_with(&daemon.fill(case.first_line)), "{}", said.transcript());
            assert_eq!((said.code, said.stderr.as_str()), (case.code, ""), "{}", said.transcript());
            if subject == Subject::Ours {
                let Case { reason, file, .. } = case;
                let expected = daemon.fill(&format!("supervisorctl: {reason}\nsupervisorctl: {file}\n"));
                let program = subject.path(Program::Supervisorctl);
                let (shown, code) = Terminal::open(&daemon, &program, &["-c", "ctl.conf", case.action]).end();
                assert_eq!((shown, code), (said.stdout + &expected, case.code));
            }
        }
    });
}

/// Root can connect to every socket.
#[test]
fn a_permission_error_names_the_owner_of_the_socket() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("left out, because it needs root: no permission to connect");
        return;
    }
    let place = Scene::new("forbidden").open_to_all().set_up(Subject::Ours);
    let socket = place.path("s.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    place.write("ctl.conf", "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n");
    // Copied, because only root may have access to the build directory; by another process, because a file that a
    // forked child still has open for writing cannot be executed.
    let mut copy = place.command(std::path::Path::new("cp"));
    assert_eq!(run(copy.arg(Subject::Ours.path(Program::Supervisorctl)).arg("supervisorctl"), "").code, 0);
    for (mode, gid, who) in [
        (0o700, 0, "only root may connect: set chmod= and chown= of [unix_http_server] to let others"),
        (0o770, 2, "members of the group bin may connect, and you (nobody) are none"),
    ] {
        std::os::unix::fs::chown(&socket, None, Some(gid)).expect("root may do so");
        fs::set_permissions(&socket, fs::Permissions::from_mode(mode)).expect("it is ours");
        let client = place.path("supervisorctl").display().to_string();
        let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", &client, "-c", "ctl.conf", "status"];
        let (shown, code) = Terminal::open(&place, std::path::Path::new("setpriv"), &arguments).end();
        let group = if gid == 0 { "root" } else { "bin" };
        let expected = place.fill(&format!(
            "error: <class 'PermissionError'>, [Errno 13] Permission denied\n\
             supervisorctl: no permission to connect to {{dir}}/s.sock, which belongs to root:{group} and has mode \
             {mode:04o}; {who}\n\
             supervisorctl: {FROM_FILE}\n"
        ));
        assert_eq!((shown, code), (expected, 1));
    }
}
