//! Descriptors by number: those that the program that this one replaced has left open.
//!
//! A number does not tell whether some value owns the descriptor. So each can be taken only once, and only if no value
//! of this process can own it: it was open before this program opened anything, or its owner has left it here
//! ([`leave`]).

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::limits::{self, Limit};
use crate::{Errno, system};

/// The numbers of open descriptors without an owner.
static UNOWNED: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

fn unowned() -> MutexGuard<'static, BTreeSet<RawFd>> {
    UNOWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records every descriptor from 3 on as one that can be taken, and sets it to be closed on exec. Called once, before
/// this program opens anything: the daemon opens its own descriptors with close-on-exec, but its children must not get
/// those that it inherited.
pub fn note_at_start() -> io::Result<()> {
    let found = open_descriptors();
    close_on_exec(&found)?;
    *unowned() = found.into_iter().collect();
    Ok(())
}

/// Leaves a descriptor open under its number, for [`take`] in this process or in the program that replaces it.
pub fn leave(descriptor: OwnedFd) -> RawFd {
    let number = descriptor.into_raw_fd();
    unowned().insert(number);
    number
}

/// Takes a descriptor that was inherited or left; it is closed on exec. Fails with EBADF for any other number, and if
/// the descriptor was taken already.
pub fn take(number: RawFd) -> Result<OwnedFd, Errno> {
    let mut unowned = unowned();
    if !unowned.contains(&number) {
        return Err(Errno::new(libc::EBADF));
    }
    mark(number)?;
    unowned.remove(&number);
    // SAFETY: it is open, as the call above has shown, has no owner in this process, and cannot be taken again.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// All open descriptors from 3 on.
fn open_descriptors() -> Vec<RawFd> {
    /// The highest number to try, if the system does not tell how many there may be.
    const MAX_TRIED: u64 = 1 << 16;
    let end = system::descriptor_table_size()
        .unwrap_or_else(|| limits::get(Limit::OpenFiles).map_or(MAX_TRIED, |(soft, _)| soft.min(MAX_TRIED)));
    (3..RawFd::try_from(end).unwrap_or(RawFd::MAX)).filter(|number| is_open(*number)).collect()
}

fn close_on_exec(found: &[RawFd]) -> io::Result<()> {
    if system::close_range_on_exec() {
        return Ok(());
    }
    Ok(found.iter().try_for_each(|number| mark(*number))?)
}

fn is_open(number: RawFd) -> bool {
    // SAFETY: it is borrowed for this one call, which fails without effect if it is not open.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD).is_ok()
}

fn mark(number: RawFd) -> Result<(), Errno> {
    // SAFETY: it is borrowed for this one call, which fails without effect if it is not open.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;

    #[test]
    fn a_descriptor_is_taken_once_and_only_without_an_owner() {
        let mut pipe = crate::pipe::pipe().unwrap();
        let owned = pipe.reader.as_raw_fd();
        assert_eq!(take(owned).unwrap_err(), Errno::new(libc::EBADF), "it has an owner");
        let number = leave(pipe.reader);
        let taken = take(number).unwrap();
        assert_eq!(take(number).unwrap_err(), Errno::new(libc::EBADF), "it has an owner again");
        crate::fd::write(pipe.writer.as_fd(), b"x").unwrap();
        drop(std::mem::replace(&mut pipe.writer, File::open("/dev/null").unwrap().into()));
        let mut byte = [0];
        File::from(taken).read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"x");
        assert_eq!(take(1_000_000).unwrap_err(), Errno::new(libc::EBADF), "it is not open");
        assert_eq!(take(2).unwrap_err(), Errno::new(libc::EBADF), "it is not inherited");
    }

    #[test]
    fn all_descriptors_but_the_first_three_are_closed_on_exec() {
        let file = File::open("/dev/null").unwrap();
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        close_on_exec(&open_descriptors()).unwrap();
        assert_eq!(fcntl(&file, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
    }
}
