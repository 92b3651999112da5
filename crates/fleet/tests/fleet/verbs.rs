//! The verbs, with real daemons.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, RealDaemon, wait_until};

const PROGRAMS: &str = "[program:web]\ncommand=sh -c 'echo hello; exec sleep 1000'\nprocess_name=web_%(process_num)d\n\
     numprocs=2\nstartsecs=0\nstdout_logfile={dir}/%(program_name)s_%(process_num)d.log\n";

#[test]
fn the_verbs_work_over_hosts() {
    let nats = NatsServer::start();
    let bad = "[program:bad]\ncommand=sh -c 'echo no data >&2; exit 3'\nstartretries=0\nstderr_logfile={dir}/bad.err\n";
    let (web, db) = (RealDaemon::start(PROGRAMS), RealDaemon::start(&format!("{PROGRAMS}{bad}")));
    let _agents = [
        nats.agent("web1.example.com", &web.url(), &["--label", "role=web"]),
        nats.agent("db1", &db.url(), &["--label", "role=db"]),
    ];
    nats.wait_for_hosts(2);
    wait_until("the bad program is given up", || nats.ask(&["why", "bad"]).0.contains("bad is FATAL"));

    let (text, status) = nats.ask(&["status"]);
    let columns: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(
        columns,
        [
            ["db1", "bad", "FATAL"],
            ["db1", "web:web_0", "RUNNING"],
            ["db1", "web:web_1", "RUNNING"],
            ["web1.example.com", "web:web_0", "RUNNING"],
            ["web1.example.com", "web:web_1", "RUNNING"],
        ]
    );
    assert_eq!(status, 3);
    assert_eq!(nats.ask(&["status", "-H", "role=web"]).1, 0);
    let (text, status) = nats.ask(&["why", "bad"]);
    assert!(text.starts_with("db1  bad is FATAL") && text.contains("no data"), "{text}");
    assert_eq!(status, 0);
    let (text, status) = nats.ask(&["health"]);
    assert!(text.starts_with("db1  bad: FATAL: exit status 3") && status == 1, "{text}");
    let (text, status) = nats.ask(&["health", "-H", "web*", "--json"]);
    assert_eq!((serde_json::from_str::<Value>(&text).expect("JSON")["healthy"].as_bool(), status), (Some(true), 0));

    let (text, status) = nats.ask(&["stop", "-H", "db1", "web:web_1"]);
    assert_eq!((text.as_str(), status), ("db1  web:web_1:  stopped\n", 0));
    let (text, status) = nats.ask(&["start", "all", "-H", "db*"]);
    assert!(text.contains("db1  bad:        ERROR (") && text.contains("db1  web:web_1:  started\n"), "{text}");
    assert_eq!(status, 1);
    let (text, status) = nats.ask(&["restart", "web:*", "--rolling", "--batch", "50%"]);
    assert_eq!(
        (text.matches(": restarted").count(), text.matches(":  restarted").count(), status),
        (0, 4, 0),
        "{text}"
    );
    let (text, status) = nats.ask(&["disable", "-H", "db1", "web:web_1"]);
    assert_eq!((text.as_str(), status), ("db1  web:web_1:  disabled\n", 0));
    let (text, status) = nats.ask(&["start", "-H", "db1", "web:web_1"]);
    assert!(text.contains("ERROR (web:web_1: disabled by ") && status == 1, "{text}");
    let (text, status) = nats.ask(&["enable", "-H", "db1", "web:*"]);
    assert_eq!((text.as_str(), status), ("db1  web:web_0:  enabled\ndb1  web:web_1:  enabled\n", 0));
    assert_eq!(nats.ask(&["start", "-H", "db1", "web:web_1"]).1, 0);
    let (text, status) = nats.ask(&["scale", "-H", "role=web", "web=+1"]);
    assert_eq!((text.as_str(), status), ("web1.example.com  web:web_2:  added\n", 0));
    let (text, status) = nats.ask(&["scale", "web=2"]);
    assert_eq!(
        (text.as_str(), status),
        ("db1                           has so many already\nweb1.example.com  web:web_2:  removed\n", 0)
    );
    // The first batch is not well: the second is left alone.
    let (text, status) = nats.ask(&["restart", "all", "--rolling", "--settle", "1"]);
    assert!(text.contains("db1  bad:        ERROR") && text.ends_with("not restarted: web1.example.com\n"), "{text}");
    assert_eq!(status, 1);
    // Hosts without the program are left out, in whatever batch they are; where none has it, that is an error.
    for batch in ["1", "2"] {
        let (text, status) = nats.ask(&["restart", "web:web_1", "-H", "*", "--rolling", "--batch", batch]);
        assert!(text.matches(":  restarted\n").count() == 2 && status == 0, "{text}");
        let (text, status) = nats.ask(&["restart", "bad", "--rolling", "--batch", batch]);
        assert!(text.starts_with("db1  bad:  ERROR") && !text.contains("web1") && status == 1, "{text}");
        let (text, status) = nats.ask(&["restart", "nosuch", "--rolling", "--batch", batch]);
        assert!(text.matches("no program is named nosuch").count() == 2 && status == 1, "{text}");
    }
    // Whoever forgets --rolling does not restart all hosts at once.
    for option in ["--batch", "--settle"] {
        let (text, status) = nats.ask(&["restart", "web:*", option, "1"]);
        assert!(
            text.contains(&format!("{option} is for batches of hosts: write --rolling, too")) && status == 2,
            "{text}"
        );
    }
    let (text, status) = nats.ask(&["stop", "nosuch"]);
    assert!(text.matches("no program is named nosuch").count() == 2 && status == 1, "{text}");
    let (text, status) = nats.ask(&["status", "-H", "nosuch"]);
    assert!(text.contains("no host is selected; the fleet has 2") && status == 1, "{text}");

    // Who has no name for the server has that of the system.
    let mut nameless = nats.fleet();
    for variable in ["USER", "LOGNAME", "SUPERVISOR_FLEET_AS"] {
        nameless.env_remove(variable);
    }
    assert!(nameless.args(["restart", "-H", "db1", "web:web_0"]).output().expect("it runs").status.success());
    let who = Command::new("id").arg("-un").output().expect("it runs");
    let who = String::from_utf8_lossy(&who.stdout).trim().to_owned();
    assert!(db.read("audit").contains(&format!("\"on_behalf_of\":\"{who}\"")), "{}", db.read("audit"));

    // The client of the daemon hands over.
    let mut ctl = std::process::Command::new(crate::harness::beside("supervisorctl"));
    ctl.env("SUPERVISOR_FLEET_NATS", nats.url()).env("SUPERVISOR_FLEET_AS", "ann");
    let told = ctl.args(["--fleet", "-H", "role=web", "status", "web:web_0"]).output().expect("it runs");
    assert!(
        String::from_utf8_lossy(&told.stdout).starts_with("web1.example.com  web:web_0  RUNNING  pid "),
        "{told:?}"
    );

    let (text, _) = nats.ask(&["logs", "-H", "web1*", "web:web_0"]);
    assert!(text.lines().all(|line| line == "web1.example.com  web:web_0  hello") && !text.is_empty(), "{text}");
    wait_until("the events are on the stream", || {
        let (text, _) = nats.ask(&["events", "-H", "db1"]);
        text.contains("db1  web:web_1: STOPPING -> STOPPED\n") && !text.contains("web1.example.com")
    });
}

