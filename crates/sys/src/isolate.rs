//! Protects a process from signals and from the OOM killer.

use std::ffi::CString;
use std::fs;

use nix::sys::signal::{SigSet, Signal};

use crate::limits::{self, Limit};
use crate::{Errno, system};

/// The score of a process that the OOM killer never chooses.
const NEVER_FOR_MEMORY: &str = "-1000";

/// Blocks all signals, changes to the root directory, excludes this process from the OOM killer, raises the limit of
/// open descriptors to the hard limit, and sets the name of the process. Whatever the system refuses is skipped.
///
/// # Errors
/// An error of blocking signals, without which the rest is useless.
pub fn isolate(name: &str) -> Result<(), Errno> {
    SigSet::all().thread_set_mask()?;
    let _ = std::env::set_current_dir("/");
    let _ = fs::write("/proc/self/oom_score_adj", NEVER_FOR_MEMORY);
    if let Ok((_, hard)) = limits::get(Limit::OpenFiles) {
        let _ = limits::ensure(Limit::OpenFiles, hard);
    }
    if let Ok(name) = CString::new(name) {
        system::set_process_name(&name);
    }
    Ok(())
}

/// Whether SIGTERM ends this process; allowing it also delivers a SIGTERM that arrived earlier.
pub fn allow_sigterm(allow: bool) {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    // Setting the mask for existing signals never fails.
    let _ = if allow { signals.thread_unblock() } else { signals.thread_block() };
}
