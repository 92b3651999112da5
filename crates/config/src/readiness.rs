//! When a program is ready, as it is written: `fd:3`.

use std::fmt;
use std::sync::Arc;

use crate::complaint::Complaint;
use crate::line_pattern::LinePattern;
use crate::probe::Probe;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// What says that a program is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadyWhen {
    /// The program says so in the protocol of systemd.
    Notify,
    /// A line that the program writes to this descriptor.
    Descriptor(u16),
    /// A line that the program writes to stdout or stderr.
    Line(LinePattern),
    /// A probe that succeeds.
    Probe(Arc<Probe>),
}

/// The word before the colon of each kind.
const KINDS: [&str; 8] = ["notify", "fd", "log", "http", "tcp", "unix", "file", "exec"];

/// The first descriptor that is not stdin, stdout or stderr.
const FIRST_DESCRIPTOR: u16 = 3;

/// Programs look for their descriptor among the first ones; a larger number is a typing error.
const LAST_DESCRIPTOR: u16 = 255;

impl ReadyWhen {
    /// What a text means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<ReadyWhen, Complaint> {
        let text = strip(text);
        let (kind, detail) = text.split_once(':').unwrap_or((text, ""));
        match kind.to_lowercase().as_str() {
            "notify" if detail.is_empty() => Ok(ReadyWhen::Notify),
            "fd" => descriptor(detail),
            "log" => LinePattern::parse(strip(detail)).map(ReadyWhen::Line),
            "http" | "https" | "tcp" | "unix" | "file" | "exec" => {
                Probe::parse(text).map(|probe| ReadyWhen::Probe(probe.into()))
            }
            other => {
                let advice = did_you_mean(other, KINDS);
                Err(Complaint::quoting("not a sign of readiness: ", repr(text), "").advise(advice))
            }
        }
    }
}

fn descriptor(text: &str) -> Result<ReadyWhen, Complaint> {
    match text.parse() {
        Ok(number) if (FIRST_DESCRIPTOR..=LAST_DESCRIPTOR).contains(&number) => Ok(ReadyWhen::Descriptor(number)),
        _ => Err(Complaint::quoting("not a descriptor for readiness: ", repr(text), "").advise(format!(
            "write a number from {FIRST_DESCRIPTOR} to {LAST_DESCRIPTOR}: 0, 1 and 2 are stdin, stdout and stderr"
        ))),
    }
}

/// As it may be written.
impl fmt::Display for ReadyWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadyWhen::Notify => f.write_str("notify"),
            ReadyWhen::Descriptor(number) => write!(f, "fd:{number}"),
            ReadyWhen::Line(pattern) => write!(f, "log:{pattern}"),
            ReadyWhen::Probe(probe) => probe.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_and_shown() {
        let probe = |text: &str| ReadyWhen::Probe(Probe::parse(text).unwrap().into());
        for (text, expected, shown) in [
            ("fd:3", ReadyWhen::Descriptor(3), "fd:3"),
            ("exec:redis-cli ping", probe("exec:redis-cli ping"), "exec:redis-cli ping"),
            ("Notify", ReadyWhen::Notify, "notify"),
            (
                "LOG: listening on .*:[0-9]+",
                ReadyWhen::Line(LinePattern::parse("listening on .*:[0-9]+").unwrap()),
                "log:listening on .*:[0-9]+",
            ),
            (" FD:255 ", ReadyWhen::Descriptor(255), "fd:255"),
            ("TCP:localhost:80", probe("tcp:localhost:80"), "tcp:localhost:80"),
            ("http://localhost", probe("http://localhost/"), "http://localhost:80/"),
        ] {
            let read = ReadyWhen::parse(text).unwrap();
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(ReadyWhen::parse(shown).unwrap(), read);
        }
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for (text, expected) in [
            ("", "not a sign of readiness: ''"),
            ("soon", "not a sign of readiness: 'soon'"),
            ("notify:1", "not a sign of readiness: 'notify:1'"),
            ("fd", "not a descriptor for readiness: ''"),
            ("exec:", "not a valid probe: 'exec:'"),
            ("log:", "not a regular expression: '' matches every line"),
            ("tcp:1", "not a valid probe: 'tcp:1'"),
            ("fd:x", "not a descriptor for readiness: 'x'"),
            ("fd:1", "not a descriptor for readiness: '1'"),
            ("fd:256", "not a descriptor for readiness: '256'"),
            ("fd:-3", "not a descriptor for readiness: '-3'"),
        ] {
            assert_eq!(ReadyWhen::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
