//! What a reread would change: the test that decides which groups count as changed, and in what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;

use crate::model::{Group, GroupKind, ListenerPool, LogFile, Process};
use crate::schema::{Needs, options_of_processes};
use crate::value::ConfigValue;

/// How many changes of a group a line of the activity log shows.
const MOST_SHOWN: usize = 50;

/// Groups, each list in the order of the configuration they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The names of those that are only in the new configuration.
    pub added: Vec<String>,
    /// Those in both that are defined differently.
    pub changed: Vec<ChangedGroup>,
    /// The names of those that are only in the active one.
    pub removed: Vec<String>,
}

/// A group that is defined differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedGroup {
    /// Its name.
    pub name: String,
    /// In what; never empty.
    pub changes: Vec<GroupChange>,
}

/// One thing that differs between two definitions of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// It is of another kind: programs, a FastCGI program, or listeners.
    Kind,
    /// An option of the group itself, or of its pool.
    OfGroup {
        /// The name of the option.
        option: &'static str,
    },
    /// A process is only in the new definition.
    Added {
        /// Its name.
        process: String,
    },
    /// A process is only in the active definition.
    Removed {
        /// Its name.
        process: String,
    },
    /// An option of a process that is in both.
    OfProcess {
        /// The name of the process.
        process: String,
        /// The name of the option.
        option: &'static str,
        /// What the change needs to take effect.
        needs: Needs,
    },
}

impl fmt::Display for ChangedGroup {
    /// As the activity log has it: the first [`MOST_SHOWN`] changes, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.changes.iter().take(MOST_SHOWN).map(GroupChange::to_string).collect();
        write!(f, "the definition of {} differs: {}", self.name, shown.join(", "))?;
        match self.changes.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for GroupChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupChange::Kind => f.write_str("kind of group"),
            GroupChange::OfGroup { option } => f.write_str(option),
            GroupChange::Added { process } => write!(f, "{process} added"),
            GroupChange::Removed { process } => write!(f, "{process} removed"),
            GroupChange::OfProcess { process, option, needs } => write!(f, "{process} {option} ({})", needs.word()),
        }
    }
}

/// Compares the active groups with those of a new configuration.
pub fn diff(active: &[Arc<Group>], new: &[Arc<Group>]) -> Difference {
    let by_name = |groups: &[Arc<Group>]| -> HashMap<String, Arc<Group>> {
        groups.iter().map(|group| (group.name.clone(), group.clone())).collect()
    };
    let (old, fresh) = (by_name(active), by_name(new));
    let mut difference = Difference::default();
    for group in new {
        let Some(known) = old.get(&group.name) else {
            difference.added.push(group.name.clone());
            continue;
        };
        let changes = changes(known, group);
        if !changes.is_empty() {
            difference.changed.push(ChangedGroup { name: group.name.clone(), changes });
        }
    }
    let gone = active.iter().filter(|group| !fresh.contains_key(&group.name));
    difference.removed = gone.map(|group| group.name.clone()).collect();
    difference
}

/// In what two definitions differ. Where they were written does not matter.
fn changes(a: &Group, b: &Group) -> Vec<GroupChange> {
    let mut changes = Vec::new();
    if a.priority != b.priority {
        changes.push(GroupChange::OfGroup { option: "priority" });
    }
    match (&a.kind, &b.kind) {
        (GroupKind::Listeners(a), GroupKind::Listeners(b)) => changes.extend(changes_of_pool(a, b)),
        (a, b) if discriminant(a) == discriminant(b) => {}
        _ => changes.push(GroupChange::Kind),
    }
    let by_name = |group: &Group| -> HashMap<String, Arc<Process>> {
        group.processes.iter().map(|process| (process.identity.name.clone(), process.clone())).collect()
    };
    let (old, fresh) = (by_name(a), by_name(b));
    for process in &b.processes {
        let name = &process.identity.name;
        match old.get(name) {
            Some(known) => changes.extend(changes_of_process(known, process)),
            None => changes.push(GroupChange::Added { process: name.clone() }),
        }
    }
    let removed = a.processes.iter().map(|process| &process.identity.name).filter(|name| !fresh.contains_key(*name));
    changes.extend(removed.map(|process| GroupChange::Removed { process: process.clone() }));
    // The same processes in another order.
    let names = |group: &'_ Group| -> Vec<String> {
        group.processes.iter().map(|process| process.identity.name.clone()).collect()
    };
    if changes.is_empty() && names(a) != names(b) {
        changes.push(GroupChange::OfGroup { option: "programs" });
    }
    changes
}

fn changes_of_pool(a: &ListenerPool, b: &ListenerPool) -> impl Iterator<Item = GroupChange> {
    let set = |events: &[String]| events.iter().cloned().collect::<BTreeSet<_>>();
    let differs = [
        ("events", set(&a.events) != set(&b.events)),
        ("buffer_size", a.buffer_size != b.buffer_size),
        ("result_handler", a.result_handler != b.result_handler),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(option, _)| GroupChange::OfGroup { option })
}

