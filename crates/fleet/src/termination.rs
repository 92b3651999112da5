//! The signals that ask this process to end.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::signal_pipe::SignalPipe;

/// Notes SIGTERM and SIGINT from now on.
pub struct Termination {
    signals: SignalPipe,
}

impl Termination {
    /// The error is the system's, when it refuses descriptors.
    pub fn watch() -> io::Result<Termination> {
        Ok(Termination { signals: SignalPipe::of(&[SIGINT, SIGTERM])? })
    }

    /// Returns when one of the signals has come.
    pub async fn requested(&self) {
        self.signals.has_come().await;
    }

    /// Returns when another has come after the one that was requested first.
    pub async fn insisted(&self) {
        self.signals.next().await;
        self.signals.next().await;
    }
}
