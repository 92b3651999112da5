//! What the command line of the daemon says about its configuration. It wins over the file.

use crate::complaint::Complaint;
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::DaemonHost;
use crate::pyrepr::repr;
use crate::scale::ScaleRequest;
use crate::schema::{Context, SectionKind};
use crate::value::ConfigValue;

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
pub struct CommandLineFlags {
    /// The flags.
    pub given: Vec<Given>,
}

/// The converted values of a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// A user that is looked up only once everything else has been read.
    pub(crate) user: Option<String>,
    /// Options of `[supervisord]` with their values.
    values: Vec<(&'static str, ConfigValue<'static>)>,
    /// The same as they are typed.
    written: Vec<(&'static str, String)>,
    /// How many processes programs are to have.
    pub(crate) scales: Vec<ScaleRequest>,
}

impl Flag {
    /// The option of `[supervisord]` that it sets, if it sets one.
    const fn option(self) -> Option<&'static str> {
        Some(match self {
            Flag::Configuration | Flag::ProfileOptions => return None,
            Flag::Nodaemon => "nodaemon",
            Flag::Silent => "silent",
            Flag::Nocleanup => "nocleanup",
            Flag::StripAnsi => "strip_ansi",
            Flag::User => "user",
            Flag::Umask => "umask",
            Flag::Directory => "directory",
            Flag::Logfile => "logfile",
            Flag::LogfileMaxbytes => "logfile_maxbytes",
            Flag::LogfileBackups => "logfile_backups",
            Flag::Loglevel => "loglevel",
            Flag::Pidfile => "pidfile",
            Flag::Identifier => "identifier",
            Flag::Childlogdir => "childlogdir",
            Flag::Minfds => "minfds",
            Flag::Minprocs => "minprocs",
        })
    }
}

impl CommandLineFlags {
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
    /// The same, and programs with these numbers of processes.
    pub fn with_scales(&self, scales: &[ScaleRequest]) -> Overrides {
        Overrides { scales: scales.to_vec(), ..self.clone() }
    }

    fn set(&mut self, flag: Flag, value: &str, host: &dyn DaemonHost) -> Result<(), Complaint> {
        let Some(row) = flag.option().and_then(|name| SectionKind::Supervisord.option(name)) else { return Ok(()) };
        let written = match flag {
            Flag::Nodaemon | Flag::Silent | Flag::Nocleanup | Flag::StripAnsi => "true",
            _ => value,
        };
        let value = match flag {
            // Nothing instead of these two files means those of the configuration.
            Flag::Logfile | Flag::Pidfile if value.is_empty() => return Ok(()),
            Flag::User => {
                self.written.push((row.name, value.to_owned()));
                self.user = Some(value.to_owned());
                return Ok(());
            }
            Flag::Nodaemon | Flag::Silent | Flag::Nocleanup | Flag::StripAnsi => ConfigValue::Boolean(true),
            _ => {
                let context =
                    Context { host, names: &ExpansionNames::new(), section: row.section.word(), option: row.name };
                row.convert_on(value, &context)?
            }
        };
        self.values.push((row.name, value));
        self.written.push((row.name, written.to_owned()));
        Ok(())
    }

    /// The value of an option as it is typed, where the command line has one.
    pub(crate) fn written(&self, option: &str) -> Option<&str> {
        self.written.iter().find(|(name, _)| *name == option).map(|(_, text)| text.as_str())
    }

    /// The value of an option, where the command line has one.
    pub(crate) fn value(&self, option: &str) -> Option<ConfigValue<'static>> {
        self.values.iter().find(|(name, _)| *name == option).map(|(_, value)| value.clone())
    }
}
