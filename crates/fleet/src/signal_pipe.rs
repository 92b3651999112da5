//! Signals as something to wait for.

use std::ffi::c_int;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;

use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

/// Notes signals from now on. tokio's own signals are not used: what a package asks of tokio, every program of a workspace build
/// gets, and the daemon and its client would hold a pair of sockets for nothing.
pub struct SignalPipe {
    arrived: UnixStream,
}

impl SignalPipe {
    /// The error is the system's, when it refuses descriptors.
    pub fn of(signals: &[c_int]) -> io::Result<SignalPipe> {
        let (arrived, sender) = StdUnixStream::pair()?;
        arrived.set_nonblocking(true)?;
        for signal in signals {
            pipe::register(*signal, sender.try_clone()?)?;
        }
        Ok(SignalPipe { arrived: UnixStream::from_std(arrived)? })
    }

    /// Returns when one has come, also if that was told before.
    pub async fn has_come(&self) {
        // It cannot fail before the end of the sender, which lives as long as the process.
        let _ = self.arrived.readable().await;
    }

    /// Returns when at least one has come since it was told last.
    pub async fn next(&self) {
        loop {
            self.has_come().await;
            match self.arrived.try_read(&mut [0; 64]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    }
}
