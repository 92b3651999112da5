//! What other threads tell control and ask of it.

use std::io;
use std::os::fd::AsFd;

use supervisord_core::event::ProcessName;
use supervisord_core::output::Channel;
use supervisord_core::process::KillScope;
use supervisord_core::supervisor::{CallId, OutputKind, SupervisorInput};
use supervisord_sys::signal::SIGKILL;
use supervisord_sys::spawn::Stdio;

use super::Control;
use super::children::{ChildPlan, Role};
use super::inbox::Message;
use super::upgrade_phase::UpgradePhase;
use crate::calls::Pending;
use crate::clock::present;
use crate::keeper::Owner;
use crate::output::{Report, RunId};
use crate::plugins::{PluginNotice, SpawnRequest};
use crate::probing::ProbeAnswer;

impl Control {
    /// Takes everything that other threads have told control.
    pub(super) fn take_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Output(report) => self.take_report(report),
                Message::Cleared { process, call, outcome } => self.cleared(process, call, outcome),
                Message::DisabledStored(result) => self.input(SupervisorInput::DisabledStored { result }),
                Message::Reread { number, config } => {
                    // One that was given up was refused already.
                    if self.rereads.finish(number) {
                        self.input(SupervisorInput::RestartSignal { config });
                    }
                }
                Message::NetworkStopped(clients) => self.upgrade = UpgradePhase::Ready(clients),
                Message::Plugins(notice) => self.take_notice(notice),
                Message::Probed(ProbeAnswer { process, purpose, attempt, result }) => {
                    self.input(SupervisorInput::Probed { process, purpose, attempt, result });
                }
            }
        }
    }

    /// Takes what the output plane has told control. All other messages are dropped: they would change what is being handed
    /// over, and nobody waits for them any more.
    pub(super) fn take_last_reports(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Output(report) = message {
                self.take_report(report);
            }
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Drained { run, end } => {
                // From now on, whoever else has its pipes sees that nobody is at their other ends.
                if let Some(survival) = &mut self.survival {
                    survival.forget(Owner::Run(run.0));
                    survival.forget(Owner::Readiness(run.0));
                }
                match self.children.drained(run) {
                    Some(drained) => self.drained(drained, &end),
                    // The supervisor has been told of the end, because the output took too long.
                    None => self.add_output(run, &end),
                }
            }
            Report::Copies(copies) => self.keep_copies(copies),
            Report::StateWritten => {
                if let Some(survival) = &mut self.survival {
                    survival.journal.file_written();
                }
            }
            Report::StateFailed => {
                if let Some(survival) = &mut self.survival {
                    survival.journal.file_failed(present().mono);
                }
            }
            Report::LinesLost { group, process, channel, lines } => {
                let process = ProcessName { group: group.into(), process: process.into() };
                self.input(SupervisorInput::LinesLost { process, channel, lines });
            }
            Report::Lost { run, channel, bytes } => self.input(SupervisorInput::OutputLost { run, channel, bytes }),
            Report::ReadyLine { run } => self.input(SupervisorInput::Ready { run }),
            Report::Log { run, channel, bytes } => self.output(run, OutputKind::Log, channel, bytes),
            Report::Communication { run, channel, bytes } => {
                self.output(run, OutputKind::Communication, channel, bytes);
            }
        }
    }

    fn take_notice(&mut self, notice: PluginNotice) {
        match notice {
            PluginNotice::Ready => self.stop_waiting_for_plugins(),
            PluginNotice::Judged { process, judgement, verdict } => {
                self.input(SupervisorInput::Judged { process, judgement, verdict });
            }
            PluginNotice::Subscribed(kinds) => self.input(SupervisorInput::Subscribed { kinds }),
            PluginNotice::Spawn(request) => self.spawn_plugin_process(*request),
            PluginNotice::Kill(run) => {
                // It may have ended, and then who asked for it is told.
                let _ = self.children.kill(run, SIGKILL, KillScope::Process);
            }
        }
    }

    fn spawn_plugin_process(&mut self, request: SpawnRequest) {
        let SpawnRequest { plan: command, stdin, on_spawned, on_exit } = request;
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let stdio = Stdio { stdin: stdin.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() };
        on_spawned(self.children.spawn(ChildPlan { command, stdio, role: Role::Plugin(on_exit), kill_at: None }));
    }

    fn output(&mut self, run: RunId, kind: OutputKind, channel: Channel, bytes: Vec<u8>) {
        self.tools.budget.release(bytes.len());
        if let Some((process, pid)) = self.children.identify(run) {
            self.input(SupervisorInput::Output { process, pid, kind, channel, bytes });
        }
    }

    /// Takes the calls that clients have made.
    pub(super) fn take_calls(&mut self) {
        while let Ok(Pending { actor, call, reply }) = self.pending.try_recv() {
            let id = CallId(self.next_call);
            self.next_call += 1;
            self.replies.insert(id, reply);
            self.input(SupervisorInput::Call { id, actor, call });
        }
    }
}
