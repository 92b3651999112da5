//! Users of the servers: who is let in, and what each may see and do. The original knows one password that opens everything.

use serde_json::Value;

use crate::harness::{Daemon, Scene, Subject, http, only_ours, rpc};

/// The options these tests are about.
pub const PINNED: &[&str] =
    &["user password", "user token", "user uid", "user gid", "user role", "user programs", "supervisord audit_logfile"];

const PROGRAMS: &str = "[program:db]\ncommand=sh -c \"exec sleep 1000\" sh --password=hunter2\nstartsecs=0\n\
     [program:a]\ncommand=sleep 1000\nstartsecs=0\n[program:b]\ncommand=sleep 1000\nstartsecs=0\n\
     [group:web]\nprograms=a,b\n";

/// Of "thepassword", "t0ken" and others; the test of the forms of passwords is another one.
const USERS: &str = "[user:root]\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\nrole=admin\n\
     [user:vera]\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\n\
     [user:otto]\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\nrole=operator\nprograms=web:a\n\
     [user:bot]\ntoken={SHA256}b46c09677343261f0b439a472422225e3a230c9c094d6ab16762e2036b597053\nrole=operator\n";

fn scene() -> Scene {
    Scene::with("rights", &format!("[inet_http_server]\nport=127.0.0.1:{{port}}\n{PROGRAMS}{USERS}"))
}

/// The answer to a request of a user; of nobody without a name.
fn ask(daemon: &Daemon, user: Option<&str>, verb: &str, path: &str, body: &str) -> http::Response {
    let mut headers = vec!["Host: h".to_owned(), "Content-Type: text/xml".to_owned()];
    headers.extend(user.map(|user| http::basic(user, "thepassword")));
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let mut stream = http::tcp(daemon.ports[0]).expect("it listens");
    http::request(&mut *stream, verb, path, &headers, body.as_bytes()).expect("an answer")
}

/// The result of a method, or the text of the fault.
fn call(daemon: &Daemon, user: &str, method: &str, parameters: &[rpc::Value]) -> Result<rpc::Value, String> {
    let response = ask(daemon, Some(user), "POST", "/RPC2", &rpc::encode(method, parameters));
    rpc::decode(&response.text()).expect("a document").map_err(|fault| fault.1)
}

fn names(daemon: &Daemon, user: &str) -> Vec<String> {
    let response = ask(daemon, Some(user), "GET", "/api/v1/programs", "");
    let list: Value = serde_json::from_slice(&response.body).expect("JSON");
    let programs = list["programs"].as_array().expect("programs").iter();
    programs.map(|program| format!("{}:{}", program["group"], program["name"]).replace('"', "")).collect()
}

fn check(daemon: &mut Daemon) {
    for path in
        ["/", "/RPC2", "/api/v1/programs", "/logtail/db", "/mainlogtail", "/api/v1/events", "/ok.html", "/tail.html"]
    {
        let response = ask(daemon, None, "GET", path, "");
        assert_eq!(response.status(), 401, "{path}");
        assert!(response.header("www-authenticate").is_some());
        assert_eq!(ask(daemon, Some("nobody"), "GET", path, "").status(), 401, "{path}");
    }
    for (token, status) in [("t0ken", 200), ("token", 401)] {
        let mut stream = http::tcp(daemon.ports[0]).expect("it listens");
        let headers = ["Host: h", &format!("Authorization: Bearer {token}")];
        let response = http::request(&mut *stream, "GET", "/api/v1/daemon", &headers, b"").expect("an answer");
        assert_eq!(response.status(), status);
    }
    assert_eq!(names(daemon, "vera"), ["db:db", "web:a", "web:b"]);
    assert_eq!(names(daemon, "otto"), ["web:a"]);
    let stop = |name: &str| ("supervisor.stopProcess", [rpc::Value::Text(name.to_owned())]);
    let (method, parameters) = stop("db");
    let refused = call(daemon, "vera", method, &parameters).expect_err("a fault");
    assert!(refused.starts_with("FAILED: user 'vera' via XML-RPC from 127.0.0.1:"), "{refused}");
    assert!(refused.ends_with(" may not operate"), "{refused}");
    assert_eq!(call(daemon, "otto", method, &parameters).expect_err("a fault"), "BAD_NAME: db");
    let (method, parameters) = stop("web:a");
    call(daemon, "otto", method, &parameters).expect("it stops");
    assert_eq!(daemon.state_of("web:a"), "STOPPED");
    let started = call(daemon, "otto", "supervisor.startAllProcesses", &[]).expect("statuses");
    assert_eq!(started.items().len(), 1, "{started:?}");
    for method in ["supervisor.shutdown", "supervisor.reloadConfig", "supervisor.readLog"] {
        let parameters =
            if method.ends_with("Log") { vec![rpc::Value::Int(0), rpc::Value::Int(0)] } else { Vec::new() };
        let refused = call(daemon, "otto", method, &parameters).expect_err("a fault");
        assert!(refused.contains("user 'otto'") && refused.contains(" may not "), "{refused}");
    }
    let told = format!("{:?}", call(daemon, "vera", "supervisor.getAllConfigInfo", &[]).expect("options"));
    assert!(told.contains("sh ...") && !told.contains("hunter2"), "{told}");
    let told = format!("{:?}", call(daemon, "root", "supervisor.getAllConfigInfo", &[]).expect("options"));
    assert!(told.contains("hunter2"), "{told}");
    let page = ask(daemon, Some("otto"), "GET", "/", "").text();
    assert!(page.contains("web:a") && !page.contains("web:b") && !page.contains(">db<"), "{page}");
    assert_eq!(ask(daemon, Some("otto"), "GET", "/logtail/db", "").status(), 404);
    assert_eq!(ask(daemon, Some("otto"), "GET", "/api/v1/programs/db/db", "").status(), 404);
    assert_eq!(ask(daemon, Some("otto"), "GET", "/api/v1/programs/db/db/why", "").status(), 404);
    assert_eq!(ask(daemon, Some("otto"), "GET", "/mainlogtail", "").status(), 403);
}

