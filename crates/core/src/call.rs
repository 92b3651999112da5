//! What clients may ask the supervisor to do. Every call gets exactly one [`CallOutcome`].
//!
//! No protocol is spoken here: how an outcome looks to a client is the business of whoever talks to that client.

use std::sync::Arc;

use supervisord_config::diff::Difference;
use supervisord_config::model::{Config, Process, UpdateMode};

use crate::actor::{Actor, Right};
use crate::event::ProcessName;
use crate::output::Channel;
use crate::parallelism::Parallelism;
pub use crate::refusal::{Reason, Refusal};
use crate::update_plan::UpdatePlan;

/// What becomes of a call.
pub type CallOutcome = Result<Answer, Refusal>;

/// What a call was for, when it has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is nothing to add.
    Done,
    /// What became of each process that was concerned, in the order in which it was settled.
    Statuses(Vec<Status>),
    /// The groups in which the configuration differs from what is active.
    Difference(Difference),
    /// What an update would do, or has done.
    Plan(Box<UpdatePlan>),
}

/// What became of one of several processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its group.
    pub group: Arc<str>,
    /// Its name.
    pub process: String,
    /// Whether it was done.
    pub result: Result<(), Refusal>,
}

/// What can be done with any choice of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramAction {
    /// Start them, what others depend on first.
    Start,
    /// Stop them, what others depend on last.
    Stop,
    /// Stop and start them. Those that do not run are started.
    Restart,
    /// Send them the signal with this number.
    Signal(i32),
    /// Have them read their configurations again.
    Reload,
    /// Stop them, and start them no more until somebody enables them, whatever happens to the daemon and the machine.
    Disable,
    /// Let them be started again. They are not started.
    Enable,
    /// Empty their logs, or the one of this channel.
    ClearLogs(Option<Channel>),
}

/// A request that only the supervisor itself can answer, because it changes something.
///
/// Names are as the client gave them (`process`, `group:process`, `group:*`).
#[derive(Debug)]
pub enum Call {
    /// `shutdown`.
    Shutdown,
    /// `restart`. The configuration has already been read, so that a broken one changes nothing.
    Restart { config: Box<Config> },
    /// `reloadConfig`: [`Answer::Difference`].
    ReloadConfig { config: Box<Config> },
    /// Tells what an update to the configuration would do, of all groups or of those that are named: [`Answer::Plan`]. Without a
    /// mode it is that of the configuration. Nothing changes.
    PlanUpdate { config: Box<Config>, mode: Option<UpdateMode>, groups: Vec<String> },
    /// Makes the configuration that was read last active, all groups of it or those that are named, and restarts only what cannot do
    /// without: [`Answer::Plan`], when what had to stop has stopped.
    UpdateMinimally { groups: Vec<String> },
    /// Gives a section another number of processes, which the configuration has already, and which counts until the section says
    /// another one: [`Answer::Plan`], when what had to stop has stopped.
    /// Where it was worked out from another number, that one must still be the present one.
    Scale { config: Box<Config>, section: String, numprocs: i64, based_on: Option<i64> },
    /// `addProcessGroup`.
    AddProcessGroup { group: String },
    /// `removeProcessGroup`.
    RemoveProcessGroup { group: String },
    /// `startProcess`: [`Answer::Done`], or [`Answer::Statuses`] for `group:*`.
    StartProcess { name: String, wait: bool },
    /// `startProcessGroup`: [`Answer::Statuses`].
    StartProcessGroup { group: String, wait: bool },
    /// `startAllProcesses`: [`Answer::Statuses`].
    StartAllProcesses { wait: bool },
    /// `stopProcess`: [`Answer::Done`], or [`Answer::Statuses`] for `group:*`.
    StopProcess { name: String, wait: bool },
    /// `stopProcessWithDependents`: [`Answer::Statuses`].
    StopWithDependents { name: String, wait: bool },
    /// `stopProcessGroup`: [`Answer::Statuses`].
    StopProcessGroup { group: String, wait: bool },
    /// `stopAllProcesses`: [`Answer::Statuses`].
    StopAllProcesses { wait: bool },
    /// `signalProcess`: [`Answer::Done`], or [`Answer::Statuses`] for `group:*`.
    SignalProcess { name: String, signal: String },
    /// `signalProcessGroup`: [`Answer::Statuses`].
    SignalProcessGroup { group: String, signal: String },
    /// `signalAllProcesses`: [`Answer::Statuses`].
    SignalAllProcesses { signal: String },
    /// Does the same with each of these processes: [`Answer::Statuses`], one for each that was named. `wait` is for `Start`,
    /// `Stop`, `Restart` and `Disable`; the others are always done when they are answered.
    ActOn { action: ProgramAction, processes: Vec<ProcessName>, wait: bool },
    /// Restarts these processes, so many at a time, the next when those are ready, until the first fails: [`Answer::Statuses`],
    /// one for each that was named.
    RollingRestart { processes: Vec<ProcessName>, parallelism: Parallelism },
    /// `disableProcess`: [`Answer::Statuses`], of one process or of all of `group:*`.
    DisableProcess { name: String, wait: bool },
    /// `enableProcess`: [`Answer::Statuses`], of one process or of all of `group:*`, those that are disabled and not there among
    /// them.
    EnableProcess { name: String },
    /// `reloadProcess`: [`Answer::Statuses`], of one process or of those of `group:*` that run.
    ReloadProcess { name: String },
    /// `sendProcessStdin`.
    SendProcessStdin { name: String, chars: Vec<u8> },
    /// `sendRemoteCommEvent`.
    SendRemoteCommEvent { kind: String, data: String },
    /// `clearProcessLogs`.
    ClearProcessLogs { name: String },
    /// `clearAllProcessLogs`: [`Answer::Statuses`].
    ClearAllProcessLogs,
    /// `clearLog`.
    ClearLog,
    /// `upgrade`: done when the program now on disk can take over; it then does.
    Upgrade,
    /// A plug-in adds a process to an active group, without starting it.
    RegisterProcess { group: String, process: Box<Process> },
    /// A plug-in takes a stopped process out of its group.
    UnregisterProcess { group: String, process: String },
}

