//! The keeper's own process: a table of descriptors, and one loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use supervisord_sys::process_handle::{ProcessHandle, has_ended};
use supervisord_sys::{Errno, Pid, fd, isolate, memory, passing, user};

use super::message::{LONGEST, Message, Name, Role};
use super::table::Table;

/// The argument that makes this program a keeper; its stdin is the connection to the daemon.
pub const ARGUMENT: &str = "--keeper";

/// What the process is called in lists of processes: whoever looks for `supervisord` finds the daemon alone.
const PROCESS_NAME: &str = "sv-keeper";

/// How long a keeper without a daemon stays when no child is left that another daemon could take over.
const GRACE_PERIOD: Duration = Duration::from_secs(60);

/// How long a new daemon may take to receive what is kept.
const RECEIVING: Duration = Duration::from_secs(10);

/// How long nothing happens before the keeper releases what it only needed to act.
const QUIET: Duration = Duration::from_millis(500);

/// How long a daemon is left waiting that cannot be let in.
const WITHOUT_ROOM: Duration = Duration::from_millis(100);

/// Runs the keeper.
pub fn run() -> ExitCode {
    memory::limit_heap_retention();
    if isolate::isolate(PROCESS_NAME).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(daemon) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut store = Store::new(daemon);
    while store.turn() {}
    store.remove_socket();
    ExitCode::SUCCESS
}

struct Store {
    kept: Table,
    listener: Option<Listener>,
    /// The connection to the daemon while there is one.
    daemon: Option<OwnedFd>,
    /// Whether it has acted since it last released what that needed.
    has_acted: bool,
    /// Since when there has been neither a daemon nor a child.
    alone_since: Option<Instant>,
}

