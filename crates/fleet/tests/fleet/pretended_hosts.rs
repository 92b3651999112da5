//! Hosts that exist only on the bucket, as their agents would describe them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::harness::NatsServer;

/// Says that the hosts live until it goes out of scope.
pub struct PretendedHosts {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A program of a pretended host.
pub fn program(group: &str, name: &str, state: &str) -> Value {
    let is_fatal = state == "FATAL";
    let reason = is_fatal.then_some("exit status 1 after 3 ms: no database");
    json!({"group": group, "name": name, "state": state, "description": "pid 7", "since": 1_700_000_000, "is_wanted": is_fatal || state == "RUNNING", "reason": reason})
}

impl PretendedHosts {
    /// Each is a name, labels, programs, and whether it has left.
    pub fn join(nats: &NatsServer, hosts: Vec<(String, Value, Vec<Value>, bool)>) -> PretendedHosts {
        let is_over = Arc::new(AtomicBool::new(false));
        let (url, over) = (nats.url(), is_over.clone());
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let client = async_nats::connect(url).await.expect("a connection");
                let publish = async |subject: String, message: Value| {
                    client.publish(subject, message.to_string().into()).await.expect("published");
                };
                for (name, labels, programs, _) in &hosts {
                    let inventory = json!({"identifier": name, "version": "1", "labels": labels, "programs": programs});
                    publish(format!("$KV.fleet.inventory.{name}"), inventory).await;
                }
                for turn in 0u64.. {
                    // As often as an agent does.
                    for (name, _, _, has_left) in hosts.iter().filter(|_| turn % 100 == 0) {
                        let presence = json!({"boot": "b", "has_daemon": true, "is_leaving": has_left});
                        publish(format!("$KV.fleet.presence.{name}"), presence).await;
                    }
                    client.flush().await.expect("sent");
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        });
        PretendedHosts { is_over, thread: Some(thread) }
    }
}

impl Drop for PretendedHosts {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // A thread that has failed has said why.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
