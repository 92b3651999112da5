//! How a process ended, as the system tells it and as decisions are made about it.

use supervisord_core::process::ExitStatus;
use supervisord_sys::wait;

/// What the system told.
pub(super) fn exit_status(status: wait::ExitStatus) -> ExitStatus {
    match status {
        wait::ExitStatus::Code(code) => ExitStatus::Code(code),
        wait::ExitStatus::Signal { number, core_dumped } => ExitStatus::Signal { number, core_dumped },
        wait::ExitStatus::Other(raw) => ExitStatus::Other(raw),
    }
}
