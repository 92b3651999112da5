//! A database dies under many programs that depend on it.

use super::{close, open};
use crate::harness::{Daemon, Scene, Subject, only_ours};

const COUNT: usize = 200;
const AT_ONCE: usize = 5;

/// The database is ready when it may be. Whoever depends on it notes down when its start begins, and just before its end.
fn scene() -> Scene {
    let text = format!(
        "[supervisord]\nminfds=4000\nmax_parallel_starts={AT_ONCE}\n\
         [program:db]\ncommand=./db\nready_when=fd:3\nstartretries=1000\nrestart_backoff=fixed\nrestart_delay=100ms\n\
         [program:web]\ncommand=./web\nready_when=fd:3\nprocess_name=web_%(process_num)03d\nnumprocs={COUNT}\n\
         depends_on=db\non_dependency_failure=restart\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    );
    Scene::with("dependants", &text)
        .script("db", "#!/bin/sh\nuntil test -e go-db; do sleep 0.02; done\necho >&3\nexec 3>&-\nexec sleep 1000000\n")
        .script(
            "web",
            "#!/bin/sh\nread lives < lives\n\
             echo \"begun $lives $SUPERVISOR_PROCESS_NAME\" >> starts\nsleep 0.01\n\
             echo \"ready $lives $SUPERVISOR_PROCESS_NAME\" >> starts\n\
             echo >&3\nexec 3>&-\nexec sleep 1000000\n",
        )
        .file("starts", "")
        .file("lives", "1\n")
        .env("PWD", "{dir}")
}

/// How many of those that depend on the database are in a state.
fn count(daemon: &Daemon, state: &str) -> usize {
    let listed = daemon.call("supervisor.getAllProcessInfo", &[]);
    let is_one = |name: &str| name.starts_with("web_");
    listed.items().iter().filter(|row| is_one(row.get("name").text()) && row.get("statename").text() == state).count()
}

/// Every one has been started once in this life, and never more at a time than may be.
fn assert_starts(daemon: &Daemon, life: &str) {
    let text = daemon.read("starts");
    let (mut names, mut starting, mut most) = (Vec::new(), 0_usize, 0);
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (words[0], words[1] == life) {
            ("begun", true) => {
                names.push(words[2].to_owned());
                starting += 1;
                most = most.max(starting);
            }
            ("ready", true) => starting -= 1,
            _ => (),
        }
    }
    names.sort_unstable();
    let expected: Vec<String> = (0..COUNT).map(|number| format!("web_{number:03}")).collect();
    assert_eq!(names, expected, "life {life}: each once\n{}", daemon.report());
    assert!(most <= AT_ONCE, "life {life}: {most} at once\n{}", daemon.report());
}

#[test]
fn two_hundred_programs_come_back_with_their_database_without_a_storm() {
    only_ours(|| {
        let mut daemon = scene().start(Subject::Ours);
        daemon.wait_for_log("not yet started: web_199 (waiting for db to be ready)");
        open(&daemon, "go-db");
        daemon.wait_until("all run", |daemon| count(daemon, "RUNNING") == COUNT);
        assert_starts(&daemon, "1");

        // The database dies, and does not come back for a while, whatever is done.
        close(&daemon, "go-db");
        daemon.write("lives", "2\n");
        daemon.kill_child("db");
        daemon.wait_until("all wait", |daemon| count(daemon, "STARTING") == COUNT);
        for _ in 0..3 {
            daemon.wait_until("it tries again", |daemon| daemon.pid_of("db") != 0);
            let pid = daemon.kill_child("db");
            daemon.wait_until("it has noticed", |daemon| daemon.pid_of("db") != pid);
        }
        daemon.crash();
        daemon.start_again();
        let description = daemon.info("web:web_100").get("description").text().to_owned();
        assert_eq!(description, "waiting for db to be ready", "{}", daemon.report());
        assert_eq!(count(&daemon, "STARTING"), COUNT, "nobody has given up\n{}", daemon.report());
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");

        // It comes back, and the daemon is killed while they follow.
        open(&daemon, "go-db");
        daemon.wait_until("some are back", |daemon| count(daemon, "RUNNING") >= COUNT / 4);
        daemon.crash();
        daemon.start_again();
        daemon.wait_until("all are back", |daemon| count(daemon, "RUNNING") == COUNT);
        assert_starts(&daemon, "2");
        let log = daemon.log();
        assert!(!log.contains("FATAL"), "{log}");
        assert_eq!(daemon.stop(), 0);
    });
}
