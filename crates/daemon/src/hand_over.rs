//! What one program of the daemon leaves to the next: the supervisor as plain data, and descriptors by their roles.
//!
//! The same form serves two ends. In an upgrade the descriptors stay open across the exec and travel as numbers, in a text
//! whose version is that of its [`state::Snapshot`]; after a crash the next daemon finds what it can of them (see
//! [`crate::adoption`]).

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use supervisord_config::model::HttpServer;
use supervisord_core::history::History;
use supervisord_core::output::Channel;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::process::ProgramCommand;
use supervisord_core::supervisor::snapshot::SupervisorSnapshot;
use supervisord_sys::signal::Signals;
use supervisord_sys::{Errno, command, exec, host, inherited};

use crate::descriptor_store::StoredDescriptor;
use crate::output::{RunId, TransitFiles};
use crate::socket_activation;
use crate::state::{self, Run, version, version_1};

/// The environment variable that names the descriptor of the [`HandOver`].
pub const VARIABLE: &str = "SUPERVISORD_HAND_OVER";

/// The environment of this process as its children are to have it.
pub fn environment() -> Vec<(OsString, OsString)> {
    host::environment().into_iter().filter(|(name, _)| name != VARIABLE).collect()
}

/// Replaces this program by the one now on disk. Returns only when that failed: with everything as it was, and why.
/// `signals` that nobody has seen yet go to whoever goes on.
pub fn execute(handed: HandOver<OwnedFd>, signals: &mut Signals) -> Result<(HandOver<OwnedFd>, String), String> {
    let start_dir = handed.start_dir.clone();
    let (text, kept) = handed.write()?;
    let failure = match try_execute(&text, &start_dir, &kept, signals) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    // From here on the numbers in the text stand for the descriptors.
    for fd in kept {
        inherited::leave(fd);
    }
    Ok((read(&text)?.take()?, failure))
}

fn try_execute(text: &[u8], start_dir: &str, kept: &[OwnedFd], signals: &mut Signals) -> Result<Infallible, String> {
    let state = exec::memory_file(text).map_err(|error| error.to_string())?;
    let program = program(start_dir)?;
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let number = state.as_raw_fd().to_string();
    let variables = environment().into_iter().chain([(VARIABLE.into(), number.into())]);
    let keep: Vec<BorrowedFd<'_>> = kept.iter().map(AsFd::as_fd).chain([state.as_fd()]).collect();
    Err(socket_activation::with_all(|sockets| {
        let keep = [&keep, sockets].concat();
        exec::replace_program(&program, &arguments, variables, &keep, signals).to_string()
    }))
}

/// The program that is on disk now under the path by which this daemon was started, which may be another file than the one
/// that runs: it may have been moved out of the way, or the path may lead through a link that has been changed. Where there
/// is none, the file that runs.
///
/// # Errors
/// The system does not tell which file runs.
pub fn program(start_dir: &str) -> Result<PathBuf, String> {
    let started_by = Path::new(start_dir).join(command::own_path());
    if command::locate(&started_by.to_string_lossy(), OsStr::new("")).is_ok() {
        return Ok(started_by);
    }
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    // A file that was replaced goes by its old name with this mark behind it.
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}

/// What the program before left, if there was one.
pub fn inherited() -> Option<Result<HandOver<OwnedFd>, String>> {
    let number = std::env::var(VARIABLE).ok()?;
    Some(take_inherited(&number))
}

fn take_inherited(number: &str) -> Result<HandOver<OwnedFd>, String> {
    let number = number.parse().map_err(|_| format!("{VARIABLE} is not a number"))?;
    let file = inherited::take(number).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    File::from(file).read_to_end(&mut text).map_err(|error| error.to_string())?;
    read(&text)?.take()
}

/// Everything the next program needs. `D` is a descriptor: owned, or its number. `S` is the supervisor: as plain data, or as
/// a version of the text has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandOver<D, S = SupervisorSnapshot> {
    /// The supervisor.
    pub snapshot: S,
    /// Its children.
    pub children: Vec<HandedChild<D>>,
    /// The commands of its programs that run beside them.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<HandedCommand<D>>,
    /// Its servers.
    pub servers: Vec<HandedServer<D>>,
    /// Its FastCGI sockets.
    pub sockets: Vec<HandedSocket<D>>,
    /// The number the next run gets.
    pub next_run: u64,
    /// The socket on which programs notify the daemon.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub notifications: Option<D>,
    /// The directory from which relative paths of the configuration count.
    pub start_dir: String,
    /// Its keeper.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub keeper: Option<HandedKeeper<D>>,
    /// What the output plane has on its way to logs, which the keeper holds, too.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub transit: Option<TransitFiles<D>>,
    /// The output that is kept in memory, which the keeper holds, too.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub output_memory: Option<D>,
    /// The last events.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "state::history")]
    pub history: Option<History>,
    /// The pid file, held locked.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub lock: Option<D>,
    /// What the service manager holds, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored: Vec<StoredDescriptor>,
}

