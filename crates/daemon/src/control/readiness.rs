//! What programs say about their readiness.

use supervisord_config::model::LogLevel;
use supervisord_core::supervisor::SupervisorInput;

use super::Control;
use crate::keeper::Owner;

impl Control {
    /// The program behind this token may have written that it is ready.
    pub(super) fn hear_readiness(&mut self, token: usize) {
        let Some((run, is_ready)) = self.children.hear_readiness(token, self.poll.registry()) else { return };
        if is_ready {
            self.input_said(run, SupervisorInput::Ready { run });
        }
        if let Some(survival) = &mut self.survival {
            survival.forget(Owner::Readiness(run.0));
        }
        if is_ready {
            return;
        }
        // Perhaps because it is about to exit, which nobody knows yet.
        if let Some((process, pid)) = self.children.identify(run)
            && let Some(process) = self.supervisor.process(process)
        {
            let name = &process.identity.name;
            let text = format!("{name} (pid {pid}) closed the descriptor for its readiness without a line");
            self.tools.activity.log(LogLevel::Debug, &text);
        }
    }
}
