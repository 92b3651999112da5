//! Keeping a plug-in process alive: started when there is something for it to do, restarted with growing pauses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use supervisord_config::model::LogLevel;
use supervisord_core::supervisor::Verdict;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::Section;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::children::PluginProcess;
use super::connection::Connection;
use super::session::Session;
use super::{Listed, Notice, Notify, Order};
use crate::network::Context;

/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A plug-in process that lived this long was a good one: the next pause is short again.
const GOOD_LIFE: Duration = Duration::from_secs(60);

/// The work of serving plug-ins, for a task of the network plane.
pub struct Work {
    pub(super) interfaces: Vec<Section>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) notify: Notify,
    pub(super) listed: Listed,
}

/// Why a plug-in process is no longer served.
pub(super) enum End {
    /// The life of the daemon ends.
    Daemon,
    /// It ended or had to be given up, with the reason.
    Process(String),
}

impl Work {
    pub(super) fn new(interfaces: Vec<Section>, orders: mpsc::Receiver<Order>, notify: Notify, listed: Listed) -> Work {
        Work { interfaces, orders, notify, listed }
    }

    /// Serves plug-ins until the daemon ends.
    pub(crate) async fn run(mut self, context: Arc<Context>) {
        let mut first = None;
        if self.interfaces.is_empty() {
            // Only result handlers can need a plug-in process, and perhaps nobody ever does.
            first = self.orders.recv().await;
            if first.is_none() {
                return;
            }
        }
        let mut failures = 0;
        loop {
            let begin = Instant::now();
            let reason = match self.serve(&context, first.take()).await {
                End::Daemon => return,
                End::Process(reason) => reason,
            };
            failures = if begin.elapsed() > GOOD_LIFE { 1 } else { failures + 1 };
            let pause = Duration::from_secs(1 << (failures - 1).min(6)).min(LONGEST_PAUSE);
            let text = format!("the plug-in process {reason}; another is started in {} seconds", pause.as_secs());
            context.activity.log(LogLevel::Error, &text);
            (self.notify)(Notice::Ready);
            (self.notify)(Notice::Subscribed(Vec::new()));
            if self.refuse_for(pause, &reason).await.is_err() {
                return;
            }
        }
    }

    /// One plug-in process, from its start to its end.
    async fn serve(&mut self, context: &Arc<Context>, first: Option<Order>) -> End {
        // On a thread that may block: the interpreter may lie on a disk that does not answer.
        let started = tokio::task::spawn_blocking(PluginProcess::start).await;
        let opened = match started {
            Ok(Ok((process, stream))) => Connection::open(stream).map(|connection| (process, connection)),
            Ok(Err(error)) => Err(error),
            Err(_) => return End::Daemon,
        };
        let (process, connection) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                first.into_iter().for_each(|order| refuse(&self.notify, order, "cannot be started"));
                return End::Process(format!("cannot be started: {error}"));
            }
        };
        let text = format!("plug-in process started with pid {}", process.pid());
        context.activity.log(LogLevel::Info, &text);
        let mut session = Session::new(self, context, connection);
        let end = session.run(first).await;
        // Where it has not ended by itself it is of no use any more.
        process.kill();
        session.fail_all(match &end {
            End::Daemon => "ends with the daemon",
            End::Process(reason) => reason,
        });
        end
    }

    /// Refuses all orders for a while; an error when the daemon ends.
    async fn refuse_for(&mut self, pause: Duration, reason: &str) -> Result<(), ()> {
        let end = Instant::now() + pause;
        loop {
            match timeout(end.saturating_duration_since(Instant::now()), self.orders.recv()).await {
                Err(_) => return Ok(()),
                Ok(None) => return Err(()),
                Ok(Some(order)) => refuse(&self.notify, order, reason),
            }
        }
    }
}

/// Answers an order nobody can carry out.
pub(super) fn refuse(notify: &Notify, order: Order, reason: &str) {
    match order {
        Order::Call { reply, .. } => {
            let fault = Fault::with(FaultCode::Failed, format_args!("the plug-in process {reason}"));
            // The client may have gone.
            let _ = reply.send(Err(fault));
        }
        Order::Judge { process, judgement, .. } => {
            notify(Notice::Judged { process, judgement, verdict: Verdict::Lost });
        }
        Order::Announce(_) => {}
    }
}
