//! What this daemon does so that another one can go on if it is killed: it notes its state, and has its keeper hold what
//! cannot be written down.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mio::{Interest, Registry};
use supervisord_config::model::LogLevel;
use supervisord_core::output::Channel;
use supervisord_core::supervisor::ProcessId;
use supervisord_sys::Pid;
use supervisord_sys::process_handle::ProcessHandle;

use super::children::Children;
use super::{Control, KEEPER};
use crate::activity::Activity;
use crate::clock::present;
use crate::descriptor::register;
use crate::keeper::{Keeper, Name, Owner, Role};
use crate::output::{OutputHandle, Request, RunId, StreamCopy, TransitFiles};
use crate::state::births::{self, Births};
use crate::state::{Journal, Socket};

/// How long the daemon waits before it makes another keeper after a second one that could not be made or did not last, and
/// at most. The first one, and one that has lasted for the longest pause, is replaced at once.
const KEEPER_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Where a daemon leaves what the next one needs.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// The state file.
    pub state_file: String,
    /// The socket of the keeper.
    pub socket: PathBuf,
}

/// The state of this daemon for another one.
pub(super) struct Survival {
    pub(super) journal: Journal,
    socket: PathBuf,
    keeper: Option<Keeper>,
    /// When a keeper is to be made; none while there is one.
    keeper_due: Option<Duration>,
    /// When the present one, or the last one, was made or taken over.
    keeper_since: Duration,
    /// How long the next one is put off.
    keeper_again: Duration,
    births: Births,
    /// What the output plane has on its way to logs.
    transit: Option<TransitFiles>,
    /// Whether the output plane relies on that being kept.
    is_transit_kept: bool,
    output: OutputHandle,
    /// Children that the keeper has no handle on yet.
    unhandled: Vec<(RunId, u32)>,
    /// Whether a lack of room in the keeper has been logged.
    no_room_logged: bool,
    /// Whether it has been logged that no keeper can be made.
    no_keeper_logged: bool,
    activity: Activity,
}

