//! Programs that are disabled: nothing starts them until somebody enables them. The original has nothing like it.

use serde_json::Value;

use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, command, http, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["supervisord state_directory"];

const PROGRAMS: &str = "[program:db]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\n\
    [program:web]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=db\n\
    [program:job]\ncommand=sleep 1000\nstartsecs=0\nprocess_name=job_%(process_num)d\nnumprocs=2\n";
const LIST: &str = "supervisord.conf.disabled";

fn start(name: &str, configuration: &str) -> Daemon {
    let mut daemon = Scene::with(name, configuration).start(Subject::Ours);
    daemon.wait_for_states(&["db", "web", "job:job_0", "job:job_1"], "RUNNING");
    daemon
}

/// What the JSON API says of a program.
fn program(daemon: &Daemon, name: &str) -> Value {
    let answer: Value = serde_json::from_str(&daemon.ctl(&["status", "--json", name]).stdout).expect("JSON");
    answer["programs"][0].clone()
}

/// That a program is down and disabled.
fn assert_disabled(daemon: &Daemon, name: &str, when: &str) {
    let program = program(daemon, name);
    assert_eq!(program["state"], "STOPPED", "{when}: {program}");
    assert!(program["disabled"]["at"].as_i64().is_some_and(|at| at > 0), "{when}: {program}");
}

/// Waits until the daemon has begun again, and this program runs.
fn wait_for_restart(daemon: &mut Daemon, name: &str) {
    let before = daemon.log().matches("supervisord started with pid").count();
    daemon.wait_until("the program runs after a restart", |daemon| {
        let info = daemon.rpc_if_up("supervisor.getProcessInfo", &[name.into()]);
        daemon.log().matches("supervisord started with pid").count() >= before.max(2)
            && info.is_some_and(|info| info.get("statename").text() == "RUNNING")
    });
}

#[test]
fn nothing_starts_a_disabled_program() {
    only_ours(|| {
        let mut daemon = start("disabled", PROGRAMS);
        let said = daemon.ctl(&["disable", "db", "job:job_1"]);
        assert_eq!((said.stdout.as_str(), said.code), ("db: disabled\njob:job_1: disabled\n", 0));
        assert_disabled(&daemon, "db", "at once");
        let refused = daemon.ctl(&["start", "db"]);
        assert!(
            refused.code == 7
                && refused
                    .stdout
                    .starts_with("db: ERROR (disabled by a client via the JSON API from the unix socket, uid ")
                && refused.stdout.ends_with("Z; to let it be started again: supervisorctl enable db)\n"),
            "{}",
            refused.stdout
        );
        for words in [&["start", "all"][..], &["start", "job:*"], &["restart", "all"], &["restart", "job:*"]] {
            daemon.ctl(words);
            assert_disabled(&daemon, "job:job_1", &words.join(" "));
        }
        assert_disabled(&daemon, "db", "also for what depends on it");
        let wide = daemon.ctl(&["status", "--wide", "db"]).stdout;
        assert!(wide.contains("disabled by a client via the JSON API"), "{wide}");
        let why = daemon.ctl(&["why", "db"]).stdout;
        assert!(why.contains("it is disabled since ") && why.contains("supervisorctl enable db"), "{why}");
        let wait = daemon.ctl(&["wait", "db", "--timeout", "1min"]);
        assert!(wait.code == 1 && wait.stdout.contains("disabled by"), "{}", wait.stdout);
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        let response = http::request(&mut *stream, "GET", "/metrics", &["Host: h"], b"").expect("an answer");
        let metrics = String::from_utf8_lossy(&response.body).into_owned();
        assert!(metrics.contains("supervisord_program_disabled{group=\"db\",name=\"db\"} 1\n"), "{metrics}");
        let text = daemon.read("supervisord.conf");
        daemon.write(
            "supervisord.conf",
            &text.replace("command=sleep 1000\nstartsecs=0\nauto", "command=sleep 2000\nstartsecs=0\nauto"),
        );
        let plan = daemon.ctl(&["update", "--plan"]).stdout;
        assert!(plan.contains("db: apply at its next start\n"), "{plan}");
        daemon.ctl(&["update"]);
        assert_disabled(&daemon, "db", "an update");
        let said = daemon.ctl(&["enable", "db"]);
        assert_eq!((said.stdout.as_str(), daemon.state_of("db").as_str()), ("db: enabled\n", "STOPPED"));
        let said = daemon.ctl(&["enable", "--now", "db", "job:*"]);
        let expected = "db: enabled\njob:job_0: enabled\njob:job_1: enabled\n\
            db: started\njob:job_0: already started\njob:job_1: started\n";
        assert_eq!(said.stdout.replace("job:job_0: started\n", "job:job_0: already started\n"), expected);
        assert!(!daemon.path(LIST).exists(), "nothing is disabled");
        daemon.wait_for_state("web", "RUNNING");
    });
}

