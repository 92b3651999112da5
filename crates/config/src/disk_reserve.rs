//! How much of a disk is to stay free, as it is written: `500MB` or `5%`.

use std::fmt;

/// How much of a disk is to stay free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskReserve {
    /// So many bytes; not 0.
    Bytes(u64),
    /// A part of its size, from 1 to 99.
    Percent(u8),
}

impl DiskReserve {
    /// Whether a disk of this size has enough free, both in bytes.
    pub fn is_free(self, free: u64, size: u64) -> bool {
        match self {
            DiskReserve::Bytes(bytes) => free >= bytes,
            DiskReserve::Percent(percent) => u128::from(free) * 100 >= u128::from(size) * u128::from(percent),
        }
    }

    /// The text with a percent sign that survives the expansion of names: the one at its end is written once.
    pub fn escape(text: &str) -> String {
        match text.trim_end() {
            trimmed if trimmed.ends_with('%') && !trimmed.ends_with("%%") => format!("{trimmed}%"),
            _ => text.to_owned(),
        }
    }
}

impl fmt::Display for DiskReserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskReserve::Bytes(bytes) => bytes.fmt(f),
            DiskReserve::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_at_the_end_need_not_be_doubled() {
        assert_eq!(["5%", "5%%", "5MB"].map(DiskReserve::escape), ["5%%", "5%%", "5MB"]);
    }

    #[test]
    fn a_disk_has_enough_free_or_not() {
        assert!(DiskReserve::Bytes(10).is_free(10, 100) && !DiskReserve::Bytes(10).is_free(9, 100));
        assert!(DiskReserve::Percent(5).is_free(5, 100) && !DiskReserve::Percent(5).is_free(4, 100));
        assert!(!DiskReserve::Percent(99).is_free(u64::MAX / 2, u64::MAX));
    }
}
