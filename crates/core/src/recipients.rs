//! The recipients of a signal to a process.

/// The recipients of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillScope {
    /// The child.
    Process,
    /// The child's process group.
    Group,
    /// All processes that descend from the child, the child first.
    Tree,
}
