//! Interactive sessions of both clients with both daemons.

use crate::harness::command::run;
use crate::harness::programs::{CAT, IDLE, RUNNING, TEAM};
use crate::harness::{Program, Scene, compare_pairs};

fn world() -> String {
    [CAT, IDLE, TEAM].concat()
}

/// The input at the prompt. Each is a session of its own in a fresh scene.
const SESSIONS: [&str; 8] = [
    // Lines of all kinds.
    "\n  \nstatus cat\n   status   cat  \n\tstatus cat\nSTATUS\nstatuscat\n?nonsense\n!ls\nstatus cat;version\n# no comment\nversion",
    // Errors do not end a session.
    "start\nstart nobody\nstop nobody idle\nrestart\nsignal\nsignal HUP\ntail\ntail nobody\nclear\npid nobody\nadd\nremove nobody\nupdate nobody\nfg\nopen\n",
    // Actions on a group.
    "stop team:*\nstatus team:*\nstart team:member_0\nstatus team:member_0 team:member_1\nrestart team:member_1\nremove team\nstop team:*\nremove team\nstatus\nadd team\nadd team\n",
    // `open` of an address without a daemon, and back.
    "open unix:///nowhere/s.sock\nstatus\nversion\nopen nonsense\nopen\nstart idle\n",
    // Questions that are answered with no, with an empty line, and with something else.
    "shutdown\nn\nshutdown\n\nreload\nno\nrestart nobody\nreload\nmaybe\nversion\n",
    // Three ways to leave.
    "exit\nversion\n",
    "quit\nversion\n",
    "EOF\nversion\n",
];

#[test]
fn sessions_print_the_same() {
    for session in SESSIONS {
        compare_pairs(&Scene::with("sessions", &world()), |daemon, client, observed| {
            daemon.wait_for_states(&RUNNING, "RUNNING");
            let said = daemon.ctl_of(client, &[], session);
            let mut answers: Vec<String> = said.stdout.split("supervisor> ").map(without_free_wording).collect();
            // The order of the members of a group varies.
            for answer in &mut answers {
                if answer.lines().count() > 1 && answer.contains("team:") {
                    let mut lines: Vec<&str> = answer.lines().collect();
                    lines.sort();
                    *answer = lines.join("\n");
                }
            }
            observed.note(daemon, session, answers.join("supervisor> "));
            observed.exactly("exit status", said.code);
        });
    }
}

/// The wording of help and usage messages is ours, and unexpected errors name a position in a source file.
fn without_free_wording(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.contains('\t')).collect();
    if let Some(mistake) = lines.iter().position(|line| line.starts_with("Error: ")) {
        lines.truncate(mistake + 1);
    }
    lines.iter().map(|line| line.split(": file: ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_shutdown_that_is_confirmed_ends_the_session() {
    compare_pairs(&Scene::with("confirmed", &world()), |daemon, client, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        let said = daemon.ctl_of(client, &[], "status cat\nshutdown\ny\n");
        observed.note(daemon, "session", said.stdout);
        observed.exactly("exit status", said.code);
        observed.exactly("the daemon", daemon.exit_code());
    });
}

/// Each line of the session uses the user name and the password of the command line.
#[test]
fn a_session_with_a_password() {
    let text = format!("{}[inet_http_server]\nport=127.0.0.1:{{port}}\nusername=user\npassword=se:cret\n", world());
    compare_pairs(&Scene::with("password", &text), |daemon, client, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        let url = format!("http://127.0.0.1:{}", daemon.ports[0]);
        for arguments in [&["-u", "user", "-p", "se:cret"] as &[&str], &["-uuser", "-pse:cret", "-i"]] {
            let mut command = daemon.command(&client.path(Program::Supervisorctl));
            command.args(["-c", "supervisord.conf", "-s", &url]).args(arguments);
            let said = run(&mut command, "status cat\nstop cat\nstart cat\nexit\n");
            observed.note(daemon, &arguments.join(" "), format!("{}{}", said.stdout, said.code));
        }
    });
}

/// The action of the command line runs first, the session follows.
#[test]
fn an_action_with_i_opens_a_session() {
    compare_pairs(&Scene::with("action", &world()), |daemon, client, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        for action in [&["-i", "status", "cat"] as &[&str], &["-i", "start", "nobody"], &["-i"]] {
            let said = daemon.ctl_of(client, action, "version\nexit\n");
            observed.note(daemon, &action.join(" "), format!("{}{}", said.stdout, said.code));
        }
    });
}
