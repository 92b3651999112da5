//! Definitions of groups as the state tells them: what an option has by default is left out.
//!
//! These types are the format, and do not change with the configuration model: a field that a later release adds is absent
//! here, and one that it no longer knows is passed over. Version 1 spelt some of them otherwise, which the aliases read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::host::Account;
use supervisord_config::model;

/// A group.
#[derive(Debug, Serialize, Deserialize)]
pub struct Group {
    name: String,
    priority: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    kind: Kind,
    #[serde(alias = "processes")]
    programs: Vec<Program>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    #[serde(alias = "Programs")]
    Programs,
    #[serde(alias = "FastCgi")]
    FastCgi,
    #[serde(alias = "Listeners")]
    Listeners { buffer_size: usize, events: Vec<String>, result_handler: String },
}

/// One process of a program.
#[derive(Debug, Serialize, Deserialize)]
struct Program {
    name: String,
    section: String,
    origin: Origin,
    command: String,
    #[serde(default, skip_serializing_if = "is_default")]
    directory: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    umask: Option<u32>,
    #[serde(default = "defaults::priority", skip_serializing_if = "defaults::is_priority")]
    priority: i64,
    #[serde(default = "defaults::yes", skip_serializing_if = "defaults::is_yes")]
    autostart: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    autorestart: AutoRestart,
    #[serde(default = "defaults::startsecs", skip_serializing_if = "defaults::is_startsecs")]
    startsecs: i64,
    #[serde(default = "defaults::startretries", skip_serializing_if = "defaults::is_startretries")]
    startretries: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    user: Option<User>,
    #[serde(default, skip_serializing_if = "is_default")]
    stdout: Log,
    #[serde(default, skip_serializing_if = "is_default")]
    stderr: Log,
    #[serde(default = "defaults::stopsignal", skip_serializing_if = "defaults::is_stopsignal")]
    stopsignal: i32,
    #[serde(default = "defaults::stopwaitsecs", skip_serializing_if = "defaults::is_stopwaitsecs")]
    stopwaitsecs: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    stopasgroup: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    killasgroup: bool,
    #[serde(default = "defaults::exitcodes", skip_serializing_if = "defaults::is_exitcodes")]
    exitcodes: Vec<i32>,
    #[serde(default, skip_serializing_if = "is_default")]
    redirect_stderr: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    environment: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "is_default")]
    serverurl: ServerUrl,
    #[serde(default, skip_serializing_if = "is_default")]
    socket: Option<Socket>,
}

/// Where a section is written: its file and line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "(Arc<str>, u32)")]
struct Origin {
    file: Arc<str>,
    line: u32,
}

impl From<Origin> for (Arc<str>, u32) {
    fn from(Origin { file, line }: Origin) -> (Arc<str>, u32) {
        (file, line)
    }
}

/// None for the daemon's own.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "AnyServerUrl")]
struct ServerUrl(Option<String>);

/// As any version spells it.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyServerUrl {
    Present(Option<String>),
    Version1 {
        #[serde(rename = "Text")]
        text: String,
    },
}

