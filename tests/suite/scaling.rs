//! Programs that are given another number of processes while they run. The original restarts their groups for that.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

const WORKERS: &str = "[program:web]\ncommand=sleep 1000\nprocess_name=web_%(process_num)d\nnumprocs=3\nstartsecs=0\n\
    [program:db]\ncommand=sleep 1000\nstartsecs=0\n\
    [group:shop]\nprograms=cart,till\n[program:cart]\ncommand=sleep 1000\nstartsecs=0\n[program:till]\ncommand=sleep 1000\nstartsecs=0\n";

fn start(name: &str, more: &str) -> Daemon {
    let scene = Scene::with(name, &format!("{WORKERS}{more}")).file("conf.d/.keep", "");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_for_states(&["web:web_0", "web:web_1", "web:web_2", "db", "shop:till"], "RUNNING");
    daemon
}

fn rewrite(daemon: &Daemon, from: &str, to: &str) {
    let text = daemon.read("supervisord.conf");
    assert!(text.contains(from), "{text}");
    daemon.write("supervisord.conf", &text.replace(from, to));
}

/// The names and process ids of the workers.
fn workers(daemon: &Daemon) -> Vec<(String, i64)> {
    let answer: Value = serde_json::from_str(&daemon.ctl(&["status", "--json"]).stdout).expect("JSON");
    let programs = answer["programs"].as_array().expect("a list").clone();
    let of_web = programs.into_iter().filter(|program| program["group"] == "web");
    of_web
        .map(|program| (program["name"].as_str().unwrap_or("").to_owned(), program["pid"].as_i64().unwrap_or(0)))
        .collect()
}

#[test]
fn only_the_difference_starts_or_stops_the_highest_numbers_first() {
    only_ours(|| {
        let mut daemon = start("scale", "");
        let before = workers(&daemon);
        let said = daemon.ctl(&["scale", "web=5"]);
        assert_eq!((said.stdout.as_str(), said.code), ("web:web_3: added process\nweb:web_4: added process\n", 0));
        daemon.wait_for_states(&["web:web_3", "web:web_4"], "RUNNING");
        assert_eq!(workers(&daemon)[..3], before[..], "they go on");
        assert_eq!(daemon.ctl(&["scale", "web=5"]).stdout, "web: numprocs is 5 already\n");
        let plan = daemon.ctl(&["update", "--plan"]).stdout;
        let kept = "program:web: scaled to 5; an update keeps that until numprocs=3 changes in the file\n";
        assert!(plan.starts_with(kept), "{plan}");
        daemon.ctl(&["update"]);
        assert_eq!(workers(&daemon).len(), 5, "an update keeps it");
        assert_eq!(daemon.ctl(&["reread"]).stdout, "No config updates to processes\n");
        let said = daemon.ctl(&["scale", "web=2"]).stdout;
        assert_eq!(said.lines().count(), 3, "{said}");
        assert_eq!(workers(&daemon), before[..2], "the highest have gone");
        rewrite(&daemon, "numprocs=3", "numprocs=4");
        let plan = daemon.ctl(&["update", "--plan", "--minimal"]).stdout;
        assert!(plan.contains("web:web_3: add and start\n") && !plan.contains("scaled"), "{plan}");
        daemon.ctl(&["update", "--minimal"]);
        assert_eq!(workers(&daemon).len(), 4, "the file counts again");
        assert_eq!(workers(&daemon)[..2], before[..2]);
        daemon.ctl(&["scale", "web=0"]);
        assert!(workers(&daemon).is_empty());
        daemon.ctl(&["scale", "web=1"]);
        daemon.wait_for_state("web:web_0", "RUNNING");
        daemon.ctl(&["reload"]);
        daemon.wait_until("the number of the file counts after a restart", |daemon| {
            daemon
                .rpc_if_up("supervisor.getProcessInfo", &["web:web_3".into()])
                .is_some_and(|info| info.get("statename").text() == "RUNNING")
        });
    });
}

