//! Programs that depend on others: they come up in order, wait through whatever happens to the daemon, and go down backwards.
//! The original knows only priorities.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program depends_on", "program on_dependency_failure"];

/// A database that is ready after three seconds, a migration, four workers and a proxy.
const APP: &str = "[program:proxy]\ncommand=sleep 1000\ndepends_on=worker:*\n\
    [program:worker]\ncommand=sleep 1000\nprocess_name=worker_%(process_num)d\nnumprocs=4\ndepends_on=migrate:exited_ok, db\n\
    [program:migrate]\ncommand=sleep 0.2\nstartsecs=0\nautorestart=false\ndepends_on=db\n\
    [program:db]\ncommand=sleep 1000\nstartsecs=3\n";

fn app() -> Scene {
    Scene::with("app", APP)
}

/// The names in those lines of the activity log that contain `words`, in order.
fn names(daemon: &Daemon, words: &str) -> Vec<String> {
    let log = daemon.log();
    let rest = log.lines().filter_map(|line| Some(line.split_once(words)?.1.to_owned()));
    rest.map(|rest| rest.trim_start_matches('\'').split([' ', '\'']).next().unwrap_or_default().to_owned()).collect()
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// That everything came up in order.
fn assert_order(daemon: &Daemon) {
    let spawned = names(daemon, "INFO spawned: ");
    assert_eq!(spawned[..2], ["db", "migrate"], "{}", daemon.log());
    assert_eq!(sorted(&spawned[2..6]), ["worker_0", "worker_1", "worker_2", "worker_3"], "{}", daemon.log());
    assert_eq!(spawned[6..], ["proxy"], "{}", daemon.log());
}

#[test]
fn an_application_comes_up_in_order_and_goes_down_backwards() {
    only_ours(|| {
        let begun = Instant::now();
        let mut daemon = app().start(Subject::Ours);
        daemon.wait_for_state("migrate", "STARTING");
        let status = daemon.ctl(&["status"]).stdout;
        assert!(status.contains("STARTING  waiting for db to be ready\n"), "{status}");
        assert!(status.contains("STARTING  waiting for migrate to exit successfully, db to be ready\n"), "{status}");
        assert_eq!(daemon.ctl(&["start", "proxy"]).stdout, "proxy: started\n", "it answers when it runs");
        // The longest chain: 3 s for the database, 0.2 s for the migration, 1 s each for a worker and the proxy.
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(5200), "{took:?}");
        assert_order(&daemon);

        assert_eq!(daemon.ctl(&["stop", "db"]).stdout, "db: stopped\n");
        let line = "INFO stopping db, on which others depend that go on: worker:worker_0, worker:worker_1";
        assert!(daemon.log().contains(line), "{}", daemon.log());
        daemon.wait_for_state("proxy", "RUNNING");
        assert_eq!(daemon.ctl(&["start", "db"]).stdout, "db: started\n");

        let stopped = daemon.ctl(&["stop", "--dependents", "db"]).stdout;
        let lines: Vec<&str> = stopped.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[5]), (6, "proxy: stopped", "db: stopped"), "{stopped}");
        assert_eq!(daemon.ctl(&["stop", "--dependents", "db"]).stdout, "db: ERROR (not running)\n");
        let started = daemon.ctl(&["start", "--dependents", "db"]).stdout;
        let lines = "db: started\nmigrate: started\nproxy: started\nworker:worker_0: started\nworker:worker_1: started\n\
                     worker:worker_2: started\nworker:worker_3: started\n";
        assert_eq!(started.lines().collect::<BTreeSet<_>>(), lines.lines().collect(), "{started}");
        let database = daemon.pid_of("db");
        let restarted = daemon.ctl(&["restart", "--dependents", "db"]).stdout;
        let lines: Vec<&str> = restarted.lines().collect();
        assert_eq!((lines[0], lines[5], lines[6]), ("proxy: stopped", "db: stopped", "db: started"), "{restarted}");
        assert_eq!(lines[7..].len(), 5, "those that ran are started again: {restarted}");
        assert_ne!(daemon.pid_of("db"), database);
        let before = names(&daemon, "WARN stopped: ").len();
        assert_eq!(daemon.stop(), 0);
        let stopped = names(&daemon, "WARN stopped: ").split_off(before);
        assert_eq!((stopped[0].as_str(), stopped[5].as_str()), ("proxy", "db"), "{}", daemon.log());
    });
}

