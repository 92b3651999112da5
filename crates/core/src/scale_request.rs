//! Which program somebody wants to scale, to which number, and whether the daemon has room for that many.

use std::collections::BTreeSet;
use std::sync::Arc;

use supervisord_config::model::Config;
use supervisord_config::scale::{MOST_PROCESSES, WantedCount};
use supervisord_wire::name::Namespec;

use crate::call::{Reason, Refusal};
use crate::row::Row;

/// How many descriptors of the daemon a process takes: its pipes and a handle.
const DESCRIPTORS: i64 = 4;

/// The section of a program of this name, of the only program of the group of this name, or of the process of this name. `rows`
/// are the processes that exist for whoever asks, and `idle` the sections that may have no process at the moment.
///
/// # Errors
/// No program is meant, or several are.
pub fn section_of<'i>(rows: &[Arc<Row>], idle: impl Iterator<Item = &'i str>, name: &str) -> Result<String, Refusal> {
    let sections = |is_meant: &dyn Fn(&Row) -> bool| -> BTreeSet<String> {
        rows.iter().filter(|row| is_meant(row)).map(|row| row.config.identity.section.clone()).collect()
    };
    let is_named = |section: &str| section.split_once(':').is_some_and(|(_, own)| own == name);
    let mut found = sections(&|row| is_named(&row.config.identity.section));
    found.extend(idle.filter(|section| is_named(section)).map(str::to_owned));
    if found.is_empty() {
        let Namespec { group, process } = Namespec::parse(name);
        let is_whole = process.as_ref().is_none_or(|process| *process == group);
        found =
            sections(&|row| *row.group == *group && (is_whole || process.as_ref() == Some(&row.config.identity.name)));
    }
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().filter_map(|section| section.split_once(':')).map(|(_, own)| own).collect();
        let text = format!("{name} stands for several programs: name one of {}", names.join(", "));
        return Err(Refusal::with(Reason::BadArguments, text));
    }
    found.pop_first().ok_or_else(|| Refusal::with(Reason::UnknownName, name))
}

/// How many processes a section has in a configuration.
pub fn present_number(config: &Config, section: &str) -> i64 {
    let processes = config.groups.iter().flat_map(|group| &group.processes);
    let count = processes.filter(|process| process.identity.section == section).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The number of processes that a section is to have.
///
/// # Errors
/// It cannot have so many, or so few.
pub fn number_of(section: &str, wanted: WantedCount, present: i64) -> Result<i64, Refusal> {
    let number = match wanted {
        WantedCount::Exactly(number) => number,
        WantedCount::Change(change) => present.saturating_add(change),
    };
    if (0..=MOST_PROCESSES).contains(&number) {
        return Ok(number);
    }
    let text = match wanted {
        WantedCount::Exactly(_) => {
            format!(
                "{number} processes are asked for: write a number from 0 to {MOST_PROCESSES}, or +1 or -1 for a change"
            )
        }
        WantedCount::Change(change) => format!(
            "[{section}] has {present} processes, which cannot be changed by {change:+}: write a change from {:+} to {:+}",
            -present,
            MOST_PROCESSES - present
        ),
    };
    Err(Refusal::with(Reason::BadArguments, text))
}

/// Refuses more processes than the daemon has descriptors for. It may have any number where the limit is not known.
///
/// # Errors
/// The limit is too low.
pub fn check_descriptors(
    rows: &[Arc<Row>],
    section: &str,
    number: i64,
    descriptors: Option<u64>,
) -> Result<(), Refusal> {
    let Some(room) = descriptors.map(|room| i64::try_from(room).unwrap_or(i64::MAX)) else { return Ok(()) };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let present = rows.iter().filter(|row| row.config.identity.section == section).count();
    let all = count(rows.len() - present).saturating_add(number);
    let needed = all.saturating_mul(DESCRIPTORS);
    if number <= count(present) || needed <= room {
        return Ok(());
    }
    let text = format!(
        "{all} processes need about {needed} descriptors of the daemon, which may open {room}: raise minfds in [supervisord]"
    );
    Err(Refusal::with(Reason::BadArguments, text))
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    fn row(group: &str, name: &str, section: &str) -> Arc<Row> {
        let mut process = samples::process(name);
        process.identity.section = format!("program:{section}");
        Arc::new(Row { config: Arc::new(process), ..crate::samples::row(group, name) })
    }

    fn rows() -> Vec<Arc<Row>> {
        [
            ("web", "web_0", "web"),
            ("web", "web_1", "web"),
            ("shop", "cart_0", "cart"),
            ("shop", "till", "till"),
            ("jobs", "a", "worker"),
        ]
        .map(|(group, name, section)| row(group, name, section))
        .into()
    }

    #[test]
    fn a_name_is_that_of_a_program_a_group_or_a_process() {
        let meant = |name: &str| section_of(&rows(), ["program:idle"].into_iter(), name);
        for (name, section) in [
            ("web", "web"),
            ("web:*", "web"),
            ("web:web_1", "web"),
            ("cart", "cart"),
            ("shop:till", "till"),
            ("jobs", "worker"),
            ("idle", "idle"),
        ] {
            assert_eq!(meant(name), Ok(format!("program:{section}")), "{name}");
        }
        assert!(meant("shop").is_err_and(|refusal| {
            let text = "shop stands for several programs: name one of cart, till";
            refusal == Refusal::with(Reason::BadArguments, text)
        }));
        for name in ["nobody", "web:web_2", "web_0", "nobody:*"] {
            assert_eq!(meant(name), Err(Refusal::with(Reason::UnknownName, name)));
        }
    }

    #[test]
    fn a_change_counts_from_the_present_number() {
        let number = |wanted, present| number_of("program:web", wanted, present).map_err(|refusal| refusal.detail);
        assert_eq!(number(WantedCount::Exactly(12), 3), Ok(12));
        assert_eq!(number(WantedCount::Change(4), 3), Ok(7));
        assert_eq!(number(WantedCount::Change(-3), 3), Ok(0));
        let text = "[program:web] has 3 processes, which cannot be changed by -4: write a change from -3 to +99997";
        assert_eq!(number(WantedCount::Change(-4), 3), Err(Some(text.to_owned())));
        for wanted in [WantedCount::Exactly(-1), WantedCount::Exactly(100_001), WantedCount::Change(i64::MAX)] {
            assert!(number(wanted, 3).is_err(), "{wanted}");
        }
    }

    #[test]
    fn a_growth_needs_descriptors_and_a_reduction_never_does() {
        let check = |number, descriptors| check_descriptors(&rows(), "program:web", number, descriptors);
        assert_eq!(check(22, Some(100)), Ok(()));
        let text =
            "26 processes need about 104 descriptors of the daemon, which may open 100: raise minfds in [supervisord]";
        assert_eq!(check(23, Some(100)), Err(Refusal::with(Reason::BadArguments, text)));
        assert_eq!(check(100_000, None), Ok(()));
        for number in [0, 1, 2] {
            assert_eq!(check(number, Some(4)), Ok(()), "{number} are no more than there are");
        }
    }
}
