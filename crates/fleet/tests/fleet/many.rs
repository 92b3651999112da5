//! Many agents at once. `FLEET_AGENTS=300 cargo test -p supervisord-fleet --test fleet many -- --nocapture` prints the figures.

use std::fs;
use std::time::Instant;

use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, wait_until};

/// How many take part when nobody says so.
const FEW: usize = 10;

/// The memory that is a process's own, in KiB.
fn own_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn many_agents_are_present_and_answer() {
    let count = std::env::var("FLEET_AGENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let nats = NatsServer::in_memory();
    let stub = StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let hub = crate::hub::Hub::start_with(&nats, &["hub", "--listen", "127.0.0.1:0"]);
    let begun = Instant::now();
    let agents: Vec<_> = (0..count).map(|number| nats.agent(&format!("h{number}"), &daemon, &[])).collect();
    let started = begun.elapsed();
    wait_until("the hub shows all", || hub.hosts("").to_string().matches("\"connected\"").count() == count);
    let present = begun.elapsed() - started;
    let asked = Instant::now();
    let (text, _) = nats.ask(&["status"]);
    let answered = asked.elapsed();
    assert_eq!(text.matches("  RUNNING").count(), count, "{text}");
    let asked = Instant::now();
    let (text, status) = nats.ask(&["restart", "all"]);
    let restarted = asked.elapsed();
    assert_eq!((text.matches("restarted").count(), status, stub.actions().len()), (count, 0, count));
    let most = agents.iter().map(|agent| own_memory(agent.0.id())).max().unwrap_or(0);
    let hub = own_memory(hub.pid());
    println!(
        "{count} agents: started in {started:?}, present {present:?} later, status in {answered:?}, restart in \
         {restarted:?}, an agent has {most} KiB of its own at the most, the hub {hub} KiB"
    );
    assert!(most < 8 << 10, "an agent has {most} KiB");
    assert!(hub < 60 << 10, "the hub has {hub} KiB");
}
