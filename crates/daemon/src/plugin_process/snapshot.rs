//! The daemon as plug-ins see it: everything that is published, with the environments of the programs, because the
//! plug-in process is the daemon's own.

use serde_json::{Value, json};
use supervisord_config::model::{
    ActivityLog, AutoRestart, ChannelLog, Config, Group, HttpServer, LogFile, Process, ServerAddress, ServerUrl,
};
use supervisord_core::row::Row;

use crate::view::View;

/// The state of the daemon. `groups` are those that are active, `configured` those of the file as last read.
pub(super) fn state(view: &View) -> Value {
    let config = view.config();
    let settings = &config.supervisord;
    let logfile = match &settings.logfile {
        ActivityLog::Syslog => "syslog",
        ActivityLog::File(path) => path,
    };
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
        "logfile": logfile,
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

/// The definition of a process under the names of the original.
pub(super) fn definition(process: &Process) -> Value {
    let autorestart = match process.restart.autorestart {
        AutoRestart::Always => "true",
        AutoRestart::Never => "false",
        AutoRestart::Unexpected => "unexpected",
    };
    let serverurl = match &process.spawn.serverurl {
        ServerUrl::Auto => None,
        ServerUrl::Text(text) => Some(text),
    };
    let environment: serde_json::Map<String, Value> =
        process.spawn.environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut definition = json!({
        "name": process.identity.name,
        "command": process.spawn.command,
        "directory": process.spawn.directory,
        "umask": process.spawn.umask,
        "uid": process.spawn.user.as_ref().map(|user| user.uid),
        "priority": process.identity.priority,
        "autostart": process.start.autostart,
        "autorestart": autorestart,
        "startsecs": process.start.startsecs,
        "startretries": process.start.startretries,
        "stopsignal": process.stop.stopsignal,
        "stopwaitsecs": process.stop.stopwaitsecs,
        "stopasgroup": process.stop.stopasgroup,
        "killasgroup": process.stop.killasgroup,
        "exitcodes": process.restart.exitcodes,
        "redirect_stderr": process.logging.redirect_stderr,
        "environment": environment,
        "serverurl": serverurl,
    });
    channel(&mut definition, "stdout", &process.logging.stdout);
    channel(&mut definition, "stderr", &process.logging.stderr);
    definition
}

fn channel(definition: &mut Value, name: &str, log: &ChannelLog) {
    let file = match &log.file {
        LogFile::None => json!(null),
        LogFile::Auto => json!("AUTO"),
        LogFile::Path(path) => json!(path),
    };
    for (option, value) in [
        ("logfile", file),
        ("logfile_maxbytes", json!(log.maxbytes)),
        ("logfile_backups", json!(log.backups)),
        ("capture_maxbytes", json!(log.capture_maxbytes)),
        ("events_enabled", json!(log.events_enabled)),
        ("syslog", json!(log.syslog)),
    ] {
        definition[format!("{name}_{option}")] = value;
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
