//! What `supervisorctl` has beyond the original's.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::programs::{CAT, IDLE, TEAM};
use crate::harness::terminal::Terminal;
use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

/// A daemon with `cat`, `idle` (which is not started) and the group `team`.
fn daemon(name: &str) -> Daemon {
    let mut daemon = Scene::with(name, &[CAT, IDLE, TEAM].concat()).start(Subject::Ours);
    daemon.wait_for_states(&["cat", "team:member_0", "team:member_1"], "RUNNING");
    daemon
}

#[test]
fn a_misspelt_flag_is_refused_before_anything_is_done() {
    only_ours(|| {
        let daemon = daemon("flags");
        for (line, refusal) in [
            ("stop --dependent cat", "Error: stop does not accept --dependent; did you mean --dependents?"),
            ("restart --hard cat", "Error: restart does not accept --hard"),
            ("signal HUP --al cat", "Error: signal does not accept --al"),
            ("clear --all", "Error: clear does not accept --all"),
            ("remove --force team", "Error: remove does not accept --force"),
            (
                "update --dry-run",
                "Error: update does not accept --dry-run; supervisorctl update --plan shows what an update would change, and changes nothing",
            ),
            ("status --wid", "Error: status does not accept --wid; did you mean --wide?"),
            ("why --jsn cat", "Error: why does not accept --jsn; did you mean --json?"),
            ("health --quite", "Error: health does not accept --quite; did you mean --quiet?"),
            ("wait cat --untill=ready", "Error: wait does not accept --untill"),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let output = daemon.ctl(&words);
            assert_eq!(output.stdout.lines().next(), Some(refusal), "{line}");
            assert_eq!((output.code, output.stderr.as_str()), (1, ""), "{line}");
        }
        assert!(["cat", "team:member_0"].iter().all(|name| daemon.state_of(name) == "RUNNING"));
        let one_dash = daemon.ctl(&["stop", "-x"]);
        assert_eq!(
            (one_dash.stdout.as_str(), one_dash.code),
            ("-x: ERROR (no such process)\n", 1),
            "as in the original"
        );
    });
}

#[test]
fn the_shell_says_that_all_is_well_whatever_came_before() {
    only_ours(|| {
        let daemon = daemon("well");
        let said = daemon.ctl_of(Subject::Ours, &[], "status nobody\nhealth\nwait cat\nwait nobody\n").stdout;
        let answers: Vec<&str> = said.split("supervisor> ").collect();
        let expected = ["nobody: ERROR (no such process)\n", "healthy: 3 processes\n", "cat: running\n"];
        assert_eq!(answers[1..4], expected, "{said}");
        assert!(answers[4].starts_with("nobody: ERROR (no such process)\n"), "{said}");
        let waited = daemon.ctl(&["wait", "cat"]);
        assert_eq!(waited.transcript(), "exit status 0\n", "scripts see the exit status");
    });
}

#[test]
fn a_slow_start_is_no_sign_of_a_daemon_that_hangs() {
    only_ours(|| {
        let slow = "[program:slow]\ncommand=sleep 1000\nstartsecs=1000\nautostart=false\n";
        let daemon = Scene::with("slow", slow).start(Subject::Ours);
        let (shown, code) = Terminal::ctl(&daemon, &["--timeout=3", "start", "slow"]).end();
        let expected = "this was not finished within 3 s; supervisord goes on with it (see supervisorctl status)";
        assert!(shown.contains(expected) && !shown.contains("hung"), "{shown}");
        assert_eq!((code, daemon.state_of("slow").as_str()), (1, "STARTING"));
    });
}

