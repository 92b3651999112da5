//! Daemons of the original as members of a fleet: the real Supervisor 4.3.0 in Python.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{NatsServer, Supervising, original, wait_until};
use crate::hub::{FOO, Hub};

const PROGRAMS: &str = "
[program:web]
command=sleep 1000
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
[program:broken]
command=sh -c 'exit 3'
startretries=0
[program:missing]
command=/nonexistent/program
[program:idle]
command=sleep 1000
autostart=false
startsecs=0
[program:report]
command=sleep 2
startsecs=0
autorestart=false
[program:slow]
command=sh -c \"trap 'touch %(here)s/stopping; sleep 1; exit 0' TERM; while :; do sleep 0.1; done\"
startsecs=0
";

/// A daemon of the original that serves XML-RPC at a port.
struct Original {
    process: Supervising,
}

impl Original {
    fn start(directory: &Path, port: u16, programs: &str) -> Original {
        let dir = directory.display();
        let configuration = format!(
            "[supervisord]\nnodaemon=true\nlogfile={dir}/log\npidfile={dir}/pid\nchildlogdir={dir}\nidentifier=ancient\n\
             [inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p@ss:word\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n{programs}"
        );
        fs::write(directory.join("conf"), configuration).expect("written");
        let mut command = Command::new(original::directory().join("supervisord"));
        command.arg("-c").arg(directory.join("conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Original { process: Supervising(command.spawn().expect("the original runs")) }
    }

    /// Sends it a signal by name.
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.process.0.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} is sent");
    }
}

/// `STATE PROBLEM` of each program of the only host, by name.
fn programs(hosts: &Value) -> Vec<String> {
    let listed = hosts["hosts"][0]["programs"].as_array().cloned().unwrap_or_default();
    let text =
        |program: &Value| format!("{} {} {}", program["name"], program["state"], program["problem"]).replace('"', "");
    let mut texts: Vec<String> = listed.iter().map(text).collect();
    texts.sort();
    texts
}

