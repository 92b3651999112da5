//! The end of children: they are reaped, and whoever has to know is told.

use supervisord_config::model::LogLevel;
use supervisord_core::output::last_lines::last_lines;
use supervisord_core::process::{CommandEnd, EndTraces, ExitStatus, ProgramCommand, StopPlan};
use supervisord_core::supervisor::{ProcessId, SupervisorInput};
use supervisord_sys::{Pid, wait};

use super::Control;
use super::children::{Drained, EndedCommand, Exit};
use super::exit_status::exit_status;
use super::spawn;
use crate::clock::present;
use crate::output::{OutputRequest, RunId};

impl Control {
    /// Reaps the children that have exited by now and reports their ends.
    pub(super) fn reap_and_report(&mut self) {
        self.reap();
        self.report_exits();
        // Logged last: the output plane shows what the dead have written before it comes to this line.
        self.tools.activity.log(LogLevel::Debug, "received SIGCHLD indicating a child quit");
    }

    /// Reaps the children that have exited by now. [`Control::report_exits`] tells the supervisor, which may be in the
    /// middle of something.
    pub(super) fn reap(&mut self) {
        // Once they have been reaped, nobody knows who sent what.
        self.collect_notifications();
        loop {
            let reaped = match self.children.runs_probes() {
                true => wait::reap_after(|pid| self.children.end_group_of_probe(pid)),
                false => wait::reap(),
            };
            match reaped {
                Ok(Some((pid, status))) => {
                    let exit = self.children.reaped(pid.get(), exit_status(status), present(), self.poll.registry());
                    self.exits.extend(exit);
                }
                Ok(None) => return,
                Err(error) => {
                    let number = error.number();
                    let text = format!("waitpid error {number}; a process may not be cleaned up properly");
                    return self.tools.activity.log(LogLevel::Critical, &text);
                }
            }
        }
    }

    /// Kills the children that have run for too long. Those that have exited by now have not.
    pub(super) fn enforce_time_limits(&mut self) {
        let now = present().mono;
        if self.children.next_time_limit().is_some_and(|limit| limit <= now) {
            self.reap();
            self.report_exits();
            self.children.enforce_time_limits(now);
        }
    }

    /// Goes on with the stops whose last descendants have ended.
    pub(super) fn report_lingering(&mut self) {
        if !self.children.is_lingering() {
            return;
        }
        let now = present().mono;
        for (run, status, at) in self.children.take_lingered(now, &self.supervisor, &self.tools.activity) {
            self.exits.extend(self.children.exited(run, status, at, self.poll.registry()));
        }
    }

    /// A program has exited. If that is the end of a stop, those of its process group are looked for who outlive it.
    fn look_for_survivors(&mut self, run: RunId, process: ProcessId) {
        let Some(config) = self.supervisor.process(process).filter(|_| self.supervisor.is_stopping(process)) else {
            return;
        };
        let plan = StopPlan::of(config);
        let leader = self.children.identify(run).and_then(|(_, pid)| Pid::new(pid));
        // A stop that reaches all descendants waits for them.
        if let Some(leader) = leader.filter(|_| !plan.reaches_tree()) {
            self.survivors.add(leader, &config.identity.name, plan.begins_with_group(), present().mono);
        }
    }

    /// Names those who outlive a stop.
    pub(super) fn name_survivors(&mut self) {
        for line in self.survivors.take_due(present().mono) {
            self.tools.activity.log(LogLevel::Info, &line);
        }
    }

    /// The same at the end of the daemon, or before another program goes on.
    pub(super) fn name_last_survivors(&mut self) {
        for line in self.survivors.take_unasked() {
            self.tools.activity.log(LogLevel::Info, &line);
        }
    }

    /// A child has exited that somebody else reaps.
    fn exited(&mut self, run: RunId, status: ExitStatus) {
        self.exits.extend(self.children.exited(run, status, present(), self.poll.registry()));
    }

