//! Programs whose health is checked. The original knows only whether they are alive.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Daemon, Scene, Subject, http, needs, only_ours, processes};

/// The options these tests are about.
pub const PINNED: &[&str] = &[
    "program healthcheck",
    "program healthcheck_interval",
    "program healthcheck_timeout",
    "program healthcheck_retries",
    "program healthcheck_start_period",
    "program healthcheck_start_interval",
    "program watchdog",
    "program on_unhealthy",
];

/// Serves HTTP on a unix socket in the way that the file `mode` says; `hup` is written at SIGHUP.
const SERVER: &str = r#"#!/usr/bin/env python3
import os, signal, socket, socketserver, struct, sys, time

def hang_up(*_):
    open("hup", "a").write("x")

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        mode = open("mode").read().strip()
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += self.request.recv(4096)
        open("requests", "a").write("x")
        if mode == "hang":
            time.sleep(1000)
        elif mode == "mail":
            self.request.sendall(b"220 mail.example ESMTP\r\n")
        elif mode == "silent":
            pass
        elif mode == "endless":
            self.request.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.request.sendall(b"X-More: yes\r\n")
        else:
            self.request.sendall(("HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % mode).encode())

    def finish(self):
        self.request.close()

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    def handle_error(self, *_):
        pass

signal.signal(signal.SIGHUP, hang_up)
name = sys.argv[1]
if os.path.exists(name):
    os.unlink(name)
Server(name, Handler).serve_forever()
"#;

/// The least intervals, so that tests need not wait.
const QUICK: &str = "healthcheck_interval=1s\nhealthcheck_start_period=1min\nhealthcheck_start_interval=1s\n";

/// A scene with the server as the program `web`, and other sections.
fn scene(options: &str, others: &str) -> Scene {
    let web = "command=./server w.sock\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
               healthcheck=http://unix:{dir}/w.sock:/health\n";
    Scene::with("health", &format!("[program:web]\n{web}{QUICK}{options}\n{others}"))
        .script("server", SERVER)
        .file("mode", "200 OK")
        .file("requests", "")
        .env("PWD", "{dir}")
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let response = http::request(&mut *stream, "GET", path, &["Host: h"], b"").expect("an answer");
    serde_json::from_slice(&response.body).expect("JSON")
}

/// What the JSON API says about the health of a program.
fn health(daemon: &Daemon, name: &str) -> Value {
    get(daemon, &format!("/api/v1/programs/{name}/{name}"))["health"].clone()
}

fn wait_for_health(daemon: &mut Daemon, name: &str, status: &str) {
    daemon.wait_until(&format!("{name} is {status}"), |daemon| health(daemon, name)["status"] == status);
}

/// How often a text is in the activity log.
fn times(daemon: &Daemon, text: &str) -> usize {
    daemon.log().matches(text).count()
}

#[test]
fn servers_that_misbehave_in_any_way_are_unhealthy() {
    only_ours(|| {
        let mut daemon = scene("healthcheck_retries=2\nhealthcheck_timeout=1s", "").start(Subject::Ours);
        wait_for_health(&mut daemon, "web", "healthy");
        assert!(daemon.log().contains("INFO healthy: web is healthy\n"), "{}", daemon.log());
        assert_eq!(health(&daemon, "web")["last_result"], "ok");
        for (mode, reason) in [
            ("503 Busy", "HTTP status 503"),
            ("hang", "no answer within 1s"),
            ("mail", "the answer is no HTTP/1 response"),
            ("silent", "the connection was closed without an answer"),
            ("endless", "the head of the answer is longer than 16 KiB"),
        ] {
            daemon.write("mode", mode);
            wait_for_health(&mut daemon, "web", "unhealthy");
            let line = format!("WARN unhealthy: web ({reason} (2 failures in a row))\n");
            assert!(daemon.log().contains(&line), "{mode}: {}", daemon.log());
            let told = health(&daemon, "web");
            assert_eq!(told["last_result"], reason);
            assert!(told["failures"].as_u64() >= Some(2) && told["last_check_at"].is_number(), "{told}");
            assert_eq!(daemon.state_of("web"), "RUNNING", "nothing follows");
            daemon.write("mode", "302 Found");
            wait_for_health(&mut daemon, "web", "healthy");
        }
        assert_eq!((times(&daemon, "WARN unhealthy: "), times(&daemon, "is healthy again\n")), (5, 5));
        assert!(daemon.ctl(&["status", "web"]).stdout.contains("RUNNING   pid "), "as it was");
    });
}

#[test]
fn changes_of_health_are_events() {
    only_ours(|| {
        let daemon = scene("healthcheck_retries=1", "").start(Subject::Ours);
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: h\r\nLast-Event-ID: none\r\n\r\n").expect("it is sent");
        http::head(&mut *stream).expect("a stream");
        let mut text = String::new();
        let mut read_until = |wanted: &str| {
            while !text.contains(wanted) {
                let chunk = http::chunk(&mut *stream).expect("a piece").expect("it goes on");
                text.push_str(&String::from_utf8(chunk).expect("text"));
            }
        };
        read_until("event: process_health\n");
        read_until("\"name\":\"web\",\"from\":\"starting\",\"health\":\"healthy\"}");
        daemon.write("mode", "500 No");
        read_until("\"from\":\"healthy\",\"health\":\"unhealthy\",\"reason\":\"HTTP status 500\"}");
    });
}

#[test]
fn an_unhealthy_program_is_restarted_though_autorestart_is_false() {
    only_ours(|| {
        let options = "on_unhealthy=restart\nhealthcheck_retries=1\nautorestart=false\nrestart_delay=300ms";
        let mut daemon = scene(options, "").start(Subject::Ours);
        wait_for_health(&mut daemon, "web", "healthy");
        let pid = daemon.pid_of("web");
        daemon.write("mode", "500 No");
        daemon.wait_for_log("WARN restarting web, because it is unhealthy\n");
        daemon.write("mode", "200 OK");
        daemon.wait_until("another one runs", |daemon| {
            daemon.state_of("web") == "RUNNING" && daemon.pid_of("web") != pid
        });
        wait_for_health(&mut daemon, "web", "healthy");
        daemon.wait_for_log("delayed: web is started again in 0.3s after a failure");
        assert_eq!(get(&daemon, "/api/v1/programs/web/web")["restarts"], 1);
    });
}

#[test]
fn an_unhealthy_program_gets_a_signal_or_is_stopped() {
    only_ours(|| {
        let mut daemon = scene("on_unhealthy=signal:HUP\nhealthcheck_retries=1", "").start(Subject::Ours);
        wait_for_health(&mut daemon, "web", "healthy");
        daemon.write("mode", "500 No");
        daemon.wait_for_file("hup");
        daemon.write("mode", "200 OK");
        wait_for_health(&mut daemon, "web", "healthy");
        assert_eq!(daemon.read("hup"), "x", "one signal for each change");
        let mut daemon = scene("on_unhealthy=stop\nhealthcheck_retries=1", "").start(Subject::Ours);
        wait_for_health(&mut daemon, "web", "healthy");
        daemon.write("mode", "500 No");
        daemon.wait_for_state("web", "STOPPED");
        assert_eq!(health(&daemon, "web"), Value::Null);
    });
}

#[test]
fn who_depends_on_the_health_of_a_program_waits_for_it_and_may_be_restarted() {
    only_ours(|| {
        let worker = "[program:worker]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=web:healthy\n\
                      on_dependency_failure=restart\n";
        let scene = scene("healthcheck_retries=1", worker).file("mode", "503 Busy");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_until("it has been checked", |daemon| health(daemon, "web")["last_result"] == "HTTP status 503");
        let status = daemon.ctl(&["status", "worker"]).stdout;
        assert!(status.contains("STARTING  waiting for web to be healthy\n"), "{status}");
        daemon.write("mode", "200 OK");
        daemon.wait_for_state("worker", "RUNNING");
        let pid = daemon.pid_of("worker");
        daemon.write("mode", "503 Busy");
        daemon.wait_for_log("WARN restarting worker, because web, on which it depends, is unhealthy\n");
        daemon.wait_for_log("WARN cannot start: worker (waiting for web to be healthy (web is unhealthy))\n");
        daemon.write("mode", "200 OK");
        daemon.wait_until("it runs again", |daemon| {
            daemon.state_of("worker") == "RUNNING" && daemon.pid_of("worker") != pid
        });
    });
}

/// The failures before count in the next daemon.
#[test]
fn counting_goes_on_after_kill_9_and_an_upgrade() {
    only_ours(|| {
        let mut daemon = scene("healthcheck_retries=6", "").start(Subject::Ours);
        wait_for_health(&mut daemon, "web", "healthy");
        let failures = |daemon: &Daemon| health(daemon, "web")["failures"].as_u64().unwrap_or(0);
        daemon.write("mode", "503 Busy");
        daemon.wait_until("two checks have failed", |daemon| failures(daemon) >= 2);
        let before = failures(&daemon);
        daemon.crash();
        daemon.start_again();
        assert!(failures(&daemon) >= before, "{}", health(&daemon, "web"));
        daemon.wait_until("another check has failed", |daemon| failures(daemon) > before);
        let before = failures(&daemon);
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert!(failures(&daemon) >= before, "{}", health(&daemon, "web"));
        wait_for_health(&mut daemon, "web", "unhealthy");
        daemon.crash();
        daemon.start_again();
        assert_eq!(health(&daemon, "web")["status"], "unhealthy", "it stays unhealthy");
        assert_eq!(times(&daemon, "WARN unhealthy: web (HTTP status 503 (6 failures in a row))"), 1);
        daemon.write("mode", "200 OK");
        wait_for_health(&mut daemon, "web", "healthy");
        assert_eq!(times(&daemon, "is healthy again\n"), 1);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A check that hangs when the daemon is killed or replaced is made again by the next one.
#[test]
fn a_check_under_way_is_made_again_by_the_next_daemon() {
    only_ours(|| {
        // Others are checked meanwhile.
        let other = "[program:other]\ncommand=sleep 1000\nstartsecs=0\nhealthcheck=exec:sh -c 'echo x >> {dir}/others'\n\
                     healthcheck_interval=1s\n";
        let mut daemon = scene("healthcheck_timeout=1h", other).file("mode", "hang").start(Subject::Ours);
        let requests = |daemon: &Daemon| daemon.read("requests").len();
        for number in 1..=3 {
            daemon.wait_until("a check hangs", |daemon| requests(daemon) == number);
            match number {
                1 => {
                    daemon.crash();
                    daemon.start_again();
                }
                2 => assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n"),
                _ => {}
            }
        }
        let others = daemon.read("others").lines().count();
        daemon.wait_until("others are checked", |daemon| daemon.read("others").lines().count() >= others + 2);
        assert_eq!(requests(&daemon), 3, "one at a time");
        assert_eq!(daemon.stop(), 0, "nobody waits for it");
    });
}

#[test]
fn real_servers_are_checked_at_their_ports_sockets_and_files() {
    only_ours(|| {
        ["nginx", "redis-server"].into_iter().for_each(|name| _ = needs::program(name));
        let nginx = "daemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log;\nevents {}\nhttp {\naccess_log off;\n\
                     client_body_temp_path {dir}/t1;\nproxy_temp_path {dir}/t2;\nfastcgi_temp_path {dir}/t3;\n\
                     uwsgi_temp_path {dir}/t4;\nscgi_temp_path {dir}/t5;\n\
                     server { listen 127.0.0.1:{port2}; location = /health { return 204; } }\n}\n";
        let redis = "redis-server --port 0 --unixsocket {dir}/redis.sock --save '' --appendonly no --dir {dir}";
        let quick = "startsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let configuration = format!(
            "[program:nginx]\ncommand=nginx -c {{dir}}/nginx.conf\n{quick}{QUICK}\
             healthcheck=http://127.0.0.1:{{port2}}/health\n\
             [program:redis]\ncommand={redis}\n{quick}{QUICK}healthcheck=unix:{{dir}}/redis.sock\n\
             [program:port]\ncommand=sleep 1000\ndepends_on=nginx:healthy\n{quick}{QUICK}\
             healthcheck=tcp:localhost:{{port2}}\n\
             [program:file]\ncommand=sleep 1000\ndepends_on=redis:healthy\n{quick}{QUICK}\
             healthcheck=file:{{dir}}/redis.sock\n",
        );
        let path = format!("/usr/sbin:/usr/bin:/bin:{}", std::env::var("PATH").unwrap_or_default());
        let scene = Scene::with("servers", &configuration).file("nginx.conf", nginx).env("PATH", &path);
        let mut daemon = scene.start(Subject::Ours);
        for name in ["nginx", "redis", "port", "file"] {
            wait_for_health(&mut daemon, name, "healthy");
        }
        assert_eq!(daemon.stop(), 0);
    });
}

/// Tells by its status what the file `mode` says, in the directory and environment of the program.
const CHECK: &str = "#!/bin/sh\n[ \"$MARK\" = yes ] || exit 99\necho x >> checks\ncase $(cat mode) in\n\
                     hang) exec sleep 1000;;\n200*) exit 0;;\nesac\nexit 3\n";

#[test]
fn a_command_tells_how_a_program_is() {
    only_ours(|| {
        let program = "[program:job]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
                       directory={dir}\nenvironment=MARK=yes\nhealthcheck=exec:./check\nhealthcheck_retries=2\n\
                       healthcheck_timeout=1s\n";
        let scene = Scene::with("command", &format!("{program}{QUICK}"))
            .script("check", CHECK)
            .file("mode", "200 OK")
            .file("checks", "");
        let mut daemon = scene.start(Subject::Ours);
        wait_for_health(&mut daemon, "job", "healthy");
        for (mode, reason) in [("bad", "exit status 3"), ("hang", "killed after 1s, its time limit")] {
            daemon.write("mode", mode);
            wait_for_health(&mut daemon, "job", "unhealthy");
            let line = format!("WARN unhealthy: job ({reason} (2 failures in a row))\n");
            assert!(daemon.log().contains(&line), "{mode}: {}", daemon.log());
            daemon.write("mode", "200 OK");
            wait_for_health(&mut daemon, "job", "healthy");
        }
        daemon.write("mode", "bad");
        daemon.crash();
        daemon.start_again();
        wait_for_health(&mut daemon, "job", "unhealthy");
        daemon.write("mode", "hang");
        let checks = daemon.read("checks").len();
        daemon.wait_until("a check hangs", |daemon| daemon.read("checks").len() > checks);
        assert_eq!(daemon.ctl(&["restart", "job"]).stdout, "job: stopped\njob: started\n", "it waits for no check");
        daemon.write("mode", "200 OK");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        wait_for_health(&mut daemon, "job", "healthy");
        assert_eq!(daemon.stop(), 0);
    });
}

/// What the daemon lacks says nothing about a program.
#[test]
fn a_command_that_cannot_be_run_for_want_of_descriptors_fails_no_check() {
    only_ours(|| {
        let text = "[program:good]\ncommand=sleep 1000\nstartsecs=0\ndirectory={dir}\nhealthcheck=exec:sh -c 'echo x >> checks'\n\
                    healthcheck_interval=1s\nhealthcheck_retries=1\nhealthcheck_timeout=60s\non_unhealthy=restart\n\
                    [program:other]\ncommand=sleep 0.1\nstartsecs=0\nautorestart=true\nstartretries=100\n";
        let mut daemon = Scene::with("want", text).file("checks", "").start(Subject::Ours);
        wait_for_health(&mut daemon, "good", "healthy");
        let pid = daemon.pid_of("good");
        let limit = |daemon: &Daemon, number: &str| {
            let arguments = ["--pid", &daemon.pid().to_string(), &format!("--nofile={number}:")].map(str::to_owned);
            let status = Command::new(needs::program("prlimit")).args(arguments).status().expect("it can be executed");
            assert!(status.success());
        };
        limit(&daemon, "8");
        daemon.wait_until("others cannot be started", |daemon| {
            times(daemon, "too many open files to spawn 'other'") >= 2
        });
        let checks = daemon.read("checks").len();
        limit(&daemon, "1024");
        daemon.wait_until("it is checked again", |daemon| daemon.read("checks").len() > checks);
        assert_eq!((daemon.pid_of("good"), times(&daemon, "unhealthy: good")), (pid, 0), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

/// A check is made again and again.
#[test]
fn what_a_check_leaves_behind_in_its_process_group_is_killed() {
    only_ours(|| {
        let program = "[program:job]\ncommand=sleep 1000\nstartsecs=0\ndirectory={dir}\n\
                       healthcheck=exec:sh -c 'sleep 1000 & echo $! >> left'\n";
        let mut daemon = Scene::with("left", &format!("{program}{QUICK}")).file("left", "").start(Subject::Ours);
        daemon.wait_until("there were several", |daemon| daemon.read("left").lines().count() >= 4);
        let left: Vec<i32> = daemon.read("left").lines().filter_map(|pid| pid.parse().ok()).collect();
        daemon.wait_until("they have been killed", |_| left.iter().all(|pid| !processes::alive(*pid)));
        assert_eq!(health(&daemon, "job")["status"], "healthy");
        assert_eq!(daemon.stop(), 0);
    });
}

/// Sends `WATCHDOG=1` at short intervals, as long as there is no file `stuck`.
const BEATS: &str = "#!/usr/bin/env python3\nimport os, socket, time\nassert os.environ[\"WATCHDOG_USEC\"] == \"2000000\"\n\
                     name = os.environ[\"NOTIFY_SOCKET\"].replace(\"@\", \"\\0\", 1)\n\
                     s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nwhile True:\n\
                     \x20   if not os.path.exists(\"stuck\"):\n        s.sendto(b\"WATCHDOG=1\", name)\n    time.sleep(0.1)\n";

#[test]
fn a_program_that_stops_saying_that_it_is_alive_is_unhealthy() {
    only_ours(|| {
        let program = "[program:job]\ncommand=./beats\nstartsecs=0\nwatchdog=2s\non_unhealthy=restart\n";
        let mut daemon =
            Scene::with("watchdog", program).script("beats", BEATS).env("PWD", "{dir}").start(Subject::Ours);
        wait_for_health(&mut daemon, "job", "healthy");
        let pid = daemon.pid_of("job");
        daemon.crash();
        daemon.start_again();
        assert_eq!(health(&daemon, "job")["status"], "healthy");
        daemon.write("stuck", "");
        daemon.wait_for_log("WARN unhealthy: job (it sent no WATCHDOG=1 within 2s)\n");
        std::fs::remove_file(daemon.path("stuck")).expect("a file");
        daemon.wait_until("another one runs", |daemon| {
            daemon.state_of("job") == "RUNNING" && daemon.pid_of("job") != pid
        });
        wait_for_health(&mut daemon, "job", "healthy");
    });
}

#[test]
fn the_example_does_what_it_says() {
    only_ours(|| {
        let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/health/supervisord.conf");
        let text = std::fs::read_to_string(example).expect("an example");
        let text = text.replace("8087", "{port}");
        let mut daemon = Scene::new("example").file("run/.keep", "").config(&text).launch(Subject::Ours);
        let is_in_log = |daemon: &Daemon, line: &str| daemon.read("run/supervisord.log").contains(line);
        daemon.wait_until("the worker runs", |daemon| is_in_log(daemon, "success: worker entered RUNNING"));
        std::fs::remove_file(daemon.path("run/site/health")).expect("a page");
        let vain = "cannot start: worker (waiting for web to be healthy (web is unhealthy))";
        daemon.wait_until("the worker waits in vain", |daemon| is_in_log(daemon, vain));
        let status = daemon.ctl(&["status", "--wide"]).stdout;
        assert!(status.contains("unhealthy"), "{status}");
        let why = daemon.ctl(&["why", "web"]).stdout;
        assert!(why.contains("health: unhealthy; ") && why.contains(": HTTP status 404"), "{why}");
        assert_eq!(daemon.ctl(&["health", "web"]).code, 1);
        daemon.write("run/site/health", "");
        let waited = daemon.ctl(&["wait", "web", "--for", "healthy", "--timeout", "60s"]);
        assert_eq!(waited.code, 0, "{waited:?}");
        assert_eq!(daemon.ctl(&["health", "-q", "web"]).code, 0);
        daemon.wait_until("the worker runs again", |daemon| {
            daemon.read("run/supervisord.log").matches("success: worker entered RUNNING").count() == 2
        });
    });
}
