//! Taking over the children of a daemon that was killed: by what its keeper holds, by what its state says, and by what the
//! system confirms.
//!
//! Nobody is taken for a child who is not. A handle that the keeper holds is on the child and on nobody else; without one
//! the boot, the process id and the moment of its start must agree. What cannot be confirmed has ended.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use supervisord_config::model::{Config, Group, GroupKind, Process, SocketAddress};
use supervisord_core::output::Channel;
use supervisord_core::supervisor::snapshot::{GroupSnapshot, MemberSnapshot, Snapshot};
use supervisord_sys::limits::{self, Limit};
use supervisord_sys::process_handle::{ProcessHandle, has_ended};
use supervisord_sys::socket::{self, ListenAddress};
use supervisord_sys::{Pid, pipe, proc_fd, proc_stat, sink, start_time, user};

use crate::control::Legacy;
use crate::hand_over::{HandOver, HandedChannel, HandedChild, HandedSocket};
use crate::keeper::{self, Inheritance, Keeper, Name, Owner, Role};
use crate::output::{RunId, TransitFiles};
use crate::state::births::{Birth, Births};
use crate::state::{self, MemoryFile, Run, State, Unreadable, Writer};

/// What an earlier daemon left, for a daemon that starts.
pub enum Found {
    /// Nothing; and what cannot be used, in words.
    Nothing(Vec<String>),
    /// The earlier daemon still lives: one of the release before, which had no lock, or one that could not have it.
    Alive(u32),
    /// An earlier daemon was killed.
    Remains(Remains),
    /// There is a state that cannot be used, for this reason.
    Unusable(String),
    /// The state is of this boot and of another version: its programs may live, and only a program of that version can take
    /// them over.
    OtherVersion(u32),
}

/// What an earlier daemon left.
pub struct Remains {
    /// What is to be taken over.
    pub handed: Box<HandOver<OwnedFd>>,
    /// Its keeper, where that lives.
    pub keeper: Option<Keeper>,
    /// What was on its way to a log.
    pub transit: Option<TransitFiles>,
    /// Whether everything is to begin anew, because the daemon was stopping everything when it was killed.
    pub is_ending: bool,
    /// What could not be taken over although it is there, in words.
    pub losses: Vec<String>,
}

impl Remains {
    /// How many children still live.
    pub fn survivors(&self) -> usize {
        let lives = |child: &&HandedChild<OwnedFd>| match &child.handle {
            Some(handle) => !has_ended(handle.as_fd()),
            // One that is known by its number; without one it has ended.
            None => child.pid != 0,
        };
        self.handed.children.iter().filter(lives).count()
    }
}

/// Looks for what an earlier daemon left. `config` is the present configuration.
pub fn look(legacy: &Legacy, config: &Config, start_dir: &str) -> Found {
    let mut losses = Vec::new();
    let inheritance = keeper::connect(&legacy.socket).unwrap_or_else(|error| {
        let path = legacy.socket.display();
        losses.push(format!("cannot use the keeper at {path}, only the state file: {error}"));
        None
    });
    let (mut keeper, mut kept) = match inheritance {
        Some(Inheritance { keeper, kept }) => (Some(keeper), Kept::new(kept)),
        None => (None, Kept::default()),
    };
    let of_keeper = kept.take_state();
    let of_file = read(&legacy.state_file);
    let is_of_keeper = match (&of_keeper, &of_file) {
        (Some(kept), Ok(file)) => !file.is_later_than(kept),
        (kept, _) => kept.is_some(),
    };
    let text = match of_keeper.filter(|_| is_of_keeper).map_or_else(|| of_file.map(|file| file.text), Ok) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Nothing(losses),
        Err(error) => return Found::Unusable(error.to_string()),
    };
    match state::read(&text) {
        // What a keeper holds is of this boot, whether or not the system tells which boot this is.
        Ok((writer, _)) if !is_of_keeper && !writer.is_of_this_boot() => Found::Nothing(losses),
        Ok((writer, _)) if is_alive(&writer) => Found::Alive(writer.pid),
        Ok((writer, state)) => {
            let is_ending = state.is_ending;
            // A daemon of the release before went on without it, and may have counted other runs by the same numbers. Until
            // their pipes have been opened by way of the children it keeps these from breaking.
            let is_outdated = !is_of_keeper && writer.version == 1;
            let outdated = is_outdated.then(|| (std::mem::take(&mut kept), keeper.take()));
            let gathered = gather(state, &mut kept, config, start_dir);
            losses.extend(gathered.losses);
            if let Some((_, Some(keeper))) = outdated {
                keeper.give_up();
            }
            let transit = kept.take_transit();
            let (unclaimed, bytes) = kept.unclaimed();
            if bytes > 0 {
                losses.push(format!("{bytes} bytes of output of programs that had ended before are lost"));
            }
            if let Some(keeper) = &mut keeper {
                unclaimed.into_iter().for_each(|owner| keeper.forget(owner));
            }
            Found::Remains(Remains { handed: Box::new(gathered.handed), keeper, transit, is_ending, losses })
        }
        Err(Unreadable::Version(writer)) if !is_of_keeper && !writer.is_of_this_boot() => Found::Nothing(losses),
        Err(Unreadable::Version(writer)) => Found::OtherVersion(writer.version),
        Err(Unreadable::NoState) => Found::Unusable("it does not begin as a state does".to_owned()),
    }
}

