//! Taking over the children of a daemon that was killed, by what its state file says and what the system confirms.
//!
//! Nobody is taken for a child who is not: the boot, the process id and the moment of its start must agree. What
//! cannot be confirmed has ended.

use std::collections::HashMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{Config, Group, GroupKind};
use supervisord_core::output::Channel;
use supervisord_core::supervisor::snapshot::{self, GroupSnapshot, MemberSnapshot, Snapshot};
use supervisord_sys::{Pid, orphan, user};

use crate::hand_over::{HandOver, HandedChannel, HandedChild};
use crate::journal::{KeptRun, Record};
use crate::output::RunId;

/// What a state file means to a daemon that starts.
pub enum Found {
    /// Nothing is left of an earlier daemon.
    Nothing,
    /// The earlier daemon still lives.
    Alive(u32),
    /// An earlier daemon was killed.
    Remains(Box<HandOver<OwnedFd>>),
    /// There is a state file that cannot be used, for this reason.
    Unusable(String),
}

/// How far apart two ideas of the start of one process may be.
const START_TOLERANCE: Duration = Duration::from_millis(500);

/// Looks for the remains of an earlier daemon. `config` is the present configuration.
pub fn look(path: &str, config: &Config, start_dir: &str) -> Found {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return Found::Unusable(error.to_string()),
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.uid() == user::effective_uid() && metadata.mode() & 0o022 == 0 => {}
        _ => return Found::Unusable("it belongs to somebody else, or others may write to it".to_owned()),
    }
    let mut lines = text.lines();
    let first = lines.next().map(serde_json::from_str::<Record>);
    match first {
        Some(Ok(Record::Daemon { version, .. })) if version != snapshot::VERSION => {
            let ours = snapshot::VERSION;
            Found::Unusable(format!("it is of version {version}, this program understands version {ours}"))
        }
        Some(Ok(Record::Daemon { boot, .. })) if orphan::boot_id() != Some(boot.clone()) => Found::Nothing,
        Some(Ok(Record::Daemon { pid, started, .. })) if is_alive(pid, started) => Found::Alive(pid),
        Some(Ok(Record::Daemon { .. })) => {
            // The last line may be half written; so may nothing else.
            let records = lines.map_while(|line| serde_json::from_str::<Record>(line).ok());
            Found::Remains(Box::new(gather(records, config, start_dir)))
        }
        _ => Found::Unusable("it does not begin as a state file does".to_owned()),
    }
}

fn is_alive(pid: u32, started: u64) -> bool {
    Pid::new(pid).is_some_and(|pid| pid != Pid::current() && confirm(pid, started))
}

/// Whether this is the living process that was started then.
fn confirm(pid: Pid, started: u64) -> bool {
    let facts = orphan::facts(pid);
    facts.is_some_and(|facts| {
        !facts.is_zombie && facts.started.abs_diff(Duration::from_millis(started)) < START_TOLERANCE
    })
}

#[derive(Default)]
struct Gathered {
    order: Vec<Arc<Group>>,
    members: HashMap<(String, String), (MemberSnapshot, Option<KeptRun>)>,
}

fn gather(records: impl Iterator<Item = Record>, config: &Config, start_dir: &str) -> HandOver<OwnedFd> {
    let mut gathered = Gathered::default();
    for record in records {
        match record {
            Record::Daemon { .. } => {}
            Record::Group(group) => {
                gathered.forget(&group.name);
                gathered.order.push(group);
            }
            Record::Removed(name) => gathered.forget(&name),
            Record::Member { group, member, run } => {
                gathered.members.insert((group, member.name.clone()), (*member, run));
            }
        }
    }
    gathered.into_hand_over(config, start_dir)
}

impl Gathered {
    fn forget(&mut self, group: &str) {
        self.order.retain(|known| known.name != group);
        self.members.retain(|(known, _), _| known != group);
    }

    fn into_hand_over(mut self, config: &Config, start_dir: &str) -> HandOver<OwnedFd> {
        let mut groups = Vec::new();
        let mut children = Vec::new();
        let mut next_run = 0;
        for definition in self.order {
            let mut members = Vec::new();
            for process in &definition.processes {
                let key = (definition.name.clone(), process.name.clone());
                let Some((member, run)) = self.members.remove(&key) else { continue };
                if let Some(run) = run {
                    next_run = next_run.max(run.run + 1);
                    children.extend(find_child(&definition, &member, &run));
                }
                members.push(member);
            }
            groups.push(GroupSnapshot { definition, pool: None, members });
        }
        let snapshot = Snapshot {
            version: snapshot::VERSION,
            config: Arc::new(config.clone()),
            groups,
            next_serial: 0,
            ticks: None,
        };
        HandOver {
            snapshot,
            children,
            servers: Vec::new(),
            sockets: Vec::new(),
            next_run,
            start_dir: start_dir.to_owned(),
        }
    }
}

/// The child, if it still lives.
fn find_child(group: &Group, member: &MemberSnapshot, run: &KeptRun) -> Option<HandedChild<OwnedFd>> {
    let pid = match run.pid {
        0 => orphan::find_leader(run.stdout?)?,
        known => Pid::new(known).filter(|pid| confirm(*pid, run.started))?,
    };
    let started = match run.pid {
        0 => u64::try_from(orphan::facts(pid)?.started.as_millis()).ok()?,
        _ => run.started,
    };
    let is_listener = matches!(group.kind, GroupKind::Listeners(_));
    let open = |inode: Option<u64>| inode.and_then(|inode| orphan::open_pipe(pid, inode, false));
    let (stdout, stderr) = (open(run.stdout), open(run.stderr));
    let (listener, stdout) = if is_listener { (stdout, None) } else { (None, stdout) };
    let mut streams = vec![HandedChannel { channel: Channel::Stdout, pipe: stdout, pipeline: None }];
    if run.stderr.is_some() {
        streams.push(HandedChannel { channel: Channel::Stderr, pipe: stderr, pipeline: None });
    }
    Some(HandedChild {
        run: RunId(run.run),
        group: group.name.clone(),
        process: member.name.clone(),
        pid: pid.get(),
        kept: KeptRun { pid: pid.get(), started, ..run.clone() },
        orphan: true,
        stdin: run.stdin.and_then(|inode| orphan::open_pipe(pid, inode, true)),
        waiting: Vec::new(),
        listener,
        streams,
    })
}

#[cfg(test)]
mod tests;
