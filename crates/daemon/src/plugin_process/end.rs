//! The end of serving a plug-in process, and what becomes of the orders that it did not carry out.

use supervisord_core::supervisor::HandlerVerdict;
use supervisord_wire::fault::{Fault, FaultCode};

use crate::plugins::{NotifyControl, Order, PluginNotice};

/// Why a plug-in process is no longer served.
pub(super) enum End {
    /// The life of the daemon ends.
    Daemon,
    /// It ended or had to be given up, with the reason.
    Process(String),
    /// There is none because the system is short of threads, processes, descriptors or memory.
    Shortage(String),
}

/// Answers an order nobody can carry out.
pub(super) fn refuse(notify: &NotifyControl, order: Order, reason: &str) {
    match order {
        Order::Call { reply, .. } => {
            let fault = Fault::with(FaultCode::Failed, format_args!("the plug-in process {reason}"));
            // The client may have gone.
            let _ = reply.send(Err(fault));
        }
        Order::Judge { process, judgement, .. } => {
            notify(PluginNotice::Judged { process, judgement, verdict: HandlerVerdict::Lost });
        }
        Order::Announce(_) => {}
    }
}
