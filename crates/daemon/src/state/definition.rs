//! Definitions of groups as the state tells them: what an option has by default is left out.
//!
//! Groups have types of their own, which do not change with the configuration model; the options of a process have the form
//! that [`super::options`] gives them. What a later release adds is absent here, and what it no longer knows is passed over.
//! Version 1 spelt some names otherwise, which the aliases read.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use supervisord_config::model;
use supervisord_config::schema::{default_process, options_of_processes};

use super::encoding::is_default;
use super::options::OptionPlaces;

/// A process with the default of every option, without a name. Making it converts the texts of the whole option table.
static DEFAULTS: LazyLock<model::Process> =
    LazyLock::new(|| default_process("", model::Origin { file: "".into(), line: 0 }));

/// The options of processes. A state has thousands of processes, of each of which it tells a few.
static OPTIONS: LazyLock<OptionPlaces<model::Process>> =
    LazyLock::new(|| OptionPlaces::new(options_of_processes(), Some(&*DEFAULTS)));

/// A group.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupRecord {
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
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
struct Program(Arc<model::Process>);

/// What is told of a process.
#[derive(Serialize, Deserialize)]
struct Fields {
    name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    number: i64,
    section: String,
    origin: Origin,
    /// Those that have another value than by default.
    #[serde(flatten)]
    options: Map<String, Value>,
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

impl From<Program> for Fields {
    fn from(Program(process): Program) -> Fields {
        let model::Identity { name, number, section, origin, .. } = &process.identity;
        let origin = Origin { file: origin.file.clone(), line: origin.line };
        Fields {
            name: name.clone(),
            number: *number,
            section: section.clone(),
            origin,
            options: OPTIONS.written(&process),
        }
    }
}

impl TryFrom<Fields> for Program {
    type Error = String;