#[test]
fn waiting_goes_on_after_an_upgrade_and_after_kill_9() {
    only_ours(|| {
        let mut daemon = app().start(Subject::Ours);
        daemon.wait_for_state("db", "STARTING");
        let database = daemon.pid_of("db");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("db", "STARTING");
        let waits = daemon.ctl(&["status", "proxy", "migrate"]).stdout;
        let lines: Vec<&str> =
            waits.lines().map(|line| line.split_once("STARTING  ").map_or("", |(_, rest)| rest)).collect();
        assert_eq!(lines, ["waiting for worker:* to be ready", "waiting for db to be ready"], "{waits}");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert!(daemon.ctl(&["status", "migrate"]).stdout.contains("waiting for db to be ready"));
        daemon.wait_for_state("proxy", "RUNNING");
        assert_eq!(daemon.pid_of("db"), database, "nobody has started it again");
        assert_order(&daemon);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A stop of all waits for a program that does not obey, while the daemon is killed.
#[test]
fn a_stop_of_all_goes_on_after_kill_9() {
    only_ours(|| {
        let text = "[program:db]\ncommand=sleep 1000\nstartsecs=0\n\
                    [program:web]\ncommand=sh -c 'trap \"\" TERM; echo 1 > ready; while :; do sleep 0.1; done'\nstartsecs=0\n\
                    depends_on=db\nstopwaitsecs=8\n";
        let mut daemon = Scene::with("stopall", text).start(Subject::Ours);
        daemon.wait_for_file("ready");
        daemon.call("supervisor.stopAllProcesses", &[false.into()]);
        daemon.wait_for_state("web", "STOPPING");
        assert_eq!(daemon.state_of("db"), "RUNNING");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("db", "STOPPED");
        assert_eq!(daemon.state_of("web"), "STOPPED");
        daemon.wait_for_log("going on with a stop that the daemon before had begun, of 1 more");
    });
}

#[test]
fn a_start_that_waits_in_vain_says_why_and_goes_on_when_it_is_mended() {
    only_ours(|| {
        let text = "[program:db]\ncommand=./db\nstartretries=0\nautostart=false\n\
                    [program:web]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=db\nautostart=false\n";
        let mut daemon = Scene::with("vain", text).start(Subject::Ours);
        let started = daemon.ctl(&["start", "web"]);
        assert_eq!(started.stdout, "web: ERROR (waiting for db to be ready (db is FATAL))\n");
        assert_eq!(started.code, 7);
        assert_eq!(daemon.state_of("web"), "STARTING");
        assert!(daemon.log().contains("WARN cannot start: web (waiting for db to be ready (db is FATAL))"));
        daemon.write("supervisord.conf", &daemon.read("supervisord.conf").replace("./db", "sleep 1000"));
        assert_eq!(daemon.ctl(&["update"]).stdout, "db: stopped\ndb: updated process group\n");
        assert_eq!(daemon.ctl(&["start", "db"]).stdout, "db: started\n");
        daemon.wait_for_state("web", "RUNNING");
        assert_eq!(daemon.ctl(&["stop", "all"]).stdout, "web: stopped\ndb: stopped\n");
    });
}

#[test]
fn a_failed_dependency_stops_or_restarts_what_asks_for_it() {
    only_ours(|| {
        let program = |name: &str, options: &str| format!("[program:{name}]\ncommand=sleep 1000\n{options}\n");
        let dependent =
            |name: &str| program(name, &format!("depends_on=db:started\non_dependency_failure={name}\nstartsecs=0"));
        let text = program("db", "autorestart=true") + &["ignore", "stop", "restart"].map(dependent).concat();
        let mut daemon = Scene::with("failure", &text).start(Subject::Ours);
        daemon.wait_for_states(&["db", "ignore", "stop", "restart"], "RUNNING");
        let (ignoring, restarting) = (daemon.pid_of("ignore"), daemon.pid_of("restart"));
        daemon.kill_child("db");
        daemon.wait_for_state("stop", "STOPPED");
        daemon.wait_until("it is restarted", |daemon| ![0, restarting].contains(&daemon.pid_of("restart")));
        assert_eq!((daemon.state_of("ignore").as_str(), daemon.pid_of("ignore")), ("RUNNING", ignoring));
        let reason = "because db, on which it depends, ended unexpectedly";
        assert!(daemon.log().contains(&format!("WARN stopping stop, {reason}")), "{}", daemon.log());
    });
}

#[test]
fn a_file_with_unknown_names_or_a_circle_is_refused_and_changes_nothing() {
    only_ours(|| {
        let text = "[program:db]\ncommand=sleep 1000\n[program:web]\ncommand=sleep 1000\ndepends_on=db\n";
        let mut daemon = Scene::with("refused", text).start(Subject::Ours);
        daemon.wait_for_states(&["db", "web"], "RUNNING");
        let good = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &good.replace("depends_on=db", "depends_on=bd"));
        let refused = daemon.ctl(&["reread"]).stdout;
        assert!(refused.contains("[program:web] depends on unknown program bd (supervisord.conf:15"), "{refused}");
        assert!(refused.contains("did you mean db?"), "{refused}");
        daemon.write("supervisord.conf", &good.replace("[program:web]", "depends_on=web\n[program:web]"));
        let circle =
            "programs depend on each other in a circle: db (supervisord.conf:13) -> web (supervisord.conf:16) -> db";
        for verb in ["reread", "update"] {
            let refused = daemon.ctl(&[verb]).stdout;
            assert!(refused.contains(circle), "{refused}");
        }
        daemon.signal(nix::sys::signal::Signal::SIGHUP);
        daemon.wait_for_log("ERRO not restarting, because the configuration is broken: programs depend on each other");
        assert_eq!(daemon.state_of("web"), "RUNNING");
        let mut start = Scene::with("circle", &format!("{text}[program:db]\ndepends_on=web\n")).launch(Subject::Ours);
        assert_eq!(start.exit_code(), 2);
        assert!(start.stderr().contains("programs depend on each other in a circle"), "{}", start.stderr());
    });
}

/// 1,000 programs, each of which depends on some of the layer before, in ten layers.
#[test]
fn a_thousand_programs_in_a_graph_start_in_its_order() {
    const COUNT: usize = 1000;
    let mut random: u32 = 7;
    let mut next = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    // Ten layers of a hundred; each program depends on three of the layer before.
    let dependencies: Vec<Vec<usize>> = (0..COUNT)
        .map(|number| match (number / 100 * 100).checked_sub(100) {
            Some(layer) => (0..3).map(|_| layer + next(100)).collect(),
            None => Vec::new(),
        })
        .collect();
    let name = |number: &usize| format!("p{number:04}");
    let program = |(number, others): (usize, &Vec<usize>)| {
        let depends = match others.iter().map(name).collect::<Vec<_>>().join(",") {
            none if none.is_empty() => none,
            some => format!("depends_on={some}\n"),
        };
        let quiet = "stdout_logfile=NONE\nstderr_logfile=NONE";
        format!("[program:{}]\ncommand=sleep 100000\nstartsecs=0\n{quiet}\n{depends}", name(&number))
    };
    let programs: String = dependencies.iter().enumerate().map(program).collect();
    only_ours(|| {
        let text = format!("[supervisord]\nminfds=8000\nminprocs=2000\n{programs}");
        let mut daemon = Scene::with("graph", &text).start(Subject::Ours);
        daemon.wait_until("all run", |daemon| daemon.log().matches(" INFO success: ").count() == COUNT);
        let log = daemon.log();
        let lines = |before: &str, after: &str| -> HashMap<String, usize> {
            let name = |line: &str| Some(line.split_once(before)?.1.split_once(after)?.0.to_owned());
            log.lines().enumerate().filter_map(|(number, line)| Some((name(line)?, number))).collect()
        };
        let (spawned, running) = (lines(" INFO spawned: '", "'"), lines(" INFO success: ", " "));
        for (number, others) in dependencies.iter().enumerate() {
            for other in others {
                let (other, name) = (name(other), name(&number));
                assert!(running[&other] < spawned[&name], "{name} was started before {other} ran");
            }
        }
        assert_eq!(daemon.stop(), 0);
    });
}

/// The configurations in the guide can be used as they are.
#[test]
fn the_examples_of_the_guide_run() {
    only_ours(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dependencies.md");
        let guide = fs::read_to_string(path).expect("the guide exists");
        let examples: Vec<&str> = guide.split("```ini\n").skip(1).filter_map(|text| text.split("```").next()).collect();
        assert_eq!(examples.len(), 2);
        for example in examples {
            let mut daemon = Scene::with("guide", example).start(Subject::Ours);
            daemon.wait_until("everything runs", |daemon| {
                let status = daemon.ctl(&["status"]).stdout;
                let is_up =
                    |line: &str| line.contains("RUNNING") || line.starts_with("migrate") && line.contains("EXITED");
                status.lines().count() > 0 && status.lines().all(is_up)
            });
            assert_eq!(daemon.stop(), 0);
        }
    });
}

#[test]
fn an_update_stops_backwards_and_starts_forwards() {
    only_ours(|| {
        let text = "[program:app]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=db, migrate:exited_ok\n\
                    [program:db]\ncommand=sleep 1000\nstartsecs=0\n\
                    [program:migrate]\ncommand=true\nstartsecs=0\nautorestart=false\ndepends_on=db\n\
                    [program:proxy]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=app\n";
        let mut daemon = Scene::with("backwards", text).start(Subject::Ours);
        daemon.wait_for_states(&["db", "app", "proxy"], "RUNNING");
        let changed = daemon.read("supervisord.conf").replace("startsecs=0", "startsecs=0\nstopwaitsecs=9");
        daemon.write("supervisord.conf", &changed);
        let (stops, starts) = (["proxy", "app", "migrate", "db"], ["db", "migrate", "app", "proxy"]);
        let stopped = stops.map(|name| format!("{name}: stopped\n")).concat();
        let updated = starts.map(|name| format!("{name}: updated process group\n")).concat();
        assert_eq!(daemon.ctl(&["update"]).stdout, stopped + &updated);
        daemon.wait_for_states(&["db", "app", "proxy"], "RUNNING");
        assert_eq!(names(&daemon, "stopped: "), ["proxy", "app", "db"]);
        assert_eq!(names(&daemon, "spawned: ")[4..], starts);
        assert!(!daemon.log().contains("cannot start"), "{}", daemon.log());
        daemon.write(
            "supervisord.conf",
            &changed.replacen("stopwaitsecs=9\n[program:migrate]", "stopwaitsecs=8\n[program:migrate]", 1),
        );
        assert_eq!(daemon.ctl(&["update"]).stdout, "db: stopped\ndb: updated process group\n");
        let line = "INFO stopping db, on which others depend that go on: app";
        assert!(daemon.log().contains(line), "{}", daemon.log());
    });
}

#[test]
fn a_misspelt_section_is_found_behind_the_name_that_it_should_define() {
    only_ours(|| {
        let text = "[program:db]\ncommand=sleep 1000\n[program:web]\ncommand=sleep 1000\ndepends_on=db\n";
        let mut daemon = Scene::with("misspelt", text).start(Subject::Ours);
        daemon.wait_for_states(&["db", "web"], "RUNNING");
        let before = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &before.replace("[program:db]", "[prgram:db]"));
        let refused = daemon.ctl(&["update"]).transcript();
        let hint = "[program:web] depends on unknown program db";
        assert!(
            refused.contains(hint) && refused.contains("[prgram:db] is ignored: did you mean [program:db]?"),
            "{refused}"
        );
        assert_eq!(daemon.state_of("db"), "RUNNING");
        daemon.write("supervisord.conf", &before.replace("[program:web]", "[program:web]\nready_timout=20s"));
        daemon.ctl(&["update"]);
        let line = "WARN Unknown option ready_timout in section [program:web] is ignored";
        assert!(
            daemon.log().contains(line) && daemon.log().contains("did you mean ready_timeout?"),
            "{}",
            daemon.log()
        );
    });
}