#[test]
fn a_daemon_of_the_original_is_a_member() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let (people, python) = (nats.path("people"), nats.path("python"));
    fs::write(&people, format!("ann operator {FOO}\n")).expect("written");
    fs::write(&python, format!("old1 http://u:p@ss:word@127.0.0.1:{port}\nold2 http://u:wrong@127.0.0.1:{port}\n"))
        .expect("written");
    let hub =
        Hub::start(&nats, &["--people", &people.display().to_string(), "--python", &python.display().to_string()]);
    let ann = "Authorization: Bearer foo\r\n";
    let link = |number: usize| hub.hosts(ann)["hosts"][number]["link"].as_str().unwrap_or_default().to_owned();
    wait_until("it is known that nobody answers", || link(0) == "no_daemon");
    // Nobody has seen it yet.
    let is_seen = || hub.ask("GET", "/metrics", ann, "").1.contains("_seen_timestamp_seconds{host=\"old1\"}");
    assert!(hub.hosts(ann)["hosts"][0]["seen"].is_null() && !is_seen());

    let daemon = Original::start(directory.path(), port, PROGRAMS);
    let expected = [
        "broken FATAL FATAL: Exited too quickly (process log may have details)",
        "idle STOPPED null",
        "missing FATAL FATAL: can't find command '/nonexistent/program'",
        "report EXITED null",
        "slow RUNNING null",
        "web_0 RUNNING null",
        "web_1 RUNNING null",
    ];
    wait_until("all programs are known", || programs(&hub.hosts(ann)) == expected);
    let hosts = hub.hosts(ann);
    let host = &hosts["hosts"][0];
    assert!(host["seen"].is_f64() && is_seen(), "{host}");
    assert_eq!((&host["identifier"], &host["version"]), (&json!("ancient"), &json!("Supervisor 4.3.0")), "{host}");
    // Who has the wrong password is told in the log of the hub, without it.
    wait_until("the refusal is known", || link(1) == "no_daemon");
    let log = fs::read_to_string(nats.path("hub.log")).expect("a log");
    assert!(log.contains("--python old2: HTTP status 401") && !log.contains("wrong") && !log.contains("p@ss"), "{log}");
    assert_eq!(log.matches("old2: HTTP status 401").count(), 1, "{log}");

    let act = |action: &str, select: &[&str]| {
        let body = json!({"action": action, "hosts": ["old1"], "select": select}).to_string();
        let headers = format!("{ann}Content-Type: application/json\r\n");
        let (status, text) = hub.ask("POST", "/api/actions", &headers, &body);
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let results = answer["hosts"][0]["results"].as_array().cloned().unwrap_or_default();
        results
            .iter()
            .map(|result| if result["ok"] == true { json!("ok") } else { result["detail"].clone() })
            .collect::<Vec<_>>()
    };
    assert_eq!(act("stop", &["web:web_0", "idle:idle"]), [json!("ok"), json!("NOT_RUNNING: idle:idle")]);
    assert_eq!(act("start", &["web:web_0", "idle:idle"]), [json!("ok"), json!("ok")]);
    assert_eq!(act("restart", &["web:web_1", "report:report"]), [json!("ok"), json!("ok")]);
    assert_eq!(act("start", &["web:web_1"]), [json!("ALREADY_STARTED: web:web_1")]);
    let failed = act("restart", &["broken:broken", "missing:missing", "nosuch:nosuch"]);
    assert_eq!(failed[0], "SPAWN_ERROR: broken:broken", "{failed:?}");
    assert_eq!(failed[1], "NO_FILE: can't find command '/nonexistent/program'", "{failed:?}");
    assert_eq!(failed[2], "BAD_NAME: nosuch:nosuch", "{failed:?}");
    // What somebody has done is shown at once, and not only when the daemon is asked the next time.
    assert_eq!(programs(&hub.hosts(ann))[1], "idle RUNNING null");
    let (_, metrics) = hub.ask("GET", "/metrics", ann, "");
    assert!(metrics.contains("supervisord_program_up{host=\"old1\",group=\"idle\",name=\"idle\"} 1"), "{metrics}");

    // A restart is two calls; whoever closes the page between them does not end it.
    let body = json!({"action": "restart", "hosts": ["old1"], "select": ["slow"]}).to_string();
    let mut leaving = TcpStream::connect(hub.address()).expect("it listens");
    let length = body.len();
    write!(
        leaving,
        "POST /api/actions HTTP/1.1\r\nHost: localhost\r\n{ann}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("sent");
    wait_until("it is being stopped", || directory.path().join("stopping").exists());
    drop(leaving);
    let spawned =
        || fs::read_to_string(directory.path().join("log")).unwrap_or_default().matches("spawned: 'slow'").count();
    wait_until("it is started again", || spawned() == 2);

    drop(daemon);
    wait_until("it is away", || link(0) == "no_daemon");
    // It was asked in vain, and so not seen.
    let seen = hub.hosts(ann)["hosts"][0]["seen"].as_f64().expect("a time");
    let host = hub.hosts(ann)["hosts"][0].clone();
    assert!(hub.hosts(ann)["now"].as_f64().expect("a time") > seen && host["seen"].as_f64() == Some(seen), "{host}");
    let _next = Original::start(directory.path(), port, PROGRAMS);
    wait_until("it is back", || link(0) == "connected");
}

/// A program that takes a moment to stop, and that nothing starts by itself.
const LATE: &str = "
[program:late]
command=sh -c \"trap 'touch %(here)s/stopping; sleep 1; exit 0' TERM; while :; do sleep 0.1; done\"
autostart=false
startsecs=0
";

