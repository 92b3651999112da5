//! The hub: what it shows, to whom, and what it lets them do.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{NatsServer, RealDaemon, Running, wait_until};

/// A hub, and where it listens.
pub struct Hub {
    address: String,
    process: Running,
}

/// The SHA-256 of "foo".
pub const FOO: &str = "{SHA256}2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
/// The SHA-256 of "bar".
pub const BAR: &str = "{SHA256}fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

impl Hub {
    pub fn start(nats: &NatsServer, more: &[&str]) -> Hub {
        let words: Vec<&str> = ["hub", "--listen", "127.0.0.1:0"].into_iter().chain(more.iter().copied()).collect();
        Hub::start_with(nats, &words)
    }

    pub fn start_with(nats: &NatsServer, words: &[&str]) -> Hub {
        let log = nats.path("hub.log");
        let mut command = nats.fleet();
        command.args(words).stdout(Stdio::null());
        let process = Running(command.stderr(fs::File::create(&log).expect("a log")).spawn().expect("the hub runs"));
        let mut address = String::new();
        wait_until("the hub listens", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            address = text.lines().find_map(|line| line.split("://").nth(1)).unwrap_or_default().to_owned();
            !address.is_empty() && text.ends_with('\n')
        });
        Hub { address, process }
    }

    /// Where it listens: a host and a port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} is sent");
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.0.try_wait().expect("a status").is_some()
    }

    /// Status and body of an answer.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(text.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    pub fn hosts(&self, headers: &str) -> Value {
        serde_json::from_str(&self.ask("GET", "/api/hosts", headers, "").1).unwrap_or_default()
    }
}

/// `HOST PROGRAM STATE` of everything, a line each.
fn lines(hosts: &Value) -> Vec<String> {
    let hosts = hosts["hosts"].as_array().cloned().unwrap_or_default();
    let programs = hosts.iter().flat_map(|host| {
        let name = host["host"].as_str().unwrap_or_default();
        let link = host["link"].as_str().unwrap_or_default();
        let programs = host["programs"].as_array().cloned().unwrap_or_default();
        programs
            .into_iter()
            .map(move |program| format!("{name} {link} {} {}", program["name"], program["state"]).replace('"', ""))
    });
    programs.collect()
}

const PROGRAM: &str = "[program:web]\ncommand=sleep 1000\nstartsecs=0\n";

