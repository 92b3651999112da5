//! Rotation on a simulated disk: only the oldest backup is deleted, and the order stays.

use std::collections::{BTreeMap, BTreeSet};

use supervisord_core::rotation::{self, RotationStep};

/// The first byte is the number of backups to keep, the others name the existing backups.
pub fn run(data: &[u8]) {
    let Some((backups, there)) = data.split_first() else { return };
    let backups = u32::from(backups % 12);
    let mut disk: BTreeMap<u32, u32> = there.iter().map(|number| u32::from(number % 16)).map(|n| (n, n)).collect();
    disk.insert(0, 0);
    let before = disk.clone();
    let existing: BTreeSet<u32> = disk.keys().copied().filter(|number| *number > 0).collect();
    for step in rotation::plan(backups, &existing) {
        match step {
            RotationStep::Truncate => drop(disk.remove(&0)),
            RotationStep::Rename { from, to } => {
                let content = disk.remove(&from).expect("what is renamed is there");
                disk.insert(to, content);
            }
        }
    }
    assert!(!disk.contains_key(&0), "the log is free for new content");
    let kept: Vec<u32> = disk.values().copied().collect();
    assert!(kept.is_sorted(), "the order is kept: {disk:?}");
    let given_up: Vec<u32> = before.keys().copied().filter(|content| !kept.contains(content)).collect();
    let oldest = if backups == 0 { 0 } else { backups };
    assert!(given_up.iter().all(|content| *content == oldest), "{given_up:?} given up of {before:?}");

    let name = String::from_utf8_lossy(there);
    if let Some(number) = rotation::number("log", &name) {
        assert_eq!(rotation::name("log", number), name);
    }
}
