//! Options as the state tells them: under their names, what belongs to stdout and stderr in an object for each, and every shape
//! of value in one form. Version 1 spelt some of them otherwise, which the aliases read.
//!
//! What is at its default may be left out, and what is missing has it. An option that is not known is passed over. The default
//! of an option of a release that wrote a state must therefore never change: `tests::defaults_are_those_of_every_release`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use supervisord_config::host::Account;
use supervisord_config::model;
use supervisord_config::schema::{Field, Kind, OptionSpec};
use supervisord_config::value::ConfigValue;

/// The options of one kind of section, with the places where the state has them.
pub(super) struct OptionPlaces<S: 'static> {
    options: Vec<PlacedOption<S>>,
    by_place: HashMap<Place, usize>,
}

struct PlacedOption<S: 'static> {
    row: &'static OptionSpec,
    field: &'static Field<S>,
    place: Place,
    /// The value that is left out; none where the option is always written.
    default: Option<ConfigValue<'static>>,
}

/// The key under which an option stands, behind the log in whose object that is.
type Place = (Option<&'static str>, &'static str);

impl<S: 'static> OptionPlaces<S> {
    /// Those of these options. What is as in `default` is left out.
    pub fn new(
        options: impl Iterator<Item = (&'static OptionSpec, &'static Field<S>)>,
        default: Option<&'static S>,
    ) -> OptionPlaces<S> {
        let placed = |(row, field): (&'static OptionSpec, &'static Field<S>)| PlacedOption {
            row,
            field,
            place: place(row.name),
            default: default.map(|default| field.get(default)),
        };
        let options: Vec<_> = options.map(placed).collect();
        let by_place = options.iter().enumerate().map(|(index, option)| (option.place, index)).collect();
        OptionPlaces { options, by_place }
    }

    /// The options of a section that are not left out.
    pub fn written(&self, section: &S) -> Map<String, Json> {
        let mut map = Map::new();
        for PlacedOption { field, place, default, .. } in &self.options {
            let value = field.get(section);
            if default.as_ref() == Some(&value) {
                continue;
            }
            match *place {
                (None, key) => {
                    map.insert(key.to_owned(), encode(value));
                }
                (Some(channel), key) => {
                    let log = map.entry(channel).or_insert_with(|| Json::Object(Map::new()));
                    log[key] = encode(value);
                }
            }
        }
        map
    }

    /// Sets the options that are there.
    ///
    /// # Errors
    /// Which of them has no form that is known.
    pub fn read(&self, map: &Map<String, Json>, section: &mut S) -> Result<(), String> {
        for (key, there) in map {
            match there {
                Json::Object(log) if CHANNELS.contains(&key.as_str()) => {
                    log.iter().try_for_each(|(option, there)| self.set((Some(key), option), there, section))?;
                }
                _ => self.set((None, key), there, section)?,
            }
        }
        Ok(())
    }

    fn set(&self, place: (Option<&str>, &str), there: &Json, section: &mut S) -> Result<(), String> {
        let Some(PlacedOption { row, field, .. }) = self.by_place.get(&place).map(|index| &self.options[*index]) else {
            return Ok(());
        };
        let value = decode(row.kind, there).map_err(|error| format!("{}: {error}", row.name))?;
        field.set(section, value).map_err(|_| format!("{} is no {}", row.name, row.kind.describe()))
    }
}

/// The logs whose options stand in objects of their own.
const CHANNELS: [&str; 2] = ["stdout", "stderr"];

fn place(option: &'static str) -> Place {
    let of_log = option.split_once('_').filter(|(channel, _)| CHANNELS.contains(channel));
    let Some((channel, option)) = of_log else { return (None, option) };
    let key = match option.strip_prefix("logfile") {
        Some("") => "file",
        Some(rest) => rest.trim_start_matches('_'),
        None => option,
    };
    (Some(channel), key)
}

fn encode(value: ConfigValue<'_>) -> Json {
    match value {
        ConfigValue::Unset => Json::Null,
        ConfigValue::Boolean(truth) => truth.into(),
        ConfigValue::Integer(number) => number.into(),
        ConfigValue::Fraction(number) => number.into(),
        ConfigValue::Duration(length) => millis(length).into(),
        ConfigValue::Text(text) => text.into(),
        ConfigValue::Numbers(numbers) => numbers.into_owned().into(),
        ConfigValue::Texts(texts) => texts.into_owned().into(),
        ConfigValue::Pairs(pairs) => json(&pairs),
        ConfigValue::User(user) => json(&User::from(user.into_owned())),
        ConfigValue::Owner(user, group) => json(&(user, group)),
        ConfigValue::Address(host, port) => json(&(host, port)),
        ConfigValue::StopSteps(steps) => steps.to_string().into(),
        ConfigValue::AutoRestart(when) => json(&AutoRestart::from(when)),
        ConfigValue::Backoff(backoff) => json(&Backoff::from(backoff)),
        ConfigValue::RestartLimit(limit) => json(&RestartLimit::from(limit)),
        ConfigValue::RecycleAfter(recycle) => recycle.to_string().into(),
        ConfigValue::LogLevel(level) => json(&Level::from(level)),
        ConfigValue::LogFile(file) => json(&File::from(file.into_owned())),
        ConfigValue::Syslog => "syslog".into(),
        ConfigValue::ActivityLog(log) => json(&Logfile::from(log.into_owned())),
        ConfigValue::Socket(socket) => json(&Socket::from(&**socket)),
    }
}

