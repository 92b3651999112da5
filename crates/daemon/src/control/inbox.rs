//! The ways into the control plane: what other threads tell it, and what clients ask of it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::{Poll, Waker};
use supervisord_config::model::Config;
use supervisord_core::call::Reason;
use supervisord_core::supervisor::{CallId, ProcessId};

use super::tokens::WAKER;
use crate::calls::{self, Calls, Pending};
use crate::network::IdleConnections;
use crate::notifier::Notifier;
use crate::output::Report;
use crate::plugins::PluginNotice;
use crate::probing::ProbeAnswer;

/// What other threads tell control.
pub enum Message {
    /// The output plane has something to say.
    Output(Report),
    /// Logs have been cleared, or not.
    Cleared {
        /// The process, or none for the activity log.
        process: Option<ProcessId>,
        /// The call that asked for it.
        call: CallId,
        /// The outcome.
        outcome: Result<(), Reason>,
    },
    /// Which programs are disabled has been stored, or could not be, for this reason.
    DisabledStored(Result<(), String>),
    /// The configuration has been read again after SIGHUP.
    Reread {
        /// Which reading it was.
        number: u64,
        /// The configuration, or why there is none.
        config: Result<Box<Config>, String>,
    },
    /// The network plane has ended, for an upgrade, and left these clients.
    NetworkStopped(IdleConnections),
    /// The plug-ins have something to say.
    Plugins(PluginNotice),
    /// A probe has been run.
    Probed(ProbeAnswer),
}

/// Sends messages from other threads to control; clones share one queue.
#[derive(Clone)]
pub struct MessageSender {
    queue: Sender<Message>,
    pub(super) notifier: Arc<Notifier>,
}

impl MessageSender {
    /// Hands over a message and wakes control. Once control has ended, messages vanish.
    pub fn send(&self, message: Message) {
        if self.queue.send(message).is_ok() {
            self.notifier.notify();
        }
    }

    /// What wakes control.
    pub fn notifier(&self) -> Arc<Notifier> {
        self.notifier.clone()
    }
}

/// The receiving ends of the queues into control, created before the other planes exist.
pub struct Inbox {
    pub(super) poll: Poll,
    pub(super) messages: Receiver<Message>,
    pub(super) pending: Receiver<Pending>,
    /// For the output plane.
    pub message_sender: MessageSender,
    /// For the network plane.
    pub calls: Calls,
}

impl Inbox {
    /// Makes the queues.
    pub fn new() -> io::Result<Inbox> {
        let poll = Poll::new()?;
        let notifier = Arc::new(Notifier::new(Waker::new(poll.registry(), WAKER)?));
        let (queue, messages) = channel();
        let (calls, pending) = calls::queue(notifier.clone());
        Ok(Inbox { poll, messages, pending, message_sender: MessageSender { queue, notifier }, calls })
    }
}
