//! Facilities and severities of the system log (RFC 5424, section 6.2.1), as they are written: `local3`, `warning`.

use crate::complaint::Complaint;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// What kind of program a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyslogFacility(u8);

/// How severe a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyslogSeverity(u8);

/// The names of facilities, in the order of their numbers; 12 to 15 have none that programs use.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The names of severities, in the order of their numbers.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// Other names that are in use.
const SYNONYMS: [(&str, &str); 4] = [("panic", "emerg"), ("critical", "crit"), ("error", "err"), ("warn", "warning")];

impl SyslogFacility {
    pub const USER: SyslogFacility = SyslogFacility(1);

    /// Its number, from 0 to 23.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        FACILITIES.iter().find(|(_, code)| *code == self.0).map_or("user", |(word, _)| word)
    }

    /// What a text means, in any case.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<SyslogFacility, Complaint> {
        let lower = strip(text).to_ascii_lowercase();
        let found = FACILITIES.iter().find(|(word, _)| *word == lower);
        found.map(|(_, code)| SyslogFacility(*code)).ok_or_else(|| {
            let words = FACILITIES.map(|(word, _)| word);
            Complaint::quoting("not a facility of the system log: ", repr(text), "")
                .advise(did_you_mean(&lower, words).or_else(|| Some(format!("write one of {}", words.join(", ")))))
        })
    }
}

impl Default for SyslogFacility {
    fn default() -> SyslogFacility {
        SyslogFacility::USER
    }
}

impl SyslogSeverity {
    pub const INFO: SyslogSeverity = SyslogSeverity(6);

    /// The severity of this number, of which the last three bits count.
    pub const fn from_code(code: u8) -> SyslogSeverity {
        SyslogSeverity(code & 7)
    }

    /// Its number, from 0 for the most severe to 7.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        SEVERITIES[usize::from(self.0 & 7)]
    }

    /// What a text means, in any case.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<SyslogSeverity, Complaint> {
        let lower = strip(text).to_ascii_lowercase();
        let word = SYNONYMS.iter().find(|(synonym, _)| *synonym == lower).map_or(lower.as_str(), |(_, word)| word);
        let found = (0..8).map(SyslogSeverity).find(|severity| severity.word() == word);
        found.ok_or_else(|| {
            Complaint::quoting("not a severity of the system log: ", repr(text), "").advise(
                did_you_mean(&lower, SEVERITIES).or_else(|| Some(format!("write one of {}", SEVERITIES.join(", ")))),
            )
        })
    }
}

impl Default for SyslogSeverity {
    fn default() -> SyslogSeverity {
        SyslogSeverity::INFO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_of_the_standard() {
        for (word, code) in [("kern", 0), ("DAEMON", 3), ("authpriv", 10), ("local0", 16), ("local7", 23)] {
            let facility = SyslogFacility::parse(word).unwrap();
            assert_eq!((facility.code(), facility.word()), (code, word.to_lowercase().as_str()));
        }
        for (word, code) in [("emerg", 0), ("err", 3), ("info", 6), ("debug", 7)] {
            let severity = SyslogSeverity::parse(word).unwrap();
            assert_eq!((severity.code(), severity.word()), (code, word));
        }
        assert_eq!(SyslogSeverity::parse(" Error"), SyslogSeverity::parse("err"));
        assert_eq!(SyslogSeverity::parse("warn").unwrap().word(), "warning");
    }

    #[test]
    fn what_is_none_is_refused_with_what_was_meant() {
        assert_eq!(SyslogFacility::parse("local8").unwrap_err().advice(), Some("did you mean local0?"));
        assert_eq!(SyslogSeverity::parse("inof").unwrap_err().advice(), Some("did you mean info?"));
        let advice = SyslogSeverity::parse("6").unwrap_err().advice().map(str::to_owned);
        assert_eq!(advice.as_deref(), Some("write one of emerg, alert, crit, err, warning, notice, info, debug"));
    }
}
