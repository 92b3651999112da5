//! The output plane: one thread that owns every child's stdout and stderr pipe and every log sink.
//!
//! It never decides about processes. A disk that hangs stops this thread and nothing else.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mio::{Poll, Waker};
use supervisord_config::disk_reserve::DiskReserve;
use supervisord_config::model::{ActivityFormat, ActivityLog, LogLevel};
use supervisord_core::output::forward::ForwardPlan;
use supervisord_core::rotation::Rotation;
use supervisord_core::rotation::rules::RotationRules;
use supervisord_sys::syslog::Syslog;

use crate::activity::Activity;
use crate::audit::AuditTrail;
use crate::follow::FollowHub;
use crate::notifier::Notifier;
use crate::output_memory::OutputMemory;

mod activity_log;
pub mod answer;
mod audit_log;
mod backups;
mod budget;
mod compression;
mod compression_end;
mod directories;
mod disk_guard;
mod end_of_output;
mod forwarding;
mod held_output;
mod log_file;
mod log_limits;
mod log_path;
mod log_target;
mod loss;
mod loss_reports;
mod message;
mod outlets;
mod passed_over;
mod pipeline_notes;
mod plane;
mod queue;
mod read_coalescing;
mod sink;
mod sink_id;
mod sinks;
mod spill;
mod state_file;
mod stream;
mod stream_log;
mod streams;
mod system_log;
mod torn_line;
mod transit;
mod transit_recovery;
mod upkeep;
mod waiting_output;

pub use activity_log::OpenError;
pub use budget::ReportBudget;
pub use compression_end::CompressionEnd;
pub use forwarding::{lost_lines, unusable_certificates};
pub use log_path::inherited;
pub use loss::lost_bytes;
pub use message::{AttachChannel, ClearError, HandedStream, LogFailure, OutputRequest, Report, RunId, StreamCopy};
pub use queue::OutputHandle;
pub use transit::TransitFiles;

use activity_log::ActivityWriter;
use audit_log::AuditWriter;
use compression::Compressor;
use forwarding::Forwarders;
use log_limits::LogLimits;
use outlets::Outlets;
use plane::Plane;
use sinks::Sinks;
use transit::Transit;
use transit_recovery::TransitRecovery;

/// What the output plane needs to know from the start.
#[derive(Debug)]
pub struct Options {
    /// Where the activity log goes.
    pub activity: ActivityLog,
    /// In which form its entries are.
    pub format: ActivityFormat,
    /// The path of the audit log; none where there is to be none.
    pub audit: Option<String>,
    /// When the activity log and the audit log are rotated.
    pub rotation: Rotation,
    /// When else they are rotated, and which rotated ones are kept.
    pub rotation_rules: Option<Arc<RotationRules>>,
    /// How much of a disk the logs of programs leave free.
    pub disk_reserve: Option<DiskReserve>,
    /// Where output may wait for logs in files.
    pub spill_directory: String,
    /// Where the entries of the activity log are forwarded.
    pub forward: Option<ForwardPlan>,
    /// Write every line of the activity log to stdout first.
    pub echo_to_stdout: bool,
    /// The least severe level that is written.
    pub level: LogLevel,
    /// Remove terminal escapes from child output.
    pub strip_ansi: bool,
    /// The system log, for the activity log or for streams that are copied there.
    pub syslog: Syslog,
}

/// The output plane with its activity log open and its thread not yet started: between the two the daemon may fork.
pub struct Output {
    requests: OutputHandle,
    sinks: Sinks,
    memory: Arc<OutputMemory>,
    forward: Option<ForwardPlan>,
    activity: ActivityWriter,
    audit: AuditWriter,
    is_audited: bool,
    level: LogLevel,
    format: ActivityFormat,
    strip_ansi: bool,
    recovery: Option<TransitRecovery>,
}

/// A started output plane.
pub struct Running {
    /// The way to it.
    pub handle: OutputHandle,
    /// What control gives back the bytes of reports to.
    pub budget: ReportBudget,
    /// Ends after [`OutputRequest::Stop`].
    pub thread: JoinHandle<()>,
}

impl Output {
    /// Opens the activity log. `follow` is told about every change of a log.
    pub fn open(options: Options, follow: Arc<FollowHub>) -> Result<Output, OpenError> {
        let Options {
            activity,
            format,
            audit,
            rotation,
            rotation_rules,
            disk_reserve,
            spill_directory,
            forward,
            echo_to_stdout,
            level,
            strip_ansi,
            syslog,
        } = options;
        let limits = LogLimits { rotation, rules: rotation_rules, leaves_reserve: false };
        let memory = Arc::new(OutputMemory::new(follow.clone()));
        let mut sinks = Sinks::new(follow, syslog, Transit::new().ok());
        if let Some(reserve) = disk_reserve {
            sinks.leave_free(reserve);
        }
        sinks.spill_to(&spill_directory);
        let activity = ActivityWriter::open(&activity, &limits, (level, format), echo_to_stdout, &mut sinks)?;
        let is_audited = audit.is_some();
        let audit = AuditWriter::open(audit.as_deref(), &limits, &mut sinks)?;
        let requests = OutputHandle::new();
        Ok(Output {
            requests,
            sinks,
            memory,
            forward,
            activity,
            audit,
            is_audited,
            level,
            format,
            strip_ansi,
            recovery: None,
        })
    }

