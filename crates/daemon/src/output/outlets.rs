//! Everything output can go to: logs, the activity log, control.

use supervisord_config::model::LogLevel;

use super::Report;
use super::activity_log::ActivityWriter;
use super::budget::ReportBudget;
use super::sinks::Sinks;

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
}
