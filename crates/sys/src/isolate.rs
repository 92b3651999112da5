//! Taking a process out of the reach of whatever ends processes by the way.

use std::ffi::CString;
use std::fs;

use nix::sys::signal::{SigSet, Signal};

use crate::limits::{self, Limit};
use crate::{Errno, system};

/// The score of a process that the system never ends for want of memory.
const NEVER_FOR_MEMORY: &str = "-1000";

/// Blocks every signal that can be blocked, leaves the directory, asks the system not to choose this process when memory
/// runs out, and may open as many descriptors as the system allows. The process is called `name` from now on. What the system refuses is done without.
///
/// # Errors
/// Those of blocking signals, without which the rest makes no sense.
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

/// Whether SIGTERM ends this process, be it one that came while it did not.
pub fn obey_sigterm(obey: bool) {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    // A set of signals that exist is never refused.
    let _ = if obey { signals.thread_unblock() } else { signals.thread_block() };
}