    /// Goes on with what the program before, or a daemon that was killed, had on its way ([`Output::transit_files`]): it is
    /// written first. What a keeper holds for one it holds for the next, at every moment.
    pub fn take_over(&mut self, files: TransitFiles) {
        let (recovery, text) = match take_over(files, &mut self.sinks) {
            Ok((recovery, 0)) => (recovery, None),
            Ok((recovery, lost)) => {
                let text = "bytes of output that waited in memory for logs which took nothing were lost when the previous daemon \
                            was killed";
                (recovery, Some(format!("{lost} {text}")))
            }
            Err(error) => {
                let text = "output that the previous daemon was writing when it was killed may be lost";
                (None, Some(format!("{text}: {error}")))
            }
        };
        self.recovery = recovery;
        if let Some(text) = text {
            drop(self.activity.log(LogLevel::Warn, &text, &mut self.sinks));
        }
    }

    /// Goes on with what the program before, or a daemon that was killed, had kept of output in memory.
    pub fn take_over_memory(&mut self, file: OwnedFd) {
        if let Err(error) = self.memory.take_over(file) {
            let text = format!("the output that the previous daemon had kept in memory cannot be used: {error}");
            drop(self.activity.log(LogLevel::Warn, &text, &mut self.sinks));
        }
    }

    /// What is kept of output in memory.
    pub fn memory(&self) -> Arc<OutputMemory> {
        self.memory.clone()
    }

    /// The way in; what is sent before the start waits.
    pub fn handle(&self) -> OutputHandle {
        self.requests.clone()
    }

    /// Copies of what must outlive this process, so that nothing is lost or repeated of what is on its way to a log when it
    /// is killed: see [`Output::take_over`] and [`OutputRequest::Kept`]. None where the system cannot do that.
    pub fn transit_files(&mut self) -> Option<TransitFiles> {
        self.sinks.transit()?.files().ok()
    }

    /// A handle on the activity log; what is logged before the start waits.
    pub fn activity(&self) -> Activity {
        let requests = self.requests.clone();
        let progress = requests.progress().clone();
        Activity::written(
            self.level,
            self.format,
            move |line| requests.send(OutputRequest::Activity { line }),
            progress,
        )
    }

    /// The same for control, which ends each turn of its loop with [`OutputHandle::ring_if_due`]: a turn logs several lines.
    pub fn activity_in_turns(&self) -> Activity {
        let requests = self.requests.clone();
        let progress = requests.progress().clone();
        Activity::written(
            self.level,
            self.format,
            move |line| requests.put_off(OutputRequest::Activity { line }),
            progress,
        )
    }

    /// A handle on the audit log, which may be none.
    pub fn audit(&self) -> AuditTrail {
        let requests = self.requests.clone();
        match self.is_audited {
            true => AuditTrail::new(move |line| requests.send(OutputRequest::Audit { line })),
            false => AuditTrail::default(),
        }
    }

    /// Starts the thread. `report` runs on it, must not block and must wake control.
    pub fn start(self, report: impl Fn(Report) + Send + 'static) -> io::Result<Running> {
        let Output { requests, mut sinks, memory, forward, activity, audit, strip_ansi, recovery, .. } = self;
        let poll = Poll::new()?;
        sinks.set_registry(poll.registry().try_clone()?);
        sinks.set_compressor(Compressor::new(requests.clone()));
        requests.set_notifier(Notifier::new(Waker::new(poll.registry(), plane::REQUESTS)?));
        let budget = ReportBudget::new(requests.clone());
        let mut forwarders = Forwarders::new(requests.clone());
        let activity_forwarding = forward.map(|plan| forwarders.acquire(&plan));
        let (budget_of_outlets, to_control) = (budget.clone(), Box::new(report));
        let outlets = Outlets {
            sinks,
            memory,
            is_memory_failing: false,
            activity,
            audit,
            forwarders,
            activity_forwarding,
            strip_ansi,
            budget: budget_of_outlets,
            to_control,
        };
        let plane = Plane::new(poll, requests.clone(), outlets, recovery)?;
        let thread = thread::Builder::new().name("output".to_owned()).spawn(move || plane.run())?;
        Ok(Running { handle: requests, budget, thread })
    }
}

/// Reads what was on its way, if anything was, and replaces the transit. The answer says how many bytes are lost, too.
fn take_over(files: TransitFiles, sinks: &mut Sinks) -> io::Result<(Option<TransitRecovery>, u64)> {
    let recovery = TransitRecovery::read(&files)?;
    let lost = sinks.replace_transit(Transit::adopt(files)?);
    Ok((recovery, lost))
}

#[cfg(test)]
mod tests;
