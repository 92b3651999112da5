//! A process in the state: how far it has got.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use supervisord_config::model::{self, LogFile};
use supervisord_core::process::{self, ProcessFailure, ProcessPhase, Progress, StopCause, StopDecision, Timer};
use supervisord_core::supervisor;
use supervisord_core::supervisor::ListenerProgress;
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_sys::start_time;
use supervisord_wire::state::ProcessState;

use super::automatic_logs::Logs;
use super::command::CommandRecord;
use super::counts::CountsRecord;
use super::encoding::{is_default, nanos};
use super::health::HealthRecord;
use super::last_end::LastEndRecord;
use super::last_request::LastRequestRecord;
use super::listener::Listener;
use super::restarts::RestartsRecord;
use super::rolling_turn::RollingRecord;
use super::run::{Run, Runs};
use super::service_status::ServiceStatusRecord;
use super::stop_decision::StopRecord;
use crate::clock::present;

mod progress;

/// How far a process has got. Moments are nanoseconds on the monotonic clock.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// The code of its state, as clients know it. With the other fields it tells the phase.
    pub(super) state: i32,
    /// The process id of its child, where that is not the one of the run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) pid: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) started: u64,
    /// When the timer of its phase is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) attempts: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) quick_ends: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) restarts: RestartsRecord,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) start: i64,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) stop: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) spawn_error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exit_status: Option<i32>,
    /// The signal that ended it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exit_signal: Option<i32>,
    /// How its last child ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_end: Option<LastEndRecord>,
    /// When the state last changed that clients see. Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) since: i64,
    /// The last request about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_request: Option<LastRequestRecord>,
    /// What was asked for last, where the phase does not imply it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wanted: Option<Wanted>,
    /// It is being stopped only to be started again; read only: the first writers of version 2 said so instead of `wanted`.
    #[serde(default, skip_serializing)]
    pub(super) replacing: bool,
    /// It is to be started as soon as what it depends on allows it. Its state is that before, which those know who do not know
    /// this.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) awaits_dependencies: bool,
    /// The same, as soon as fewer programs are starting.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) awaits_turn: bool,
    /// Whether it is to be stopped as soon as others have stopped that depend on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) stops_in_turn: bool,
    /// How often something has happened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<Box<CountsRecord>>,
    /// Why, where no client asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stops_in_turn_for: Option<Box<StopRecord>>,
    /// Whether an update stops it, for another definition or for good.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) is_renewed: bool,
    /// Where it stands in a rolling restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rolling: Option<RollingRecord>,
    /// How far it has got with being recycled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recycling: Option<Recycling>,
    /// The hook before its start runs. Its state is that before, as where it waits for what it depends on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) in_pre_start: bool,
    /// The hook before its stop runs. Its state is that before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) in_pre_stop: bool,
    /// Its commands that run beside its program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandRecord>,
    /// How many steps of its stop plan are done besides the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) stop_step: u32,
    /// How many commands have been asked about its environment for its present start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) environment_step: u32,
    /// Its child has said that it is ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ready: bool,
    /// Its child has been alive for `startsecs`, and is not ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) getting_ready: bool,
    /// Its child has been alive for `startsecs`, and is to do its work and end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) running_to_end: bool,
    /// It was to do its work and end, and has done so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) completed: bool,
    /// When it must be ready, where another timer is that of its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready_by: Option<u64>,
    /// What its child has said about itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) status: ServiceStatusRecord,
    /// Why it is being stopped, or has been since it was to start last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stop_decision: Option<StopRecord>,
    /// What is known of its health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<HealthRecord>,
    /// Where it is an event listener: how far it has got with its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listener: Option<Value>,
    /// Where it is an event listener: how many events wait for its pool.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waiting: usize,
    /// Its child; none when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// How far a process has got with being recycled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Recycling {
    Due,
    UnderWay,
}

/// What was asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    Up,
    Down,
}

