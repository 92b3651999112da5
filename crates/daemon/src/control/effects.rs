//! What the supervisor wants done, done.

use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_config::pyrepr::repr;
use supervisord_core::disabled::DisabledPrograms;
use supervisord_core::output::debug_text;
use supervisord_core::process::{CommandPlan, KillScope, ProgramCommand, StopPlan};
use supervisord_core::supervisor::{Effect, HandlerVerdict, ProcessId, SpawnFailure, SupervisorInput};
use supervisord_sys::process_tree;
use supervisord_sys::signal::SIGKILL;
use supervisord_wire::name::Namespec;

use super::Control;
use super::inbox::Message;
use super::spawn;
use super::survival::Survival;
use crate::clock::present;
use crate::disabled_file;
use crate::keeper::Owner;
use crate::output::OutputRequest;
use crate::probing::ProbeRequest;

impl Control {
    /// Carries out everything that the supervisor has answered so far.
    pub(super) fn perform_effects(&mut self) {
        self.note_reactions();
        while let Some(effect) = self.supervisor.poll_effect() {
            if let Some(answer) = self.perform(effect) {
                self.supervisor.handle(present(), answer);
                self.note_reactions();
            }
        }
        self.publish_events();
    }

    /// The orphans of a program that is to be stopped with all its descendants become children of the daemon, which thus learns
    /// of their ends.
    fn adopt_orphans_of(&mut self, process: ProcessId) {
        let reaches_tree = self.supervisor.process(process).is_some_and(|config| StopPlan::of(config).reaches_tree());
        if reaches_tree && !process_tree::adopts_orphans() && process_tree::adopt_orphans().is_ok() {
            self.supervisor.expect_orphans();
        }
    }

    /// Runs a command of a process beside its program. One that cannot be run because the daemon lacks something for the moment
    /// waits.
    fn run_command(&mut self, process: ProcessId, command: ProgramCommand, plan: &CommandPlan) -> Result<(), String> {
        match self.spawn_command(process, command, plan) {
            Ok(()) => Ok(()),
            Err(SpawnFailure::Exhausted(_) | SpawnFailure::Unanswered(_))
                if self.put_off.put_off(process, command, plan, present().mono) =>
            {
                Ok(())
            }
            Err(failure) => Err(text(failure)),
        }
    }

