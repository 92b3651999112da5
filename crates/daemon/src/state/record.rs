//! The lines of the state: JSON, one record each, of which the last about anything counts.
//!
//! These types are the format. What is at its default is left out, what a reader does not know it passes over, and what it
//! misses has its default. A change that an older reader would misunderstand takes another [`VERSION`]; what must not change
//! even then is in [`super::stable`].

use serde::{Deserialize, Serialize};
use supervisord_core::supervisor;

use super::automatic_logs::Logs;
use super::definition;
use super::process_record::ProcessRecord;
use super::scale::ScaleRecord;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded of a daemon that had taken over the programs of a killed one.
    const VERSION_2_FULL: &str = include_str!("../../tests-data/state-v2-full.jsonl");

    #[test]
    fn the_form_of_the_lines_stays_as_it_is() {
        for line in VERSION_2_FULL.lines() {
            let record: Record = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&record).unwrap(), line);
        }
    }
}
