//! Files whose contents another machine or process keeps (NFS, SMB, FUSE and the like), and children that do not inherit them.
//!
//! To close such a file is a question to its server: a child that executes a program closes its copies of the daemon's files,
//! and hangs there as long as the server does not answer, with whoever looks at it in `/proc`. So these files get high numbers,
//! and a child is made by a thread whose table of descriptors ends below them. That costs a thread for each child, and only where
//! there has been such a file.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statfs::fstatfs;

/// The numbers of the file systems, from the kernel's `magic.h` and the sources of those that are not in it.
const REMOTE: [u32; 13] = [
    0x6969,      // NFS
    0x6573_5546, // FUSE, virtiofs
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2 and later
    0x517b,      // SMB 1
    0x0102_1997, // 9P
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x7375_7245, // Coda
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x786f_4256, // shared folders of VirtualBox
    0x1983_0326, // BeeGFS
];

/// The highest number from which on remote files may be: the table of descriptors has room for all numbers below.
const HIGHEST_FIRST: u64 = 8192;

/// The stack of the thread that makes a child.
const STACK: usize = 64 << 10;

/// The least number that a remote file has been given; 0 where there was none.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// The same file, which no child inherits from now on if it is remote.
pub(crate) fn keep_from_children(file: File) -> File {
    if !is_remote(&file) {
        return file;
    }
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    let wanted = RawFd::try_from((limit / 2).min(HIGHEST_FIRST)).unwrap_or(0);
    let first = match FIRST.compare_exchange(0, wanted, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => wanted,
        Err(first) => first,
    };
    // SAFETY: the descriptor is open, and the command takes a number.
    let copy = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first) };
    match copy {
        // SAFETY: the call has just created this descriptor, so it has no other owner.
        0.. => unsafe { OwnedFd::from_raw_fd(copy) }.into(),
        // There is no room above.
        _ => file,
    }
}

fn is_remote(file: &File) -> bool {
    // What has a device of its own is local, and need not be asked.
    let has_no_device = file.metadata().is_ok_and(|found| found.is_file() && libc::major(found.dev()) == 0);
    has_no_device && fstatfs(file).is_ok_and(|found| REMOTE.contains(&(found.filesystem_type().0 as u32)))
}

/// Has a child made by a thread that has no remote files, if there are any. `highest` is the highest descriptor that the child
/// needs: one that is behind them is only in a table that has them, too.
pub(crate) fn without_remote_files<T: Send>(highest: RawFd, make: impl Fn() -> T) -> T {
    /// What is not made for other threads, and used by one at a time.
    struct Lent<M>(M);
    // SAFETY: the thread below has it alone, while this one waits.
    unsafe impl<M> Send for Lent<M> {}
    impl<T, M: Fn() -> T> Lent<&M> {
        fn call(self) -> T {
            (self.0)()
        }
    }

    let first = FIRST.load(Ordering::Relaxed);
    if first == 0 || highest >= first {
        return make();
    }
    thread::scope(|scope| {
        let lent = Lent(&make);
        let builder = thread::Builder::new().name("spawn".to_owned()).stack_size(STACK);
        let thread = builder.spawn_scoped(scope, move || {
            leave_out_descriptors(first);
            lent.call()
        });
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)),
            // There is no room for a thread: the child inherits all.
            Err(_) => make(),
        }
    })
}

/// Gives the calling thread a table of descriptors of its own, with those below `first`. The others are not even copied, so that none
/// has to be closed. Where a filter forbids the call, nothing changes.
fn leave_out_descriptors(first: RawFd) {
    // SAFETY: it takes numbers only, and no other thread uses the table of this one.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_open(number: RawFd) -> bool {
        // SAFETY: the number may be invalid; the system checks it.
        unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
    }

    #[test]
    fn a_thread_without_high_descriptors_takes_them_from_nobody() {
        let file = tempfile::tempfile().unwrap();
        // SAFETY: the descriptor is open, and the command takes a number.
        let high = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 500) };
        assert!(high >= 500);
        let low = file.as_raw_fd();
        let seen = thread::spawn(move || {
            leave_out_descriptors(500);
            (is_open(low), is_open(high))
        });
        assert_eq!(seen.join().unwrap(), (true, false));
        assert!(is_open(high));
        // SAFETY: nobody else owns it.
        drop(unsafe { OwnedFd::from_raw_fd(high) });
    }

    #[test]
    fn local_files_stay_where_they_are_and_cost_no_thread() {
        let file = tempfile::tempfile().unwrap();
        let number = file.as_raw_fd();
        assert_eq!(keep_from_children(file).as_raw_fd(), number);
        let here = thread::current().id();
        assert_eq!(without_remote_files(RawFd::MAX, || thread::current().id()), here);
    }
}
