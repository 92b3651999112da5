//! Which backups of a log are removed.

use supervisord_config::log_compression::LogCompression;

use super::backup_name::BackupLabel;
use super::rules::RotationRules;

/// A backup of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What tells it from the others.
    pub label: BackupLabel,
    /// Whether it is compressed.
    pub form: LogCompression,
    /// Its size in bytes.
    pub size: u64,
    /// When its last line was written, in seconds since the epoch.
    pub modified: i64,
}

/// What becomes of the backups of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Which are removed, as places in the list.
    pub removed: Vec<usize>,
    /// When the next one becomes too old, in seconds since the epoch.
    pub next: Option<i64>,
}

/// Which of the backups are removed at this time, in seconds since the epoch. `count` is how many are kept.
///
/// Numbers are kept within their count by the rotation itself, which leaves larger ones alone, as the original does.
pub fn retention(backups: &[Backup], count: u32, rules: &RotationRules, now: i64) -> Retention {
    let max_age = rules.max_age.map(|age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    let mut found = Retention::default();
    let (mut kept, mut total) = (0, 0u64);
    let mut last_kept = None;
    for place in newest_first(backups) {
        let Some(Backup { label, size, modified, .. }) = backups.get(place) else { continue };
        let expires = max_age.map(|age| modified.saturating_add(age));
        let is_too_old = expires.is_some_and(|expires| expires < now);
        // For a moment there is one that is compressed beside the one it is made of.
        let is_twin = last_kept == Some(label);
        let is_surplus = matches!(label, BackupLabel::Dated(..)) && kept >= count && !is_twin;
        let is_too_much = rules.max_total > 0 && total.saturating_add(*size) > rules.max_total;
        if is_too_old || is_surplus || is_too_much {
            // What is older than one that is too much is too much as well.
            total = if is_too_much { u64::MAX } else { total };
            found.removed.push(place);
            continue;
        }
        (kept, total) = (kept + u32::from(!is_twin), total.saturating_add(*size));
        last_kept = Some(label);
        let expires = expires.map(|expires| expires.saturating_add(1));
        found.next = found.next.into_iter().chain(expires).min();
    }
    found
}

/// The places of backups, that of the newest one first.
pub fn newest_first(backups: &[Backup]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..backups.len()).collect();
    places.sort_by(|one, other| match (backups.get(*one), backups.get(*other)) {
        (Some(one), Some(other)) => match (&one.label, &other.label) {
            (BackupLabel::Number(one), BackupLabel::Number(other)) => one.cmp(other),
            (one, other) => other.cmp(one),
        },
        (one, other) => one.is_some().cmp(&other.is_some()),
    });
    places
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn rules(max_age: u64, max_total: u64) -> RotationRules {
        RotationRules {
            when: None,
            dates: None,
            max_age: (max_age > 0).then(|| Duration::from_secs(max_age)),
            max_total,
            compression: LogCompression::None,
        }
    }

    fn dated(date: &str, number: u32, size: u64, modified: i64) -> Backup {
        Backup { label: BackupLabel::Dated(date.to_owned(), number), form: LogCompression::None, size, modified }
    }

    fn numbered(number: u32, size: u64, modified: i64) -> Backup {
        Backup { label: BackupLabel::Number(number), form: LogCompression::None, size, modified }
    }

    #[test]
    fn the_oldest_of_those_with_dates_are_removed_by_their_number() {
        let backups = [
            dated("20261102", 0, 1, 2),
            dated("20261103", 0, 1, 3),
            dated("20261103", 1, 1, 4),
            dated("20261101", 0, 1, 1),
        ];
        assert_eq!(retention(&backups, 2, &rules(0, 0), 9).removed, [0, 3]);
        assert_eq!(retention(&backups, 4, &rules(0, 0), 9), Retention::default());
    }

    #[test]
    fn numbers_beyond_the_count_are_left_alone() {
        let backups = [numbered(1, 1, 3), numbered(2, 1, 2), numbered(9, 1, 1)];
        assert_eq!(retention(&backups, 1, &rules(0, 0), 9).removed, [] as [usize; 0]);
    }

    #[test]
    fn the_age_is_that_of_the_last_line() {
        let backups = [numbered(1, 1, 100), numbered(2, 1, 50), numbered(3, 1, 40)];
        assert_eq!(retention(&backups, 9, &rules(60, 0), 110), Retention { removed: vec![2], next: Some(111) });
        assert_eq!(retention(&backups, 9, &rules(60, 0), 111), Retention { removed: vec![1, 2], next: Some(161) });
        assert_eq!(retention(&backups, 9, &rules(60, 0), 161).next, None);
    }

    #[test]
    fn the_newest_are_kept_up_to_the_total() {
        let backups = [numbered(1, 50, 3), numbered(2, 60, 2), numbered(3, 10, 1)];
        assert_eq!(retention(&backups, 9, &rules(0, 100), 9).removed, [1, 2], "an older one does not fill the gap");
        assert_eq!(retention(&backups, 9, &rules(0, 110), 9).removed, [2]);
        assert_eq!(retention(&backups, 9, &rules(0, 120), 9).removed, [] as [usize; 0]);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_within_all_limits(
            sizes in proptest::collection::vec((0u64..100, 0i64..1000), 0..12),
            count in 0u32..8, max_age in 1u64..1000, max_total in 0u64..500,
        ) {
            let backup = |(number, (size, modified)): (usize, &(u64, i64))| dated("20261103", number as u32, *size, *modified);
            let backups: Vec<Backup> = sizes.iter().enumerate().map(backup).collect();
            let Retention { removed, next } = retention(&backups, count, &rules(max_age, max_total), 1000);
            let kept: Vec<&Backup> =
                (0..backups.len()).filter(|place| !removed.contains(place)).map(|place| &backups[place]).collect();
            prop_assert!(kept.len() <= count as usize);
            prop_assert!(max_total == 0 || kept.iter().map(|backup| backup.size).sum::<u64>() <= max_total);
            prop_assert!(kept.iter().all(|backup| backup.modified + max_age as i64 >= 1000));
            prop_assert_eq!(next, kept.iter().map(|backup| backup.modified + max_age as i64 + 1).min());
        }
    }
}
