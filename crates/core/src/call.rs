//! What clients may ask the supervisor to do. Every call gets exactly one [`Outcome`].

use supervisord_config::model::{Config, Process};
use supervisord_wire::fault::Fault;
use supervisord_wire::value::Value;

/// The answer to a call.
pub type Outcome = Result<Value, Fault>;

/// A request that only the supervisor itself can answer, because it changes something.
///
/// Names are as the client gave them (`process`, `group:process`, `group:*`).
#[derive(Debug)]
pub enum Call {
    /// `shutdown`: true.
    Shutdown,
    /// `restart`: true. The configuration has already been read, so that a broken one changes nothing.
    Restart { config: Box<Config> },
    /// `reloadConfig`: `[[added, changed, removed]]`.
    ReloadConfig { config: Box<Config> },
    /// `addProcessGroup`: true.
    AddProcessGroup { group: String },
    /// `removeProcessGroup`: true.
    RemoveProcessGroup { group: String },
    /// `startProcess`: true, or a status array for `group:*`.
    StartProcess { name: String, wait: bool },
    /// `startProcessGroup`: status array.
    StartProcessGroup { group: String, wait: bool },
    /// `startAllProcesses`: status array.
    StartAllProcesses { wait: bool },
    /// `stopProcess`: true, or a status array for `group:*`.
    StopProcess { name: String, wait: bool },
    /// `stopProcessGroup`: status array.
    StopProcessGroup { group: String, wait: bool },
    /// `stopAllProcesses`: status array.
    StopAllProcesses { wait: bool },
    /// `signalProcess`: true, or a status array for `group:*`.
    SignalProcess { name: String, signal: String },
    /// `signalProcessGroup`: status array.
    SignalProcessGroup { group: String, signal: String },
    /// `signalAllProcesses`: status array.
    SignalAllProcesses { signal: String },
    /// `sendProcessStdin`: true.
    SendProcessStdin { name: String, chars: Vec<u8> },
    /// `sendRemoteCommEvent`: true.
    SendRemoteCommEvent { kind: String, data: String },
    /// `clearProcessLogs`: true.
    ClearProcessLogs { name: String },
    /// `clearAllProcessLogs`: status array.
    ClearAllProcessLogs,
    /// `clearLog`: true.
    ClearLog,
    /// `upgrade`: true, when the program now on disk can take over; it then does.
    Upgrade,
    /// A plug-in adds a process to an active group, without starting it: true.
    EnlistProcess { group: String, process: Box<Process> },
    /// A plug-in takes a stopped process out of its group: true.
    DischargeProcess { group: String, process: String },
}