fn changes_of_process<'p>(a: &'p Process, b: &'p Process) -> impl Iterator<Item = GroupChange> + 'p {
    let differing = options_of_processes().filter(|(_, field)| !is_same(&field.get(a), &field.get(b)));
    differing.map(|(row, _)| GroupChange::OfProcess {
        process: b.identity.name.clone(),
        option: row.name,
        needs: row.needs,
    })
}

/// Whether two values of an option mean the same.
pub(crate) fn is_same(a: &ConfigValue<'_>, b: &ConfigValue<'_>) -> bool {
    match (a, b) {
        (ConfigValue::User(a), ConfigValue::User(b)) => a.uid == b.uid,
        (ConfigValue::Pairs(a), ConfigValue::Pairs(b)) => {
            let map = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
            map(a) == map(b)
        }
        // An automatic file counts as equal to anything that was set before, as in the original, but not the reverse.
        (ConfigValue::LogFile(a), ConfigValue::LogFile(b)) => a == b || **b == LogFile::Auto,
        // A socket is known by its URL alone: the original notices no change of owner, mode or backlog.
        (ConfigValue::Socket(a), ConfigValue::Socket(b)) => a.url == b.url,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::schema::SectionKind;
    use crate::{CommandLineFlags, load};

    fn groups(text: &str) -> Vec<Arc<Group>> {
        let host = FakeHost::new().file("/conf/c.conf", format!("[supervisord]\n{text}"));
        load("c.conf", &CommandLineFlags::default(), &host).unwrap().groups
    }

    #[test]
    fn the_line_of_a_group_shows_so_many_changes() {
        let line = |count: usize| {
            let changes = (0..count).map(|number| GroupChange::Added { process: format!("p{number}") }).collect();
            ChangedGroup { name: "g".to_owned(), changes }.to_string()
        };
        assert_eq!(line(2), "the definition of g differs: p0 added, p1 added");
        assert!(line(MOST_SHOWN).ends_with(", p49 added"), "{}", line(MOST_SHOWN));
        assert!(line(10_000).ends_with(", p49 added and 9950 more"), "{}", line(10_000));
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
        let difference = diff(&old, &new);
        assert_eq!((difference.added, difference.removed), (list(&["x", "y"]), list(&["c", "d"])));
        assert_eq!(difference.changed.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(diff(&new, &new), Difference::default());
    }

    /// Another value than the default of each option of 4.3.0; all others have one in their row.
    const OTHERS: [&str; 33] = [
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
        "type=oneshot",
    ];

    fn changes(old: &str, new: &str) -> Vec<GroupChange> {
        diff(&groups(old), &groups(new)).changed.into_iter().flat_map(|group| group.changes).collect()
    }

    #[test]
    fn every_option_of_a_program_counts_and_is_named() {
        let base = "[template:thetemplatename]\nstartsecs=9\n[program:db]\ncommand=c\n[program:migrate]\ncommand=c\n\
                    [program:p]\ncommand=c\nprocess_name=p%(process_num)s\n";
        for row in SectionKind::Program.options() {
            let other = OTHERS.into_iter().find(|other| other.split('=').next() == Some(row.name)).map(str::to_owned);
            let other = other.or_else(|| row.example.map(|example| format!("{}={example}", row.name)));
            let other = other.unwrap_or_else(|| panic!("{} needs an example other than its default", row.name));
            let companion = row.only_with.first().and_then(|option| SectionKind::Program.option(option));
            let companion = companion.map(|row| format!("{}={}\n", row.name, row.shown())).unwrap_or_default();
            let changes = changes(&format!("{base}{companion}"), &format!("{base}{companion}{other}\n"));
            let named = GroupChange::OfProcess { process: "p0".to_owned(), option: row.name, needs: row.needs };
            match row.of_process() {
                Some(_) => assert!(changes.contains(&named), "{other}: {changes:?}"),
                None => assert!(!changes.is_empty(), "{other}"),
            }
        }
    }

    #[test]
    fn processes_that_come_and_go_are_named() {
        let program = |lines: &str| format!("[program:p]\ncommand=c\nprocess_name=p%(process_num)s\n{lines}\n");
        let (two, others) = (program("numprocs=2"), program("numprocs=2\nnumprocs_start=1\nstartsecs=9"));
        let named = |process: &str| process.to_owned();
        let expected = [
            GroupChange::OfProcess { process: named("p1"), option: "startsecs", needs: Needs::Live },
            GroupChange::Added { process: named("p2") },
            GroupChange::Removed { process: named("p0") },
        ];
        assert_eq!(changes(&two, &others), expected);
    }

    #[test]
    fn the_order_of_the_programs_of_a_group_counts() {
        let group = |programs: &str| {
            format!("[program:a]\ncommand=c\n[program:b]\ncommand=c\n[group:g]\nprograms={programs}\n")
        };
        assert_eq!(changes(&group("a,b"), &group("b,a")), [GroupChange::OfGroup { option: "programs" }]);
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
