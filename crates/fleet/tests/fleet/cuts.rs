//! Servers that are killed, networks that are cut: what comes back, and that nothing is lost or told twice.

use std::time::Duration;

use serde_json::Value;

use crate::harness::proxy::Proxy;
use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, RealDaemon, wait_until};
use crate::hub::Hub;

/// The ids of all events on the stream.
fn told(nats: &NatsServer) -> Vec<String> {
    let (text, status) = nats.ask(&["events", "--json", "--since", "86400"]);
    assert_eq!(status, 0, "{text}");
    let id = |line: &str| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned);
    text.lines().filter_map(id).collect()
}

fn ids(numbers: std::ops::RangeInclusive<u64>) -> Vec<String> {
    numbers.map(|number| format!("b-{number}")).collect()
}

#[test]
fn a_server_that_comes_back_has_every_event_once() {
    let mut nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let mut agent = nats.agent("h", &daemon, &[]);
    nats.wait_for_hosts(1);
    // The agent reads from the present on: the first events tell that it does.
    let mut first = 0;
    wait_until("events pass", || {
        first += 1;
        stub.happen(first);
        std::thread::sleep(Duration::from_millis(100));
        !told(&nats).is_empty()
    });
    let hub = Hub::start(&nats, &[]);
    let seen = || hub.hosts("")["hosts"][0]["seen"].as_f64().unwrap_or(0.0);
    wait_until("the hub shows the host", || seen() > 0.0);
    let before = seen();
    (first + 1..=first + 100).for_each(|number| stub.happen(number));
    nats.kill();
    (first + 101..=first + 200).for_each(|number| stub.happen(number));
    nats.run();
    (first + 201..=first + 250).for_each(|number| stub.happen(number));
    wait_until("all are there", || told(&nats).last() == Some(&format!("b-{}", first + 250)));
    let all = told(&nats);
    assert_eq!(all[all.len() - 250..], ids(first + 1..=first + 250));
    nats.wait_for_hosts(1);
    wait_until("the hub sees it again", || seen() > before && hub.hosts("")["hosts"][0]["link"] == "connected");

    // So does an agent that is killed.
    agent.kill();
    (first + 251..=first + 300).for_each(|number| stub.happen(number));
    let _next = nats.agent("h", &daemon, &[]);
    wait_until("all are there", || told(&nats).last() == Some(&format!("b-{}", first + 300)));
    let all = told(&nats);
    assert_eq!(all[all.len() - 300..], ids(first + 1..=first + 300));
}

/// The ids of all events that a file holds.
fn written(file: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let id = |line: &str| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned);
    text.lines().filter_map(id).collect()
}

