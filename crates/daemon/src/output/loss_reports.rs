//! Tells control how much of which stream was lost: at once, and then not more than once a second.

use std::time::{Duration, Instant};

use super::message::Report;
use super::outlets::Outlets;

/// The time between two reports.
const PAUSE: Duration = Duration::from_secs(1);

/// When control was told last.
#[derive(Debug, Default)]
pub(super) struct LossReports {
    told: Option<Instant>,
}

impl LossReports {
    /// When it is to be told next; none where nothing was lost.
    pub fn deadline(&self, outlets: &Outlets) -> Option<Instant> {
        let are_any = outlets.sinks.has_losses() || outlets.forwarders.has_losses();
        are_any.then(|| self.told.map_or_else(Instant::now, |told| told + PAUSE))
    }

    /// Tells it if it is time.
    pub fn tell_if_due(&mut self, outlets: &mut Outlets) {
        if self.deadline(outlets).is_some_and(|due| due <= Instant::now()) {
            self.tell(outlets);
        }
    }

    /// Tells it now what was lost until now, if anything was.
    pub fn tell(&mut self, outlets: &mut Outlets) {
        if !outlets.sinks.has_losses() && !outlets.forwarders.has_losses() {
            return;
        }
        self.told = Some(Instant::now());
        for (stream, bytes) in outlets.sinks.take_losses() {
            let (run, channel) = stream.stream();
            (outlets.to_control)(Report::Lost { run, channel, bytes });
        }
        for ((group, process, channel), lines) in outlets.forwarders.take_losses() {
            (outlets.to_control)(Report::LinesLost { group, process, channel, lines });
        }
    }
}
