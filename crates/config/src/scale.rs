//! Programs that run with another number of processes than their sections say.

use std::fmt;

/// The most processes of one section: a larger number is a typing error that would exhaust the memory.
pub const MOST_PROCESSES: i64 = 100_000;

/// How many processes somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedCount {
    /// So many.
    Exactly(i64),
    /// So many more than there are to be now, or fewer.
    Change(i64),
}

impl WantedCount {
    /// Reads `12`, `+2` or `-1`; none for what is no number.
    pub fn parse(text: &str) -> Option<WantedCount> {
        let digits = text.strip_prefix(['+', '-']);
        if !digits.unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = text.parse().ok()?;
        Some(if digits.is_some() { WantedCount::Change(number) } else { WantedCount::Exactly(number) })
    }
}

impl fmt::Display for WantedCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WantedCount::Exactly(number) => write!(f, "{number}"),
            WantedCount::Change(number) => write!(f, "{number:+}"),
        }
    }
}

/// A number of processes that is to stand in the place of the written one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleRequest {
    /// The section, such as `program:web`.
    pub section: String,
    /// How many processes there are to be.
    pub numprocs: i64,
    /// Only where the section says this number; none for any.
    pub only_for: Option<i64>,
}

/// A program with another number of processes than its section says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramScale {
    /// The section, such as `program:web`.
    pub section: String,
    /// How many processes there are.
    pub numprocs: i64,
    /// How many the section says. When it says another number, that counts.
    pub configured: i64,
}

impl ProgramScale {
    /// What a reading needs to go on with it.
    pub fn request(&self) -> ScaleRequest {
        let ProgramScale { section, numprocs, configured } = self;
        ScaleRequest { section: section.clone(), numprocs: *numprocs, only_for: Some(*configured) }
    }
}

/// What is to stand in the place of the number that a section says; none where nothing does.
pub(crate) fn scaled(requests: &[ScaleRequest], section: &str, configured: i64) -> Option<ProgramScale> {
    // The last one about a section counts.
    let ScaleRequest { numprocs, only_for, .. } = requests.iter().rev().find(|request| request.section == section)?;
    let holds = only_for.is_none_or(|number| number == configured) && *numprocs != configured;
    holds.then(|| ProgramScale { section: section.to_owned(), numprocs: *numprocs, configured })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_makes_a_number_a_change() {
        let read = |text| WantedCount::parse(text).map(|count| count.to_string());
        for text in ["0", "12", "+4", "-1", "-0"] {
            let shown = if text == "-0" { "+0" } else { text };
            assert_eq!(read(text).as_deref(), Some(shown));
        }
        assert_eq!(WantedCount::parse("+4"), Some(WantedCount::Change(4)));
        for text in ["", "+", "-", "++1", "1+", "4.0", " 4", "many", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_scale_holds_until_the_section_says_another_number() {
        let request = |numprocs, only_for| ScaleRequest { section: "program:web".to_owned(), numprocs, only_for };
        let with = |requests: &[ScaleRequest], configured| scaled(requests, "program:web", configured);
        assert_eq!(with(&[request(12, Some(8))], 8).map(|scale| scale.numprocs), Some(12));
        assert_eq!(with(&[request(12, Some(8))], 10), None);
        assert_eq!(with(&[request(12, None)], 10).map(|scale| scale.request()), Some(request(12, Some(10))));
        assert_eq!(with(&[request(12, Some(8)), request(8, None)], 8), None, "it is as it is written");
        assert_eq!(scaled(&[request(12, None)], "program:api", 8), None);
    }
}
