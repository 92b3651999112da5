//! What happens to the bytes a process writes, decided chunk by chunk and without touching a file.

pub mod capture;
pub mod characters;
#[cfg(test)]
mod cuts;
pub mod debug_text;
mod note;
pub mod pipeline;
pub mod strip;

pub use supervisord_wire::channel::Channel;

/// What is to be done with one stream of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPlan {
    /// The log file, absolute; none when nothing is kept.
    pub file: Option<String>,
    /// Size at which the file is rotated, in bytes; 0 for never.
    pub maxbytes: u64,
    /// How many rotated files are kept.
    pub backups: u32,
    /// Size of the capture buffer, in bytes; 0 turns capture off.
    pub capture_maxbytes: u64,
    /// Report every piece as a PROCESS_LOG event.
    pub events_enabled: bool,
    /// Copy every line to the system log.
    pub syslog: bool,
}
