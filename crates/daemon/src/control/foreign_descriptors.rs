//! Descriptors that others have sent: to close one may take as long as its sender likes, so that it is done on other threads.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use supervisord_sys::fd;
use supervisord_sys::notification_socket::NotificationSocket;

use crate::blocking::BlockingThreads;

/// How many of them may be open before the socket takes no more.
const MOST_OPEN: usize = 64;

/// Closes the descriptors that come out of a socket, and counts those that are open.
#[derive(Clone)]
pub(super) struct ForeignDescriptors {
    socket: Arc<NotificationSocket>,
    open: Arc<AtomicUsize>,
    /// Whether the socket takes no more.
    is_refusing: Arc<AtomicBool>,
}

impl ForeignDescriptors {
    /// None has come out of this socket yet.
    pub(super) fn new(socket: Arc<NotificationSocket>) -> ForeignDescriptors {
        // Before Linux 6.16 they cannot be refused.
        let _ = socket.accept_descriptors(true);
        ForeignDescriptors { socket, open: Arc::default(), is_refusing: Arc::default() }
    }

    /// Some have come. True where the socket takes no more from now on, because so many are open.
    pub(super) fn came(&self, count: usize) -> bool {
        let open = self.open.fetch_add(count, Ordering::SeqCst) + count;
        let refuses = open > MOST_OPEN && !self.is_refusing.swap(true, Ordering::SeqCst);
        if refuses {
            let _ = self.socket.accept_descriptors(false);
        }
        refuses
    }

    /// Closes them, on other threads.
    pub(super) fn close(&self, descriptors: Vec<OwnedFd>, threads: &BlockingThreads) {
        for descriptor in descriptors {
            let ours = self.clone();
            threads.run_detached(move || {
                fd::close_at_once(descriptor);
                ours.closed();
            });
        }
    }

    fn closed(&self) {
        let was_last = self.open.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && self.is_refusing.swap(false, Ordering::SeqCst) {
            let _ = self.socket.accept_descriptors(true);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    #[test]
    fn they_are_closed_elsewhere_and_refused_while_too_many_are_open() {
        let ours = ForeignDescriptors::new(Arc::new(NotificationSocket::open().unwrap()));
        let threads = BlockingThreads::default();
        let pipes: Vec<_> = (0..=MOST_OPEN).map(|_| io::pipe().unwrap()).collect();
        let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        assert!(ours.came(writers.len()) && !ours.came(0), "once is enough");
        assert!(ours.is_refusing.load(Ordering::SeqCst));
        ours.close(writers.into_iter().map(OwnedFd::from).collect(), &threads);
        let ended = |mut reader: io::PipeReader| io::Read::read(&mut reader, &mut [0]).unwrap() == 0;
        assert!(readers.into_iter().all(ended));
        threads.close(Duration::from_secs(20));
        assert_eq!((ours.open.load(Ordering::SeqCst), ours.is_refusing.load(Ordering::SeqCst)), (0, false));
    }
}
