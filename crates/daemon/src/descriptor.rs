//! Watching descriptors that mio does not know as types of its own.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

/// Watches a descriptor, edge-triggered; it must be deregistered before it is closed.
pub fn register(registry: &Registry, descriptor: &impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
    registry.register(&mut SourceFd(&descriptor.as_fd().as_raw_fd()), token, interest)
}

/// Stops watching a descriptor.
pub fn deregister(registry: &Registry, descriptor: &impl AsFd) {
    // A descriptor that is not registered (any more) needs nothing.
    let _ = registry.deregister(&mut SourceFd(&descriptor.as_fd().as_raw_fd()));
}
