//! The replacements on all systems but Linux. Without a replacement, the error is `Unsupported` or ENOSYS.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::sys::socket::UnixAddr;

use crate::datagram::Datagram;
use crate::{Errno, Pid};

pub(crate) mod trusted_walk;

pub(crate) const MAX_SIGNAL: i32 = 128;

pub(crate) const MAP_UNRESERVED: libc::c_int = 0;

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The error of calls that do not exist.
const NONE: Errno = Errno::ENOSYS;

/// Children inherit all files there.
pub(crate) fn keep_from_children(file: File) -> File {
    file
}

pub(crate) fn without_remote_files<T>(_highest: RawFd, make: impl Fn() -> T) -> T {
    make()
}

pub(crate) fn open_notification_socket(_name: &[u8]) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn abstract_address(_name: &[u8]) -> io::Result<UnixAddr> {
    unsupported()
}

pub(crate) fn abstract_name_of(_socket: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    unsupported()
}

pub(crate) fn accept_descriptors(_socket: BorrowedFd<'_>, _accepts: bool) -> io::Result<()> {
    unsupported()
}

pub(crate) fn receive_datagram(_socket: BorrowedFd<'_>, _buffer: &mut [u8]) -> io::Result<Datagram> {
    unsupported()
}

/// The priority is that of the whole process there.
pub(crate) fn set_priority_of_this_thread(_nice: i8) -> Option<bool> {
    None
}

/// The same.
pub(crate) fn lower_priority_of_this_thread() {}

pub(crate) fn peer(_connection: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    unsupported()
}

pub(crate) fn peer_groups(_connection: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    unsupported()
}

pub(crate) fn boot_time() -> Duration {
    crate::clock::monotonic()
}

pub(crate) fn close_range_on_exec() -> bool {
    false
}

pub(crate) fn descriptor_table_size() -> Option<u64> {
    None
}

pub(crate) fn splice(_from: BorrowedFd<'_>, _to: BorrowedFd<'_>, _len: usize) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn tee(_from: BorrowedFd<'_>, _to: BorrowedFd<'_>, _len: usize) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn pipe_capacity(_pipe: BorrowedFd<'_>) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn set_pipe_capacity(_pipe: BorrowedFd<'_>, _bytes: usize) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn reopen(_number: i32, _flags: i32) -> io::Result<File> {
    unsupported()
}

pub(crate) fn append_by_flag(_file: BorrowedFd<'_>, _bytes: &[u8]) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn read_cached_at(_file: BorrowedFd<'_>, _bytes: &mut [u8], _offset: u64) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn is_on_memory_file_system(_file: BorrowedFd<'_>) -> bool {
    false
}

pub(crate) fn nameless_file() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("supervisord.{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

pub(crate) fn sealed_memory_file(_len: usize) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn sealed_content(_content: &[u8]) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn reserve_in_memory(_file: BorrowedFd<'_>, _len: usize) -> io::Result<()> {
    unsupported()
}

pub(crate) fn has_sealed_size(_file: BorrowedFd<'_>) -> bool {
    false
}

pub(crate) fn punch_hole(_file: BorrowedFd<'_>, _offset: usize, _len: usize) -> io::Result<()> {
    unsupported()
}

/// At most 256 bytes.
pub(crate) fn fill_with_random(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: pointer and length describe a slice with no other user.
    match unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(crate) fn release_code_pages() {}

pub(crate) fn set_process_name(_name: &CStr) {}

pub(crate) fn open_process(_pid: Pid) -> Result<OwnedFd, Errno> {
    Err(NONE)
}

pub(crate) fn signal_process(_handle: BorrowedFd<'_>, _signal: i32, _flags: u32) -> Result<(), Errno> {
    Err(NONE)
}

pub(crate) fn exit_status_of(_handle: BorrowedFd<'_>) -> Option<i32> {
    None
}

pub(crate) fn copy_descriptor(_handle: BorrowedFd<'_>, _number: RawFd) -> Result<OwnedFd, Errno> {
    Err(NONE)
}

pub(crate) fn is_clone3_forbidden() -> bool {
    false
}

pub(crate) fn hide_clone3() -> Result<(), Errno> {
    Err(NONE)
}

pub(crate) fn set_no_new_privs() {}

pub(crate) fn mark_of(_pid: Pid) -> Option<u64> {
    None
}

pub(crate) fn set_mark(_mark: u64) -> Result<(), Errno> {
    Err(NONE)
}

pub(crate) fn set_subreaper() -> Result<(), Errno> {
    Err(NONE)
}

pub(crate) fn is_subreaper() -> bool {
    false
}

pub(crate) fn memory_kills() -> (Option<u64>, Option<u64>) {
    (None, None)
}
