//! Restarts that are delayed and limited. The original restarts at once, and gives up only failed starts.

use std::time::Duration;

use crate::harness::scene::Place;
use crate::harness::{Daemon, Scene, Subject, http, only_ours, wait};

/// The options these tests are about.
pub const PINNED: &[&str] = &[
    "program restart_delay",
    "program restart_backoff",
    "program restart_max_delay",
    "program restart_jitter",
    "program restart_limit",
    "program fatal_retry",
    "program max_runtime",
    "program recycle_after",
    "supervisord max_parallel_starts",
];

/// Writes down when it is started, in milliseconds after the boot, and exits.
const CRASHES: &str = "#!/bin/sh\nread -r up rest < /proc/uptime\necho \"${up%.*}${up#*.}0\" >> starts\nexit 3\n";

fn scene(options: &str) -> Scene {
    let program = format!("command=./crashes\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n");
    Scene::with("restarts", &format!("[program:p]\n{program}"))
        .script("crashes", CRASHES)
        .file("starts", "")
        .env("PWD", "{dir}")
}

fn start(options: &str) -> Daemon {
    scene(options).start(Subject::Ours)
}

/// When the program was started.
fn starts(place: &Place) -> Vec<u64> {
    place.read("starts").lines().map(|line| line.parse().expect("milliseconds")).collect()
}

