//! The pipes of a program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use supervisord_config::model::Process;
use supervisord_config::readiness::ReadyWhen;
use supervisord_core::output::Channel;
use supervisord_core::process::ReadinessRule;
use supervisord_sys::pipe;
use supervisord_sys::spawn::{ChildDescriptors, Stdio};

use crate::control::survival;
use crate::keeper::Role;

/// The ends of the pipes of a program that is about to be spawned.
pub(super) struct Pipes {
    child_stdin: OwnedFd,
    child_stdout: OwnedFd,
    /// None when it shares the stdout.
    child_stderr: Option<OwnedFd>,
    /// None with a FastCGI socket in its place.
    pub(super) stdin: Option<OwnedFd>,
    /// None when the output plane has it.
    pub(super) stdout: Option<OwnedFd>,
    /// Into which it writes when it is ready, with the number that this has in the child.
    child_ready: Option<(u16, OwnedFd)>,
    /// Our end of that.
    pub(super) ready: Option<OwnedFd>,
}

/// The outputs of a program that the output plane knows, with the pipes it is to read.
pub(super) type Outputs = Vec<(Channel, Option<OwnedFd>)>;

impl Pipes {
    /// Opens the pipes of a program. With `reads_stdout`, control reads its stdout.
    pub(super) fn open(
        process: &Process,
        socket: Option<Arc<OwnedFd>>,
        reads_stdout: bool,
    ) -> std::io::Result<(Pipes, Outputs)> {
        let (child_stdin, stdin) = match socket {
            Some(socket) => (socket.try_clone()?, None),
            None => {
                let pipe = pipe::to_child()?;
                (pipe.reader, Some(pipe.writer))
            }
        };
        let stdout = pipe::from_child()?;
        let stderr = if process.logging.redirect_stderr { None } else { Some(pipe::from_child()?) };
        let (stderr, child_stderr) = stderr.map_or((None, None), |pipe| (Some(pipe.reader), Some(pipe.writer)));
        let (own_stdout, other_stdout) =
            if reads_stdout { (Some(stdout.reader), None) } else { (None, Some(stdout.reader)) };
        let (child_ready, ready) = match ReadinessRule::of(process).sign() {
            Some(ReadyWhen::Descriptor(number)) => {
                let pipe = pipe::from_child()?;
                (Some((*number, pipe.writer)), Some(pipe.reader))
            }
            Some(ReadyWhen::Notify | ReadyWhen::Line(_) | ReadyWhen::Probe(_)) | None => (None, None),
        };
        let mut outputs = vec![(Channel::Stdout, other_stdout)];
        outputs.extend(stderr.map(|pipe| (Channel::Stderr, Some(pipe))));
        Ok((
            Pipes {
                child_stdin,
                child_stdout: stdout.writer,
                child_stderr,
                stdin,
                stdout: own_stdout,
                child_ready,
                ready,
            },
            outputs,
        ))
    }

    /// Our ends, those that the output plane is to get among them.
    pub(super) fn ours<'a>(&'a self, outputs: &'a Outputs) -> Vec<(Role, BorrowedFd<'a>)> {
        let own = [(Role::Stdin, &self.stdin), (Role::Stdout, &self.stdout)];
        let outputs = outputs.iter().map(|(channel, pipe)| (survival::role(*channel), pipe));
        own.into_iter().chain(outputs).filter_map(|(role, pipe)| Some((role, pipe.as_ref()?.as_fd()))).collect()
    }

    /// The ends of the child.
    pub(super) fn descriptors<'fd>(&'fd self, cgroup: Option<BorrowedFd<'fd>>) -> ChildDescriptors<'fd> {
        let stdio = Stdio {
            stdin: self.child_stdin.as_fd(),
            stdout: self.child_stdout.as_fd(),
            stderr: self.child_stderr.as_ref().unwrap_or(&self.child_stdout).as_fd(),
        };
        let further = self.child_ready.as_ref().map(|(number, pipe)| (*number, pipe.as_fd()));
        ChildDescriptors { stdio, further, cgroup }
    }
}
