//! Taking over the children of a daemon that was killed, by what its state file says and what the system confirms.
//!
//! Nobody is taken for a child who is not: the boot, the process id and the moment of its start must agree. What
//! cannot be confirmed has ended.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use supervisord_config::model::{Config, Group, GroupKind, SocketAddress};
use supervisord_core::output::Channel;
use supervisord_core::supervisor::snapshot::{GroupSnapshot, MemberSnapshot, Snapshot};
use supervisord_sys::limits::{self, Limit};
use supervisord_sys::socket::{self, Place};
use supervisord_sys::{Pid, orphan, sink, user};

use crate::hand_over::{HandOver, HandedChannel, HandedChild, HandedSocket};
use crate::journal::{self, KeptRun, Record};
use crate::output::RunId;
use crate::state_version;

/// What a state file means to a daemon that starts.
pub enum Found {
    /// Nothing is left of an earlier daemon.
    Nothing,
    /// The earlier daemon still lives.
    Alive(u32),
    /// An earlier daemon was killed.
    Remains(Remains),
    /// There is a state file that cannot be used, for this reason.
    Unusable(String),
    /// The state file is of this boot and of another version: its programs may live, and only a program of that version
    /// can take them over.
    OtherVersion(u32),
}

/// What an earlier daemon left.
pub struct Remains {
    /// What is to be taken over.
    pub handed: Box<HandOver<OwnedFd>>,
    /// What could not be taken over although it is there, in words.
    pub losses: Vec<String>,
}

/// Looks for the remains of an earlier daemon. `config` is the present configuration.
pub fn look(path: &str, config: &Config, start_dir: &str) -> Found {
    let text = match read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return Found::Unusable(error.to_string()),
    };
    let mut lines = text.lines();
    let first = lines.next().map(serde_json::from_str::<Record>);
    match first {
        Some(Ok(Record::Daemon { boot, first, .. })) if !is_this_boot(&boot, first) => Found::Nothing,
        Some(Ok(Record::Daemon { pid, started, .. })) if is_alive(pid, started) => Found::Alive(pid),
        Some(Ok(Record::Daemon { version, .. })) if version != state_version::ours() => Found::OtherVersion(version),
        Some(Ok(Record::Daemon { .. })) => {
            // The last line may be half written; so may nothing else.
            let records = lines.map_while(|line| serde_json::from_str::<Record>(line).ok());
            Found::Remains(gather(records, config, start_dir))
        }
        _ => Found::Unusable("it does not begin as a state file does".to_owned()),
    }
}

