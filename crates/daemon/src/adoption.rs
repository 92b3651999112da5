//! Taking over the children of a daemon that was killed: by what its keeper holds, by what its state says, and by what the
//! system confirms.
//!
//! Nobody is taken for a child who is not. A handle that the keeper holds is on the child and on nobody else; without one
//! the boot, the process id and the moment of its start must agree. What cannot be confirmed has ended, and is never signalled.
//! A child of which not enough is known to supervise it is stopped before its program is started again.

mod gather;
mod keeper_table;
mod unidentified;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use supervisord_config::model::Config;
use supervisord_core::process::RestartPolicy;
use supervisord_core::supervisor::DaemonExit;
use supervisord_sys::process_handle::{ProcessHandle, has_ended};
use supervisord_sys::{Pid, proc_stat, sink, start_time, trusted, user};

use crate::hand_over::{HandOver, HandedChild};
use crate::keeper::{self, Inheritance, Keeper, Name, Owner, Role};
use crate::output::{RunId, TransitFiles};
use crate::pidfile::END_LIMIT;
use crate::state::pid_slots::SpawnedPid;
use crate::state::{self, Paths, Run, State, Writer};
use gather::{confirm, gather};
use keeper_table::{KeeperTable, Unclaimed};
pub use unidentified::UnidentifiedProcesses;

/// What an earlier daemon left, for a daemon that starts.
pub enum Found {
    /// Nothing that can be used; and what is worth a line in the activity log.
    Nothing(Vec<String>),
    /// The earlier daemon still lives: one of the release before, which had no lock, or one that could not have it.
    Alive(u32),
    /// An earlier daemon was killed.
    Remains(Box<Remains>),
}

/// What an earlier daemon left.
pub struct Remains {
    /// What is to be taken over.
    pub handed: Box<HandOver<OwnedFd>>,
    /// Its keeper, where that lives.
    pub keeper: Option<Keeper>,
    /// What was on its way to a log.
    pub transit: Option<TransitFiles>,
    /// The output that it had kept in memory.
    pub output_memory: Option<OwnedFd>,
    /// Why everything is to begin anew; none where supervision goes on.
    pub afresh: Option<Afresh>,
    /// The end that the daemon before had begun because of a program.
    pub exit: Option<DaemonExit>,
    /// What could not be taken over although it is there, in words.
    pub losses: Vec<String>,
    /// Children of which nobody knows which program they are; none where there are none. They must end before any program is
    /// started.
    pub unidentified: Option<UnidentifiedProcesses>,
}

/// Why everything begins anew, although another daemon has left something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afresh {
    /// The daemon was killed while it stopped everything.
    Ending,
    /// The state is of this version, which only other releases understand.
    OtherVersion(u32),
    /// No process is left, and none waits for a restart that the configuration delays.
    NobodyLeft,
}

/// As the activity log says it.
impl fmt::Display for Afresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Afresh::Ending => f.write_str(
                "the daemon before was killed while it stopped everything: what still runs is stopped, and all programs are \
                 started anew",
            ),
            Afresh::OtherVersion(version) => write!(
                f,
                "the state is of version {version}, this program understands version {}: what still runs is stopped, and all \
                 programs are started anew",
                state::version::of_state()
            ),
            Afresh::NobodyLeft => f.write_str("no program of the daemon before is left: all programs are started anew"),
        }
    }
}

impl Remains {
    /// Whether a program was to be started later, as the configuration of its restarts says.
    pub fn awaits_starts(&self) -> bool {
        self.handed.snapshot.groups.iter().any(|group| {
            group.definition.processes.iter().filter(|process| RestartPolicy::of(process).is_configured()).any(
                |process| {
                    let known = group.members.iter().find(|member| member.name == process.identity.name);
                    known.is_some_and(|member| member.machine.next_start().is_some())
                },
            )
        })
    }

    /// Whether anything is left of children, be it what one of them wrote last.
    pub fn has_children(&self) -> bool {
        !self.handed.children.is_empty() || !self.handed.commands.is_empty()
    }

    /// How many children still live.
    pub fn survivors(&self) -> usize {
        let lives = |child: &&HandedChild<OwnedFd>| match &child.handle {
            Some(handle) => !has_ended(handle.as_fd()),
            // One that is known by its number; without one it has ended.
            None => child.pid != 0,
        };
        let commands = self.handed.commands.iter().map(|command| &command.child);
        self.handed.children.iter().chain(commands).filter(lives).count()
    }
}

