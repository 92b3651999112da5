//! What every interface asks of the daemon: reads, calls and logs as typed values, below all protocols.
//!
//! XML-RPC, the web page and the plug-in process are encoders over it. Reads are answered from the [`View`] and from log
//! files; everything else is a [`Call`], which control answers with an [`Outcome`].

use std::sync::Arc;

use supervisord_config::Purpose;
use supervisord_config::model::Config;
use supervisord_core::actor::{Actor, Right};
use supervisord_core::call::{Call, Outcome, Reason, Refusal};
use supervisord_core::row::{LocalTime, Row};
use supervisord_wire::name::Namespec;
use tokio::sync::oneshot;

use crate::activity::Activity;
use crate::blocking::{BlockingThreads, NotDone};
use crate::calls::Calls;
use crate::memory_budget::{MemoryBudget, Reservation};
use crate::view::View;

mod logs;

pub use logs::Tail;

/// Reads the configuration, now or again; the error is the message of the original. It may block.
pub type ReadConfig = Arc<dyn Fn(Purpose) -> Result<Config, String> + Send + Sync>;

/// The daemon as its interfaces see it.
pub struct Api {
    /// The published state.
    pub view: Arc<View>,
    /// The way to control.
    pub calls: Calls,
    /// The activity log.
    pub activity: Activity,
    /// The path of the activity log that is being written; none with syslog.
    pub activity_file: Option<String>,
    /// Reads the configuration again; the error is the detail of the refusal.
    pub load_config: ReadConfig,
    /// Held from the beginning of a reading until its call is sent, so that an older one never overtakes a newer.
    pub loading: tokio::sync::Mutex<()>,
    /// Threads for what may block.
    pub blocking: BlockingThreads,
    /// The memory that long answers share.
    pub answers: Arc<MemoryBudget>,
    /// What time it is.
    pub clock: Clock,
}

/// The wall clock, as people read it.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Seconds since the epoch.
    pub now: fn() -> i64,
    /// Calendar fields of a time in seconds since the epoch, where the daemon is.
    pub local: fn(i64) -> LocalTime,
}

/// The daemon ended before it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What was asked is refused.
    Refused(Refusal),
    /// The daemon ended before it answered.
    Ended,
}

impl From<Ended> for Failure {
    fn from(_: Ended) -> Failure {
        Failure::Ended
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<NotDone> for Failure {
    fn from(why: NotDone) -> Failure {
        match why {
            NotDone::NoThread => Failure::Refused(Refusal::with(Reason::Failed, why)),
            NotDone::Ended => Failure::Ended,
        }
    }
}

impl Api {
    /// Hands a call of this actor to control and waits for its outcome, however long that takes.
    pub async fn call(&self, actor: &Actor, call: Call) -> Result<Outcome, Ended> {
        if let Err(refusal) = actor.check(call.right()) {
            return Ok(Err(refusal));
        }
        self.send(call).await.map_err(|_| Ended)
    }

    /// Makes a call of the configuration as it is now. One that cannot be read changes nothing.
    pub async fn call_with_config(
        &self,
        actor: &Actor,
        purpose: Purpose,
        call: fn(Box<Config>) -> Call,
    ) -> Result<Outcome, Failure> {
        // Both calls of a configuration need it; what is not allowed is not read either.
        actor.check(Right::Administer)?;
        let turn = self.loading.lock().await;
        let load = self.load_config.clone();
        let config = match self.blocking.run(move || load(purpose)).await? {
            Ok(config) => config,
            Err(text) => return Err(Refusal::with(Reason::CannotReread, text).into()),
        };
        let outcome = self.send(call(Box::new(config)));
        drop(turn);
        outcome.await.map_err(|_| Failure::Ended)
    }

    fn send(&self, call: Call) -> oneshot::Receiver<Outcome> {
        let (reply, outcome) = oneshot::channel();
        self.calls.send(call, move |outcome| {
            // Nobody waits any more when the runtime, or the plug-in process that asked, ended first.
            let _ = reply.send(outcome);
        });
        outcome
    }

    /// The process of this name; a whole group is none.
    pub fn process(&self, name: &str) -> Result<Arc<Row>, Refusal> {
        let Namespec { group, process } = Namespec::parse(name);
        let row = process.and_then(|process| self.view.row(&group, &process));
        row.ok_or_else(|| Refusal::with(Reason::UnknownName, name))
    }

    /// Reserves memory for an answer of about so many bytes, before it is made.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, Refusal> {
        self.answers.reserve_soon(bytes).await.ok_or_else(crowded)
    }
}

/// There are too many long answers that nobody takes.
pub fn crowded() -> Refusal {
    Refusal::with(Reason::Failed, "there is no memory for so long an answer, or too many are waiting for their clients")
}
