//! Updates that restart only what cannot do without, and the plan of an update. The original restarts whole groups.

use std::process::Stdio;

use serde_json::Value;
use supervisord_config::schema::{Needs, OptionSpec, SectionKind};

use crate::harness::{Daemon, Program, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["supervisord update"];

const WEB: &str = "[program:web]\ncommand=sleep 1000\nprocess_name=web_%(process_num)d\nnumprocs=3\nstartsecs=0\n";

fn start(name: &str, configuration: &str) -> Daemon {
    let mut daemon = Scene::with(name, configuration).start(Subject::Ours);
    daemon.wait_for_states(&["web:web_0", "web:web_1", "web:web_2"], "RUNNING");
    daemon
}

fn rewrite(daemon: &Daemon, from: &str, to: &str) {
    let text = daemon.read("supervisord.conf");
    assert!(text.contains(from), "{text}");
    daemon.write("supervisord.conf", &text.replace(from, to));
}

fn pids(daemon: &Daemon, count: usize) -> Vec<i32> {
    (0..count).map(|number| daemon.pid_of(&format!("web:web_{number}"))).collect()
}

#[test]
fn the_plan_of_an_update_is_what_the_update_does() {
    only_ours(|| {
        let secret = "environment=A=\"secret\"\n";
        let mut daemon = start("plan", &format!("{WEB}{secret}[program:old]\ncommand=sleep 1000\nstartsecs=0\n"));
        daemon.wait_for_state("old", "RUNNING");
        let before = pids(&daemon, 3);
        rewrite(&daemon, "numprocs=3", "numprocs=4\nstopwaitsecs=3");
        rewrite(&daemon, "program:old", "program:new");
        let plan = daemon.ctl(&["update", "--plan", "--minimal"]);
        let expected = "old: stop and remove\nnew: add and start\n\
            web:web_0: apply without a restart\n    stopwaitsecs: 10 -> 3 (live)\n\
            web:web_1: apply without a restart\n    stopwaitsecs: 10 -> 3 (live)\n\
            web:web_2: apply without a restart\n    stopwaitsecs: 10 -> 3 (live)\n\
            web:web_3: add and start\n\
            update=minimal: 2 add, 1 remove, 3 apply without a restart; nothing else is touched\n";
        assert_eq!((plan.stdout.as_str(), plan.code), (expected, 0));
        let groups = daemon.ctl(&["update", "--plan"]).stdout;
        assert!(groups.contains("web:web_1: restart\n") && groups.contains("update=groups: 3 restart"), "{groups}");
        assert_eq!(pids(&daemon, 3), before, "a plan changes nothing");
        let done = daemon.ctl(&["update", "--minimal"]).stdout;
        let expected = "old: removed process\nnew: added process\nweb:web_0: updated without a restart\n\
            web:web_1: updated without a restart\nweb:web_2: updated without a restart\nweb:web_3: added process\n";
        assert_eq!(done, expected);
        daemon.wait_for_states(&["new", "web:web_3"], "RUNNING");
        assert_eq!(pids(&daemon, 3), before);
        let log = daemon.log();
        assert!(log.contains("INFO update: apply web:web_0 (stopwaitsecs)"), "{log}");
        rewrite(&daemon, "\"secret\"", "\"other\"");
        let json: Value =
            serde_json::from_str(&daemon.ctl(&["update", "--plan", "--minimal", "--json"]).stdout).unwrap();
        assert_eq!(json["steps"][0]["changes"][0]["new"], "A=(hidden, changed)", "{json}");
        assert!(!json.to_string().contains("other"), "{json}");
        rewrite(&daemon, "numprocs=4", "numprocs=1");
        daemon.ctl(&["update", "--minimal", "web"]);
        let status = daemon.ctl(&["status", "web:*"]).stdout;
        assert_eq!(status.lines().count(), 1, "{status}");
        rewrite(&daemon, "numprocs=1", "numprocs=one");
        let refused = daemon.ctl(&["update", "--plan"]);
        assert!(refused.code == 1 && refused.stdout.contains("numprocs"), "{}", refused.stdout);
    });
}

#[test]
fn an_update_is_minimal_where_the_file_says_so() {
    only_ours(|| {
        let daemon = start("minimal", &format!("[supervisord]\nupdate=minimal\n{WEB}"));
        let before = pids(&daemon, 3);
        rewrite(&daemon, "numprocs=3", "numprocs=2\nstopwaitsecs=3");
        let done = daemon.ctl(&["update"]).stdout;
        assert!(done.contains("web:web_2: removed process\n"), "{done}");
        assert_eq!(pids(&daemon, 2), before[..2]);
        rewrite(&daemon, "stopwaitsecs=3", "stopwaitsecs=4");
        let done = daemon.ctl(&["update", "--groups"]).stdout;
        assert_eq!(done, "web: stopped\nweb: updated process group\n");
        assert_ne!(pids(&daemon, 2), before[..2]);
    });
}

#[test]
fn an_update_goes_on_when_the_daemon_is_killed_or_upgraded() {
    only_ours(|| {
        let stubborn = "#!/bin/sh\ntrap '' TERM\necho $$ >> up\nwhile :; do sleep 0.02; done\n";
        let program = "[program:web]\ncommand=./stubborn\nprocess_name=web_%(process_num)d\nnumprocs=3\nstartsecs=0\n\
            stopwaitsecs=6\n";
        for is_crash in [true, false] {
            let scene = Scene::with("update-survives", program).script("stubborn", stubborn);
            let mut daemon = scene.start(Subject::Ours);
            daemon.wait_for_states(&["web:web_0", "web:web_1", "web:web_2"], "RUNNING");
            daemon.wait_until("all ignore TERM", |daemon| daemon.read("up").lines().count() == 3);
            let before = pids(&daemon, 3);
            rewrite(&daemon, "command=./stubborn", "command=sleep 1000");
            let mut update = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
            let update = update.args(["-c", "supervisord.conf", "update", "--minimal"]).stdout(Stdio::null());
            let mut update = update.stderr(Stdio::null()).spawn().expect("it can be executed");
            daemon.wait_for_state("web:web_2", "STOPPING");
            update.kill().and_then(|()| update.wait()).expect("it is a child");
            if is_crash {
                daemon.crash();
                daemon.start_again();
            } else {
                assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
            }
            daemon.wait_until("they run the new command", |daemon| {
                let now = pids(daemon, 3);
                now.iter().all(|pid| *pid != 0 && !before.contains(pid))
            });
            let again = daemon.ctl(&["update", "--minimal"]).stdout;
            assert_eq!(again, "No config updates to processes\n");
        }
    });
}

/// What the log says of the program, in order: each stop and each readiness.
fn story(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let told = log.lines().filter_map(|line| {
        let (_, text) = line.split_once(' ').and_then(|(_, rest)| rest.split_once(' '))?;
        let (_, text) = text.split_once(' ')?;
        ["stopped: ", "success: ", "ready: "].iter().any(|word| text.starts_with(word)).then(|| text.to_owned())
    });
    told.collect()
}

#[test]
fn a_rolling_restart_waits_for_each_and_stops_at_the_first_failure() {
    only_ours(|| {
        let ready = "#!/bin/sh\necho >&3\nexec sleep 1000\n";
        let program = "[program:web]\ncommand=./worker\nprocess_name=web_%(process_num)d\nnumprocs=3\n\
            ready_when=fd:3\nstartretries=0\n";
        let scene = Scene::with("rolling", program).script("worker", ready);
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_states(&["web:web_0", "web:web_1", "web:web_2"], "RUNNING");
        let before = pids(&daemon, 3);
        let told = story(&daemon).len();
        let said = daemon.ctl(&["restart", "--rolling", "web:*"]);
        assert_eq!(said.stdout, "web:web_0: restarted\nweb:web_1: restarted\nweb:web_2: restarted\n");
        assert!(pids(&daemon, 3).iter().all(|pid| !before.contains(pid)));
        let story = story(&daemon).split_off(told);
        let names: Vec<&str> = story.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(names, ["web_0", "web_0", "web_1", "web_1", "web_2", "web_2"], "{story:?}");
        let before = pids(&daemon, 3);
        daemon.write("worker", "#!/bin/sh\nexit 3\n");
        let said = daemon.ctl(&["restart", "--rolling=34%", "all"]);
        assert_eq!(said.code, 1);
        assert!(
            said.stdout.contains("web:web_0: ERROR (did not become RUNNING: exited before it was ready)\n")
                && said.stdout.contains("web:web_2: ERROR (not restarted, because")
                && said.stdout.contains("stopped at web:web_0: exited before it was ready)\n"),
            "{}",
            said.stdout
        );
        assert_eq!(pids(&daemon, 3)[1..], before[1..], "the others go on");
        assert_eq!(daemon.state_of("web:web_0"), "FATAL");
        let log = daemon.log();
        assert!(log.contains("WARN rolling restart: stopped at web:web_0: "), "{log}");
        let apart = daemon.ctl(&["restart", "--rolling", "2", "web:*"]);
        assert!(apart.code == 1 && apart.stdout.contains("write --rolling=2 for 2 at a time"), "{}", apart.stdout);
        let refused = daemon.ctl(&["restart", "--rolling=0", "web:*"]);
        assert!(refused.code == 1 && refused.stdout.contains("rolling is \"0\""), "{}", refused.stdout);
    });
}

/// Another value than the default of each option of 4.3.0; all others have one in their row.
const OTHERS: [(&str, &str); 29] = [
    ("command", "sleep 2000"),
    ("directory", "/tmp"),
    ("umask", "077"),
    ("priority", "1"),
    ("autostart", "false"),
    ("startsecs", "2"),
    ("startretries", "2"),
    ("autorestart", "true"),
    ("exitcodes", "1"),
    ("stopsignal", "INT"),
    ("stopwaitsecs", "1"),
    ("stopasgroup", "true"),
    ("killasgroup", "true"),
    ("redirect_stderr", "true"),
    ("stdout_logfile", "NONE"),
    ("stdout_logfile_maxbytes", "1"),
    ("stdout_logfile_backups", "1"),
    ("stdout_capture_maxbytes", "1"),
    ("stdout_events_enabled", "true"),
    ("stdout_syslog", "true"),
    ("stderr_logfile", "NONE"),
    ("stderr_logfile_maxbytes", "1"),
    ("stderr_logfile_backups", "1"),
    ("stderr_capture_maxbytes", "1"),
    ("stderr_events_enabled", "true"),
    ("stderr_syslog", "true"),
    ("environment", "A=1"),
    ("serverurl", "x"),
    ("type", "oneshot"),
];

/// Lines that set an option of the program, with what it needs beside it.
fn lines(row: &OptionSpec) -> Option<(String, String)> {
    let other = OTHERS.into_iter().find(|(name, _)| *name == row.name).map(|(_, value)| value).or(row.example)?;
    let companion = row.only_with.first().and_then(|option| SectionKind::Program.option(option));
    let companion = companion.map(|row| format!("{}={}\n", row.name, row.shown())).unwrap_or_default();
    let mine = format!("{}={other}\n", row.name);
    Some((companion, mine))
}

/// Each option is changed under a running program, which keeps its process exactly if the table says that the change is live.
#[test]
fn every_option_needs_what_the_table_says() {
    only_ours(|| {
        let base = "[program:db]\ncommand=sleep 1000\n[program:migrate]\ncommand=sleep 1000\n[program:web]\n\
            command=sleep 1000\nstdout_logfile=/dev/null\nstderr_logfile=/dev/null\n";
        let mut daemon = Scene::with("marks", base).start(Subject::Ours);
        daemon.wait_for_states(&["db", "migrate", "web"], "RUNNING");
        let text = daemon.read("supervisord.conf");
        let with = |daemon: &Daemon, option: &str, lines: &str| {
            // What is written for all programs but `web` stays.
            let (others, web) = base.split_at(base.find("[program:web]").expect("it is there"));
            let kept = web.lines().filter(|line| !line.starts_with(&format!("{option}=")));
            let changed = format!("{others}{}\n{lines}", kept.collect::<Vec<_>>().join("\n"));
            let changed =
                if changed.contains("\ncommand=sleep 2") || option != "command" { changed } else { base.to_owned() };
            daemon.write("supervisord.conf", &text.replace(base, &changed));
        };
        let mut wrong = Vec::new();
        let mut looked_at = 0;
        for row in SectionKind::Program.options().filter(|row| row.of_process().is_some()) {
            let Some((companion, mine)) = lines(row) else { continue };
            with(&daemon, row.name, &companion);
            if daemon.ctl(&["update", "--minimal"]).code != 0 {
                continue;
            }
            let before = daemon.pid_of("web");
            with(&daemon, row.name, &format!("{companion}{mine}"));
            let plan = daemon.ctl(&["update", "--plan", "--minimal"]);
            // What this machine does not have, such as an example of a file, cannot be tried.
            if plan.code != 0 {
                continue;
            }
            looked_at += 1;
            let said = daemon.ctl(&["update", "--minimal"]).stdout;
            let stayed = daemon.pid_of("web") == before;
            let again = daemon.ctl(&["update", "--plan", "--minimal"]).stdout;
            if !plan.stdout.contains(&format!("    {}: ", row.name))
                || stayed != (row.needs == Needs::Live)
                || again != "No config updates to processes\n"
            {
                wrong.push(format!("{}: {said}{again}", row.name));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(looked_at > 50, "only {looked_at} options were looked at");
    });
}
