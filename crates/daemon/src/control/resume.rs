//! Going on where another daemon, or another program, left off.

use std::os::fd::OwnedFd;

use supervisord_config::model::{Config, LogLevel};
use supervisord_core::process::ProgramCommand;
use supervisord_core::supervisor::{DaemonExit, ProcessId, RunningCommand, SpawnFailure, Spawned, SupervisorInput};

use super::Control;
use super::children::HandedChildren;
use crate::adoption::Afresh;
use crate::clock::present;
use crate::hand_over::{HandedChild, HandedCommand};

/// What a daemon that was started after another one was killed has to make of what that one left.
pub struct Reconfigured {
    /// The present configuration.
    pub config: Config,
    /// Why everything is to begin anew; none where supervision goes on.
    pub afresh: Option<Afresh>,
    /// The end that the daemon before had begun because of a program, if any is left.
    pub exit: Option<DaemonExit>,
}

impl Control {
    /// Removes the cgroups that the daemon before has left, those of living programs when these have ended. It comes before any
    /// child is made: one that is about to enter its cgroup has left it empty so far.
    pub(super) fn recall_cgroups(&mut self) {
        if self.supervisor.reaches_cgroups() {
            self.children.recall_cgroups();
        }
    }

    /// Takes over the children of the daemon before, and makes what another configuration wants of the active groups where
    /// that daemon was killed.
    pub fn resume(&mut self, handed: HandedChildren, reconfigured: Option<Reconfigured>) {
        let registry = self.poll.registry();
        self.children.spawner.resume(handed.sockets, handed.next_run, handed.notifications, registry);
        self.recall_cgroups();
        if let Some(keeper) = self.survival.as_ref().and_then(|survival| survival.inherited_keeper) {
            self.children.adopt_keeper(keeper);
        }
        let known = self.supervisor.processes_by_name();
        let process =
            |child: &HandedChild<OwnedFd>| known.get(&(child.group.as_str(), child.process.as_str())).copied();
        let children: Vec<_> =
            handed.children.into_iter().filter_map(|child| Some((process(&child)?, child))).collect();
        let replaced: Vec<_> = children.into_iter().filter_map(|(process, child)| self.adopt(process, child)).collect();
        for command in handed.commands {
            self.adopt_command(command);
        }
        self.children.recall_secrets(&self.tools);
        // The first thing after an upgrade: nobody has reaped meanwhile.
        self.reap_and_report();
        // From here on children may be made, which the state file must know.
        self.begin_journal();
        // What the supervisor believes alive and nobody found has ended meanwhile.
        let mut vanished = self.supervisor.believed_alive();
        vanished.retain(|(process, _)| self.children.kept(*process).is_none());
        let goes_on = reconfigured.as_ref().is_some_and(|reconfigured| reconfigured.afresh.is_none());
        if let Some(Reconfigured { config, afresh, exit }) = reconfigured {
            if let Some(reason) = afresh {
                let level = if matches!(reason, Afresh::OtherVersion(_)) { LogLevel::Warn } else { LogLevel::Info };
                self.tools.activity.log(level, &reason.to_string());
            }
            self.supervisor.mark_listeners_uncertain(present());
            match exit.filter(|_| afresh.is_none()) {
                Some(exit) => self.supervisor.resume_exit(exit, present()),
                None => self.supervisor.reconcile(config, afresh.is_some(), present()),
            }
            self.perform_effects();
        }
        // After that, so that nothing is started again as it is not defined any more.
        for (process, pid) in vanished {
            self.input(match pid {
                0 => SupervisorInput::Spawned { process, result: Err(killed_meanwhile()) },
                _ => SupervisorInput::Vanished { process },
            });
        }
        self.account_for_commands();
        for process in replaced {
            self.supervisor.replace(process, present());
            self.perform_effects();
        }
        self.supervisor.stop_disabled(present());
        self.perform_effects();
        if goes_on {
            // The daemon before may have been killed between its finish and what follows from that.
            self.supervisor.find_exit();
            self.perform_effects();
        }
    }

    /// Takes over a command of a program. One that has ended meanwhile is accounted for with all others.
    fn adopt_command(&mut self, command: HandedCommand<OwnedFd>) {
        let Some(process) = self.supervisor.find_process(&command.child.group, &command.child.process) else { return };
        let (tools, registry) = (&self.tools, self.poll.registry());
        self.children.adopt_command(command, process, &self.supervisor, tools, registry);
    }

    /// Tells the supervisor of the commands that it believes to run and nobody found.
    fn account_for_commands(&mut self) {
        for (process, RunningCommand { command, is_made }) in self.supervisor.running_commands() {
            if self.children.has_command(process, command) {
                continue;
            }
            self.input(match is_made {
                // It has told nothing that anybody heard: it is asked again when its program cannot be started.
                true if command == ProgramCommand::Environment => {
                    SupervisorInput::CommandEnded { process, command, result: Ok(()) }
                }
                true => SupervisorInput::CommandEnded { process, command, result: Err(ended_unseen()) },
                false => SupervisorInput::CommandNotMade { process, command },
            });
        }
    }

    /// Takes over the child of a process. Gives the process where it is to be replaced.
    fn adopt(&mut self, process: ProcessId, child: HandedChild<OwnedFd>) -> Option<ProcessId> {
        let (run, pid, is_replaced) = (child.run, child.pid, child.is_replaced);
        let is_new = self.supervisor.row(process).is_some_and(|row| row.pid == 0);
        if !self.children.adopt(child, process, &self.supervisor, &self.tools, self.poll.registry()) {
            return None;
        }
        self.input(match is_new {
            true => SupervisorInput::Spawned { process, result: Ok(Spawned { run, pid, at: present() }) },
            false => SupervisorInput::Adopted { process, run },
        });
        is_replaced.then_some(process)
    }
}

/// What became of a child that the daemon before was about to make. That says nothing about the program.
fn killed_meanwhile() -> SpawnFailure {
    SpawnFailure::Unanswered("the daemon was killed while making it".to_owned())
}

/// What became of a command that ended while no daemon ran.
fn ended_unseen() -> String {
    "it ended while no daemon ran, with an unknown exit status".to_owned()
}
