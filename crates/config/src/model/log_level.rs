//! How severe a line of the activity log is.

/// Severity of an activity log line, most severe first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    Critical,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
    Blather,
}

impl LogLevel {
    /// All of them, the most severe first.
    pub const ALL: [LogLevel; 7] = [
        LogLevel::Critical,
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
        LogLevel::Blather,
    ];

    /// The severity of the system log that it is.
    pub const fn syslog_code(self) -> u8 {
        match self {
            LogLevel::Critical => 2,
            LogLevel::Error => 3,
            LogLevel::Warn => 4,
            LogLevel::Info => 6,
            LogLevel::Debug | LogLevel::Trace | LogLevel::Blather => 7,
        }
    }

    /// The four letters that mark the level in a line.
    pub const fn code(self) -> &'static str {
        match self {
            LogLevel::Critical => "CRIT",
            LogLevel::Error => "ERRO",
            LogLevel::Warn => "WARN",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBG",
            LogLevel::Trace => "TRAC",
            LogLevel::Blather => "BLAT",
        }
    }

    /// The word for it, as `loglevel` has it.
    pub const fn word(self) -> &'static str {
        match self {
            LogLevel::Critical => "critical",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
            LogLevel::Blather => "blather",
        }
    }

    /// The number by which Python code knows it, larger for more severe ones.
    pub const fn number(self) -> i64 {
        match self {
            LogLevel::Critical => 50,
            LogLevel::Error => 40,
            LogLevel::Warn => 30,
            LogLevel::Info => 20,
            LogLevel::Debug => 10,
            LogLevel::Trace => 5,
            LogLevel::Blather => 3,
        }
    }

    /// The level a number of Python code stands for: the most severe one it reaches.
    pub fn from_number(number: i64) -> LogLevel {
        use LogLevel::{Blather, Critical, Debug, Error, Info, Trace, Warn};
        let levels = [Critical, Error, Warn, Info, Debug, Trace];
        levels.into_iter().find(|level| level.number() <= number).unwrap_or(Blather)
    }
}
