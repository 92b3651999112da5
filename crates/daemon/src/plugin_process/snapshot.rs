//! The daemon as plug-ins see it: everything that is published, with the environments of the programs, because the
//! plug-in process is the daemon's own.

use serde_json::{Value, json};
use supervisord_config::model::{
    ActivityLog, AutoRestart, Config, Group, HttpServer, LogFile, Process, RestartLimit, ServerAddress,
};
use supervisord_config::schema::SectionKind;
use supervisord_config::value::ConfigValue;
use supervisord_core::row::Row;

use crate::view::View;

/// The state of the daemon. `groups` are those that are active, `configured` those of the file as last read.
pub(super) fn state(view: &View) -> Value {
    let config = view.config();
    let settings = &config.supervisord;
    let groups: Vec<Value> = view.groups().iter().map(|(name, rows)| active(&config, name, rows)).collect();
    let configured: Vec<Value> = config.groups.iter().map(|group| definition_of_group(group)).collect();
    json!({
        "mood": view.mood().code(),
        "identifier": settings.identifier,
        "pid": std::process::id(),
        "configfile": config.file,
        "here": config.here,
        "nodaemon": settings.nodaemon,
        "silent": settings.silent,
        "loglevel": settings.loglevel.number(),
        "logfile": activity_log(&settings.logfile),
        "pidfile": settings.pidfile,
        "server_configs": config.servers.iter().map(server).collect::<Vec<Value>>(),
        "groups": groups,
        "configured": configured,
    })
}

fn active(config: &Config, name: &str, rows: &[std::sync::Arc<Row>]) -> Value {
    let known = config.groups.iter().find(|group| group.name == name);
    json!({
        "name": name,
        "priority": known.map_or(999, |group| group.priority),
        "processes": rows.iter().map(|row| process(row)).collect::<Vec<Value>>(),
    })
}

fn process(row: &Row) -> Value {
    let mut config = definition(&row.config);
    config["stdout_logfile"] = json!(row.stdout_logfile);
    config["stderr_logfile"] = json!(row.stderr_logfile);
    json!({
        "name": row.config.identity.name,
        "state": row.state().code(),
        "pid": row.pid,
        "laststart": row.start as f64,
        "laststop": row.stop as f64,
        "spawnerr": (!row.spawnerr.is_empty()).then_some(&row.spawnerr),
        "exitstatus": row.exitstatus,
        "config": config,
    })
}

fn definition_of_group(group: &Group) -> Value {
    let processes: Vec<Value> = group.processes.iter().map(|process| definition(process)).collect();
    json!({ "name": group.name, "priority": group.priority, "processes": processes })
}

/// The definition of a process, its options under their names; only the user is a `uid`, as in the original.
pub(super) fn definition(process: &Process) -> Value {
    let options = SectionKind::Program.options().filter_map(|row| {
        let value = row.of_process()?.get(process);
        Some((if row.name == "user" { "uid" } else { row.name }.to_owned(), option(value)))
    });
    let name = ("name".to_owned(), json!(process.identity.name));
    Value::Object(options.chain([name]).collect())
}

fn option(value: ConfigValue<'_>) -> Value {
    match value {
        ConfigValue::Unset => Value::Null,
        ConfigValue::Boolean(truth) => json!(truth),
        ConfigValue::Integer(number) => json!(number),
        ConfigValue::Fraction(number) => json!(number),
        ConfigValue::Duration(length) => json!(length.as_secs_f64()),
        ConfigValue::Text(text) => json!(text),
        ConfigValue::Numbers(numbers) => json!(numbers),
        ConfigValue::Texts(texts) => json!(texts),
        ConfigValue::Pairs(pairs) => pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
        ConfigValue::User(user) => json!(user.uid),
        ConfigValue::Owner(user, group) => json!([user, group]),
        ConfigValue::Address(host, port) => json!([host, port]),
        ConfigValue::StopSteps(steps) => json!(steps.to_string()),
        ConfigValue::RecycleAfter(recycle) => json!(recycle.to_string()),
        ConfigValue::AutoRestart(AutoRestart::Always) => json!("true"),
        ConfigValue::AutoRestart(AutoRestart::Never) => json!("false"),
        ConfigValue::AutoRestart(AutoRestart::Unexpected) => json!("unexpected"),
        ConfigValue::Backoff(backoff) => json!(backoff.word()),
        ConfigValue::RestartLimit(RestartLimit::Unlimited) => json!("unlimited"),
        ConfigValue::RestartLimit(RestartLimit::Within { restarts, window }) => {
            json!([restarts, window.as_secs_f64()])
        }
        ConfigValue::LogLevel(level) => json!(level.number()),
        ConfigValue::LogFile(file) => match &*file {
            LogFile::None => Value::Null,
            LogFile::Auto => json!("AUTO"),
            LogFile::Path(path) => json!(path),
        },
        ConfigValue::Syslog => json!("syslog"),
        ConfigValue::ActivityLog(log) => activity_log(&log),
        ConfigValue::Socket(socket) => json!(socket.url),
    }
}

fn activity_log(log: &ActivityLog) -> Value {
    match log {
        ActivityLog::Syslog => json!("syslog"),
        ActivityLog::File(path) => json!(path),
    }
}

/// Passwords too: plug-ins of the original use them to reach their own daemon.
fn server(server: &HttpServer) -> Value {
    let credentials = server.credentials.as_ref();
    let username = credentials.map(|credentials| &credentials.username);
    let password = credentials.map(|credentials| &credentials.password);
    let mut description = json!({ "section": server.section, "username": username, "password": password });
    match &server.address {
        ServerAddress::Inet { host, port } => {
            description["name"] = json!("inet_http_server");
            description["family"] = json!("inet");
            description["host"] = json!(host);
            description["port"] = json!(port);
        }
        ServerAddress::Unix { path, mode, uid, gid } => {
            description["name"] = json!("unix_http_server");
            description["family"] = json!("unix");
            description["file"] = json!(path);
            description["chmod"] = json!(mode);
            description["chown"] = json!([uid.map_or(-1, i64::from), gid.map_or(-1, i64::from)]);
        }
    }
    description
}
