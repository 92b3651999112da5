//! Starts children by a fork, on systems where they cannot share the daemon's memory.

pub(crate) mod calls;

use std::marker::PhantomData;
use std::sync::atomic::AtomicU64;

use super::prepared_child::{PreparedChild, fork_and_store};
use crate::{Errno, Pid};

/// Starts children.
#[derive(Debug)]
pub(crate) struct Launcher<C> {
    child: PhantomData<fn(C)>,
}

impl<C: PreparedChild> Launcher<C> {
    /// All releases of these systems fork.
    pub(crate) fn on(_release: &str) -> Launcher<C> {
        Launcher { child: PhantomData }
    }

    /// Starts a child, and stores its process id in `pid_slot`.
    pub(crate) fn launch(&mut self, child: C, _changes_user: bool, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
        fork_and_store(&child, pid_slot)
    }

    /// A child that was forked uses nothing of this process.
    pub(crate) fn settle(&mut self) {}
}
