//! The exit status of each action of `supervisorctl` in each situation. The tables in docs/programs.md show what these
//! tests observe, of the original and of ours.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::harness::programs::{CAT, TEAM};
use crate::harness::{Daemon, Observed, Scene, Subject, compare_runs};

/// Marks a situation that is not tested.
const NOTHING: &str = "–";

const SITUATIONS: [&str; 7] = [
    "done",
    "no such process",
    "no such group",
    "wrong use",
    "no socket there",
    "connection refused",
    "wrong password",
];

/// An action with its arguments for success, for an unknown name, and for wrong usage. They run in this order.
struct Action {
    name: &'static str,
    done: &'static [&'static str],
    no_process: Option<&'static str>,
    no_group: Option<&'static str>,
    misuse: Option<&'static str>,
}

const fn action(
    name: &'static str,
    done: &'static [&'static str],
    no_process: Option<&'static str>,
    no_group: Option<&'static str>,
    misuse: Option<&'static str>,
) -> Action {
    Action { name, done, no_process, no_group, misuse }
}

#[rustfmt::skip]
const ACTIONS: [Action; 18] = [
    action("status", &["cat"], Some("nobody"), Some("nobody:*"), None),
    action("pid", &["cat"], Some("nobody"), None, None),
    action("start", &["cat"], Some("nobody"), Some("nobody:*"), Some("")),
    action("stop", &["team:*"], Some("nobody"), Some("nobody:*"), Some("")),
    action("restart", &["team:*"], Some("nobody"), Some("nobody:*"), Some("")),
    action("signal", &["CONT", "cat"], Some("CONT nobody"), Some("CONT nobody:*"), Some("CONT")),
    action("clear", &["cat"], Some("nobody"), None, Some("")),
    action("tail", &["cat"], Some("nobody"), None, Some("")),
    action("fg", &["cat"], Some("nobody"), None, Some("")),
    action("maintail", &[], None, None, Some("a b")),
    action("avail", &[], None, None, Some("x")),
    action("reread", &[], None, None, Some("x")),
    action("update", &[], None, Some("nobody"), None),
    action("remove", &["idle"], None, Some("nobody"), None),
    action("add", &["idle"], None, Some("nobody"), None),
    action("version", &[], None, None, Some("x")),
    action("reload", &[], None, None, Some("x")),
    action("shutdown", &[], None, None, Some("x")),
];

const IDLE: &str = "[program:idle]\ncommand=sleep 1000\nautostart=false\n";

#[test]
fn each_action_exits_with_the_documented_status() {
    compare_runs(|subject| {
        let text = [CAT, TEAM, IDLE, "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword=p\n"].concat();
        let mut daemon = Scene::with("statuses", &text).start(subject);
        drop(UnixListener::bind(daemon.path("dead.sock")).expect("a stale socket"));
        let nowhere = format!("unix://{}", daemon.path("nowhere.sock").display());
        let dead = format!("unix://{}", daemon.path("dead.sock").display());
        let closed = format!("http://127.0.0.1:{}", daemon.ports[0]);
        let mut rows = Vec::new();
        for action in &ACTIONS {
            daemon.wait_for_states(&["cat", "team:member_0"], "RUNNING");
            let child = daemon.pid_of("cat");
            let ask = |before: &[&str], arguments: &[&str]| {
                daemon.ctl(&[before, &[action.name], arguments].concat()).code.to_string()
            };
            let split = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
            let maybe = |text: Option<&'static str>| text.map_or(NOTHING.to_owned(), |text| ask(&[], &split(text)));
            let mut row = vec![format!("`{}`", action.name), String::new()];
            row.extend([action.no_process, action.no_group, action.misuse].map(maybe));
            row.push(ask(&["-s", &nowhere], action.done));
            row.push(ask(&["-s", &dead], action.done));
            row.push(ask(&["-s", &closed, "-u", "user", "-p", "wrong"], action.done));
            // The original's `fg` takes half a minute to leave, or fails; see docs/differences.md.
            let hangs = action.name == "fg" && subject == Subject::Original;
            row[1] = if hangs { "0".to_owned() } else { ask(&[], action.done) };
            match action.name {
                "stop" => drop(daemon.ctl(&["start", "team:*"])),
                "reload" => daemon.wait_until("everything is new", |daemon| {
                    let info = daemon.rpc_if_up("supervisor.getProcessInfo", &["team:member_0".into()]);
                    let is_running = info.is_some_and(|info| info.get("statename").text() == "RUNNING");
                    is_running && daemon.pid_of("cat") != child
                }),
                _ => {}
            }
            rows.push(row);
        }
        seen(subject, "action", &SITUATIONS, &rows)
    });
}

