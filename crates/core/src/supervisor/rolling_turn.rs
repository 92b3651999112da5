//! The place of a process in a rolling restart.

/// Which rolling restart it belongs to, and how far it has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollingTurn {
    /// The number of the rolling restart.
    pub rollout: u64,
    /// How many processes of it may be away at the same time.
    pub parallel: usize,
    /// How many of it come before it.
    pub place: usize,
    /// Whether it has been stopped, and is not ready again.
    pub is_under_way: bool,
    /// Whether the rolling restart has ended at the failure of another one, while this one was under way.
    pub has_failed: bool,
}