#[test]
fn the_programs_tell_their_own_version() {
    only_ours(|| {
        let place = Scene::with("version", "").set_up(Subject::Ours);
        let (shown, code) = Terminal::ctl(&place, &["--version"]).end();
        let expected = format!("supervisorctl {}, compatible with Supervisor 4.3.0\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((shown, code), (expected, 0), "it asks no daemon");
    });
}

#[test]
fn events_are_printed_as_remembered_and_as_they_come_through_kill_9() {
    only_ours(|| {
        let mut daemon = daemon("events");
        let past = daemon.ctl(&["events"]);
        assert_eq!((past.code, past.stderr.as_str()), (0, ""));
        let is_start = |line: &str| line.contains(" cat: STARTING -> RUNNING (pid ");
        assert_eq!(past.stdout.lines().filter(|line| is_start(line)).count(), 1, "{}", past.stdout);
        assert!(!past.stdout.contains("missing"), "{}", past.stdout);
        let one = daemon.ctl(&["events", "-n", "1", "--json"]).stdout;
        let event: Value = serde_json::from_str(&one).expect("one object");
        assert!(event["event"].is_string() && event["time"].is_number() && event["id"].is_string(), "{one}");

        let mut following = Terminal::ctl(&daemon, &["events", "-f"]);
        // Whether it listens already shows only by what it prints.
        following.wait_until("it follows", |shown| {
            daemon.call("supervisor.startProcess", &["idle".into(), true.into()]);
            daemon.call("supervisor.stopProcess", &["idle".into(), true.into()]);
            shown.contains("idle: STARTING -> RUNNING")
        });
        daemon.crash();
        daemon.start_again();
        following.wait_for("the connection has ended; trying to reach supervisord again (Ctrl-C to give up)", 1);
        following.wait_for("events are missing here", 1);
        daemon.kill_child("team:member_0");
        following.wait_for("team:member_0: RUNNING -> EXITED", 1);
        following.send("\u{3}");
        assert_eq!(following.end().1, 0);
    });
}

#[test]
fn a_watched_status_changes_with_the_processes_until_ctrl_c() {
    only_ours(|| {
        let daemon = daemon("watch");
        for options in [&["status", "--watch"][..], &["status", "--watch", "--wide", "idle"]] {
            let mut watching = Terminal::ctl(&daemon, options);
            watching.wait_until("it is shown", |shown| shown.contains("idle") && shown.contains("STOPPED"));
            daemon.call("supervisor.startProcess", &["idle".into(), true.into()]);
            watching.wait_until("the change is shown", |shown| {
                shown.lines().any(|line| line.starts_with("idle ") && line.contains("RUNNING"))
            });
            watching.send("\u{3}");
            assert_eq!(watching.end().1, 0);
            daemon.call("supervisor.stopProcess", &["idle".into(), true.into()]);
        }
        assert_eq!(daemon.ctl(&["status", "--watch", "nobody"]).transcript(), {
            "stdout:\nnobody: ERROR (no such process)\n\nexit status 4\n"
        });
    });
}

#[test]
fn what_reports_does_so_as_json_too() {
    only_ours(|| {
        let daemon = daemon("json");
        let json = |words: &[&str]| -> Value {
            let output = daemon.ctl(words);
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.transcript()))
        };
        let own = env!("CARGO_PKG_VERSION");
        let versions = json(&["version", "--json"]);
        assert_eq!(versions["supervisorctl"]["version"], own);
        assert_eq!(
            (&versions["supervisord"]["version"], &versions["supervisord"]["supervisor_version"]),
            (&own.into(), &"4.3.0".into())
        );
        assert_eq!(daemon.ctl(&["version"]).stdout, "4.3.0\n");
        let long = format!(
            "supervisord {own}, compatible with Supervisor 4.3.0\nsupervisorctl {own}, compatible with Supervisor 4.3.0\n"
        );
        assert_eq!(daemon.ctl(&["version", "--long"]).stdout, long);
        assert_eq!(daemon.ctl(&["version", "x"]).stdout.lines().next(), Some("Error: version accepts no arguments"));
        assert_eq!(json(&["pid", "--json"])["pid"], daemon.pid());
        let pids = json(&["pid", "--json", "cat", "idle"]);
        assert_eq!(pids["programs"][0]["pid"], daemon.pid_of("cat"));
        assert_eq!(pids["programs"][1], json!({"group": "idle", "name": "idle", "pid": null}));
        assert_eq!(json(&["avail", "--json"])["programs"][0]["name"], "cat");
        let changes = json!({"added": [], "changed": [], "removed": [], "warnings": []});
        assert_eq!(json(&["reread", "--json"]), changes);
        assert_eq!(json(&["health", "--json"])["healthy"], true);
        let idle = json(&["health", "--json", "idle"]);
        assert_eq!((&idle["healthy"], &idle["programs"][0]["problem"]), (&false.into(), &"STOPPED".into()));
    });
}

