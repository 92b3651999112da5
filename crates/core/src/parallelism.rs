//! How many processes are acted on at the same time.

use std::fmt;

/// A number of processes, or a part of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parallelism {
    /// So many, at least 1.
    Count(usize),
    /// So many percent, 1 to 100.
    Percent(usize),
}

impl Parallelism {
    /// What `2` or `25%` means; none for anything else.
    pub fn parse(text: &str) -> Option<Parallelism> {
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        match text.strip_suffix('%') {
            Some(percent) => number(percent).filter(|percent| *percent <= 100).map(Parallelism::Percent),
            None => number(text).map(Parallelism::Count),
        }
    }

    /// How many of so many: at least 1, and rounded down, so that never more are away than was asked for.
    pub fn of(self, all: usize) -> usize {
        match self {
            Parallelism::Count(count) => count.max(1),
            Parallelism::Percent(percent) => (all.saturating_mul(percent) / 100).max(1),
        }
    }
}

impl fmt::Display for Parallelism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parallelism::Count(count) => write!(f, "{count}"),
            Parallelism::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_rounded_down_and_at_least_one() {
        for (text, all, expected) in
            [("1", 8, 1), ("3", 8, 3), ("25%", 8, 2), ("25%", 7, 1), ("10%", 8, 1), ("100%", 8, 8)]
        {
            assert_eq!(
                Parallelism::parse(text).map(|parallelism| parallelism.of(all)),
                Some(expected),
                "{text} of {all}"
            );
        }
        for text in ["", "0", "-1", "x", "0%", "101%", "1.5", "%", "25 %"] {
            assert_eq!(Parallelism::parse(text), None, "{text}");
        }
    }
}
