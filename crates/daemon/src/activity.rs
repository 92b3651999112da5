//! The activity log as the planes see it: a level, and a queue that never blocks the writer.

use std::sync::Arc;

use supervisord_config::model::{ActivityFormat, LogLevel};
use supervisord_core::activity_line;

use crate::clock::{local_time, present};
pub use progress::LogProgress;

mod progress;

/// A handle on the activity log; clones write to the same log.
#[derive(Clone)]
pub struct Activity {
    level: LogLevel,
    format: ActivityFormat,
    sink: Arc<dyn Fn(String) + Send + Sync>,
    progress: Arc<LogProgress>,
}

impl Activity {
    /// A handle that hands finished lines to `sink`, which must not block.
    pub fn new(level: LogLevel, sink: impl Fn(String) + Send + Sync + 'static) -> Activity {
        Activity::written(level, ActivityFormat::Text, sink, Arc::default())
    }

    /// The same, where `progress` tells what has become of the lines.
    pub fn written(
        level: LogLevel,
        format: ActivityFormat,
        sink: impl Fn(String) + Send + Sync + 'static,
        progress: Arc<LogProgress>,
    ) -> Activity {
        Activity { level, format, sink: Arc::new(sink), progress }
    }

    /// How far the log has got.
    pub fn progress(&self) -> &LogProgress {
        &self.progress
    }

    /// Whether lines of this level are written at all.
    pub fn wants(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// Writes one entry, stamped with the present time.
    pub fn log(&self, level: LogLevel, text: &str) {
        if self.wants(level) {
            (self.sink)(stamp(self.format, level, text));
        }
    }
}

/// A finished line, stamped with the present time.
pub(crate) fn stamp(format: ActivityFormat, level: LogLevel, text: &str) -> String {
    let now = present();
    match format {
        ActivityFormat::Text => activity_line::format(&local_time(now.epoch()), now.wall.subsec_millis(), level, text),
        ActivityFormat::Json => activity_line::json(now.wall, level, text),
    }
}
