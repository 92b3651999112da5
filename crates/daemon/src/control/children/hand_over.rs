//! The children on their way to the next program, and what the keeper holds of them.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use supervisord_core::output::Channel;
use supervisord_core::supervisor::Supervisor;

use super::leftover::LeftoverChildren;
use super::role::{Role, Supervised};
use super::stdin::Stdin;
use super::{Child, Children};
use crate::hand_over::{HandedChannel, HandedChild, HandedCommand, HandedSocket};
use crate::keeper::{Name, Owner, Role as Descriptor};
use crate::output::{HandedStream, RunId};
use crate::state::command::CommandRecord;

/// All children of processes and what belongs to them, on their way to the next program.
pub struct HandedChildren {
    pub(crate) children: Vec<HandedChild<OwnedFd>>,
    pub(crate) commands: Vec<HandedCommand<OwnedFd>>,
    pub(crate) sockets: Vec<HandedSocket<OwnedFd>>,
    pub(crate) next_run: u64,
    /// The socket on which they notify the daemon.
    pub(crate) notifications: Option<OwnedFd>,
}

impl Children {
    /// What of living children the keeper is to hold, but for what the output plane reads.
    pub(in crate::control) fn held(&self) -> Vec<(Name, BorrowedFd<'_>)> {
        let name = |run: &RunId| Name { owner: Owner::Run(run.0), role: Descriptor::Stdout };
        let captures = self.captures.iter().map(|(run, pipe)| (name(run), pipe.as_fd()));
        self.living.iter().flat_map(|(run, child)| child.role.held(*run)).chain(captures).collect()
    }

    /// The living children of processes that this process spawned, with their process ids.
    pub(in crate::control) fn own(&self) -> Vec<(RunId, u32)> {
        let is_own = |child: &Child| child.role.supervised().is_some_and(|supervised| supervised.orphan.is_none());
        self.living.iter().filter(|(_, child)| is_own(child)).map(|(run, child)| (*run, child.pid)).collect()
    }

    /// Gives the living children of all processes to the next program, with the streams that the output plane gave back.
    /// The next program goes on with the keeper of this process id, too. All others are left over.
    pub(in crate::control) fn hand_over(
        mut self,
        supervisor: &Supervisor,
        streams: Vec<HandedStream>,
        keeper: Option<u32>,
    ) -> (HandedChildren, LeftoverChildren) {
        let mut by_run: HashMap<RunId, Vec<HandedChannel<OwnedFd>>> = HashMap::new();
        for HandedStream { run, channel, pipe, pipeline, end } in streams {
            by_run.entry(run).or_default().push(HandedChannel { channel, pipe, pipeline: Some(pipeline), end });
        }
        for (run, pipe) in self.captures.drain() {
            let stdout =
                HandedChannel { channel: Channel::Stdout, pipe: Some(pipe.into()), pipeline: None, end: Vec::new() };
            by_run.entry(run).or_default().push(stdout);
        }
        let (mut children, mut commands, mut leftover) = (Vec::new(), Vec::new(), LeftoverChildren::default());
        for (run, child) in self.living {
            // Another child has the process id of this one, which has ended and has not been told of.
            if self.by_pid.get(&child.pid) != Some(&run) {
                continue;
            }
            let (supervised, listener, command) = match child.role {
                Role::Program(supervised) => (supervised, None, None),
                Role::Listener(supervised, pipe) => (supervised, Some(pipe), None),
                Role::Command(command) => {
                    let kept = CommandRecord::from(&command.kept());
                    (command.supervised, None, Some(kept))
                }
                Role::Keeper if keeper == Some(child.pid) => continue,
                Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper => {
                    leftover.add(child.pid);
                    continue;
                }
            };
            let Supervised { process, kept, stdin, orphan, ready } = supervised;
            let Some(group) = supervisor.group_of(process) else { continue };
            let Some(config) = supervisor.process(process) else { continue };
            let (stdin, waiting) = stdin.map(Stdin::into_parts).unzip();
            let handed = HandedChild {
                run,
                group: group.to_string(),
                process: config.identity.name.clone(),
                pid: child.pid,
                kept,
                orphan: orphan.is_some(),
                handle: orphan.map(|orphan| orphan.handle.into()),
                is_replaced: false,
                stdin,
                waiting: waiting.unwrap_or_default(),
                listener: listener.map(|listener| listener.pipe.into()),
                ready: ready.map(|ready| ready.pipe.into()),
                streams: by_run.remove(&run).unwrap_or_default(),
            };
            match command {
                None => children.push(handed),
                Some(CommandRecord { command, kill_at, timeout, .. }) => {
                    commands.push(HandedCommand { child: handed, command, kill_at, timeout });
                }
            }
        }
        let (sockets, next_run, notifications) = self.spawner.hand_over();
        (HandedChildren { children, commands, sockets, next_run, notifications }, leftover)
    }

    /// What is left at the end of the control plane, which has stopped the processes of the supervisor.
    pub(in crate::control) fn into_leftover(mut self) -> LeftoverChildren {
        // Those who were in them have ended by now.
        self.remove_cgroups(None);
        let mut leftover = LeftoverChildren::default();
        for child in self.living.into_values() {
            match child.role {
                Role::Command(_) | Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper => leftover.add(child.pid),
                Role::Program(_) | Role::Listener(..) => {}
            }
        }
        leftover
    }
}
