//! What is to be done of a log with rules, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use supervisord_config::log_compression::LogCompression;
use supervisord_core::rotation::rules::RotationRules;
use supervisord_core::rotation::schedule;
use supervisord_sys::clock;

use super::backups::Backups;
use super::directories::Directories;
use super::passed_over::PassedOver;
use crate::clock::local_time;

/// The rules of a log, and the times at which something is due by them, in seconds since the epoch.
#[derive(Debug)]
pub(super) struct Upkeep {
    pub rules: Arc<RotationRules>,
    /// How many backups are kept.
    pub count: u32,
    /// Whether nobody has looked yet at what was missed while the log was not open.
    is_new: bool,
    /// When the log is rotated.
    rotation: Option<i64>,
    /// The log has not been rotated when its time came; when its last line was written until then.
    put_off: Option<i64>,
    /// When a backup becomes too old.
    expiry: Option<i64>,
    /// The largest number of a backup that was there at first, beyond those that are kept.
    last: u32,
    directories: Arc<Mutex<Directories>>,
    /// Backups that are left alone.
    pub passed_over: PassedOver,
}

impl Upkeep {
    /// The rules of a log that has just been opened, or is about to be.
    pub fn new(rules: Arc<RotationRules>, count: u32, directories: Arc<Mutex<Directories>>) -> Upkeep {
        Upkeep {
            rules,
            count,
            is_new: true,
            rotation: None,
            put_off: None,
            expiry: None,
            last: 0,
            directories,
            passed_over: PassedOver::default(),
        }
    }

    /// The backups of the log at this path, which has these rules; none for a path that no backup can be named by.
    pub fn backups<'a>(&'a self, path: &'a str) -> Option<Backups<'a>> {
        Backups::of(path, Some(&self.rules), self.count.max(self.last), &self.directories)
    }

    /// The largest number of a backup that there is.
    pub fn set_last(&mut self, last: u32) {
        self.last = last;
    }

    /// Whether it is made of these rules.
    pub fn is_by(&self, rules: &Arc<RotationRules>, count: u32) -> bool {
        self.rules == *rules && self.count == count
    }

    /// When something is due, after the epoch; none for never.
    pub fn next(&self) -> Option<Duration> {
        if self.is_new {
            return Some(Duration::ZERO);
        }
        let next = self.rotation.into_iter().chain(self.expiry).min()?;
        Some(Duration::from_secs(u64::try_from(next).unwrap_or(0)))
    }

    /// Whether nobody has looked yet at what was missed while the log was not open.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether backups are compressed.
    pub fn compresses(&self) -> bool {
        self.rules.compression != LogCompression::None
    }

    /// Whether something is due.
    pub fn is_due(&self) -> bool {
        self.next().is_some_and(|next| next <= clock::wall())
    }

    /// Whether a log whose last line was written at this time is to be rotated, and when that is due next.
    pub fn take_rotation(&mut self, modified: i64) -> bool {
        let Some(when) = self.rules.when else {
            self.is_new = false;
            return false;
        };
        let (now, offset) = (now(), |time| local_time(time).utc_offset);
        self.is_new = false;
        self.rotation = Some(schedule::next_after(when, now, &offset));
        // A clock that has been set back shows a time before that of the last line.
        schedule::next_after(when, modified.min(now), &offset) <= now
    }

    /// The log cannot be rotated before it takes what was written until now; its last line is of this time.
    pub fn put_off(&mut self, modified: Option<i64>) {
        self.put_off = self.put_off.or(modified);
    }

    /// Whether it is to be rotated as soon as it can be, and the time of its last line.
    pub fn take_put_off(&mut self) -> Option<i64> {
        self.put_off.take()
    }

    /// When the next backup becomes too old.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        self.expiry = expiry;
    }
}

/// In seconds since the epoch.
fn now() -> i64 {
    i64::try_from(clock::wall().as_secs()).unwrap_or(i64::MAX)
}