impl From<AnyServerUrl> for ServerUrl {
    fn from(any: AnyServerUrl) -> ServerUrl {
        ServerUrl(match any {
            // An address never is this word, which version 1 has for none.
            AnyServerUrl::Present(text) => text.filter(|text| text != "Auto"),
            AnyServerUrl::Version1 { text } => Some(text),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AutoRestart {
    #[serde(alias = "Always")]
    Always,
    #[serde(alias = "Never")]
    Never,
    #[default]
    #[serde(alias = "Unexpected")]
    Unexpected,
}

/// A user of the system.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

impl From<Account> for User {
    fn from(Account { name, uid, gid, home }: Account) -> User {
        User { name, uid, gid, home }
    }
}

impl From<User> for Account {
    fn from(User { name, uid, gid, home }: User) -> Account {
        Account { name, uid, gid, home }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Log {
    #[serde(skip_serializing_if = "is_default")]
    file: File,
    #[serde(skip_serializing_if = "defaults::is_maxbytes")]
    maxbytes: u64,
    #[serde(skip_serializing_if = "defaults::is_backups")]
    backups: u32,
    #[serde(skip_serializing_if = "is_default")]
    capture_maxbytes: u64,
    #[serde(skip_serializing_if = "is_default")]
    events_enabled: bool,
    #[serde(skip_serializing_if = "is_default")]
    syslog: bool,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum File {
    #[serde(alias = "None")]
    None,
    #[default]
    #[serde(alias = "Auto")]
    Auto,
    #[serde(alias = "Path")]
    Path(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Socket {
    url: String,
    address: Address,
    backlog: Option<u32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Address {
    #[serde(alias = "Tcp")]
    Tcp { host: String, port: u16 },
    #[serde(alias = "Unix")]
    Unix { path: String, mode: u32, owner: Option<(u32, Option<u32>)> },
}

impl Default for Log {
    fn default() -> Log {
        Log {
            file: File::Auto,
            maxbytes: defaults::MAXBYTES,
            backups: defaults::BACKUPS,
            capture_maxbytes: 0,
            events_enabled: false,
            syslog: false,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The defaults of this format. They are those of the options, but must not follow them when those change.
mod defaults {
    pub const MAXBYTES: u64 = 50 << 20;
    pub const BACKUPS: u32 = 10;

    macro_rules! default {
        ($name:ident, $is:ident, $kind:ty, $value:expr) => {
            pub fn $name() -> $kind {
                $value
            }
            pub fn $is(value: &$kind) -> bool {
                *value == $value
            }
        };
    }

    default!(priority, is_priority, i64, 999);
    default!(startsecs, is_startsecs, i64, 1);
    default!(startretries, is_startretries, i64, 3);
    default!(stopsignal, is_stopsignal, i32, 15);
    default!(stopwaitsecs, is_stopwaitsecs, i64, 10);
    default!(yes, is_yes, bool, true);

    pub fn exitcodes() -> Vec<i32> {
        vec![0]
    }
    pub fn is_exitcodes(value: &[i32]) -> bool {
        value == [0]
    }
    pub fn is_maxbytes(value: &u64) -> bool {
        *value == MAXBYTES
    }
    pub fn is_backups(value: &u32) -> bool {
        *value == BACKUPS
    }
}

impl From<&model::Group> for Group {
    fn from(group: &model::Group) -> Group {
        let model::Group { name, priority, kind, processes } = group;
        Group {
            name: name.clone(),
            priority: *priority,
            kind: kind.into(),
            programs: processes.iter().map(|process| Program::from(&**process)).collect(),
        }
    }
}

impl From<Group> for model::Group {
    fn from(group: Group) -> model::Group {
        let Group { name, priority, kind, programs } = group;
        let processes = programs.into_iter().map(|program| Arc::new(program.into())).collect();
        model::Group { name, priority, kind: kind.into(), processes }
    }
}

impl From<&model::GroupKind> for Kind {
    fn from(kind: &model::GroupKind) -> Kind {
        match kind {
            model::GroupKind::Programs => Kind::Programs,
            model::GroupKind::FastCgi => Kind::FastCgi,
            model::GroupKind::Listeners(model::Pool { buffer_size, events, result_handler }) => Kind::Listeners {
                buffer_size: *buffer_size,
                events: events.clone(),
                result_handler: result_handler.clone(),
            },
        }
    }
}

impl From<Kind> for model::GroupKind {
    fn from(kind: Kind) -> model::GroupKind {
        match kind {
            Kind::Programs => model::GroupKind::Programs,
            Kind::FastCgi => model::GroupKind::FastCgi,
            Kind::Listeners { buffer_size, events, result_handler } => {
                model::GroupKind::Listeners(model::Pool { buffer_size, events, result_handler })
            }
        }
    }
}

impl From<&model::Process> for Program {
    fn from(process: &model::Process) -> Program {
        let model::Process { identity, spawn, start, restart, stop, logging } = process;
        Program {
            name: identity.name.clone(),
            section: identity.section.clone(),
            origin: Origin { file: identity.origin.file.clone(), line: identity.origin.line },
            command: spawn.command.clone(),
            directory: spawn.directory.clone(),
            umask: spawn.umask,
            priority: identity.priority,
            autostart: start.autostart,
            autorestart: match restart.autorestart {
                model::AutoRestart::Always => AutoRestart::Always,
                model::AutoRestart::Never => AutoRestart::Never,
                model::AutoRestart::Unexpected => AutoRestart::Unexpected,
            },
            startsecs: start.startsecs,
            startretries: start.startretries,
            user: spawn.user.clone().map(User::from),
            stdout: (&logging.stdout).into(),
            stderr: (&logging.stderr).into(),
            stopsignal: stop.stopsignal,
            stopwaitsecs: stop.stopwaitsecs,
            stopasgroup: stop.stopasgroup,
            killasgroup: stop.killasgroup,
            exitcodes: restart.exitcodes.clone(),
            redirect_stderr: logging.redirect_stderr,
            environment: spawn.environment.clone(),
            serverurl: ServerUrl(match &spawn.serverurl {
                model::ServerUrl::Auto => None,
                model::ServerUrl::Text(text) => Some(text.clone()),
            }),
            socket: spawn.socket.as_deref().map(Socket::from),
        }
    }
}

impl From<Program> for model::Process {
    fn from(program: Program) -> model::Process {
        let Origin { file, line } = program.origin;
        model::Process {
            identity: model::Identity {
                name: program.name,
                section: program.section,
                origin: model::Origin { file, line },
                priority: program.priority,
            },
            spawn: model::Spawn {
                command: program.command,
                directory: program.directory,
                umask: program.umask,
                user: program.user.map(Account::from),
                environment: program.environment,
                serverurl: program.serverurl.0.map_or(model::ServerUrl::Auto, model::ServerUrl::Text),
                socket: program.socket.map(|socket| Arc::new(socket.into())),
            },
            start: model::Start {
                autostart: program.autostart,
                startsecs: program.startsecs,
                startretries: program.startretries,
            },
            restart: model::Restart {
                autorestart: match program.autorestart {
                    AutoRestart::Always => model::AutoRestart::Always,
                    AutoRestart::Never => model::AutoRestart::Never,
                    AutoRestart::Unexpected => model::AutoRestart::Unexpected,
                },
                exitcodes: program.exitcodes,
            },
            stop: model::Stop {
                stopsignal: program.stopsignal,
                stopwaitsecs: program.stopwaitsecs,
                stopasgroup: program.stopasgroup,
                killasgroup: program.killasgroup,
            },
            logging: model::Logging {
                stdout: program.stdout.into(),
                stderr: program.stderr.into(),
                redirect_stderr: program.redirect_stderr,
            },
        }
    }
}

impl From<&model::ChannelLog> for Log {
    fn from(log: &model::ChannelLog) -> Log {
        let model::ChannelLog { file, maxbytes, backups, capture_maxbytes, events_enabled, syslog } = log;
        let file = match file {
            model::LogFile::None => File::None,
            model::LogFile::Auto => File::Auto,
            model::LogFile::Path(path) => File::Path(path.clone()),
        };
        let (maxbytes, backups, capture_maxbytes) = (*maxbytes, *backups, *capture_maxbytes);
        Log { file, maxbytes, backups, capture_maxbytes, events_enabled: *events_enabled, syslog: *syslog }
    }
}

impl From<Log> for model::ChannelLog {
    fn from(log: Log) -> model::ChannelLog {
        let Log { file, maxbytes, backups, capture_maxbytes, events_enabled, syslog } = log;
        let file = match file {
            File::None => model::LogFile::None,
            File::Auto => model::LogFile::Auto,
            File::Path(path) => model::LogFile::Path(path),
        };
        model::ChannelLog { file, maxbytes, backups, capture_maxbytes, events_enabled, syslog }
    }
}

impl From<&model::FastCgiSocket> for Socket {
    fn from(socket: &model::FastCgiSocket) -> Socket {
        let address = match &socket.address {
            model::SocketAddress::Tcp { host, port } => Address::Tcp { host: host.clone(), port: *port },
            model::SocketAddress::Unix { path, mode, owner } => {
                Address::Unix { path: path.clone(), mode: *mode, owner: *owner }
            }
        };
        Socket { url: socket.url.clone(), address, backlog: socket.backlog }
    }
}

impl From<Socket> for model::FastCgiSocket {
    fn from(socket: Socket) -> model::FastCgiSocket {
        let address = match socket.address {
            Address::Tcp { host, port } => model::SocketAddress::Tcp { host, port },
            Address::Unix { path, mode, owner } => model::SocketAddress::Unix { path, mode, owner },
        };
        model::FastCgiSocket { url: socket.url, address, backlog: socket.backlog }
    }
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    /// One process in which no option has its default.
    fn unusual() -> model::Process {
        let log = |file| model::ChannelLog {
            file,
            maxbytes: 1,
            backups: 2,
            capture_maxbytes: 3,
            events_enabled: true,
            syslog: true,
        };
        let mut process = samples::process("unusual");
        process.identity.priority = 1;
        process.spawn = model::Spawn {
            command: "/bin/other".into(),
            directory: Some("/srv".into()),
            umask: Some(0o27),
            user: Some(Account { name: "www".into(), uid: 33, gid: 33, home: "/var/www".into() }),
            environment: vec![("NAME".into(), "J\u{fc}rgen".into())],
            serverurl: model::ServerUrl::Text(String::new()),
            socket: Some(Arc::new(model::FastCgiSocket {
                url: "unix:///run/app".into(),
                address: model::SocketAddress::Unix { path: "/run/app".into(), mode: 0o700, owner: Some((1, None)) },
                backlog: Some(5),
            })),
        };
        process.start = model::Start { autostart: false, startsecs: 0, startretries: 9 };
        process.restart = model::Restart { autorestart: model::AutoRestart::Always, exitcodes: vec![] };
        process.stop = model::Stop { stopsignal: 3, stopwaitsecs: 1, stopasgroup: true, killasgroup: true };
        process.logging = model::Logging {
            stdout: log(model::LogFile::Path("/srv/log".into())),
            stderr: log(model::LogFile::None),
            redirect_stderr: true,
        };
        process
    }

    fn read_back(group: &model::Group) -> (model::Group, String) {
        let text = serde_json::to_string(&Group::from(group)).unwrap();
        (serde_json::from_str::<Group>(&text).unwrap().into(), text)
    }

    #[test]
    fn a_definition_is_read_back_as_it_was() {
        let mut tcp = samples::process("tcp");
        tcp.spawn.socket = Some(Arc::new(model::FastCgiSocket {
            url: "tcp://[::1]:9000".into(),
            address: model::SocketAddress::Tcp { host: "[::1]".into(), port: 9000 },
            backlog: None,
        }));
        tcp.restart.autorestart = model::AutoRestart::Never;
        let programs = samples::group("g", -3, vec![samples::process("usual"), unusual(), tcp]);
        let fast_cgi = model::Group { kind: model::GroupKind::FastCgi, ..(*programs).clone() };
        for group in [&*programs, &fast_cgi, &*samples::pool("ears", &["TICK_5"], 7)] {
            assert_eq!(read_back(group).0, *group);
        }
    }

    #[test]
    fn what_is_usual_takes_no_room() {
        let mut usual = samples::process("usual");
        (usual.logging.stdout, usual.logging.stderr) = (Log::default().into(), Log::default().into());
        let (_, text) = read_back(&samples::group("g", 999, vec![usual]));
        assert!(text.len() < 150, "{text}");
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over() {
        let text = r#"{"name":"g","priority":1,"later":{"x":1},"programs":[
            {"name":"p","section":"program:p","origin":["f",3],"command":"x","ready_when":"notify"}]}"#;
        let group = model::Group::from(serde_json::from_str::<Group>(text).unwrap());
        assert_eq!(group.processes[0].start.startretries, 3);
    }
}
