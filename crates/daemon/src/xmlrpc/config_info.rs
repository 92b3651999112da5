//! What `supervisor.getAllConfigInfo` answers: the options of every configured process.

use std::sync::Arc;

use supervisord_config::model::{AutoRestart, Config, Group, LogFile, Process};
use supervisord_config::schema::{Field, OptionSpec, SectionKind};
use supervisord_config::value::ConfigValue;
use supervisord_core::output::Channel;
use supervisord_core::row::Row;
use supervisord_wire::value::Value;

use crate::api::VisibleView;

/// What an option that is not set looks like.
const NONE: &str = "none";

/// The members in the order of the original. This answer is frozen: options that the original does not have are not in it.
const MEMBERS: [&str; 30] = [
    "autostart",
    "autorestart",
    "directory",
    "uid",
    "command",
    "exitcodes",
    "group",
    "group_prio",
    "inuse",
    "killasgroup",
    "name",
    "process_prio",
    "redirect_stderr",
    "startretries",
    "startsecs",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_logfile",
    "stdout_logfile_backups",
    "stdout_logfile_maxbytes",
    "stdout_syslog",
    "stopsignal",
    "stopwaitsecs",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_logfile",
    "stderr_logfile_backups",
    "stderr_logfile_maxbytes",
    "stderr_syslog",
    "serverurl",
];

/// Where a member comes from.
enum Source {
    Option(&'static Field<Process>),
    /// The path of a log, which may be made up.
    Log(Channel, &'static Field<Process>),
    /// None of the options of a process.
    Other,
}

/// A member with its source.
fn members() -> Vec<(&'static str, Source)> {
    let source = |member| {
        let option = match member {
            "uid" => "user",
            "process_prio" => "priority",
            // The name of the process, not that of its option.
            "name" => return Source::Other,
            other => other,
        };
        let Some(field) = SectionKind::Program.option(option).and_then(OptionSpec::of_process) else {
            return Source::Other;
        };
        let log = [Channel::Stdout, Channel::Stderr].into_iter().find(|channel| is_log_of(*channel, option));
        log.map_or(Source::Option(field), |channel| Source::Log(channel, field))
    };
    MEMBERS.into_iter().map(|member| (member, source(member))).collect()
}

fn is_log_of(channel: Channel, option: &str) -> bool {
    option.strip_prefix(channel.name()) == Some("_logfile")
}

/// One struct for every process of the configuration, sorted by process name; equal names keep the order of their groups.
///
/// `audience` says which processes there are, and what may be told of them.
pub fn all(config: &Config, audience: &impl Audience) -> Value {
    let in_group = |group| -> Vec<(&Arc<Group>, &Arc<Process>)> { processes(group).collect() };
    let mut processes: Vec<_> = config.groups.iter().flat_map(in_group).collect();
    processes.retain(|(group, process)| audience.includes(&group.name, &process.identity.name));
    processes.sort_by(|(_, one), (_, other)| one.identity.name.cmp(&other.identity.name));
    let members = members();
    let describe = |(group, process): (&Arc<Group>, &Arc<Process>)| {
        let row = audience.row(&group.name, &process.identity.name);
        let described = members.iter().map(|(name, source)| {
            let value = match (*name, source) {
                // A client of the original expects one number.
                ("stopsignal", Source::Option(_)) => Value::Int(process.stop.stopsignal.first.into()),
                ("command", Source::Option(_)) if !audience.shows_secrets() => {
                    without_arguments(&process.spawn.command).into()
                }
                (_, Source::Option(field)) => value(&field.get(process)),
                (_, Source::Log(channel, field)) => log(*channel, &field.get(process), process, row.as_deref()),
                ("group", Source::Other) => group.name.as_str().into(),
                ("group_prio", Source::Other) => group.priority.into(),
                ("inuse", Source::Other) => audience.has_group(&group.name).into(),
                (_, Source::Other) => process.identity.name.as_str().into(),
            };
            ((*name).to_owned(), value)
        });
        Value::Struct(described.collect())
    };
    Value::Array(processes.into_iter().map(describe).collect())
}

/// For whom the answer is.
pub trait Audience {
    /// Whether a process of the configuration exists for them.
    fn includes(&self, group: &str, process: &str) -> bool;
    /// Whether a group is active.
    fn has_group(&self, group: &str) -> bool;
    /// An active process.
    fn row(&self, group: &str, process: &str) -> Option<Arc<Row>>;
    /// Whether they may read what can be a secret, as the arguments of a program can.
    fn shows_secrets(&self) -> bool;
}

impl Audience for VisibleView<'_> {
    fn includes(&self, group: &str, process: &str) -> bool {
        VisibleView::includes(self, group, process)
    }

    fn has_group(&self, group: &str) -> bool {
        VisibleView::has_group(self, group)
    }

    fn row(&self, group: &str, process: &str) -> Option<Arc<Row>> {
        VisibleView::row(self, group, process)
    }

    fn shows_secrets(&self) -> bool {
        VisibleView::shows_secrets(self)
    }
}

/// The program of a command line; dots stand for its arguments.
fn without_arguments(command: &str) -> String {
    match command.trim().split_once(char::is_whitespace) {
        Some((program, _)) => format!("{program} ..."),
        None => command.trim().to_owned(),
    }
}

fn processes(group: &Arc<Group>) -> impl Iterator<Item = (&Arc<Group>, &Arc<Process>)> {
    group.processes.iter().map(move |process| (group, process))
}

/// The path of a log; of an automatic one the made-up path, as long as its process is active.
fn log(channel: Channel, file: &ConfigValue<'_>, process: &Process, row: Option<&Row>) -> Value {
    let made_up = row.and_then(|row| match channel {
        Channel::Stdout => row.stdout_logfile.as_deref(),
        Channel::Stderr => row.stderr_logfile.as_deref(),
    });
    match file {
        _ if channel == Channel::Stderr && process.logging.redirect_stderr => NONE.into(),
        ConfigValue::LogFile(file) if **file == LogFile::Auto => made_up.unwrap_or("auto").into(),
        other => value(other),
    }
}

/// As the original shows values of this shape. Others are not among its members.
fn value(value: &ConfigValue<'_>) -> Value {
    match value {
        ConfigValue::Boolean(truth) => (*truth).into(),
        ConfigValue::Integer(number) => Value::Int(*number),
        ConfigValue::Text(text) => (&**text).into(),
        ConfigValue::Numbers(numbers) => Value::Array(numbers.iter().map(|number| (*number).into()).collect()),
        ConfigValue::User(user) => Value::Int(user.uid.into()),
        // As it is written, with the truth values as such.
        ConfigValue::AutoRestart(AutoRestart::Always) => true.into(),
        ConfigValue::AutoRestart(AutoRestart::Never) => false.into(),
        ConfigValue::AutoRestart(AutoRestart::Unexpected) => "unexpected".into(),
        ConfigValue::LogFile(file) => match &**file {
            LogFile::Path(path) => path.as_ref().into(),
            LogFile::None | LogFile::Auto => NONE.into(),
        },
        _ => NONE.into(),
    }
}

#[cfg(test)]
mod tests;
