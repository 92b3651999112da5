//! Configurations for tests, of every crate: ordinary programs, to be varied by the test. They are there with the feature
//! `samples`, which only tests ask for.

use std::sync::Arc;

use crate::model::{
    ActivityLog, ChannelLog, Config, Group, GroupKind, ListenerPool, LogFile, Origin, Process, Supervisord,
};
use crate::schema::{default_process, default_supervisord};

/// A program with the original's defaults, but without logs.
pub fn process(name: &str) -> Process {
    let mut process = default_process(&format!("program:{name}"), Origin { file: "test.conf".into(), line: 1 });
    name.clone_into(&mut process.identity.name);
    process.spawn.command = "/bin/cat".to_owned();
    let log = ChannelLog { file: LogFile::None, maxbytes: 0, backups: 0, ..process.logging.stdout.clone() };
    (process.logging.stdout, process.logging.stderr) = (log.clone(), log);
    process
}

/// A group of these programs.
pub fn group(name: &str, priority: i64, processes: Vec<Process>) -> Arc<Group> {
    let processes = processes.into_iter().map(Arc::new).collect();
    Arc::new(Group { name: name.to_owned(), priority, kind: GroupKind::Programs, processes })
}

/// A pool of one listener.
pub fn pool(name: &str, events: &[&str], buffer_size: usize) -> Arc<Group> {
    let events = events.iter().map(|event| (*event).to_owned()).collect();
    let pool =
        ListenerPool { buffer_size, events, result_handler: "supervisor.dispatchers:default_handler".to_owned() };
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
        scales: Vec::new(),
        supervisord: Supervisord {
            logfile: ActivityLog::File("/tmp/supervisord.log".to_owned()),
            logfile_maxbytes: 0,
            logfile_backups: 0,
            pidfile: "/tmp/supervisord.pid".to_owned(),
            nodaemon: true,
            childlogdir: "/tmp".to_owned(),
            ..default_supervisord()
        },
        servers: Vec::new(),
        rpc_interfaces: Vec::new(),
        groups,
        notices: Vec::new(),
    }
}