/// A state file.
struct Written {
    text: Vec<u8>,
    /// When something was written last, after the boot, in milliseconds.
    at: u64,
}

impl Written {
    /// Whether it is of this boot and was begun after what a keeper holds: a daemon that was killed may have written what its
    /// keeper had not taken yet. Version 1 does not say when it was begun.
    fn is_later_than(&self, kept: &[u8]) -> bool {
        let writer = state::writer(&self.text).filter(Writer::is_of_this_boot);
        writer.is_some_and(|writer| {
            Some(writer.begun.unwrap_or(self.at)) > state::writer(kept).and_then(|writer| writer.begun)
        })
    }
}

/// A state file that nobody else can have written. Neither is a link followed nor anything waited for.
fn read(path: &str) -> io::Result<Written> {
    let mut file = sink::open_unfollowed(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != user::effective_uid() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("it belongs to somebody else, others may write to it, or it is no file"));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let age = found.modified()?.elapsed().unwrap_or_default();
    Ok(Written { text, at: start_time::millis(start_time::boot_time().saturating_sub(age)) })
}

/// Whether a daemon that writes of itself lives.
fn is_alive(writer: &Writer) -> bool {
    let daemon = Run { pid: writer.pid, started: writer.started, exact: true, ..Run::default() };
    confirm(&daemon).is_some() && writer.pid != Pid::current().get()
}

/// The living process that is this one.
fn confirm(run: &Run) -> Option<Pid> {
    let pid = Pid::new(run.pid)?;
    let handle = ProcessHandle::open(pid).ok()?;
    proc_stat::facts(pid).filter(|facts| run.is(facts) && !handle.has_ended()).map(|_| pid)
}

/// What a keeper held.
#[derive(Default)]
struct Kept {
    descriptors: BTreeMap<Name, OwnedFd>,
    births: Option<Births>,
}

impl Kept {
    fn new(mut descriptors: BTreeMap<Name, OwnedFd>) -> Kept {
        let births = descriptors.remove(&Name { owner: Owner::Daemon, role: Role::Births });
        let births = births.and_then(|births| Births::open(births).ok());
        Kept { descriptors, births }
    }

    fn take_state(&mut self) -> Option<Vec<u8>> {
        let memory = self.take(Owner::Daemon, Role::State)?;
        MemoryFile::read(memory).ok()
    }

    fn take_transit(&mut self) -> Option<TransitFiles> {
        let mut take = |role| self.take(Owner::Daemon, role);
        let memory = take(Role::Transit)?;
        Some(TransitFiles { memory, reader: take(Role::TransitPipe)?, writer: take(Role::TransitEntry)? })
    }

    /// Those of whom the state does not tell, because a later run has taken their place, and how much of their output nobody
    /// has read.
    fn unclaimed(&self) -> (BTreeSet<Owner>, usize) {
        let is_output = |role| matches!(role, Role::Stdout | Role::Stderr);
        let outputs = self.descriptors.iter().filter(|(name, _)| is_output(name.role));
        let bytes = outputs.filter_map(|(_, output)| pipe::waiting(output.as_fd()).ok()).sum();
        let owners = self.descriptors.keys().map(|name| name.owner).filter(|owner| *owner != Owner::Daemon);
        (owners.collect(), bytes)
    }

