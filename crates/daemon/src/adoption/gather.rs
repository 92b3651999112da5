//! The supervisor and its children as they are to be taken over: what the state says, what the keeper held, and what the system
//! confirms, put together.

use std::cmp::Reverse;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use supervisord_config::model::{Config, Group, GroupKind, Process, SocketAddress};
use supervisord_core::output::Channel;
use supervisord_core::process::ProcessPhase;
use supervisord_core::supervisor::snapshot::{GroupSnapshot, MemberSnapshot, SupervisorSnapshot};
use supervisord_sys::limits::{self, Limit};
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::process_tree::{self, TreeMark};
use supervisord_sys::signal::SIGKILL;
use supervisord_sys::socket::{self, ListenAddress};
use supervisord_sys::{Pid, proc_fd, proc_stat};

use super::keeper_table::KeeperTable;
use crate::hand_over::{HandOver, HandedChannel, HandedChild, HandedCommand, HandedSocket};
use crate::keeper::{Owner, Role};
use crate::output::RunId;
use crate::state::command::CommandRecord;
use crate::state::{CommandRun, Member, Run, State};

/// Puts it together. Gives what could not be taken over although it is there, too, in words.
pub fn gather(
    state: State,
    table: &mut KeeperTable,
    config: &Config,
    start_dir: &str,
) -> (HandOver<OwnedFd>, Vec<String>) {
    let mut groups = Vec::new();
    let mut children: Vec<HandedChild<OwnedFd>> = Vec::new();
    let mut commands = Vec::new();
    let (mut sockets, mut losses) = (Vec::new(), Vec::new());
    let mut next_run = table.next_run();
    // A child that is taken over needs one descriptor more than one of our own: the handle by which it is known. One that cannot
    // be watched is taken for dead.
    limits::raise_by(Limit::OpenFiles, state.children() as u64);
    for definition in state.groups.clone() {
        let mut members = Vec::new();
        let before = children.len();
        for process in &definition.processes {
            let Some(member) = state.member(&definition.name, &process.identity.name) else { continue };
            if let Some(run) = &member.run {
                next_run = next_run.max(run.run + 1);
                let child = find_child(&definition, process, member, run, table);
                losses.extend(child.as_ref().and_then(|child| why_replaced(child, member.is_understood)));
                losses.extend(if child.is_none() { end_descendants(member, run) } else { None });
                children.extend(child);
            }
            let mut snapshot = member.snapshot.clone();
            for run in &member.commands {
                next_run = next_run.max(run.run.run + 1);
                commands.extend(find_command(&definition, &mut snapshot, run, table));
            }
            members.push(snapshot);
        }
        losses.extend(lost_events(&definition.name, state.waiting(&definition.name)));
        let own = &children[before..];
        match find_socket(&definition, &state, table, own) {
            Ok(socket) => sockets.extend(socket),
            Err(loss) => losses.push(loss),
        }
        groups.push(GroupSnapshot { definition, pool: None, members });
    }
    let snapshot = SupervisorSnapshot {
        config: Arc::new(Config { scales: state.scales.clone(), ..config.clone() }),
        groups,
        next_serial: 0,
        ticks: None,
        retiring: Vec::new(),
        // They are in a file of their own.
        disabled: None,
        // They were children of that daemon, and this one counts its own.
        reaped_orphans: 0,
    };
    let handed = HandOver {
        snapshot,
        children,
        commands,
        servers: Vec::new(),
        sockets,
        next_run,
        notifications: table.take(Owner::Daemon, Role::Notifications),
        start_dir: start_dir.to_owned(),
        keeper: None,
        transit: None,
        output_memory: None,
        history: None,
        lock: None,
        stored: Vec::new(),
    };
    (handed, losses)
}

/// The child, if it still lives, or if the keeper knows it: then what it wrote last is still to be read, and the system may
/// tell how it ended.
fn find_child(
    group: &Group,
    process: &Process,
    member: &Member,
    run: &Run,
    table: &mut KeeperTable,
) -> Option<HandedChild<OwnedFd>> {
    let owner = Owner::Run(run.run);
    let handle = table.take(owner, Role::Handle);
    let identified = identify(run, handle.is_some(), table);
    // One that began and ended before the keeper had a handle on it is nobody any more, but may have said something.
    let has_ended = identified.is_none();
    if has_ended && !table.has(owner, Role::Stdout) {
        return None;
    }
    let known = identified.unwrap_or_else(|| Run { pid: 0, ..run.clone() });
    let pid = Pid::new(known.pid);
    let mut open = |role: Role, inode: Option<u64>| {
        // One of version 1 has its pipes open both ways.
        let again = || inode.and_then(|inode| proc_fd::open_pipe(pid?, inode, role == Role::Stdin));
        table.take(owner, role).or_else(again)
    };
    let (stdin, stdout, stderr) =
        (open(Role::Stdin, run.stdin), open(Role::Stdout, run.stdout), open(Role::Stderr, run.stderr));
    let ready = table.take(Owner::Readiness(run.run), Role::Ready);
    let lacks_pipe = stdout.is_none()
        || (stdin.is_none() && process.spawn.socket.is_none())
        || (stderr.is_none() && !process.logging.redirect_stderr);
    let is_replaced = !has_ended && (lacks_pipe || !member.is_understood);
    let is_listener = matches!(group.kind, GroupKind::Listeners(_));
    let (listener, stdout) = if is_listener { (stdout, None) } else { (None, stdout) };
    let mut streams = vec![HandedChannel { channel: Channel::Stdout, pipe: stdout, pipeline: None, end: Vec::new() }];
    if !process.logging.redirect_stderr {
        streams.push(HandedChannel { channel: Channel::Stderr, pipe: stderr, pipeline: None, end: Vec::new() });
    }
    Some(HandedChild {
        run: RunId(run.run),
        group: group.name.clone(),
        process: member.snapshot.name.clone(),
        pid: known.pid,
        kept: known,
        orphan: true,
        handle,
        is_replaced,
        stdin,
        waiting: Vec::new(),
        listener,
        ready,
        streams,
    })
}

