//! What this daemon does so that another one can go on if it is killed: it notes its state, and has its keeper hold what
//! cannot be written down.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_core::output::Channel;
use supervisord_sys::Pid;
use supervisord_sys::process_handle::ProcessHandle;

use crate::activity::Activity;
use crate::clock::present;
use crate::descriptor_store::{DescriptorStore, StoredDescriptor};
use crate::keeper::{Keeper, Name, Owner, Role};
use crate::output::{OutputHandle, OutputRequest, RunId, TransitFiles};
use crate::output_memory::OutputMemory;
use crate::state::pid_slots::{self, PidSlots};
use crate::state::{Journal, Paths, Socket};

/// How long the daemon waits before it makes another keeper after a second one that could not be made or did not last, and
/// at most. The first one, and one that has lasted for the longest pause, is replaced at once.
const KEEPER_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The state of this daemon for another one.
pub(super) struct Survival {
    pub(super) journal: Journal,
    pub(super) socket: PathBuf,
    pub(super) keeper: Option<Keeper>,
    /// The process id of the one that the program before the upgrade has spawned, which is reaped also where it is lost at once.
    pub(super) inherited_keeper: Option<u32>,
    /// When a keeper is to be made; none while there is one.
    pub(super) keeper_due: Option<Duration>,
    /// When the present one, or the last one, was made or taken over.
    pub(super) keeper_since: Duration,
    /// How long the next one is put off.
    keeper_again: Duration,
    pid_slots: PidSlots,
    /// The file of the pid slots, where they have one.
    spawned_pids: Option<PathBuf>,
    /// What the output plane has on its way to logs.
    transit: Option<TransitFiles>,
    /// Whether the output plane relies on that being kept.
    is_transit_kept: bool,
    /// Whether the keeper has been sent what is kept of output in memory.
    is_output_kept: bool,
    output: OutputHandle,
    /// Children that the keeper has no handle on yet.
    pub(super) unhandled: Vec<(RunId, u32)>,
    /// Whether a lack of room in the keeper has been logged.
    pub(super) no_room_logged: bool,
    /// Whether it has been logged that no keeper can be made.
    pub(super) no_keeper_logged: bool,
    pub(super) activity: Activity,
    /// What stands in for the keeper, where the service manager has room.
    store: Option<DescriptorStore>,
}

/// What the next program gets of it.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) keeper: Option<Keeper>,
    /// What the keeper holds of the output plane.
    pub(super) transit: Option<TransitFiles>,
    pub(super) stored: Vec<StoredDescriptor>,
}

impl Survival {
    /// With the keeper of the daemon before, if there was one; otherwise one is spawned when the loop begins. The output
    /// plane knows whether it has one before it reads the first stream.
    ///
    /// # Errors
    /// The system has no memory that can be shared.
    pub(super) fn new(
        paths: Paths,
        keeper: Option<Keeper>,
        transit: Option<TransitFiles>,
        store: Option<DescriptorStore>,
        output: OutputHandle,
        activity: Activity,
    ) -> std::io::Result<Survival> {
        let Paths { state_file, keeper_socket: socket, spawned_pids } = paths;
        let (pid_slots, spawned_pids) = open_pid_slots(spawned_pids, &activity)?;
        let mut survival = Survival {
            journal: Journal::new(state_file, output.clone()),
            socket,
            keeper_due: keeper.is_none().then_some(Duration::ZERO),
            keeper_since: present().mono,
            keeper_again: Duration::ZERO,
            inherited_keeper: keeper.as_ref().map(Keeper::pid),
            keeper,
            pid_slots,
            spawned_pids,
            transit,
            is_transit_kept: false,
            is_output_kept: false,
            output,
            unhandled: Vec::new(),
            no_room_logged: false,
            no_keeper_logged: false,
            activity,
            store,
        };
        match survival.keeper {
            Some(_) => survival.keep_transit(),
            None => survival.output.send(OutputRequest::Kept(false)),
        }
        Ok(survival)
    }