const STATES: [&str; 7] = ["RUNNING", "STARTING", "BACKOFF", "STOPPING", "STOPPED", "EXITED", "FATAL"];

/// The section of a program that reaches a state. One whose log is a directory cannot be spawned, one that ignores
/// SIGTERM stays STOPPING.
fn program(name: &str, state: &str) -> String {
    let options = match state {
        "RUNNING" => "command=sleep 1000\nstartsecs=0\n",
        "STARTING" => "command=sleep 1000\nstartsecs=1000\n",
        "BACKOFF" => "command=sleep 1000\nstartretries=1000\nstdout_logfile={dir}/directory\n",
        "STOPPING" => {
            "command=sh -c 'trap \"\" TERM; touch {dir}/%(program_name)s; while :; do sleep 1; done'\nstartsecs=0\nstopwaitsecs=1000\n"
        }
        "STOPPED" => "command=sleep 1000\nautostart=false\nstartsecs=0\n",
        "EXITED" => "command=sh -c :\nautorestart=false\nstartsecs=0\n",
        "FATAL" => "command=no-such-command\nstartretries=0\n",
        other => panic!("{other}"),
    };
    format!("[program:{name}]\nstderr_logfile=NONE\n{options}")
}

const ASKED: [&str; 5] = ["status", "pid", "start", "stop", "signal CONT"];

#[test]
fn each_process_state_gives_the_documented_exit_status() {
    compare_runs(|subject| {
        let name = |action: usize, state: usize| format!("p{action}{}", STATES[state].to_lowercase());
        let each = || (0..ASKED.len()).flat_map(|action| (0..STATES.len()).map(move |state| (action, state)));
        let text: String = each().map(|(action, state)| program(&name(action, state), STATES[state])).collect();
        let mut daemon: Daemon = Scene::with("states", &text).file("directory/.keep", "").start(subject);
        for (action, state) in each().filter(|(_, state)| STATES[*state] == "STOPPING") {
            let name = name(action, state);
            daemon.wait_until("it ignores the signal", |daemon| daemon.path(&name).exists());
            daemon.call("supervisor.stopProcess", &[name.as_str().into(), false.into()]);
        }
        let mut rows = Vec::new();
        for (action, words) in ASKED.iter().enumerate() {
            let mut row = vec![format!("`{} NAME`", words.replace("CONT", "SIGNAL"))];
            for (state, expected) in STATES.iter().enumerate() {
                let name = name(action, state);
                daemon.wait_for_state(&name, expected);
                let arguments: Vec<&str> = words.split(' ').chain([name.as_str()]).collect();
                row.push(daemon.ctl(&arguments).code.to_string());
            }
            rows.push(row);
        }
        seen(subject, "action", &STATES, &rows)
    });
}

/// Demands that the documentation contains a table.
fn seen(subject: Subject, first: &str, columns: &[&str], rows: &[Vec<String>]) -> Observed {
    let table = table(first, columns, rows);
    if subject == Subject::Ours {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/programs.md")).expect("a page");
        assert!(page.contains(&table), "docs/programs.md lacks\n{table}");
    }
    let mut observed = Observed::new();
    observed.exactly("statuses", table);
    observed
}

/// A table in Markdown.
fn table(first: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut lines = vec![[&[first], columns].concat().join(" | "), vec!["---"; columns.len() + 1].join("|")];
    lines.extend(rows.iter().map(|row| row.join(" | ")));
    let line = |(number, line): (usize, String)| match number {
        1 => format!("|{line}|\n"),
        _ => format!("| {line} |\n"),
    };
    lines.into_iter().enumerate().map(line).collect()
}