/// How long a keeper without a daemon stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    AsLongAsChildrenLive,
    For(Duration),
    NoLonger,
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
    fn new(daemon: OwnedFd) -> Store {
        Store { kept: Table::default(), listener: None, daemon: Some(daemon), has_acted: true, alone_since: None }
    }

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
        if self.has_acted && fd::poll_readable(daemon.as_fd(), Some(QUIET)).is_ok_and(|is_there| !is_there) {
            self.release_memory();
            return true;
        }
        self.has_acted = true;
        let mut buffer = [0; LONGEST];
        match passing::receive(daemon.as_fd(), &mut buffer) {
            Ok((0, _)) => self.lose_daemon(),
            Ok((length, descriptors)) => match Message::decode(&buffer[..length]) {
                Some(Message::Keep(names)) => {
                    names.into_iter().zip(descriptors).for_each(|(name, descriptor)| self.kept.keep(name, descriptor));
                }
                Some(Message::Forget(owners)) => owners.into_iter().for_each(|owner| self.kept.forget(owner)),
                Some(Message::Listen(path)) => {
                    let socket = descriptors.into_iter().next();
                    self.listener = socket.map(|socket| Listener::new(socket, path));
                }
                Some(Message::End) => {
                    // The daemon removes the socket.
                    self.listener = None;
                    return false;
                }
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

    fn enter(&mut self, daemon: OwnedFd) {
        isolate::allow_sigterm(false);
        self.daemon = Some(daemon);
    }

    /// Releases what is only needed to act, code included: the keeper mostly waits. The next message costs some page faults.
    fn release_memory(&mut self) {
        self.has_acted = false;
        self.kept.shrink();
        memory::trim_heap();
        memory::release_code_pages();
    }

    /// Lets the next daemon in. While no child lives, SIGTERM ends the keeper, because the whole system gets that when it
    /// shuts down.
    fn wait_for_daemon(&mut self) -> bool {
        let stay = self.stay(Instant::now());
        let Some(listener) = &self.listener else { return false };
        let left = match stay {
            Stay::AsLongAsChildrenLive => None,
            Stay::For(left) => Some(left),
            Stay::NoLonger => return false,
        };
        isolate::allow_sigterm(left.is_some());
        let watched: Vec<BorrowedFd<'_>> =
            std::iter::once(listener.socket.as_fd()).chain(self.living_children()).collect();
        match fd::wait_for_any(&watched, left) {
            Ok(ready) if ready.contains(&0) => {
                match passing::accept(listener.socket.as_fd()) {
                    Ok(daemon) => self.give_everything(daemon),
                    // Where there is no room for it, it goes on waiting, and nothing tells when there is.
                    Err(_) => std::thread::sleep(WITHOUT_ROOM),
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
        true
    }

    /// How long a keeper without a daemon is of use. Children that have ended need not be waited for; when none is left,
    /// neither must the next daemon.
    fn stay(&mut self, now: Instant) -> Stay {
        if self.living_children().next().is_some() {
            return Stay::AsLongAsChildrenLive;
        }
        let alone_since = *self.alone_since.get_or_insert(now);
        match GRACE_PERIOD.saturating_sub(now.saturating_duration_since(alone_since)) {
            Duration::ZERO => Stay::NoLonger,
            left => Stay::For(left),
        }
    }

    fn living_children(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let handles = self.kept.iter().filter(|(name, _)| name.role == Role::Handle);
        handles.map(|(_, handle)| handle).filter(|handle| !has_ended(*handle))
    }

    /// Gives copies of everything to a daemon that has connected, and serves it from then on.
    fn give_everything(&mut self, daemon: OwnedFd) {
        let may = |uid| uid == user::effective_uid() || uid == 0;
        if !passing::peer(daemon.as_fd()).is_ok_and(|(uid, _)| may(uid)) {
            return;
        }
        let kept: Vec<(Name, BorrowedFd<'_>)> = self.kept.iter().collect();
        for some in kept.chunks(passing::MAX_DESCRIPTORS) {
            let (names, descriptors): (Vec<Name>, Vec<BorrowedFd<'_>>) = some.iter().copied().unzip();
            if send(&daemon, &Message::Keep(names), &descriptors).is_err() {
                return;
            }
        }
        drop(kept);
        let myself = ProcessHandle::open(Pid::current());
        let handle: Vec<BorrowedFd<'_>> = myself.iter().map(AsFd::as_fd).collect();
        if send(&daemon, &Message::All(std::process::id()), &handle).is_ok() {
            self.enter(daemon);
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

#[cfg(test)]
mod tests {
    use super::super::message::Owner;
    use super::*;

    /// What stands for a child: it has ended when the other end of the pipe is closed.
    fn child(store: &mut Store, run: u64) -> OwnedFd {
        let pipe = supervisord_sys::pipe::pipe().unwrap();
        store.kept.keep(Name { owner: Owner::Run(run), role: Role::Handle }, pipe.reader);
        pipe.writer
    }

    #[test]
    fn without_daemon_and_children_it_stays_for_a_while_only() {
        let (_daemon, connection) = passing::pair().unwrap();
        let mut store = Store::new(connection);
        let (first, second) = (child(&mut store, 1), child(&mut store, 2));
        let (begin, moment) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(store.stay(begin), Stay::AsLongAsChildrenLive);
        drop(first);
        assert_eq!(store.stay(begin + 100 * GRACE_PERIOD), Stay::AsLongAsChildrenLive, "one is left");
        drop(second);
        let alone = begin + 200 * GRACE_PERIOD;
        assert_eq!(store.stay(alone), Stay::For(GRACE_PERIOD));
        assert_eq!(store.stay(alone + GRACE_PERIOD - moment), Stay::For(moment));
        assert_eq!(store.stay(alone + GRACE_PERIOD), Stay::NoLonger);
        // Another daemon has come and gone.
        store.lose_daemon();
        assert_eq!(store.stay(alone + 2 * GRACE_PERIOD), Stay::For(GRACE_PERIOD));
    }

    #[test]
    fn what_is_kept_is_given_to_the_next_daemon_until_it_is_forgotten() {
        let (daemon, connection) = passing::pair().unwrap();
        let mut store = Store::new(connection);
        let name = |run, role| Name { owner: Owner::Run(run), role };
        let null = std::fs::File::open("/dev/null").unwrap();
        let names = vec![name(1, Role::Stdin), name(1, Role::Stdout), name(2, Role::Stdout)];
        let messages =
            [(Message::Keep(names), vec![null.as_fd(); 3]), (Message::Forget(vec![Owner::Run(1)]), Vec::new())];
        for (message, descriptors) in messages {
            send(&daemon, &message, &descriptors).unwrap();
            assert!(store.turn());
        }
        drop(daemon);
        assert!(store.turn() && store.daemon.is_none());
        let (next, theirs) = passing::pair().unwrap();
        store.give_everything(theirs);
        let mut buffer = [0; LONGEST];
        let mut receive = || {
            let (length, descriptors) = passing::receive(next.as_fd(), &mut buffer).unwrap();
            (Message::decode(&buffer[..length]), descriptors.len())
        };
        assert_eq!(receive(), (Some(Message::Keep(vec![name(2, Role::Stdout)])), 1));
        assert_eq!(receive().0, Some(Message::All(std::process::id())));
        // It serves that one now, and ends with it when nothing is needed.
        send(&next, &Message::End, &[]).unwrap();
        assert!(!store.turn());
    }
}