/// It cannot fail: none of the types here has keys that are no texts.
fn json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

fn decode(kind: Kind, json: &Json) -> serde_json::Result<ConfigValue<'static>> {
    use Kind as K;
    if json.is_null() {
        return Ok(ConfigValue::Unset);
    }
    Ok(match kind {
        K::Boolean => ConfigValue::Boolean(bool::deserialize(json)?),
        K::Signals if json.is_array() => ConfigValue::Numbers(Vec::deserialize(json)?.into()),
        K::Integer | K::Count | K::ByteSize | K::Octal | K::Signal | K::Signals | K::UserId | K::GroupId => {
            ConfigValue::Integer(i64::deserialize(json)?)
        }
        K::StopSteps | K::RecycleAfter => {
            kind.convert(&String::deserialize(json)?).map_err(serde_json::Error::custom)?
        }
        K::Fraction => ConfigValue::Fraction(f64::deserialize(json)?),
        K::Duration => ConfigValue::Duration(Duration::from_millis(u64::deserialize(json)?)),
        K::ExitCodes => ConfigValue::Numbers(Vec::deserialize(json)?.into()),
        K::Names | K::Tags | K::Secret | K::EnvironmentFiles | K::Events | K::Dependencies | K::ForwardTargets => {
            ConfigValue::Texts(Vec::deserialize(json)?.into())
        }
        K::Environment => ConfigValue::Pairs(Vec::deserialize(json)?.into()),
        K::User => ConfigValue::User(Cow::Owned(User::deserialize(json)?.into())),
        K::Owner => {
            let (user, group) = <(u32, Option<u32>)>::deserialize(json)?;
            ConfigValue::Owner(user, group)
        }
        K::InetAddress => {
            let (host, port) = <(String, u16)>::deserialize(json)?;
            ConfigValue::Address(host.into(), port)
        }
        K::AutoRestart => ConfigValue::AutoRestart(AutoRestart::deserialize(json)?.into()),
        K::Backoff => ConfigValue::Backoff(Backoff::deserialize(json)?.into()),
        K::RestartLimit => ConfigValue::RestartLimit(RestartLimit::deserialize(json)?.into()),
        K::LogLevel => ConfigValue::LogLevel(Level::deserialize(json)?.into()),
        K::ChildLog => ConfigValue::LogFile(Cow::Owned(File::deserialize(json)?.into())),
        K::ActivityLog => ConfigValue::ActivityLog(Cow::Owned(Logfile::deserialize(json)?.into())),
        K::Socket => ConfigValue::Socket(Cow::Owned(Arc::new(Socket::deserialize(json)?.into()))),
        K::UrlOrAuto => match UrlOrAuto::deserialize(json)? {
            // An address never is this word, which version 1 has for none.
            UrlOrAuto::Present(text) if text == "Auto" => ConfigValue::Unset,
            UrlOrAuto::Present(text) | UrlOrAuto::Version1 { text } => ConfigValue::Text(text.into()),
        },
        K::OnDependencyFailure
        | K::ReadyWhen
        | K::Probe
        | K::OnUnhealthy
        | K::RotateWhen
        | K::DateFormat
        | K::LogCompression
        | K::DiskReserve
        | K::Text
        | K::Command
        | K::Password
        | K::PasswordHash
        | K::TokenHash
        | K::UserRole
        | K::ProgramPatterns
        | K::ExitWhen
        | K::UpdateMode
        | K::WhenBlocked
        | K::ActivityFormat
        | K::ProgramType
        | K::StopScope
        | K::Name
        | K::Directory
        | K::File
        | K::LogFormat
        | K::SyslogFacility
        | K::SyslogSeverity
        | K::Url
        | K::PythonName
        | K::Patterns => ConfigValue::Text(String::deserialize(json)?.into()),
    })
}

/// Durations are written in milliseconds, which they are whole numbers of.
fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// A user of the system.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
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

/// As any version spells it.
#[derive(Deserialize)]
#[serde(untagged)]
enum UrlOrAuto {
    Present(String),
    Version1 {
        #[serde(rename = "Text")]
        text: String,
    },
}

