//! Messages and requests of the plug-ins to the control plane.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use supervisord_core::supervisor::{HandlerVerdict, ProcessId};
use supervisord_sys::Errno;
use supervisord_sys::spawn::SpawnPlan;
use supervisord_wire::event::EventType;

use crate::output::RunId;

/// Sends a message to the control plane. It must not block.
pub type NotifyControl = Arc<dyn Fn(PluginNotice) + Send + Sync>;

/// A message of the plug-ins for the control plane.
pub enum PluginNotice {
    /// All RPC interfaces have been created, or will never be.
    Ready,
    /// A result handler has returned its verdict.
    Judged {
        /// The listener.
        process: ProcessId,
        /// The number of the judgement.
        judgement: u64,
        /// The verdict.
        verdict: HandlerVerdict,
    },
    /// The plug-ins subscribe to these events.
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