    /// Tells of the children that have exited. Before the supervisor hears that a child is gone, everything that child wrote
    /// is read, but that waits only so long: a log disk that hangs must not hold a restart.
    pub(super) fn report_exits(&mut self) {
        self.deliver_notifications();
        while let Some(exit) = self.exits.pop_front() {
            match exit {
                Exit::Supervised { run, process, at, status, last_output, was_ready } => {
                    if was_ready {
                        self.input_said(run, SupervisorInput::Ready { run });
                    }
                    self.look_for_survivors(run, process);
                    self.input(SupervisorInput::Died { run, at });
                    if !last_output.is_empty() {
                        self.listener_output(run, process, last_output);
                    }
                    if self.supervisor.restarts_after_exit(process) {
                        // Its logs stay open from one run to the next, and the spawn need not wait for them.
                        let (tools, survival) = (&self.tools, self.survival.as_mut());
                        self.children.spawner.prepare_early(process, &self.supervisor, tools, survival);
                    }
                    let marker =
                        self.supervisor.process(process).and_then(|process| spawn::end_marker(process, status));
                    self.tools.output.put_off(OutputRequest::Drain { run, marker });
                    self.children.wait_for_output(run, present().mono);
                }
                Exit::Command { run } => {
                    self.tools.output.put_off(OutputRequest::Drain { run, marker: None });
                    self.children.wait_for_output(run, present().mono);
                }
                Exit::Plugin(on_exit) => on_exit(),
                Exit::SelfTest(run, result) => self.upgrade_tested(run, result),
                Exit::Unknown { pid, status } => self.input(SupervisorInput::UnknownExited { pid, status }),
            }
        }
    }

    /// The output of a child has been read, or has been waited for long enough. `output` is the end of what it wrote, as far as it
    /// is known.
    pub(super) fn drained(&mut self, drained: Drained, output: &[u8]) {
        let Drained { run, process, pid, status, is_foreign_kill, command } = drained;
        if let Some(EndedCommand { process, command, end, .. }) = command {
            if command == ProgramCommand::Environment {
                return self.environment_told(run, process, end, &last_lines(output));
            }
            let result = end.result(&last_lines(output));
            return self.input(SupervisorInput::CommandEnded { process, command, result });
        }
        self.children.spawner.remove_secrets(run);
        let kills = is_foreign_kill.then(|| self.memory_kills.look(present())).flatten();
        if kills.is_some() || !output.is_empty() {
            let traces = EndTraces { output: last_lines(output), kills };
            self.input(SupervisorInput::Traces { run, traces });
        }
        self.input(SupervisorInput::Exited { run, pid, status });
        self.children.spawner.discard(process, &self.tools, self.survival.as_mut());
    }

    /// A command has ended that was to tell about the environment of its program. Where nobody knows how, because its daemon was
    /// killed, it has told nothing, and is asked again.
    fn environment_told(&mut self, run: RunId, process: ProcessId, end: CommandEnd, last_lines: &str) {
        let written = self.children.take_captured(run, self.poll.registry());
        let result = match self.supervisor.environment_question(process) {
            _ if end == CommandEnd::Ended(ExitStatus::Unknown) => Ok(()),
            // Its stderr may contain what it was to tell: a shell with `set -x` writes it there.
            question => {
                let place = self
                    .supervisor
                    .process(process)
                    .filter(|_| !last_lines.is_empty())
                    .map(|process| spawn::place_of_stderr(process));
                let place = place.map_or_else(String::new, |place| format!("; {place}"));
                let result = end.result("").map_err(|reason| reason + &place);
                match question {
                    Some(question) => self.children.spawner.told.hear(process, question, result, written),
                    None => result,
                }
            }
        };
        self.input(SupervisorInput::CommandEnded { process, command: ProgramCommand::Environment, result });
        if self.supervisor.environment_question(process).is_none() {
            self.children.spawner.told.forget(process);
        }
    }

    /// Adds the end of the output of a child that has ended before.
    pub(super) fn add_output(&mut self, run: RunId, end: &[u8]) {
        if !end.is_empty() {
            let traces = EndTraces { output: last_lines(end), kills: None };
            self.input(SupervisorInput::Traces { run, traces });
        }
    }

    /// Does not wait any longer for output that has not been read in time.
    pub(super) fn give_up_draining(&mut self) {
        while let Some(drained) = self.children.next_overdue(present().mono) {
            self.drained(drained, &[]);
        }
    }

    /// The orphan behind this token may have ended.
    pub(super) fn check_orphan(&mut self, token: usize) {
        if let Some((run, status)) = self.children.orphan_ended(token, present().mono) {
            self.exited(run, status);
        }
    }

    /// Asks again how those orphans ended that their new parent had not reaped.
    pub(super) fn check_ended_orphans(&mut self) {
        for token in self.children.not_reaped() {
            self.check_orphan(token);
        }
    }
}