/// The text of a state file that nobody else can have written. Neither is a link followed nor anything waited for.
fn read(path: &str) -> io::Result<String> {
    let mut file = sink::open_unfollowed(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != user::effective_uid() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("it belongs to somebody else, others may write to it, or it is no file"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Whether this is the state file of a daemon that was killed in this boot.
pub fn is_of_a_killed_daemon(path: &str) -> bool {
    let text = read(path).unwrap_or_default();
    let first = text.lines().next().map(serde_json::from_str::<Record>);
    matches!(first, Some(Ok(Record::Daemon { boot, first, pid, started, .. }))
        if is_this_boot(&boot, first) && !is_alive(pid, started))
}

/// Whether numbers of processes and moments of their starts mean now what they meant to the writer.
fn is_this_boot(boot: &str, first: Option<u64>) -> bool {
    orphan::boot_id().as_deref() == Some(boot) && (first.is_none() || first == journal::first_process())
}

/// Whether the daemon that writes of itself lives.
fn is_alive(pid: u32, started: u64) -> bool {
    let writer = KeptRun { pid, started, exact: true, ..KeptRun::default() };
    confirm(&writer).is_some_and(|pid| pid != Pid::current())
}

/// The living process that is this one.
fn confirm(run: &KeptRun) -> Option<Pid> {
    let pid = Pid::new(run.pid)?;
    orphan::facts(pid).filter(|facts| !facts.is_zombie && run.is(facts)).map(|_| pid)
}

#[derive(Default)]
struct Gathered {
    order: Vec<Arc<Group>>,
    members: HashMap<(String, String), (MemberSnapshot, Option<KeptRun>)>,
    /// How many events waited for the listeners of a group.
    waiting: HashMap<String, usize>,
}

fn gather(records: impl Iterator<Item = Record>, config: &Config, start_dir: &str) -> Remains {
    let mut gathered = Gathered::default();
    for record in records {
        match record {
            Record::Daemon { .. } => {}
            Record::Group(group) => {
                gathered.forget(&group.name);
                gathered.order.push(group);
            }
            Record::Removed(name) => gathered.forget(&name),
            Record::Member { group, member, run, waiting } => {
                gathered.waiting.insert(group.clone(), waiting);
                gathered.members.insert((group, member.name.clone()), (*member, run));
            }
        }
    }
    let children = gathered.members.values().filter(|(_, run)| run.is_some()).count();
    make_room(children);
    gathered.into_remains(config, start_dir)
}

/// A child that is taken over needs one descriptor more than one of our own: the handle by which it is known. The limit
/// is raised by that many, as far as the system allows, because a child that cannot be watched is taken for dead.
fn make_room(children: usize) {
    let Ok((soft, hard)) = limits::get(Limit::OpenFiles) else { return };
    let wanted = soft.saturating_add(children as u64);
    let _ = limits::ensure(Limit::OpenFiles, wanted).or_else(|_| limits::ensure(Limit::OpenFiles, hard.min(wanted)));
}

impl Gathered {
    fn forget(&mut self, group: &str) {
        self.order.retain(|known| known.name != group);
        self.members.retain(|(known, _), _| known != group);
    }

    fn into_remains(mut self, config: &Config, start_dir: &str) -> Remains {
        let mut groups = Vec::new();
        let mut children = Vec::new();
        let (mut sockets, mut losses) = (Vec::new(), Vec::new());
        let mut next_run = 0;
        for definition in self.order {
            let mut members = Vec::new();
            let before = children.len();
            for process in &definition.processes {
                let key = (definition.name.clone(), process.name.clone());
                let Some((member, run)) = self.members.remove(&key) else { continue };
                if let Some(run) = run {
                    next_run = next_run.max(run.run + 1);
                    children.extend(find_child(&definition, &member, &run));
                }
                members.push(member);
            }
            losses.extend(lost_events(&definition.name, self.waiting.get(&definition.name).copied().unwrap_or(0)));
            match find_socket(&definition, &children[before..]) {
                Ok(socket) => sockets.extend(socket),
                Err(loss) => losses.push(loss),
            }
            groups.push(GroupSnapshot { definition, pool: None, members });
        }
        let snapshot = Snapshot {
            version: state_version::ours(),
            config: Arc::new(config.clone()),
            groups,
            next_serial: 0,
            ticks: None,
            retiring: Vec::new(),
        };
        let servers = Vec::new();
        let handed = HandOver { snapshot, children, servers, sockets, next_run, start_dir: start_dir.to_owned() };
        Remains { handed: Box::new(handed), losses }
    }
}

/// The child, if it still lives.
fn find_child(group: &Group, member: &MemberSnapshot, run: &KeptRun) -> Option<HandedChild<OwnedFd>> {
    let (pid, kept) = match run.pid {
        0 => {
            let pid = orphan::find_leader(run.stdout?)?;
            (pid, run.clone().of(pid.get()))
        }
        _ => (confirm(run)?, run.clone()),
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
        kept,
        orphan: true,
        stdin: run.stdin.and_then(|inode| orphan::open_pipe(pid, inode, true)),
        waiting: Vec::new(),
        listener,
        streams,
    })
}

fn lost_events(pool: &str, count: usize) -> Option<String> {
    (count > 0).then(|| format!("at least {count} events that waited for the listeners of '{pool}' are lost"))
}

/// The FastCGI socket of a group, from its youngest child that still has it: a new one would be where no older child
/// listens.
fn find_socket(group: &Group, children: &[HandedChild<OwnedFd>]) -> Result<Option<HandedSocket<OwnedFd>>, String> {
    let Some(wanted) = group.processes.iter().find_map(|process| process.socket.as_ref()) else { return Ok(None) };
    let mut holders: Vec<_> =
        children.iter().filter_map(|child| Some((child.run, child, child.kept.socket?))).collect();
    holders.sort_by_key(|(run, ..)| Reverse(*run));
    let mut refusal = None;
    for (_, child, inode) in holders {
        let Some(pid) = Pid::new(child.pid) else { continue };
        match orphan::copy_socket(pid, inode) {
            Ok(socket) if is_at(&socket, &wanted.address) => {
                return Ok(Some(HandedSocket { group: group.name.clone(), url: wanted.url.clone(), socket }));
            }
            Ok(_) => refusal = Some((child, "it listens somewhere else".to_owned())),
            Err(error) => refusal = Some((child, error.to_string())),
        }
    }
    match refusal {
        None => Ok(None),
        Some((child, reason)) => Err(format!(
            "FastCGI socket {} could not be taken back from '{}' (pid {}): {reason}; the next process that is started \
             gets a new one",
            wanted.url, child.process, child.pid
        )),
    }
}

fn is_at(socket: &OwnedFd, address: &SocketAddress) -> bool {
    match (socket::place(socket), address) {
        (Some(Place::Unix(found)), SocketAddress::Unix { path, .. }) => found == Path::new(path),
        (Some(Place::Tcp(found)), SocketAddress::Tcp { port, .. }) => found == *port,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
