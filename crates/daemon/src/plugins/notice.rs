//! What plug-ins tell the control plane and want of it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use supervisord_core::supervisor::{HandlerVerdict, ProcessId};
use supervisord_sys::Errno;
use supervisord_sys::spawn::SpawnPlan;
use supervisord_wire::event::EventType;

use crate::output::RunId;

/// Takes a notice to the control plane. It must not block.
pub type Notify = Arc<dyn Fn(Notice) + Send + Sync>;

/// News for the control plane.
pub enum Notice {
    /// All RPC interfaces have been made, or never will be.
    Ready,
    /// A result handler has spoken.
    Judged {
        /// The listener.
        process: ProcessId,
        /// The number of the judgement.
        judgement: u64,
        /// What it said.
        verdict: HandlerVerdict,
    },
    /// These events are wanted from now on.
    Subscribed(Vec<EventType>),
    /// A plug-in process is to be spawned.
    Spawn(Box<SpawnRequest>),
    /// A plug-in process is to be killed if it has not ended.
    Kill(RunId),
}

/// Learns the run and the process id of a plug-in process, or why there is none.
pub type OnSpawned = Box<dyn FnOnce(Result<(RunId, u32), Errno>) + Send>;

/// A plug-in process that control is to spawn. The functions run on the control thread and must not block.
pub struct SpawnRequest {
    /// What to execute.
    pub plan: SpawnPlan,
    /// Its stdin, over which it is served. Its output goes where the daemon's goes.
    pub stdin: OwnedFd,
    /// Is called when it has been spawned, or not.
    pub on_spawned: OnSpawned,
    /// Is called when the process has ended and been reaped.
    pub on_exit: Box<dyn FnOnce() + Send>,
}