/// The times between its starts.
fn gaps(place: &Place) -> Vec<u64> {
    starts(place).windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn wait_for_starts(daemon: &mut Daemon, number: usize) {
    daemon.wait_until(&format!("it has been started {number} times"), |daemon| starts(daemon).len() >= number);
}

fn program(daemon: &Daemon) -> serde_json::Value {
    json(daemon, "p/p")
}

fn json(daemon: &Daemon, name: &str) -> serde_json::Value {
    get(daemon, &format!("/api/v1/programs/{name}"))
}

/// The states of all programs at one moment.
fn states(daemon: &Daemon) -> Vec<String> {
    let programs = get(daemon, "/api/v1/programs")["programs"].take();
    let states = programs.as_array().into_iter().flatten().map(|program| program["state"].as_str().unwrap_or_default());
    states.map(str::to_owned).collect()
}

fn get(daemon: &Daemon, path: &str) -> serde_json::Value {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let response = http::request(&mut *stream, "GET", path, &["Host: h"], b"").expect("an answer");
    serde_json::from_slice(&response.body).expect("JSON")
}

/// The clock of `/proc/uptime` has hundredths of a second.
const TICK: u64 = 10;

fn assert_gaps_at_least(place: &Place, least: &[u64]) {
    let gaps = gaps(place);
    for (gap, least) in gaps.iter().zip(least) {
        assert!(gap + TICK >= *least, "{gaps:?} are not at least {least:?}");
    }
    assert!(gaps.len() >= least.len(), "{gaps:?}");
}

#[test]
fn crashes_and_failed_starts_wait_longer_each_time() {
    let growing = "restart_delay=200ms\nrestart_backoff=exponential\nrestart_max_delay=1s\nrestart_jitter=0.1";
    for (startsecs, waiting, after) in [(0, "EXITED", "failures in a row"), (1, "BACKOFF", "failures in a row")] {
        only_ours(|| {
            let options = format!("startsecs={startsecs}\nrestart_limit=unlimited\n{growing}");
            let mut daemon = start(&options);
            wait_for_starts(&mut daemon, 6);
            assert_gaps_at_least(&daemon, &[200, 400, 800, 1000, 1000]);
            daemon.wait_for_log(after);
            daemon.wait_for_state("p", waiting);
            daemon.wait_until("it says when it goes on", |daemon| {
                let program = program(daemon);
                program["next_start"].is_number() && program["restarts"].as_u64() >= Some(4)
            });
            assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
            let number = starts(&daemon).len();
            assert_eq!(program(&daemon)["next_start"], serde_json::Value::Null);
            std::thread::sleep(Duration::from_millis(1300));
            assert_eq!(starts(&daemon).len(), number, "a stop ends the waiting");
        });
    }
}

#[test]
fn the_delay_has_an_older_name() {
    only_ours(|| {
        let mut daemon = start("startsecs=0\nrestartpause=0.4");
        wait_for_starts(&mut daemon, 3);
        assert_gaps_at_least(&daemon, &[400, 400]);
    });
}

#[test]
fn too_many_restarts_are_fatal_until_the_next_life() {
    only_ours(|| {
        let mut daemon = start("startsecs=0\nrestart_delay=100ms\nrestart_limit=2/60s\nfatal_retry=4s");
        daemon.wait_for_state("p", "FATAL");
        let line = "gave up: p entered FATAL state, it was restarted 2 times within 1min (restart_limit)";
        assert!(daemon.log().contains(line), "{}", daemon.log());
        daemon.wait_until("it says why, and when it goes on", |daemon| {
            let program = program(daemon);
            program["state"] == "FATAL"
                && program["description"] == "Bad exit code 3"
                && program["next_start"].is_number()
        });
        wait_for_starts(&mut daemon, 4);
        assert_gaps_at_least(&daemon, &[100, 100, 4000]);
        daemon
            .wait_until("it is given up again", |daemon| starts(daemon).len() == 6 && daemon.state_of("p") == "FATAL");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: ERROR (not running)\n");
        assert_eq!(daemon.state_of("p"), "FATAL");
        std::thread::sleep(Duration::from_millis(4300));
        assert_eq!(starts(&daemon).len(), 6);
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
        daemon.wait_until("it has another two restarts", |daemon| starts(daemon).len() == 9);
    });
}

#[test]
fn a_limit_takes_the_place_of_startretries() {
    only_ours(|| {
        let daemon = start("restart_delay=50ms\nrestart_limit=6/60s");
        let fatal = || daemon.state_of("p") == "FATAL";
        wait::until("it is given up", fatal);
        assert_eq!(starts(&daemon).len(), 7);
        daemon.write("supervisord.conf", &daemon.read("supervisord.conf").replace("6/60s", "6/60s\nstartretries=9"));
        let refused = daemon.ctl(&["reread"]).stdout;
        assert!(refused.contains("restart_limit is written in place of startretries"), "{refused}");
    });
}

#[test]
fn a_program_runs_for_as_long_as_it_may() {
    only_ours(|| {
        let options = "startsecs=0\nmax_runtime=1s\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let scene = Scene::with(
            "runtime",
            &format!(
                "[program:again]\ncommand=sleep 1000\n{options}\
                 [program:once]\ncommand=sleep 1000\nautorestart=false\n{options}"
            ),
        );
        let mut daemon = scene.start(Subject::Ours);
        let first = daemon.pid_of("again");
        daemon.wait_for_state("once", "STOPPED");
        daemon.wait_until("another one runs", |daemon| {
            daemon.state_of("again") == "RUNNING" && daemon.pid_of("again") != first
        });
        let log = daemon.log();
        assert!(log.contains("INFO time is up: once has run for "), "{log}");
        assert!(log.contains("stopped: again (terminated by SIGTERM)"), "{log}");
    });
}

