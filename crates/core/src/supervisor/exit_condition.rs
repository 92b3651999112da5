//! When the daemon ends by itself: an essential program has finished for good, all programs have, or one has failed.

use supervisord_config::model::{ExitWhen, LogLevel};
use supervisord_wire::state::Mood;

use super::{DaemonExit, ProcessId, Supervisor};
use crate::process::Finish;
use crate::time::Now;

impl Supervisor {
    /// The end that is under way, where a program has caused it.
    pub fn exit(&self) -> Option<&DaemonExit> {
        self.exit.as_ref()
    }

    /// Goes on with an end that an earlier daemon had begun.
    pub fn resume_exit(&mut self, exit: DaemonExit, now: Now) {
        self.log(
            level(&exit),
            format!("going on with the end that the daemon before had begun, because {}", exit.reason),
        );
        self.exit = Some(exit);
        self.set_mood(Mood::Shutdown);
        self.advance_shutdown(now);
    }

    /// Asks again whether a program has finished that ends the daemon, after it may have been missed. Essential ones come first.
    pub fn find_exit(&mut self) {
        let (essential, others): (Vec<ProcessId>, Vec<ProcessId>) =
            self.members.keys().partition(|id| self.members[*id].config.restart.essential);
        for id in essential.into_iter().chain(others) {
            self.finished_for_good(id);
        }
    }

    /// A process has just finished for good. The end begins when everything that was to be done has been done, so that
    /// nothing is started during it.
    pub(super) fn finished_for_good(&mut self, id: ProcessId) {
        if self.mood == Mood::Running && self.exit.is_none() {
            self.exit = self.exit_after(id);
        }
    }

    /// Begins the end that a program has caused.
    pub(super) fn begin_exit(&mut self, now: Now) {
        let Some(exit) = self.exit.as_ref().filter(|_| self.mood == Mood::Running) else { return };
        let text = format!("shutting down, because {}; supervisord will exit with status {}", exit.reason, exit.code);
        self.log(level(exit), text);
        self.set_mood(Mood::Shutdown);
        self.advance_shutdown(now);
    }

    fn exit_after(&self, id: ProcessId) -> Option<DaemonExit> {
        let member = self.members.get(&id)?;
        let (finish, name) = (self.finish(id)?, self.member_name(id));
        if member.config.restart.essential {
            let reason = format!("the essential program {name} has finished ({finish})");
            return Some(DaemonExit { code: finish.exit_code(), reason });
        }
        match self.config.supervisord.exit_when {
            ExitWhen::AnyFailed if finish.is_failure() && member.listener.is_none() => {
                let reason = format!("{name} has failed ({finish}) and exit_when is any_failed");
                Some(DaemonExit { code: finish.failure_code(), reason })
            }
            ExitWhen::AllFinished if member.listener.is_none() && self.programs().all(|id| self.is_over(id)) => {
                Some(self.exit_after_all())
            }
            ExitWhen::Never | ExitWhen::AllFinished | ExitWhen::AnyFailed => None,
        }
    }

    /// Whether it does not run, and will not without a request, also because it waits in vain.
    fn is_over(&self, id: ProcessId) -> bool {
        self.is_down(id) || self.dependencies.waits_in_vain(id)
    }

    /// With the status of the program that failed first, where one has.
    fn exit_after_all(&self) -> DaemonExit {
        let stopped = |id: &ProcessId| self.members.get(id).map_or(0, |member| member.machine.last_stop());
        let failed = self.programs().filter_map(|id| Some((id, self.finish(id).filter(|finish| finish.is_failure())?)));
        let all = "all programs have finished";
        match failed.min_by_key(|(id, _)| stopped(id)) {
            Some((id, finish)) => {
                let reason =
                    format!("{all}, {} with a failure ({finish}), and exit_when is all_finished", self.member_name(id));
                DaemonExit { code: finish.failure_code(), reason }
            }
            None => DaemonExit { code: 0, reason: format!("{all} and exit_when is all_finished") },
        }
    }

    /// Everything but listeners, which end with the daemon.
    fn programs(&self) -> impl Iterator<Item = ProcessId> {
        self.members.iter().filter(|(_, member)| member.listener.is_none()).map(|(id, _)| *id)
    }

    fn finish(&self, id: ProcessId) -> Option<Finish> {
        self.members.get(&id)?.machine.finish()
    }
}

fn level(exit: &DaemonExit) -> LogLevel {
    if exit.code == 0 { LogLevel::Info } else { LogLevel::Warn }
}
