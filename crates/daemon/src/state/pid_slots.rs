//! The process ids of children that are being made, where they are known even if the daemon is killed in the middle of it.
//!
//! The state says that a child is being made before it is, and who it is afterwards. In between, the system itself writes
//! the process id into shared memory. The keeper holds it, and so does a file that waits for no disk, for the case that the
//! keeper is killed, too: then the state file may also lack what was done last.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use supervisord_sys::shared_memory::SharedMemory;
use supervisord_sys::{Pid, fd, proc_stat, sink, start_time, user};

use crate::output::RunId;

/// How many children may be made before the state must say who they are.
pub const MOST: usize = 512;

/// Words for each child: its run, counted from 1; when it was about to be made, in milliseconds after the boot; its process
/// id.
const WORDS: usize = 3;

/// After the words for the children: the boot, and the start of process 1, which differs from container to container.
const HEADER: usize = MOST * WORDS;

/// How long the memory is.
const LENGTH: usize = (HEADER + 2) * size_of::<AtomicU64>();

/// The directory for the file where the pid file is on a disk.
const SHARED_MEMORY: &str = "/dev/shm";

/// Where the process ids are written.
pub struct PidSlots(SharedMemory);

/// A child that may have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnedPid {
    /// Its process id.
    pub pid: u32,
    /// When it was about to be made, in milliseconds after the boot.
    pub after: u64,
}

/// The path of the file: beside the pid file where that is on a file system in memory, otherwise in `/dev/shm`, by a name that
/// stands for the directory and the name of the pid file. None where there is no such file system.
pub fn path_for(pidfile: &Path) -> Option<PathBuf> {
    let directory = match pidfile.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let is_in_memory = |file: &File| fd::is_on_memory_file_system(file.as_fd());
    let (directory, name) = (File::open(directory).ok()?, pidfile.file_name()?.to_string_lossy());
    if is_in_memory(&directory) {
        return Some(pidfile.with_file_name(format!("{name}.spawned")));
    }
    File::open(SHARED_MEMORY).ok().filter(is_in_memory)?;
    let place = directory.metadata().ok()?;
    let name = format!("supervisord-{:x}-{:x}-{name}.spawned", place.dev(), place.ino());
    Some(Path::new(SHARED_MEMORY).join(name))
}

impl PidSlots {
    /// Where nothing has been written yet, and nothing outlives the processes that hold it.
    ///
    /// # Errors
    /// The system has no memory that can be shared.
    pub fn new() -> io::Result<PidSlots> {
        SharedMemory::create(LENGTH).map(PidSlots::begun)
    }

    /// Those of a file. What the daemon before wrote stays until it is overwritten.
    ///
    /// # Errors
    /// It cannot be created, or is not ours.
    pub fn in_file(path: &Path) -> io::Result<PidSlots> {
        SharedMemory::in_file(path, LENGTH).map(PidSlots::begun)
    }

    /// What was written in another boot or container is forgotten.
    fn begun(memory: SharedMemory) -> PidSlots {
        let here = origin();
        let is_known = (HEADER..).zip(here).all(|(index, word)| memory.word(index).load(Ordering::Relaxed) == word);
        if !is_known {
            (0..HEADER).for_each(|index| memory.word(index).store(0, Ordering::Relaxed));
            (HEADER..).zip(here).for_each(|(index, word)| memory.word(index).store(word, Ordering::Relaxed));
        }
        PidSlots(memory)
    }

    /// Where the system is to write the process id of the child that is about to be made.
    pub fn slot_of(&self, run: RunId) -> &AtomicU64 {
        let first = first_word(run);
        let [owner, after, pid]: [&AtomicU64; WORDS] = std::array::from_fn(|offset| self.0.word(first + offset));
        pid.store(0, Ordering::Relaxed);
        after.store(start_time::millis(start_time::boot_time()), Ordering::Relaxed);
        owner.store(run.0 + 1, Ordering::Release);
        pid
    }
}

