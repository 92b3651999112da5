//! The permissions of docs/many-hosts.md are enough, and no more than that.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, wait_until};

/// The configuration in the guide.
fn written() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/many-hosts.md");
    let text = fs::read_to_string(guide).expect("the guide");
    let begin = text.find("```conf\nauthorization").expect("the guide shows the permissions") + "```conf\n".len();
    let length = text[begin..].find("```").expect("an end");
    text[begin..begin + length].to_owned()
}

#[test]
fn agents_operators_and_viewers_may_do_what_the_guide_says() {
    let nats = NatsServer::with(&written());
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    fs::write(nats.path("password"), "secret\n").expect("written");
    let password = nats.path("password").display().to_string();
    let user = |name: &'static str| ["--user", name, "--password-file", &password].map(str::to_owned);
    let run = |name: &'static str, arguments: &[&str]| {
        let mut command = nats.fleet();
        command.env("SUPERVISOR_FLEET_AS", name).args(arguments).args(user(name));
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (text, status.code().unwrap_or(-1))
    };
    assert_eq!(run("admin", &["setup"]), (String::new(), 0));
    let credentials = user("web1");
    let credentials: Vec<&str> = credentials.iter().map(String::as_str).collect();
    let _agent = nats.agent("web1", &daemon, &credentials);
    wait_until("the host answers", || run("ann", &["status"]).0.contains("web1  web  RUNNING"));
    assert_eq!(run("vera", &["status"]).1, 0);
    let mut number = 0;
    wait_until("events pass", || {
        number += 1;
        stub.happen(number);
        run("vera", &["events", "--since", "60"]).0.contains("web1  web: STARTING -> RUNNING")
    });
    let (text, status) = run("ann", &["restart", "web"]);
    assert_eq!((text.as_str(), status), ("web1  web:  restarted\n", 0));
    assert_eq!(stub.actions().len(), 1);

    // The hub sees what the bucket says.
    let hub = user("hub");
    let hub: Vec<&str> = ["hub", "--listen", "127.0.0.1:0"].into_iter().chain(hub.iter().map(String::as_str)).collect();
    let hub = crate::hub::Hub::start_with(&nats, &hub);
    wait_until("the hub shows the host", || hub.hosts("").to_string().contains("\"link\":\"connected\""));

    // A viewer may not operate, nobody may ask under another name, and an agent is no other host.
    let (text, status) = run("vera", &["restart", "web"]);
    assert!(text.contains("Permissions Violation") && status == 4, "{text}");
    let (text, status) = run("ann", &["restart", "web", "--as", "vera"]);
    assert!(status != 0, "{text}");
    assert_eq!(stub.actions().len(), 1);
    let _impostor = nats.agent("web2", &daemon, &credentials);
    wait_until("the server refuses", || {
        fs::read_to_string(nats.path("web2.log")).unwrap_or_default().to_lowercase().contains("permissions violation")
    });
    assert!(!run("ann", &["status"]).0.contains("web2"));
}
