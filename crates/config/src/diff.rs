//! What a reread would change: the test that decides which groups count as changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::discriminant;
use std::sync::Arc;

use crate::host::Account;
use crate::model::{ChannelLog, FastCgiSocket, Group, GroupKind, Identity, LogFile, Logging, Process, Spawn};

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
    let Process { identity, spawn, start, restart, stop, logging } = a;
    let Identity { name, section: _, origin: _, priority } = identity;
    *name == b.identity.name
        && *priority == b.identity.priority
        && same_spawn(spawn, &b.spawn)
        && *start == b.start
        && *restart == b.restart
        && *stop == b.stop
        && same_logging(logging, &b.logging)
}

fn same_spawn(a: &Spawn, b: &Spawn) -> bool {
    let Spawn { command, directory, umask, user, environment, serverurl, socket } = a;
    let uid = |user: &Option<Account>| user.as_ref().map(|user| user.uid);
    let pairs = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
    *command == b.command
        && *directory == b.directory
        && *umask == b.umask
        && uid(user) == uid(&b.user)
        && pairs(environment) == pairs(&b.environment)
        && *serverurl == b.serverurl
        && url(socket) == url(&b.socket)
}

fn same_logging(a: &Logging, b: &Logging) -> bool {
    let Logging { stdout, stderr, redirect_stderr } = a;
    same_channel(stdout, &b.stdout) && same_channel(stderr, &b.stderr) && *redirect_stderr == b.redirect_stderr
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::{CommandLine, load};

    fn groups(text: &str) -> Vec<Arc<Group>> {
        let host = FakeHost::new().file("/conf/c.conf", format!("[supervisord]\n{text}"));
        load("c.conf", &CommandLine::default(), &host).unwrap().groups
    }

    fn is_changed(old: &str, new: &str) -> bool {
        let difference = diff(&groups(old), &groups(new));
        assert_eq!((difference.added.len(), difference.removed.len()), (0, 0), "{old} {new}");
        !difference.changed.is_empty()
    }

    #[test]
    fn groups_are_added_changed_and_removed_in_sorted_order() {
        let old =
            groups("[program:a]\ncommand=1\n[program:b]\ncommand=1\n[program:d]\ncommand=1\n[program:c]\ncommand=1\n");
        let new =
            groups("[program:y]\ncommand=1\n[program:x]\ncommand=1\n[program:a]\ncommand=2\n[program:b]\ncommand=1\n");
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let expected = Difference { added: list(&["x", "y"]), changed: list(&["a"]), removed: list(&["c", "d"]) };
        assert_eq!(diff(&old, &new), expected);
        assert_eq!(diff(&new, &new), Difference::default());
    }

    #[test]
    fn every_option_of_a_program_counts() {
        let base = "[program:p]\ncommand=c\nprocess_name=p%(process_num)s\n";
        for option in [
            "command=d",
            "process_name=q%(process_num)s",
            "numprocs=2",
            "numprocs_start=1",
            "directory=/tmp",
            "umask=077",
            "priority=1",
            "autostart=false",
            "startsecs=2",
            "startretries=2",
            "autorestart=true",
            "exitcodes=1",
            "stopsignal=INT",
            "stopwaitsecs=1",
            "stopasgroup=true",
            "killasgroup=true",
            "user=nobody",
            "redirect_stderr=true",
            "stdout_logfile=/tmp/x",
            "stdout_logfile_maxbytes=1",
            "stdout_logfile_backups=1",
            "stdout_capture_maxbytes=1",
            "stdout_events_enabled=true",
            "stdout_syslog=true",
            "stderr_logfile=NONE",
            "stderr_logfile_maxbytes=1",
            "stderr_logfile_backups=1",
            "stderr_capture_maxbytes=1",
            "stderr_events_enabled=true",
            "stderr_syslog=true",
            "environment=A=1",
            "serverurl=x",
        ] {
            assert!(is_changed(base, &format!("{base}{option}\n")), "{option}");
        }
        let known = crate::schema::SectionKind::Program.options().count();
        assert_eq!(known, 32, "a new option needs a line above");
    }

    #[test]
    fn where_and_in_which_order_it_is_written_does_not_count() {
        assert!(!is_changed("[program:p]\ncommand=c\n", "\n\n[program:p]\nautostart=true\ncommand=c\n"));
        let environment = |text: &str| format!("[program:p]\ncommand=c\nenvironment={text}\n");
        assert!(!is_changed(&environment("A=1,B=2"), &environment("B=2,A=1")));
        let events = |text: &str| format!("[eventlistener:p]\ncommand=c\nevents={text}\n");
        assert!(!is_changed(&events("TICK_5,TICK_60"), &events("TICK_60,TICK_5")));
        assert!(is_changed(&events("TICK_5"), &events("TICK_60")));
        assert!(is_changed(&events("TICK_5"), &events("TICK_5\nbuffer_size=1")));
    }

    #[test]
    fn going_back_to_an_automatic_file_is_not_noticed() {
        let log = |file: &str| format!("[program:p]\ncommand=c\nstdout_logfile={file}\n");
        assert!(!is_changed(&log("/tmp/x"), &log("AUTO")));
        assert!(is_changed(&log("AUTO"), &log("/tmp/x")));
    }

    #[test]
    fn of_a_socket_only_the_url_counts() {
        let socket = |lines: &str| format!("[fcgi-program:p]\ncommand=c\nsocket={lines}\n");
        assert!(!is_changed(&socket("unix:///a"), &socket("unix:///a\nsocket_mode=0600\nsocket_backlog=1")));
        assert!(is_changed(&socket("unix:///a"), &socket("unix:///b")));
    }

    #[test]
    fn the_kind_of_a_group_and_the_common_environment_count() {
        let program = "[program:p]\ncommand=c\n";
        let listener = "[eventlistener:p]\ncommand=c\nevents=TICK_5\npriority=999\n";
        assert!(is_changed(program, listener));
        assert!(is_changed(program, &format!("environment=A=1\n{program}")));
    }
}