impl Call {
    /// The right it needs, whatever the interface.
    pub fn right(&self) -> Right {
        match self {
            Call::StartProcess { .. }
            | Call::StartProcessGroup { .. }
            | Call::StartAllProcesses { .. }
            | Call::StopProcess { .. }
            | Call::StopWithDependents { .. }
            | Call::StopProcessGroup { .. }
            | Call::StopAllProcesses { .. }
            | Call::SignalProcess { .. }
            | Call::SignalProcessGroup { .. }
            | Call::SignalAllProcesses { .. }
            | Call::ActOn { .. }
            | Call::RollingRestart { .. }
            | Call::Scale { .. }
            | Call::DisableProcess { .. }
            | Call::EnableProcess { .. }
            | Call::ReloadProcess { .. }
            | Call::SendProcessStdin { .. }
            | Call::SendRemoteCommEvent { .. }
            | Call::ClearProcessLogs { .. }
            | Call::ClearAllProcessLogs => Right::Operate,
            Call::Shutdown
            | Call::Restart { .. }
            | Call::ReloadConfig { .. }
            | Call::PlanUpdate { .. }
            | Call::UpdateMinimally { .. }
            | Call::AddProcessGroup { .. }
            | Call::RemoveProcessGroup { .. }
            | Call::ClearLog
            | Call::Upgrade
            | Call::RegisterProcess { .. }
            | Call::UnregisterProcess { .. } => Right::Administer,
        }
    }

    /// Refuses it to an actor whose right or programs are not enough. Of what is about programs the supervisor does the part
    /// that the actor's programs are.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, actor: &Actor) -> Result<(), Refusal> {
        let is_about_daemon = self.right() == Right::Administer || matches!(self, Call::SendRemoteCommEvent { .. });
        if is_about_daemon { actor.check_all_programs(self.right()) } else { actor.check(self.right()) }
    }
}