#[test]
fn a_disabled_program_stays_disabled_whatever_happens_to_the_daemon() {
    only_ours(|| {
        let mut daemon = start("disabled-survives", PROGRAMS);
        assert_eq!(daemon.ctl(&["disable", "db"]).code, 0);
        let by = program(&daemon, "db")["disabled"].clone();
        daemon.crash();
        daemon.start_again();
        assert_disabled(&daemon, "db", "after kill -9");
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        assert_disabled(&daemon, "db", "after an upgrade");
        assert_eq!(daemon.ctl(&["reload"]).code, 0);
        wait_for_restart(&mut daemon, "job:job_1");
        assert_disabled(&daemon, "db", "after a restart");
        assert_eq!(daemon.stop(), 0);
        daemon.start_again();
        daemon.wait_for_states(&["job:job_0", "job:job_1"], "RUNNING");
        assert_disabled(&daemon, "db", "as after a reboot");
        assert_eq!(program(&daemon, "db")["disabled"], by, "who it was is still known");
        // It is removed and comes back.
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &text.replace("program:db", "program:other").replace("depends_on=db", ""));
        daemon.ctl(&["update"]);
        daemon.write("supervisord.conf", &text);
        daemon.ctl(&["update"]);
        assert_disabled(&daemon, "db", "it comes back");
        // The daemon was killed when it had stored the list, and before it could stop the program.
        daemon.crash();
        let list = daemon.read(LIST);
        daemon
            .write(LIST, &list.replace("\"db\"", "\"job\"").replace("\"program\": \"job\"", "\"program\": \"job_1\""));
        daemon.start_again();
        daemon.wait_for_state("job:job_1", "STOPPED");
        assert_disabled(&daemon, "job:job_1", "it is stopped");
    });
}

#[test]
fn a_list_that_cannot_be_written_or_read_is_said_and_kept() {
    only_ours(|| {
        let scene =
            Scene::with("disabled-refused", &format!("[supervisord]\nstate_directory={{dir}}/state\n{PROGRAMS}"));
        let mut daemon = scene.file("state/.keep", "").start(Subject::Ours);
        daemon.wait_for_states(&["db", "web", "job:job_0", "job:job_1"], "RUNNING");
        let (state, away) = (daemon.path("state"), daemon.path("away"));
        std::fs::rename(&state, &away).expect("it is there");
        let refused = daemon.ctl(&["disable", "db"]);
        assert!(
            refused.code == 1
                && refused.stdout.starts_with("db: ERROR (not disabled, because ")
                && refused.stdout.contains("write state_directory=PATH in [supervisord]"),
            "{}",
            refused.stdout
        );
        assert_eq!(daemon.state_of("db"), "RUNNING", "nothing has changed");
        std::fs::rename(&away, &state).expect("it is there");
        assert_eq!(daemon.ctl(&["disable", "db"]).code, 0);
        let list = format!("state/{LIST}");
        assert!(daemon.read(&list).contains("\"program\": \"db\""));
        daemon.write(&list, "something else");
        daemon.ctl(&["reload"]);
        wait_for_restart(&mut daemon, "db");
        daemon.wait_for_log("no program counts as disabled, because ");
        let refused = daemon.ctl(&["disable", "db"]);
        assert!(refused.code == 1 && refused.stdout.contains("is not what the daemon writes"), "{}", refused.stdout);
        assert_eq!(daemon.read(&list), "something else", "it is kept");
    });
}

