//! What a child is for. Its role decides where its output goes and who learns of its end.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use supervisord_core::process::ProgramCommand;
use supervisord_core::supervisor::ProcessId;

use super::listener_pipe::ListenerPipe;
use super::orphan::Orphan;
use super::ready_pipe::ReadyPipe;
use super::stdin::Stdin;
use crate::keeper::{Name, Owner, Role as Descriptor};
use crate::output::RunId;
use crate::state;

/// What a child is for.
pub(in crate::control) enum Role {
    /// A program. The output plane reads its stdout and its stderr. The supervisor learns of its end once they have been
    /// read.
    Program(Supervised),
    /// An event listener: a program whose stdout control reads, because it is the protocol.
    Listener(Supervised, Box<ListenerPipe>),
    /// A command of a program beside its own. Its output goes to the logs of the program. The supervisor learns of its end once it
    /// has been read.
    Command(Box<CommandChild>),
    /// The plug-in process. Its output goes where the daemon's goes. Who asked for it learns of its end by this function.
    Plugin(Box<dyn FnOnce() + Send>),
    /// The program on disk, which is tried before an upgrade. The upgrade learns of its end, with what it wrote into this
    /// pipe.
    SelfTest(File),
    /// The keeper. It writes nothing, and its connection tells of its end before it is reaped.
    Keeper,
}

/// What control holds of a process of the supervisor.
pub(in crate::control) struct Supervised {
    pub(super) process: ProcessId,
    /// What identifies the child to another daemon.
    pub(super) kept: state::Run,
    pub(super) stdin: Option<Stdin>,
    /// None for a child of this process.
    pub(super) orphan: Option<Orphan>,
    /// Into which it writes when it is ready; none where it is, or does not tell in this way.
    pub(super) ready: Option<ReadyPipe>,
}

/// What control holds of a command of a program beside its own.
pub(in crate::control) struct CommandChild {
    pub(super) supervised: Supervised,
    pub(super) command: ProgramCommand,
    /// When it is killed, on the monotonic clock, unless it is ended before.
    pub(super) kill_at: Duration,
    /// How long it may take altogether.
    pub(super) timeout: Duration,
    /// Whether it has been told to end.
    pub(super) is_being_ended: bool,
}

impl CommandChild {
    /// What the state says of it.
    pub(super) fn kept(&self) -> state::CommandRun {
        let (command, kill_at, timeout) = (self.command, self.kill_at, self.timeout);
        state::CommandRun { command, run: self.supervised.kept.clone(), kill_at, timeout }
    }
}

impl Role {
    /// What is held of a process of the supervisor; none for other children.
    pub(super) fn supervised(&self) -> Option<&Supervised> {
        match self {
            Role::Program(supervised) | Role::Listener(supervised, _) => Some(supervised),
            Role::Command(command) => Some(&command.supervised),
            Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn supervised_mut(&mut self) -> Option<&mut Supervised> {
        match self {
            Role::Program(supervised) | Role::Listener(supervised, _) => Some(supervised),
            Role::Command(command) => Some(&mut command.supervised),
            Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper => None,
        }
    }

    /// The stdout of a listener.
    pub(super) fn listener_pipe(&self) -> Option<&ListenerPipe> {
        match self {
            Role::Listener(_, pipe) => Some(pipe),
            Role::Program(_) | Role::Command(_) | Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper => None,
        }
    }

    /// What the keeper is to hold of this run, but for what the output plane reads.
    pub(super) fn held(&self, run: RunId) -> impl Iterator<Item = (Name, BorrowedFd<'_>)> {
        let owner = Owner::Run(run.0);
        let supervised = self.supervised();
        let stdin = supervised.and_then(|supervised| Some((Descriptor::Stdin, supervised.stdin.as_ref()?.as_fd())));
        let handle =
            supervised.and_then(|supervised| Some((Descriptor::Handle, supervised.orphan.as_ref()?.handle.as_fd())));
        let stdout = self.listener_pipe().map(|listener| (Descriptor::Stdout, listener.pipe.as_fd()));
        let own = [stdin, stdout, handle].into_iter().flatten().map(move |(role, fd)| (Name { owner, role }, fd));
        own.chain(supervised.and_then(|supervised| supervised.ready.as_ref()?.held(run)))
    }
}
