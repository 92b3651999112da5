//! What the command line of the daemon says about its configuration. It wins over the file.

use crate::complaint::Complaint;
use crate::convert;
use crate::error::ConfigError;
use crate::host::DaemonHost;
use crate::model::{ActivityLog, LogLevel};
use crate::path;
use crate::pyrepr::repr;

/// An option of the command line that sets a value of `[supervisord]`, names the file, or is without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    Configuration,
    Nodaemon,
    Silent,
    Nocleanup,
    StripAnsi,
    User,
    Umask,
    Directory,
    Logfile,
    LogfileMaxbytes,
    LogfileBackups,
    Loglevel,
    Pidfile,
    Identifier,
    Childlogdir,
    Minfds,
    Minprocs,
    ProfileOptions,
}

/// One use of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Which flag.
    pub flag: Flag,
    /// Its full form as messages show it, such as `-y` or `--logfile_maxbytes`.
    pub spelling: String,
    /// Its value as typed; empty for a switch.
    pub value: String,
}

/// The flags of a command line in the order given, values not yet converted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The flags.
    pub given: Vec<Given>,
}

/// The converted values of a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    pub(crate) nodaemon: bool,
    pub(crate) silent: bool,
    pub(crate) nocleanup: bool,
    pub(crate) strip_ansi: bool,
    pub(crate) user: Option<String>,
    pub(crate) umask: Option<u32>,
    pub(crate) directory: Option<String>,
    pub(crate) logfile: Option<ActivityLog>,
    pub(crate) logfile_maxbytes: Option<i64>,
    pub(crate) logfile_backups: Option<i64>,
    pub(crate) loglevel: Option<LogLevel>,
    pub(crate) pidfile: Option<String>,
    pub(crate) identifier: Option<String>,
    pub(crate) childlogdir: Option<String>,
    pub(crate) minfds: Option<i64>,
    pub(crate) minprocs: Option<i64>,
}

impl CommandLine {
    /// Converts all values. The first that is bad is an error, `invalid value for -y 'abc': REASON`, or that is given twice:
    /// `conflicting command line option '-y'`.
    ///
    /// Call it before looking for the configuration file, so that errors come in the original's order.
    pub fn convert(&self, host: &dyn DaemonHost) -> Result<Overrides, ConfigError> {
        let mut overrides = Overrides::default();
        for (index, Given { flag, spelling, value }) in self.given.iter().enumerate() {
            overrides.set(*flag, value, host).map_err(|reason| {
                ConfigError::new(format!("invalid value for {spelling} {}: {reason}", repr(value)))
            })?;
            if self.given[..index].iter().any(|before| before.flag == *flag) {
                return Err(ConfigError::new(format!("conflicting command line option {}", repr(spelling))));
            }
        }
        Ok(overrides)
    }
}

impl Overrides {
    fn set(&mut self, flag: Flag, value: &str, host: &dyn DaemonHost) -> Result<(), Complaint> {
        match flag {
            // Nothing instead of these two files means those of the configuration.
            Flag::Logfile | Flag::Pidfile if value.is_empty() => {}
            Flag::Configuration | Flag::ProfileOptions => {}
            Flag::Nodaemon => self.nodaemon = true,
            Flag::Silent => self.silent = true,
            Flag::Nocleanup => self.nocleanup = true,
            Flag::StripAnsi => self.strip_ansi = true,
            Flag::User => self.user = Some(value.to_owned()),
            Flag::Umask => self.umask = Some(convert::octal(value)?),
            Flag::Directory => self.directory = Some(path::existing_directory(value, host)?),
            Flag::Logfile => self.logfile = Some(activity_log(value, host)?),
            Flag::LogfileMaxbytes => self.logfile_maxbytes = Some(convert::byte_size(value)?),
            Flag::LogfileBackups => self.logfile_backups = Some(convert::integer(value)?),
            Flag::Loglevel => self.loglevel = Some(convert::log_level(value)?),
            Flag::Pidfile => self.pidfile = Some(path::in_existing_directory(value, host)?),
            Flag::Identifier => self.identifier = Some(value.to_owned()),
            Flag::Childlogdir => self.childlogdir = Some(path::existing_directory(value, host)?),
            Flag::Minfds => self.minfds = Some(convert::integer(value)?),
            Flag::Minprocs => self.minprocs = Some(convert::integer(value)?),
        }
        Ok(())
    }
}

/// `syslog`, or a file made absolute.
pub(crate) fn activity_log(text: &str, host: &dyn DaemonHost) -> Result<ActivityLog, Complaint> {
    if text == "syslog" {
        return Ok(ActivityLog::Syslog);
    }
    path::in_existing_directory(text, host).map(|file| ActivityLog::File(path::absolute(&file, host)))
}
