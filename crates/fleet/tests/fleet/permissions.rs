//! The permissions of docs/fleet-access.md are enough, and no more than that, with each way to log in that it describes.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::credentials::Authority;
use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, wait_until};
use crate::tls::certificate;

/// Who logs in, with the role in signed credentials.
const USERS: [(&str, &str); 5] =
    [("admin", ""), ("web1", "agent"), ("ann", "operator"), ("vera", "viewer"), ("hub", "hub")];

fn guide() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fleet-access.md");
    fs::read_to_string(guide).expect("the guide")
}

/// A block of the guide that begins with a word.
fn block(begin: &str) -> String {
    let text = guide();
    let begin = text.find(&format!("```conf\n{begin}")).expect("the guide shows it") + "```conf\n".len();
    let length = text[begin..].find("```").expect("an end");
    text[begin..begin + length].to_owned()
}

/// The accounts of the guide, and one of somebody else on the same server.
fn accounts() -> String {
    let other = "  SHOP: { jetstream: enabled, users: [ { user: mallory, password: secret } ] }\n}\n";
    let accounts = block("accounts");
    format!("{}{other}", accounts.trim_end().strip_suffix('}').expect("accounts end"))
}

/// Runs a fleet where everybody logs in as `login` says, and tries what each may and may not do.
fn check(nats: &NatsServer, login: impl Fn(&str) -> Vec<String>) {
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let run = |name: &str, arguments: &[&str]| {
        let mut command = nats.fleet();
        command.env("SUPERVISOR_FLEET_AS", name).args(arguments).args(login(name));
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (text, status.code().unwrap_or(-1))
    };
    let credentials = login("web1");
    let credentials: Vec<&str> = credentials.iter().map(String::as_str).collect();
    let _agent = nats.agent("web1", &daemon, &credentials);
    // The agent says what it waits for, and when that has come.
    let log = || fs::read_to_string(nats.path("web1.log")).unwrap_or_default();
    wait_until("the agent tells what is missing", || log().contains("runs `supervisor-fleet setup`"));
    let ready = "ready: bucket fleet, stream FLEET_EVENTS\n";
    assert_eq!(run("admin", &["setup"]), (ready.to_owned(), 0));
    wait_until("the agent goes on", || log().contains("$KV.fleet.presence.web1: stored"));
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
    let hub = login("hub");
    let hub: Vec<&str> = ["hub", "--listen", "127.0.0.1:0"].into_iter().chain(hub.iter().map(String::as_str)).collect();
    let hub = crate::hub::Hub::start_with(nats, &hub);
    wait_until("the hub shows the host", || hub.hosts("").to_string().contains("\"link\":\"connected\""));

    // A viewer may not operate, nobody may ask under another name, and an agent is no other host.
    let (text, status) = run("vera", &["restart", "web"]);
    assert!(text.contains("Permissions Violation") && status == 4, "{text}");
    let (text, status) = run("ann", &["restart", "web", "--as", "vera"]);
    assert!(status != 0, "{text}");
    let _impostor = nats.agent("web2", &daemon, &credentials);
    wait_until("the server refuses", || {
        fs::read_to_string(nats.path("web2.log")).unwrap_or_default().to_lowercase().contains("permissions violation")
    });
    assert!(!run("ann", &["status"]).0.contains("web2"));
    // Neither an agent nor a viewer makes or deletes anything, and an agent asks nobody.
    for name in ["web1", "vera", "hub"] {
        let (text, status) = run(name, &["setup"]);
        assert!(status != 0, "{name}: {text}");
    }
    assert_ne!(run("web1", &["status"]).1, 0);
    // Whoever has another account sees no host, whatever he may do there, and reaches none.
    let (text, status) = run("mallory", &["status"]);
    assert!(!text.contains("web1") && status != 0, "{text}");
    assert_eq!(run("mallory", &["setup"]).1, 0);
    let (text, status) = run("mallory", &["restart", "web", "-H", "web1"]);
    assert!(!text.contains("restarted") && status != 0, "{text}");
    assert_eq!(stub.actions().len(), 1, "only Ann has done something");
}

