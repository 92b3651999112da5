//! What the client reads: `[supervisorctl]` and `[ctlplugin:x]` of the main file. `[include]` is not followed.

use std::fmt;

use crate::assemble::{Source, plugins};
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::Host;
use crate::model::{Origin, Plugin};
use crate::path;
use crate::place::Place;
use crate::reader::Reader;
use crate::schema::{Default as Preset, SectionKind};

/// The configuration of the client.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Where the daemon listens. Of `unix://` URLs the path is absolute; nothing else is checked.
    pub serverurl: String,
    /// User name, when the server asks for one.
    pub username: Option<String>,
    /// Password, when the server asks for one.
    pub password: Option<String>,
    /// The TLS of an `https://` server.
    pub tls: ClientTls,
    /// Prompt of the shell, without the `> ` that follows it.
    pub prompt: String,
    /// Where the history of the shell is kept, absolute.
    pub history_file: Option<String>,
    /// `[ctlplugin:x]` sections in file order.
    pub plugins: Vec<Plugin>,
}

/// How a client speaks TLS; the files are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Certificates of which one must have signed that of the server, in PEM; none for those that the system trusts.
    pub cafile: Option<String>,
    /// The certificate and the private key to show to the server, in PEM.
    pub identity: Option<ClientIdentity>,
}

/// The files of a certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate chain.
    pub certfile: String,
    /// The private key.
    pub keyfile: String,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientConfig");
        shown.field("serverurl", &self.serverurl).field("username", &self.username).field("prompt", &self.prompt);
        shown.field("history_file", &self.history_file).field("plugins", &self.plugins).finish_non_exhaustive()
    }
}

/// What holds where there is no file.
impl Default for ClientConfig {
    fn default() -> ClientConfig {
        let preset = |name| match SectionKind::Supervisorctl.option(name).map(|row| row.default) {
            Some(Preset::Is(text)) => text.to_owned(),
            _ => String::new(),
        };
        ClientConfig {
            serverurl: preset("serverurl"),
            username: None,
            password: None,
            tls: ClientTls::default(),
            prompt: preset("prompt"),
            history_file: None,
            plugins: Vec::new(),
        }
    }
}

/// Reads the client's part of a configuration file; `file` is the path as given, which is how messages show it.
pub fn load(file: &str, host: &dyn Host) -> Result<ClientConfig, ConfigError> {
    let source = Source::find(file, host);
    let ini = source.read(host)?;
    let Some(section) = ini.section("supervisorctl") else {
        let place = Place::new(&Origin { file: file.into(), line: 0 }).advise("add a line [supervisorctl]".to_owned());
        return Err(ConfigError::at(".ini file does not include supervisorctl section", place));
    };
    let reader = Reader::new(&ini, section, SectionKind::Supervisorctl);
    let variables = &ExpansionNames::new().variables(&host.environment());
    let located = &ExpansionNames::over(variables).text("here", &source.here);
    let text = |option, names| reader.text(option, names)?.ok_or_else(|| reader.missing(option));
    let file = |option| -> Result<Option<String>, ConfigError> {
        let text = reader.text(option, located)?.filter(|file| !file.is_empty());
        Ok(text.map(|file| path::absolute_from_home(&file, host)))
    };
    Ok(ClientConfig {
        serverurl: server_url(&text("serverurl", located)?, host),
        prompt: text("prompt", variables)?,
        username: reader.text("username", variables)?,
        password: reader.text("password", variables)?,
        history_file: file("history_file")?,
        tls: ClientTls {
            cafile: file("cafile")?,
            identity: match (file("certfile")?, file("keyfile")?) {
                (Some(certfile), Some(keyfile)) => Some(ClientIdentity { certfile, keyfile }),
                (None, None) => None,
                (certfile, _) => {
                    let (written, missing) =
                        if certfile.is_some() { ("certfile", "keyfile") } else { ("keyfile", "certfile") };
                    let error =
                        reader.error(written, format!("section [supervisorctl] has {written} and no {missing}"));
                    return Err(error.advise(format!("write {missing} as well, or remove {written}")));
                }
            },
        },
        plugins: plugins(&ini, SectionKind::CtlPlugin, variables, host)?,
    })
}

