//! The lines of the state: JSON, one record each, of which the last about anything counts.
//!
//! These types are the format. What is at its default is left out, what a reader does not know it passes over, and what it
//! misses has its default. A change that an older reader would misunderstand takes another [`VERSION`]; what must not change
//! even then is in [`super::stable`].

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use supervisord_config::model::{self, LogFile};
use supervisord_core::process::{self, ProcessFailure, ProcessPhase, Progress, StopCause, StopDecision, Timer, Timers};
use supervisord_core::supervisor;
use supervisord_core::supervisor::ListenerProgress;
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_sys::start_time;
use supervisord_wire::state::ProcessState;

use super::command::CommandRecord;
use super::counts::CountsRecord;
use super::definition;
use super::health::HealthRecord;
use super::last_end::LastEndRecord;
use super::last_request::LastRequestRecord;
use super::listener::Listener;
use super::rolling_turn::RollingRecord;
use super::run::{Run, Runs};
use super::scale::ScaleRecord;
use super::stop_decision::StopRecord;
use crate::clock::present;

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
    Group(definition::GroupRecord),
    /// A group is no longer active.
    Removed(String),
    /// A process has automatic logs.
    Logs(Logs),
    /// A process has changed.
    Process(Box<ProcessRecord>),
    /// A FastCGI socket is open.
    Socket(Socket),
    /// The programs that are scaled, all of them.
    Scales(Vec<ScaleRecord>),
    /// The daemon is stopping everything, to end or to begin again.
    Ending,
    /// It does so because of a program; the line stands behind the one before.
    Exit(CausedExit),
}

/// The daemon that writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// An end of the daemon that a program has caused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CausedExit {
    /// The exit status of the daemon.
    pub status: u8,
    /// Why it ends.
    #[serde(default)]
    pub reason: String,
}

impl From<&supervisor::DaemonExit> for CausedExit {
    fn from(supervisor::DaemonExit { code, reason }: &supervisor::DaemonExit) -> CausedExit {
        CausedExit { status: *code, reason: reason.clone() }
    }
}

impl From<CausedExit> for supervisor::DaemonExit {
    fn from(CausedExit { status, reason }: CausedExit) -> supervisor::DaemonExit {
        supervisor::DaemonExit { code: status, reason }
    }
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

impl Logs {
    /// Those of a process with these logs; none where neither is automatic.
    pub fn automatic(
        group: &str,
        process: &model::Process,
        stdout: Option<&String>,
        stderr: Option<&String>,
    ) -> Option<Logs> {
        let stdout = stdout.filter(|_| process.logging.stdout.file == LogFile::Auto).cloned();
        let stderr = stderr.filter(|_| process.logging.stderr.file == LogFile::Auto).cloned();
        let is_any = stdout.is_some() || stderr.is_some();
        is_any.then(|| Logs { group: group.to_owned(), name: process.identity.name.clone(), stdout, stderr })
    }
}

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
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) pid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) started: u64,
    /// When the timer of its phase is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) attempts: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) quick_ends: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) restarts: Restarts,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) start: i64,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "is_zero")]
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
    #[serde(default, skip_serializing_if = "is_zero")]
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
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) awaits_dependencies: bool,
    /// The same, as soon as fewer programs are starting.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) awaits_turn: bool,
    /// Whether it is to be stopped as soon as others have stopped that depend on it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) stops_in_turn: bool,
    /// How often something has happened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<Box<CountsRecord>>,
    /// Why, where no client asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stops_in_turn_for: Option<Box<StopRecord>>,
    /// Whether an update stops it, for another definition or for good.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) is_renewed: bool,
    /// Where it stands in a rolling restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rolling: Option<RollingRecord>,
    /// How far it has got with being recycled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recycling: Option<Recycling>,
    /// The hook before its start runs. Its state is that before, as where it waits for what it depends on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) in_pre_start: bool,
    /// The hook before its stop runs. Its state is that before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) in_pre_stop: bool,
    /// Its commands that run beside its program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandRecord>,
    /// How many steps of its stop plan are done besides the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) stop_step: u32,
    /// How many commands have been asked about its environment for its present start.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) environment_step: u32,
    /// Its child has said that it is ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) ready: bool,
    /// Its child has been alive for `startsecs`, and is not ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) getting_ready: bool,
    /// Its child has been alive for `startsecs`, and is to do its work and end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) running_to_end: bool,
    /// It was to do its work and end, and has done so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) completed: bool,
    /// When it must be ready, where another timer is that of its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready_by: Option<u64>,
    /// What its child has said about itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) status: Status,
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
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: usize,
    /// Its child; none when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// What a process has said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    reloading: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    stopping: bool,
}