#[test]
fn passwords_give_everybody_the_rights_of_the_guide() {
    let nats = NatsServer::with(&accounts());
    let password = nats.path("password");
    fs::write(&password, "secret\n").expect("written");
    let password = password.display().to_string();
    check(&nats, |name| ["--user", name, "--password-file", &password].map(str::to_owned).to_vec());
    fs::write(nats.path("password"), "wrong\n").expect("written");
    let (text, status) = nats.ask(&["status", "--user", "ann", "--password-file", &password]);
    assert!(text.contains("authorization violation") && status == 4, "{text}");
}

#[test]
fn client_certificates_give_everybody_the_rights_of_the_guide() {
    let directory = tempfile::tempdir().expect("a directory");
    let names = ["localhost", "stranger", "mallory"].into_iter().chain(USERS.map(|(name, _)| name));
    certificate(directory.path(), "ca", None);
    names.for_each(|name| certificate(directory.path(), name, Some("ca")));
    let file = |name: &str| directory.path().join(name).display().to_string();
    let tls = block("tls")
        .replace("/etc/nats/server.crt", &file("localhost.crt"))
        .replace("/etc/nats/server.key", &file("localhost.key"))
        .replace("/etc/nats/ca.crt", &file("ca.crt"));
    let accounts = accounts().replace(", password: secret", "");
    assert!(!accounts.contains("secret"), "{accounts}");
    let nats = NatsServer::with(&format!("{accounts}{tls}"));
    let url = format!("tls://localhost:{}", nats.port);
    let login = |name: &str| {
        let [certificate, key] = ["crt", "key"].map(|kind| file(&format!("{name}.{kind}")));
        ["--nats", &url, "--ca", &file("ca.crt"), "--cert", &certificate, "--key", &key].map(str::to_owned).to_vec()
    };
    check(&nats, login);
    // A certificate is not enough: somebody must be known by its name.
    let (text, status) = nats
        .fleet()
        .arg("status")
        .args(login("stranger"))
        .output()
        .map(|output| (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code().unwrap_or(-1)))
        .expect("it runs");
    assert!(text.contains("authorization violation") && status == 4, "{text}");
}

#[test]
fn signed_credentials_give_everybody_the_rights_of_the_guide() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(&guide());
    let nats = NatsServer::with(&authority.configuration());
    let file = |name: &str| directory.path().join(format!("{name}.creds"));
    for (name, role) in USERS {
        fs::write(file(name), authority.credentials("FLEET", name, role)).expect("written");
    }
    fs::write(file("mallory"), authority.credentials("SHOP", "mallory", "")).expect("written");
    check(&nats, |name| ["--creds".to_owned(), file(name).display().to_string()].to_vec());
    // Pods share a user, and have names of their own.
    fs::write(file("pods"), authority.credentials("FLEET", "pods", "pods")).expect("written");
    let creds = |name: &str| ["--creds".to_owned(), file(name).display().to_string()];
    let daemon = format!("unix://{}", nats.path("sock").display());
    let _pod = nats.agent("web-7f9c-x1", &daemon, &creds("pods").each_ref().map(String::as_str));
    let status = [&["status".to_owned()], &creds("ann")[..]].concat();
    let status: Vec<&str> = status.iter().map(String::as_str).collect();
    wait_until("the pod answers", || nats.ask(&status).0.contains("web-7f9c-x1  web  RUNNING"));
    // Nobody gives himself credentials.
    fs::write(file("eve"), Authority::new(&guide()).credentials("FLEET", "eve", "operator")).expect("written");
    let (text, status) = nats.ask(&["status", "--creds", &file("eve").display().to_string()]);
    assert!(text.contains("authorization violation") && status == 4, "{text}");
}
