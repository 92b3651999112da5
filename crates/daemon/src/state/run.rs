//! What identifies a child and its pipes, for a daemon that did not make it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::process::ProgramCommand;
use supervisord_sys::proc_stat::ProcessStat;
use supervisord_sys::{Pid, proc_stat, start_time};

use crate::output::RunId;

use super::encoding::is_default;

/// A child. The numbers of the system for its pipes and its socket are not known but of a child of version 1, whose daemon
/// had nobody to keep them: they are looked for in the child itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The number of the run.
    pub run: u64,
    /// Its process id; 0 while it is being made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pid: u32,
    /// When it was started, after the boot, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub started: u64,
    /// Whether that is what the system says, and not our own idea of it, which comes a little later.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub exact: bool,
    /// The mark of its descendants, where a stop is to reach them: they may outlive it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tree: Option<u64>,
    /// The FastCGI socket that is its stdin.
    #[serde(default, skip_serializing_if = "is_default")]
    pub socket: Option<u64>,
    /// The pipe that is its stdin.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stdin: Option<u64>,
    /// The pipe that is its stdout.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stdout: Option<u64>,
    /// The pipe that is its stderr.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stderr: Option<u64>,
}

/// The children of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// That of its program; none when it has none.
    pub program: Option<Run>,
    /// Its other commands.
    pub commands: Vec<CommandRun>,
}

impl Runs {
    /// Those of a process without other commands.
    pub fn of_program(program: Option<Run>) -> Runs {
        Runs { program, commands: Vec::new() }
    }
}

/// A command of a process that runs beside its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRun {
    /// What it is for.
    pub command: ProgramCommand,
    /// What identifies its process.
    pub run: Run,
    /// When it is killed, on the monotonic clock.
    pub kill_at: Duration,
    /// How long it may take altogether.
    pub timeout: Duration,
}

/// The number of a run, as a field of another record.
pub mod run_id {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::RunId;

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(run: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(run.0)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        u64::deserialize(deserializer).map(RunId)
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Run {
    /// The run of a child about to be made.
    pub fn new(run: RunId) -> Run {
        Run { run: run.0, exact: true, ..Run::default() }
    }

    /// This run, whose child has this process id.
    pub fn of(self, pid: u32) -> Run {
        let stat = Pid::new(pid).and_then(proc_stat::read);
        self.spawned(pid, stat.map(|stat| stat.started))
    }

    /// This run, now that its child is made; `started` is when, after the boot, if the system tells.
    pub fn spawned(self, pid: u32, started: Option<Duration>) -> Run {
        let exact = started.is_some();
        let started = start_time::millis(started.unwrap_or_else(start_time::boot_time));
        Run { pid, started, exact, ..self }
    }

    /// Whether a process, of which this is the stat, is this child: it has its number, and was started when this was.
    pub fn is(&self, stat: &ProcessStat) -> bool {
        let found = stat.started_millis();
        if self.exact { found == self.started } else { found.abs_diff(self.started) < TOLERANCE }
    }
}

/// How far apart, in milliseconds, the system's idea of a start and one taken after it may be.
const TOLERANCE: u64 = 500;
