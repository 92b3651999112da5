//! Going on where another daemon, or another program, left off.

use std::os::fd::OwnedFd;

use supervisord_config::model::Config;
use supervisord_core::supervisor::{Born, Input, SpawnFailure};

use super::{Control, HandedChildren, present};
use crate::hand_over::HandedChild;

impl Control {
    /// Takes over the children of the daemon before, and makes the present configuration of the active groups where one
    /// is given.
    pub fn resume(&mut self, handed: HandedChildren, config: Option<Config>) {
        self.children.nursery.resume(handed.sockets, handed.next_run);
        for child in handed.children {
            self.adopt(child);
        }
        // The first thing after an upgrade: nobody has reaped meanwhile.
        self.reap();
        // From here on children may be made, which the state file must know.
        self.begin_journal();
        // What the supervisor believes alive and nobody found has ended meanwhile.
        for (process, pid) in self.supervisor.believed_alive() {
            if self.children.kept(process).is_none() {
                self.input(match pid {
                    0 => Input::Spawned { process, result: Err(killed_meanwhile()) },
                    _ => Input::Vanished { process },
                });
            }
        }
        if let Some(config) = config {
            self.supervisor.doubt_listeners(present());
            self.supervisor.reconcile(config, present());
            self.perform_effects();
        }
    }

    fn adopt(&mut self, child: HandedChild<OwnedFd>) {
        let Some(process) = self.supervisor.find_process(&child.group, &child.process) else { return };
        let (run, pid) = (child.run, child.pid);
        let is_new = self.supervisor.row(process).is_some_and(|row| row.pid == 0);
        if !self.children.adopt(child, process, &self.supervisor, &self.tools, self.poll.registry()) {
            return;
        }
        self.input(match is_new {
            true => Input::Spawned { process, result: Ok(Born { run, pid, at: present() }) },
            false => Input::Adopted { process, run },
        });
    }
}

/// What became of a child that the daemon before was about to make.
fn killed_meanwhile() -> SpawnFailure {
    SpawnFailure::Refused("the daemon was killed while making it".to_owned())
}