/// Four workers that are recycled while the daemon is upgraded and killed: never less than three of them run.
#[test]
fn of_a_group_one_at_a_time_is_recycled() {
    only_ours(|| {
        let scene = Scene::with(
            "recycling",
            "[program:w]\ncommand=sleep 1000\nprocess_name=w%(process_num)d\nnumprocs=4\nstartsecs=1\nautorestart=false\n\
             recycle_after=4s+-1s\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
        );
        let mut daemon = scene.start(Subject::Ours);
        let names: Vec<String> = (0..4).map(|number| format!("w:w{number}")).collect();
        names.iter().for_each(|name| daemon.wait_for_state(name, "RUNNING"));
        let before: Vec<i32> = names.iter().map(|name| daemon.pid_of(name)).collect();
        for round in 0..2 {
            daemon.wait_until("one is recycled", |daemon| daemon.log().matches("recycling: w").count() > round);
            match round {
                0 => assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n"),
                _ => {
                    daemon.crash();
                    daemon.start_again();
                }
            }
        }
        daemon.wait_until("all have been recycled", |daemon| {
            let states = states(daemon);
            let running = states.iter().filter(|state| *state == "RUNNING").count();
            assert!(running >= 3, "{states:?}\n{}", daemon.log());
            running == 4 && names.iter().zip(&before).all(|(name, pid)| daemon.pid_of(name) != *pid)
        });
        // It may be recycled again just now.
        daemon.wait_until("its end is known", |daemon| json(daemon, "w/w0")["runs_until"].as_i64() > Some(0));
    });
}

/// Twelve programs, of which three may start at once, each for a second; one that somebody asks for comes first. The daemon is
/// killed and upgraded while they wait.
#[test]
fn no_more_than_so_many_start_at_once() {
    only_ours(|| {
        let sleeper = "command=sleep 1000\nstartsecs=1\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let scene = Scene::with(
            "turns",
            &format!(
                "[supervisord]\nmax_parallel_starts=3\n[program:p]\nprocess_name=p%(process_num)02d\nnumprocs=12\n{sleeper}\
                 [program:asked]\nautostart=false\npriority=1000\n{sleeper}"
            ),
        );
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_log("3 at a time are started (max_parallel_starts); others wait for their turn");
        let waiting = daemon.info("p:p11");
        assert_eq!((waiting.get("statename").text(), waiting.get("pid").int()), ("STARTING", 0));
        assert_eq!(waiting.get("description").text(), "waiting for its turn to start");
        let turn = serde_json::json!([{ "group": null, "name": null, "condition": "turn", "hindrance": null }]);
        assert_eq!(json(&daemon, "p/p11")["waiting_for"], turn);
        assert_eq!(daemon.ctl(&["start", "asked"]).stdout, "asked: started\n");
        assert_eq!(daemon.info("p:p11").get("pid").int(), 0, "the one that was asked for came first");
        daemon.crash();
        daemon.start_again();
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_eq!(daemon.ctl(&["stop", "p:p10"]).stdout, "p:p10: stopped\n");
        daemon.wait_until("all run", |daemon| {
            let rows = daemon.call("supervisor.getAllProcessInfo", &[]);
            let rows: Vec<_> = rows.items().iter().filter(|row| row.get("group").text() == "p").collect();
            let starting =
                rows.iter().filter(|row| row.get("statename").text() == "STARTING" && row.get("pid").int() != 0);
            assert!(starting.count() <= 3);
            rows.iter().filter(|row| row.get("statename").text() == "RUNNING").count() == 11
        });
        daemon.wait_for_log("nobody waits for a turn to start any more");
    });
}

#[test]
fn the_example_of_the_guide_runs() {
    only_ours(|| {
        let guide = include_str!("../../docs/restarts.md");
        let example = guide.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let mut daemon = Scene::with("guide", example).start(Subject::Ours);
        daemon.wait_for_log("delayed: web is started again in 1");
        assert!(daemon.log().contains("s after a failure"), "{}", daemon.log());
    });
}

