//! The state of the network plane, which its tasks watch.

/// The states, in the order in which the plane passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneState {
    /// Clients wait in the backlog.
    Starting,
    /// Clients are accepted.
    Accepting,
    /// The plane ends, and all connections with it.
    Closing,
    /// The plane ends; idle connections are kept for the next one.
    HandingOver,
}

impl PlaneState {
    /// Whether the plane ends.
    pub fn is_ending(&self) -> bool {
        matches!(self, PlaneState::Closing | PlaneState::HandingOver)
    }
}
