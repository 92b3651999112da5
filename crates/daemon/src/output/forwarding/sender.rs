//! The thread that sends the lines of one log service.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use supervisord_core::output::forward::ForwardedLine;
use supervisord_sys::signal;

use super::connection::{Connection, Failure};
use super::line_queue::LineQueue;
use super::service::Service;
use crate::output::loss::Entries;
use crate::output::message::OutputRequest;
use crate::output::queue::OutputHandle;

/// How long a service that takes nothing is left alone at first, and at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends what is in a queue.
pub(super) struct Sender {
    service: Service,
    queue: Arc<LineQueue>,
    requests: OutputHandle,
    connection: Option<Connection>,
    pause: Duration,
}

impl Sender {
    pub fn new(service: Service, queue: Arc<LineQueue>, requests: OutputHandle) -> Sender {
        Sender { service, queue, requests, connection: None, pause: SHORTEST_PAUSE }
    }

    /// Sends until no stream uses the service any more.
    pub fn run(mut self) {
        signal::block_in_this_thread();
        let mut batch = VecDeque::new();
        while self.queue.take(&mut batch) {
            while !batch.is_empty() {
                let mut entries = Entries::new();
                let is_over = match self.send(&mut batch, &mut entries) {
                    Ok(()) => false,
                    Err(failure) => {
                        self.connection = None;
                        self.queue.failed(&mut batch, &failure, &mut entries);
                        self.tell(mem::take(&mut entries));
                        let pause = self.next_pause();
                        !self.queue.pause(pause)
                    }
                };
                if is_over {
                    self.queue.give_up(&mut entries);
                    return self.tell(entries);
                }
                self.tell(entries);
            }
        }
    }

    /// Sends a batch, as far as the service takes it.
    fn send(&mut self, batch: &mut VecDeque<ForwardedLine>, entries: &mut Entries) -> Result<(), Failure> {
        if self.connection.as_mut().is_some_and(Connection::is_closed_by_peer) {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.service)?),
        };
        let (sent, outcome) = connection.send(batch.make_contiguous());
        if sent > 0 {
            self.pause = SHORTEST_PAUSE;
            self.queue.delivered(batch, sent, entries);
        }
        outcome
    }

    fn next_pause(&mut self) -> Duration {
        let next = (self.pause * 2).min(LONGEST_PAUSE);
        mem::replace(&mut self.pause, next)
    }

    fn tell(&self, entries: Entries) {
        if !entries.is_empty() || self.queue.has_losses() {
            self.requests.send(OutputRequest::Forwarding(entries));
        }
    }
}
