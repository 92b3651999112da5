//! The daemon's side: making a keeper, telling it what to keep, and inheriting from the one of a daemon that was killed.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::signal::SIGKILL;
use supervisord_sys::spawn::{SpawnPlan, Stdio};
use supervisord_sys::{Pid, fd, host, passing, user};

use super::message::{LONGEST, Message, Name, Owner};
use super::store::ARGUMENT;

/// How long a keeper may take to give what it holds.
const GIVING: Duration = Duration::from_secs(10);

/// What the process is called by its arguments.
const CALLED: &str = "sv-keeper";

/// What the keeper of a daemon that was killed held.
pub struct Inheritance {
    /// The keeper, which serves this daemon from now on.
    pub keeper: Keeper,
    /// What it held; it goes on holding it.
    pub kept: BTreeMap<Name, OwnedFd>,
}

/// How long a keeper may take nothing of what it is told before it is taken for stuck.
const STALL_LIMIT: Duration = Duration::from_secs(5);

/// Connects to the keeper of a daemon that was killed; none where nobody listens at this path.
///
/// # Errors
/// The keeper belongs to somebody else, does not answer, or does not give everything.
pub fn connect(path: &Path) -> io::Result<Option<Inheritance>> {
    // Others may have put something there: a link to a socket of somebody who never answers, for instance.
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Ok(None),
        Ok(found) => check_owner(found.uid())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let connection = match passing::connect_to(path) {
        Ok(connection) => connection,
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let (uid, _) = passing::peer(connection.as_fd())?;
    check_owner(uid)?;
    let mut kept = BTreeMap::new();
    let give_up = Instant::now() + GIVING;
    let mut buffer = [0; LONGEST];
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        if left.is_zero() || !fd::poll_readable(connection.as_fd(), Some(left))? {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
        }
        let (length, descriptors) = passing::receive(connection.as_fd(), &mut buffer)?;
        match Message::decode(&buffer[..length]) {
            Some(Message::Keep(names)) => kept.extend(names.into_iter().zip(descriptors)),
            Some(Message::All(pid)) => {
                let handle = descriptors.into_iter().next();
                return Ok(Some(Inheritance { keeper: Keeper::new(connection, pid, handle, path), kept }));
            }
            _ => return Err(io::Error::other("it sent only a part of its descriptors")),
        }
    }
}

fn check_owner(uid: u32) -> io::Result<()> {
    match uid == user::effective_uid() {
        true => Ok(()),
        false => Err(io::Error::other(format!("it belongs to the user with the id {uid}"))),
    }
}

/// The connection to a keeper.
pub struct Keeper {
    connection: OwnedFd,
    pid: u32,
    /// By which it is ended when it is given up; none where the system has no room for one.
    handle: Option<ProcessHandle>,
    path: PathBuf,
    /// What could not be sent yet, in order.
    waiting: VecDeque<(Message, Vec<OwnedFd>)>,
    /// Since when it has taken nothing of that.
    waiting_since: Instant,
    /// Owners to forget, which travel with the next message or at the end of the turn.
    forgotten: Vec<Owner>,
}