#[test]
fn users_see_and_do_what_is_theirs_through_kill_9_upgrade_and_reread() {
    only_ours(|| {
        let mut daemon = scene().start(Subject::Ours);
        daemon.wait_for_states(&["db", "web:a", "web:b"], "RUNNING");
        check(&mut daemon);
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        daemon.wait_for_state("db", "RUNNING");
        check(&mut daemon);
        daemon.crash();
        daemon.start_again();
        check(&mut daemon);
        assert_eq!(daemon.ctl(&["reread"]).code, 0);
        check(&mut daemon);
    });
}

/// The lines of the audit log.
fn audit(daemon: &Daemon) -> Vec<Value> {
    let text = std::fs::read_to_string(daemon.path("audit.log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn requests_that_change_something_or_are_refused_are_audited() {
    only_ours(|| {
        let text = format!(
            "[inet_http_server]\nport=127.0.0.1:{{port}}\n{PROGRAMS}{USERS}[supervisord]\naudit_logfile={{dir}}/audit.log\n"
        );
        let mut daemon = Scene::with("audit", &text).start(Subject::Ours);
        daemon.wait_for_states(&["db", "web:a", "web:b"], "RUNNING");
        let name = |name: &str| [rpc::Value::Text(name.to_owned())];
        call(&daemon, "otto", "supervisor.stopProcess", &name("web:a")).expect("it stops");
        call(&daemon, "vera", "supervisor.stopProcess", &name("db")).expect_err("a fault");
        call(&daemon, "otto", "supervisor.stopProcess", &name("db")).expect_err("a fault");
        call(&daemon, "otto", "supervisor.getAllProcessInfo", &[]).expect("a list");
        let stdin = [rpc::Value::Text("db".to_owned()), rpc::Value::Text("s3cret".to_owned())];
        call(&daemon, "root", "supervisor.sendProcessStdin", &stdin).expect("it is written");
        assert_eq!(ask(&daemon, Some("mallory"), "GET", "/", "").status(), 401);
        assert_eq!(ask(&daemon, None, "GET", "/", "").status(), 401);
        assert_eq!(daemon.ctl(&["stop", "all"]).code, 0);
        daemon.wait_until("everything is written", |daemon| audit(daemon).len() >= 6);
        let told: Vec<_> = audit(&daemon)
            .iter()
            .map(|line| {
                let of = |member: &str| line[member].as_str().unwrap_or("-").to_owned();
                format!("{} {} {} {}", of("user"), of("way"), of("request"), of("result"))
            })
            .collect();
        let expected = [
            "otto xml-rpc stop 'web:a' done",
            "vera xml-rpc stop 'db' refused",
            "otto xml-rpc stop 'db' refused",
            "root xml-rpc write 6 bytes to stdin of 'db' done",
            "- xml-rpc log in as 'mallory' refused",
            "- xml-rpc stop all done",
        ];
        assert_eq!(told[..5], expected[..5]);
        assert!(told[5..].iter().any(|line| line.starts_with("- xml-rpc stop")), "{told:?}");
        assert!(!std::fs::read_to_string(daemon.path("audit.log")).expect("a log").contains("s3cret"));
    });
}
