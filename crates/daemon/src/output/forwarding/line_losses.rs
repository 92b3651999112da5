//! How many lines did not get to log services: of each stream until control is told, and altogether.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use supervisord_core::output::Channel;
use supervisord_core::output::forward::ForwardOrigin;

/// How many lines no log service got that was to get them, since the daemon began.
static LOST_LINES: AtomicU64 = AtomicU64::new(0);

/// How many lines were lost on their way to log services, since the daemon began.
pub fn lost_lines() -> u64 {
    LOST_LINES.load(Ordering::Relaxed)
}

/// The group and the name of a process, and one of its streams.
pub(in crate::output) type LineSource = (String, String, Channel);

/// The lines that were lost and that control has not been told of, by whoever lost them.
#[derive(Debug, Default)]
pub(super) struct LineLosses {
    are_any: AtomicBool,
    lines: Mutex<HashMap<LineSource, u64>>,
}

impl LineLosses {
    fn lock(&self) -> MutexGuard<'_, HashMap<LineSource, u64>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of this origin was lost.
    pub fn add(&self, origin: &ForwardOrigin) {
        let ForwardOrigin { group, process, channel, .. } = origin;
        LOST_LINES.fetch_add(1, Ordering::Relaxed);
        if let Some(channel) = channel {
            *self.lock().entry((group.clone(), process.clone(), *channel)).or_default() += 1;
            self.are_any.store(true, Ordering::SeqCst);
        }
    }

    /// Whether there are any.
    pub fn are_any(&self) -> bool {
        self.are_any.load(Ordering::SeqCst)
    }

    /// Those since the last call.
    pub fn take(&self) -> HashMap<LineSource, u64> {
        let mut lines = self.lock();
        self.are_any.store(false, Ordering::SeqCst);
        mem::take(&mut lines)
    }
}
