//! Version 1 of the state and of what an upgrade passes on: how far processes had got, as that release had it in memory.
//! Definitions had the form that [`super::definition`] and [`super::configuration`] read as well.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use supervisord_config::model;
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_wire::state::ProcessState;

use super::automatic_logs::Logs;
use super::definition::GroupRecord;
use super::process_record::{ProcessRecord, Wanted};
use super::restarts::RestartsRecord;
use super::run::Run;
use super::service_status::ServiceStatusRecord;
use super::snapshot;

/// A line of the state after the first.
#[derive(Debug, Deserialize)]
pub enum Record {
    /// A group is active.
    Group(GroupRecord),
    /// A group is no longer active.
    Removed(String),
    /// A process has changed.
    Member {
        /// Its group.
        group: String,
        /// Its state.
        member: Box<Member>,
        /// Its child; none when it has none.
        run: Option<Run>,
        /// Where it is a listener: how many events wait for its pool.
        #[serde(default)]
        waiting: usize,
    },
}

/// The supervisor in an upgrade.
pub type Snapshot = snapshot::Snapshot<Member>;

/// A process.
#[derive(Debug, Deserialize)]
pub struct Member {
    name: String,
    machine: Progress,
    stdout_log: Option<Arc<str>>,
    stderr_log: Option<Arc<str>>,
    #[serde(rename = "seat")]
    listener: Option<Value>,
    /// It is being stopped only to be started again; later ones said so by `wanted`.
    #[serde(default)]
    replacing: bool,
}

/// How far it has got.
#[derive(Debug, Deserialize)]
struct Progress {
    state: State,
    pid: u32,
    started: Duration,
    deadline: Option<Duration>,
    attempts: i64,
    quick_ends: u32,
    last_start: i64,
    last_stop: i64,
    spawn_error: String,
    exit_status: Option<i32>,
    #[serde(default)]
    wanted: Option<Wanted>,
    #[serde(default)]
    stop_step: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum State {
    Stopped,
    Starting,
    Running,
    Backoff,
    Stopping,
    Exited,
    Fatal,
    Unknown,
}

impl State {
    fn code(self) -> i32 {
        let state = match self {
            State::Stopped => ProcessState::Stopped,
            State::Starting => ProcessState::Starting,
            State::Running => ProcessState::Running,
            State::Backoff => ProcessState::Backoff,
            State::Stopping => ProcessState::Stopping,
            State::Exited => ProcessState::Exited,
            State::Fatal => ProcessState::Fatal,
            State::Unknown => ProcessState::Unknown,
        };
        state.code()
    }
}

impl Member {
    /// The process as the supervisor knows it.
    pub fn member(&self, group: &str) -> MemberSnapshot {
        let Member { name, machine, stdout_log, stderr_log, listener, replacing } = self;
        let nanos = |moment: Duration| u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX);
        let process = ProcessRecord {
            group: group.to_owned(),
            name: name.clone(),
            state: machine.state.code(),
            pid: machine.pid,
            started: nanos(machine.started),
            deadline: machine.deadline.map(nanos),
            attempts: machine.attempts,
            quick_ends: machine.quick_ends,
            restarts: RestartsRecord::default(),
            start: machine.last_start,
            stop: machine.last_stop,
            spawn_error: machine.spawn_error.clone(),
            exit_status: machine.exit_status,
            exit_signal: None,
            last_end: None,
            since: 0,
            last_request: None,
            stops_in_turn: false,
            stops_in_turn_for: None,
            counts: None,
            is_renewed: false,
            rolling: None,
            wanted: machine.wanted,
            replacing: *replacing,
            awaits_dependencies: false,
            awaits_turn: false,
            recycling: None,
            in_pre_start: false,
            in_pre_stop: false,
            commands: Vec::new(),
            stop_step: machine.stop_step,
            environment_step: 0,
            ready: false,
            getting_ready: false,
            running_to_end: false,
            completed: false,
            ready_by: None,
            status: ServiceStatusRecord::default(),
            stop_decision: None,
            health: None,
            listener: listener.clone(),
            waiting: 0,
            run: None,
        };
        process.member_with(stdout_log.clone(), stderr_log.clone())
    }
}

impl snapshot::Member for Member {
    fn name(&self) -> &str {
        &self.name
    }

    fn member(&self, group: &str, _definition: &model::Process, _logs: Option<&Logs>) -> MemberSnapshot {
        self.member(group)
    }
}