/// Kills what a program had started that has ended in the middle of a stop, where nobody knows what was left to be done. Gives
/// what was done, in words, where somebody was left.
fn end_descendants(member: &Member, run: &Run) -> Option<String> {
    if member.snapshot.machine.phase() != ProcessPhase::Stopping {
        return None;
    }
    let mark = TreeMark::from_number(run.tree?)?;
    process_tree::send(SIGKILL, mark, None).ok()?;
    Some(format!("descendants of '{}' had outlived it in a stop; they have been killed", member.snapshot.name))
}

/// A command of a process, if it still lives, or if the keeper knows it: then what it wrote last is still to be read.
fn find_command(
    group: &Group,
    member: &mut MemberSnapshot,
    command: &CommandRun,
    table: &mut KeeperTable,
) -> Option<HandedCommand<OwnedFd>> {
    let run = &command.run;
    let owner = Owner::Run(run.run);
    let handle = table.take(owner, Role::Handle);
    let identified = identify(run, handle.is_some(), table);
    if identified.is_some() || table.spawned_pid(RunId(run.run)).is_some() {
        let known = member.commands.iter_mut().find(|known| known.command == command.command);
        known.into_iter().for_each(|known| known.is_made = true);
    }
    if identified.is_none() && !table.has(owner, Role::Stdout) {
        return None;
    }
    let known = identified.unwrap_or_else(|| Run { pid: 0, ..run.clone() });
    let mut stream = |channel, role| {
        let pipe = table.take(owner, role);
        pipe.map(|pipe| HandedChannel { channel, pipe: Some(pipe), pipeline: None, end: Vec::new() })
    };
    let stdout = stream(Channel::Stdout, Role::Stdout);
    let streams = stdout.into_iter().chain(stream(Channel::Stderr, Role::Stderr)).collect();
    let child = HandedChild {
        run: RunId(run.run),
        group: group.name.clone(),
        process: member.name.clone(),
        pid: known.pid,
        kept: known,
        orphan: true,
        handle,
        is_replaced: false,
        stdin: None,
        waiting: Vec::new(),
        listener: None,
        ready: None,
        streams,
    };
    let CommandRecord { command, kill_at, timeout, .. } = CommandRecord::from(command);
    Some(HandedCommand { child, command, kill_at, timeout })
}

/// Who the child of a run is: whoever the keeper has a handle on, or whoever the system confirms.
fn identify(run: &Run, has_handle: bool, table: &KeeperTable) -> Option<Run> {
    if run.pid == 0 {
        let known = match (table.spawned_pid(RunId(run.run)), run.stdout) {
            (Some(spawned), _) => Run { pid: spawned.pid, started: spawned.after, exact: false, ..run.clone() },
            (None, Some(stdout)) => run.clone().of(proc_fd::find_leader(stdout)?.get()),
            (None, None) => return None,
        };
        return has_handle.then(|| known.clone()).or_else(|| confirm(&known).map(|pid| known.of(pid.get())));
    }
    (has_handle || confirm(run).is_some()).then(|| run.clone())
}

/// Why a child cannot go on to be supervised; none where it can.
fn why_replaced(child: &HandedChild<OwnedFd>, is_understood: bool) -> Option<String> {
    let (name, pid) = (&child.process, child.pid);
    child.is_replaced.then(|| match is_understood {
        true => format!(
            "'{name}' (pid {pid}) has lost its pipes with the daemon that was killed and its keeper; it is stopped and started \
             again"
        ),
        false => format!(
            "'{name}' (pid {pid}) was left running, and its entry in the state is not understood; it is stopped and, if it is \
             configured, started again"
        ),
    })
}

fn lost_events(pool: &str, count: usize) -> Option<String> {
    (count > 0).then(|| format!("at least {count} events that waited for the listeners of '{pool}' are lost"))
}

/// The FastCGI socket of a group. One of version 1 is taken from its youngest child that still has it: a new one would be
/// where no older child listens.
fn find_socket(
    group: &Group,
    state: &State,
    table: &mut KeeperTable,
    children: &[HandedChild<OwnedFd>],
) -> Result<Option<HandedSocket<OwnedFd>>, String> {
    let Some(wanted) = group.processes.iter().find_map(|process| process.spawn.socket.as_ref()) else {
        return Ok(None);
    };
    let noted = state.sockets.iter().find(|socket| socket.group == group.name && socket.url == wanted.url);
    if let Some(number) = noted.map(|socket| socket.number)
        && let Some(socket) = table.take(Owner::Socket(number), Role::Listener)
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

/// The living process that is this one.
pub fn confirm(run: &Run) -> Option<Pid> {
    let pid = Pid::new(run.pid)?;
    let handle = ProcessHandle::open(pid).ok()?;
    proc_stat::read(pid).filter(|stat| run.is(stat) && !handle.has_ended()).map(|_| pid)
}

fn is_at(socket: &OwnedFd, address: &SocketAddress) -> bool {
    match (socket::listen_address(socket), address) {
        (Some(ListenAddress::Unix(found)), SocketAddress::Unix { path, .. }) => found == Path::new(path),
        (Some(ListenAddress::Tcp(found)), SocketAddress::Tcp { port, .. }) => found == *port,
        _ => false,
    }
}
