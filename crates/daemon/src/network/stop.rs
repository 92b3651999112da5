//! The end of the network plane, as its tasks hear of it.

/// What connections are told about the plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It goes on.
    Not,
    /// It ends, and all connections with it.
    Close,
    /// It ends, and connections on which nothing is under way are kept for the next.
    HandOver,
}

impl Stop {
    /// Whether the plane ends.
    pub fn is_near(&self) -> bool {
        *self != Stop::Not
    }
}