/// An enum of the format for one of the model, with the names of version 1 as aliases.
macro_rules! words {
    ($name:ident for $model:path: $($variant:ident = $alias:literal),+) => {
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub(super) enum $name {
            $(#[serde(alias = $alias)] $variant),+
        }

        impl From<$model> for $name {
            fn from(word: $model) -> $name {
                match word {
                    $(<$model>::$variant => $name::$variant),+
                }
            }
        }

        impl From<$name> for $model {
            fn from(word: $name) -> $model {
                match word {
                    $($name::$variant => <$model>::$variant),+
                }
            }
        }
    };
}

words!(AutoRestart for model::AutoRestart: Always = "Always", Never = "Never", Unexpected = "Unexpected");
words!(Level for model::LogLevel:
    Critical = "Critical", Error = "Error", Warn = "Warn", Info = "Info", Debug = "Debug", Trace = "Trace", Blather = "Blather");

words!(Backoff for model::Backoff: Fixed = "Fixed", Linear = "Linear", Exponential = "Exponential");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RestartLimit {
    Unlimited,
    Within { restarts: u32, window: u64 },
}

impl From<model::RestartLimit> for RestartLimit {
    fn from(limit: model::RestartLimit) -> RestartLimit {
        match limit {
            model::RestartLimit::Unlimited => RestartLimit::Unlimited,
            model::RestartLimit::Within { restarts, window } => {
                RestartLimit::Within { restarts, window: millis(window) }
            }
        }
    }
}

impl From<RestartLimit> for model::RestartLimit {
    fn from(limit: RestartLimit) -> model::RestartLimit {
        match limit {
            RestartLimit::Unlimited => model::RestartLimit::Unlimited,
            RestartLimit::Within { restarts, window } => {
                model::RestartLimit::Within { restarts, window: Duration::from_millis(window) }
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum File {
    #[serde(alias = "None")]
    None,
    #[serde(alias = "Auto")]
    Auto,
    #[serde(alias = "Path")]
    Path(Arc<str>),
}

impl From<model::LogFile> for File {
    fn from(file: model::LogFile) -> File {
        match file {
            model::LogFile::None => File::None,
            model::LogFile::Auto => File::Auto,
            model::LogFile::Path(path) => File::Path(path),
        }
    }
}

impl From<File> for model::LogFile {
    fn from(file: File) -> model::LogFile {
        match file {
            File::None => model::LogFile::None,
            File::Auto => model::LogFile::Auto,
            File::Path(path) => model::LogFile::Path(path),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Logfile {
    #[serde(alias = "Syslog")]
    Syslog,
    #[serde(alias = "File")]
    File(String),
}

impl From<model::ActivityLog> for Logfile {
    fn from(log: model::ActivityLog) -> Logfile {
        match log {
            model::ActivityLog::Syslog => Logfile::Syslog,
            model::ActivityLog::File(path) => Logfile::File(path),
        }
    }
}

impl From<Logfile> for model::ActivityLog {
    fn from(log: Logfile) -> model::ActivityLog {
        match log {
            Logfile::Syslog => model::ActivityLog::Syslog,
            Logfile::File(path) => model::ActivityLog::File(path),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Socket {
    url: String,
    address: Address,
    backlog: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Address {
    #[serde(alias = "Tcp")]
    Tcp { host: String, port: u16 },
    #[serde(alias = "Unix")]
    Unix { path: String, mode: u32, owner: Option<(u32, Option<u32>)> },
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
    use supervisord_config::schema::{default_process, options_of_processes};

    use super::*;

    /// A default that changes would change what the state of an older release means: such an option has to be written always
    /// first, for a release. Options of releases to come need no line here.
    #[test]
    fn defaults_are_those_of_every_release() {
        let origin = model::Origin { file: "f".into(), line: 1 };
        let default = default_process("program:p", origin);
        let all = Json::Object(OptionPlaces::new(options_of_processes(), None).written(&default));
        let log = serde_json::json!({ "file": "auto", "maxbytes": 50 << 20, "backups": 10, "capture_maxbytes": 0,
            "events_enabled": false, "syslog": false });
        let expected = serde_json::json!({ "command": "", "directory": null, "umask": null, "priority": 999,
            "autostart": true, "startsecs": 1, "startretries": 3, "autorestart": "unexpected", "exitcodes": [0],
            "stopsignal": 15, "stopwaitsecs": 10, "stopasgroup": false, "killasgroup": false, "user": null,
            "redirect_stderr": false, "environment": [], "serverurl": null, "socket": null,
            "stdout": log, "stderr": log });
        for (option, value) in expected.as_object().into_iter().flatten() {
            let there = &all[option];
            match value {
                Json::Object(log) => {
                    log.iter().for_each(|(key, value)| assert_eq!(&there[key], value, "{option} {key}"))
                }
                _ => assert_eq!(there, value, "{option}"),
            }
        }
    }
}
