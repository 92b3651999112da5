//! Memory that outlives the process that writes it, as long as some process holds its descriptor.
//!
//! When a process is killed, the memory stays as after its last store and its last system call. Numbers are atomic;
//! bytes are only accessed by system calls and copies, so that no reference to memory that another process may change
//! ever exists.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use crate::{system, user};

/// A mapping of a memory file. Its size never changes.
#[derive(Debug)]
pub struct SharedMemory {
    file: OwnedFd,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is owned by this value, is valid until it is dropped, and is not bound to a thread.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// New memory, all zeros. Fails with EFBIG beyond the limit on file sizes (`ulimit -f`), which applies to it, too;
    /// without this check the attempt would raise a fatal signal. `Unsupported` if the system has no memory files.
    pub fn create(len: usize) -> io::Result<SharedMemory> {
        map(system::sealed_memory_file(len)?, len)
    }

    /// Memory that another process created with this length. Another length, or a length that could still change, is
    /// refused.
    pub fn adopt(file: OwnedFd, len: usize) -> io::Result<SharedMemory> {
        let found = nix::sys::stat::fstat(&file)?.st_size;
        if !system::has_sealed_size(file.as_fd()) || usize::try_from(found) != Ok(len) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        map(file, len)
    }

    /// Memory in a file that outlives all processes: what is there stays. A new file is all zeros, and nobody else may read it.
    /// Only the user of this process can shorten it, after which an access raises SIGBUS.
    ///
    /// # Errors
    /// `Unsupported` where the file would be on a disk, for which an access would wait; `PermissionDenied` where it belongs to
    /// another user, where others may write to it, or where it is no regular file of this length.
    pub fn in_file(path: &Path, len: usize) -> io::Result<SharedMemory> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File::options().read(true).write(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        let is_ours = found.is_file() && found.uid() == user::effective_uid() && found.mode() & 0o022 == 0;
        if !is_ours || (found.len() != 0 && usize::try_from(found.len()) != Ok(len)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        system::reserve_in_memory(file.as_fd(), len)?;
        map(file.into(), len)
    }

    /// The number at this index, which counts words of eight bytes.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        let place = self.range(index * size_of::<AtomicU64>(), size_of::<AtomicU64>());
        // SAFETY: it lies within the mapping, which is page-aligned and lives as long as `self`, and other threads and
        // processes may change an atomic number at any time.
        unsafe { AtomicU64::from_ptr(place.as_ptr().cast()) }
    }

    /// Copies `bytes` to this offset.
    pub fn store(&mut self, offset: usize, bytes: &[u8]) {
        let place = self.range(offset, bytes.len());
        // SAFETY: both are valid for the length, and `bytes` does not overlap with the mapping, of which no slice
        // exists.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
    }

    /// A copy of the bytes at this offset.
    pub fn load(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.load_into(offset, &mut bytes);
        bytes
    }

