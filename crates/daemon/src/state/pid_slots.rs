//! The process ids of children that are being made, where they are known even if the daemon is killed in the middle of it.
//!
//! The state says that a child is being made before it is, and who it is afterwards. In between, the system itself writes
//! the process id into memory that is shared with the keeper.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use supervisord_sys::shared_memory::SharedMemory;
use supervisord_sys::start_time;

use crate::output::RunId;

/// How many children may be made before the state must say who they are.
pub const MOST: usize = 512;

/// Words for each child: its run, counted from 1; when it was about to be made, in milliseconds after the boot; its process
/// id.
const WORDS: usize = 3;

/// How long the memory is.
const LENGTH: usize = MOST * WORDS * size_of::<AtomicU64>();

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

impl PidSlots {
    /// Where nothing has been written yet.
    ///
    /// # Errors
    /// The system has no memory that can be shared.
    pub fn new() -> std::io::Result<PidSlots> {
        SharedMemory::create(LENGTH).map(PidSlots)
    }

    /// What another process wrote.
    ///
    /// # Errors
    /// It is not memory that [`PidSlots::new`] made.
    pub fn open(file: OwnedFd) -> std::io::Result<PidSlots> {
        SharedMemory::adopt(file, LENGTH).map(PidSlots)
    }

    /// Where the system is to write the process id of the child that is about to be made.
    pub fn slot_of(&self, run: RunId) -> &AtomicU64 {
        let [owner, after, pid] = self.words(run);
        pid.store(0, Ordering::Relaxed);
        after.store(start_time::millis(start_time::boot_time()), Ordering::Relaxed);
        owner.store(run.0 + 1, Ordering::Release);
        pid
    }

    /// The child of this run, if it was made and none has been written in its place since.
    pub fn find(&self, run: RunId) -> Option<SpawnedPid> {
        let [owner, after, pid] = self.words(run);
        if owner.load(Ordering::Acquire) != run.0 + 1 {
            return None;
        }
        let pid = u32::try_from(pid.load(Ordering::Relaxed)).ok().filter(|pid| *pid != 0)?;
        Some(SpawnedPid { pid, after: after.load(Ordering::Relaxed) })
    }

    fn words(&self, run: RunId) -> [&AtomicU64; WORDS] {
        let first = run.0 as usize % MOST * WORDS;
        std::array::from_fn(|offset| self.0.word(first + offset))
    }
}

impl AsFd for PidSlots {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_by_its_run_and_by_no_other() {
        let pid_slots = PidSlots::new().unwrap();
        let (run, later) = (RunId(7), RunId(7 + MOST as u64));
        assert_eq!(pid_slots.find(run), None);
        pid_slots.slot_of(run).store(1234, Ordering::Relaxed);
        let again = PidSlots::open(pid_slots.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(again.find(run).unwrap().pid, 1234);
        assert_eq!(again.find(later), None);
        pid_slots.slot_of(later);
        assert_eq!((again.find(run), again.find(later)), (None, None), "the later one has not been made");
    }
}
