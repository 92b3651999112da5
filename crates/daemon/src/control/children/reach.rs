//! By what the descendants of a child are known, once a stop is to reach them all.

use supervisord_sys::cgroup::Cgroup;
use supervisord_sys::process_tree::{self, TreeMark};
use supervisord_sys::{Errno, Pid};

/// All that a stop reaches.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// Those with this mark.
    Tree(TreeMark),
    /// Those in this cgroup.
    Cgroup(Cgroup),
}

impl Reach {
    /// Sends a signal to all of them, to the `root` first. Gives those that may not be signalled.
    pub(super) fn send(&self, signal: i32, root: Option<Pid>) -> Result<Vec<Pid>, Errno> {
        match self {
            Reach::Tree(mark) => process_tree::send(signal, *mark, root),
            Reach::Cgroup(cgroup) => cgroup.send(signal, root),
        }
    }

    /// The mark, where they are known by one.
    pub(super) fn mark(&self) -> Option<TreeMark> {
        match self {
            Reach::Tree(mark) => Some(*mark),
            Reach::Cgroup(_) => None,
        }
    }
}
