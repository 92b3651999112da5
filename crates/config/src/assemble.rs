//! From text to the typed configuration. The order in which options are read is the original's, because it decides
//! which of several mistakes is reported.

use std::cell::RefCell;
use std::sync::Arc;

use crate::command_line::{CommandLineFlags, Overrides};
use crate::environment;
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::{DaemonHost, Host, ReadError};
use crate::include;
use crate::ini::Ini;
use crate::model::{Config, Group, Origin};
use crate::notices::Notices;
use crate::path;
use crate::place::Place;
use crate::schema::SectionKind;

mod dependencies;
mod environments;
mod fastcgi;
mod groups;
mod inheritance;
mod inputs;
mod listeners;
mod odd;
mod plugins;
mod processes;
mod server_tls;
mod servers;
mod supervisord;
mod unknown;
mod users;

pub use dependencies::resolve_dependencies;
use inputs::Inputs;
pub(crate) use plugins::plugins;

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A start or a restart: servers are opened and interfaces are made.
    Start,
    /// A reread: servers and interfaces stay as they are. What would refuse a start is a warning.
    Reread,
    /// A program that is not read with the others: what it depends on is known to [`resolve_dependencies`].
    Fragment,
}

/// Reads a configuration file with everything it includes and lays the command line over it.
///
/// `file` is the path as given with `-c`, which is how messages show it. Nothing is changed anywhere: users are looked
/// up and directories tested, but no socket, log or limit is touched. The error's `Display` is the original's message.
pub fn load(file: &str, command_line: &CommandLineFlags, host: &dyn DaemonHost) -> Result<Config, ConfigError> {
    load_with(file, &command_line.convert(host)?, Purpose::Start, host)
}

/// Like [`load`], with a command line that has been converted before: once, at the start of the program, so that what
/// it says is not judged again at every reread.
pub fn load_with(
    file: &str,
    overrides: &Overrides,
    purpose: Purpose,
    host: &dyn DaemonHost,
) -> Result<Config, ConfigError> {
    let source = Source::find(file, host);
    let ini = source.read(host)?;
    load_from(source, ini, overrides, purpose, host)
}

/// Like [`load_with`], of a program that stands in no file; `file` is where it would stand. The names of what it depends on stay
/// as they are written.
pub fn load_text(text: &str, file: &str, overrides: &Overrides, host: &dyn DaemonHost) -> Result<Config, ConfigError> {
    let source = Source::find(file, host);
    let ini = source.parse(text.as_bytes())?;
    load_from(source, ini, overrides, Purpose::Fragment, host)
}

fn load_from(
    source: Source<'_>,
    mut ini: Ini,
    overrides: &Overrides,
    purpose: Purpose,
    host: &dyn DaemonHost,
) -> Result<Config, ConfigError> {
    let mut notices = Notices::default();
    include::read(&mut ini, &source.here, host, &mut notices)?;
    load_ini(&source, ini, overrides, purpose, host, notices).map(|(config, _)| config)
}

/// The configuration of what is written in a file and in those that it includes, and that with what sections inherit.
pub(crate) fn load_ini(
    source: &Source<'_>,
    mut ini: Ini,
    overrides: &Overrides,
    purpose: Purpose,
    host: &dyn DaemonHost,
    mut notices: Notices,
) -> Result<(Config, Ini), ConfigError> {
    inheritance::apply(&mut ini)?;
    let inputs = Inputs {
        ini: &ini,
        host,
        host_name: host.host_name(),
        here: &source.here,
        file: source.shown,
        scales: &overrides.scales,
        scaled: RefCell::default(),
    };
    let mut config = assemble(&inputs, overrides, purpose, &mut notices)?;
    unknown::warn(&ini, &mut notices);
    odd::warn(&ini, &mut notices);
    config.file = source.path.clone();
    config.notices = notices.finish();
    Ok((config, ini))
}

/// Where a configuration file is.
pub(crate) struct Source<'f> {
    /// As given.
    shown: &'f str,
    /// Absolute.
    path: String,
    /// Its directory.
    pub(crate) here: String,
}

impl<'f> Source<'f> {
    pub(crate) fn find(file: &'f str, host: &dyn Host) -> Source<'f> {
        let path = path::absolute(file, host);
        Source { shown: file, here: path::absolute(path::parent(file), host), path }
    }

    pub(crate) fn read(&self, host: &dyn Host) -> Result<Ini, ConfigError> {
        let content = if self.shown.is_empty() { Err(ReadError::Missing) } else { host.read(&self.path) };
        let content = content.map_err(|error| match error {
            ReadError::Missing => ConfigError::new(format!("could not find config file {}", self.shown)),
            ReadError::Unreadable(reason) => {
                let place = Place::new(&Origin { file: self.path.as_str().into(), line: 0 }).advise(reason);
                ConfigError::at(format!("could not read config file {}", self.shown), place)
            }
        })?;
        self.parse(&content)
    }

    fn parse(&self, content: &[u8]) -> Result<Ini, ConfigError> {
        let mut ini = Ini::default();
        ini.read(self.shown, content)?;
        Ok(ini)
    }
}

fn assemble(
    inputs: &Inputs<'_>,
    overrides: &Overrides,
    purpose: Purpose,
    notices: &mut Notices,
) -> Result<Config, ConfigError> {
    let inherited = ExpansionNames::new().variables(&inputs.host.environment());
    let (mut supervisord, user) = supervisord::supervisord(inputs, overrides, &inherited, notices)?;
    let variables = ExpansionNames::over(&inherited).variables(&supervisord.environment);
    let rpc_interfaces = plugins(inputs.ini, SectionKind::RpcInterface, &variables, inputs.host)?;
    let mut groups = groups::groups(inputs, &variables, notices)?;
    if purpose != Purpose::Fragment {
        dependencies::resolve_all(&mut groups, inputs)?;
    }
    let users = users::users(inputs, &variables, &groups)?;
    let servers = servers::servers(inputs, &variables, &users)?;
    users::check_names(inputs, &servers)?;
    supervisord.user = user.map(|user| user.look_up(inputs.host)).transpose()?;
    if !servers.is_empty()
        && let Err(error) = plugins::check_main_interface(inputs.ini, &rpc_interfaces)
    {
        match purpose {
            Purpose::Start | Purpose::Fragment => return Err(error),
            Purpose::Reread => notices.warn(format!("The next start will be refused: {error}")),
        }
    }
    merge_environment(&mut groups, &supervisord.environment);
    let groups = groups.into_iter().map(Arc::new).collect();
    let (file, here) = (String::new(), inputs.here.to_owned());
    let scales = inputs.scaled.take();
    Ok(Config { file, here, supervisord, servers, rpc_interfaces, groups, scales, notices: Vec::new() })
}

/// Lays each program's own environment over that of `[supervisord]`, so that a change of the latter shows as a change
/// of every program.
fn merge_environment(groups: &mut [Group], common: &[(String, String)]) {
    if common.is_empty() {
        return;
    }
    for process in groups.iter_mut().flat_map(|group| &mut group.processes) {
        let process = Arc::make_mut(process);
        let own = std::mem::take(&mut process.spawn.environment);
        process.spawn.environment = environment::merged(vec![common.to_vec(), own]);
    }
}

#[cfg(test)]
mod tests;