    fn try_from(Fields { name, number, section, origin, options }: Fields) -> Result<Program, String> {
        let origin = model::Origin { file: origin.file, line: origin.line };
        let mut process = DEFAULTS.clone();
        process.identity = model::Identity { name, number, section, origin, ..process.identity };
        OPTIONS.read(&options, &mut process)?;
        match process.spawn.command.is_empty() && !options.contains_key("command") {
            true => Err("it has no command".to_owned()),
            false => Ok(Program(process.into())),
        }
    }
}

/// A group of which only the name is known.
pub(super) fn unknown_group(name: &str) -> model::Group {
    let kind = model::GroupKind::Programs;
    model::Group { name: name.to_owned(), priority: 999, kind, processes: Vec::new() }
}

/// A process of which only the name is known: all else is at its default.
pub(super) fn unknown_process(name: &str) -> model::Process {
    let mut process = DEFAULTS.clone();
    process.identity.name = name.to_owned();
    process
}

impl From<&model::Group> for GroupRecord {
    fn from(group: &model::Group) -> GroupRecord {
        let model::Group { name, priority, kind, processes } = group;
        GroupRecord {
            name: name.clone(),
            priority: *priority,
            kind: kind.into(),
            programs: processes.iter().cloned().map(Program).collect(),
        }
    }
}

impl From<GroupRecord> for model::Group {
    fn from(group: GroupRecord) -> model::Group {
        let GroupRecord { name, priority, kind, programs } = group;
        let processes = programs.into_iter().map(|Program(process)| process).collect();
        model::Group { name, priority, kind: kind.into(), processes }
    }
}

impl From<&model::GroupKind> for Kind {
    fn from(kind: &model::GroupKind) -> Kind {
        match kind {
            model::GroupKind::Programs => Kind::Programs,
            model::GroupKind::FastCgi => Kind::FastCgi,
            model::GroupKind::Listeners(model::ListenerPool { buffer_size, events, result_handler }) => {
                Kind::Listeners {
                    buffer_size: *buffer_size,
                    events: events.clone(),
                    result_handler: result_handler.clone(),
                }
            }
        }
    }
}

impl From<Kind> for model::GroupKind {
    fn from(kind: Kind) -> model::GroupKind {
        match kind {
            Kind::Programs => model::GroupKind::Programs,
            Kind::FastCgi => model::GroupKind::FastCgi,
            Kind::Listeners { buffer_size, events, result_handler } => {
                model::GroupKind::Listeners(model::ListenerPool { buffer_size, events, result_handler })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use supervisord_config::host::Account;
    use supervisord_config::log_form::LogFormat;
    use supervisord_config::samples;
    use supervisord_config::syslog_code::SyslogSeverity;
    use supervisord_config::value::ConfigValue;

    use super::*;

    /// One process in which no option has its default.
    fn unusual() -> model::Process {
        let log = |file| model::ChannelLog {
            file,
            maxbytes: 1,
            backups: 2,
            rotation: model::CopyOnWrite::default(),
            capture_maxbytes: 3,
            events_enabled: true,
            log_format: LogFormat::Raw,
            syslog: true,
            log_memory: 0,
            log_forward: Vec::new(),
            log_severity: SyslogSeverity::INFO,
        };
        let mut process = samples::process("unusual");
        process.identity.priority = 1;
        process.spawn = model::Spawn {
            command: "/bin/other".into(),
            directory: Some("/srv".into()),
            umask: Some(0o27),
            user: Some(Account { name: "www".into(), uid: 33, gid: 33, home: "/var/www".into() }),
            environment: vec![("NAME".into(), "J\u{fc}rgen".into())],
            serverurl: model::ProgramServerUrl::Text(String::new()),
            socket: Some(Arc::new(model::FastCgiSocket {
                url: "unix:///run/app".into(),
                address: model::SocketAddress::Unix { path: "/run/app".into(), mode: 0o700, owner: Some((1, None)) },
                backlog: Some(5),
            })),
            ..model::Spawn::default()
        };
        process.start = model::Start { autostart: false, startsecs: 0, startretries: 9, ..model::Start::default() };
        *process.restart =
            model::Restart { autorestart: model::AutoRestart::Always, exitcodes: vec![], ..model::Restart::default() };
        *process.stop = model::Stop {
            stopsignal: 3.into(),
            stopwaitsecs: 1,
            stop_sequence: None,
            stopasgroup: true,
            killasgroup: true,
            kill_scope: None,
        };
        process.logging = model::Logging {
            stdout: log(model::LogFile::Path("/srv/log".into())),
            stderr: log(model::LogFile::None),
            redirect_stderr: true,
            ..model::Logging::default()
        };
        process
    }

    fn read_back(group: &model::Group) -> (model::Group, String) {
        let text = serde_json::to_string(&GroupRecord::from(group)).unwrap();
        (serde_json::from_str::<GroupRecord>(&text).unwrap().into(), text)
    }

    #[test]
    fn a_definition_is_read_back_as_it_was() {
        let mut tcp = samples::process("tcp");
        tcp.identity.number = 7;
        tcp.logging.stdout.log_format = LogFormat::parse("%(time:%H)s 5%% %(message)s").unwrap();
        tcp.logging.stderr.log_format = LogFormat::Json;
        tcp.logging.log_markers = true;
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

    /// As every release has written it.
    const UNUSUAL: &str = r#"{"name":"unusual","section":"program:unusual","origin":["test.conf",1],"command":"/bin/other",
        "directory":"/srv","umask":23,"priority":1,"autostart":false,"autorestart":"always","startsecs":0,"startretries":9,
        "user":{"name":"www","uid":33,"gid":33,"home":"/var/www"},"stdout":{"file":{"path":"/srv/log"},"maxbytes":1,
        "backups":2,"capture_maxbytes":3,"events_enabled":true,"syslog":true},"stderr":{"file":"none","maxbytes":1,
        "backups":2,"capture_maxbytes":3,"events_enabled":true,"syslog":true},"stopsignal":3,"stopwaitsecs":1,
        "stopasgroup":true,"killasgroup":true,"exitcodes":[],"redirect_stderr":true,"environment":[["NAME","J\u00fcrgen"]],
        "serverurl":"","socket":{"url":"unix:///run/app","address":{"unix":{"path":"/run/app","mode":448,
        "owner":[1,null]}},"backlog":5}}"#;

    #[test]
    fn the_form_of_every_option_is_that_of_every_release() {
        let form: Value = serde_json::from_str(UNUSUAL).unwrap();
        assert_eq!(serde_json::to_value(Program(unusual().into())).unwrap(), form);
        assert_eq!(*serde_json::from_value::<Program>(form).unwrap().0, unusual());
    }

    /// Options of releases to come need no line here.
    #[test]
    fn the_example_of_every_option_is_read_back() {
        for (row, field) in options_of_processes() {
            let Some(example) = row.example else { continue };
            let mut process = samples::process("p");
            let value = row.kind.convert(example).unwrap_or_else(|complaint| panic!("{}: {complaint}", row.name));
            // One of a family is kept with its name.
            let value = match row.is_family {
                true => ConfigValue::Texts(vec![format!("NAME={example}")].into()),
                false => value,
            };
            field.set(&mut process, value.clone()).unwrap();
            let (group, _) = read_back(&samples::group("g", 1, vec![process]));
            assert_eq!(field.get(&group.processes[0]), value, "{}", row.name);
        }
    }

    #[test]
    fn an_option_in_a_form_that_is_not_known_is_not_guessed() {
        let mut form: Value = serde_json::from_str(UNUSUAL).unwrap();
        form["startsecs"] = "soon".into();
        let error = serde_json::from_value::<Program>(form).unwrap_err().to_string();
        assert!(error.contains("startsecs"), "{error}");
    }

    #[test]
    fn what_is_usual_takes_no_room() {
        let mut usual = samples::process("usual");
        usual.logging = default_process("program:usual", usual.identity.origin.clone()).logging;
        let (_, text) = read_back(&samples::group("g", 999, vec![usual]));
        assert!(text.len() < 150, "{text}");
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over() {
        let text = r#"{"name":"g","priority":1,"later":{"x":1},"programs":[
            {"name":"p","section":"program:p","origin":["f",3],"command":"x","some_day":"notify"}]}"#;
        let group = model::Group::from(serde_json::from_str::<GroupRecord>(text).unwrap());
        assert_eq!(group.processes[0].start.startretries, 3);
    }
}
