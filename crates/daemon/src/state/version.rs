//! The versions of the forms in which this program leaves its state, for an upgrade and for a daemon after a crash.
//!
//! They are [`snapshot::VERSION`] and [`record::VERSION`]. Only a program made for trying what happens
//! between two releases has others.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{record, snapshot};

static LATER: AtomicU32 = AtomicU32::new(0);

/// The version of what travels in an upgrade.
pub fn of_hand_over() -> u32 {
    snapshot::VERSION + LATER.load(Ordering::Relaxed)
}

/// The version of the state file and of what the keeper holds.
pub fn of_state() -> u32 {
    record::VERSION + LATER.load(Ordering::Relaxed)
}

/// Whether a state of this version is read as one of the present version is: a program that pretends to be later reads that
/// of the release before, too, which is this one.
pub fn is_known_state(version: u32) -> bool {
    (record::VERSION..=of_state()).contains(&version)
}

/// The same of what travels in an upgrade.
pub fn is_known_hand_over(version: u32) -> bool {
    (snapshot::VERSION..=of_hand_over()).contains(&version)
}

/// Makes this program one of the release to come; only before anything else.
pub fn pretend_to_be_later() {
    LATER.store(1, Ordering::Relaxed);
}
