//! Where a log is read.

use std::sync::Arc;

use supervisord_core::output::Channel;
use supervisord_core::rotation::rules::RotationRules;
use supervisord_core::row::Row;

use crate::output_memory::{MemoryLog, OutputMemory};
use crate::rotated_log::RotatedLog;

/// Where the log of a stream is read.
#[derive(Clone)]
pub enum LogPlace {
    /// In a file, and rotated files beside it.
    File(RotatedLog),
    /// In memory, because it is no file.
    Memory(MemoryLog),
}

impl LogPlace {
    /// That of a stream of this process; none where it has no log.
    pub(super) fn of(row: &Row, channel: Channel, memory: &Arc<OutputMemory>) -> Option<LogPlace> {
        let name = row.namespec();
        match (memory.find(&name, channel), row.log_file(channel)) {
            (Some(kept), _) => Some(LogPlace::Memory(kept)),
            (None, Some(path)) => {
                let logging = &row.config.logging;
                let log = if channel == Channel::Stdout { &logging.stdout } else { &logging.stderr };
                let dates = RotationRules::of(&log.rotation).and_then(|rules| rules.dates.clone());
                Some(LogPlace::File(RotatedLog { path: path.to_owned(), dates }))
            }
            // Nothing has come yet.
            (None, None) if row.memory_of(channel) > 0 => Some(LogPlace::Memory(memory.stream(&name, channel))),
            (None, None) => None,
        }
    }

    /// The name by which it is followed.
    pub fn follow_name(&self) -> String {
        match self {
            LogPlace::File(log) => log.path.clone(),
            LogPlace::Memory(log) => log.follow_name(),
        }
    }
}
