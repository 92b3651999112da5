//! The renames of a log rotation.
//!
//! `F` becomes `F.1`, `F.1` becomes `F.2`, and so on up to `F.N`, whose former content is deleted. Files beyond `N` are
//! left alone. Without backups the content of `F` itself is deleted.

use std::collections::BTreeSet;

pub mod backup_name;
pub mod retention;
pub mod rules;
pub mod schedule;

/// When a log is rotated, and how many backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// The size, in bytes, at which the file is rotated; 0 for never.
    pub maxbytes: u64,
    /// How many backups are kept.
    pub backups: u32,
}

impl Rotation {
    /// A log that is never rotated.
    pub const NEVER: Rotation = Rotation { maxbytes: 0, backups: 0 };

    /// Whether a rotation is due after a write that left the file at `position`. A file that is too long when it is
    /// opened is rotated after its first write.
    pub const fn is_due(self, position: u64) -> bool {
        self.maxbytes > 0 && position >= self.maxbytes
    }
}

/// One step; steps are done in order, and a file that has vanished is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// Delete the content of the log itself.
    Truncate,
    /// Rename backup `from` (0 is the log itself) to backup `to`, replacing it.
    Rename {
        /// The number before.
        from: u32,
        /// The number after.
        to: u32,
    },
}

/// The steps for a log with the backups `existing` (numbers from 1; others are ignored).
///
/// Gaps stay, as in the original: with backups 1 and 3, 3 becomes 4 and 1 becomes 2.
pub fn plan(backups: u32, existing: &BTreeSet<u32>) -> Vec<RotationStep> {
    if backups == 0 {
        return vec![RotationStep::Truncate];
    }
    let shifted = existing.range(1..backups).rev();
    shifted.chain([&0]).map(|number| RotationStep::Rename { from: *number, to: number + 1 }).collect()
}

/// The path of backup `number` of a log; 0 is the log itself.
pub fn name(path: &str, number: u32) -> String {
    match number {
        0 => path.to_owned(),
        number => format!("{path}.{number}"),
    }
}

/// The backup number of `file` for a log called `log`, both names in one directory.
pub fn number(log: &str, file: &str) -> Option<u32> {
    let digits = file.strip_prefix(log)?.strip_prefix('.')?;
    let number = digits.parse().ok()?;
    (number > 0 && name(log, number) == file).then_some(number)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A directory: the content of each backup, 0 being the log.
    type Disk = BTreeMap<u32, String>;

    fn carry_out(disk: &mut Disk, steps: &[RotationStep]) {
        for step in steps {
            match step {
                RotationStep::Truncate => {
                    disk.remove(&0);
                }
                RotationStep::Rename { from, to } => {
                    if let Some(content) = disk.remove(from) {
                        disk.insert(*to, content);
                    }
                }
            }
        }
    }

    /// The same rotation, file by file, as the original documents it.
    fn documented_rotation(disk: &mut Disk, backups: u32) {
        if backups == 0 {
            disk.remove(&0);
            return;
        }
        for number in (1..backups).rev() {
            if let Some(content) = disk.remove(&number) {
                disk.insert(number + 1, content);
            }
        }
        disk.remove(&1);
        if let Some(content) = disk.remove(&0) {
            disk.insert(1, content);
        }
    }

    fn existing(disk: &Disk) -> BTreeSet<u32> {
        disk.keys().copied().collect()
    }

    #[test]
    fn a_rotation_is_due_at_the_limit_and_never_with_limit_0() {
        assert!(Rotation { maxbytes: 10, backups: 0 }.is_due(10));
        assert!(!Rotation { maxbytes: 10, backups: 0 }.is_due(9));
        assert!(!Rotation::NEVER.is_due(u64::MAX));
    }

    #[test]
    fn names_and_numbers_agree() {
        assert_eq!(name("/l/a.log", 0), "/l/a.log");
        assert_eq!(name("/l/a.log", 12), "/l/a.log.12");
        assert_eq!(number("a.log", "a.log.12"), Some(12));
        for other in ["a.log", "a.log.", "a.log.0", "a.log.01", "a.log.+1", "a.log.x", "b.log.1", "a.log.99999999999"] {
            assert_eq!(number("a.log", other), None, "{other}");
        }
    }

    #[test]
    fn a_huge_number_of_backups_costs_nothing() {
        assert_eq!(plan(u32::MAX, &BTreeSet::new()), [RotationStep::Rename { from: 0, to: 1 }]);
    }

    proptest! {
        #[test]
        fn the_plan_matches_the_documented_rotation(
            files in proptest::collection::btree_set(0u32..9, 0..9),
            backups in 0u32..8,
        ) {
            let mut disk: Disk = files.iter().map(|number| (*number, format!("was {number}"))).collect();
            disk.insert(0, "the log".to_owned());
            let mut expected = disk.clone();
            documented_rotation(&mut expected, backups);
            let steps = plan(backups, &existing(&disk));
            carry_out(&mut disk, &steps);
            prop_assert_eq!(&disk, &expected);
        }

        #[test]
        fn the_newest_are_kept_in_order(backups in 1u32..6, rounds in 1u32..12) {
            let mut disk = Disk::new();
            for round in 0..rounds {
                disk.insert(0, round.to_string());
                let steps = plan(backups, &existing(&disk));
                carry_out(&mut disk, &steps);
            }
            let expected: Disk =
                (1..=backups.min(rounds)).map(|number| (number, (rounds - number).to_string())).collect();
            prop_assert_eq!(disk, expected);
        }
    }
}
