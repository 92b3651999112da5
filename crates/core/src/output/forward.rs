//! Lines that are forwarded to log services, and what is known of each of them.

pub mod journal;
pub mod syslog;

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::forward_target::ForwardTarget;
use supervisord_config::syslog_code::{SyslogFacility, SyslogSeverity};
use supervisord_wire::channel::Channel;

use super::records::Severity;
use crate::activity_line;

/// Where the lines of a stream are forwarded, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardPlan {
    /// At least one.
    pub targets: Vec<ForwardTarget>,
    /// For the servers that are encrypted.
    pub tls: TlsFiles,
    /// The severity of lines that say nothing of it.
    pub severity: SyslogSeverity,
    /// Whose lines they are.
    pub origin: Arc<ForwardOrigin>,
}

/// The files by which a log service and this daemon know each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// The certificates that servers are trusted by; none for those of the system.
    pub trusted: Option<String>,
    /// The certificate that servers get; none where they ask for none.
    pub certificate: Option<String>,
    /// Its private key; none where it is in the same file.
    pub key: Option<String>,
}

/// Whose lines are forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardOrigin {
    pub facility: SyslogFacility,
    /// What names the program.
    pub tag: String,
    /// The name of the host.
    pub hostname: String,
    /// The name of the program, which is that of its section.
    pub program: String,
    pub group: String,
    /// The name of the process.
    pub process: String,
    /// None for entries of the activity log.
    pub channel: Option<Channel>,
    /// The process id; none as long as there is no process.
    pub pid: Option<u32>,
}

/// A line on its way to a log service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedLine {
    pub origin: Arc<ForwardOrigin>,
    pub severity: SyslogSeverity,
    /// When it was read, since the epoch.
    pub time: Duration,
    /// Without its end.
    pub text: Vec<u8>,
}

impl ForwardOrigin {
    /// What the lines are from: `stdout`, `stderr` or `activity`.
    pub fn stream(&self) -> &'static str {
        self.channel.map_or("activity", Channel::name)
    }
}

impl ForwardPlan {
    /// An entry of the activity log, as lines, each with the severity of the entry.
    pub fn entry(&self, entry: &str, time: Duration) -> impl Iterator<Item = ForwardedLine> {
        let (level, text) = activity_line::parts(entry);
        let severity = level.map_or(self.severity, |level| SyslogSeverity::from_code(level.syslog_code()));
        let line = move |text: &str| {
            let (origin, text) = (self.origin.clone(), text.as_bytes().to_vec());
            ForwardedLine { origin, severity, time, text }
        };
        text.split('\n').map(line)
    }

    /// A line that was read at this time, since the epoch. A priority such as `<3>` at its beginning becomes its severity and is
    /// removed; what continues a line says nothing of itself.
    pub fn line(&self, text: &[u8], is_continued: bool, time: Duration) -> ForwardedLine {
        let (severity, text) = match text {
            _ if is_continued => (None, text),
            [b'<', digit @ b'0'..=b'7', b'>', rest @ ..] => (Some(SyslogSeverity::from_code(digit - b'0')), rest),
            _ => (Severity::of_line(text).map(code), text),
        };
        let severity = severity.unwrap_or(self.severity);
        ForwardedLine { origin: self.origin.clone(), severity, time, text: text.to_vec() }
    }
}

/// The number of a severity in the system log.
const fn code(severity: Severity) -> SyslogSeverity {
    SyslogSeverity::from_code(match severity {
        Severity::Critical => 2,
        Severity::Error => 3,
        Severity::Warn => 4,
        Severity::Notice => 5,
        Severity::Info => 6,
        Severity::Debug | Severity::Trace => 7,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn plan() -> ForwardPlan {
        let origin = ForwardOrigin {
            facility: SyslogFacility::parse("local3").unwrap(),
            tag: "shop".to_owned(),
            hostname: "web1".to_owned(),
            program: "web".to_owned(),
            group: "app".to_owned(),
            process: "web_03".to_owned(),
            channel: Some(Channel::Stderr),
            pid: Some(77),
        };
        ForwardPlan {
            targets: ForwardTarget::parse_list("udp://loghost").unwrap(),
            tls: TlsFiles::default(),
            severity: SyslogSeverity::parse("notice").unwrap(),
            origin: origin.into(),
        }
    }

    #[test]
    fn an_entry_of_the_activity_log_has_the_severity_of_its_level() {
        for (entry, lines) in [
            ("2026-03-04 05:06:07,008 WARN a\nb\n", vec![("warning", "a"), ("warning", "b")]),
            ("2026-03-04 05:06:07,008 CRIT <3>x\n", vec![("crit", "<3>x")]),
            ("2026-03-04 05:06:07,008 BLAT x\n", vec![("debug", "x")]),
            (
                "{\"time\":\"t\",\"level\":\"error\",\"message\":\"m\"}\n",
                vec![("err", "{\"time\":\"t\",\"level\":\"error\",\"message\":\"m\"}")],
            ),
            ("odd\n", vec![("notice", "odd")]),
        ] {
            let found: Vec<(String, String)> = plan()
                .entry(entry, Duration::ZERO)
                .map(|line| (line.severity.word().to_owned(), String::from_utf8(line.text).unwrap()))
                .collect();
            let expected: Vec<(String, String)> =
                lines.into_iter().map(|(severity, text)| (severity.to_owned(), text.to_owned())).collect();
            assert_eq!(found, expected, "{entry}");
        }
    }

    #[test]
    fn a_line_has_the_severity_that_it_states() {
        let plan = plan();
        for (text, is_continued, severity, rest) in [
            ("plain", false, "notice", "plain"),
            ("ERROR it broke", false, "err", "ERROR it broke"),
            ("level=fatal x", false, "crit", "level=fatal x"),
            ("level=trace x", false, "debug", "level=trace x"),
            ("<1>act now", false, "alert", "act now"),
            ("<7>", false, "debug", ""),
            // One with a facility says nothing.
            ("<11>x", false, "notice", "<11>x"),
            ("<8>x", false, "notice", "<8>x"),
            ("ERROR in the middle", true, "notice", "ERROR in the middle"),
            ("<3>in the middle", true, "notice", "<3>in the middle"),
            ("", false, "notice", ""),
        ] {
            let line = plan.line(text.as_bytes(), is_continued, Duration::ZERO);
            assert_eq!((line.severity.word(), line.text.as_slice()), (severity, rest.as_bytes()), "{text}");
        }
    }
}
