//! Failures of a process.

use std::fmt;
use std::time::Duration;

use supervisord_config::readiness::ReadyWhen;

use crate::texts::in_seconds;

/// The failure of a process since its last start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessFailure {
    /// There is no child, for this reason.
    NotSpawned(String),
    /// The child exited before it had been alive for `startsecs`.
    TooQuick,
    /// The child was not ready in time, or exited before; the text for clients.
    NotReady(String),
    /// The child was to end, and had not ended in time; the text for clients.
    NotFinished(String),
    /// The child was unhealthy; the text for clients.
    Unhealthy(String),
    /// The child exited with this unexpected status.
    BadExit(i32),
}

/// What the original says behind a failure that it cannot explain.
const LOG_HAS_DETAILS: &str = " (process log may have details)";

const TOO_QUICK: &str = "Exited too quickly (process log may have details)";

const BAD_EXIT: &str = "Bad exit code ";

const NOT_READY: &str = "Not ready within ";

const NOT_FINISHED: &str = "Not finished within ";

const UNHEALTHY: &str = "Unhealthy: ";

const NEVER_READY: &str = "Exited before it was ready (process log may have details)";

impl ProcessFailure {
    /// The failure of a child that was not ready after this time.
    pub(super) fn not_ready(waited: Duration, sign: &ReadyWhen, trouble: Option<&str>) -> ProcessFailure {
        let trouble = trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
        ProcessFailure::NotReady(format!("{NOT_READY}{} ({sign}{trouble})", in_seconds(waited)))
    }

    /// The failure of a child that exited before it was ready.
    pub(super) fn never_ready() -> ProcessFailure {
        ProcessFailure::NotReady(NEVER_READY.to_owned())
    }

    /// The failure of a child that had not ended within this time.
    pub(super) fn not_finished(limit: Duration) -> ProcessFailure {
        ProcessFailure::NotFinished(format!("{NOT_FINISHED}{} (max_runtime)", in_seconds(limit)))
    }

    /// The failure of a child that was unhealthy for this reason.
    pub(super) fn unhealthy(reason: &str) -> ProcessFailure {
        ProcessFailure::Unhealthy(format!("{UNHEALTHY}{reason}"))
    }

    /// The failure as a part of a sentence, without what is said about the log; none where the original's words for a failed
    /// start say as much.
    pub fn reason(&self) -> Option<String> {
        match self {
            ProcessFailure::NotReady(_) | ProcessFailure::NotFinished(_) | ProcessFailure::Unhealthy(_) => {
                Some(self.in_sentence())
            }
            ProcessFailure::NotSpawned(_) | ProcessFailure::TooQuick | ProcessFailure::BadExit(_) => None,
        }
    }

    /// The failure as a part of a sentence, without what is said about the log.
    pub fn in_sentence(&self) -> String {
        let text = self.to_string();
        let mut letters = text.trim_end_matches(LOG_HAS_DETAILS).chars();
        letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
    }

    /// The failure with this text; none for an empty text.
    pub fn from_text(text: String) -> Option<ProcessFailure> {
        if text.is_empty() {
            return None;
        }
        if text == TOO_QUICK {
            return Some(ProcessFailure::TooQuick);
        }
        if text == NEVER_READY || text.starts_with(NOT_READY) {
            return Some(ProcessFailure::NotReady(text));
        }
        if text.starts_with(NOT_FINISHED) {
            return Some(ProcessFailure::NotFinished(text));
        }
        if text.starts_with(UNHEALTHY) {
            return Some(ProcessFailure::Unhealthy(text));
        }
        match text.strip_prefix(BAD_EXIT).and_then(|number| number.parse().ok()) {
            Some(number) => Some(ProcessFailure::BadExit(number)),
            None => Some(ProcessFailure::NotSpawned(text)),
        }
    }
}

/// The text for clients, as in the original.
impl fmt::Display for ProcessFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessFailure::NotSpawned(text)
            | ProcessFailure::NotReady(text)
            | ProcessFailure::NotFinished(text)
            | ProcessFailure::Unhealthy(text) => f.write_str(text),
            ProcessFailure::TooQuick => f.write_str(TOO_QUICK),
            ProcessFailure::BadExit(number) => write!(f, "{BAD_EXIT}{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_restored_from_its_text() {
        let reasons = ["can't find command 'x'", "Bad exit code of something", "Exited"];
        let failures = reasons.map(|reason| ProcessFailure::NotSpawned(reason.to_owned()));
        let failures = failures.into_iter().chain([
            ProcessFailure::TooQuick,
            ProcessFailure::BadExit(3),
            ProcessFailure::BadExit(-1),
            ProcessFailure::never_ready(),
            ProcessFailure::not_ready(Duration::from_secs(90), &ReadyWhen::Descriptor(3), Some("no")),
            ProcessFailure::not_finished(Duration::from_secs(60)),
            ProcessFailure::unhealthy("HTTP status 503"),
        ]);
        for failure in failures {
            assert_eq!(ProcessFailure::from_text(failure.to_string()), Some(failure));
        }
        assert_eq!(ProcessFailure::from_text(String::new()), None);
    }
}