    /// The number that no run of the daemon before had.
    fn next_run(&self) -> u64 {
        let runs = self.descriptors.keys().filter_map(|name| match name.owner {
            Owner::Run(run) => Some(run + 1),
            Owner::Daemon | Owner::Socket(_) => None,
        });
        runs.max().unwrap_or(0)
    }

    fn take(&mut self, owner: Owner, role: Role) -> Option<OwnedFd> {
        self.descriptors.remove(&Name { owner, role })
    }

    fn has(&self, owner: Owner, role: Role) -> bool {
        self.descriptors.contains_key(&Name { owner, role })
    }

    /// The child of a run that was being made when the daemon was killed.
    fn birth(&self, run: RunId) -> Option<Birth> {
        self.births.as_ref()?.find(run)
    }
}

struct Gathered {
    handed: HandOver<OwnedFd>,
    losses: Vec<String>,
}

fn gather(state: State, kept: &mut Kept, config: &Config, start_dir: &str) -> Gathered {
    let mut groups = Vec::new();
    let mut children: Vec<HandedChild<OwnedFd>> = Vec::new();
    let (mut sockets, mut losses) = (Vec::new(), Vec::new());
    let mut next_run = kept.next_run();
    make_room(state.children());
    for definition in state.groups.clone() {
        let mut members = Vec::new();
        let before = children.len();
        for process in &definition.processes {
            let Some((member, run)) = state.member(&definition.name, &process.identity.name) else { continue };
            if let Some(run) = run {
                next_run = next_run.max(run.run + 1);
                children.extend(find_child(&definition, process, member, run, kept));
            }
            members.push(member.clone());
        }
        losses.extend(lost_events(&definition.name, state.waiting(&definition.name)));
        let own = &children[before..];
        match find_socket(&definition, &state, kept, own) {
            Ok(socket) => sockets.extend(socket),
            Err(loss) => losses.push(loss),
        }
        losses.extend(own.iter().filter(|child| child.is_cut_off).map(cut_off));
        groups.push(GroupSnapshot { definition, pool: None, members });
    }
    let snapshot =
        Snapshot { config: Arc::new(config.clone()), groups, next_serial: 0, ticks: None, retiring: Vec::new() };
    let handed = HandOver {
        snapshot,
        children,
        servers: Vec::new(),
        sockets,
        next_run,
        start_dir: start_dir.to_owned(),
        keeper: None,
        transit: None,
        lock: None,
    };
    Gathered { handed, losses }
}

/// A child that is taken over needs one descriptor more than one of our own: the handle by which it is known. The limit
/// is raised by that many, as far as the system allows, because a child that cannot be watched is taken for dead.
fn make_room(children: usize) {
    let Ok((soft, hard)) = limits::get(Limit::OpenFiles) else { return };
    let wanted = soft.saturating_add(children as u64);
    let _ = limits::ensure(Limit::OpenFiles, wanted).or_else(|_| limits::ensure(Limit::OpenFiles, hard.min(wanted)));
}

