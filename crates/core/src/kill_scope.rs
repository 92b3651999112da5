//! Whom a signal to a process reaches.

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillScope {
    /// The child.
    Process,
    /// The child's process group.
    Group,
}