#[test]
fn a_number_with_a_sign_is_a_change_of_the_present_one() {
    only_ours(|| {
        let mut daemon = start("scale-changes", "[include]\nfiles=conf.d/*.conf\n");
        assert_eq!(daemon.ctl(&["scale", "web=+2"]).stdout, "web:web_3: added process\nweb:web_4: added process\n");
        assert_eq!(daemon.ctl(&["scale", "web:web_0=-1"]).stdout, "web:web_4: removed process\n");
        assert_eq!(daemon.ctl(&["scale", "web=+0"]).stdout, "web: nothing to change\n");
        assert_eq!(workers(&daemon).len(), 4);
        // All of those count that come at the same time.
        let (daemon_ref, askers) = (&daemon, 8);
        std::thread::scope(|scope| {
            for _ in 0..askers {
                scope.spawn(|| assert_eq!(daemon_ref.ctl(&["scale", "web=+1"]).code, 0));
            }
        });
        assert_eq!(workers(&daemon).len(), 4 + askers);
        assert_eq!(daemon.ctl(&["scale", "--persist", "web=-7"]).code, 0);
        assert!(daemon.read("conf.d/zz-scale-web.conf").ends_with("\nnumprocs=5\n"));
        daemon.wait_for_states(&["web:web_4"], "RUNNING");
        assert_eq!(workers(&daemon).len(), 5);
    });
}

#[test]
fn a_scale_survives_kill_9_and_an_upgrade() {
    only_ours(|| {
        let mut daemon = start("scale-survives", "");
        for number in ["5", "2", "4"] {
            assert_eq!(daemon.ctl(&["scale", &format!("web={number}")]).code, 0);
            let before = workers(&daemon);
            daemon.crash();
            daemon.start_again();
            assert_eq!(workers(&daemon), before, "after kill -9 with {number}");
            assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
            assert_eq!(workers(&daemon), before, "after an upgrade with {number}");
            let plan = daemon.ctl(&["update", "--plan"]).stdout;
            assert!(plan.starts_with(&format!("program:web: scaled to {number};")), "{plan}");
        }
        assert_eq!(daemon.ctl(&["scale", "web=3"]).code, 0);
        let before = workers(&daemon);
        daemon.crash();
        daemon.start_again();
        assert_eq!(workers(&daemon), before, "as it is written");
    });
}

#[test]
fn what_cannot_be_scaled_says_why_and_changes_nothing() {
    only_ours(|| {
        let daemon = start("scale-refused", "");
        let before = workers(&daemon);
        for (word, part) in [
            ("db=2", "%(process_num) must be present within process_name when numprocs > 1"),
            ("nobody=2", "nothing is named nobody"),
            ("shop=2", "shop stands for several programs: name one of cart, till"),
            ("web=-4", "[program:web] has 3 processes, which cannot be changed by -4"),
            ("web=+100000", "write a change from -3 to +99997"),
            ("web=100001", "write a number from 0 to 100000"),
            ("web=90000", "raise minfds in [supervisord]"),
            ("web=many", "is no NAME=NUMBER"),
            ("web", "is no NAME=NUMBER"),
            ("web+4", "did you mean web=+4?"),
        ] {
            let said = daemon.ctl(&["scale", word]);
            assert!(said.code == 1 && said.stdout.contains(part), "{word}: {}", said.stdout);
        }
        let said = daemon.ctl(&["scale", "web", "+4"]);
        assert!(said.code == 1 && said.stdout.contains("did you mean web=+4?"), "{}", said.stdout);
        let said = daemon.ctl(&["scale", "--persist", "web=4"]);
        assert!(
            said.code == 1 && said.stdout.contains("write for example files=%(here)s/conf.d/*.conf"),
            "{}",
            said.stdout
        );
        rewrite(&daemon, "command=sleep 1000\nprocess_name", "command=sleep 2000\nprocess_name");
        let said = daemon.ctl(&["scale", "web=4"]);
        assert!(
            said.code == 1 && said.stdout.contains("(command differs): run supervisorctl update first"),
            "{}",
            said.stdout
        );
        rewrite(&daemon, "[program:db]", "[program:other]\ncommand=sleep 1\n[program:db]");
        rewrite(&daemon, "command=sleep 2000", "command=sleep 1000");
        assert_eq!(workers(&daemon), before);
        assert_eq!(daemon.ctl(&["scale", "web=4"]).stdout, "web:web_3: added process\n");
        assert!(
            daemon.ctl(&["reread"]).stdout.contains("other: available"),
            "what else has changed is left to an update"
        );
    });
}

#[test]
fn an_operator_scales_what_is_theirs_and_learns_nothing_else_of_the_file() {
    only_ours(|| {
        let users = format!("[user:ann]\nuid={}\nrole=operator\nprograms=web:*\n", nix::unistd::getuid());
        let mut daemon = Scene::with("scale-roles", &format!("{WORKERS}{users}")).start(Subject::Ours);
        daemon.wait_until("it runs", |daemon| daemon.log().contains("success: web_2 entered RUNNING"));
        assert_eq!(daemon.ctl(&["scale", "web=4"]).stdout, "web:web_3: added process\n");
        let said = daemon.ctl(&["scale", "db=1"]);
        assert!(said.code == 1 && said.stdout.contains("nothing is named db"), "{}", said.stdout);
        let said = daemon.ctl(&["scale", "--persist", "web=5"]);
        assert!(said.code == 1 && said.stdout.contains("may not administer"), "{}", said.stdout);
        rewrite(&daemon, "[program:db]", "[program:db]\nstopwaitsecs=private");
        let said = daemon.ctl(&["scale", "web=5"]);
        assert!(said.code == 1 && !said.stdout.contains("private"), "{}", said.stdout);
        assert!(said.stdout.contains("supervisorctl reread tells administrators why"), "{}", said.stdout);
    });
}