/// What `supervisorctl mcp` answers to messages, by their ids.
fn mcp(daemon: &Daemon, options: &[&str], messages: &[Value]) -> Vec<Value> {
    let input: String = messages.iter().map(|message| format!("{message}\n")).collect();
    let output = daemon.ctl_of(Subject::Ours, &[&["mcp"], options].concat(), &input);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    let mut answers: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).expect("one message a line")).collect();
    // Pings are answered at once.
    answers.sort_by_key(|answer| answer["id"].as_i64());
    answers
}

fn tool_call(id: i64, name: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

#[test]
fn a_model_reads_and_acts_only_with_leave() {
    only_ours(|| {
        let mut daemon = daemon("mcp");
        daemon.call("supervisor.sendProcessStdin", &["cat".into(), "a line of cat\n".into()]);
        daemon.wait_until("it is written", |daemon| daemon.read("cat.log").contains("a line of cat"));
        let messages = [
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
                "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}),
            json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list"}),
            tool_call(4, "status", &json!({"names": ["idle"]})),
            tool_call(5, "why", &json!({"name": "idle"})),
            tool_call(6, "logs", &json!({"name": "cat"})),
            tool_call(7, "events", &json!({"last": 1000})),
            tool_call(8, "events", &json!({})),
            tool_call(9, "plan", &json!({})),
            tool_call(10, "why", &json!({"name": "catt"})),
            tool_call(11, "stop", &json!({"names": ["cat"]})),
        ];
        let answers = mcp(&daemon, &[], &messages);
        assert_eq!(
            answers.iter().filter_map(|answer| answer["id"].as_i64()).collect::<Vec<_>>(),
            (1..=11).collect::<Vec<_>>()
        );
        let text = |id: usize| answers[id - 1]["result"]["content"][0]["text"].as_str().unwrap_or_default();
        let structured = |id: usize| &answers[id - 1]["result"]["structuredContent"];
        assert_eq!(answers[0]["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(answers[1]["result"], json!({}));
        let tools: Vec<&str> = answers[2]["result"]["tools"]
            .as_array()
            .expect("tools")
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(tools, ["status", "why", "health", "logs", "daemon_log", "events", "disabled", "plan"]);
        assert_eq!(structured(4)["programs"][0]["state"], "STOPPED");
        assert!(text(5).starts_with("idle is STOPPED"), "{}", text(5));
        assert_eq!(text(6), "a line of cat\n\n");
        assert_eq!((text(7), &answers[6]["result"]["isError"]), ("last is a whole number from 1 to 512", &json!(true)));
        assert!(
            structured(8)["events"].as_array().is_some_and(|events| events.iter().any(|event| event["name"] == "cat"))
        );
        assert_eq!(structured(9)["changed"], json!([]));
        let unknown = "catt: ERROR (no such process)\nsupervisorctl: did you mean cat?\n";
        assert_eq!((text(10), &answers[9]["result"]["isError"]), (unknown, &json!(true)));
        assert_eq!(answers[10]["error"]["code"], -32602);
        assert_eq!(daemon.state_of("cat"), "RUNNING");

        let acted = mcp(
            &daemon,
            &["--allow-control"],
            &[
                tool_call(1, "stop", &json!({"names": ["cat"]})),
                tool_call(2, "start", &json!({"names": ["idle"]})),
                tool_call(3, "start", &json!({"names": ["idle; shutdown"]})),
            ],
        );
        assert_eq!(acted[0]["result"]["content"][0]["text"], "cat: stopped\n");
        assert_eq!(acted[1]["result"]["content"][0]["text"], "idle: started\n");
        assert_eq!(acted[2]["result"]["isError"], true);
        assert_eq!((daemon.state_of("cat").as_str(), daemon.state_of("idle").as_str()), ("STOPPED", "RUNNING"));
        let words = |names: &[&str]| json!({ "names": names });
        let acted = mcp(
            &daemon,
            &["--allow-control"],
            &[
                tool_call(1, "disable", &words(&["idle"])),
                tool_call(2, "disabled", &json!({})),
                tool_call(3, "start", &words(&["idle"])),
                tool_call(4, "enable", &words(&["all"])),
                tool_call(5, "scale", &json!({"programs": ["member=+1"]})),
                tool_call(6, "scale", &json!({"programs": ["member 3"]})),
            ],
        );
        let text = |id: usize| acted[id - 1]["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(text(1), "idle: disabled\n");
        assert_eq!(acted[1]["result"]["structuredContent"]["programs"][0]["name"], "idle");
        assert!(text(3).contains("disabled by ") && acted[2]["result"]["isError"] == true, "{}", text(3));
        assert!(text(4).contains("idle: enabled\n"), "{}", text(4));
        assert_eq!(text(5), "team:member_2: added process\n");
        assert_eq!(acted[5]["result"]["isError"], true);
        for (id, tool, arguments) in [
            (1, "disable", words(&["cat"])),
            (2, "enable", words(&["cat"])),
            (3, "scale", json!({"programs": ["member=1"]})),
        ] {
            let refused = mcp(&daemon, &[], &[tool_call(id, tool, &arguments)]);
            assert!(
                refused[0]["error"]["message"].as_str().is_some_and(|text| text.contains("--allow-control")),
                "{tool}"
            );
        }
        daemon.stop();
        let alone = mcp(&daemon, &[], &[tool_call(1, "status", &json!({}))]);
        assert_eq!(alone[0]["result"]["isError"], true, "it answers without a daemon, too: {alone:?}");
    });
}

#[test]
fn a_ping_is_answered_while_a_tool_waits_and_nothing_that_is_cancelled() {
    only_ours(|| {
        let slow = "[program:slow]\ncommand=sleep 1000\nautostart=false\nstartsecs=2\n";
        let daemon = Scene::with("ping", slow).start(Subject::Ours);
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}});
        let messages = [
            tool_call(1, "start", &json!({"names": ["slow"]})),
            json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}),
            tool_call(3, "status", &json!({})),
            cancelled,
            tool_call(4, "status", &json!({})),
        ];
        let input: String = messages.iter().map(|message| format!("{message}\n")).collect();
        let output = daemon.ctl_of(Subject::Ours, &["mcp", "--allow-control"], &input);
        let ids: Vec<Value> = (output.stdout.lines())
            .map(|line| serde_json::from_str::<Value>(line).expect("one message a line")["id"].take())
            .collect();
        assert_eq!(ids, [json!(2), json!(1), json!(4)], "{}", output.stdout);
        assert_eq!(daemon.state_of("slow"), "RUNNING");
    });
}