/// The keeper of the daemon.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedKeeper<D> {
    /// The connection to it.
    pub connection: D,
    /// Its process id.
    pub pid: u32,
    /// A handle on it.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub handle: Option<D>,
}

/// A child, alive or not yet reaped.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedChild<D> {
    /// Its run.
    #[serde(with = "state::run_id")]
    pub run: RunId,
    /// Its group.
    pub group: String,
    /// Its name.
    pub process: String,
    /// Its process id.
    pub pid: u32,
    /// What identifies it and its pipes.
    pub kept: Run,
    /// Whether somebody else has become its parent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphan: bool,
    /// A handle on it, where somebody else is its parent; none where it must be opened by its process id.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub handle: Option<D>,
    /// Whether it cannot go on to be supervised, so that it has to be replaced: never in an upgrade.
    #[serde(skip)]
    pub is_replaced: bool,
    /// Our end of its stdin.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub stdin: Option<D>,
    /// What waits to be written to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<u8>,
    /// Our end of its stdout, where it is a listener.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub listener: Option<D>,
    /// Our end of the pipe into which it writes when it is ready.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub ready: Option<D>,
    /// What the output plane reads.
    pub streams: Vec<HandedChannel<D>>,
}

/// A command of a program that runs beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedCommand<D> {
    /// Its process, with the group and the name of the program.
    pub child: HandedChild<D>,
    /// What it is for.
    pub command: String,
    /// When it is killed, in nanoseconds on the monotonic clock.
    pub kill_at: u64,
    /// How long it may take altogether, in nanoseconds.
    pub timeout: u64,
}

impl<D> HandedCommand<D> {
    /// What it is for; none where this program does not know it.
    pub fn command(&self) -> Option<ProgramCommand> {
        ProgramCommand::from_word(&self.command)
    }
}

/// One stream of a child.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedChannel<D> {
    /// Which.
    #[serde(with = "state::stream::channel")]
    pub channel: Channel,
    /// Our end of its pipe.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub pipe: Option<D>,
    /// What is held back of it; none to begin anew.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "state::stream::optional_pipeline")]
    pub pipeline: Option<Pipeline>,
    /// Its last bytes, where they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end: Vec<u8>,
}

/// A server with its socket.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedServer<D> {
    /// Its configuration.
    #[serde(with = "state::configuration::server")]
    pub config: HttpServer,
    /// Its listening socket.
    pub socket: D,
    /// Clients that are connected and have nothing under way.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<D>,
}

/// A FastCGI socket.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedSocket<D> {
    /// The group that shares it.
    pub group: String,
    /// Its address.
    pub url: String,
    /// The listening socket.
    pub socket: D,
    /// The number under which the keeper has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

impl<D> HandedChild<D> {
    /// Changes every descriptor; the first failure ends it.
    fn map<E>(self, change: &mut impl FnMut(D) -> Result<E, Errno>) -> Result<HandedChild<E>, Errno> {
        let mut streams = Vec::with_capacity(self.streams.len());
        for HandedChannel { channel, pipe, pipeline, end } in self.streams {
            streams.push(HandedChannel { channel, pipe: pipe.map(&mut *change).transpose()?, pipeline, end });
        }
        Ok(HandedChild {
            run: self.run,
            group: self.group,
            process: self.process,
            pid: self.pid,
            kept: self.kept,
            orphan: self.orphan,
            handle: self.handle.map(&mut *change).transpose()?,
            is_replaced: self.is_replaced,
            stdin: self.stdin.map(&mut *change).transpose()?,
            waiting: self.waiting,
            listener: self.listener.map(&mut *change).transpose()?,
            ready: self.ready.map(&mut *change).transpose()?,
            streams,
        })
    }
}

impl<D, S: Into<SupervisorSnapshot>> HandOver<D, S> {
    /// The same with the supervisor as plain data.
    fn into_supervisor(self) -> HandOver<D> {
        self.with_snapshot(Into::into)
    }
}

impl<D, S> HandOver<D, S> {
    /// The same with another form of the supervisor.
    fn with_snapshot<T>(self, change: impl FnOnce(S) -> T) -> HandOver<D, T> {
        let HandOver {
            snapshot,
            children,
            commands,
            servers,
            sockets,
            next_run,
            notifications,
            start_dir,
            keeper,
            transit,
            output_memory,
            history,
            lock,
            stored,
        } = self;
        let snapshot = change(snapshot);
        HandOver {
            snapshot,
            children,
            commands,
            servers,
            sockets,
            next_run,
            notifications,
            start_dir,
            keeper,
            transit,
            output_memory,
            history,
            lock,
            stored,
        }
    }

