//! Whole applications: order, readiness, health, hooks and limits together, with real processes, through the death of a part of
//! them and of the daemon.

mod dependants;
mod postgresql;
mod rolling;

use std::fs;
use std::path::Path;

use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

/// The names of the processes that the activity log says were spawned, in order.
fn spawned(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| line.split_once(" INFO spawned: '")?.1.split('\'').next()).collect()
}

/// The names of the processes that the activity log says were stopped, in order.
fn stopped(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| line.split_once(" WARN stopped: ")?.1.split(' ').next()).collect()
}

/// Opens the way for those that wait for a file.
fn open(daemon: &Daemon, file: &str) {
    daemon.write(file, "");
}

fn close(daemon: &Daemon, file: &str) {
    fs::remove_file(daemon.path(file)).expect("it is open");
}

#[test]
fn the_example_does_what_it_says() {
    only_ours(|| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webapp/supervisord.conf");
        let text = fs::read_to_string(example).expect("an example");
        let text = text.replace("8088", "{port}").replace("8089", "{port2}");
        let mut daemon = Scene::new("example").file("run/.keep", "").config(&text).launch(Subject::Ours);
        let log = |daemon: &Daemon| daemon.read("run/supervisord.log");
        daemon.wait_until("the proxy waits", |daemon| log(daemon).contains("not yet started: proxy"));
        let waits = daemon.ctl(&["status"]).stdout;
        assert!(waits.contains("waiting for migrate to exit successfully, db to be ready\n"), "{waits}");
        let why = daemon.ctl(&["why", "proxy"]).stdout;
        assert!(why.contains("has not said that it is ready (tcp:127.0.0.1:"), "{why}");
        let waited = daemon.ctl(&["wait", "proxy", "--for", "healthy", "--timeout", "2min"]);
        assert_eq!(waited.code, 0, "{waited:?}\n{}", log(&daemon));
        let up = log(&daemon);
        let mut order = spawned(&up);
        order[2..6].sort_unstable();
        assert_eq!(order, ["db", "migrate", "worker_0", "worker_1", "worker_2", "worker_3", "proxy"], "{up}");
        let wide = daemon.ctl(&["status", "--wide"]).stdout;
        assert!(wide.lines().any(|line| line.starts_with("proxy ") && line.contains("  healthy ")), "{wide}");
        assert!(daemon.read("run/proxy.log").contains("schema 1 is there\n"));

        let pid = |daemon: &Daemon, name: &str| daemon.ctl(&["pid", name]).stdout.trim().parse::<i32>().unwrap_or(0);
        let proxy = pid(&daemon, "proxy");
        let restarted = ["db", "worker:worker_0", "worker:worker_1", "worker:worker_2", "worker:worker_3"]
            .map(|name| (name, pid(&daemon, name)));
        processes::signal(restarted[0].1, nix::sys::signal::Signal::SIGKILL);
        let again = "restarting worker:worker_3, because db, on which it depends, ended unexpectedly";
        daemon.wait_until("the workers are stopped", |daemon| log(daemon).contains(again));
        daemon.crash();
        daemon.launch_again();
        // The line about what was spawned just before the daemon was killed may be lost.
        daemon.wait_until("everything has been started again", |daemon| {
            restarted.iter().all(|(name, before)| ![0, *before].contains(&pid(daemon, name)))
        });
        assert_eq!(pid(&daemon, "proxy"), proxy, "it goes on");
        assert_eq!(daemon.ctl(&["wait", "worker:*", "--timeout", "2min"]).code, 0);

        assert_eq!(daemon.ctl(&["shutdown"]).stdout, "Shut down\n");
        assert_eq!(daemon.exit_code(), 0);
        let text = log(&daemon);
        let down = stopped(&text);
        let down = &down[down.len() - 6..];
        assert_eq!((down[0], down[5]), ("proxy", "db"), "{text}");
        let balancer = daemon.read("run/balancer");
        let told: Vec<&str> = balancer.lines().filter_map(|line| Some(line.split_once(" proxy ")?.1)).collect();
        assert_eq!(told, ["joins", "leaves", "has ended: stopped"]);
    });
}