    /// Runs the commands that have waited long enough.
    pub(super) fn run_put_off_commands(&mut self) {
        while let Some(waiting) = self.put_off.take_due(present().mono) {
            let (process, command) = (waiting.process, waiting.command);
            let failure = match self.spawn_command(process, command, &waiting.plan) {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            let may_pass = matches!(failure, SpawnFailure::Exhausted(_) | SpawnFailure::Unanswered(_));
            if !(may_pass && self.put_off.put_off_again(waiting, present().mono)) {
                self.input(SupervisorInput::CommandEnded { process, command, result: Err(text(failure)) });
            }
        }
    }

    fn spawn_command(
        &mut self,
        process: ProcessId,
        command: ProgramCommand,
        plan: &CommandPlan,
    ) -> Result<(), SpawnFailure> {
        let (tools, survival) = (&self.tools, self.survival.as_mut());
        let spawned = self.children.spawn_command(
            process,
            (command, plan),
            &self.supervisor,
            tools,
            survival,
            self.poll.registry(),
        );
        self.reap();
        if self.survival.as_ref().is_some_and(Survival::has_used_half_of_pid_slots) {
            self.write_notes();
        }
        let pid = spawned?;
        if self.tools.activity.wants(LogLevel::Debug) {
            let name = self.supervisor.process(process).map_or("", |config| &config.identity.name);
            let text = format!("spawned: {command} of {} with pid {pid}", repr(name));
            self.tools.activity.log(LogLevel::Debug, &text);
        }
        Ok(())
    }

    /// Stores which programs are disabled, on another thread.
    fn store_disabled(&self, disabled: Arc<DisabledPrograms>) -> Option<SupervisorInput> {
        let path = match self.tools.disabled_file.clone() {
            Ok(path) => path,
            Err(reason) => return Some(SupervisorInput::DisabledStored { result: Err(reason) }),
        };
        let sender = self.message_sender.clone();
        self.tools.storing.run_detached(move || {
            sender.send(Message::DisabledStored(disabled_file::write(&path, &disabled)));
        });
        None
    }

    fn publish_events(&mut self) {
        self.tools.view.publish_events(self.unpublished.drain(..));
    }

    /// Forgets what is kept in memory of the output of processes that do not exist any more, or are not to have it.
    pub(super) fn forget_output_of_nobody(&self) {
        let view = &self.tools.view;
        self.tools.memory.retain(|process, channel| {
            let Namespec { group, process } = Namespec::parse(process);
            let row = process.and_then(|process| view.row(&group, &process));
            row.is_some_and(|row| row.memory_of(channel) > 0)
        });
    }

    /// Has sockets put back whose files somebody has removed.
    fn check_socket_files(&self) {
        if let Some(network) = &self.network {
            network.check_socket_files();
        }
    }

    /// Carries out one effect; some are answered at once.
    fn perform(&mut self, effect: Effect) -> Option<SupervisorInput> {
        // What is published or answered next, the lines so far tell of.
        self.tools.view.set_logged(self.tools.activity.progress().queued());
        match effect {
            Effect::Log(level, line) => self.tools.activity.log(level, &line),
            Effect::Check { process, call } => {
                let config = self.supervisor.process(process)?;
                let result = self.children.spawner.check(config, &self.tools);
                return Some(SupervisorInput::Checked { process, call, result });
            }
            Effect::Spawn { process } => {
                self.adopt_orphans_of(process);
                for soon in std::iter::once(process).chain(self.supervisor.coming_spawns()) {
                    self.children.spawner.prepare_early(soon, &self.supervisor, &self.tools, self.survival.as_mut());
                }
                let (tools, survival) = (&self.tools, self.survival.as_mut());
                let result =
                    self.children.spawn_program(process, &self.supervisor, tools, survival, self.poll.registry());
                // Children that died while others were made have not lived until all are made.
                self.reap();
                if self.survival.as_ref().is_some_and(Survival::has_used_half_of_pid_slots) {
                    self.write_notes();
                }
                return Some(SupervisorInput::Spawned { process, result });
            }
            Effect::RunCommand { process, command, plan } => {
                let result = self.run_command(process, command, &plan);
                return result.err().map(|reason| SupervisorInput::CommandEnded {
                    process,
                    command,
                    result: Err(reason),
                });
            }
            Effect::EndCommand { process, command } if self.put_off.give_up(process, command) => {
                return Some(SupervisorInput::CommandEnded {
                    process,
                    command,
                    result: Err("it was not run".to_owned()),
                });
            }
            Effect::EndCommand { process, command } => {
                self.children.end_command(process, command, present().mono);
            }
            Effect::Kill { process, run, signal, scope, call } => {
                let is_halted_first = matches!(scope, KillScope::Tree | KillScope::Cgroup) && signal == SIGKILL;
                // Whoever comes next must know why the child has ended, or is halted while its descendants are killed. Of the
                // end of everything the state says so once.
                if is_halted_first || call.is_none() && !self.supervisor.is_ending() {
                    self.note(process);
                    self.write_notes();
                }
                let result = self.children.kill(run, signal, scope);
                if result.is_ok()
                    && let Some(process) = self.supervisor.process(process)
                {
                    spawn::mark_signal(run, process, signal, &self.tools);
                }
                return Some(SupervisorInput::Killed { process, call, result });
            }
            Effect::Feed { process, bytes, call } => {
                if self.tools.activity.wants(LogLevel::Blather)
                    && let Some(row) = self.supervisor.row(process)
                {
                    self.tools.activity.log(LogLevel::Blather, &debug_text::writable(&row.config.identity.name));
                }
                let result = self.children.feed(process, &bytes, self.poll.registry());
                if call.is_none() {
                    self.listener_batching.asked(process, present().mono);
                }
                return Some(SupervisorInput::Fed { process, call, result });
            }
            Effect::Judge { process, judgement, handler, event, result } => {
                if !self.tools.plugins.judge(process, judgement, handler, event, result) {
                    return Some(SupervisorInput::Judged { process, judgement, verdict: HandlerVerdict::Lost });
                }
            }
            Effect::Probe { process, purpose, attempt, probe, timeout } => {
                self.tools.prober.send(ProbeRequest { process, purpose, attempt, probe, timeout });
            }
            Effect::Record(event) => self.unpublished.push(event),
            Effect::Announce(event) => self.tools.plugins.announce(event, &self.tools.activity),
            Effect::CreateAutoLog { path } => self.tools.output.send(OutputRequest::CreateAuto { path }),
            Effect::ClearLogs { process, channels, files, call } => self.clear_logs(process, &channels, files, call),
            Effect::ClearActivity { call } => self.clear_activity(call),
            Effect::StoreDisabled(disabled) => return self.store_disabled(disabled),
            Effect::Upgrade { call } => {
                let reply = self.replies.remove(&call);
                self.begin_upgrade(reply);
            }
            Effect::ReopenLogs => {
                self.tools.output.send(OutputRequest::Reopen);
                self.check_socket_files();
            }
            Effect::StripAnsi(on) => self.tools.output.send(OutputRequest::StripAnsi(on)),
            Effect::FollowLogging(process) => {
                let run = self.children.program_run(process);
                spawn::follow_memory(&self.supervisor, process, run, &self.tools);
                if let Some(run) = run {
                    spawn::follow_definition(&self.supervisor, process, run, &self.tools);
                }
            }
            Effect::CloseSocket { group, url } => {
                let closed = self.children.spawner.close_socket(&group, &url, &self.tools.activity);
                if let (Some(survival), Some(number)) = (&mut self.survival, closed) {
                    survival.forget(Owner::Socket(number));
                }
            }
            Effect::PublishRow(process) => {
                if let Some(row) = self.supervisor.row(process) {
                    self.tools.view.publish_row(row);
                }
                self.publish_events();
                self.note(process);
            }
            Effect::RefreshRow(process) => {
                if let Some(row) = self.supervisor.row(process) {
                    self.tools.view.publish_row(row);
                }
            }
            Effect::PublishGroup(group) => {
                if let (Some(survival), Some(definition)) = (&mut self.survival, self.supervisor.definition(&group)) {
                    survival.journal.note_group(&self.supervisor, definition);
                }
                self.tools.view.publish_group(group);
            }
            Effect::ReplaceGroup { group, members } => {
                if let (Some(survival), Some(definition)) = (&mut self.survival, self.supervisor.definition(&group)) {
                    survival.journal.note_removed(&group);
                    survival.journal.note_group(&self.supervisor, definition);
                }
                let rows = members.iter().filter_map(|process| self.supervisor.row(*process)).collect();
                self.tools.view.replace_group(group, rows);
                self.forget_output_of_nobody();
                members.into_iter().for_each(|process| self.note(process));
            }
            Effect::WithdrawGroup(group) => {
                if let Some(survival) = &mut self.survival {
                    survival.journal.note_removed(&group);
                }
                self.tools.view.withdraw_group(&group);
                self.forget_output_of_nobody();
            }
            Effect::WithdrawRow { group, process } => {
                if let Some(survival) = &mut self.survival {
                    survival.journal.note_withdrawn(&group, &process);
                }
                self.tools.view.withdraw_row(&group, &process);
                self.forget_output_of_nobody();
            }
            Effect::PublishMood(mood) => {
                if let (Some(survival), true) = (&mut self.survival, self.supervisor.is_ending()) {
                    survival.journal.note_ending(self.supervisor.exit());
                }
                self.tools.view.publish_mood(mood);
            }
            Effect::PublishDisabled(disabled) => self.tools.view.publish_disabled(disabled),
            Effect::PublishConfig(config) => {
                if let Some(survival) = &mut self.survival {
                    survival.journal.note_scales(&config.scales);
                }
                self.tools.view.publish_config(config);
                self.check_socket_files();
            }
            Effect::Reply { call, outcome } => {
                // Before the answer goes out, the network plane waits for the lines that tell how it came to it.
                self.tools.output.ring_if_due();
                if let Some(reply) = self.replies.remove(&call) {
                    reply(outcome);
                }
            }
            Effect::Finished(ending) => self.ending = Some(ending),
        }
        None
    }
}

fn text(failure: SpawnFailure) -> String {
    match failure {
        SpawnFailure::Refused(reason) | SpawnFailure::Unanswered(reason) | SpawnFailure::Exhausted(reason) => reason,
    }
}
