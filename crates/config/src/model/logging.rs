//! Where the output of a process goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::CopyOnWrite;
use crate::date_format::DateFormat;
use crate::forward_target::ForwardTarget;
use crate::log_compression::LogCompression;
use crate::log_form::LogFormat;
use crate::rotate_when::RotateWhen;
use crate::syslog_code::{SyslogFacility, SyslogSeverity};

/// What happens to output that a log cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBlocked {
    /// It waits, and so does the program.
    Block,
    /// The oldest that waits is lost.
    DropOldest,
    /// The newest is lost.
    DropNewest,
    /// It waits in a file of so many bytes at the most; not 0. Beyond that the newest is lost.
    Spill(u64),
}

impl WhenBlocked {
    /// All that are one word.
    pub const ALL: [WhenBlocked; 3] = [WhenBlocked::Block, WhenBlocked::DropOldest, WhenBlocked::DropNewest];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            WhenBlocked::Block => "block",
            WhenBlocked::DropOldest => "drop_oldest",
            WhenBlocked::DropNewest => "drop_newest",
            WhenBlocked::Spill(_) => "spill",
        }
    }
}

impl fmt::Display for WhenBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhenBlocked::Spill(bytes) => write!(f, "{}:{bytes}", self.word()),
            policy => f.write_str(policy.word()),
        }
    }
}

/// Where the output of a process goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// Its stdout log.
    pub stdout: ChannelLog,
    /// Its stderr log; of no effect with `redirect_stderr`.
    pub stderr: ChannelLog,
    /// Send its stderr where its stdout goes.
    pub redirect_stderr: bool,
    /// Write lines into its log when it starts, is sent a signal and ends.
    pub log_markers: bool,
    /// What happens to output that a log cannot take, in place of what happens to all.
    pub log_when_blocked: Option<WhenBlocked>,
    /// How lines are forwarded to log services.
    pub forwarding: CopyOnWrite<LogForwarding>,
}

/// What log services are told beside the lines, and by what they are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogForwarding {
    /// What names the program in forwarded lines; none for the name of the process.
    pub syslog_tag: Option<String>,
    /// What kind of program it is for log services.
    pub syslog_facility: SyslogFacility,
    /// What names the host in forwarded lines; none for the name of the system.
    pub syslog_hostname: Option<String>,
    /// The file with the certificates that log services are trusted by; none for those of the system.
    pub syslog_cafile: Option<String>,
    /// The file with the certificate that encrypted log services get; none where they ask for none.
    pub syslog_certfile: Option<String>,
    /// The file with its private key; none where it is in the same file.
    pub syslog_keyfile: Option<String>,
}

impl Logging {
    /// The certificates by which log services are trusted, for those who only read where they are.
    pub fn trusted_certificates(&self) -> Option<&str> {
        self.forwarding.syslog_cafile.as_deref()
    }
}

/// Logging of stdout or stderr of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelLog {
    /// Where it goes.
    pub file: LogFile,
    /// Size at which the file is rotated, in bytes; 0 for never.
    pub maxbytes: u64,
    /// How many rotated files are kept.
    pub backups: u32,
    /// When else the file is rotated, and which rotated ones are kept.
    pub rotation: CopyOnWrite<LogRotation>,
    /// Size of the buffer for capture mode, in bytes; 0 turns capture off.
    pub capture_maxbytes: u64,
    /// Emit PROCESS_LOG events.
    pub events_enabled: bool,
    /// In which form its lines stand in the file.
    pub log_format: LogFormat,
    /// Copy it to the system log.
    pub syslog: bool,
    /// How many of its last bytes are kept in memory, where its log is no file; 0 for none.
    pub log_memory: u64,
    /// The log services that get its lines besides.
    pub log_forward: Vec<ForwardTarget>,
    /// How severe its lines are for them, unless they say so themselves.
    pub log_severity: SyslogSeverity,
}

impl ChannelLog {
    /// Whether the file is ever renamed; without rotated files, its content is given up in its place.
    pub fn is_renamed(&self) -> bool {
        self.backups > 0 && (self.maxbytes > 0 || self.rotation.logfile_rotate.is_some())
    }
}

/// When a log is rotated besides at a size, and which rotated files are kept besides so many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRotation {
    /// The times at which it is rotated.
    pub logfile_rotate: Option<RotateWhen>,
    /// The date in the name of a rotated file; none for a number.
    pub logfile_date_format: Option<DateFormat>,
    /// How old the last line of a rotated file may become.
    pub logfile_max_age: Option<Duration>,
    /// How many bytes all rotated files may have; 0 for any number.
    pub logfile_max_total: u64,
    /// How a rotated file is compressed.
    pub logfile_compress: LogCompression,
}

/// The file of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogFile {
    /// No file.
    None,
    /// A file whose name the daemon makes up.
    #[default]
    Auto,
    /// This file; the path is shared with all who name it.
    Path(Arc<str>),
}
