//! What a session works with: the configuration overlaid with the command line.

use std::path::{Path, PathBuf};

use supervisord_config::client::{self, ClientConfig};
use supervisord_config::model::Plugin;
use supervisord_config::search;

use crate::client::Credentials;
use crate::host::System;
use crate::options::{CommandLine, looks_like_url};

/// The settings of a session. The shell's `open` and its questions for credentials change them.
#[derive(Clone)]
pub struct Settings {
    /// The server URL as written; whether it can be used shows when it is.
    pub server_url: String,
    /// Who says that this is the URL.
    pub url_source: UrlSource,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// What the shell's prompt begins with.
    pub prompt: String,
    /// Where the shell keeps its history.
    pub history_file: Option<String>,
    /// Whether there is somebody to ask: in the shell, or with `-i`.
    pub interactive: bool,
    /// The configuration file that was read, if there was one.
    pub config_file: Option<String>,
    /// `[ctlplugin:x]` sections in file order.
    pub plugins: Vec<Plugin>,
}

/// Where the server URL comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlSource {
    /// `-s`, or `open` in the shell.
    Request,
    /// `[supervisorctl]`, or its default.
    Configuration,
}

impl Settings {
    /// Reads the configuration and lays the command line over it. The error is what follows `Error: `.
    pub fn read(command_line: CommandLine) -> Result<Settings, String> {
        if let Some(url) = &command_line.server_url
            && !looks_like_url(url)
        {
            return Err(format!("invalid value for -s '{url}': value '{url}' is not a URL"));
        }
        let config_file = command_line.configuration.or_else(found);
        let config = match &config_file {
            Some(file) => client::load(file, &System).map_err(|error| error.to_string())?,
            None => ClientConfig::default(),
        };
        let url_source = match command_line.server_url {
            Some(_) => UrlSource::Request,
            None => UrlSource::Configuration,
        };
        Ok(Settings {
            server_url: command_line.server_url.unwrap_or(config.serverurl),
            url_source,
            username: command_line.username.or(config.username),
            password: command_line.password.or(config.password),
            prompt: config.prompt,
            history_file: command_line.history_file.or(config.history_file),
            interactive: command_line.interactive,
            config_file,
            plugins: config.plugins,
        })
    }

    /// What to authenticate with: only a user name *and* a password are credentials.
    pub fn credentials(&self) -> Option<Credentials> {
        let (username, password) = (self.username.clone()?, self.password.clone()?);
        Some(Credentials { username, password })
    }
}

/// The first configuration file at the usual places. That there is none is no mistake.
fn found() -> Option<String> {
    search::candidates(&program()).into_iter().find(|path| Path::new(path).exists())
}

/// The path under which this program was called: a bare name was looked up in `PATH`.
fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    let path = Path::new(&name);
    let found = if path.components().count() > 1 { None } else { in_search_path(path) };
    found.unwrap_or_else(|| path.to_owned()).to_string_lossy().into_owned()
}

fn in_search_path(name: &Path) -> Option<PathBuf> {
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories).map(|directory| directory.join(name)).find(|path| path.is_file())
}