impl Survival {
    /// With the keeper of the daemon before, if there was one; otherwise one is made by [`Control::begin_keeping`]. The output
    /// plane knows whether it has one before it reads the first stream.
    ///
    /// # Errors
    /// The system has no memory that can be shared.
    pub(super) fn new(
        legacy: Legacy,
        keeper: Option<Keeper>,
        transit: Option<TransitFiles>,
        output: OutputHandle,
        activity: Activity,
    ) -> std::io::Result<Survival> {
        let Legacy { state_file, socket } = legacy;
        let mut survival = Survival {
            journal: Journal::new(state_file, output.clone()),
            socket,
            keeper_due: keeper.is_none().then_some(Duration::ZERO),
            keeper_since: present().mono,
            keeper_again: Duration::ZERO,
            keeper,
            births: Births::new()?,
            transit,
            is_transit_kept: false,
            output,
            unhandled: Vec::new(),
            no_room_logged: false,
            no_keeper_logged: false,
            activity,
        };
        match survival.keeper {
            Some(_) => survival.keep_transit(),
            None => survival.output.send(Request::Kept(false)),
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
    }

    /// Where the system is to write the process id of the child that is about to be made.
    pub(super) fn expect_birth(&self, run: RunId) -> &AtomicU64 {
        self.births.expect(run)
    }

    /// A child has been made.
    pub(super) fn born(&mut self, run: RunId, pid: u32) {
        self.unhandled.push((run, pid));
    }

    /// Whether so many children have been made that it must be noted who they are before more are.
    pub(super) fn is_full_of_births(&self) -> bool {
        self.unhandled.len() >= births::MOST / 2
    }

    fn keep(&mut self, named: &[(Name, BorrowedFd<'_>)]) {
        let kept = self.keeper.as_mut().map(|keeper| keeper.keep(named));
        if let Some(Err(error)) = kept {
            self.lose_keeper(&error);
        }
    }

    /// Has handles kept on the children that were made in this turn, unless they have been reaped: then the number may be
    /// somebody else's.
    fn keep_handles(&mut self, children: &Children) {
        let mut unhandled = std::mem::take(&mut self.unhandled);
        unhandled.retain(|(run, pid)| children.run_of(*pid) == Some(*run));
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

    fn keep_state(&mut self) {
        let (owner, keeper) = (Owner::Daemon, self.keeper.as_mut());
        let births = (Name { owner, role: Role::Births }, self.births.as_fd());
        let kept = match (keeper, self.journal.memory()) {
            (Some(keeper), Some(state)) => keeper.keep(&[(Name { owner, role: Role::State }, state), births]),
            (None, _) | (_, None) => Ok(()),
        };
        if let Err(error) = kept {
            self.lose_keeper(&error);
        }
    }

    /// Has what is on its way to logs kept, once everything before has been taken. The output plane may rely on it from then
    /// on.
    fn keep_transit(&mut self) {
        if self.is_transit_kept {
            return;
        }
        let Some(TransitFiles { memory, reader, writer }) = &self.transit else { return };
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| keeper.patience().is_none()) else { return };
        let name = |role| Name { owner: Owner::Daemon, role };
        let kept = keeper.keep(&[
            (name(Role::Transit), memory.as_fd()),
            (name(Role::TransitPipe), reader.as_fd()),
            (name(Role::TransitEntry), writer.as_fd()),
        ]);
        match kept {
            Ok(()) if keeper.patience().is_none() => {
                self.is_transit_kept = true;
                self.output.send(Request::Kept(true));
            }
            // It is still on its way, and sent again when the keeper takes something.
            Ok(()) => {}
            Err(error) => self.lose_keeper(&error),
        }
    }

    fn flush(&mut self) {
        match self.keeper.as_mut().map(Keeper::flush) {
            Some(Ok(false)) => self.keep_transit(),
            Some(Err(error)) => self.lose_keeper(&error),
            Some(Ok(true)) | None => {}
        }
    }

    fn lose_keeper(&mut self, error: &std::io::Error) {
        let Some(keeper) = self.keeper.take() else { return };
        self.output.send(Request::Kept(false));
        self.is_transit_kept = false;
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
    fn put_off_keeper(&mut self, now: Duration) {
        self.keeper_due = Some(now + self.keeper_again);
        self.keeper_again = (self.keeper_again * 2).clamp(KEEPER_AGAIN.0, KEEPER_AGAIN.1);
    }

    /// When a keeper is to be made or given up, or the disk of the state file to be tried again.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let stuck = self.keeper.as_ref().and_then(Keeper::patience).map(|patience| present().mono + patience);
        [self.keeper_due, self.journal.deadline(), stuck].into_iter().flatten().min()
    }

    /// Gives the keeper to the next program, unless it has not taken everything, with what it holds of the output plane.
    pub(super) fn into_kept(mut self, children: &Children) -> Option<(Keeper, Option<TransitFiles>)> {
        self.keep_handles(children);
        self.flush();
        Some((self.keeper?, self.transit))
    }

    /// Nothing is left to be taken over.
    pub(super) fn end(self) {
        self.journal.end();
        match self.keeper {
            Some(keeper) => keeper.end(),
            // The last one has left it behind.
            None => _ = supervisord_sys::socket::remove(&self.socket),
        }
    }
}

impl Control {
    /// Begins to note the state, and has it kept.
    pub(super) fn begin_journal(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        let sockets = self.children.spawner.sockets();
        let begun =
            survival.journal.begin(&self.supervisor, sockets, |process| self.children.kept_or_expected(process));
        if let Err(error) = begun {
            let text = format!("the state cannot be kept in memory, only in the state file: {error}");
            self.tools.activity.log(LogLevel::Error, &text);
        }
        survival.keep_state();
    }

    /// Has the keeper of the daemon before watched, or makes one, and has it hold everything.
    pub(super) fn begin_keeping(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        if let Some(keeper) = &survival.keeper {
            watch(keeper, self.poll.registry());
        }
        self.make_keeper_when_due();
    }

    /// Makes a keeper where there is none, and tells it everything.
    pub(super) fn make_keeper_when_due(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        let now = present().mono;
        if survival.keeper_due.is_none_or(|due| due > now) {
            return;
        }
        match Keeper::start(&survival.socket) {
            Ok(keeper) => {
                watch(&keeper, self.poll.registry());
                survival.keeper = Some(keeper);
                survival.keeper_due = None;
                survival.keeper_since = now;
                if std::mem::take(&mut survival.no_keeper_logged) {
                    self.tools.activity.log(LogLevel::Info, "a keeper has been started");
                }
                self.tell_keeper_everything();
            }
            Err(error) => {
                survival.put_off_keeper(now);
                if !survival.no_keeper_logged {
                    survival.no_keeper_logged = true;
                    let path = survival.socket.display();
                    let text = format!(
                        "cannot start a keeper at {path}, will try again; until then programs do not survive if this daemon \
                         is killed: {error}"
                    );
                    self.tools.activity.log(LogLevel::Error, &text);
                }
            }
        }
    }

    fn tell_keeper_everything(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        survival.keep_state();
        survival.keep_transit();
        survival.keep(&self.children.held());
        survival.unhandled.extend(self.children.own());
        for (socket, descriptor) in self.children.spawner.open_sockets() {
            survival.keep(&[(Name { owner: Owner::Socket(socket), role: Role::Listener }, descriptor)]);
        }
        self.tools.output.send(Request::Copy);
    }

    /// Copies of the streams that the output plane reads, for a keeper that has just been made.
    pub(super) fn keep_copies(&mut self, copies: Vec<StreamCopy>) {
        let Some(survival) = &mut self.survival else { return };
        for StreamCopy { run, channel, pipe } in copies {
            // One that has been drained meanwhile is nobody's any more.
            if self.children.identify(run).is_some() {
                survival.keep_pipes(run, &[(role(channel), pipe.as_fd())]);
            }
        }
    }

    /// The keeper has something to say, or takes more, or has gone.
    pub(super) fn hear_keeper(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        let Some(heard) = survival.keeper.as_mut().map(Keeper::hear) else { return };
        match heard {
            Ok(true) if !survival.no_room_logged => {
                survival.no_room_logged = true;
                let text = "the keeper has reached its limit on open files: not all programs would survive if this daemon were \
                            killed; raise the limit";
                survival.activity.log(LogLevel::Error, text);
            }
            Ok(_) => survival.flush(),
            Err(error) => survival.lose_keeper(&error),
        }
    }

    /// Has the state of a process noted when this turn of the loop is done: a process changes several times in one turn.
    pub(super) fn note(&mut self, process: ProcessId) {
        if self.survival.is_some() {
            self.unnoted.insert(process);
        }
    }

    /// Notes what has changed in this turn.
    pub(super) fn write_notes(&mut self) {
        let listeners = self.listener_batching.take_due(present().mono);
        if listeners.is_some() {
            self.tools.output.ring();
        }
        let Some(survival) = &mut self.survival else { return };
        self.unnoted.extend(listeners.into_iter().flatten());
        for process in std::mem::take(&mut self.unnoted) {
            survival.journal.note(&self.supervisor, process, self.children.kept_or_expected(process));
        }
        survival.keep_handles(&self.children);
        survival.flush();
        if survival.journal.should_begin_again(present().mono) {
            self.begin_journal();
        }
        self.make_keeper_when_due();
    }

    pub(super) fn note_waiting_events(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        for listener in survival.journal.news_of_events(&self.supervisor) {
            self.note(listener);
        }
    }
}

fn watch(keeper: &Keeper, registry: &Registry) {
    // Without the watch its end is noticed when it is to be told something.
    let _ = register(registry, keeper, KEEPER, Interest::READABLE | Interest::WRITABLE);
}

/// What the keeper knows a channel by.
pub(super) fn role(channel: Channel) -> Role {
    match channel {
        Channel::Stdout => Role::Stdout,
        Channel::Stderr => Role::Stderr,
    }
}
