//! The processing of a process's output, chunk by chunk and without I/O.

pub mod backlog;
pub mod capture;
pub mod characters;
#[cfg(test)]
mod cuts;
pub mod debug_text;
pub mod forward;
pub mod last_lines;
pub mod line_watch;
mod note;
pub mod pipeline;
pub mod records;
pub mod strip;

use std::sync::Arc;

use supervisord_config::line_pattern::LinePattern;
use supervisord_config::model::WhenBlocked;
pub use supervisord_wire::channel::Channel;

use crate::rotation::rules::RotationRules;
use forward::ForwardPlan;
use records::RecordPlan;

/// How the last bytes of a stream are kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The name by which clients know the process, which its later runs have, too.
    pub process: Arc<str>,
    /// How many bytes are kept.
    pub bytes: u64,
}

/// The configured processing of one stream of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPlan {
    /// The log file, absolute; none to discard the output.
    pub file: Option<Arc<str>>,
    /// Size at which the file is rotated, in bytes; 0 for never.
    pub maxbytes: u64,
    /// How many rotated files to keep.
    pub backups: u32,
    /// When else the file is rotated, and which rotated files are kept; none where that is not configured.
    pub rotation_rules: Option<Arc<RotationRules>>,
    /// Size of the capture buffer, in bytes; 0 for no capture mode.
    pub capture_maxbytes: u64,
    /// Report every chunk as a PROCESS_LOG event.
    pub events_enabled: bool,
    /// Copy every line to the system log.
    pub syslog: bool,
    /// Keep the last bytes, which explain how the process ended.
    pub keeps_end: bool,
    /// Make records of its lines; none to log them as they are.
    pub records: Option<RecordPlan>,
    /// Write lines into the log when the process starts, is sent a signal and ends.
    pub markers: bool,
    /// What happens to output that the log cannot take, in place of what happens to all.
    pub when_blocked: Option<WhenBlocked>,
    /// Keep its last bytes in memory, where the log is no file.
    pub memory: Option<MemoryPlan>,
    /// Forward its lines to log services; none where they go nowhere else.
    pub forward: Option<Arc<ForwardPlan>>,
    /// Report the first line that this matches, by which the process says that it is ready. Boxed, because hardly any stream has one.
    pub ready_line: Option<Box<LinePattern>>,
    /// Its bytes go to the log and nowhere else: they may tell a secret.
    pub is_private: bool,
}
