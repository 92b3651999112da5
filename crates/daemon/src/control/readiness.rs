//! What programs say about their readiness.

use supervisord_config::model::LogLevel;
use supervisord_core::supervisor::SupervisorInput;

use super::Control;
use super::children::Heard;
use crate::clock::present;
use crate::keeper::Owner;
use crate::output::RunId;

impl Control {
    /// The program behind this token may have written that it is ready. If it had more to say, it has its turn again soon.
    pub(super) fn hear_readiness(&mut self, token: usize) {
        match self.children.hear_readiness(token, self.poll.registry()) {
            Some((_, Heard::More)) => self.unread.push(token),
            Some((run, heard)) => self.readiness_heard(run, heard),
            None => {}
        }
    }

    /// Reads what the programs have said that are about to be judged because they should be ready.
    pub(super) fn hear_overdue_readiness(&mut self) {
        for process in self.supervisor.judged_unready(present()) {
            if let Some((run, heard)) = self.children.hear_out(process, self.poll.registry()) {
                self.readiness_heard(run, heard);
            }
        }
    }

    fn readiness_heard(&mut self, run: RunId, heard: Heard) {
        match heard {
            Heard::Nothing | Heard::More => return,
            Heard::Ready => self.input_said(run, SupervisorInput::Ready { run }),
            Heard::Closed => {}
        }
        if let Some(survival) = &mut self.survival {
            survival.forget(Owner::Readiness(run.0));
        }
        // Perhaps because it is about to exit, which nobody knows yet.
        if heard == Heard::Closed
            && let Some((process, pid)) = self.children.identify(run)
            && let Some(process) = self.supervisor.process(process)
        {
            let name = &process.identity.name;
            let text = format!("{name} (pid {pid}) closed the descriptor for its readiness without a line");
            self.tools.activity.log(LogLevel::Debug, &text);
        }
    }
}
