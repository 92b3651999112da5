//! A database dies under the programs that depend on it.

use std::process::{Child, Command, Stdio};

use super::{close, open};
use crate::harness::{Daemon, Scene, Subject, needs, only_ours, processes, wait};

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

/// The database, those that depend on it, and one that depends on one of these.
const CHAIN: [&str; 5] = ["db", "a", "b", "c", "after-a"];

/// So many writes come until all has been noted that follows from the failure. Later ones are about the starts that follow.
const MOMENTS: usize = 2 * CHAIN.len();

/// Kills the daemon at the end of its next write but so many to the state in memory.
fn kill_at_write(daemon: &mut Daemon, number: usize) -> Child {
    let pid = daemon.pid();
    let mut command = Command::new(needs::program("strace"));
    command.args(["-q", "-o", "/dev/null", "-e", "trace=pwrite64", "-p", &pid.to_string()]);
    command.args(["-e", &format!("inject=pwrite64:signal=KILL:when={number}")]);
    let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let strace = strace.expect("strace can be executed");
    daemon.wait_until("it is traced", |_| processes::status(pid, "TracerPid") == Some(u64::from(strace.id())));
    strace
}

/// The process ids of all that run.
fn running(daemon: &Daemon) -> Vec<i64> {
    let listed = daemon.rpc_if_up("supervisor.getAllProcessInfo", &[]);
    let listed = listed.iter().flat_map(|listed| listed.items());
    listed.filter(|row| row.get("statename").text() == "RUNNING").map(|row| row.get("pid").int()).collect()
}

#[test]
fn a_daemon_killed_at_any_moment_of_a_failure_forgets_nobody_who_depends_on_what_failed() {
    only_ours(|| {
        let program = |name: &str, more: &str| {
            format!("[program:{name}]\ncommand=sleep 1000000\nstartsecs=0\non_dependency_failure=restart\n{more}")
        };
        // A hook is the first that is run, and noted, after the failure.
        let text = program("db", "pre_start=true\n")
            + &["a", "b", "c"].map(|name| program(name, "depends_on=db\n")).concat()
            + &program("after-a", "depends_on=a\n");
        let mut daemon = Scene::with("moments", &text).start(Subject::Ours);
        for number in 1..=MOMENTS {
            daemon.wait_until("all run", |daemon| running(daemon).len() == CHAIN.len());
            let before = running(&daemon);
            let are_new = |now: &[i64]| now.len() == CHAIN.len() && now.iter().all(|pid| !before.contains(pid));
            let mut strace = kill_at_write(&mut daemon, number);
            daemon.kill_child("db");
            let is_killed = wait::poll(wait::DEADLINE, || (!daemon.is_running()).then_some(()));
            assert!(is_killed.is_some(), "there was no write {number}: {}", daemon.report());
            strace.wait().expect("it is a child");
            daemon.start_again();
            daemon.wait_until(&format!("all are restarted that depend on it, write {number}"), |daemon| {
                are_new(&running(daemon))
            });
        }
        assert_eq!(daemon.stop(), 0);
    });
}