#[test]
fn a_restart_leaves_no_program_stopped() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let (people, python) = (nats.path("people"), nats.path("python"));
    fs::write(&people, format!("ann operator {FOO}\n")).expect("written");
    fs::write(&python, format!("old1 http://u:p@ss:word@127.0.0.1:{port}\n")).expect("written");
    let hub =
        Hub::start(&nats, &["--people", &people.display().to_string(), "--python", &python.display().to_string()]);
    let ann = "Authorization: Bearer foo\r\n";
    let act = |action: &str| {
        let body = json!({"action": action, "hosts": ["old1"], "select": ["late"]}).to_string();
        let (_, text) = hub.ask("POST", "/api/actions", &format!("{ann}Content-Type: application/json\r\n"), &body);
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["hosts"][0]["results"][0]["detail"].as_str().unwrap_or("ok").to_owned()
    };
    let state = || {
        let host = &hub.hosts(ann)["hosts"][0];
        format!("{} {}", host["link"], host["programs"][0]["state"]).replace('"', "")
    };
    let spawned =
        || fs::read_to_string(directory.path().join("log")).unwrap_or_default().matches("spawned: 'late'").count();
    let mut daemon = Original::start(directory.path(), port, LATE);
    wait_until("it is shown", || state() == "connected STOPPED");
    assert_eq!(act("start"), "ok");

    // A daemon that hangs is asked nothing that it would do later.
    daemon.signal("STOP");
    for action in ["restart", "stop"] {
        assert_eq!(act(action), "not done: no answer in time");
    }
    daemon.signal("CONT");
    wait_until("it is back", || state() == "connected RUNNING");
    assert_eq!((spawned(), directory.path().join("stopping").exists()), (1, false));

    // One that ends between the stop and the start has the start done when it is back.
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| act("restart"));
        wait_until("it is being stopped", || directory.path().join("stopping").exists());
        daemon.signal("KILL");
        let told = restart.join().expect("an answer");
        assert!(told.ends_with("it may be stopped, and the hub starts it when the daemon answers again"), "{told}");
    });
    let _ = daemon.process.0.wait();
    // The hub goes on to look while the program starts.
    daemon = Original::start(directory.path(), port, &LATE.replace("startsecs=0", "startsecs=600"));
    wait_until("it is started again", || state() == "connected STARTING");
    assert_eq!(spawned(), 2);
    wait_until("the hub has told", || {
        fs::read_to_string(nats.path("hub.log"))
            .unwrap_or_default()
            .contains("--python old1: restart of \"late\": started")
    });
    drop(daemon);
}

#[test]
fn a_hub_that_ends_completes_its_restarts() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let (people, python) = (nats.path("people"), nats.path("python"));
    fs::write(&people, format!("ann operator {FOO}\n")).expect("written");
    fs::write(&python, format!("old1 http://u:p@ss:word@127.0.0.1:{port}\n")).expect("written");
    let mut hub =
        Hub::start(&nats, &["--people", &people.display().to_string(), "--python", &python.display().to_string()]);
    let headers = "Authorization: Bearer foo\r\nContent-Type: application/json\r\n";
    let body = |action: &str| json!({"action": action, "hosts": ["old1"], "select": ["late"]}).to_string();
    let daemon = Original::start(directory.path(), port, LATE);
    wait_until("it is shown", || hub.hosts(headers)["hosts"][0]["link"] == "connected");
    assert_eq!(hub.ask("POST", "/api/actions", headers, &body("start")).0, 200);
    let log = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let spawned = || log(&directory.path().join("log")).matches("spawned: 'late'").count();
    assert_eq!(spawned(), 1);

    // The daemon hangs for a while, so that the restart goes on.
    let mut leaving = TcpStream::connect(hub.address()).expect("it listens");
    let restart = body("restart");
    let length = restart.len();
    write!(
        leaving,
        "POST /api/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n{restart}"
    )
    .expect("sent");
    wait_until("it is being stopped", || directory.path().join("stopping").exists());
    daemon.signal("STOP");
    hub.signal("TERM");
    wait_until("the hub has told", || {
        log(&nats.path("hub.log")).contains("the hub ends after the restarts that go on")
    });
    let (status, refused) = hub.ask("POST", "/api/actions", headers, &body("stop"));
    assert_eq!(status, 503, "{refused}");
    daemon.signal("CONT");
    wait_until("the hub has ended", || hub.has_ended());
    assert_eq!(spawned(), 2);
    let told = log(&nats.path("hub.log"));
    assert!(!told.contains("may be stopped"), "{told}");
    drop(daemon);
}
