//! The signals that ask this process to end.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

/// Notes SIGTERM and SIGINT from now on. tokio's own signals are not used: what a package asks of tokio, every program of a
/// workspace build gets, and the daemon and its client would hold a pair of sockets for nothing.
pub struct Termination {
    signals: UnixStream,
}

impl Termination {
    /// The error is the system's, when it refuses descriptors.
    pub fn watch() -> io::Result<Termination> {
        let (signals, sender) = StdUnixStream::pair()?;
        signals.set_nonblocking(true)?;
        pipe::register(SIGINT, sender.try_clone()?)?;
        pipe::register(SIGTERM, sender)?;
        Ok(Termination { signals: UnixStream::from_std(signals)? })
    }

    /// Returns when one of the signals has come.
    pub async fn requested(&self) {
        // It cannot fail before the end of the sender, which lives as long as the process.
        let _ = self.signals.readable().await;
    }
}
