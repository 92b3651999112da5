//! How a process ended, as the system tells it and as decisions are made about it.

use supervisord_core::process::ExitStatus;
use supervisord_sys::wait;

/// What the system told.
pub(super) fn exit_status(status: wait::WaitStatus) -> ExitStatus {
    match status {
        wait::WaitStatus::Code(code) => ExitStatus::Code(code),
        wait::WaitStatus::Signal { number, core_dumped } => ExitStatus::Signal { number, core_dumped },
        wait::WaitStatus::Other(raw) => ExitStatus::Other(raw),
    }
}
