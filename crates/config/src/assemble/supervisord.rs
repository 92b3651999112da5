//! The `[supervisord]` section.

use super::environments::without_losses;
use super::inputs::Inputs;
use crate::accounts;
use crate::command_line::Overrides;
use crate::environment;
use crate::error::ConfigError;
use crate::expand::{ExpansionNames, expand, expand_again};
use crate::host::{Account, DaemonHost};
use crate::ini::IniSection;
use crate::model::{Origin, Supervisord};
use crate::notices::Notices;
use crate::place::Place;
use crate::reader::Reader;
use crate::schema::{KeptIn, OptionSpec, SectionKind};
use crate::suggest;

/// A user that is looked up only once everything else has been read.
pub(super) struct PendingUser<'a> {
    text: String,
    /// The section it is written in; none for one of the command line.
    reader: Option<Reader<'a>>,
}

impl PendingUser<'_> {
    pub(super) fn look_up(self, host: &dyn DaemonHost) -> Result<Account, ConfigError> {
        accounts::user(&self.text, host).map_err(|complaint| match self.reader {
            Some(reader) => reader.cannot_convert("user", &complaint),
            None => ConfigError::new(complaint.to_string()),
        })
    }
}

/// The options of 4.3.0 in the order in which the original reads them, which decides which of several mistakes is reported;
/// `environment` follows at the end. All others are read after them, in the order of the table.
const ORDER: [&str; 16] = [
    "minfds",
    "minprocs",
    "directory",
    "user",
    "umask",
    "logfile",
    "logfile_maxbytes",
    "logfile_backups",
    "loglevel",
    "pidfile",
    "identifier",
    "nodaemon",
    "silent",
    "childlogdir",
    "nocleanup",
    "strip_ansi",
];

/// The options but `environment`, in the order in which they are read.
fn options() -> impl Iterator<Item = &'static OptionSpec> {
    let first = ORDER.into_iter().filter_map(|option| SectionKind::Supervisord.option(option));
    let others = |row: &&OptionSpec| row.name != "environment" && !ORDER.contains(&row.name);
    first.chain(SectionKind::Supervisord.options().filter(others))
}

/// The section, with the command line laid over it, and the user, whose account is still to be found.
pub(super) fn supervisord<'a>(
    inputs: &Inputs<'a>,
    overrides: &Overrides,
    inherited: &ExpansionNames<'_>,
    notices: &mut Notices,
) -> Result<(Supervisord, Option<PendingUser<'a>>), ConfigError> {
    let Some(section) = inputs.ini.section("supervisord") else {
        let sections = inputs.ini.sections().map(IniSection::name);
        let misspelt = suggest::nearest("supervisord", sections).and_then(|name| inputs.ini.section(name));
        let message = ".ini file does not include supervisord section";
        return Err(match misspelt {
            Some(section) => {
                let place = Place::new(section.origin()).section(section.name());
                ConfigError::at(message, place.advise("did you mean [supervisord]?".to_owned()))
            }
            None => {
                let place = Place::new(&Origin { file: inputs.file.into(), line: 0 });
                ConfigError::at(message, place.advise("add a line [supervisord]".to_owned()))
            }
        });
    };
    let reader = inputs.reader(section, SectionKind::Supervisord);
    let host = inputs.host;
    let names = &ExpansionNames::over(inherited).text("here", inputs.here);
    let mut supervisord = Supervisord { childlogdir: host.temporary_dir(), ..Supervisord::default() };
    let mut user = None;
    for row in options() {
        if row.name == "user" {
            user = reader.text(row.name, names)?;
            continue;
        }
        let KeptIn::Supervisord(field) = &row.kept_in else { return Err(reader.wrong_shape(row)) };
        let written = reader.value(row, names, host)?;
        if let Some(value) = overrides.value(row.name).or(written) {
            field.set(&mut supervisord, value).map_err(|_| reader.wrong_shape(row))?;
        }
    }
    supervisord.environment = environment(&reader, names, host, notices)?;
    let user = match overrides.user.clone() {
        Some(text) => Some(PendingUser { text, reader: None }),
        None => user.map(|text| PendingUser { text, reader: Some(reader) }),
    };
    Ok((supervisord, user))
}

/// The environment, which 4.3.0 expands twice, the second time with the host's name. What it refuses is read like 4.4,
/// which expands it once.
fn environment(
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    host: &dyn DaemonHost,
    notices: &mut Notices,
) -> Result<Vec<(String, String)>, ConfigError> {
    let names_again = ExpansionNames::over(names).text("host_node_name", host.host_name());
    let twice = reader.text("environment", names).and_then(|text| {
        let text = expand_again(&text.unwrap_or_default(), &names_again, "environment");
        let read = text.and_then(|text| environment::read_4_3(&text));
        read.map_err(|complaint| reader.cannot_convert("environment", &complaint))
    });
    let once = || environment::read_4_4(&expand(reader.raw("environment")?, &names_again, "environment").ok()?);
    let read = twice.or_else(|error| once().ok_or(error))?;
    Ok(without_losses(reader, read, notices))
}
