//! Signal names and numbers, as Linux counts them.

use std::fmt;

use crate::complaint::Complaint;
use crate::convert::integer;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// Every name with its number. Where a number has several names, the first is the one that is shown.
const SIGNALS: [(&str, i32); 36] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGIOT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCHLD", 17),
    ("SIGCLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGPOLL", 29),
    ("SIGIO", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
    ("SIGRTMIN", 34),
    ("SIGRTMAX", 64),
];

/// A text that names no signal. `Display` is the original's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalError {
    /// No name of a signal; holds the text as given.
    Name(String),
    /// A number that is no signal; holds the text as given.
    Number(String),
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignalError::Name(text) => write!(f, "value {} is not a valid signal name", repr(text)),
            SignalError::Number(text) => write!(f, "value {} is not a valid signal number", repr(text)),
        }
    }
}

impl std::error::Error for SignalError {}

impl From<SignalError> for Complaint {
    fn from(error: SignalError) -> Complaint {
        match error {
            SignalError::Name(text) => {
                let upper = strip(&text).to_uppercase();
                let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
                let names = SIGNALS.iter().filter_map(|(name, _)| name.strip_prefix("SIG"));
                Complaint::quoting("value ", repr(&text), " is not a valid signal name")
                    .advise(did_you_mean(bare, names))
            }
            SignalError::Number(text) => Complaint::quoting("value ", repr(&text), " is not a valid signal number"),
        }
    }
}

/// The number of a signal that may be given as a number or as a name, in any case and with or without `SIG`.
///
/// This is the rule for requests: 0 is accepted, as the question whether a process exists.
pub fn parse(text: &str) -> Result<i32, SignalError> {
    match integer(text) {
        Ok(number) => valid_number(number).ok_or_else(|| SignalError::Number(text.to_owned())),
        Err(_) => number_of(text).ok_or_else(|| SignalError::Name(text.to_owned())),
    }
}

/// The signal of this number, which may also be 0; not the unnamed real-time signals.
pub fn valid_number(number: i64) -> Option<i32> {
    let number = i32::try_from(number).ok()?;
    (number == 0 || name(number).is_some()).then_some(number)
}

/// The signal of a `stopsignal=` option: like [`parse`], but 0, which stops nothing, is refused.
pub fn parse_stop_signal(text: &str) -> Result<i32, Complaint> {
    match parse(text) {
        Ok(0) => Err(SignalError::Number(text.to_owned()).into()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.into()),
    }
}

fn number_of(text: &str) -> Option<i32> {
    let upper = strip(text).to_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    SIGNALS.into_iter().find(|(known, _)| *known == name).map(|(_, number)| number)
}

/// Every name, such as `SIGTERM`, with its number; a number can have several names.
pub fn all() -> impl Iterator<Item = (&'static str, i32)> {
    SIGNALS.into_iter()
}

/// The name of a signal as log lines show it, such as `SIGTERM`.
pub fn name(number: i32) -> Option<&'static str> {
    SIGNALS.into_iter().find(|(_, known)| *known == number).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_several_names_show_one() {
        for (number, expected) in
            [(29, "SIGPOLL"), (6, "SIGABRT"), (17, "SIGCHLD"), (34, "SIGRTMIN"), (64, "SIGRTMAX"), (9, "SIGKILL")]
        {
            assert_eq!(name(number), Some(expected));
        }
        for number in [-1, 0, 32, 33, 35, 63, 65] {
            assert_eq!(name(number), None, "{number}");
        }
    }

    #[test]
    fn a_request_may_ask_with_zero_and_an_option_may_not() {
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse_stop_signal("0").unwrap_err().to_string(), "value '0' is not a valid signal number");
        assert_eq!(parse_stop_signal(" hup "), Ok(1));
    }

    #[test]
    fn constants_that_are_no_signals_are_refused() {
        for text in ["SIG_IGN", "_DFL", "SIG_SETMASK", "RTMIN+1", "SIG", "0x0f", ""] {
            assert_eq!(parse(text), Err(SignalError::Name(text.to_owned())));
        }
    }
}