impl Keeper {
    /// Starts a keeper, which will listen at this path once this daemon has gone. `spawn` gives its process id.
    ///
    /// # Errors
    /// It cannot be started, or cannot listen there.
    pub fn start(path: &Path, spawn: impl FnOnce(SpawnPlan, Stdio<'_>) -> io::Result<u32>) -> io::Result<Keeper> {
        let listener = passing::listen_at(path)?;
        let started = Keeper::start_with(&listener, path, spawn);
        if started.is_err() {
            // Nobody listens there. What cannot be removed makes way for the next socket.
            let _ = supervisord_sys::socket::remove(path);
        }
        started
    }

    fn start_with(
        listener: &OwnedFd,
        path: &Path,
        spawn: impl FnOnce(SpawnPlan, Stdio<'_>) -> io::Result<u32>,
    ) -> io::Result<Keeper> {
        let (ours, theirs) = passing::pair()?;
        let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
        let stdio = Stdio { stdin: theirs.as_fd(), stdout: null.as_fd(), stderr: null.as_fd() };
        let words: [OsString; 2] = [CALLED.into(), ARGUMENT.into()];
        let plan = SpawnPlan::new(Path::new(OWN_PROGRAM), &words, host::environment().into_iter().collect())?;
        let pid = spawn(plan, stdio)?;
        // It has not been reaped, so that the number is its own.
        let handle = Pid::new(pid).and_then(|pid| ProcessHandle::open(pid).ok()).map(OwnedFd::from);
        let mut keeper = Keeper::new(ours, pid, handle, path);
        keeper.send(Message::Listen(path.to_owned()), &[listener.as_fd()])?;
        Ok(keeper)
    }

    fn new(connection: OwnedFd, pid: u32, handle: Option<OwnedFd>, path: &Path) -> Keeper {
        Keeper {
            connection,
            pid,
            handle: handle.zip(Pid::new(pid)).map(|(handle, pid)| ProcessHandle::from_passed(handle, pid)),
            path: path.to_owned(),
            waiting: VecDeque::new(),
            waiting_since: Instant::now(),
            forgotten: Vec::new(),
        }
    }

    /// A keeper of the program that was here before, with its connection and a handle on it.
    pub fn handed(connection: OwnedFd, pid: u32, handle: Option<OwnedFd>, path: &Path) -> Keeper {
        Keeper::new(connection, pid, handle, path)
    }

    /// What the next program needs to go on with this keeper: the connection, its process id and a handle on it.
    pub fn into_parts(self) -> (OwnedFd, u32, Option<OwnedFd>) {
        (self.connection, self.pid, self.handle.map(OwnedFd::from))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Has copies of these descriptors kept. It never waits; what cannot be sent now is sent by [`Keeper::flush`].
    ///
    /// # Errors
    /// The keeper has gone.
    pub fn keep(&mut self, descriptors: &[(Name, BorrowedFd<'_>)]) -> io::Result<()> {
        self.forget_now()?;
        for some in descriptors.chunks(passing::MAX_DESCRIPTORS) {
            let (names, descriptors): (Vec<Name>, Vec<BorrowedFd<'_>>) = some.iter().copied().unzip();
            self.send(Message::Keep(names), &descriptors)?;
        }
        Ok(())
    }

    /// Has everything of an owner closed, at the latest by the next [`Keeper::flush`].
    pub fn forget(&mut self, owner: Owner) {
        self.forgotten.push(owner);
    }

    /// Sends what waits, as far as the keeper takes it. Says whether something still waits.
    ///
    /// # Errors
    /// The keeper has gone.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.forget_now()?;
        while let Some((message, descriptors)) = self.waiting.front() {
            let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            match passing::send(self.connection.as_fd(), &message.encode(), &borrowed) {
                Ok(()) => {
                    self.waiting.pop_front();
                    self.waiting_since = Instant::now();
                }
                Err(error) if passing::Busy::of(&error).is_none() => return Err(error),
                // Its descriptors must not become more and more.
                Err(_) if self.waiting_since.elapsed() >= STALL_LIMIT => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "it takes nothing"));
                }
                Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// How long the daemon still waits for it; none where it has taken everything.
    pub fn time_left(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then(|| STALL_LIMIT.saturating_sub(self.waiting_since.elapsed()))
    }

    fn forget_now(&mut self) -> io::Result<()> {
        const MOST: usize = 1000;
        let owners = std::mem::take(&mut self.forgotten);
        owners.chunks(MOST).try_for_each(|owners| self.send(Message::Forget(owners.to_vec()), &[]))
    }

    fn send(&mut self, message: Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        if self.waiting.is_empty() {
            match passing::send(self.connection.as_fd(), &message.encode(), descriptors) {
                Err(error) if passing::Busy::of(&error).is_some() => {}
                other => return other,
            }
        }
        let copies = descriptors.iter().map(BorrowedFd::try_clone_to_owned).collect::<io::Result<_>>()?;
        if self.waiting.is_empty() {
            self.waiting_since = Instant::now();
        }
        self.waiting.push_back((message, copies));
        Ok(())
    }

    /// Receives what the keeper has sent. True when it had no room for something.
    ///
    /// # Errors
    /// The keeper has gone.
    pub fn receive(&mut self) -> io::Result<bool> {
        let mut no_room = false;
        let mut buffer = [0; LONGEST];
        while fd::poll_readable(self.connection.as_fd(), Some(Duration::ZERO))? {
            match passing::receive(self.connection.as_fd(), &mut buffer)? {
                (0, _) => return Err(io::Error::other("its connection is closed")),
                (length, _) => no_room |= Message::decode(&buffer[..length]) == Some(Message::NoRoom),
            }
        }
        Ok(no_room)
    }

    /// Gives up one that has gone, or is of no use any more: it must not hold the pipes of children until they have ended.
    pub fn give_up(self) {
        // It may have ended.
        let _ = self.handle.map(|handle| handle.kill(SIGKILL));
    }

    /// Ends the keeper: nothing is to be taken over.
    pub fn end(mut self) {
        self.waiting.clear();
        self.forgotten.clear();
        // One that does not hear it learns from the end of the connection that there is no daemon, and leaves later.
        let _ = self.send(Message::End, &[]);
        // It does not do so itself, which could be so late that the socket is that of the next one.
        let _ = supervisord_sys::socket::remove(&self.path);
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

/// The file of the program that runs here, even if another one has taken its place by now.
const OWN_PROGRAM: &str = "/proc/self/exe";
