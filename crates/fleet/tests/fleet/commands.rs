//! No command is executed twice, or after its deadline, whatever is sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::Client;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::harness::proxy::Proxy;
use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, Running, wait_until};

/// Somebody who sends what he likes.
struct Sender {
    runtime: Runtime,
    client: Client,
}

impl Sender {
    fn to(nats: &NatsServer) -> Sender {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async_nats::connect(nats.url())).expect("a connection");
        Sender { runtime, client }
    }

    /// The last answer to a request; none where there is none in time.
    fn send(&self, subject: &str, message: Vec<u8>, limit: Duration) -> Option<Value> {
        self.runtime.block_on(async {
            use futures_util::StreamExt;
            let inbox = self.client.new_inbox();
            let mut answers = self.client.subscribe(inbox.clone()).await.expect("subscribed");
            self.client.publish_with_reply(subject.to_owned(), inbox, message.into()).await.expect("published");
            loop {
                let answer = tokio::time::timeout(limit, answers.next()).await.ok()??;
                let answer: Value = serde_json::from_slice(&answer.payload).ok()?;
                if answer["answer"] != "accepted" {
                    return Some(answer);
                }
            }
        })
    }

    fn reason(&self, subject: &str, message: &Value) -> String {
        let answer = self.send(subject, message.to_string().into(), Duration::from_secs(30)).expect("an answer");
        answer["reason"].as_str().map_or_else(|| answer["answer"].to_string(), str::to_owned)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn stop(id: char, deadline: u64) -> Value {
    json!({"id": id.to_string().repeat(32), "deadline": deadline, "verb": "stop", "select": ["web"]})
}

const SUBJECT: &str = "fleet.do.operator.ann.h";

#[test]
fn a_command_is_executed_once_and_not_late() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let mut agent = nats.agent("h", &daemon, &[]);
    nats.wait_for_hosts(1);
    let sender = Sender::to(&nats);
    let soon = now() + 60_000;
    for _ in 0..3 {
        assert_eq!(sender.reason(SUBJECT, &stop('a', soon)), "\"done\"");
    }
    assert_eq!(sender.reason(SUBJECT, &stop('b', now() - 1)), "expired");
    assert_eq!(sender.reason(SUBJECT, &stop('c', now() + 3_600_000)), "too_far");
    assert_eq!(sender.reason("fleet.do.viewer.ann.h", &stop('d', soon)), "not_permitted");
    assert_eq!(stub.actions().len(), 1);

    // The agent dies while the daemon does it.
    stub.hold(true);
    let begun = sender.send(SUBJECT, stop('e', soon).to_string().into(), Duration::from_millis(1));
    assert_eq!(begun, None);
    wait_until("the daemon is asked", || stub.actions().len() == 2);
    assert_eq!(sender.reason(SUBJECT, &stop('e', soon)), "in_progress");
    agent.kill();
    let _next = nats.agent("h", &daemon, &[]);
    stub.hold(false);
    nats.wait_for_hosts(1);
    assert_eq!(sender.reason(SUBJECT, &stop('e', soon)), "in_doubt");
    assert_eq!(sender.reason(SUBJECT, &stop('a', soon)), "\"done\"");
    assert_eq!(stub.actions().len(), 2);
}

#[test]
fn what_has_begun_is_not_refused_when_it_comes_again() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let _agent = nats.agent("h", &format!("unix://{}", nats.path("sock").display()), &[]);
    nats.wait_for_hosts(1);
    let sender = Sender::to(&nats);
    let soon = now() + 60_000;
    stub.hold(true);
    assert_eq!(sender.send(SUBJECT, stop('a', soon).to_string().into(), Duration::from_millis(1)), None);
    wait_until("the daemon is asked", || stub.actions().len() == 1);
    // From now on the daemon cannot be asked for anything else.
    std::fs::remove_file(nats.path("sock")).expect("removed");
    assert_eq!(sender.reason(SUBJECT, &stop('a', soon)), "in_progress");
    assert_eq!(sender.reason(SUBJECT, &stop('b', soon)), "no_daemon");
    stub.hold(false);
    wait_until("it is done", || sender.reason(SUBJECT, &stop('a', soon)) == "\"done\"");
}

