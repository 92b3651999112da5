//! What else is configured of the rotation of a log, besides its size and the number of backups.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::date_format::DateFormat;
use supervisord_config::log_compression::LogCompression;
use supervisord_config::model::LogRotation;
use supervisord_config::rotate_when::RotateWhen;

/// The rules of a log that has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationRules {
    /// The times at which it is rotated.
    pub when: Option<RotateWhen>,
    /// The date in the names of backups; none for numbers.
    pub dates: Option<DateFormat>,
    /// How old the last line of a backup may become.
    pub max_age: Option<Duration>,
    /// How many bytes all backups may have; 0 for any number.
    pub max_total: u64,
    /// How backups are compressed.
    pub compression: LogCompression,
}

impl RotationRules {
    /// The rules of a configured rotation; none where it has none.
    pub fn of(rotation: &LogRotation) -> Option<Arc<RotationRules>> {
        (*rotation != LogRotation::default()).then(|| {
            Arc::new(RotationRules {
                when: rotation.logfile_rotate,
                dates: rotation.logfile_date_format.clone(),
                max_age: rotation.logfile_max_age,
                max_total: rotation.logfile_max_total,
                compression: rotation.logfile_compress,
            })
        })
    }
}
