//! The options of `[supervisord]`.

use super::{LogLevel, LogRotation};
use crate::disk_reserve::DiskReserve;
use crate::forward_target::ForwardTarget;
use crate::host::Account;
use crate::syslog_code::SyslogFacility;

/// `[supervisord]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supervisord {
    /// Descriptors the daemon must be able to open.
    pub minfds: u64,
    /// Processes the daemon must be able to create.
    pub minprocs: u64,
    /// Where to go when daemonizing.
    pub directory: Option<String>,
    /// Whom to become.
    pub user: Option<Account>,
    /// File mode mask when daemonizing.
    pub umask: u32,
    /// Where the activity log goes.
    pub logfile: ActivityLog,
    /// Size at which the activity log is rotated, in bytes; 0 for never.
    pub logfile_maxbytes: u64,
    /// How many rotated activity logs are kept.
    pub logfile_backups: u32,
    /// In which form its entries are.
    pub logfile_format: ActivityFormat,
    /// Where its entries go besides.
    pub forwarding: ActivityForwarding,
    /// When else it is rotated, and which rotated ones are kept.
    pub rotation: LogRotation,
    /// How much of a disk is to stay free for others: with less, nothing more is written to the logs of programs on it.
    pub log_min_free_disk: Option<DiskReserve>,
    /// Path of the audit log, absolute; none where there is none.
    pub audit_logfile: Option<String>,
    /// The directory of what outlives a reboot; none for that of the configuration file.
    pub state_directory: Option<String>,
    /// The least severe level that is logged.
    pub loglevel: LogLevel,
    /// Path of the pid file, absolute.
    pub pidfile: String,
    /// The name of this daemon towards clients and listeners.
    pub identifier: String,
    /// Stay in the foreground.
    pub nodaemon: bool,
    /// In the foreground, do not echo the activity log to stdout.
    pub silent: bool,
    /// Directory of automatic child logs.
    pub childlogdir: String,
    /// Keep automatic child logs of an earlier run.
    pub nocleanup: bool,
    /// Remove terminal escape sequences from child logs.
    pub strip_ansi: bool,
    /// When the daemon ends by itself.
    pub exit_when: ExitWhen,
    /// What an update restarts.
    pub update: UpdateMode,
    /// How many programs may be starting at the same time; 0 for any number.
    pub max_parallel_starts: usize,
    /// Let children survive a daemon that is killed, and take over those of one that was.
    pub adopt: bool,
    /// Added to the environment of every child; every [`Spawn::environment`](super::Spawn::environment) already contains it.
    pub environment: Vec<(String, String)>,
}

/// Where the entries of the activity log are forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityForwarding {
    /// The log services.
    pub logfile_forward: Vec<ForwardTarget>,
    /// What names the daemon; none for `supervisord`.
    pub tag: Option<String>,
    /// What kind of program it is.
    pub facility: SyslogFacility,
    /// What names the host; none for the name of the system.
    pub hostname: Option<String>,
    /// The file with the certificates that log services are trusted by; none for those of the system.
    pub cafile: Option<String>,
    /// The file with the certificate that encrypted log services get; none where they ask for none.
    pub certfile: Option<String>,
    /// The file with its private key; none where it is in the same file.
    pub keyfile: Option<String>,
}

/// When the daemon ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitWhen {
    /// Never.
    #[default]
    Never,
    /// When every program has finished for good.
    AllFinished,
    /// When a program has failed for good.
    AnyFailed,
}

impl ExitWhen {
    /// All of them.
    pub const ALL: [ExitWhen; 3] = [ExitWhen::Never, ExitWhen::AllFinished, ExitWhen::AnyFailed];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            ExitWhen::Never => "never",
            ExitWhen::AllFinished => "all_finished",
            ExitWhen::AnyFailed => "any_failed",
        }
    }
}

/// What an update of the configuration restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateMode {
    /// Every group in which something has changed, as the original does.
    #[default]
    Groups,
    /// The processes that cannot do without.
    Minimal,
}

impl UpdateMode {
    /// All of them.
    pub const ALL: [UpdateMode; 2] = [UpdateMode::Groups, UpdateMode::Minimal];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            UpdateMode::Groups => "groups",
            UpdateMode::Minimal => "minimal",
        }
    }

    /// The one with this word.
    pub fn from_word(word: &str) -> Option<UpdateMode> {
        UpdateMode::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// Where the activity log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ActivityLog {
    /// To the system log.
    #[default]
    Syslog,
    /// To this file, absolute.
    File(String),
}

/// In which form the entries of the activity log are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActivityFormat {
    /// The lines of the original.
    #[default]
    Text,
    /// One JSON object for each entry.
    Json,
}

impl ActivityFormat {
    /// All of them.
    pub const ALL: [ActivityFormat; 2] = [ActivityFormat::Text, ActivityFormat::Json];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            ActivityFormat::Text => "text",
            ActivityFormat::Json => "json",
        }
    }
}
