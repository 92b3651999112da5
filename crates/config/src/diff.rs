//! What a reread would change: the test that decides which groups count as changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::discriminant;
use std::sync::Arc;

use crate::model::{ChannelLog, FastCgiSocket, Group, GroupKind, LogFile, Process};

/// Names of groups, each list in the order of the configuration it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only in the new configuration.
    pub added: Vec<String>,
    /// In both, defined differently.
    pub changed: Vec<String>,
    /// Only in the active one.
    pub removed: Vec<String>,
}

/// Compares the active groups with those of a new configuration.
pub fn diff(active: &[Arc<Group>], new: &[Arc<Group>]) -> Difference {
    let by_name = |groups: &[Arc<Group>]| -> HashMap<String, Arc<Group>> {
        groups.iter().map(|group| (group.name.clone(), group.clone())).collect()
    };
    let (old, fresh) = (by_name(active), by_name(new));
    let mut difference = Difference::default();
    for group in new {
        match old.get(&group.name) {
            None => difference.added.push(group.name.clone()),
            Some(known) if !same_group(known, group) => difference.changed.push(group.name.clone()),
            Some(_) => {}
        }
    }
    let gone = active.iter().filter(|group| !fresh.contains_key(&group.name));
    difference.removed = gone.map(|group| group.name.clone()).collect();
    difference
}

/// Whether two definitions mean the same. Where they were written does not matter.
fn same_group(a: &Group, b: &Group) -> bool {
    a.name == b.name
        && a.priority == b.priority
        && same_kind(&a.kind, &b.kind)
        && a.processes.len() == b.processes.len()
        && a.processes.iter().zip(&b.processes).all(|(a, b)| same_process(a, b))
}

fn same_kind(a: &GroupKind, b: &GroupKind) -> bool {
    match (a, b) {
        (GroupKind::Listeners(a), GroupKind::Listeners(b)) => {
            let set = |events: &[String]| events.iter().cloned().collect::<BTreeSet<_>>();
            a.buffer_size == b.buffer_size && a.result_handler == b.result_handler && set(&a.events) == set(&b.events)
        }
        _ => discriminant(a) == discriminant(b),
    }
}

fn same_process(a: &Process, b: &Process) -> bool {
    // Every field is named, so that a new one cannot be forgotten here.
    let Process {
        name,
        section: _,
        origin: _,
        command,
        directory,
        umask,
        priority,
        autostart,
        autorestart,
        startsecs,
        startretries,
        user,
        stdout,
        stderr,
        stopsignal,
        stopwaitsecs,
        stopasgroup,
        killasgroup,
        exitcodes,
        redirect_stderr,
        environment,
        serverurl,
        socket,
    } = a;
    let uid = |process: &Process| process.user.as_ref().map(|user| user.uid);
    let pairs = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
    *name == b.name
        && *command == b.command
        && *directory == b.directory
        && *umask == b.umask
        && *priority == b.priority
        && *autostart == b.autostart
        && *autorestart == b.autorestart
        && *startsecs == b.startsecs
        && *startretries == b.startretries
        && user.as_ref().map(|user| user.uid) == uid(b)
        && same_channel(stdout, &b.stdout)
        && same_channel(stderr, &b.stderr)
        && *stopsignal == b.stopsignal
        && *stopwaitsecs == b.stopwaitsecs
        && *stopasgroup == b.stopasgroup
        && *killasgroup == b.killasgroup
        && *exitcodes == b.exitcodes
        && *redirect_stderr == b.redirect_stderr
        && pairs(environment) == pairs(&b.environment)
        && *serverurl == b.serverurl
        && url(socket) == url(&b.socket)
}

/// A socket is known by its URL alone: the original notices no change of owner, mode or backlog.
fn url(socket: &Option<Arc<FastCgiSocket>>) -> Option<&str> {
    socket.as_ref().map(|socket| socket.url.as_str())
}

/// An automatic file counts as equal to anything that was set before, as in the original, but not the reverse.
fn same_channel(a: &ChannelLog, b: &ChannelLog) -> bool {
    (a.file == b.file || b.file == LogFile::Auto)
        && a.maxbytes == b.maxbytes
        && a.backups == b.backups
        && a.capture_maxbytes == b.capture_maxbytes
        && a.events_enabled == b.events_enabled
        && a.syslog == b.syslog
}