#[test]
fn with_a_list_that_cannot_be_read_nothing_is_said_to_be_done() {
    only_ours(|| {
        let configuration = format!("[supervisord]\nstate_directory={{dir}}/state\n{PROGRAMS}");
        let directory = "it is a directory, and must be a regular file";
        let pipe = "it is a named pipe, and must be a regular file";
        for (kind, reason) in [("mkdir", directory), ("mkfifo", pipe), ("touch", "is not what the daemon writes")] {
            let scene = Scene::with("disabled-unreadable", &configuration).file("state/.keep", "");
            let place = scene.set_up(Subject::Ours);
            let list = place.dir().join("state").join(LIST);
            let made = std::process::Command::new(kind).arg(&list).status().expect("it can be executed");
            assert!(made.success());
            let mut daemon = scene.start_in(place);
            daemon.wait_for_states(&["db", "web", "job:job_0", "job:job_1"], "RUNNING");
            let mut check = daemon.command(&Subject::Ours.path(Program::Supervisord));
            let checked = command::run(check.args(["-c", "supervisord.conf", "--check"]), "");
            assert!(checked.code > 0 && checked.stdout.contains(reason), "{kind}: {checked:?}");
            for upgraded in [false, true] {
                if upgraded {
                    assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
                }
                for action in ["enable", "disable"] {
                    let refused = daemon.ctl(&[action, "db"]).stdout;
                    assert!(refused.contains(reason) && refused.contains("and reload"), "{kind}: {refused}");
                    assert_eq!(daemon.ctl(&[action, "db"]).code, 1, "{kind}: {action}");
                }
            }
            assert_eq!(daemon.state_of("db"), "RUNNING");
            let found = std::fs::symlink_metadata(&list).expect("it is there");
            assert!(kind != "touch" || found.len() == 0, "it is kept");
        }
    });
}

#[test]
fn a_list_that_somebody_has_removed_is_written_again() {
    only_ours(|| {
        let daemon = start("disabled-removed", PROGRAMS);
        assert_eq!(daemon.ctl(&["disable", "db"]).code, 0);
        let text = daemon.read(LIST);
        std::fs::remove_file(daemon.path(LIST)).expect("it is there");
        assert_eq!(daemon.ctl(&["disable", "db"]).stdout, "db: disabled\n");
        assert_eq!(daemon.read(LIST), text, "also who it was");
    });
}

