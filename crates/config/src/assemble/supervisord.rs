//! The `[supervisord]` section.

use super::Inputs;
use super::processes::without_losses;
use crate::accounts;
use crate::command_line::{Overrides, activity_log};
use crate::convert::{boolean, byte_size, integer, log_level, octal};
use crate::environment;
use crate::error::ConfigError;
use crate::expand::{Names, expand, expand_again};
use crate::host::{Account, DaemonHost};
use crate::ini::Section;
use crate::model::{Origin, Supervisord};
use crate::notices::Notices;
use crate::path;
use crate::place::Place;
use crate::reader::Reader;
use crate::schema::SectionKind;
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

/// A size or a number of things: what is negative counts as 0.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Like [`unsigned`], for numbers of backups.
pub(super) fn count(number: i64) -> u32 {
    u32::try_from(unsigned(number)).unwrap_or(u32::MAX)
}

/// The section, with the command line laid over it, and the user, whose account is still to be found.
pub(super) fn supervisord<'a>(
    inputs: &Inputs<'a>,
    overrides: &Overrides,
    inherited: &Names<'_>,
    notices: &mut Notices,
) -> Result<(Supervisord, Option<PendingUser<'a>>), ConfigError> {
    let Some(section) = inputs.ini.section("supervisord") else {
        let sections = inputs.ini.sections().map(Section::name);
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
    let names = &Names::over(inherited).text("here", inputs.here);
    let minfds = reader.get("minfds", names, integer)?;
    let minprocs = reader.get("minprocs", names, integer)?;
    let directory = reader.maybe("directory", names, |text| path::existing_directory(text, host))?;
    let user = reader.text("user", names)?;
    let umask = reader.get("umask", names, octal)?;
    let logfile = reader.get("logfile", names, |text| activity_log(text, host))?;
    let logfile_maxbytes = reader.get("logfile_maxbytes", names, byte_size)?;
    let logfile_backups = reader.get("logfile_backups", names, integer)?;
    let loglevel = reader.get("loglevel", names, log_level)?;
    let pidfile = reader.get("pidfile", names, |text| path::in_existing_directory(text, host))?;
    let identifier = reader.get("identifier", names, |text| Ok(text.to_owned()))?;
    let nodaemon = reader.get("nodaemon", names, boolean)?;
    let silent = reader.get("silent", names, boolean)?;
    let childlogdir = reader.maybe("childlogdir", names, |text| path::existing_directory(text, host))?;
    let nocleanup = reader.get("nocleanup", names, boolean)?;
    let strip_ansi = reader.get("strip_ansi", names, boolean)?;
    let adopt = reader.get("adopt", names, boolean)?;
    let environment = environment(&reader, names, host, notices)?;

    let given = overrides.clone();
    let user = match given.user {
        Some(text) => Some(PendingUser { text, reader: None }),
        None => user.map(|text| PendingUser { text, reader: Some(reader) }),
    };
    let supervisord = Supervisord {
        minfds: unsigned(given.minfds.unwrap_or(minfds)),
        minprocs: unsigned(given.minprocs.unwrap_or(minprocs)),
        directory: given.directory.or(directory),
        user: None,
        umask: given.umask.unwrap_or(umask),
        logfile: given.logfile.unwrap_or(logfile),
        logfile_maxbytes: unsigned(given.logfile_maxbytes.unwrap_or(logfile_maxbytes)),
        logfile_backups: count(given.logfile_backups.unwrap_or(logfile_backups)),
        loglevel: given.loglevel.unwrap_or(loglevel),
        pidfile: path::absolute(&given.pidfile.unwrap_or(pidfile), host),
        identifier: given.identifier.unwrap_or(identifier),
        nodaemon: given.nodaemon || nodaemon,
        silent: given.silent || silent,
        childlogdir: given.childlogdir.or(childlogdir).unwrap_or_else(|| host.temporary_dir()),
        nocleanup: given.nocleanup || nocleanup,
        strip_ansi: given.strip_ansi || strip_ansi,
        adopt,
        environment,
    };
    Ok((supervisord, user))
}

/// The environment, which 4.3.0 expands twice, the second time with the host's name. What it refuses is read like 4.4,
/// which expands it once.
fn environment(
    reader: &Reader<'_>,
    names: &Names<'_>,
    host: &dyn DaemonHost,
    notices: &mut Notices,
) -> Result<Vec<(String, String)>, ConfigError> {
    let names_again = Names::over(names).text("host_node_name", host.host_name());
    let twice = reader.get("environment", names, |text| {
        let text = expand_again(text, &names_again, "environment")?;
        environment::read_4_3(&text)
    });
    let once = || environment::read_4_4(&expand(reader.raw("environment")?, &names_again, "environment").ok()?);
    let read = twice.or_else(|error| once().ok_or(error))?;
    Ok(without_losses(reader, read, notices))
}
