//! Keeps logs from filling a disk: below the configured reserve nothing more of programs is written to it.
//!
//! A disk is looked at only when something is to be written to it, and then at most once a second or once in so many bytes.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use supervisord_config::disk_reserve::DiskReserve;
use supervisord_sys::disk::{self, DiskSpace};

/// How long what was found holds.
const HOLDS: Duration = Duration::from_secs(1);
/// For how many bytes it holds.
const HOLDS_BYTES: u64 = 4 << 20;

/// Why nothing is written while a disk has no more than its reserve.
pub(super) const DISK_IS_LOW: &str = "its disk has less free than log_min_free_disk";

/// Whether so many bytes may be written to a file on this device, which they may where nothing is to stay free.
pub(super) fn has_room(guard: Option<&Mutex<DiskGuard>>, file: &File, device: u64, bytes: usize) -> bool {
    guard.is_none_or(|guard| guard.lock().unwrap_or_else(PoisonError::into_inner).admits(file, device, bytes))
}

/// What is known of the disks that logs are on.
#[derive(Debug)]
pub(super) struct DiskGuard {
    reserve: DiskReserve,
    /// By the number of the device.
    disks: HashMap<u64, Disk>,
}

#[derive(Debug)]
struct Disk {
    found: Instant,
    /// What has been written since, in bytes.
    written: u64,
    has_room: bool,
}

impl DiskGuard {
    /// So much of each disk is to stay free.
    pub fn new(reserve: DiskReserve) -> DiskGuard {
        DiskGuard { reserve, disks: HashMap::new() }
    }

    fn admits(&mut self, file: &File, device: u64, bytes: usize) -> bool {
        self.admits_by(device, bytes, Instant::now(), || disk::space(file).ok())
    }

    fn admits_by(&mut self, device: u64, bytes: usize, now: Instant, look: impl FnOnce() -> Option<DiskSpace>) -> bool {
        let reserve = self.reserve;
        let is_known = |disk: &&mut Disk| {
            now.saturating_duration_since(disk.found) < HOLDS && (!disk.has_room || disk.written < HOLDS_BYTES)
        };
        let disk = match self.disks.get_mut(&device).filter(is_known) {
            Some(disk) => disk,
            None => {
                // A system that does not tell has room.
                let has_room = look().is_none_or(|DiskSpace { free, size }| reserve.is_free(free, size));
                self.disks.entry(device).insert_entry(Disk { found: now, written: 0, has_room }).into_mut()
            }
        };
        disk.written += if disk.has_room { bytes as u64 } else { 0 };
        disk.has_room
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_disk_is_looked_at_once_a_second_or_once_in_so_many_bytes() {
        let mut guard = DiskGuard::new(DiskReserve::Bytes(10));
        let (start, looks, free) = (Instant::now(), Cell::new(0), Cell::new(100));
        let mut admits = |device, bytes, after: u64| {
            guard.admits_by(device, bytes, start + Duration::from_millis(after), || {
                looks.set(looks.get() + 1);
                Some(DiskSpace { free: free.get(), size: 1000 })
            })
        };
        assert!(admits(1, 100, 0) && admits(1, 100, 999));
        assert_eq!(looks.get(), 1);
        assert!(admits(2, 100, 999), "another disk");
        free.set(9);
        assert!(admits(1, 100, 999), "it is not looked at again");
        assert!(!admits(1, 100, 1000));
        assert_eq!(looks.get(), 3);
        free.set(10);
        assert!(!admits(1, 5 << 20, 1999), "not before a second");
        assert!(admits(1, 5 << 20, 2000));
        assert_eq!(looks.get(), 4);
        free.set(0);
        assert!(!admits(1, 1, 2000), "after so many bytes it is looked at again");
        assert_eq!(looks.get(), 5);
    }

    #[test]
    fn a_disk_that_nothing_is_known_of_has_room() {
        assert!(DiskGuard::new(DiskReserve::Percent(99)).admits_by(1, 1, Instant::now(), || None));
    }
}
