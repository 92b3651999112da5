//! A place in a log, as the daemon writes it: `OFFSET-FILE`, or only the offset where it does not matter in which file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SentLogPlace {
    /// Bytes from the beginning of the file.
    pub offset: u64,
    /// Which file; a rotated log goes on in another one.
    pub file: Option<u64>,
}

impl SentLogPlace {
    /// How many bytes further a place in the same file is; negative where it is before this one, none in another file.
    pub fn bytes_to(&self, other: &SentLogPlace) -> Option<i64> {
        let is_same = self.file == other.file || self.file.is_none() || other.file.is_none();
        is_same.then(|| i64::try_from(i128::from(other.offset) - i128::from(self.offset)).ok())?
    }
}

impl fmt::Display for SentLogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.offset)?;
        self.file.iter().try_for_each(|file| write!(f, "-{file:x}"))
    }
}

impl FromStr for SentLogPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<SentLogPlace, String> {
        let (offset, file) = text.split_once('-').map_or((text, None), |(offset, file)| (offset, Some(file)));
        let file = file.map(|file| u64::from_str_radix(file, 16)).transpose();
        match (offset.parse(), file) {
            (Ok(offset), Ok(file)) => Ok(SentLogPlace { offset, file }),
            _ => Err("a place in a log is OFFSET-FILE".to_owned()),
        }
    }
}

impl TryFrom<String> for SentLogPlace {
    type Error = String;

    fn try_from(text: String) -> Result<SentLogPlace, String> {
        text.parse()
    }
}

impl From<SentLogPlace> for String {
    fn from(place: SentLogPlace) -> String {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_was_read() {
        for text in ["0", "70211-2f0c", "18446744073709551615-ffffffffffffffff"] {
            assert_eq!(text.parse::<SentLogPlace>().unwrap().to_string(), text);
        }
        for text in ["", "-", "x", "1-", "-1", "1-g", "1-2-3", "1\r\nx: y"] {
            assert!(text.parse::<SentLogPlace>().is_err(), "{text}");
        }
    }

    #[test]
    fn distances_are_known_within_a_file() {
        let place = |text: &str| text.parse::<SentLogPlace>().unwrap();
        assert_eq!(place("5-a").bytes_to(&place("12-a")), Some(7));
        assert_eq!(place("12").bytes_to(&place("5-a")), Some(-7));
        assert_eq!(place("5-a").bytes_to(&place("12-b")), None);
        assert_eq!(place("0").bytes_to(&place("18446744073709551615")), None);
    }
}
