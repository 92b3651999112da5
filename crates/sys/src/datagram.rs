//! A datagram with the process that sent it.

use std::os::fd::OwnedFd;

/// A datagram that was received.
#[derive(Debug)]
pub struct Datagram {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// The process that sent it; 0 for one that this process cannot see.
    pub pid: u32,
    /// The user of that process.
    pub uid: u32,
    /// The descriptors that came with it, closed on exec. To close one may block, see [`crate::fd::close_at_once`].
    pub descriptors: Vec<OwnedFd>,
}
