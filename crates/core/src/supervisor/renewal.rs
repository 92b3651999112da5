//! How far a process has got with being renewed by an update.

/// Whether a process that is to take another definition, or to go, is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Others that depend on it stop first.
    Waits,
    /// It is being stopped, or has stopped.
    Stops,
}