/// A database that listens when it may, a migration that takes as long as it must, workers and a proxy.
const APP: &str = "[program:proxy]\ncommand=./serve proxy http.sock\ndepends_on=worker:*\n\
    ready_when=http://unix:{dir}/http.sock:/\nhealthcheck=http://unix:{dir}/http.sock:/\nhealthcheck_interval=1s\n\
    post_start=sh -c 'echo up >> hooks'\npost_stop=sh -c 'echo down >> hooks'\n\
    [program:worker]\ncommand=./work\nready_when=fd:3\nprocess_name=worker_%(process_num)d\nnumprocs=4\n\
    depends_on=migrate:exited_ok, db\n\
    [program:migrate]\ncommand=sh -c 'echo $$ >> migrations; until test -e go-migrate; do sleep 0.02; done'\nstartsecs=0\n\
    autorestart=false\ndepends_on=db\n\
    [program:db]\ncommand=./serve db db.sock\nready_when=unix:{dir}/db.sock\n";

/// Answers every connection on a unix socket, which it opens when there is a file.
const SERVE: &str = "#!/usr/bin/env python3\nimport os, socket, sys, time\n\
    while not os.path.exists('go-' + sys.argv[1]):\n    time.sleep(0.02)\n\
    server = socket.socket(socket.AF_UNIX)\nserver.bind(sys.argv[2])\nserver.listen(64)\n\
    while True:\n    peer = server.accept()[0]\n\
    \x20   try:\n        peer.recv(4096)\n        peer.sendall(b'HTTP/1.1 204 No Content\\r\\n\\r\\n')\n\
    \x20   except OSError:\n        pass\n    peer.close()\n";

const WORK: &str = "#!/bin/sh\nuntil test -e go-worker; do sleep 0.02; done\necho >&3\nexec 3>&-\nexec sleep 1000000\n";

/// The daemon is killed and upgraded while each of the parts gets ready.
#[test]
fn an_application_comes_up_in_order_though_the_daemon_is_killed_at_every_step() {
    only_ours(|| {
        let scene = Scene::with("webapp", APP).script("serve", SERVE).script("work", WORK).env("PWD", "{dir}");
        let mut daemon = scene.start(Subject::Ours);
        let steps =
            [("db", "db", 1), ("migrate", "migrate", 2), ("worker:worker_2", "worker", 6), ("proxy", "proxy", 7)];
        for (name, gate, so_far) in steps {
            daemon.wait_until(&format!("{name} has been started"), |daemon| {
                daemon.pid_of(name) != 0 && spawned(&daemon.log()).len() == so_far
            });
            let pid = daemon.pid_of(name);
            daemon.crash();
            daemon.start_again();
            assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
            assert_eq!(spawned(&daemon.log()).len(), so_far, "{}", daemon.report());
            assert_eq!(daemon.pid_of(name), pid, "{}", daemon.report());
            if gate == "proxy" {
                assert_eq!(daemon.read("hooks"), "", "it is not up");
            }
            // Half of them become ready while no daemon is there.
            if so_far % 2 == 0 {
                daemon.crash();
                open(&daemon, &format!("go-{gate}"));
                daemon.start_again();
            } else {
                open(&daemon, &format!("go-{gate}"));
            }
        }
        assert_eq!(daemon.ctl(&["wait", "proxy", "--for", "healthy", "--timeout", "2min"]).code, 0);
        daemon.wait_until("the balancer knows", |daemon| daemon.read("hooks") == "up\n");
        let log = daemon.log();
        let mut order = spawned(&log);
        order[2..6].sort_unstable();
        assert_eq!(order, ["db", "migrate", "worker_0", "worker_1", "worker_2", "worker_3", "proxy"], "{log}");
        assert_eq!(daemon.read("migrations").lines().count(), 1);

        daemon.crash();
        daemon.start_again();
        assert_eq!(daemon.stop(), 0);
        let log = daemon.log();
        let mut down = stopped(&log);
        down[1..5].sort_unstable();
        assert_eq!(down, ["proxy", "worker_0", "worker_1", "worker_2", "worker_3", "db"], "{log}");
        assert_eq!(daemon.read("hooks"), "up\ndown\n", "{}", daemon.report());
    });
}