    /// Has our ends of the pipes of a child kept, before the child is made.
    pub(super) fn keep_pipes(&mut self, run: RunId, pipes: &[(Role, BorrowedFd<'_>)]) {
        let owner = Owner::Run(run.0);
        let named: Vec<_> = pipes.iter().map(|(role, pipe)| (Name { owner, role: *role }, *pipe)).collect();
        self.keep(&named);
    }

    /// Has a FastCGI socket kept, and notes which it is.
    pub(super) fn keep_socket(&mut self, socket: Socket, descriptor: BorrowedFd<'_>) {
        self.keep(&[(Name { owner: Owner::Socket(socket.number), role: Role::Listener }, descriptor)]);
        self.journal.note_socket(socket);
    }

    /// Nobody needs what an owner had.
    pub(super) fn forget(&mut self, owner: Owner) {
        if let Some(keeper) = &mut self.keeper {
            keeper.forget(owner);
        }
        if let Some(store) = &mut self.store {
            store.forget(owner);
        }
    }

    /// Nobody needs what the service manager holds of owners that the daemon before had.
    pub(super) fn forget_others(&mut self, is_there: impl Fn(Owner) -> bool) {
        if let Some(store) = &mut self.store {
            store.forget_others(is_there);
        }
    }

    /// Where the system is to write the process id of the child that is about to be made.
    pub(super) fn pid_slot(&self, run: RunId) -> &AtomicU64 {
        self.pid_slots.slot_of(run)
    }

    /// A child has been spawned.
    pub(super) fn spawned(&mut self, run: RunId, pid: u32) {
        self.unhandled.push((run, pid));
    }

    /// Whether so many children have been made that it must be noted who they are before more are.
    pub(super) fn has_used_half_of_pid_slots(&self) -> bool {
        self.unhandled.len() >= pid_slots::MOST / 2
    }

    pub(super) fn keep(&mut self, named: &[(Name, BorrowedFd<'_>)]) {
        if let Some(store) = &mut self.store {
            store.keep(named);
        }
        let kept = self.keeper.as_mut().map(|keeper| keeper.keep(named));
        if let Some(Err(error)) = kept {
            self.lose_keeper(&error);
        }
    }

    /// Has handles kept on the children that were made in this turn, unless they have been reaped: then the number may be
    /// somebody else's.
    pub(super) fn keep_handles(&mut self, run_of: impl Fn(u32) -> Option<RunId>) {
        let mut unhandled = std::mem::take(&mut self.unhandled);
        unhandled.retain(|(run, pid)| run_of(*pid) == Some(*run));
        if self.keeper.is_none() || unhandled.is_empty() {
            return;
        }
        let open = |(run, pid): (RunId, u32)| {
            let name = Name { owner: Owner::Run(run.0), role: Role::Handle };
            Some((name, ProcessHandle::open(Pid::new(pid)?).ok()?))
        };
        let handles: Vec<_> = unhandled.into_iter().filter_map(open).collect();
        let named: Vec<_> = handles.iter().map(|(name, handle)| (*name, handle.as_fd())).collect();
        self.keep(&named);
    }

    pub(super) fn keep_state(&mut self) {
        let owner = Owner::Daemon;
        let Some(state) = self.journal.memory() else { return };
        let pid_slots = (Name { owner, role: Role::PidSlots }, self.pid_slots.as_fd());
        let named = [(Name { owner, role: Role::State }, state), pid_slots];
        if let Some(store) = &mut self.store {
            store.keep(&named);
        }
        let kept = self.keeper.as_mut().map(|keeper| keeper.keep(&named));
        if let Some(Err(error)) = kept {
            self.lose_keeper(&error);
        }
    }

    /// Has what is on its way to logs kept, once everything before has been taken. The output plane may rely on it from then
    /// on.
    pub(super) fn keep_transit(&mut self) {
        if self.is_transit_kept {
            return;
        }
        let Some(TransitFiles { memory, reader, writer }) = &self.transit else { return };
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| keeper.time_left().is_none()) else { return };
        let name = |role| Name { owner: Owner::Daemon, role };
        let named = [
            (name(Role::Transit), memory.as_fd()),
            (name(Role::TransitPipe), reader.as_fd()),
            (name(Role::TransitEntry), writer.as_fd()),
        ];
        if let Some(store) = &mut self.store {
            store.keep(&named);
        }
        let kept = keeper.keep(&named);
        match kept {
            Ok(()) if keeper.time_left().is_none() => {
                self.is_transit_kept = true;
                self.output.send(OutputRequest::Kept(true));
            }
            // It is still on its way, and sent again when the keeper takes something.
            Ok(()) => {}
            Err(error) => self.lose_keeper(&error),
        }
    }

    /// Has the memory held in which output is kept, once there is any.
    pub(super) fn keep_output(&mut self, memory: &OutputMemory) {
        if self.is_output_kept || self.keeper.is_none() {
            return;
        }
        if let Some(file) = memory.file() {
            self.is_output_kept = true;
            self.keep(&[(OUTPUT, file.as_fd())]);
        }
    }

    pub(super) fn flush(&mut self) {
        match self.keeper.as_mut().map(Keeper::flush) {
            Some(Ok(false)) => self.keep_transit(),
            Some(Err(error)) => self.lose_keeper(&error),
            Some(Ok(true)) | None => {}
        }
        if let Some(Err(error)) = self.store.as_mut().map(DescriptorStore::flush) {
            self.store = None;
            let text = format!(
                "the service manager takes no descriptors ({error}): until the next start of the daemon, output may be lost if the \
                 daemon and its keeper are killed"
            );
            self.activity.log(LogLevel::Warn, &text);
        }
    }

    pub(super) fn lose_keeper(&mut self, error: &std::io::Error) {
        let Some(keeper) = self.keeper.take() else { return };
        self.output.send(OutputRequest::Kept(false));
        (self.is_transit_kept, self.is_output_kept) = (false, false);
        let now = present().mono;
        if now >= self.keeper_since + KEEPER_AGAIN.1 {
            self.keeper_again = Duration::ZERO;
        }
        let text = format!("the keeper (pid {}) has ended ({error}); another one will be started", keeper.pid());
        self.activity.log(LogLevel::Warn, &text);
        keeper.give_up();
        self.put_off_keeper(now);
    }

    /// The next keeper is made after a pause, and the one after it after a longer one.
    pub(super) fn put_off_keeper(&mut self, now: Duration) {
        self.keeper_due = Some(now + self.keeper_again);
        self.keeper_again = (self.keeper_again * 2).clamp(KEEPER_AGAIN.0, KEEPER_AGAIN.1);
    }

    /// When a keeper is to be made or given up, or the disk of the state file to be tried again.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let stuck = self.keeper.as_ref().and_then(Keeper::time_left).map(|left| present().mono + left);
        let store = self.store.as_ref().and_then(DescriptorStore::time_left).map(|left| present().mono + left);
        [self.keeper_due, self.journal.deadline(), stuck, store].into_iter().flatten().min()
    }

    /// Gives the keeper to the next program, unless it has not taken everything, with what it holds of the output plane.
    pub(super) fn into_kept(mut self, run_of: impl Fn(u32) -> Option<RunId>) -> Kept {
        self.keep_handles(run_of);
        self.flush();
        let transit = self.keeper.is_some().then_some(self.transit).flatten();
        Kept { keeper: self.keeper, transit, stored: self.store.map(DescriptorStore::into_stored).unwrap_or_default() }
    }

    /// Nothing is left to be taken over.
    pub(super) fn end(self) {
        self.journal.end();
        if let Some(store) = self.store {
            store.end();
        }
        if let Some(path) = &self.spawned_pids {
            let _ = fs::remove_file(path);
        }
        match self.keeper {
            Some(keeper) => keeper.end(),
            // The last one has left it behind.
            None => _ = supervisord_sys::socket::remove(&self.socket),
        }
    }
}

/// The pid slots, and their file where they have one.
fn open_pid_slots(path: Option<PathBuf>, activity: &Activity) -> std::io::Result<(PidSlots, Option<PathBuf>)> {
    let Some(path) = path else { return Ok((PidSlots::new()?, None)) };
    match PidSlots::in_file(&path) {
        Ok(pid_slots) => Ok((pid_slots, Some(path))),
        Err(error) => {
            let text = format!(
                "cannot use the file {} ({error}): a program that is just being started may run twice if this daemon and its \
                 keeper are killed at the same time",
                path.display()
            );
            activity.log(LogLevel::Warn, &text);
            // Made on a disk that is full. What another daemon has written has been read.
            if fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == 0) {
                let _ = fs::remove_file(&path);
            }
            Ok((PidSlots::new()?, None))
        }
    }
}

/// What the keeper knows the socket by on which programs notify the daemon.
pub(super) const NOTIFICATIONS: Name = Name { owner: Owner::Daemon, role: Role::Notifications };

/// What the keeper knows the memory by in which output is kept.
const OUTPUT: Name = Name { owner: Owner::Daemon, role: Role::OutputMemory };

/// What the keeper knows the pipe by into which the child of a run writes when it is ready.
pub(super) fn readiness(run: RunId) -> Name {
    Name { owner: Owner::Readiness(run.0), role: Role::Ready }
}

/// What the keeper knows a channel by.
pub(super) fn role(channel: Channel) -> Role {
    match channel {
        Channel::Stdout => Role::Stdout,
        Channel::Stderr => Role::Stderr,
    }
}