/// Looks for what an earlier daemon left. `config` is the present configuration. What the service manager has stored stands in
/// for the keeper where that was killed, too.
pub fn look(paths: &Paths, config: &Config, start_dir: &str, stored: BTreeMap<Name, OwnedFd>) -> Found {
    let mut losses = Vec::new();
    let inheritance = keeper::connect(&paths.keeper_socket).unwrap_or_else(|error| {
        let path = paths.keeper_socket.display();
        losses.push(format!("cannot use the keeper at {path}, only the state file: {error}"));
        None
    });
    let (mut keeper, mut table) = match inheritance {
        Some(Inheritance { keeper, kept }) => (Some(keeper), KeeperTable::new(kept)),
        None => (None, KeeperTable::new(stored)),
    };
    table.find_written_pids(paths);
    let FoundState { writer, mut state, is_of_keeper } =
        match read_state(table.take_state(), paths, config, &mut losses) {
            Some(FoundState { writer, .. }) if is_alive(&writer) => return Found::Alive(writer.pid),
            Some(found) => found,
            // Its children live, even where nothing else is known of them.
            None if keeper.is_some() || table.last_spawned().any(|child| confirm_spawned(child).is_some()) => {
                FoundState::default()
            }
            None => return Found::Nothing(losses),
        };
    let exit = state.exit.take().filter(|_| !state.is_of_other_version).map(DaemonExit::from);
    let afresh = match (state.is_of_other_version, state.is_ending) {
        (true, _) => Some(Afresh::OtherVersion(writer.version)),
        (false, true) if exit.is_none() => Some(Afresh::Ending),
        (false, _) => None,
    };
    // A daemon of the release before went on without it, and may have counted other runs by the same numbers. Until
    // their pipes have been opened by way of the children it keeps these from breaking.
    let is_outdated = !is_of_keeper && writer.version == 1;
    let outdated = is_outdated.then(|| (std::mem::take(&mut table), keeper.take()));
    // Those on which the keeper has a handle are found by it.
    let unknown: Vec<Run> =
        state.unknown_commands.iter().filter(|run| !table.has(Owner::Run(run.run), Role::Handle)).cloned().collect();
    let (handed, more_losses) = gather(state, &mut table, config, start_dir);
    losses.extend(more_losses);
    if let Some((_, Some(keeper))) = outdated {
        keeper.give_up();
    }
    let (transit, output_memory) = (table.take_transit(), table.take_output_memory());
    let unwritten = unwritten_children(&handed, &table);
    let Unclaimed { owners, bytes, mut children } = table.into_unclaimed();
    children.extend(unknown.iter().filter_map(|run| ProcessHandle::open(confirm(run)?).ok()));
    let is_new = |child: &ProcessHandle| !children.iter().any(|known| known.pid() == child.pid());
    let unwritten: Vec<_> = unwritten.into_iter().filter(is_new).collect();
    children.extend(unwritten);
    if bytes > 0 {
        losses.push(format!("{bytes} bytes of output of programs that had ended before are lost"));
    }
    let unidentified = match children.is_empty() {
        true => {
            if let Some(keeper) = &mut keeper {
                owners.into_iter().for_each(|owner| keeper.forget(owner));
            }
            None
        }
        false => Some(UnidentifiedProcesses::new(children, owners)),
    };
    let handed = Box::new(handed);
    Found::Remains(Box::new(Remains { handed, keeper, transit, output_memory, afresh, exit, losses, unidentified }))
}

/// Children that live, and of which the state does not tell: the daemon and its keeper were killed before it was written.
fn unwritten_children(handed: &HandOver<OwnedFd>, table: &KeeperTable) -> Vec<ProcessHandle> {
    let commands = handed.commands.iter().map(|command| &command.child);
    let known: BTreeSet<u32> = handed.children.iter().chain(commands).map(|child| child.pid).collect();
    let unknown = table.last_spawned().filter(|(_, spawned)| !known.contains(&spawned.pid));
    unknown.filter_map(|child| ProcessHandle::open(confirm_spawned(child)?).ok()).collect()
}

/// The living process that was made as this child.
fn confirm_spawned((run, spawned): (RunId, SpawnedPid)) -> Option<Pid> {
    confirm(&Run { pid: spawned.pid, started: spawned.after, exact: false, ..Run::new(run) })
}

/// A state, and where it was read.
#[derive(Default)]
struct FoundState {
    writer: Writer,
    state: State,
    is_of_keeper: bool,
}

/// The state that the keeper has, or that of the file, whichever is the later one and can be read; none where there is none of
/// this boot.
fn read_state(
    of_keeper: Option<Vec<u8>>,
    paths: &Paths,
    config: &Config,
    losses: &mut Vec<String>,
) -> Option<FoundState> {
    let path = &paths.state_file;
    let of_file = read_file(path);
    let is_file_later = match (&of_keeper, &of_file) {
        (Some(kept), Ok(file)) => file.is_later_than(kept),
        _ => false,
    };
    let of_keeper = of_keeper.filter(|_| !is_file_later);
    if let Some(text) = &of_keeper {
        // What a keeper holds is of this boot, whether or not the system tells which boot this is.
        if let Some((writer, state)) = state::read(text, config) {
            return Some(FoundState { writer, state, is_of_keeper: true });
        }
        losses.push("the state that the keeper holds cannot be used: it does not begin as a state does".to_owned());
    }
    let text = match of_file {
        Ok(file) => file.text,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            losses.push(format!("the state file {path} cannot be used, no programs are taken over: {error}"));
            return None;
        }
    };
    match state::read(&text, config) {
        Some((writer, state)) => writer.is_of_this_boot().then_some(FoundState { writer, state, is_of_keeper: false }),
        None => {
            let kept = format!("{path}.unreadable");
            let where_it_is = match trusted::rename(path, &kept) {
                Ok(()) => format!("it is now {kept}"),
                Err(error) => format!("it cannot be renamed to {kept}, and will be overwritten ({error})"),
            };
            losses.push(format!(
                "the state file {path} cannot be used, because it does not begin as a state does; {where_it_is}. Programs that \
                 an earlier supervisord has left running, and that no keeper knows, may run twice"
            ));
            None
        }
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
fn read_file(path: &str) -> io::Result<Written> {
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

/// Whether a daemon that writes of itself lives. One that has been killed is waited for.
fn is_alive(writer: &Writer) -> bool {
    let daemon = Run { pid: writer.pid, started: writer.started, exact: true, ..Run::default() };
    let give_up = Instant::now() + END_LIMIT;
    while let Some(pid) = confirm(&daemon).filter(|pid| *pid != Pid::current()) {
        if !proc_stat::is_ending(pid) || Instant::now() >= give_up {
            return true;
        }
        std::thread::sleep(END_LIMIT / 200);
    }
    false
}

#[cfg(test)]
mod tests;
