//! What `supervisor.getAllConfigInfo` answers: the options of every configured process.

use std::sync::Arc;

use supervisord_config::model::{AutoRestart, ChannelLog, Config, Group, LogFile, Process, ServerUrl};
use supervisord_core::output::Channel;
use supervisord_core::row::Row;
use supervisord_wire::value::Value;

/// What an option that is not set looks like.
const NONE: &str = "none";

/// One struct for every process of the configuration, sorted by process name; equal names keep the order of their groups.
///
/// `in_use` tells whether a group is active, `row` finds an active process by group and name.
pub fn all(config: &Config, in_use: impl Fn(&str) -> bool, row: impl Fn(&str, &str) -> Option<Arc<Row>>) -> Value {
    let members = |group| -> Vec<(&Arc<Group>, &Arc<Process>)> { processes(group).collect() };
    let mut processes: Vec<_> = config.groups.iter().flat_map(members).collect();
    processes.sort_by(|(_, one), (_, other)| one.identity.name.cmp(&other.identity.name));
    let describe = |(group, process): (&Arc<Group>, &Arc<Process>)| {
        describe(group, process, in_use(&group.name), row(&group.name, &process.identity.name).as_deref())
    };
    Value::Array(processes.into_iter().map(describe).collect())
}

fn processes(group: &Arc<Group>) -> impl Iterator<Item = (&Arc<Group>, &Arc<Process>)> {
    group.processes.iter().map(move |process| (group, process))
}

/// Members in the original's order.
fn describe(group: &Group, process: &Process, in_use: bool, row: Option<&Row>) -> Value {
    let stdout_file = log_file(&process.logging.stdout.file, row.and_then(|row| row.stdout_logfile.as_deref()));
    let stderr_file = match process.logging.redirect_stderr {
        true => NONE,
        false => log_file(&process.logging.stderr.file, row.and_then(|row| row.stderr_logfile.as_deref())),
    };
    let serverurl = match &process.spawn.serverurl {
        ServerUrl::Auto => NONE,
        ServerUrl::Text(url) => url,
    };
    let mut members = Members(Vec::with_capacity(30));
    members.add("autostart", process.start.autostart);
    members.add("autorestart", autorestart(process.restart.autorestart));
    members.add("directory", process.spawn.directory.as_deref().unwrap_or(NONE));
    members.add("uid", process.spawn.user.as_ref().map_or(NONE.into(), |user| Value::Int(user.uid.into())));
    members.add("command", process.spawn.command.as_str());
    members.add("exitcodes", Value::Array(process.restart.exitcodes.iter().map(|code| (*code).into()).collect()));
    members.add("group", group.name.as_str());
    members.add("group_prio", group.priority);
    members.add("inuse", in_use);
    members.add("killasgroup", process.stop.killasgroup);
    members.add("name", process.identity.name.as_str());
    members.add("process_prio", process.identity.priority);
    members.add("redirect_stderr", process.logging.redirect_stderr);
    members.add("startretries", process.start.startretries);
    members.add("startsecs", process.start.startsecs);
    members.add_log(Channel::Stdout, &process.logging.stdout, stdout_file);
    members.add("stopsignal", process.stop.stopsignal);
    members.add("stopwaitsecs", process.stop.stopwaitsecs);
    members.add_log(Channel::Stderr, &process.logging.stderr, stderr_file);
    members.add("serverurl", serverurl);
    Value::Struct(members.0)
}

/// As it is written, with the truth values as such.
fn autorestart(autorestart: AutoRestart) -> Value {
    match autorestart {
        AutoRestart::Always => true.into(),
        AutoRestart::Never => false.into(),
        AutoRestart::Unexpected => "unexpected".into(),
    }
}

/// The path of a log; of an automatic one the made-up path, as long as its process is active.
fn log_file<'a>(file: &'a LogFile, made_up: Option<&'a str>) -> &'a str {
    match file {
        LogFile::None => NONE,
        LogFile::Auto => made_up.unwrap_or("auto"),
        LogFile::Path(path) => path,
    }
}

struct Members(Vec<(String, Value)>);

impl Members {
    fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    fn add_log(&mut self, channel: Channel, log: &ChannelLog, file: &str) {
        let name = |option| format!("{}_{option}", channel.name());
        let bytes = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        self.add(name("capture_maxbytes"), bytes(log.capture_maxbytes));
        self.add(name("events_enabled"), log.events_enabled);
        self.add(name("logfile"), file);
        self.add(name("logfile_backups"), i64::from(log.backups));
        self.add(name("logfile_maxbytes"), bytes(log.maxbytes));
        self.add(name("syslog"), log.syslog);
    }
}

#[cfg(test)]
mod tests;
