//! How rotated logs are compressed, as it is written: `gzip`.

use crate::complaint::Complaint;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// How a rotated log is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogCompression {
    /// Not at all.
    #[default]
    None,
    Gzip,
    Zstd,
}

impl LogCompression {
    /// All of them.
    pub const ALL: [LogCompression; 3] = [LogCompression::None, LogCompression::Gzip, LogCompression::Zstd];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            LogCompression::None => "none",
            LogCompression::Gzip => "gzip",
            LogCompression::Zstd => "zstd",
        }
    }

    /// What is added to the name of a file.
    pub const fn suffix(self) -> &'static str {
        match self {
            LogCompression::None => "",
            LogCompression::Gzip => ".gz",
            LogCompression::Zstd => ".zst",
        }
    }

    /// The compression of the file with this name, and the name that it had before.
    pub fn of_name(file: &str) -> (LogCompression, &str) {
        let suffixed = [LogCompression::Gzip, LogCompression::Zstd];
        let found = suffixed.into_iter().find_map(|form| Some((form, file.strip_suffix(form.suffix())?)));
        found.unwrap_or((LogCompression::None, file))
    }

    /// What a text means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<LogCompression, Complaint> {
        let word = strip(text).to_ascii_lowercase();
        LogCompression::ALL.into_iter().find(|form| form.word() == word).ok_or_else(|| {
            let meant = match word.as_str() {
                "gz" | "true" | "yes" | "on" => Some("write gzip".to_owned()),
                "zst" | "zstandard" => Some("write zstd".to_owned()),
                "false" | "no" | "off" => Some("write none".to_owned()),
                word => did_you_mean(word, LogCompression::ALL.map(LogCompression::word)),
            };
            Complaint::quoting("not a valid compression: ", repr(text), "").advise(meant)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_a_word() {
        for form in LogCompression::ALL {
            assert_eq!(LogCompression::parse(form.word()), Ok(form));
            assert_eq!(LogCompression::of_name(&format!("a.log{}", form.suffix())), (form, "a.log"));
        }
        for (text, advice) in [
            ("gz", Some("write gzip")),
            ("gzipp", Some("did you mean gzip?")),
            ("true", Some("write gzip")),
            ("x", None),
        ] {
            assert_eq!(LogCompression::parse(text).expect_err(text).advice(), advice, "{text}");
        }
    }
}
