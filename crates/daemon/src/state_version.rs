//! The version of the state that this program writes and understands.
//!
//! It is that of [`snapshot::VERSION`]. Only a program made for trying what happens between two versions has another.

use std::sync::atomic::{AtomicU32, Ordering};

use supervisord_core::supervisor::snapshot;

static OURS: AtomicU32 = AtomicU32::new(snapshot::VERSION);

/// The version.
pub fn ours() -> u32 {
    OURS.load(Ordering::Relaxed)
}

/// Makes this program one of another version; only before anything else.
pub fn pretend(version: u32) {
    OURS.store(version, Ordering::Relaxed);
}
