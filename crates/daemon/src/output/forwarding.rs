//! Lines that are forwarded to log services.
//!
//! Each service has a bounded queue and, once there is a line for it, a thread that sends. The output plane puts a line into a
//! queue and goes on; what does not fit is lost, counted and told of. Neither a service that takes nothing nor a name that
//! nobody resolves holds anybody up.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use supervisord_config::forward_target::ForwardTarget;
use supervisord_core::output::forward::{ForwardOrigin, ForwardPlan, ForwardedLine, TlsFiles};

use super::loss::Entries;
use super::queue::OutputHandle;

mod client_certificate;
mod connection;
mod line_losses;
mod line_queue;
mod sender;
mod service;
mod tls;

use line_losses::{LineLosses, LineSource};
use line_queue::LineQueue;
use sender::Sender;
use service::Service;
pub use tls::unusable_certificates;

pub use line_losses::lost_lines;

/// How long services are waited for that still take lines when the plane ends.
const LAST_LINES: Duration = Duration::from_secs(1);
/// The stack of a sender, which encrypts at the most.
const STACK: usize = 256 << 10;

/// The queues of all log services.
pub(super) struct Forwarders {
    queues: HashMap<Service, Users>,
    losses: Arc<LineLosses>,
    requests: OutputHandle,
}

struct Users {
    queue: Arc<LineQueue>,
    streams: usize,
}

/// Where the lines of a stream go.
#[derive(Debug)]
pub(super) struct Forwarding {
    plan: ForwardPlan,
    services: Vec<Service>,
}

impl Forwarders {
    /// None yet. Senders tell through this queue what goes wrong.
    pub fn new(requests: OutputHandle) -> Forwarders {
        Forwarders { queues: HashMap::new(), losses: Arc::default(), requests }
    }

    /// One more stream whose lines go where this plan says.
    pub fn acquire(&mut self, plan: &ForwardPlan) -> Forwarding {
        self.queues.retain(|_, users| users.streams > 0 || users.queue.is_busy());
        let service = |target: &ForwardTarget| Service {
            target: target.clone(),
            tls: if let ForwardTarget::Tls(_) = target { plan.tls.clone() } else { TlsFiles::default() },
        };
        let services: Vec<Service> = plan.targets.iter().map(service).collect();
        for service in &services {
            let users = self.queues.entry(service.clone()).or_insert_with(|| Users {
                queue: LineQueue::new(service.target.to_string().into(), self.losses.clone()).into(),
                streams: 0,
            });
            users.streams += 1;
            users.queue.open();
        }
        Forwarding { plan: plan.clone(), services }
    }

    /// The lines of a stream go nowhere any more. What waits is sent, as long as the services take it.
    pub fn release(&mut self, forwarding: Forwarding) {
        for service in forwarding.services {
            let Some(users) = self.queues.get_mut(&service) else { continue };
            users.streams -= 1;
            if users.streams == 0 {
                users.queue.close();
                if !users.queue.is_busy() {
                    self.queues.remove(&service);
                }
            }
        }
    }

    /// Forwards a line, or a part of a long one. Gives what belongs into the activity log.
    pub fn forward(&mut self, to: &Forwarding, text: &[u8], is_continued: bool, time: Duration) -> Entries {
        self.push(to, &to.plan.line(text, is_continued, time))
    }

    /// Forwards an entry of the activity log. Gives what else belongs there.
    pub fn forward_entry(&mut self, to: &Forwarding, entry: &str, time: Duration) -> Entries {
        to.plan.entry(entry, time).flat_map(|line| self.push(to, &line)).collect()
    }

    fn push(&mut self, to: &Forwarding, line: &ForwardedLine) -> Entries {
        let mut entries = Entries::new();
        for service in &to.services {
            let Some(users) = self.queues.get(service) else { continue };
            if users.queue.push(line.clone(), &mut entries) {
                self.start(service, &users.queue, &mut entries);
            }
        }
        entries
    }

    fn start(&self, service: &Service, queue: &Arc<LineQueue>, entries: &mut Entries) {
        let sender = Sender::new(service.clone(), queue.clone(), self.requests.clone());
        let builder = thread::Builder::new().name("forward".to_owned()).stack_size(STACK);
        if let Err(error) = builder.spawn(move || sender.run()) {
            queue.lack_thread(&error, entries);
        }
    }

    /// Whether lines were lost that nobody has been told of.
    pub fn has_losses(&self) -> bool {
        self.losses.are_any()
    }

    /// How many lines of which streams were lost since the last call.
    pub fn take_losses(&self) -> HashMap<LineSource, u64> {
        self.losses.take()
    }

    /// Waits a moment for services that take what is left, and gives up the rest. Gives what belongs into the activity log.
    pub fn end(&mut self) -> Entries {
        let (deadline, mut entries) = (Instant::now() + LAST_LINES, Entries::new());
        self.queues.values().for_each(|users| users.queue.close());
        for (_, users) in self.queues.drain() {
            users.queue.end(deadline, &mut entries);
        }
        entries
    }
}

impl Forwarding {
    /// Whether nothing should be read yet, because lines would lack the id of the process.
    pub fn awaits_process(&self) -> bool {
        self.plan.origin.pid.is_none()
    }

    /// The process id, if there is a process.
    pub fn pid(&self) -> Option<u32> {
        self.plan.origin.pid
    }

    /// The process has been made.
    pub fn set_pid(&mut self, pid: u32) {
        let origin = ForwardOrigin { pid: Some(pid), ..(*self.plan.origin).clone() };
        self.plan.origin = origin.into();
    }
}

#[cfg(test)]
mod tests;
