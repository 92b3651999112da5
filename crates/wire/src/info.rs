//! The structs that describe a process to clients.

use crate::state::ProcessState;
use crate::value::{FromMembers, Members, Value};

/// The result of `supervisor.getProcessInfo`, with texts of its own or borrowed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo<T = String> {
    /// The process name.
    pub name: T,
    /// The group name.
    pub group: T,
    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub start: i64,
    /// Seconds since the epoch of the last end; 0 for never.
    pub stop: i64,
    /// Seconds since the epoch on the daemon's clock.
    pub now: i64,
    /// The state.
    pub state: ProcessState,
    /// The last spawn error, or empty.
    pub spawnerr: T,
    /// The last exit status; 0 when none, -1 after death by a signal.
    pub exitstatus: i32,
    /// The path of the stdout log, or empty.
    pub stdout_logfile: T,
    /// The path of the stderr log, or empty.
    pub stderr_logfile: T,
    /// The process id; 0 when there is no process.
    pub pid: i64,
    /// The description in `supervisorctl status`.
    pub description: T,
}

impl ProcessInfo {
    /// Reads the struct; none when a member is missing or has another type.
    pub fn from_value(value: Value) -> Option<ProcessInfo> {
        FromMembers::from_members(&mut value.into_members()?)
    }
}

impl FromMembers for ProcessInfo {
    fn from_members(members: &mut impl Members) -> Option<ProcessInfo> {
        Some(ProcessInfo {
            name: members.text("name")?,
            group: members.text("group")?,
            start: members.number("start")?,
            stop: members.number("stop")?,
            now: members.number("now")?,
            state: ProcessState::from_code(members.number("state")?)?,
            spawnerr: members.text("spawnerr")?,
            exitstatus: i32::try_from(members.number("exitstatus")?).ok()?,
            stdout_logfile: members.text("stdout_logfile")?,
            stderr_logfile: members.text("stderr_logfile")?,
            pid: members.number("pid")?,
            description: members.text("description")?,
        })
    }
}

/// The members of a `supervisor.getAllConfigInfo` item that `supervisorctl avail` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigInfo {
    /// The process name.
    pub name: String,
    /// The group name.
    pub group: String,
    /// Whether the group is active.
    pub in_use: bool,
    /// Whether it is started with its group (`autostart`).
    pub autostart: bool,
    /// The priority of the group.
    pub group_priority: i64,
    /// The priority within the group.
    pub process_priority: i64,
}

impl ConfigInfo {
    /// Reads the struct; none when a member is missing or has another type.
    pub fn from_value(value: Value) -> Option<ConfigInfo> {
        FromMembers::from_members(&mut value.into_members()?)
    }
}

impl FromMembers for ConfigInfo {
    fn from_members(members: &mut impl Members) -> Option<ConfigInfo> {
        Some(ConfigInfo {
            name: members.text("name")?,
            group: members.text("group")?,
            in_use: members.truth("inuse")?,
            autostart: members.truth("autostart")?,
            group_priority: members.number("group_prio")?,
            process_priority: members.number("process_prio")?,
        })
    }
}
