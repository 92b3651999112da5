//! Output of programs that did not get into their logs.

use super::{Effect, RunId, Supervisor, counts};
use crate::event::{Event, ProcessName};
use crate::output::Channel;
use crate::time::Now;

impl Supervisor {
    /// Output of a run was lost, which may have ended.
    pub(super) fn output_lost(&mut self, now: Now, run: RunId, channel: Channel, bytes: u64) {
        let ended = || self.members.iter().find(|(_, member)| member.ended == Some(run)).map(|(id, _)| *id);
        let Some(id) = self.by_run.get(&run).copied().or_else(ended) else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        let lost = counts(member).lost_output.of(channel);
        *lost = lost.saturating_add(bytes);
        let lost_bytes = *lost;
        let is_told = member.losses_told.is_due(channel, now.mono);
        self.effects.push_back(Effect::PublishRow(id));
        if let Some(process) = self.name_of(id).filter(|_| is_told) {
            self.emit(Event::OutputLost { process, channel, lost_bytes });
        }
    }

    /// Lines of a process did not get to a log service.
    pub(super) fn lines_lost(&mut self, process: &ProcessName, channel: Channel, lines: u64) {
        let Some(id) = self.find(&process.group, &process.process) else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        let lost = counts(member).lost_lines.of(channel);
        *lost = lost.saturating_add(lines);
        self.effects.push_back(Effect::PublishRow(id));
    }
}
