//! The cgroups of programs that are to be stopped with everything in theirs.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use supervisord_config::model::{LogLevel, Process};
use supervisord_core::process::StopPlan;
use supervisord_sys::cgroup::{Cgroup, NotDelegated};

use crate::activity::Activity;
use crate::output::RunId;

/// Makes them.
#[derive(Default)]
pub(super) struct Cgroups {
    /// Whether it has been logged that none can be made.
    is_refused: bool,
}

/// A cgroup for a child that is about to be made.
pub(super) struct NewCgroup {
    pub(super) cgroup: Cgroup,
    procs: File,
}

impl NewCgroup {
    /// By which the child enters it.
    pub(super) fn entrance(&self) -> BorrowedFd<'_> {
        self.procs.as_fd()
    }
}

impl Cgroups {
    /// One for the child of a program that asks for it. None can be made where cgroups are not delegated: one line says why.
    pub(super) fn make(&mut self, process: &Process, run: RunId, activity: &Activity) -> Option<NewCgroup> {
        if !StopPlan::of(process).reaches_cgroup() {
            return None;
        }
        match Cgroup::make(run.0) {
            Ok((cgroup, procs)) => Some(NewCgroup { cgroup, procs }),
            Err(reason) => {
                if !std::mem::replace(&mut self.is_refused, true) {
                    activity.log(LogLevel::Warn, &no_cgroup(&process.identity.name, &reason));
                }
                None
            }
        }
    }
}

/// Why a program has no cgroup, and whom its stops reach instead.
fn no_cgroup(name: &str, reason: &NotDelegated) -> String {
    let (reason, instead) = match reason {
        NotDelegated::NotMounted => ("cgroup v2 is not mounted".to_owned(), "the tree of its descendants"),
        // Nor is it known then who its descendants are.
        NotDelegated::NoProc => ("/proc is not there to tell its own".to_owned(), "its process group"),
        NotDelegated::Refused(path, error) => {
            (format!("cgroup v2 is not delegated ({}: {error})", path.display()), "the tree of its descendants")
        }
    };
    format!("no cgroup can be made for {name}, because {reason}; stops reach {instead} instead")
}