impl AsFd for PidSlots {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a daemon before wrote.
pub struct WrittenPids(Vec<u64>);

impl WrittenPids {
    /// What memory says that another process shares or has shared.
    ///
    /// # Errors
    /// It is not memory for this, or not of this boot and this container.
    pub fn read(memory: OwnedFd) -> io::Result<WrittenPids> {
        let file = File::from(memory);
        let mut bytes = [0; LENGTH];
        if file.metadata()?.len() != LENGTH as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        file.read_exact_at(&mut bytes, 0)?;
        let (words, _) = bytes.as_chunks();
        let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        if !words.ends_with(&origin()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(WrittenPids(words))
    }

    /// The same from a file, which nobody else can have written.
    ///
    /// # Errors
    /// It is not there, or not ours, and those of [`WrittenPids::read`].
    pub fn in_file(path: &Path) -> io::Result<WrittenPids> {
        let path = path.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        let file = sink::open_unfollowed(path)?;
        let found = file.metadata()?;
        if !found.is_file() || found.uid() != user::effective_uid() || found.mode() & 0o022 != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        WrittenPids::read(file.into())
    }

    /// The child of this run, if it was made and none has been written in its place since.
    pub fn find(&self, run: RunId) -> Option<SpawnedPid> {
        let first = first_word(run);
        self.0.get(first..first + WORDS).and_then(spawned).filter(|(owner, _)| *owner == run).map(|(_, pid)| pid)
    }

    /// All children, with their runs.
    pub fn all(&self) -> impl Iterator<Item = (RunId, SpawnedPid)> {
        self.0.chunks_exact(WORDS).take(MOST).filter_map(spawned)
    }
}

/// The child that these words are about.
fn spawned(words: &[u64]) -> Option<(RunId, SpawnedPid)> {
    let [owner, after, pid] = *words else { return None };
    let pid = u32::try_from(pid).ok().filter(|pid| *pid != 0)?;
    Some((RunId(owner.checked_sub(1)?), SpawnedPid { pid, after }))
}

fn first_word(run: RunId) -> usize {
    run.0 as usize % MOST * WORDS
}

/// The boot, and the start of process 1 in milliseconds after it.
fn origin() -> [u64; 2] {
    let boot = start_time::boot_id().unwrap_or_default().replace('-', "");
    let boot = boot.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
    [boot, Pid::new(1).and_then(proc_stat::read).map_or(0, |first| first.started_millis())]
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn read_again(pid_slots: &PidSlots) -> WrittenPids {
        WrittenPids::read(pid_slots.as_fd().try_clone_to_owned().unwrap()).unwrap()
    }

    #[test]
    fn a_child_is_found_by_its_run_and_by_no_other() {
        let pid_slots = PidSlots::new().unwrap();
        let (run, later) = (RunId(7), RunId(7 + MOST as u64));
        assert_eq!(read_again(&pid_slots).find(run), None);
        pid_slots.slot_of(run).store(1234, Ordering::Relaxed);
        let again = read_again(&pid_slots);
        assert_eq!(again.find(run).unwrap().pid, 1234);
        assert_eq!(again.find(later), None);
        assert_eq!(again.all().map(|(run, spawned)| (run, spawned.pid)).collect::<Vec<_>>(), [(run, 1234)]);
        pid_slots.slot_of(later);
        let again = read_again(&pid_slots);
        assert_eq!((again.find(run), again.find(later)), (None, None), "the later one has not been made");
    }

    #[test]
    fn what_is_of_another_boot_is_forgotten() {
        let path = path_for(&Path::new("/dev/shm").join(format!("test-{}.pid", std::process::id()))).unwrap();
        let write = |run| PidSlots::in_file(&path).unwrap().slot_of(run).store(1, Ordering::Relaxed);
        write(RunId(1));
        write(RunId(2));
        let of_this_boot = WrittenPids::in_file(&path).unwrap().all().count();
        File::options().write(true).open(&path).unwrap().write_all_at(&[1; 8], HEADER as u64 * 8).unwrap();
        let refused = WrittenPids::in_file(&path).is_err();
        write(RunId(3));
        let now = WrittenPids::in_file(&path).unwrap().all().count();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((of_this_boot, refused, now), (2, true, 1));
    }
}
