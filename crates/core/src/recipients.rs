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
    /// All processes in the cgroup of the child, the child first; those of the tree where it has none of its own.
    Cgroup,
}