#[test]
fn what_was_removed_is_listed_and_can_be_enabled() {
    only_ours(|| {
        let mut daemon = start("disabled-listed", PROGRAMS);
        assert_eq!(daemon.ctl(&["disable", "--list"]).stdout, "no program is disabled\n");
        assert_eq!(daemon.ctl(&["disable", "db", "job:job_1"]).code, 0);
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &text.replace("program:db", "program:other").replace("depends_on=db", ""));
        daemon.ctl(&["update"]);
        let list = |daemon: &Daemon| daemon.ctl(&["disable", "--list"]).stdout;
        let listed = list(&daemon);
        let lines: Vec<&str> = listed.lines().collect();
        assert!(
            lines.len() == 2
                && lines[0].starts_with("db: disabled by a client via the JSON API from the unix socket, uid ")
                && lines[0].ends_with("Z; no active group has it")
                && lines[1].starts_with("job:job_1: disabled by ")
                && lines[1].ends_with('Z'),
            "{listed}"
        );
        let told: Value = serde_json::from_str(&daemon.ctl(&["disable", "--list", "--json"]).stdout).expect("JSON");
        let active: Vec<bool> = told["programs"]
            .as_array()
            .map(|programs| programs.iter().map(|program| program["active"] == true).collect())
            .unwrap_or_default();
        assert_eq!(active, [false, true], "{told}");
        assert!(daemon.ctl(&["disable", "--list", "db"]).stdout.contains("takes no name"));
        for end in ["crash", "upgrade"] {
            if end == "crash" {
                daemon.crash();
                daemon.start_again();
            } else {
                assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
            }
            assert_eq!(list(&daemon), listed, "{end}");
        }
        let said = daemon.ctl(&["disable", "db"]);
        assert!(said.code == 1 && said.stdout.contains("no program is named db"), "{}", said.stdout);
        assert_eq!(daemon.ctl(&["enable", "db"]).stdout, "db: enabled\n");
        daemon.wait_for_log("db is enabled by a client via the JSON API");
        assert_eq!(list(&daemon).lines().count(), 1);
        let said = daemon.ctl(&["enable", "db"]);
        assert!(said.code == 1 && said.stdout.contains("no program is named db"), "{}", said.stdout);
        daemon.write("supervisord.conf", &text);
        daemon.ctl(&["update"]);
        daemon.wait_for_state("db", "RUNNING");
    });
}

#[test]
fn xml_rpc_disables_enables_and_scales() {
    only_ours(|| {
        let mut daemon = start("disabled-rpc", PROGRAMS);
        let statuses = |answer: &crate::harness::Value| -> Vec<String> {
            let status = |item: &crate::harness::Value| {
                format!("{}:{} {}", item.get("group").text(), item.get("name").text(), item.get("description").text())
            };
            answer.items().iter().map(status).collect()
        };
        let answer = daemon.call("supervisor.disableProcess", &["job:*".into()]);
        assert_eq!(statuses(&answer), ["job:job_0 OK", "job:job_1 OK"]);
        assert_disabled(&daemon, "job:job_1", "by XML-RPC");
        assert!(daemon.answer("supervisor.startProcess", &["job:job_0".into()]).contains("disabled by "));
        let listed = daemon.call("supervisor.getDisabledProcesses", &[]);
        let names: Vec<&str> = listed.items().iter().map(|item| item.get("name").text()).collect();
        assert_eq!(names, ["job_0", "job_1"]);
        assert!(listed.items()[0].get("by").text().starts_with("a client via XML-RPC from the unix socket"));
        let answer = daemon.call("supervisor.enableProcess", &["job:*".into()]);
        assert_eq!(statuses(&answer), ["job:job_0 OK", "job:job_1 OK"]);
        assert_eq!(daemon.answer("supervisor.getDisabledProcesses", &[]), "[]");
        let scaled = |daemon: &Daemon, number: crate::harness::Value| -> Vec<String> {
            let answer = daemon.call("supervisor.scaleProgram", &["job".into(), number]);
            let step =
                |item: &crate::harness::Value| format!("{} {}", item.get("name").text(), item.get("action").text());
            answer.items().iter().map(step).collect()
        };
        assert_eq!(scaled(&daemon, 3_i64.into()), ["job_2 add"]);
        daemon.wait_for_state("job:job_2", "RUNNING");
        assert_eq!(scaled(&daemon, "-1".into()), ["job_2 remove"]);
        assert_eq!(scaled(&daemon, "2".into()), Vec::<String>::new());
        for (arguments, fault) in [
            (["job".into(), (-1_i64).into()], "BAD_ARGUMENTS: -1 processes are asked for"),
            (["nobody".into(), 2_i64.into()], "BAD_NAME: nobody"),
            (["job".into(), "many".into()], "INCORRECT_PARAMETERS"),
        ] {
            let answer = daemon.answer("supervisor.scaleProgram", &arguments);
            assert!(answer.contains(fault), "{answer}");
        }
    });
}