#[test]
fn what_the_network_delays_is_done_once_or_not_at_all() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let proxy = Proxy::to(nats.port);
    let _agent = nats.agent_by(&format!("nats://127.0.0.1:{}", proxy.port), "h", &daemon, &[]);
    nats.wait_for_hosts(1);
    let sender = Sender::to(&nats);
    let (late, soon) = (now() + 1_000, now() + 120_000);
    proxy.delay(true);
    let shortly = Duration::from_millis(1);
    assert_eq!(sender.send(SUBJECT, stop('a', late).to_string().into(), shortly), None);
    for _ in 0..5 {
        assert_eq!(sender.send(SUBJECT, stop('b', soon).to_string().into(), shortly), None);
    }
    wait_until("the deadline is over", || now() > late);
    proxy.delay(false);
    assert_eq!(sender.reason(SUBJECT, &stop('c', soon)), "\"done\"");
    wait_until("all have come", || sender.reason(SUBJECT, &stop('b', soon)) == "\"done\"");
    assert_eq!(sender.reason(SUBJECT, &stop('a', late)), "expired");
    assert_eq!(stub.actions().len(), 2, "one of five, and the last");
}

/// Stops a process, or has it go on.
fn signal(agent: &Running, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, &agent.0.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{signal}");
}

#[test]
fn commands_that_come_together_begin_in_their_order() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    // The agent lists programs before it acts, because it must not stop itself.
    let own = [("SUPERVISOR_GROUP_NAME", "agent"), ("SUPERVISOR_PROCESS_NAME", "agent")];
    let agent = nats.agent_with(&own, "h", &daemon, &[]);
    nats.wait_for_hosts(1);
    let sender = Sender::to(&nats);
    let soon = now() + 120_000;
    let selected = |number: usize| json!([format!("program{number}")]);
    signal(&agent, "-STOP");
    // None of them is done before all have begun.
    stub.hold(true);
    sender.runtime.block_on(async {
        for number in 0..20 {
            let mut command = stop('0', soon);
            (command["id"], command["select"]) = (json!(format!("{number:032x}")), selected(number));
            for _ in 0..3 {
                let (subject, inbox) = (SUBJECT.to_owned(), sender.client.new_inbox());
                let sent = sender.client.publish_with_reply(subject, inbox, command.to_string().into());
                sent.await.expect("published");
            }
        }
        sender.client.flush().await.expect("sent");
    });
    signal(&agent, "-CONT");
    wait_until("all have begun", || stub.actions().len() == 20);
    stub.hold(false);
    let begun: Vec<Value> = stub.actions().iter().map(|action| action["select"].clone()).collect();
    assert_eq!(begun, (0..20).map(selected).collect::<Vec<_>>());
}

#[test]
fn who_asks_again_while_an_answer_takes_its_time_is_not_too_many() {
    let nats = NatsServer::start();
    let _stub = StubDaemon::listen(&nats.path("sock"));
    let _agent = nats.agent("h", &format!("unix://{}", nats.path("sock").display()), &[]);
    nats.wait_for_hosts(1);
    let sender = Sender::to(&nats);
    let status = json!({"id": "a".repeat(32), "deadline": now() + 60_000, "verb": "status"});
    let answer = sender.runtime.block_on(async {
        use futures_util::StreamExt;
        let inbox = sender.client.new_inbox();
        let mut answers = sender.client.subscribe(inbox.clone()).await.expect("subscribed");
        for _ in 0..100 {
            let (subject, message) = (SUBJECT.to_owned(), status.to_string());
            let sent = sender.client.publish_with_reply(subject, inbox.clone(), message.into());
            sent.await.expect("published");
        }
        sender.client.flush().await.expect("sent");
        tokio::time::timeout(Duration::from_secs(30), answers.next()).await.expect("in time").expect("an answer")
    });
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(answer["answer"], "done", "{answer}");
}