#[test]
fn a_scale_is_written_into_a_file_that_is_included() {
    only_ours(|| {
        let mut daemon = start("scale-persist", "[include]\nfiles=conf.d/*.conf\n");
        assert_eq!(daemon.ctl(&["scale", "--persist", "web=4"]).stdout, "web:web_3: added process\n");
        let text = daemon.read("conf.d/zz-scale-web.conf");
        assert!(text.starts_with("; Written by ") && text.ends_with("\n[program:web]\nnumprocs=4\n"), "{text}");
        assert_eq!(daemon.ctl(&["update", "--plan"]).stdout, "No config updates to processes\n");
        assert_eq!(daemon.stop(), 0);
        daemon.start_again();
        daemon.wait_for_state("web:web_3", "RUNNING");
        assert_eq!(daemon.ctl(&["scale", "--persist", "web=2"]).code, 0);
        assert_eq!(workers(&daemon).len(), 2);
        // What somebody has added is not lost, whether or not it has been taken over.
        let edited = format!("{}startsecs=3\n", daemon.read("conf.d/zz-scale-web.conf"));
        daemon.write("conf.d/zz-scale-web.conf", &edited);
        for _ in 0..2 {
            let said = daemon.ctl(&["scale", "--persist", "web=3"]);
            assert!(
                said.code == 1 && said.stdout.contains("has been edited by hand: startsecs in line 4 would be lost"),
                "{}",
                said.stdout
            );
            assert_eq!((daemon.read("conf.d/zz-scale-web.conf"), workers(&daemon).len()), (edited.clone(), 2));
            assert_eq!(daemon.ctl(&["update", "--minimal"]).code, 0);
        }
        daemon.write("conf.d/zz-scale-web.conf", edited.trim_end_matches("startsecs=3\n"));
        assert_eq!(daemon.ctl(&["update", "--minimal"]).code, 0);
        // A file behind it says another number.
        daemon.write("conf.d/zzz.conf", "[program:web]\nnumprocs=2\n");
        let said = daemon.ctl(&["scale", "--persist", "web=3"]);
        assert!(said.code == 1 && said.stdout.contains("stands in a file that is read behind "), "{}", said.stdout);
        assert!(daemon.read("conf.d/zz-scale-web.conf").ends_with("numprocs=2\n"), "nothing has changed");
        let said = daemon.ctl(&["scale", "--persist", "db=2"]);
        assert!(said.code == 1 && !daemon.path("conf.d/zz-scale-db.conf").exists(), "{}", said.stdout);
        daemon.write("conf.d/zz-scale-web.conf", "[program:web]\nnumprocs=2\n");
        let said = daemon.ctl(&["scale", "--persist", "web=3"]);
        assert!(said.code == 1 && said.stdout.contains("was not written by the daemon"), "{}", said.stdout);
    });
}

#[test]
fn an_end_forgets_the_scale_even_if_the_daemon_is_killed_in_the_middle() {
    only_ours(|| {
        let more = "[program:stubborn]\ncommand=sh -c 'trap \"\" TERM; while :; do sleep 1; done'\nstartsecs=0\nstopwaitsecs=600\n";
        let mut daemon = start("scale-end", more);
        let stubborn = daemon.pid_of("stubborn");
        let configured = workers(&daemon).len();
        assert_eq!(daemon.ctl(&["scale", &format!("web={}", configured + 1)]).code, 0);
        daemon.signal(Signal::SIGTERM);
        daemon.wait_until("it ends", |daemon| daemon.log().contains("stubborn to die"));
        daemon.crash();
        processes::signal(stubborn, Signal::SIGKILL);
        // The next one begins afresh, and is killed as well.
        for _ in 0..2 {
            daemon.start_again();
            daemon.wait_until("as many run as the file says", |daemon| {
                let workers = workers(daemon);
                workers.len() == configured && workers.iter().all(|(_, pid)| *pid > 0)
            });
            daemon.crash();
        }
        daemon.start_again();
    });
}