#[test]
fn who_follows_events_misses_none_when_the_server_forgets_him() {
    let mut nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let _agent = nats.agent("h", &format!("unix://{}", nats.path("sock").display()), &[]);
    nats.wait_for_hosts(1);
    let mut first = 0;
    wait_until("events pass", || {
        first += 1;
        stub.happen(first);
        std::thread::sleep(Duration::from_millis(100));
        !told(&nats).is_empty()
    });
    wait_until("all are there", || told(&nats).last() == Some(&format!("b-{first}")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Removes the consumers that are there, and says how many there were.
    let forget = |url: String| {
        runtime.block_on(async {
            use futures_util::TryStreamExt;
            let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.expect("a connection"));
            let stream = jetstream.get_stream("FLEET_EVENTS").await.expect("the stream");
            let names: Vec<String> = stream.consumer_names().try_collect().await.expect("the consumers");
            for name in &names {
                stream.delete_consumer(name).await.expect("deleted");
            }
            names.len()
        })
    };
    // Those of clients that have ended.
    forget(nats.url());
    let file = nats.path("followed");
    let output = std::fs::File::create(&file).expect("a file");
    let follow = nats.fleet().args(["events", "-f", "--json"]).stdout(output).spawn();
    let _following = crate::harness::Running(follow.expect("it runs"));
    // It has had no event yet: those from before are not told now.
    wait_until("somebody follows", || forget(nats.url()) > 0);
    (first + 1..=first + 70).for_each(|number| stub.happen(number));
    wait_until("all are told", || written(&file).last() == Some(&format!("b-{}", first + 70)));
    assert_eq!(written(&file), ids(first + 1..=first + 70));
    nats.kill();
    (first + 71..=first + 140).for_each(|number| stub.happen(number));
    nats.run();
    wait_until("all are told", || written(&file).last() == Some(&format!("b-{}", first + 140)));
    assert_eq!(written(&file), ids(first + 1..=first + 140));
}

#[test]
fn views_recover_from_a_cut_network() {
    let nats = NatsServer::start();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let proxy = Proxy::to(nats.port);
    let url = format!("nats://127.0.0.1:{}", proxy.port);
    let mut far = nats.agent_by(&url, "far", &daemon, &[]);
    let _near = nats.agent("near", &daemon, &[]);
    nats.wait_for_hosts(2);
    proxy.cut();
    let (text, status) = nats.ask(&["stop", "web", "--timeout", "2"]);
    assert!(text.contains("near  web:  stopped") && text.contains("far") && text.contains("no answer"), "{text}");
    assert_eq!(status, 1);
    let before = stub.actions().len();
    stub.happen(1);
    proxy.mend();
    nats.wait_for_hosts(2);
    assert!(far.0.try_wait().expect("a status").is_none(), "the agent lives");
    // What was asked for while the network was cut is not done later.
    assert_eq!(stub.actions().len(), before);
    assert_eq!(nats.ask(&["restart", "web", "-H", "far"]).1, 0);
}

/// A program that notes each start, and takes a moment to stop; and one that nobody touches.
const COUNTED: &str = "
[program:counted]
command=sh -c 'trap \"sleep 0.3; exit 0\" TERM; echo $$ >> {dir}/starts; while :; do sleep 0.1; done'
startsecs=0
[program:steady]
command=sleep 1000
startsecs=0
";

/// Real programs on both ends: a client that restarts a program, while the server, the network or the agent fails in the middle.
#[test]
fn no_restart_is_done_twice_whatever_fails_meanwhile() {
    let mut nats = NatsServer::start();
    let daemon = RealDaemon::start(COUNTED);
    let proxy = Proxy::to(nats.port);
    let url = format!("nats://127.0.0.1:{}", proxy.port);
    let mut agent = nats.agent_by(&url, "h", &daemon.url(), &[]);
    nats.wait_for_hosts(1);
    let starts = || daemon.read("starts").lines().count();
    let steady = |nats: &NatsServer| nats.ask(&["status", "steady"]).0.split(',').next().unwrap_or_default().to_owned();
    wait_until("it has started", || starts() == 1);
    let before = steady(&nats);
    assert!(before.contains("RUNNING  pid "), "{before}");
    let (mut done, mut unknown) = (0, 0);
    for round in 0..12 {
        let known = starts();
        let mut client = nats.fleet();
        client.args(["restart", "counted", "--timeout", "60"]).stdout(std::process::Stdio::piped());
        let client = client.stderr(std::process::Stdio::piped()).spawn().expect("it runs");
        // Failures fall before, within and after what the agent does.
        std::thread::sleep(Duration::from_millis(60 * (round / 4) + 20));
        match round % 4 {
            0 => {
                nats.kill();
                nats.run();
            }
            1 => {
                proxy.cut();
                std::thread::sleep(Duration::from_millis(300));
                proxy.mend();
            }
            2 => {
                agent.kill();
                agent = nats.agent_by(&url, "h", &daemon.url(), &[]);
            }
            _ => {
                proxy.delay(true);
                std::thread::sleep(Duration::from_millis(700));
                proxy.delay(false);
            }
        }
        let output = client.wait_with_output().expect("it ends");
        nats.wait_for_hosts(1);
        wait_until("the daemon has finished, and the program has noted its start", || {
            let noted = daemon.read("starts").lines().last().unwrap_or_default().to_owned();
            nats.ask(&["status", "counted"]).0.contains(&format!("  RUNNING  pid {noted},"))
        });
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if told == "h  counted:  restarted\n" {
            done += 1;
            assert_eq!(starts(), known + 1, "round {round}: {told}");
        } else {
            // Whoever is told nothing, or that it is in doubt, has to look.
            unknown += 1;
            assert!(starts() <= known + 1, "round {round}: {told}");
        }
    }
    let all = starts() - 1;
    assert!(done <= all && all <= done + unknown, "{all} restarts, {done} of them told, {unknown} unknown");
    assert!(done >= 6, "most get through: {done} have been told, {unknown} are unknown");
    assert_eq!(steady(&nats), before, "local supervision has noticed nothing");
}
