//! What a program says about itself in the protocol of systemd: a datagram of assignments, one to a line.

use std::time::Duration;

/// The longest datagram that counts, in bytes, as in systemd.
pub const LONGEST_NOTIFICATION: usize = 4096;

/// The longest text of a status that is kept, in bytes.
const LONGEST_STATUS: usize = 256;

/// A datagram. What it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// `READY=1`: the program is ready, or has finished loading its configuration again.
    pub ready: bool,
    /// `RELOADING=1`: it loads its configuration again.
    pub reloading: bool,
    /// `STOPPING=1`: it is about to end.
    pub stopping: bool,
    /// `STATUS=`: how it is, for people; empty for nothing to say any more.
    pub status: Option<String>,
    /// `WATCHDOG=`.
    pub heartbeat: Option<WatchdogNotice>,
    /// `WATCHDOG_USEC=`: how often it will send `WATCHDOG=1` from now on.
    pub watchdog_interval: Option<Duration>,
    /// `EXTEND_TIMEOUT_USEC=`: how much longer its start or stop may take from now on.
    pub extension: Option<Duration>,
    /// `MAINPID=`: which process is the main one.
    pub main_pid: Option<u32>,
}

/// The heartbeat of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchdogNotice {
    /// `WATCHDOG=1`: it works.
    Alive,
    /// `WATCHDOG=trigger`: it has failed.
    Failed,
}

impl Notification {
    /// What a datagram says. Assignments that are not understood are passed over.
    pub fn parse(datagram: &[u8]) -> Notification {
        let mut notification = Notification::default();
        for line in datagram.split(|byte| *byte == b'\n') {
            let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (&line[..equals], &line[equals + 1..]);
            let is_yes = value == b"1";
            match name {
                b"READY" => notification.ready |= is_yes,
                b"RELOADING" => notification.reloading |= is_yes,
                b"STOPPING" => notification.stopping |= is_yes,
                b"STATUS" => notification.status = Some(status(value)),
                b"WATCHDOG" if is_yes => notification.heartbeat = Some(WatchdogNotice::Alive),
                b"WATCHDOG" if value == b"trigger" => notification.heartbeat = Some(WatchdogNotice::Failed),
                b"WATCHDOG_USEC" => notification.watchdog_interval = number(value).map(Duration::from_micros),
                b"EXTEND_TIMEOUT_USEC" => notification.extension = number(value).map(Duration::from_micros),
                b"MAINPID" => notification.main_pid = number(value).and_then(|number| u32::try_from(number).ok()),
                _ => {}
            }
        }
        notification
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A text for people, without what could disturb a terminal.
fn status(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut status = String::new();
    for letter in text.chars() {
        let letter = if letter.is_control() { ' ' } else { letter };
        if status.len() + letter.len_utf8() > LONGEST_STATUS {
            break;
        }
        status.push(letter);
    }
    status
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_assignment_is_understood() {
        let text = b"READY=1\nSTATUS=serving\nMAINPID=42\nWATCHDOG=1\nWATCHDOG_USEC=1500000\nEXTEND_TIMEOUT_USEC=7\n\
                     RELOADING=1\nSTOPPING=1\nFDSTORE=1\nX_OTHER=2\n";
        let expected = Notification {
            ready: true,
            reloading: true,
            stopping: true,
            status: Some("serving".to_owned()),
            heartbeat: Some(WatchdogNotice::Alive),
            watchdog_interval: Some(Duration::from_millis(1500)),
            extension: Some(Duration::from_micros(7)),
            main_pid: Some(42),
        };
        assert_eq!(Notification::parse(text), expected);
        assert_eq!(Notification::parse(b"WATCHDOG=trigger").heartbeat, Some(WatchdogNotice::Failed));
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let text = b"READY=0\nREADY\n=1\nMAINPID=-1\nMAINPID=99999999999\nWATCHDOG_USEC=soon\nWATCHDOG=2\n\0\n";
        assert_eq!(Notification::parse(text), Notification::default());
        assert_eq!(Notification::parse(b""), Notification::default());
        assert!(Notification::parse(b"\xff\xfe\nREADY=1").ready);
    }

    #[test]
    fn a_status_is_short_and_harmless() {
        let of = |text: &[u8]| Notification::parse(&[b"STATUS=", text].concat()).status.unwrap();
        assert_eq!(of(b"a=b \x1b[31mred\x07 \xff"), "a=b  [31mred  \u{fffd}");
        assert_eq!(of(&[b'x'; 1000]).len(), LONGEST_STATUS);
        assert_eq!(of("ä".repeat(1000).as_bytes()).len(), LONGEST_STATUS);
        assert_eq!(of(b""), "");
    }

    proptest! {
        #[test]
        fn any_datagram_is_taken(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let notification = Notification::parse(&bytes);
            prop_assert!(notification.status.is_none_or(|status| status.len() <= LONGEST_STATUS));
        }
    }
}
