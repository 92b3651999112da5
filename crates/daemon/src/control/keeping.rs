//! What has changed is noted in the state, and the keeper gets what cannot be written down.

use std::os::fd::AsFd;

use mio::{Interest, Registry};
use supervisord_config::model::LogLevel;
use supervisord_core::supervisor::ProcessId;

use super::Control;
use super::children::{ChildPlan, Role};
use super::survival::{self, role};
use super::tokens::KEEPER;
use crate::clock::present;
use crate::descriptor::register;
use crate::keeper::{Keeper, Name, Owner, Role as Descriptor};
use crate::output::{OutputRequest, RunId, StreamCopy};

impl Control {
    /// Begins to note the state, and has it kept.
    pub(super) fn begin_journal(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        let sockets = self.children.spawner.sockets();
        let begun = survival.journal.begin(&self.supervisor, sockets, |process| self.children.runs(process));
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
        let (children, spawner) = (&self.children, &self.children.spawner);
        survival.forget_others(|owner| match owner {
            Owner::Daemon => true,
            Owner::Run(run) | Owner::Readiness(run) => children.has(RunId(run)),
            Owner::Socket(number) => spawner.open_sockets().any(|(known, _)| known == number),
        });
        self.make_keeper_when_due();
    }

    /// Makes a keeper where there is none, and tells it everything.
    pub(super) fn make_keeper_when_due(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        let now = present().mono;
        if survival.keeper_due.is_none_or(|due| due > now) {
            return;
        }
        let children = &mut self.children;
        let started = Keeper::start(&survival.socket, |command, stdio| {
            let (_, pid) = children.spawn(ChildPlan { command, stdio, role: Role::Keeper, kill_at: None })?;
            Ok(pid)
        });
        match started {
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
        survival.keep_output(&self.tools.memory);
        survival.keep(&self.children.held());
        survival.unhandled.extend(self.children.own());
        if let Some(socket) = self.children.spawner.notifications.socket() {
            survival.keep(&[(survival::NOTIFICATIONS, socket)]);
        }
        for (socket, descriptor) in self.children.spawner.open_sockets() {
            survival.keep(&[(Name { owner: Owner::Socket(socket), role: Descriptor::Listener }, descriptor)]);
        }
        self.tools.output.send(OutputRequest::Copy);
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

    /// The keeper has sent something, can take more, or has ended.
    pub(super) fn receive_from_keeper(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        let Some(received) = survival.keeper.as_mut().map(Keeper::receive) else { return };
        match received {
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

    /// Notes how processes react to the failure of others, before the failure is noted.
    pub(super) fn note_reactions(&mut self) {
        let reactions = self.supervisor.take_reactions();
        let Some(survival) = &mut self.survival else { return };
        for process in reactions {
            survival.journal.note(&self.supervisor, process, self.children.runs(process));
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
            survival.journal.note(&self.supervisor, process, self.children.runs(process));
        }
        survival.keep_handles(|pid| self.children.run_of(pid));
        survival.keep_output(&self.tools.memory);
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
