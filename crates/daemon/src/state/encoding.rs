//! How values stand in the lines of the state: what is left out, and how moments are written.

use std::time::Duration;

/// Whether a field is left out, because a reader that misses it has the same.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A moment as nanoseconds on its clock.
pub fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}
