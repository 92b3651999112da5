//! The lines of the state: JSON, one record each, of which the last about anything counts.
//!
//! These types are the format. What is at its default is left out, what a reader does not know it passes over, and what it
//! misses has its default. A change that an older reader would misunderstand takes another [`VERSION`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use supervisord_core::process::{Machine, Progress, Wanted};
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_wire::state::ProcessState;

use super::definition;
use super::run::Run;

/// The version that is written. Version 1 is read as well, see [`super::version_1`].
pub const VERSION: u32 = 2;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// Who writes; the first line. It has the form of version 1, whose readers thus learn that it is of another version.
    #[serde(rename = "Daemon")]
    Supervisord(Writer),
    /// A group is active, with these members.
    Group(definition::Group),
    /// A group is no longer active.
    Removed(String),
    /// A process has automatic logs.
    Logs(Logs),
    /// A process has changed.
    Process(Box<Process>),
    /// A FastCGI socket is open.
    Socket(Socket),
    /// The daemon is stopping everything, to end or to begin again.
    Ending,
}

/// The daemon that writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The version of the format.
    pub version: u32,
    /// The boot; process ids and moments mean nothing after the next one.
    pub boot: String,
    /// The daemon's process id.
    pub pid: u32,
    /// When it was started, after the boot, in milliseconds.
    pub started: u64,
    /// When it began this state, after the boot, in milliseconds. Of two copies the later one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<u64>,
    /// When process 1 was started, in milliseconds after the boot, where that is known: a container that is started again
    /// has the boot of its machine, but another process 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// A FastCGI socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// The number under which it is kept.
    pub number: u64,
    /// The group that shares it.
    pub group: String,
    /// Its address.
    pub url: String,
}

/// The made-up names of the automatic logs of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// The path of its stdout log, where that is automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// The path of its stderr log, where that is automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
}

/// How far a process has got. Moments are nanoseconds on the monotonic clock.
#[derive(Debug, Serialize, Deserialize)]
pub struct Process {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// The code of its state, as clients know it.
    state: i32,
    /// That of its child, where it is not the one of the run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    started: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempts: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    quick_ends: u32,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_zero")]
    start: i64,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_zero")]
    stop: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    spawn_error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_status: Option<i32>,
    /// What was asked for last, where the state does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted: Option<Wanted>,
    /// How many steps of its stop plan are done besides the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    stop_step: u32,
    /// Where it is an event listener: how far it has got with its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listener: Option<Value>,
    /// Where it is an event listener: how many events wait for its pool.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: usize,
    /// It is being stopped only to be started again.
    #[serde(default, skip_serializing_if = "is_zero")]
    replacing: bool,
    /// Its child; none when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl Process {
    /// How far a process of this group has got.
    pub fn new(group: &str, member: &MemberSnapshot, run: Option<Run>, waiting: usize) -> Process {
        let Progress {
            state,
            pid,
            started,
            deadline,
            attempts,
            quick_ends,
            last_start,
            last_stop,
            spawn_error,
            exit_status,
            wanted,
            stop_step,
        } = Progress::from(member.machine.clone());
        Process {
            group: group.to_owned(),
            name: member.name.clone(),
            state: state.code(),
            pid: if run.as_ref().is_some_and(|run| run.pid == pid) { 0 } else { pid },
            // A child that is being made is started when it is there.
            started: if pid == 0 && state == ProcessState::Starting { 0 } else { nanos(started) },
            deadline: deadline.map(nanos),
            attempts,
            quick_ends,
            start: last_start,
            stop: last_stop,
            spawn_error,
            exit_status,
            wanted,
            stop_step,
            listener: member.seat.as_ref().and_then(|seat| serde_json::to_value(seat).ok()),
            waiting,
            replacing: member.replacing,
            run,
        }
    }

    /// The process as the supervisor knows it, with these logs.
    pub fn member(&self, stdout_log: Option<String>, stderr_log: Option<String>) -> MemberSnapshot {
        let progress = Progress {
            state: ProcessState::from_code(self.state.into()).unwrap_or(ProcessState::Unknown),
            pid: if self.pid == 0 { self.run.as_ref().map_or(0, |run| run.pid) } else { self.pid },
            started: Duration::from_nanos(self.started),
            deadline: self.deadline.map(Duration::from_nanos),
            attempts: self.attempts,
            quick_ends: self.quick_ends,
            last_start: self.start,
            last_stop: self.stop,
            spawn_error: self.spawn_error.clone(),
            exit_status: self.exit_status,
            wanted: self.wanted,
            stop_step: self.stop_step,
        };
        MemberSnapshot {
            name: self.name.clone(),
            machine: Machine::from(progress),
            stdout_log,
            stderr_log,
            // One that cannot be understood begins anew, which the listener finds out by itself.
            seat: self.listener.clone().map(|seat| serde_json::from_value(seat).unwrap_or_default()),
            replacing: self.replacing,
        }
    }
}

fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}