#[test]
fn the_hub_shows_all_hosts_and_acts_with_the_rights_of_whoever_asks() {
    let nats = NatsServer::start();
    // A daemon that knows nothing but XML-RPC as far as the hub is concerned.
    let inet = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p@ss\n";
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let old = RealDaemon::start(&format!("{PROGRAM}{inet}").replace("{port}", &port.to_string()));
    let new = RealDaemon::start(PROGRAM);
    let mut agent = nats.agent("web1", &new.url(), &["--label", "role=web"]);
    let python = nats.path("python");
    fs::write(&python, format!("# of the original\nold1 http://u:p@ss@127.0.0.1:{port}\n")).expect("written");
    let people = nats.path("people");
    fs::write(&people, format!("ann operator {FOO}\nvera viewer {BAR} role=web\n")).expect("written");
    let hub =
        Hub::start(&nats, &["--people", &people.display().to_string(), "--python", &python.display().to_string()]);
    let ann = "Authorization: Bearer foo\r\n";
    let vera = "Authorization: Basic dmVyYTpiYXI=\r\n";
    assert_eq!(hub.ask("GET", "/api/hosts", "", "").0, 401);
    assert_eq!(hub.ask("GET", "/metrics", "Authorization: Bearer wrong\r\n", "").0, 401);
    wait_until("all hosts are shown", || {
        lines(&hub.hosts(ann)) == ["old1 connected web RUNNING", "web1 connected web RUNNING"]
    });
    assert_eq!(lines(&hub.hosts(vera)), ["web1 connected web RUNNING"]);
    assert_eq!(hub.hosts(vera)["me"]["role"], "viewer");
    let (status, metrics) = hub.ask("GET", "/metrics", ann, "");
    assert_eq!(status, 200);
    for line in
        ["supervisor_fleet_host_up{host=\"old1\"", "supervisord_program_up{host=\"web1\",group=\"web\",name=\"web\"} 1"]
    {
        assert!(metrics.contains(line), "{metrics}");
    }
    let (_, visible) = hub.ask("GET", "/metrics", vera, "");
    assert!(visible.contains("host=\"web1\"") && !visible.contains("old1"), "{visible}");
    for path in ["/", "/fleet.js", "/fleet.css", "/base.css", "/dom.js"] {
        assert_eq!(hub.ask("GET", path, ann, "").0, 200, "{path}");
    }

    let json = "Content-Type: application/json\r\n";
    let stop = r#"{"action":"stop","hosts":["web1","old1"],"select":["web:web"]}"#;
    assert_eq!(hub.ask("POST", "/api/actions", &format!("{vera}{json}"), stop).0, 403);
    assert_eq!(hub.ask("POST", "/api/actions", ann, stop).0, 403, "a form of another site");
    assert_eq!(hub.ask("POST", "/api/actions", &format!("{ann}{json}Sec-Fetch-Site: cross-site\r\n"), stop).0, 403);
    let unknown = r#"{"action":"stop","hosts":["nosuch"],"select":["web:web"]}"#;
    assert_eq!(hub.ask("POST", "/api/actions", &format!("{ann}{json}"), unknown).0, 404);
    let (status, text) = hub.ask("POST", "/api/actions", &format!("{ann}{json}"), stop);
    assert!(status == 200 && text.matches("\"ok\":true").count() == 2, "{text}");
    wait_until("the stops are shown", || {
        lines(&hub.hosts(ann)) == ["old1 connected web STOPPED", "web1 connected web STOPPED"]
    });
    assert!(new.read("audit").contains("\"on_behalf_of\":\"ann\""), "{}", new.read("audit"));
    assert!(old.read("audit").contains("\"user\":\"u\""), "{}", old.read("audit"));
    // The agent says that it leaves.
    let _ = std::process::Command::new("kill").arg(agent.0.id().to_string()).status();
    assert!(agent.0.wait().expect("a status").success());
    wait_until("it has left", || lines(&hub.hosts(ann))[1] == "web1 left web STOPPED");
}

#[test]
fn a_hub_that_everybody_reads_stays_on_its_machine() {
    let nats = NatsServer::start();
    let (text, status) = nats.ask(&["hub", "--listen", "0.0.0.0:0"]);
    assert!(text.contains("write --people FILE") && status == 2, "{text}");
    let hub = Hub::start(&nats, &[]);
    assert_eq!(hub.hosts("")["me"]["role"], "viewer");
    // A page of another site whose name leads here reads nothing.
    let mut stream = TcpStream::connect(hub.address()).expect("it listens");
    let request = b"GET /api/hosts HTTP/1.1\r\nHost: evil.example:9080\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let body = r#"{"action":"stop","hosts":["a"],"select":["a"]}"#;
    assert_eq!(hub.ask("POST", "/api/actions", "Content-Type: application/json\r\n", body).0, 403);
}

/// A daemon that hangs keeps its connections open, and says nothing.
#[test]
fn a_daemon_that_hangs_is_not_connected() {
    let nats = NatsServer::start();
    let daemon = RealDaemon::start(PROGRAM);
    let _agent = nats.agent("web1", &daemon.url(), &[]);
    let hub = Hub::start(&nats, &[]);
    let link = || hub.hosts("")["hosts"][0]["link"].as_str().unwrap_or_default().to_owned();
    wait_until("it is connected", || link() == "connected");
    daemon.signal("STOP");
    wait_until("it shows that the daemon hangs", || link() == "no_daemon");
    let (_, metrics) = hub.ask("GET", "/metrics", "", "");
    let up = metrics.lines().find(|line| line.starts_with("supervisor_fleet_host_up{")).unwrap_or_default();
    assert!(up.ends_with(" 0"), "{metrics}");
    daemon.signal("CONT");
    wait_until("it is connected again", || link() == "connected");
}