#[test]
fn an_agent_begins_on_a_full_disk_and_complains_once() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let state = nats.path("h.state");
    std::fs::create_dir(&state).expect("a directory");
    let doubtful = stop('a', now() + 60_000);
    let begun = json!({"entry": "begun", "id": doubtful["id"], "deadline": doubtful["deadline"]});
    std::fs::write(state.join("commands"), format!("{begun}\n")).expect("written");
    for name in ["commands.new", "events.new"] {
        std::os::unix::fs::symlink("/dev/full", state.join(name)).expect("a link");
    }
    let _agent = nats.agent("h", &format!("unix://{}", nats.path("sock").display()), &[]);
    nats.wait_for_hosts(1);
    let mut number = 0;
    wait_until("events pass", || {
        number += 1;
        stub.happen(number);
        nats.ask(&["events"]).0.lines().count() > 5
    });
    let log = std::fs::read_to_string(nats.path("h.log")).expect("a log");
    assert_eq!(log.matches("cannot write commands down in ").count(), 1, "{log}");
    assert_eq!(log.matches("how far the events are: No space left on device").count(), 1, "{log}");
    // There is room again, and what was written before is known.
    let sender = Sender::to(&nats);
    assert_eq!(sender.reason(SUBJECT, &doubtful), "in_doubt");
    assert_eq!(sender.reason(SUBJECT, &stop('b', now() + 60_000)), "\"done\"");
}

#[test]
fn what_nobody_waits_for_any_more_is_not_done() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let agent = nats.agent("h", &format!("unix://{}", nats.path("sock").display()), &[]);
    nats.wait_for_hosts(1);
    signal(&agent, "-STOP");
    let (text, status) = nats.ask(&["stop", "web", "--timeout", "1"]);
    let told = "h    ERROR (no answer: it may have been done, and does not begin later)\n";
    assert_eq!((text.as_str(), status), (told, 1));
    signal(&agent, "-CONT");
    assert_eq!(nats.ask(&["restart", "web"]).1, 0);
    let actions: Vec<Value> = stub.actions().iter().map(|action| action["action"].clone()).collect();
    assert_eq!(actions, ["restart"]);
}

#[test]
fn what_a_hostile_peer_sends_is_refused_and_the_agent_goes_on() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let mut agent = nats.agent("h", &daemon, &[]);
    nats.wait_for_hosts(1);
    let sender = Sender::to(&nats);
    let soon = now() + 60_000;
    let mut many = stop('a', soon);
    many["select"] = json!(vec!["x"; 100]);
    let mut path = stop('a', soon);
    path["id"] = json!("../../../etc/passwd/0123456789ab");
    let mut header = stop('f', soon);
    header["select"] = json!(["web HTTP/1.1\r\nX: y"]);
    for message in [json!(null), json!([]), json!({"verb": "stop"}), many, path] {
        assert_eq!(sender.reason(SUBJECT, &message), "malformed", "{message}");
    }
    assert_eq!(sender.reason("fleet.do.root.ann.h", &stop('a', soon)), "malformed");
    let garbage = sender.send(SUBJECT, vec![0xff; 1 << 20], Duration::from_secs(30)).expect("an answer");
    assert_eq!(garbage["reason"], "malformed");
    let deep = "[".repeat(500_000).into_bytes();
    assert_eq!(sender.send(SUBJECT, deep, Duration::from_secs(30)).expect("an answer")["reason"], "malformed");
    // What is said in the name of hosts reaches whoever looks, and harms nobody.
    sender.runtime.block_on(async {
        for (subject, text) in [
            ("$KV.fleet.presence.evil", "{\"boot\":1}"),
            ("$KV.fleet.inventory.evil", "[[[["),
            ("$KV.fleet.other.evil", "x"),
            ("fleet.event.evil", "{\"events\":[{\"id\":\"\\u001b[2J\",\"event\":\"gap\",\"data\":7}]}"),
        ] {
            sender.client.publish(subject, text.into()).await.expect("published");
        }
        sender.client.flush().await.expect("sent");
    });
    assert_eq!(stub.actions().len(), 0);
    assert_eq!(sender.reason(SUBJECT, &header), "\"done\"", "a selector is text for the daemon");
    assert_eq!(nats.ask(&["status"]), ("h  web  RUNNING  pid 7\n".to_owned(), 0));
    let (events, status) = nats.ask(&["events"]);
    assert!(events.contains("evil  events are missing here") && !events.contains('\u{1b}') && status == 0, "{events}");
    assert!(agent.0.try_wait().expect("a status").is_none(), "the agent lives");
}
