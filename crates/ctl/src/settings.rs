//! The settings of a session: the configuration file with the command line applied over it.

use std::path::Path;
use std::time::Duration;

use supervisord_config::client::{self, ClientConfig, ClientTls};
use supervisord_config::model::Plugin;
use supervisord_config::search;
use supervisord_sys::command;

use crate::client::{Client, Credentials, ServerUrl, UrlError};
use crate::host::System;
use crate::options::CommandLine;

/// The settings of a session. The shell's `open` and its questions for credentials change them.
#[derive(Clone)]
pub struct Settings {
    /// The server URL as written; it is parsed when a client needs it.
    pub server_url: String,
    /// Where the URL comes from.
    pub url_source: UrlSource,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// How TLS is spoken.
    pub tls: ClientTls,
    /// The prompt of the shell.
    pub prompt: String,
    /// The history file of the shell.
    pub history_file: Option<String>,
    /// The time limit of a call; none for no limit.
    pub timeout: Option<Duration>,
    /// Whether questions may be asked: in the shell, or with `-i`.
    pub interactive: bool,
    /// The configuration file, if one was found.
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
    /// Reads the configuration and applies the command line over it. The error is the text after `Error: `.
    pub fn read(command_line: CommandLine) -> Result<Settings, String> {
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
            tls: config.tls,
            prompt: config.prompt,
            history_file: command_line.history_file.or(config.history_file),
            timeout: command_line.timeout,
            interactive: command_line.interactive,
            config_file,
            plugins: config.plugins,
        })
    }

    /// A client of the daemon that is meant, without a time limit.
    pub fn client(&self) -> Result<Client, UrlError> {
        let mut client = Client::new(ServerUrl::parse(&self.server_url)?, self.credentials());
        client.set_tls(self.tls.clone());
        Ok(client)
    }

    /// The credentials: both user name and password must be set.
    pub fn credentials(&self) -> Option<Credentials> {
        let (username, password) = (self.username.clone()?, self.password.clone()?);
        Some(Credentials { username, password })
    }
}

/// The first configuration file at the usual paths. Without one, the defaults apply.
fn found() -> Option<String> {
    search::candidates(&command::own_path().to_string_lossy()).into_iter().find(|path| Path::new(path).exists())
}
