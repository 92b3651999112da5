//! The keeper's own process: a table of descriptors, and one loop.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use supervisord_sys::{Errno, fd, isolate, memory, passing, user};

use super::message::{LONGEST, Message, Name, Owner, Role};

/// The argument that makes this program a keeper; its stdin is the connection to the daemon.
pub const ARGUMENT: &str = "--keeper";

/// What the process is called in lists of processes: whoever looks for `supervisord` finds the daemon alone.
const PROCESS_NAME: &str = "sv-keeper";

/// How long a keeper without a daemon stays when no child is left that another daemon could take over.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a new daemon may take to receive what is kept.
const RECEIVING: Duration = Duration::from_secs(10);

/// Runs the keeper.
pub fn run() -> ExitCode {
    memory::give_back_what_is_freed();
    if isolate::isolate(PROCESS_NAME).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(daemon) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut store = Store { kept: BTreeMap::new(), listener: None, daemon: Some(daemon), alone_since: None };
    memory::let_go_of_code();
    while store.turn() {}
    store.remove_socket();
    ExitCode::SUCCESS
}

struct Store {
    kept: BTreeMap<Name, OwnedFd>,
    listener: Option<Listener>,
    /// The connection to the daemon while there is one.
    daemon: Option<OwnedFd>,
    /// Since when there has been neither a daemon nor a child.
    alone_since: Option<Instant>,
}

struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// Which file it was, so that a later one is left alone.
    file: Option<(u64, u64)>,
}

impl Listener {
    fn new(socket: OwnedFd, path: PathBuf) -> Listener {
        let file = file_at(&path);
        Listener { socket, path, file }
    }
}

fn file_at(path: &PathBuf) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Store {
    /// Waits for what happens next and deals with it; false when it was the last.
    fn turn(&mut self) -> bool {
        match &self.daemon {
            Some(_) => self.serve(),
            None => self.wait_for_daemon(),
        }
    }

    /// Does what the daemon says.
    fn serve(&mut self) -> bool {
        let Some(daemon) = &self.daemon else { return true };
        let mut buffer = [0; LONGEST];
        match passing::receive(daemon.as_fd(), &mut buffer) {
            Ok((0, _)) => self.lose_daemon(),
            Ok((length, descriptors)) => match Message::decode(&buffer[..length]) {
                Some(Message::Keep(names)) => self.kept.extend(names.into_iter().zip(descriptors)),
                Some(Message::Forget(owners)) => owners.into_iter().for_each(|owner| self.forget(owner)),
                Some(Message::Listen(path)) => {
                    let socket = descriptors.into_iter().next();
                    self.listener = socket.map(|socket| Listener::new(socket, path));
                }
                Some(Message::End) => return false,
                Some(Message::All(_) | Message::NoRoom) | None => {}
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) if error.raw_os_error() == Some(Errno::EMFILE.number()) => {
                // A daemon that does not take it will notice when it tries again.
                let _ = passing::send(daemon.as_fd(), &Message::NoRoom.encode(), &[]);
            }
            Err(_) => self.lose_daemon(),
        }
        true
    }

    fn lose_daemon(&mut self) {
        self.daemon = None;
        self.alone_since = None;
    }

    fn forget(&mut self, owner: Owner) {
        for role in Role::ALL {
            self.kept.remove(&Name { owner, role });
        }
    }

    /// Lets the next daemon in. Children that have ended need not be waited for; when none is left, neither must the next
    /// daemon.
    fn wait_for_daemon(&mut self) -> bool {
        let Some(listener) = &self.listener else { return false };
        let handles = self.kept.iter().filter(|(name, _)| name.role == Role::Handle).map(|(_, handle)| handle);
        let living: Vec<BorrowedFd<'_>> = handles.map(AsFd::as_fd).filter(|handle| !has_ended(*handle)).collect();
        let left = if living.is_empty() {
            let left = PATIENCE.saturating_sub(self.alone_since.get_or_insert_with(Instant::now).elapsed());
            if left.is_zero() {
                return false;
            }
            Some(left)
        } else {
            None
        };
        let watched: Vec<BorrowedFd<'_>> = std::iter::once(listener.socket.as_fd()).chain(living).collect();
        match fd::wait_for_any(&watched, left) {
            Ok(ready) if ready.contains(&0) => {
                if let Ok(daemon) = passing::accept(listener.socket.as_fd()) {
                    self.give_everything(daemon);
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
        true
    }

    /// Gives copies of everything to a daemon that has connected, and serves it from then on.
    fn give_everything(&mut self, daemon: OwnedFd) {
        let may = |uid| uid == user::effective_uid() || uid == 0;
        if !passing::peer(daemon.as_fd()).is_ok_and(|(uid, _)| may(uid)) {
            return;
        }
        let names: Vec<Name> = self.kept.keys().copied().collect();
        for names in names.chunks(passing::MOST_DESCRIPTORS) {
            let descriptors: Vec<BorrowedFd<'_>> =
                names.iter().filter_map(|name| Some(self.kept.get(name)?.as_fd())).collect();
            if send(&daemon, &Message::Keep(names.to_vec()), &descriptors).is_err() {
                return;
            }
        }
        if send(&daemon, &Message::All(std::process::id()), &[]).is_ok() {
            self.daemon = Some(daemon);
        }
    }

    fn remove_socket(&self) {
        let Some(Listener { path, file, .. }) = &self.listener else { return };
        if file.is_some() && *file == file_at(path) {
            // What cannot be removed is a dead socket, in whose place the next one is put.
            let _ = supervisord_sys::trusted::remove(path);
        }
    }
}

fn has_ended(handle: BorrowedFd<'_>) -> bool {
    fd::poll_readable(handle, Some(Duration::ZERO)).unwrap_or(true)
}

fn send(to: &OwnedFd, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let give_up = Instant::now() + RECEIVING;
    loop {
        let Err(error) = passing::send(to.as_fd(), &message.encode(), descriptors) else { return Ok(()) };
        if Instant::now() >= give_up {
            return Err(error);
        }
        match passing::Busy::of(&error) {
            Some(passing::Busy::Full) => drop(fd::poll_writable(to.as_fd(), RECEIVING)?),
            // Nothing tells when it has taken some.
            Some(passing::Busy::TooManyUnderWay) => std::thread::sleep(Duration::from_millis(1)),
            None => return Err(error),
        }
    }
}
