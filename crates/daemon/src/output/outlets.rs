//! Everything output can go to: logs, the activity log, control.

use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_core::output::pipeline::{Piece, syslog_messages};
use supervisord_core::output::{Channel, ChannelPlan, debug_text};
use supervisord_core::rotation::Rotation;

use super::activity_log::ActivityWriter;
use super::budget::ReportBudget;
use super::sinks::{SinkId, Sinks};
use super::{Report, RunId};

/// Whose output it is and what happens to it.
pub(super) struct Source {
    pub run: RunId,
    pub process: Arc<str>,
    pub channel: Channel,
    pub plan: ChannelPlan,
    pub sink: Option<SinkId>,
}

/// The receiving side of all streams.
pub(super) struct Outlets {
    pub sinks: Sinks,
    pub activity: ActivityWriter,
    pub strip_ansi: bool,
    pub budget: ReportBudget,
    pub to_control: Box<dyn Fn(Report) + Send>,
}

impl Outlets {
    /// Writes an entry of the activity log.
    pub fn log(&mut self, level: LogLevel, text: &str) {
        self.activity.log(level, text, &mut self.sinks);
    }

    /// Writes down what the logs had to say since the last time.
    pub fn write_notices(&mut self) {
        self.activity.write_notices(&mut self.sinks);
    }

    /// Tells control; `bytes` are charged to the budget.
    pub fn report(&self, report: Report, bytes: usize) {
        self.budget.spend(bytes);
        (self.to_control)(report);
    }

    /// Takes one piece of output to where it belongs.
    pub fn deliver(&mut self, source: &Source, piece: Piece<'_>) {
        let Source { run, process, channel, plan, sink } = source;
        match piece {
            Piece::Log(bytes) => {
                if let Some(sink) = sink {
                    self.sinks.write(*sink, bytes, source.rotation());
                }
                if plan.syslog {
                    syslog_messages(process, bytes).for_each(|message| self.sinks.send_to_system_log(&message));
                }
            }
            Piece::Onlookers(bytes) => {
                if self.activity.wants(LogLevel::Debug) {
                    self.log(LogLevel::Debug, &debug_text::copy(process, *channel, bytes));
                }
                if plan.events_enabled {
                    self.report(Report::Log { run: *run, channel: *channel, bytes: bytes.to_vec() }, bytes.len());
                }
            }
            Piece::Section(held) => {
                self.say_cut(process, *channel, held.dropped);
                self.log(LogLevel::Debug, &debug_text::section(process, *channel));
                let length = held.bytes.len();
                self.report(Report::Communication { run: *run, channel: *channel, bytes: held.bytes }, length);
            }
            Piece::Cut(dropped) => self.say_cut(process, *channel, dropped),
        }
    }

    fn say_cut(&mut self, process: &str, channel: Channel, dropped: u64) {
        if dropped > 0 {
            let channel = channel.name();
            let text = format!("{process}: {dropped} bytes beyond {channel}_capture_maxbytes were dropped");
            self.log(LogLevel::Warn, &text);
        }
    }
}

impl Source {
    /// When its log is rotated.
    pub fn rotation(&self) -> Rotation {
        Rotation { maxbytes: self.plan.maxbytes, backups: self.plan.backups }
    }
}