#[test]
fn selectors_stand_where_names_do_and_a_name_wins() {
    only_ours(|| {
        let odd = "[program:c*]\ncommand=sleep 1000\nstartsecs=0\n[program:broken]\ncommand=false\nstartretries=0\n";
        let mut daemon = Scene::with("selectors", &[CAT, IDLE, TEAM, odd].concat()).start(Subject::Ours);
        daemon.wait_for_states(&["cat", "c*", "team:member_0", "team:member_1"], "RUNNING");
        daemon.wait_for_state("broken", "FATAL");
        let names = |words: &[&str]| -> Vec<String> {
            let listed = daemon.ctl(words).stdout;
            listed.lines().map(|line| line.split([' ', ':']).next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(names(&["status", "c*"]), ["c*"], "the name of a program wins");
        assert_eq!(names(&["status", "c?*"]), ["c*", "cat"]);
        assert_eq!(names(&["status", "state=fatal", "idle"]), ["broken", "idle"]);
        assert_eq!(names(&["status", "--wide", "state=STOPPED"]), ["NAME", "idle"]);
        let lines = |words: &[&str]| -> Vec<String> {
            let mut lines: Vec<String> = daemon.ctl(words).stdout.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&["stop", "*:member_*"]), ["team:member_0: stopped", "team:member_1: stopped"]);
        assert_eq!(
            lines(&["restart", "state=STOPPED"]),
            [
                "idle: ERROR (not running)",
                "idle: started",
                "team:member_0: ERROR (not running)",
                "team:member_0: started",
                "team:member_1: ERROR (not running)",
                "team:member_1: started",
            ]
        );
        assert_eq!(lines(&["signal", "CONT", "i*", "idle"]), ["idle: signalled"], "each once");
        assert_eq!(daemon.ctl(&["start", "state=BACKOFF"]).transcript(), "exit status 0\n");
        assert_eq!(
            daemon.ctl(&["start", "x*"]).transcript(),
            "stdout:\nx*: ERROR (no such process)\n\nexit status 1\n"
        );
        let misspelt = "state=RUNING: ERROR (no state is named 'RUNING'; did you mean state=RUNNING?)";
        assert_eq!(lines(&["stop", "state=RUNING"]), [misspelt]);
        assert_eq!(lines(&["why", "state=RUNING"]), [misspelt]);
        assert_eq!(daemon.ctl(&["wait", "team:m*", "--for", "ready"]).code, 0);
    });
}

/// Programs that write lines to both of their streams when they are told to.
const WRITERS: &str = "[program:one]\ncommand={dir}/write one\nstdout_logfile={dir}/one.log\nstderr_logfile={dir}/one.err\n\
    [program:two]\ncommand={dir}/write two\nstdout_logfile={dir}/two.log\nstderr_logfile={dir}/two.err\n\
    [program:none]\ncommand=sleep 1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
const WRITER: &str = "#!/bin/sh\nfor i in 1 2 3; do echo \"$1 $i\"; echo \"$1 error $i\" >&2; done\nwhile read -r line; do printf \"$1 $line\\n\"; done\n";

#[test]
fn logs_of_several_programs_are_one_stream() {
    only_ours(|| {
        let mut daemon = Scene::with("logs", WRITERS).script("write", WRITER).start(Subject::Ours);
        daemon.wait_until("all is written", |daemon| {
            ["one", "two"].iter().all(|name| daemon.read(&format!("{name}.err")).contains("error 3"))
                && ["one", "two"].iter().all(|name| daemon.read(&format!("{name}.log")).contains(" 3"))
        });
        let ctl = |words: &[&str]| daemon.ctl(words).transcript();
        assert_eq!(ctl(&["logs", "one"]), "stdout:\none 1\none 2\none 3\n\nexit status 0\n");
        let both = "stdout:\none | one 2\none | one 3\ntwo | two 2\ntwo | two 3\n\nexit status 0\n";
        assert_eq!(ctl(&["logs", "-n", "2", "one", "t*", "one"]), both);
        assert_eq!(ctl(&["logs", "--stderr", "two", "--lines=1"]), "stdout:\ntwo error 3\n\nexit status 0\n");
        assert_eq!(ctl(&["logs", "none"]), "stdout:\nnone: ERROR (no log file)\n\nexit status 1\n");
        assert_eq!(ctl(&["logs", "nobody"]), "stdout:\nnobody: ERROR (no such process)\n\nexit status 1\n");

        let mut following = Terminal::ctl(&daemon, &["logs", "-f", "-n", "1", "one", "two"]);
        following.wait_for("two | two 3", 1);
        let tell = |daemon: &Daemon, name: &str, line: &str| {
            daemon.call("supervisor.sendProcessStdin", &[name.into(), format!("{line}\n").as_str().into()]);
        };
        tell(&daemon, "one", "hello");
        following.wait_for("one | one hello", 1);
        daemon.crash();
        daemon.start_again();
        tell(&daemon, "two", "again");
        following.wait_for("two | two again", 1);
        tell(&daemon, "one", "\\033[2Jsafe");
        following.wait_for("one | one safe", 1);
        following.send("\u{3}");
        let (shown, code) = following.end();
        assert_eq!(
            (code, shown.matches("one 3").count(), shown.matches("hello").count()),
            (0, 1, 1),
            "nothing twice: {shown}"
        );
    });
}

#[test]
fn top_shows_acts_and_leaves_the_terminal_as_it_was() {
    only_ours(|| {
        let mut daemon = daemon("top");
        let mut top = Terminal::ctl(&daemon, &["top"]);
        top.wait_on_screen("4 programs  3 RUNNING  1 STOPPED");
        top.send("/idl\r");
        top.wait_on_screen("only \"idl\" (Esc: all)");
        top.send("s");
        daemon.wait_for_state("idle", "RUNNING");
        top.wait_on_screen("idle: started");
        top.send("x");
        top.wait_on_screen("stop idle? y/n");
        top.send("y");
        daemon.wait_for_state("idle", "STOPPED");
        top.send("d");
        top.wait_on_screen("disable idle? y/n");
        top.send("y");
        top.wait_on_screen("idle: disabled");
        top.send("s");
        top.wait_on_screen("idle: could not be started: ");
        top.send("e");
        top.wait_on_screen("idle: enabled");
        top.send("/\u{7f}\u{7f}\u{7f}member_0\r");
        top.wait_on_screen("only \"member_0\" (Esc: all)");
        top.send("+");
        daemon.wait_until("it has come", |daemon| daemon.ctl(&["status"]).stdout.contains("member_2"));
        top.wait_on_screen("team:member_0: scaled");
        top.send("-");
        top.wait_on_screen("take the last process from the program of team:member_0? y/n");
        top.send("y");
        daemon.wait_until("it has gone", |daemon| {
            !daemon.ctl(&["status"]).stdout.contains("member_2") && daemon.state_of("team:member_0") == "RUNNING"
        });
        // The question has taken the place of the notice before, and a notice that came later would hide the filter.
        top.wait_on_screen("team:member_0: scaled");
        top.send("/\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}idl\r");
        top.wait_on_screen("only \"idl\" (Esc: all)");
        top.send("\r");
        top.wait_on_screen("idle is STOPPED");
        let size = Command::new("stty")
            .args(["-F", &format!("/proc/{}/fd/0", top.pid()), "rows", "40", "cols", "60"])
            .status();
        assert!(size.is_ok_and(|status| status.success()), "stty of coreutils");
        top.wait_on_screen("idle is STOPPED");
        daemon.crash();
        top.wait_on_screen("does not answer");
        daemon.start_again();
        top.send("qq");
        let before = top.before.clone();
        let (after, code) = top.mode_after_end();
        assert_eq!((after, code), (before, 0));
    });
}

#[test]
fn top_restores_the_terminal_when_a_signal_ends_it() {
    only_ours(|| {
        let daemon = daemon("top-signal");
        for (signal, code) in [(Signal::SIGTERM, 128 + 15), (Signal::SIGINT, 0)] {
            let top = Terminal::ctl(&daemon, &["top", "--read-only"]);
            let mut top = top;
            top.wait_on_screen("read-only");
            top.send("s");
            top.wait_on_screen("this view is read-only");
            processes::signal(top.pid(), signal);
            let (raw, ended) = top.raw_end();
            assert!(raw.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{raw:?}");
            assert_eq!(ended, code);
        }
        assert_eq!(daemon.state_of("idle"), "STOPPED");
        let refused = daemon.ctl(&["top"]);
        let expected = "stdout:\nERROR: top needs a terminal; elsewhere there is status --watch\n\nexit status 1\n";
        assert_eq!(refused.transcript(), expected);
    });
}