/// Whatever becomes of the daemon: no restart comes earlier or is one too many, and what waits goes on waiting.
#[test]
fn delays_and_limits_survive_upgrades_and_kills() {
    only_ours(|| {
        let mut daemon = start(
            "startsecs=0\nrestart_delay=700ms\nrestart_backoff=linear\nrestart_max_delay=2s\nrestart_limit=5/5min\nfatal_retry=4s",
        );
        for round in 0..5 {
            wait_for_starts(&mut daemon, round + 1);
            let waits = wait::poll(wait::DEADLINE, || program(&daemon)["next_start"].as_i64()).expect("it waits");
            match round % 2 {
                0 => {
                    daemon.crash();
                    std::thread::sleep(Duration::from_millis(200));
                    daemon.start_again();
                }
                _ => assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n"),
            }
            let next = program(&daemon)["next_start"].as_i64();
            assert!(
                starts(&daemon).len() > round + 1 || next.is_some_and(|next| (next - waits).abs() <= 1),
                "{waits} {next:?}"
            );
        }
        daemon.wait_for_state("p", "FATAL");
        assert_eq!(starts(&daemon).len(), 6, "{}", daemon.log());
        daemon.crash();
        daemon.start_again();
        assert_eq!(daemon.state_of("p"), "FATAL");
        wait_for_starts(&mut daemon, 7);
        assert_gaps_at_least(&daemon, &[700, 1400, 2000, 2000, 2000, 4000]);
        assert_eq!(program(&daemon)["restarts"], 6);
    });
}

/// Its logs are opened in advance, because most programs are started again.
#[test]
fn a_program_that_is_not_started_again_has_no_open_log() {
    let options = "command=/bin/sh -c 'read -r code; exit $code'\nstdout_logfile={dir}/p.log\nstderr_logfile={dir}/e.log\n\
                   startsecs=0\nautostart=false\nautorestart=unexpected\n";
    let mut daemon = Scene::with("at_rest", &format!("[program:p]\n{options}")).start(Subject::Ours);
    for (code, state, logs) in [(0, "EXITED", 0), (3, "RUNNING", 2), (0, "EXITED", 0)] {
        if daemon.state_of("p") != "RUNNING" {
            daemon.call("supervisor.startProcess", &["p".into()]);
        }
        let starts = daemon.log().matches("spawned: 'p'").count();
        daemon.call("supervisor.sendProcessStdin", &["p".into(), format!("{code}\n").as_str().into()]);
        daemon.wait_until("it has exited", |daemon| {
            daemon.log().matches("exited: p").count() == starts && daemon.state_of("p") == state
        });
        daemon.wait_until("its logs are open or closed", |daemon| open_logs(daemon) == logs);
    }
}

/// How many logs of the program the daemon has open.
fn open_logs(daemon: &Daemon) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it lives");
    let paths: Vec<_> = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
    ["p.log", "e.log"].iter().map(|log| paths.iter().filter(|path| **path == daemon.path(log)).count()).sum()
}

/// What the metrics say, with all labels.
fn metric(daemon: &Daemon, sample: &str) -> Option<f64> {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let response = http::request(&mut *stream, "GET", "/metrics", &["Host: h"], b"").expect("an answer");
    let text = String::from_utf8_lossy(&response.body).into_owned();
    text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

#[test]
fn starts_and_exits_are_counted_through_an_upgrade_and_kill_9() {
    only_ours(|| {
        // Where nothing is left to be taken over, the next daemon begins anew.
        let other = "[program:other]\ncommand=sleep 1000\nstdout_logfile=NONE\nstderr_logfile=NONE";
        let mut daemon = start(&format!("startsecs=0\nautorestart=false\nexitcodes=3\n{other}"));
        let labels = "{group=\"p\",name=\"p\"}";
        let exits = "supervisord_program_exits_total{group=\"p\",name=\"p\",status=\"3\",signal=\"\"}";
        for round in 1..=3 {
            daemon.wait_until("it has ended", |daemon| metric(daemon, exits) == Some(f64::from(round)));
            assert_eq!(metric(&daemon, &format!("supervisord_program_starts_total{labels}")), Some(f64::from(round)));
            let running = format!("supervisord_program_time_to_running_seconds_count{labels}");
            assert_eq!(metric(&daemon, &running), Some(f64::from(round)));
            match round {
                1 => assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n"),
                2 => {
                    daemon.crash();
                    daemon.start_again();
                }
                _ => break,
            }
            daemon.ctl(&["start", "p"]);
        }
        assert_eq!(metric(&daemon, "supervisord_log_lost_bytes_total"), Some(0.0));
    });
}