#[test]
fn an_interrupted_restart_tells_how_far_it_has_come() {
    let nats = NatsServer::start();
    let stubs = ["a", "b", "c"].map(|host| StubDaemon::listen(&nats.path(&format!("{host}.sock"))));
    let _agents = ["a", "b", "c"].map(|host| {
        let daemon = format!("unix://{}", nats.path(&format!("{host}.sock")).display());
        nats.agent(host, &daemon, &[])
    });
    nats.wait_for_hosts(3);
    stubs[1].hold(true);
    for (more, told) in [
        (None, "interrupted; asked to restart, not known to be healthy: b; not restarted: c\n"),
        (Some("--json"), "{\"interrupted\":true,\"not_restarted\":[\"c\"],\"unfinished\":[\"b\"]}\n"),
    ] {
        let before = stubs[1].actions().len();
        let mut client = nats.fleet();
        let client = client.args(["restart", "web", "--rolling"]).args(more).stdout(Stdio::piped()).spawn();
        let client = client.expect("it runs");
        wait_until("the second host is asked", || stubs[1].actions().len() > before);
        let sent = Command::new("kill").args(["-INT", &client.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let output = client.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.ends_with(told) && text.lines().count() == 2, "{text}");
        assert_eq!(output.status.code(), Some(1));
    }
    assert!(stubs[2].actions().is_empty());
    // So does a restart of all at once.
    let before = stubs[1].actions().len();
    let mut client = nats.fleet();
    client.args(["restart", "web"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = client.spawn().expect("it runs");
    wait_until("all are asked", || stubs[1].actions().len() > before && !stubs[2].actions().is_empty());
    let sent = Command::new("kill").args(["-INT", &client.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let output = client.wait_with_output().expect("it ends");
    let (text, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().any(|line| line.starts_with("b ") && line.contains("ERROR (")), "{text}");
    assert_eq!((text.lines().count(), output.status.code()), (3, Some(1)), "{text}");
    assert_eq!(told, "interrupted; hosts that have not answered may still do it\n");
    stubs[1].hold(false);
}

#[test]
fn followed_logs_and_events_come_as_they_happen() {
    let nats = NatsServer::start();
    let loud = "[program:loud]\ncommand=sh -c 'i=0; while read line; do echo got $line; done'\nstartsecs=0\n\
                stdout_logfile={dir}/loud.log\n";
    let daemon = RealDaemon::start(loud);
    let _agent = nats.agent("a", &daemon.url(), &[]);
    nats.wait_for_hosts(1);
    let follow = |arguments: &[&str], file: &str| {
        let output = fs::File::create(nats.path(file)).expect("a file");
        crate::harness::Running(nats.fleet().args(arguments).stdout(output).spawn().expect("it runs"))
    };
    let _following = [follow(&["logs", "-f", "loud"], "logs"), follow(&["events", "-f"], "events")];
    let log = daemon.directory.path().join("loud.log");
    let mut number = 0;
    wait_until("the line has come", || {
        number += 1;
        let mut file = fs::File::options().append(true).create(true).open(&log).expect("the log");
        std::io::Write::write_all(&mut file, format!("line {number}\n").as_bytes()).expect("written");
        nats.ask(&["restart", "loud"]);
        fs::read_to_string(nats.path("logs")).unwrap_or_default().contains("a  loud  line ")
            && fs::read_to_string(nats.path("events")).unwrap_or_default().contains("a  loud: STOPPING -> STOPPED")
    });
}

#[test]
fn why_explains_all_programs_or_says_how_many_it_does_not() {
    let nats = NatsServer::start();
    let many = "[program:many]\ncommand=sleep 1000\nautostart=false\nprocess_name=%(process_num)d\n\
                numprocs=503\n";
    let daemon = RealDaemon::start(many);
    let _agent = nats.agent("h", &daemon.url(), &[]);
    nats.wait_for_hosts(1);
    let (text, status) = nats.ask(&["why", "many:1*"]);
    assert_eq!((text.matches(" is STOPPED").count(), status), (111, 0), "{text}");
    assert!(!text.contains("not explained"), "{text}");
    let (text, status) = nats.ask(&["why"]);
    assert_eq!((text.matches(" is STOPPED").count(), status), (500, 0), "{text}");
    assert!(text.ends_with("h  3 more programs are not explained: name fewer\n"), "{text}");
}

#[test]
fn the_daemon_authorizes_and_audits_by_name() {
    let nats = NatsServer::start();
    let hash = |token: &str| {
        let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {token} | sha256sum")]).output();
        String::from_utf8_lossy(&output.expect("sha256sum runs").stdout)[..64].to_owned()
    };
    let user = |role: &str| {
        format!(
            "[user:fleet-{role}]\nrole={role}\nprograms=web:*\ntoken={{SHA256}}{}\n",
            hash(&format!("{role}-token"))
        )
    };
    let users = user("viewer") + &user("operator");
    let daemon = RealDaemon::start(&format!("{PROGRAMS}{users}"));
    for role in ["viewer", "operator"] {
        fs::write(nats.path(role), format!("{role}-token\n")).expect("written");
    }
    let token = |role: &str, file: &str| format!("{role}={}", nats.path(file).display());
    let (viewer, operator) = (token("viewer", "viewer"), token("operator", "operator"));
    let wrong = token("operator", "viewer");
    let _agents = [
        nats.agent("right", &daemon.url(), &["--token", &viewer, "--token", &operator]),
        nats.agent("reader", &daemon.url(), &["--token", &viewer]),
        nats.agent("wrong", &daemon.url(), &["--token", &viewer, "--token", &wrong]),
    ];
    nats.wait_for_hosts(3);
    let (text, status) = nats.ask(&["restart", "-H", "right", "web:web_0"]);
    assert_eq!((text.as_str(), status), ("right  web:web_0:  restarted\n", 0));
    let (text, status) = nats.ask(&["restart", "-H", "reader", "web:web_0"]);
    assert!(text.contains("no token for the role operator") && status == 1, "{text}");
    let (text, status) = nats.ask(&["restart", "-H", "wrong", "web:web_0"]);
    assert!(text.contains("user 'fleet-viewer' on behalf of 'ann'") && text.contains("may not operate"), "{text}");
    assert_eq!(status, 1);
    wait_until("it is written", || daemon.read("audit").lines().count() >= 2);
    let lines: Vec<Value> =
        daemon.read("audit").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {} {} {}", line["user"], line["on_behalf_of"], line["request"], line["result"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""fleet-operator" "ann" "restart 'web:web_0'" "done""#,
            r#""fleet-viewer" "ann" "restart 'web:web_0'" "refused""#,
        ]
    );
}
