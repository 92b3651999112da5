//! Configurations for tests, of every crate: ordinary programs, to be varied by the test. They are there with the feature
//! `samples`, which only tests ask for.

use std::sync::Arc;

use crate::model::{
    ActivityLog, AutoRestart, ChannelLog, Config, Group, GroupKind, Identity, LogFile, LogLevel, Logging, Origin, Pool,
    Process, Restart, ServerUrl, Spawn, Start, Stop, Supervisord,
};

/// A program with the original's defaults.
pub fn process(name: &str) -> Process {
    let log = ChannelLog {
        file: LogFile::None,
        maxbytes: 0,
        backups: 0,
        capture_maxbytes: 0,
        events_enabled: false,
        syslog: false,
    };
    Process {
        identity: Identity {
            name: name.to_owned(),
            section: format!("program:{name}"),
            origin: Origin { file: "test.conf".into(), line: 1 },
            priority: 999,
        },
        spawn: Spawn {
            command: "/bin/cat".to_owned(),
            directory: None,
            umask: None,
            user: None,
            environment: Vec::new(),
            serverurl: ServerUrl::Auto,
            socket: None,
        },
        start: Start { autostart: true, startsecs: 1, startretries: 3 },
        restart: Restart { autorestart: AutoRestart::Unexpected, exitcodes: vec![0] },
        stop: Stop { stopsignal: 15, stopwaitsecs: 10, stopasgroup: false, killasgroup: false },
        logging: Logging { stdout: log.clone(), stderr: log, redirect_stderr: false },
    }
}

/// A group of these programs.
pub fn group(name: &str, priority: i64, processes: Vec<Process>) -> Arc<Group> {
    let processes = processes.into_iter().map(Arc::new).collect();
    Arc::new(Group { name: name.to_owned(), priority, kind: GroupKind::Programs, processes })
}

/// A pool of one listener.
pub fn pool(name: &str, events: &[&str], buffer_size: usize) -> Arc<Group> {
    let events = events.iter().map(|event| (*event).to_owned()).collect();
    let pool = Pool { buffer_size, events, result_handler: "supervisor.dispatchers:default_handler".to_owned() };
    let mut listener = process(name);
    listener.start.startsecs = 0;
    let processes = vec![Arc::new(listener)];
    Arc::new(Group { name: name.to_owned(), priority: -1, kind: GroupKind::Listeners(pool), processes })
}

/// A configuration of these groups.
pub fn config(groups: impl IntoIterator<Item = Arc<Group>>) -> Config {
    let mut groups: Vec<Arc<Group>> = groups.into_iter().collect();
    groups.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    Config {
        file: "/etc/test.conf".to_owned(),
        here: "/etc".to_owned(),
        supervisord: Supervisord {
            minfds: 1024,
            minprocs: 200,
            directory: None,
            user: None,
            umask: 0o22,
            logfile: ActivityLog::File("/tmp/supervisord.log".to_owned()),
            logfile_maxbytes: 0,
            logfile_backups: 0,
            loglevel: LogLevel::Info,
            pidfile: "/tmp/supervisord.pid".to_owned(),
            identifier: "supervisor".to_owned(),
            nodaemon: true,
            silent: false,
            childlogdir: "/tmp".to_owned(),
            nocleanup: false,
            strip_ansi: false,
            adopt: true,
            environment: Vec::new(),
        },
        servers: Vec::new(),
        rpc_interfaces: Vec::new(),
        groups,
        notices: Vec::new(),
    }
}
