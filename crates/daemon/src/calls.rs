//! The way from the network plane to the control plane: a call goes in, one outcome comes back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use supervisord_core::actor::Actor;
use supervisord_core::call::{Call, CallOutcome, Reason, Refusal};

use crate::blocking::NotDone;
use crate::notifier::Notifier;

/// What is done with the outcome; it runs on the control thread and must not block.
pub type Reply = Box<dyn FnOnce(CallOutcome) + Send>;

/// A call with the place its outcome goes to.
pub struct Pending {
    /// Who asks, and has the right to it.
    pub actor: Actor,
    /// What is asked.
    pub call: Call,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// What was asked is refused.
    Refused(Refusal),
    /// The daemon ended before it answered.
    Ended,
}

impl From<Refusal> for CallFailure {
    fn from(refusal: Refusal) -> CallFailure {
        CallFailure::Refused(refusal)
    }
}

impl From<NotDone> for CallFailure {
    fn from(why: NotDone) -> CallFailure {
        match why {
            NotDone::NoThread => CallFailure::Refused(Refusal::with(Reason::Failed, why)),
            NotDone::Ended => CallFailure::Ended,
        }
    }
}

/// The sending end; clones share one queue.
#[derive(Clone)]
pub struct Calls {
    queue: Sender<Pending>,
    notifier: Arc<Notifier>,
}

/// A queue whose sender wakes the control loop.
pub fn queue(notifier: Arc<Notifier>) -> (Calls, Receiver<Pending>) {
    let (queue, receiver) = channel();
    (Calls { queue, notifier }, receiver)
}

impl Calls {
    /// Hands a call to the control plane. When the daemon ends first, the reply is dropped without being called.
    pub fn send(&self, actor: Actor, call: Call, reply: impl FnOnce(CallOutcome) + Send + 'static) {
        if self.queue.send(Pending { actor, call, reply: Box::new(reply) }).is_ok() {
            self.notifier.notify();
        }
    }
}