impl From<&process::ServiceStatus> for Status {
    fn from(process::ServiceStatus { text, is_reloading, is_stopping }: &process::ServiceStatus) -> Status {
        Status { text: text.clone(), reloading: *is_reloading, stopping: *is_stopping }
    }
}

impl From<&Status> for process::ServiceStatus {
    fn from(Status { text, reloading, stopping }: &Status) -> process::ServiceStatus {
        process::ServiceStatus { text: text.clone(), is_reloading: *reloading, is_stopping: *stopping }
    }
}

/// The restarts of a process since somebody started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restarts {
    #[serde(default, skip_serializing_if = "is_zero")]
    number: u32,
    /// Failed starts and crashes in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u32,
    /// Whether the next start is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    anew: bool,
    /// When, as far as a limit needs that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    times: Vec<u64>,
}

impl From<&process::Restarts> for Restarts {
    fn from(process::Restarts { number, failures, anew, times }: &process::Restarts) -> Restarts {
        let times = times.iter().copied().map(nanos).collect();
        Restarts { number: *number, failures: *failures, anew: *anew, times }
    }
}

impl From<&Restarts> for process::Restarts {
    fn from(Restarts { number, failures, anew, times }: &Restarts) -> process::Restarts {
        let times = times.iter().copied().map(Duration::from_nanos).collect();
        process::Restarts { number: *number, failures: *failures, anew: *anew, times }
    }
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

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
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
            status: service_status.as_deref().map(Status::from).unwrap_or_default(),
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
    pub(super) fn member_with(&self, stdout_log: Option<String>, stderr_log: Option<String>) -> MemberSnapshot {
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

    fn progress(&self) -> Progress {
        let pid = if self.pid == 0 { self.run.as_ref().map_or(0, |run| run.pid) } else { self.pid };
        let phase = self.phase(pid);
        let mut timers = Timers::default();
        if let (Some(timer), Some(deadline)) = (phase.timer(), self.deadline) {
            timers.set(timer, Duration::from_nanos(deadline));
        }
        if let Some(ready_by) = self.ready_by {
            timers.set(Timer::ReadyTimeout, Duration::from_nanos(ready_by));
        }
        Progress {
            phase,
            wanted: match self.wanted {
                Some(Wanted::Up) => process::Wanted::Up,
                Some(Wanted::Down) => process::Wanted::Down,
                None if self.replacing => process::Wanted::Up,
                None => phase.implies(),
            },
            timers,
            pid,
            started: Duration::from_nanos(self.started),
            attempts: self.attempts,
            quick_ends: self.quick_ends,
            restarts: (&self.restarts).into(),
            recycling: match self.recycling {
                None => process::Recycling::No,
                Some(Recycling::Due) => process::Recycling::Due,
                Some(Recycling::UnderWay) => process::Recycling::UnderWay,
            },
            stop_step: self.stop_step,
            environment_step: self.environment_step,
            ready: self.ready,
            service_status: (self.status != Status::default()).then(|| Box::new((&self.status).into())),
            stop_decision: self.stop_decision(phase).map(Arc::new),
            last_start: self.start,
            last_stop: self.stop,
            health: self.health.as_ref().map(|health| Box::new(health.into())),
            failure: ProcessFailure::from_text(self.spawn_error.clone()),
            exit_status: self.exit_status,
            exit_signal: self.exit_signal,
            last_end: self.last_end.as_ref().map(|end| Arc::new(end.into())),
            since: self.since,
        }
    }

    /// The first writers of version 2 kept no decision: what they stopped although it was wanted was to be started again.
    fn stop_decision(&self, phase: ProcessPhase) -> Option<StopDecision> {
        let is_stopping = matches!(phase, ProcessPhase::PreStop | ProcessPhase::Stopping | ProcessPhase::Stopped);
        let restarts = is_stopping && self.wanted.map_or(self.replacing, |wanted| wanted == Wanted::Up);
        let known = self.stop_decision.as_ref().map(StopRecord::decision);
        known.or_else(|| restarts.then(|| StopDecision::restart(StopCause::Configuration)))
    }

    fn phase(&self, pid: u32) -> ProcessPhase {
        match ProcessState::from_code(self.state.into()).unwrap_or(ProcessState::Unknown) {
            ProcessState::Stopped if self.in_pre_start => ProcessPhase::PreStart,
            ProcessState::Stopped if self.awaits_dependencies => ProcessPhase::AwaitingDependencies,
            ProcessState::Stopped if self.awaits_turn => ProcessPhase::AwaitingTurn,
            ProcessState::Stopped if self.start == 0 => ProcessPhase::NeverStarted,
            ProcessState::Stopped => ProcessPhase::Stopped,
            ProcessState::Starting if pid == 0 => ProcessPhase::Spawning,
            ProcessState::Starting if self.getting_ready => ProcessPhase::GettingReady,
            ProcessState::Starting if self.running_to_end => ProcessPhase::RunningToEnd,
            ProcessState::Starting => ProcessPhase::Settling,
            ProcessState::Running if self.in_pre_stop => ProcessPhase::PreStop,
            ProcessState::Running => ProcessPhase::Up,
            ProcessState::Stopping => ProcessPhase::Stopping,
            ProcessState::Exited if self.deadline.is_some() => ProcessPhase::WaitingToRestart,
            ProcessState::Exited if self.completed => ProcessPhase::Completed,
            ProcessState::Exited => ProcessPhase::Exited,
            ProcessState::Backoff => ProcessPhase::BackingOff,
            ProcessState::Fatal => ProcessPhase::GivenUp,
            ProcessState::Unknown => ProcessPhase::Unreachable,
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
fn log(file: &LogFile, automatic: Option<String>) -> Option<String> {
    match file {
        LogFile::None => None,
        LogFile::Auto => automatic,
        LogFile::Path(path) => Some(path.clone()),
    }
}

fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;
    use supervisord_core::health::{HealthProgress, HealthResult, Heartbeat};
    use supervisord_core::process::{EndJudgement, EndTraces, ExitStatus, LastEnd, Machine};

    use supervisord_core::last_request::{LastRequest, RequestedAction};

    use super::*;

    fn last_end() -> LastEnd {
        LastEnd {
            at: 7,
            status: ExitStatus::Code(3),
            judgement: EndJudgement::Unexpected,
            lived: Duration::from_millis(1500),
            stop_decision: None,
            traces: EndTraces::default(),
        }
    }

    /// Recorded of a daemon that had taken over the programs of a killed one.
    const VERSION_2_FULL: &str = include_str!("../../tests-data/state-v2-full.jsonl");

    #[test]
    fn the_form_of_the_lines_stays_as_it_is() {
        for line in VERSION_2_FULL.lines() {
            let record: Record = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&record).unwrap(), line);
        }
    }

    fn known_health() -> HealthProgress {
        HealthProgress {
            since: Duration::from_nanos(11),
            has_succeeded: true,
            failures: 2,
            last: Some(HealthResult { at: 12, failure: Some("HTTP status 503".to_owned()) }),
            next_check: Some(Duration::from_nanos(13)),
            under_way: Some(14),
            heartbeat: Heartbeat {
                due: Some(Duration::from_nanos(15)),
                has_come: true,
                is_missing: true,
                interval: Some(Duration::from_nanos(16)),
            },
            ..HealthProgress::default()
        }
    }

    /// A process in each phase comes back in it, with what is wanted of it and what is due.
    #[test]
    fn how_far_a_process_has_got_is_read_back() {
        let last_request = LastRequest { action: RequestedAction::Signal(10), by: "somebody".to_owned(), at: 5 };
        let in_turn = Arc::new(StopDecision::restart(StopCause::DependencyFailure("db is unhealthy".to_owned())));
        for phase in ProcessPhase::ALL {
            for wanted in [process::Wanted::Up, process::Wanted::Down] {
                let mut timers = Timers::default();
                phase.timer().into_iter().for_each(|timer| timers.set(timer, Duration::from_nanos(77)));
                if phase == ProcessPhase::Settling {
                    timers.set(Timer::ReadyTimeout, Duration::from_nanos(88));
                }
                let has_child = matches!(
                    phase,
                    ProcessPhase::Settling
                        | ProcessPhase::GettingReady
                        | ProcessPhase::RunningToEnd
                        | ProcessPhase::Up
                        | ProcessPhase::PreStop
                        | ProcessPhase::Stopping
                        | ProcessPhase::Unreachable
                );
                let progress = Progress {
                    phase,
                    wanted,
                    timers,
                    pid: if has_child { 7 } else { 0 },
                    started: Duration::from_nanos(if phase == ProcessPhase::Spawning { 0 } else { 5 }),
                    attempts: 3,
                    quick_ends: 2,
                    restarts: process::Restarts {
                        number: 4,
                        failures: 3,
                        anew: true,
                        times: vec![Duration::from_nanos(55), Duration::from_nanos(66)],
                    },
                    recycling: process::Recycling::UnderWay,
                    stop_step: 1,
                    environment_step: 1,
                    ready: true,
                    service_status: Some(Box::new(process::ServiceStatus {
                        text: "serving".to_owned(),
                        is_reloading: true,
                        is_stopping: true,
                    })),
                    stop_decision: Some(Arc::new(StopDecision::rest(StopCause::Unhealthy("it is ill".to_owned())))),
                    last_start: i64::from(phase != ProcessPhase::NeverStarted),
                    last_stop: 9,
                    health: (phase == ProcessPhase::Up).then(|| Box::new(known_health())),
                    failure: Some(ProcessFailure::BadExit(3)),
                    exit_status: Some(3),
                    exit_signal: Some(4),
                    last_end: Some(Arc::new(LastEnd { at: 8, ..last_end() })),
                    since: 6,
                };
                let member = MemberSnapshot {
                    name: "p".to_owned(),
                    machine: Machine::from(progress.clone()),
                    stdout_log: None,
                    stderr_log: None,
                    last_request: Some(Arc::new(last_request.clone())),
                    counts: None,
                    stops_in_turn: Some(in_turn.clone()),
                    is_renewed: true,
                    rolling: Some(supervisor::RollingTurn {
                        rollout: 1,
                        parallel: 2,
                        place: 3,
                        is_under_way: true,
                        has_failed: true,
                    }),
                    commands: Vec::new(),
                    listener: None,
                };
                let text = serde_json::to_string(&ProcessRecord::new("g", &member, &Runs::default(), 0)).unwrap();
                let read: ProcessRecord = serde_json::from_str(&text).unwrap();
                let read = read.member(&samples::process("p"), None);
                assert_eq!(*read.machine.progress(), progress, "{text}");
                assert_eq!(read.last_request.as_deref(), Some(&last_request), "{text}");
                assert_eq!(read.stops_in_turn.as_ref(), Some(&in_turn), "{text}");
            }
        }
    }

    /// The codes of the states do not tell all phases, which other fields do.
    #[test]
    fn the_phase_is_told_by_the_state_that_clients_know() {
        let of = |state: ProcessState, pid, start, deadline| {
            let process = ProcessRecord { state: state.code(), pid, start, deadline, ..ProcessRecord::default() };
            let machine = Machine::from(process.progress());
            (machine.phase(), machine.wanted(), machine.next_timer().map(|(timer, _)| timer))
        };
        let (up, down, at) = (process::Wanted::Up, process::Wanted::Down, Some(5));
        assert_eq!(of(ProcessState::Stopped, 0, 0, None), (ProcessPhase::NeverStarted, down, None));
        assert_eq!(of(ProcessState::Stopped, 0, 9, None), (ProcessPhase::Stopped, down, None));
        assert_eq!(of(ProcessState::Starting, 0, 9, None), (ProcessPhase::Spawning, up, None));
        assert_eq!(of(ProcessState::Starting, 7, 9, at), (ProcessPhase::Settling, up, Some(Timer::Settled)));
        assert_eq!(of(ProcessState::Running, 7, 9, None), (ProcessPhase::Up, up, None));
        assert_eq!(of(ProcessState::Stopping, 7, 9, at), (ProcessPhase::Stopping, down, Some(Timer::NextStopStep)));
        assert_eq!(of(ProcessState::Exited, 0, 9, None), (ProcessPhase::Exited, up, None));
        assert_eq!(of(ProcessState::Exited, 0, 9, at), (ProcessPhase::WaitingToRestart, up, Some(Timer::Restart)));
        assert_eq!(of(ProcessState::Backoff, 0, 9, at), (ProcessPhase::BackingOff, up, Some(Timer::Retry)));
        assert_eq!(of(ProcessState::Fatal, 0, 9, None), (ProcessPhase::GivenUp, up, None));
        assert_eq!(of(ProcessState::Unknown, 7, 9, None), (ProcessPhase::Unreachable, down, None));
    }
}