    /// Changes every descriptor; the first failure ends it.
    fn map<E>(self, change: &mut impl FnMut(D) -> Result<E, Errno>) -> Result<HandOver<E, S>, Errno> {
        let children = self.children.into_iter().map(|child| child.map(change)).collect::<Result<_, _>>()?;
        let commands = self.commands.into_iter().map(|command| {
            let HandedCommand { child, command, kill_at, timeout } = command;
            Ok::<_, Errno>(HandedCommand { child: child.map(change)?, command, kill_at, timeout })
        });
        let commands = commands.collect::<Result<_, _>>()?;
        let mut servers = Vec::with_capacity(self.servers.len());
        for HandedServer { config, socket, clients } in self.servers {
            let socket = change(socket)?;
            let clients = clients.into_iter().map(&mut *change).collect::<Result<_, _>>()?;
            servers.push(HandedServer { config, socket, clients });
        }
        let mut sockets = Vec::with_capacity(self.sockets.len());
        for HandedSocket { group, url, socket, number } in self.sockets {
            sockets.push(HandedSocket { group, url, socket: change(socket)?, number });
        }
        let keeper = match self.keeper {
            Some(HandedKeeper { connection, pid, handle }) => {
                let handle = handle.map(&mut *change).transpose()?;
                Some(HandedKeeper { connection: change(connection)?, pid, handle })
            }
            None => None,
        };
        let transit = match self.transit {
            Some(TransitFiles { memory, reader, writer }) => {
                Some(TransitFiles { memory: change(memory)?, reader: change(reader)?, writer: change(writer)? })
            }
            None => None,
        };
        let lock = self.lock.map(&mut *change).transpose()?;
        let output_memory = self.output_memory.map(&mut *change).transpose()?;
        let notifications = self.notifications.map(&mut *change).transpose()?;
        let (snapshot, next_run, start_dir, history) = (self.snapshot, self.next_run, self.start_dir, self.history);
        let stored = self.stored;
        Ok(HandOver {
            snapshot,
            children,
            commands,
            servers,
            sockets,
            next_run,
            notifications,
            start_dir,
            keeper,
            transit,
            output_memory,
            history,
            lock,
            stored,
        })
    }
}

impl HandOver<OwnedFd> {
    /// The text that goes to the next program, with the numbers of the descriptors. The descriptors themselves must stay
    /// open until then, so that this gives them back.
    pub fn write(self) -> Result<(Vec<u8>, Vec<OwnedFd>), String> {
        let mut kept = Vec::new();
        let numbers = self.map(&mut |fd: OwnedFd| {
            let number = fd.as_raw_fd();
            kept.push(fd);
            Ok(number)
        });
        let numbers = numbers.map_err(|error| error.to_string())?;
        let text = numbers.with_snapshot(|snapshot| state::Snapshot::new(&snapshot, version::of_hand_over()));
        let text = serde_json::to_vec(&text).map_err(|error| error.to_string())?;
        Ok((text, kept))
    }
}

/// What a text of the program before says; the descriptors are only numbers yet. Nobody supervises meanwhile, so that a text of a
/// version that is read in the same way as the present one is read once.
pub fn read(text: &[u8]) -> Result<HandOver<RawFd>, String> {
    let read = read_as::<state::Snapshot>(text);
    if let Ok(handed) = &read
        && version::is_known_hand_over(handed.snapshot.version)
    {
        return read.map(HandOver::into_supervisor);
    }
    match version_of(text)? {
        1 => read_as::<version_1::Snapshot>(text).map(HandOver::into_supervisor),
        version if version::is_known_hand_over(version) => read.map(HandOver::into_supervisor),
        theirs => {
            let ours = version::of_hand_over();
            Err(format!("the state is of version {theirs}, this program understands version {ours} and the one before"))
        }
    }
}

fn version_of(text: &[u8]) -> Result<u32, String> {
    #[derive(Deserialize)]
    struct Version {
        snapshot: VersionOnly,
    }
    #[derive(Deserialize)]
    struct VersionOnly {
        version: u32,
    }
    serde_json::from_slice::<Version>(text).map(|read| read.snapshot.version).map_err(|error| error.to_string())
}

fn read_as<S: DeserializeOwned>(text: &[u8]) -> Result<HandOver<RawFd, S>, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

impl HandOver<RawFd> {
    /// Takes the descriptors over, which can be done once.
    pub fn take(self) -> Result<HandOver<OwnedFd>, String> {
        self.map(&mut inherited::take).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