impl ProcessRecord {
    /// How far a process of this group has got.
    pub fn new(group: &str, member: &MemberSnapshot, runs: &Runs, waiting: usize) -> ProcessRecord {
        let run = runs.program.clone();
        let Progress {
            phase,
            wanted,
            timers,
            pid,
            started,
            attempts,
            quick_ends,
            restarts,
            recycling,
            stop_step,
            environment_step,
            ready,
            // A snapshot has none: each daemon gives one where it was late.
            last_chance: _,
            service_status,
            stop_decision,
            last_start,
            last_stop,
            health,
            failure,
            exit_status,
            exit_signal,
            last_end,
            since,
        } = member.machine.progress();
        ProcessRecord {
            group: group.to_owned(),
            name: member.name.clone(),
            state: match phase {
                ProcessPhase::AwaitingDependencies | ProcessPhase::AwaitingTurn | ProcessPhase::PreStart => {
                    ProcessState::Stopped.code()
                }
                ProcessPhase::PreStop => ProcessState::Running.code(),
                _ => phase.state().code(),
            },
            pid: if run.as_ref().is_some_and(|run| run.pid == *pid) { 0 } else { *pid },
            // A child that is being made is started when it is there.
            started: if *phase == ProcessPhase::Spawning { 0 } else { nanos(*started) },
            deadline: phase.timer().and_then(|timer| timers.get(timer)).map(nanos),
            attempts: *attempts,
            quick_ends: *quick_ends,
            restarts: restarts.into(),
            start: *last_start,
            stop: *last_stop,
            spawn_error: failure.as_ref().map(ProcessFailure::to_string).unwrap_or_default(),
            exit_status: *exit_status,
            exit_signal: *exit_signal,
            last_end: last_end.as_deref().map(LastEndRecord::from),
            since: *since,
            last_request: member.last_request.as_deref().map(LastRequestRecord::from),
            counts: member.counts.as_deref().map(|counts| Box::new(counts.into())),
            stops_in_turn: member.stops_in_turn.is_some(),
            stops_in_turn_for: (member.stops_in_turn.as_deref())
                .filter(|decision| decision.cause != StopCause::Request)
                .map(|decision| Box::new(decision.into())),
            is_renewed: member.is_renewed,
            rolling: member.rolling.map(RollingRecord::from),
            wanted: (*wanted != phase.implies()).then_some(match wanted {
                process::Wanted::Up => Wanted::Up,
                process::Wanted::Down => Wanted::Down,
            }),
            replacing: false,
            awaits_dependencies: *phase == ProcessPhase::AwaitingDependencies,
            awaits_turn: *phase == ProcessPhase::AwaitingTurn,
            recycling: match recycling {
                process::Recycling::No => None,
                process::Recycling::Due => Some(Recycling::Due),
                process::Recycling::UnderWay => Some(Recycling::UnderWay),
            },
            in_pre_start: *phase == ProcessPhase::PreStart,
            in_pre_stop: *phase == ProcessPhase::PreStop,
            commands: commands(member, runs),
            stop_step: *stop_step,
            environment_step: *environment_step,
            ready: *ready,
            getting_ready: *phase == ProcessPhase::GettingReady,
            running_to_end: *phase == ProcessPhase::RunningToEnd,
            completed: *phase == ProcessPhase::Completed,
            ready_by: timers.get(Timer::ReadyTimeout).filter(|_| *phase == ProcessPhase::Settling).map(nanos),
            status: service_status.as_deref().map(ServiceStatusRecord::from).unwrap_or_default(),
            stop_decision: stop_decision.as_deref().map(StopRecord::from),
            health: health.as_deref().map(HealthRecord::from),
            listener: member.listener.as_ref().and_then(|progress| serde_json::to_value(Listener::from(progress)).ok()),
            waiting,
            run,
        }
    }

    /// A process of which only its child is known.
    pub(super) fn of_child(group: &str, name: &str, run: &Run, is_listener: bool) -> ProcessRecord {
        // One that is being made may not be there.
        let state = if run.pid == 0 { ProcessState::Starting } else { ProcessState::Running };
        let age = start_time::boot_time().saturating_sub(Duration::from_millis(run.started));
        ProcessRecord {
            group: group.to_owned(),
            name: name.to_owned(),
            state: state.code(),
            start: present().epoch().saturating_sub_unsigned(age.as_secs()),
            listener: is_listener.then_some(Value::Null),
            run: Some(run.clone()),
            ..ProcessRecord::default()
        }
    }

    /// The process as the supervisor knows it. `automatic` has the names of its automatic logs.
    pub fn member(&self, definition: &model::Process, automatic: Option<&Logs>) -> MemberSnapshot {
        let (stdout, stderr) = automatic.map_or((None, None), |logs| (logs.stdout.clone(), logs.stderr.clone()));
        let stderr = log(&definition.logging.stderr.file, stderr).filter(|_| !definition.logging.redirect_stderr);
        self.member_with(log(&definition.logging.stdout.file, stdout), stderr)
    }

    /// The same, with these logs.
    pub(super) fn member_with(&self, stdout_log: Option<Arc<str>>, stderr_log: Option<Arc<str>>) -> MemberSnapshot {
        MemberSnapshot {
            name: self.name.clone(),
            machine: self.progress().into(),
            stdout_log,
            stderr_log,
            last_request: self.last_request.as_ref().and_then(|request| Some(Arc::new(request.request()?))),
            counts: self.counts.as_ref().map(|counts| Arc::new(counts.counts())),
            stops_in_turn: self.stops_in_turn.then(|| {
                let decision = self.stops_in_turn_for.as_ref().map(|record| record.decision());
                Arc::new(decision.unwrap_or_else(|| StopDecision::rest(StopCause::Request)))
            }),
            is_renewed: self.is_renewed,
            rolling: self.rolling.map(supervisor::RollingTurn::from),
            commands: self.commands.iter().filter_map(CommandRecord::running).collect(),
            // One that cannot be understood begins anew, which the listener finds out by itself.
            listener: self.listener.clone().map(|listener| {
                serde_json::from_value::<Listener>(listener).map(ListenerProgress::from).unwrap_or_default()
            }),
        }
    }
}

/// The commands of a process that run, with what is known of their processes.
fn commands(member: &MemberSnapshot, runs: &Runs) -> Vec<CommandRecord> {
    let record = |running: &supervisor::RunningCommand| {
        let run = runs.commands.iter().find(|run| run.command == running.command);
        CommandRecord::new(*running, run)
    };
    member.commands.iter().map(record).collect()
}

/// Where a channel is logged.
fn log(file: &LogFile, automatic: Option<Arc<str>>) -> Option<Arc<str>> {
    match file {
        LogFile::None => None,
        LogFile::Auto => automatic,
        LogFile::Path(path) => Some(path.clone()),
    }
}

#[cfg(test)]
mod tests;
