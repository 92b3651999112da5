//! Programs that say when they are ready. The original knows only that they are alive.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use crate::harness::{Daemon, Scene, Subject, http, needs, only_ours, wait};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program ready_when", "program ready_timeout"];

/// Writes to descriptor 3 when there is a file `go`, in the way of s6.
const S6_STYLE: &str = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\necho >&3\nexec 3>&-\nexec sleep 1000\n";

/// What the JSON API says about the readiness of a program.
fn readiness(daemon: &Daemon, name: &str) -> serde_json::Value {
    program(daemon, name)["readiness"].clone()
}

/// What the JSON API says about a program.
fn program(daemon: &Daemon, name: &str) -> serde_json::Value {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let path = format!("/api/v1/programs/{name}/{name}");
    let response = http::request(&mut *stream, "GET", &path, &["Host: h"], b"").expect("an answer");
    serde_json::from_slice(&response.body).expect("JSON")
}

#[test]
fn a_descriptor_tells_through_kill_9_and_an_upgrade() {
    only_ours(|| {
        let mut daemon = Scene::with(
            "ready",
            "[program:db]\ncommand=./s6\nready_when=fd:3\n[program:web]\ncommand=sleep 1000\ndepends_on=db\n",
        )
        .script("s6", S6_STYLE)
        .start(Subject::Ours);
        daemon.wait_for_log("not yet started: web (waiting for db to be ready)");
        let pid = daemon.pid_of("db");
        let before = readiness(&daemon, "db");
        assert_eq!((&before["when"], &before["ready"]), (&"fd:3".into(), &false.into()), "{before}");
        daemon.crash();
        daemon.start_again();
        assert_eq!((daemon.state_of("db"), daemon.state_of("web")), ("STARTING".to_owned(), "STARTING".to_owned()));
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        let after = readiness(&daemon, "db");
        let seconds = |readiness: &serde_json::Value| readiness["timeout_at"].as_i64().expect("a time");
        assert!((seconds(&after) - seconds(&before)).abs() <= 1, "the deadline stays: {before} {after}");
        daemon.write("go", "");
        daemon.wait_for_states(&["db", "web"], "RUNNING");
        assert_eq!(daemon.pid_of("db"), pid);
        assert!(daemon.log().contains("success: db entered RUNNING state, it was ready after "), "{}", daemon.log());
        assert_eq!(readiness(&daemon, "db")["ready"], true);
        assert_eq!(readiness(&daemon, "web"), serde_json::Value::Null);
        daemon.crash();
        daemon.start_again();
        assert_eq!((daemon.state_of("db"), daemon.pid_of("db")), ("RUNNING".to_owned(), pid), "it stays ready");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn what_was_said_while_no_daemon_was_there_is_heard() {
    only_ours(|| {
        let mut daemon = Scene::with("ready", "[program:db]\ncommand=./s6\nready_when=fd:3\n")
            .script("s6", S6_STYLE)
            .start(Subject::Ours);
        daemon.wait_for_state("db", "STARTING");
        daemon.crash();
        daemon.write("go", "");
        daemon.start_again();
        daemon.wait_for_state("db", "RUNNING");
    });
}

/// Writes one line when there is a file `go`.
const SAYS: &str = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\necho listening\nexec sleep 1000\n";

/// The time to get ready is over while the daemon is stopped, or while none runs, and everybody is ready by then.
#[test]
fn a_program_that_is_ready_when_the_daemon_comes_back_too_late_is_not_stopped() {
    only_ours(|| {
        for is_killed in [false, true] {
            let program = |name: &str, command: &str, when: &str| {
                let more = "ready_timeout=8s\nstartretries=0\nstdout_logfile={dir}/";
                format!("[program:{name}]\ncommand={command}\nready_when={when}\n{more}{name}.log\n")
            };
            let text = program("fd", "./s6", "fd:3")
                + &program("line", "./says", "log:^listening")
                + &program("file", "sleep 1000", "file:{dir}/go")
                + &program("command", "sleep 1000", "exec:test -e {dir}/go");
            let scene = Scene::with("late", &text).script("s6", S6_STYLE).script("says", SAYS);
            let mut daemon = scene.start(Subject::Ours);
            let names = ["fd", "line", "file", "command"];
            daemon.wait_for_states(&names, "STARTING");
            let timeouts = names.map(|name| readiness(&daemon, name)["timeout_at"].as_u64().expect("a time"));
            match is_killed {
                true => daemon.crash(),
                false => daemon.signal(Signal::SIGSTOP),
            }
            daemon.write("go", "");
            let over = UNIX_EPOCH + Duration::from_secs(timeouts.into_iter().max().expect("four") + 1);
            wait::until("the time is over", || SystemTime::now() > over);
            match is_killed {
                true => daemon.start_again(),
                false => daemon.signal(Signal::SIGCONT),
            }
            daemon.wait_for_states(&names, "RUNNING");
        }
    });
}

/// Far more than a pipe holds comes before the line.
#[test]
fn a_flood_before_the_line_does_not_matter() {
    only_ours(|| {
        let script = "import os, time\nos.write(3, b'x' * 300_000)\nos.write(3, b'\\n')\ntime.sleep(1000)\n";
        let text = "[program:db]\ncommand=python3 flood.py\nready_when=fd:3\nstartretries=0\n";
        let mut daemon = Scene::with("flood", text).file("flood.py", script).start(Subject::Ours);
        daemon.wait_for_state("db", "RUNNING");
    });
}

/// Says on stdout that it is ready, and on stderr that it is not.
const SPEAKS: &str = "#!/bin/sh\necho 'not listening' >&2\nprintf 'listen'\nwhile [ ! -e go ]; do sleep 0.02; done\n\
    echo 'ing on port 80'\nexec sleep 1000\n";

#[test]
fn a_line_of_output_tells_through_an_upgrade() {
    only_ours(|| {
        let mut daemon = Scene::with(
            "ready",
            "[program:db]\ncommand=./speaks\nready_when=log:^listening on port [0-9]+$\nstdout_logfile={dir}/db.log\n\
             [program:web]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=db\n",
        )
        .script("speaks", SPEAKS)
        .start(Subject::Ours);
        daemon.wait_until("it has begun to speak", |daemon| daemon.read("db.log") == "listen");
        assert_eq!(daemon.state_of("db"), "STARTING");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.write("go", "");
        daemon.wait_for_states(&["db", "web"], "RUNNING");
        assert_eq!(daemon.read("db.log"), "listening on port 80\n");
        assert!(daemon.log().contains(" (log:^listening on port [0-9]+$)\n"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_line_that_was_written_while_no_daemon_was_there_is_found() {
    only_ours(|| {
        for (logs, events) in [("AUTO", "false"), ("NONE", "true"), ("AUTO\nredirect_stderr=true", "false")] {
            let program = format!(
                "[program:db]\ncommand=./speaks\nready_when=log:(?i)READY\nstdout_logfile={logs}\n\
                 stdout_events_enabled={events}\n"
            );
            let script =
                "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\necho I am ready >&2\ntouch said\nexec sleep 1000\n";
            let mut daemon = Scene::with("ready", &program).script("speaks", script).start(Subject::Ours);
            daemon.wait_for_state("db", "STARTING");
            daemon.crash();
            daemon.write("go", "");
            wait::until("it is said", || daemon.path("said").exists());
            daemon.start_again();
            daemon.wait_for_state("db", "RUNNING");
        }
    });
}

#[test]
fn without_the_line_it_is_not_ready() {
    only_ours(|| {
        let text = "[program:db]\ncommand=sh -c 'echo nearly there; exec sleep 1000'\nready_when=log:ready\n\
            ready_timeout=1s\nstartretries=0\n";
        let mut daemon = Scene::with("ready", text).start(Subject::Ours);
        daemon.wait_for_state("db", "FATAL");
        assert_eq!(daemon.info("db").get("description").text(), "Not ready within 1s (log:ready)");
        let mut broken = Scene::with("ready", &text.replace("log:ready", "log:ready (")).launch(Subject::Ours);
        assert_eq!(broken.exit_code(), 2);
        let stderr = broken.stderr();
        assert!(
            stderr.contains("not a regular expression: 'ready ('") && stderr.contains("supervisord.conf:"),
            "{stderr}"
        );
    });
}

#[test]
fn a_program_that_is_not_ready_in_time_has_failed_to_start() {
    only_ours(|| {
        let mut daemon = Scene::with(
            "ready",
            "[program:slow]\ncommand=./slow\nready_when=fd:4\nready_timeout=1s\nstartretries=1\n\
             [program:gone]\ncommand=sh -c 'exit 3'\nready_when=fd:4\nstartretries=0\n\
             [program:mute]\ncommand=./mute\nready_when=fd:3\n",
        )
        .script("slow", "#!/bin/sh\necho soon >&2\nexec sleep 1000\n")
        .script("mute", "#!/bin/sh\nexec 3>&-\nexec sleep 1000\n")
        .start(Subject::Ours);
        let started = daemon.ctl(&["start", "mute"]).stdout;
        assert_eq!(started, "mute: ERROR (already started)\n");
        daemon.wait_for_states(&["slow", "gone"], "FATAL");
        let log = daemon.log();
        assert_eq!(log.matches("WARN stopping slow: Not ready within 1s (fd:4)").count(), 2, "{log}");
        assert_eq!(daemon.info("slow").get("description").text(), "Not ready within 1s (fd:4)");
        let gone = "Exited before it was ready (process log may have details)";
        assert_eq!(daemon.info("gone").get("description").text(), gone);
        let started = daemon.ctl(&["start", "slow"]);
        assert_eq!((started.stdout.as_str(), started.code), ("slow: ERROR (not ready within 1s (fd:4))\n", 7));
        assert_eq!(daemon.ctl(&["start", "gone"]).stdout, "gone: ERROR (exited before it was ready)\n");
        let fault = daemon.rpc("supervisor.startProcess", &["gone".into()]);
        let text = "SPAWN_ERROR: gone: exited before it was ready".to_owned();
        assert_eq!(fault.err(), Some((50, text)), "the numbers of faults are the original's");
        daemon.wait_for_states(&["slow", "gone"], "FATAL");
        assert_eq!(daemon.state_of("mute"), "STARTING");
        assert_eq!(daemon.ctl(&["stop", "mute"]).stdout, "mute: stopped\n", "a stop ends the wait");
    });
}

/// Real servers, each of which takes a while before it opens its port.
const SERVERS: &str = "[program:redis]\n\
    command=sh -c 'sleep 0.5; exec redis-server --port {port2} --bind 127.0.0.1 --unixsocket {dir}/redis.sock --save \"\" \
    --appendonly no --daemonize no --dir {dir}'\n\
    ready_when=tcp:127.0.0.1:{port2}\n\
    [program:socket]\ncommand=sleep 1000\nready_when=unix:{dir}/redis.sock\n\
    [program:nginx]\ncommand=sh -c 'sleep 0.3; exec /usr/sbin/nginx -c {dir}/nginx.conf -g \"daemon off;\"'\n\
    stopsignal=QUIT\nready_when=http://127.0.0.1:{port}/health\ndepends_on=redis\n\
    [program:job]\ncommand=sh -c 'sleep 0.3; touch {dir}/made; exec sleep 1000'\nready_when=file:{dir}/made\n\
    depends_on=nginx, socket\n";

const NGINX: &str = "pid {dir}/nginx.pid;\nerror_log stderr;\nworker_processes 1;\nevents { worker_connections 64; }\n\
    http {\n access_log off;\n client_body_temp_path {dir}/tmp1;\n proxy_temp_path {dir}/tmp2;\n\
    fastcgi_temp_path {dir}/tmp3;\n uwsgi_temp_path {dir}/tmp4;\n scgi_temp_path {dir}/tmp5;\n\
    server { listen 127.0.0.1:{port}; location /health { return 204; } }\n}\n";

/// What Redis answers on a connection that is made now.
fn ping(mut stream: impl Read + Write) -> String {
    stream.write_all(b"PING\r\n").expect("Redis listens");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).expect("Redis answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn real_servers_are_running_when_they_answer() {
    ["nginx", "redis-server"].into_iter().for_each(|name| _ = needs::program(name));
    only_ours(|| {
        let mut daemon = Scene::with("ready", SERVERS).file("nginx.conf", NGINX).start(Subject::Ours);
        daemon.wait_for_state("redis", "RUNNING");
        let port = daemon.fill("{port2}").parse().expect("a port");
        assert_eq!(ping(TcpStream::connect(("127.0.0.1", port)).expect("it listens")), "+PONG\r\n");
        daemon.wait_for_state("socket", "RUNNING");
        assert_eq!(ping(UnixStream::connect(daemon.path("redis.sock")).expect("it listens")), "+PONG\r\n");
        daemon.wait_for_state("nginx", "RUNNING");
        let port: u16 = daemon.fill("{port}").parse().expect("a port");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        daemon.wait_for_state("job", "RUNNING");
        assert!(daemon.path("made").exists());
        for (name, sign) in [("redis", "tcp:127.0.0.1:{port2}"), ("nginx", "http://127.0.0.1:{port}/health")] {
            let line = format!("({})", daemon.fill(sign));
            assert!(daemon.log().lines().any(|log| log.contains(&format!("success: {name}")) && log.ends_with(&line)));
        }
        assert_eq!(daemon.stop(), 0);
    });
}

/// In a network in which every connection to the probed port gets this port as its own.
const NETWORK_OF_ONE_PORT: &str = "exec unshare --net python3 -c '
import fcntl, os, socket, struct, sys
IFF_UP, SIOCSIFFLAGS = 1, 0x8914
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack(\"16sh14x\", b\"lo\", IFF_UP))
open(\"/proc/sys/net/ipv4/ip_local_port_range\", \"w\").write(\"44088 44089\")
os.execvp(sys.argv[1], sys.argv[1:])' \"$@\"";

/// Listens when it is told to, and fails where its port is taken.
const LISTENS_LATER: &str = "#!/usr/bin/env python3\nimport os, socket, time\n\
    while not os.path.exists('listen'): time.sleep(0.02)\nserver = socket.socket()\n\
    server.bind(('127.0.0.1', 44088))\nserver.listen()\ntime.sleep(1000)\n";

#[test]
fn a_probe_that_reaches_itself_found_nobody() {
    if !needs::Power::OwnNetwork.is_there_for("a probe that connects to itself") {
        return;
    }
    only_ours(|| {
        let text = "[program:p]\ncommand=./listens\nready_when=tcp:127.0.0.1:44088\n";
        let scene = Scene::with("itself", text).script("listens", LISTENS_LATER);
        let mut daemon = scene.shell(NETWORK_OF_ONE_PORT).start(Subject::Ours);
        daemon.wait_until("a probe failed", |daemon| readiness(daemon, "p")["last_failure"].is_string());
        assert_eq!(readiness(&daemon, "p")["last_failure"], "Connection refused", "{}", daemon.report());
        daemon.write("listen", "");
        daemon.wait_until("it is ready", |daemon| program(daemon, "p")["state"] == "RUNNING");
        assert!(!daemon.log().contains("exited: p"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn what_a_probe_found_last_is_told() {
    only_ours(|| {
        let text =
            "[program:p]\ncommand=sleep 1000\nready_when=http://127.0.0.1:{port}/\nready_timeout=1s\nstartretries=0\n";
        let mut daemon = Scene::with("ready", text).start(Subject::Ours);
        daemon.wait_until("a probe has failed", |daemon| readiness(daemon, "p")["last_failure"].is_string());
        daemon.wait_for_state("p", "FATAL");
        let description = daemon.info("p").get("description").text().to_owned();
        let expected = daemon.fill("Not ready within 1s (http://127.0.0.1:{port}/: ");
        assert!(description.starts_with(&expected), "{description}");
    });
}

/// Says what the file `say` has, a message to a line, as soon as there is one, in the protocol of systemd.
const NOTIFIES: &str = "import os, socket, time
address = os.environ['NOTIFY_SOCKET']
assert address[0] == '@'
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.connect('\\0' + address[1:])
while True:
    while not os.path.exists('say'):
        time.sleep(0.02)
    messages = open('say').read()
    os.remove('say')
    for message in messages.splitlines():
        peer.send(message.replace(';', '\\n').encode())
";

fn notifying(options: &str) -> Scene {
    let text = format!("[program:p]\ncommand=python3 {{dir}}/notifies.py\nready_when=notify\n{options}");
    Scene::with("ready", &text).file("notifies.py", NOTIFIES)
}

/// Has the program say something, in one step.
fn say(daemon: &Daemon, messages: &str) {
    daemon.write("say.new", messages);
    std::fs::rename(daemon.path("say.new"), daemon.path("say")).expect("it is there");
}

#[test]
fn a_program_notifies_through_kill_9_and_an_upgrade() {
    only_ours(|| {
        let mut daemon = notifying("").start(Subject::Ours);
        daemon.wait_for_state("p", "STARTING");
        say(&daemon, "STATUS=reading 1 of 2\n");
        daemon
            .wait_until("its status is shown", |daemon| program(daemon, "p")["service"]["status"] == "reading 1 of 2");
        let pid = daemon.pid_of("p");
        daemon.crash();
        // It says this while no daemon is there.
        say(&daemon, "STATUS=reading 2 of 2\n");
        daemon.start_again();
        daemon.wait_until("it is heard all the same", |daemon| {
            program(daemon, "p")["service"]["status"] == "reading 2 of 2"
        });
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_eq!(program(&daemon, "p")["service"]["status"], "reading 2 of 2");
        assert_eq!((daemon.state_of("p"), daemon.pid_of("p")), ("STARTING".to_owned(), pid));
        say(&daemon, "READY=1;STATUS=serving\n");
        daemon.wait_for_state("p", "RUNNING");
        assert!(daemon.log().contains(" (notify)\n"), "{}", daemon.log());
        say(&daemon, "RELOADING=1\n");
        daemon.wait_until("it loads again", |daemon| program(daemon, "p")["service"]["reloading"] == true);
        say(&daemon, "READY=1\nSTOPPING=1\nMAINPID=1\n");
        daemon.wait_until("it stops", |daemon| program(daemon, "p")["service"]["stopping"] == true);
        assert_eq!(program(&daemon, "p")["service"]["reloading"], false);
        daemon.wait_for_log(&format!("says that its main process is 1; pid {pid} goes on to be supervised"));
        daemon.kill_child("p");
        daemon.wait_for_state("p", "STARTING");
        assert_eq!(program(&daemon, "p")["service"], serde_json::Value::Null, "the next one has said nothing");
    });
}

#[test]
fn a_program_may_ask_for_more_time() {
    only_ours(|| {
        let mut daemon = notifying("ready_timeout=30s\nstopwaitsecs=1\n").start(Subject::Ours);
        daemon.wait_for_state("p", "STARTING");
        say(&daemon, "EXTEND_TIMEOUT_USEC=3600000000\n");
        daemon.wait_until("it has more time", |daemon| {
            let readiness = readiness(daemon, "p");
            readiness["timeout_at"].as_i64().expect("a time")
                > program(daemon, "p")["started_at"].as_i64().unwrap() + 60
        });
        say(&daemon, "READY=1\n");
        daemon.wait_for_state("p", "RUNNING");
    });
}

#[test]
fn descendants_may_notify_and_strangers_may_not() {
    needs::program("systemd-notify");
    only_ours(|| {
        let text =
            "[program:good]\ncommand=./good\nready_when=notify\n[program:bad]\ncommand=./bad\nready_when=notify\n";
        let mut daemon = Scene::with("ready", text)
            // A descendant, which exits at once.
            .script("good", "#!/bin/sh\nsh -c 'systemd-notify --ready --status=fine'\nexec sleep 1000\n")
            .script("bad", "#!/bin/sh\nprintf %s \"$NOTIFY_SOCKET\" > address\nexec sleep 1000\n")
            .start(Subject::Ours);
        daemon.wait_for_state("good", "RUNNING");
        assert_eq!(program(&daemon, "good")["service"]["status"], "fine");
        let name = daemon.wait_for_file("address");
        let address = SocketAddr::from_abstract_name(name.strip_prefix('@').expect("abstract")).expect("a name");
        let stranger = UnixDatagram::unbound().expect("a socket");
        stranger.set_nonblocking(true).expect("it does not block");
        let mut sent = 0;
        while sent < 3000 {
            let message: &[u8] = if sent % 2 == 0 { b"READY=1" } else { &[b'x'; 10_000] };
            match stranger.send_to_addr(message, &address) {
                Ok(_) => sent += 1,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
            }
        }
        daemon.wait_for_log("(2048 so far)");
        assert_eq!(daemon.state_of("bad"), "STARTING");
        let stopped = daemon.ctl(&["stop", "all"]).stdout;
        assert!(stopped.contains("bad: stopped\n") && stopped.contains("good: stopped\n"), "{stopped}");
    });
}

#[test]
fn what_is_said_just_before_an_exit_counts() {
    only_ours(|| {
        let text = "[program:p]\ncommand=python3 {dir}/brief.py\nready_when=notify\nautorestart=false\n";
        let brief = "import os, socket\npeer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
            peer.sendto(b'READY=1', '\\0' + os.environ['NOTIFY_SOCKET'][1:])\n";
        let mut daemon = Scene::with("ready", text).file("brief.py", brief).start(Subject::Ours);
        daemon.wait_for_state("p", "EXITED");
        assert!(daemon.log().contains("exited: p (exit status 0; expected)"), "{}", daemon.log());
    });
}

#[test]
fn a_command_tells_whether_a_program_is_ready() {
    ["redis-cli", "redis-server"].into_iter().for_each(|name| _ = needs::program(name));
    only_ours(|| {
        let text = "[program:redis]\n\
            command=sh -c 'sleep 0.7; exec redis-server --port {port} --bind 127.0.0.1 --save \"\" --daemonize no --dir {dir}'\n\
            ready_when=exec:sh -c 'test \"$(redis-cli -p {port} ping)\" = PONG'\n\
            [program:never]\ncommand=sleep 1000\nready_when=exec:sh -c 'echo not yet; exit 3'\nready_timeout=1s\n\
            startretries=0\n";
        let mut daemon = Scene::with("ready", text).start(Subject::Ours);
        daemon.wait_for_state("redis", "RUNNING");
        let port: u16 = daemon.fill("{port}").parse().expect("a port");
        assert_eq!(ping(TcpStream::connect(("127.0.0.1", port)).expect("it listens")), "+PONG\r\n");
        daemon.wait_for_state("never", "FATAL");
        let description = daemon.info("never").get("description").text().to_owned();
        assert!(description.contains("(exec:sh -c 'echo not yet; exit 3': "), "{description}");
        assert!(!daemon.log().contains("WARN never: readiness probe"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}