/// The child, if it still lives, or if the keeper knows it: then what it wrote last is still to be read, and the system may
/// tell how it ended.
fn find_child(
    group: &Group,
    process: &Process,
    member: &MemberSnapshot,
    run: &Run,
    kept: &mut Kept,
) -> Option<HandedChild<OwnedFd>> {
    let owner = Owner::Run(run.run);
    let handle = kept.take(owner, Role::Handle);
    let identified = identify(run, handle.is_some(), kept);
    // One that began and ended before the keeper had a handle on it is nobody any more, but may have said something.
    let has_ended = identified.is_none();
    if has_ended && !kept.has(owner, Role::Stdout) {
        return None;
    }
    let known = identified.unwrap_or_else(|| Run { pid: 0, ..run.clone() });
    let pid = Pid::new(known.pid);
    let mut open = |role: Role, inode: Option<u64>| {
        // One of version 1 has its pipes open both ways.
        let again = || inode.and_then(|inode| proc_fd::open_pipe(pid?, inode, role == Role::Stdin));
        kept.take(owner, role).or_else(again)
    };
    let (stdin, stdout, stderr) =
        (open(Role::Stdin, run.stdin), open(Role::Stdout, run.stdout), open(Role::Stderr, run.stderr));
    let lacks_pipe = stdout.is_none()
        || (stdin.is_none() && process.spawn.socket.is_none())
        || (stderr.is_none() && !process.logging.redirect_stderr);
    let is_cut_off = lacks_pipe && !has_ended;
    let is_listener = matches!(group.kind, GroupKind::Listeners(_));
    let (listener, stdout) = if is_listener { (stdout, None) } else { (None, stdout) };
    let mut streams = vec![HandedChannel { channel: Channel::Stdout, pipe: stdout, pipeline: None }];
    if !process.logging.redirect_stderr {
        streams.push(HandedChannel { channel: Channel::Stderr, pipe: stderr, pipeline: None });
    }
    Some(HandedChild {
        run: RunId(run.run),
        group: group.name.clone(),
        process: member.name.clone(),
        pid: known.pid,
        kept: known,
        orphan: true,
        handle,
        is_cut_off,
        stdin,
        waiting: Vec::new(),
        listener,
        streams,
    })
}

/// Who the child of a run is: whoever the keeper has a handle on, or whoever the system confirms.
fn identify(run: &Run, has_handle: bool, kept: &Kept) -> Option<Run> {
    if run.pid == 0 {
        let known = match (kept.birth(RunId(run.run)), run.stdout) {
            (Some(birth), _) => Run { pid: birth.pid, started: birth.after, exact: false, ..run.clone() },
            (None, Some(stdout)) => run.clone().of(proc_fd::find_leader(stdout)?.get()),
            (None, None) => return None,
        };
        return has_handle.then(|| known.clone()).or_else(|| confirm(&known).map(|pid| known.of(pid.get())));
    }
    (has_handle || confirm(run).is_some()).then(|| run.clone())
}

fn cut_off(child: &HandedChild<OwnedFd>) -> String {
    format!(
        "'{}' (pid {}) has lost its pipes with the daemon that was killed and its keeper; it is stopped and started again",
        child.process, child.pid
    )
}

fn lost_events(pool: &str, count: usize) -> Option<String> {
    (count > 0).then(|| format!("at least {count} events that waited for the listeners of '{pool}' are lost"))
}

/// The FastCGI socket of a group. One of version 1 is taken from its youngest child that still has it: a new one would be
/// where no older child listens.
fn find_socket(
    group: &Group,
    state: &State,
    kept: &mut Kept,
    children: &[HandedChild<OwnedFd>],
) -> Result<Option<HandedSocket<OwnedFd>>, String> {
    let Some(wanted) = group.processes.iter().find_map(|process| process.spawn.socket.as_ref()) else {
        return Ok(None);
    };
    let noted = state.sockets.iter().find(|socket| socket.group == group.name && socket.url == wanted.url);
    if let Some(number) = noted.map(|socket| socket.number)
        && let Some(socket) = kept.take(Owner::Socket(number), Role::Listener)
    {
        let (group, url) = (group.name.clone(), wanted.url.clone());
        return Ok(Some(HandedSocket { group, url, socket, number: Some(number) }));
    }
    let mut holders: Vec<_> =
        children.iter().filter_map(|child| Some((child.run, child, child.kept.socket?))).collect();
    holders.sort_by_key(|(run, ..)| Reverse(*run));
    let mut refusal = None;
    for (_, child, inode) in holders {
        let Some(pid) = Pid::new(child.pid) else { continue };
        match proc_fd::copy_socket(pid, inode) {
            Ok(socket) if is_at(&socket, &wanted.address) => {
                let (group, url) = (group.name.clone(), wanted.url.clone());
                return Ok(Some(HandedSocket { group, url, socket, number: None }));
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
    match (socket::listen_address(socket), address) {
        (Some(ListenAddress::Unix(found)), SocketAddress::Unix { path, .. }) => found == Path::new(path),
        (Some(ListenAddress::Tcp(found)), SocketAddress::Tcp { port, .. }) => found == *port,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