fn server_url(text: &str, host: &dyn Host) -> String {
    match text.strip_prefix("unix://") {
        Some(path) => format!("unix://{}", path::absolute_from_home(path, host)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;

    fn read(text: &str) -> Result<ClientConfig, String> {
        load("c.conf", &FakeHost::new().file("/conf/c.conf", text)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_empty_section_gives_the_defaults() {
        let config = read("[supervisorctl]\n").unwrap();
        assert_eq!(config, ClientConfig::default());
        assert_eq!((config.serverurl.as_str(), config.prompt.as_str()), ("http://localhost:9001", "supervisor"));
    }

    #[test]
    fn paths_become_absolute_and_other_urls_stay() {
        for (written, url) in [
            ("unix://~/a/../b", "unix:///root/b"),
            ("unix://rel", "unix:///conf/rel"),
            ("unix://", "unix:///conf"),
            ("unix://%(here)s/x y", "unix:///conf/x y"),
            ("", ""),
            ("ftp:/x", "ftp:/x"),
        ] {
            assert_eq!(read(&format!("[supervisorctl]\nserverurl={written}\n")).unwrap().serverurl, url);
        }
        let history = |text: &str| read(&format!("[supervisorctl]\nhistory_file={text}\n")).unwrap().history_file;
        assert_eq!(history("~/.h").as_deref(), Some("/root/.h"));
        assert_eq!(history(""), None);
    }

    #[test]
    fn included_files_are_not_read() {
        let host = FakeHost::new()
            .file("/conf/c.conf", "[include]\nfiles=*.ini\n[supervisorctl]\nprompt=a\n")
            .file("/conf/x.ini", "[supervisorctl]\nprompt=b\n");
        assert_eq!(load("c.conf", &host).unwrap().prompt, "a");
    }

    #[test]
    fn plugins_get_all_their_options() {
        let config = read("[supervisorctl]\n[ctlplugin:x]\nsupervisor.ctl_factory=a.b:c\nk=%(ENV_HOME)s\n").unwrap();
        let options = vec![("k".to_owned(), "/root".to_owned())];
        assert_eq!(config.plugins, [Plugin { name: "x".into(), factory: "a.b:c".into(), options }]);
    }

    /// Each message was obtained from Supervisor 4.3.0.
    #[test]
    fn mistakes_are_reported_in_order() {
        let names = "ENV_HOME, ENV_LANG, ENV_PATH";
        let unknown = |option: &str, name: &str, here: &str| {
            // A password is not shown.
            let value = if option == "password" { "***".to_owned() } else { format!("'%({name})s'") };
            format!(
                "Format string {value} for 'supervisorctl.{option}' contains names ('{name}') which cannot be \
                 expanded. Available names: {names}{here}"
            )
        };
        let lines = [
            ("serverurl=%(a)s\n", unknown("serverurl", "a", ", here")),
            ("prompt=%(b)s\n", unknown("prompt", "b", "")),
            ("username=%(here)s\n", unknown("username", "here", "")),
            ("password=%(d)s\n", unknown("password", "d", "")),
            ("history_file=%(e)s\n", unknown("history_file", "e", ", here")),
            ("[ctlplugin:x]\nsupervisor.ctl_factory=nope\n", "nope cannot be resolved within [ctlplugin:x]".to_owned()),
            ("[ctlplugin:y]\na=b\n", "section [ctlplugin:y] does not specify a supervisor.ctl_factory".to_owned()),
        ];
        for first in 0..lines.len() {
            let rest: String = lines[first..].iter().map(|(line, _)| *line).collect();
            assert_eq!(read(&format!("[supervisorctl]\n{rest}")).unwrap_err(), lines[first].1);
        }
        assert_eq!(read("[x]\n").unwrap_err(), ".ini file does not include supervisorctl section");
        assert_eq!(load("d.conf", &FakeHost::new()).unwrap_err().message(), "could not find config file d.conf");
        assert_eq!(load("/tmp", &FakeHost::new()).unwrap_err().message(), "could not read config file /tmp");
    }
}