    /// Copies the bytes at this offset to `bytes`.
    pub fn load_into(&self, offset: usize, bytes: &mut [u8]) {
        let place = self.range(offset, bytes.len());
        // SAFETY: as in `store`.
        unsafe { std::ptr::copy_nonoverlapping(place.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Reads once from `from` to this offset; 0 at the end of file.
    pub fn read_from(&mut self, from: BorrowedFd<'_>, offset: usize, len: usize) -> io::Result<usize> {
        let place = self.range(offset, len);
        // SAFETY: the system writes at most `len` bytes, and the range has that many.
        checked(unsafe { libc::read(from.as_raw_fd(), place.as_ptr().cast(), len) })
    }

    /// Writes once to `to` from this offset, possibly only a part.
    pub fn write_to(&self, to: BorrowedFd<'_>, offset: usize, len: usize) -> io::Result<usize> {
        let place = self.range(offset, len);
        // SAFETY: the system reads at most `len` bytes, and the range has that many.
        checked(unsafe { libc::write(to.as_raw_fd(), place.as_ptr().cast(), len) })
    }

    /// Returns the whole pages of a range to the system; the range is zeros afterwards.
    pub fn discard(&mut self, offset: usize, len: usize) -> io::Result<()> {
        self.range(offset, len);
        system::punch_hole(self.file.as_fd(), offset, len)
    }

    /// The beginning of a range. Like a slice, it panics if the range exceeds the memory.
    fn range(&self, offset: usize, len: usize) -> NonNull<u8> {
        assert!(offset <= self.len && len <= self.len - offset, "{offset} and {len} of {}", self.len);
        // SAFETY: it is within the mapping, as just checked.
        unsafe { self.start.add(offset) }
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: this is the mapping of this value, and no reference to it exists any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

fn map(file: OwnedFd, len: usize) -> io::Result<SharedMemory> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a new mapping at an address of the system's choice affects no other memory.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
    Ok(SharedMemory { file, start, len })
}

fn checked(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    const LEN: usize = 8192;

    #[test]
    fn another_mapping_of_the_file_has_the_same_content() {
        let mut here = SharedMemory::create(LEN).expect("created");
        let there = SharedMemory::adopt(here.as_fd().try_clone_to_owned().expect("a copy"), LEN).expect("adopted");
        here.word(1).store(7, SeqCst);
        here.store(100, b"hello");
        let (reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"world").expect("written");
        assert_eq!(here.read_from(reader.as_fd(), 200, 100).expect("read"), 5);
        drop(here);
        assert_eq!(there.word(1).load(SeqCst), 7);
        assert_eq!(there.load(100, 5), b"hello");
        let mut part = [0; 3];
        there.load_into(101, &mut part);
        assert_eq!(&part, b"ell");
        assert_eq!(there.write_to(writer.as_fd(), 200, 5).expect("written"), 5);
        let mut again = SharedMemory::create(LEN).expect("created");
        assert_eq!(again.read_from(reader.as_fd(), LEN - 5, 5).expect("read"), 5);
        assert_eq!(again.load(LEN - 5, 5), b"world");
    }

    #[test]
    fn memory_of_another_length_or_that_could_shrink_is_refused() {
        let memory = SharedMemory::create(LEN).expect("created");
        let copy = || memory.as_fd().try_clone_to_owned().expect("a copy");
        assert!(SharedMemory::adopt(copy(), 2 * LEN).is_err());
        assert!(std::fs::File::from(copy()).set_len(1).is_err(), "it is sealed");
        let file = tempfile::tempfile().expect("a file");
        file.set_len(LEN as u64).expect("made longer");
        assert!(SharedMemory::adopt(file.into(), LEN).is_err());
        assert!(SharedMemory::adopt(crate::exec::memory_file(&[0; LEN]).expect("a file"), LEN).is_err());
    }

    #[test]
    fn memory_in_a_file_is_found_again() {
        let path = Path::new("/dev/shm").join(format!("supervisord-test-{}", std::process::id()));
        SharedMemory::in_file(&path, LEN).expect("created").word(3).store(9, SeqCst);
        let again = SharedMemory::in_file(&path, LEN).expect("opened").word(3).load(SeqCst);
        let refused = SharedMemory::in_file(&path, 2 * LEN).map_err(|error| error.kind());
        std::fs::remove_file(&path).expect("removed");
        let link = SharedMemory::in_file(Path::new("/dev/stdin"), LEN);
        assert_eq!((again, refused.unwrap_err(), link.is_err()), (9, io::ErrorKind::PermissionDenied, true));
    }

    #[test]
    fn discarded_memory_is_zeros() {
        let mut memory = SharedMemory::create(LEN).expect("created");
        memory.store(0, &[1; LEN]);
        let blocks = |memory: &SharedMemory| nix::sys::stat::fstat(memory.as_fd()).expect("found").st_blocks;
        let before = blocks(&memory);
        memory.discard(LEN / 2, LEN / 2).expect("given back");
        assert!(blocks(&memory) < before);
        assert_eq!(memory.load(LEN / 2 - 1, 3), [1, 0, 0]);
    }

    #[test]
    #[should_panic(expected = "8192 of 8192")]
    fn access_beyond_the_end_panics() {
        SharedMemory::create(LEN).expect("created").load(1, LEN);
    }
}
