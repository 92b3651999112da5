//! A child that has exited in a stop that is to reach all its descendants: the stop ends when these have ended, too.

use std::time::Duration;

use supervisord_core::process::ExitStatus;
use supervisord_core::time::Now;
use supervisord_sys::Pid;

use super::reach::Reach;
use crate::output::RunId;

/// A child that has exited, and whose descendants are being stopped.
pub(super) struct Lingering {
    pub(super) run: RunId,
    pub(super) status: ExitStatus,
    /// When it was reaped.
    pub(super) at: Now,
    pub(super) reach: Reach,
    /// When it is asked again which descendants are left.
    pub(super) ask_at: Duration,
    /// Descendants that may not be signalled, as the last signal has shown.
    pub(super) refused: Vec<Pid>,
}
