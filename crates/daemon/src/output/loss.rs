//! The account of what a log could not take. The activity log gets an entry for the first failure and one for the end of
//! the trouble, not one for each failure.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use supervisord_config::model::LogLevel;

/// How many bytes all logs of this daemon could not take, since it began.
static LOST_BYTES: AtomicU64 = AtomicU64::new(0);

/// So many bytes were lost with the daemon before.
pub(super) fn count_earlier(amount: u64) {
    count(BYTES, amount);
}

/// The unit of logs that are files or streams.
const BYTES: &str = "bytes";

/// How many bytes of output were lost, since the daemon began.
pub fn lost_bytes() -> u64 {
    LOST_BYTES.load(Ordering::Relaxed)
}

/// Entries for the activity log: severity and text.
pub(super) type Entries = Vec<(LogLevel, String)>;

/// What a log could not take this time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loss {
    amount: u64,
    reason: String,
}

impl Loss {
    /// So much, and why.
    pub fn new(amount: usize, reason: &dyn fmt::Display) -> Loss {
        Loss { amount: amount as u64, reason: reason.to_string() }
    }

    /// How much it is.
    pub const fn amount(&self) -> usize {
        self.amount as usize
    }

    /// So much, for the same reason: the rest waits.
    pub fn of(self, amount: usize) -> Loss {
        Loss { amount: amount as u64, ..self }
    }

    /// Whether a part of so many bytes was written.
    pub fn is_less_than(&self, whole: usize) -> bool {
        self.amount < whole as u64
    }
}

/// What has been lost since writing began to fail.
#[derive(Debug)]
pub(super) struct Account {
    log: Arc<str>,
    unit: &'static str,
    lost: Option<u64>,
    /// What has been lost and is not counted for anybody yet.
    unassigned: u64,
    /// Whether output for this log or others was lost with the daemon before.
    follows_a_loss: bool,
}

impl Account {
    /// An account without losses for the log called `log`; they will be counted in `unit` (plural).
    pub fn new(log: Arc<str>, unit: &'static str) -> Account {
        Account { log, unit, lost: None, unassigned: 0, follows_a_loss: false }
    }

    /// Output for this log or others was lost with the daemon before.
    pub fn follow_a_loss(&mut self) {
        self.follows_a_loss = true;
    }

    /// A write came to this end.
    pub fn settle(&mut self, outcome: Result<(), Loss>, entries: &mut Entries) {
        let Account { log, unit, lost, unassigned, follows_a_loss } = self;
        match (outcome, *lost) {
            (Ok(()), None) => {}
            (Ok(()), Some(amount)) => {
                *lost = None;
                entries.push(match amount {
                    0 if *follows_a_loss => {
                        let text = "can be written again, nothing was lost since this daemon took over";
                        (LogLevel::Info, format!("{log} {text}"))
                    }
                    0 => (LogLevel::Info, format!("{log} can be written again, nothing was lost")),
                    _ => (LogLevel::Warn, format!("{log} can be written again, {amount} {unit} were lost")),
                });
            }
            (Err(Loss { amount, reason }), before) => {
                let outcome = if amount == 0 { "output waits" } else { "output is lost" };
                // One that waits is lost when there is too much of it.
                if before.is_none() || (before == Some(0) && amount > 0) {
                    entries.push((LogLevel::Error, format!("could not write to {log}, {outcome}: {reason}")));
                }
                *lost = Some(before.unwrap_or(0) + amount);
                *unassigned += amount;
                count(unit, amount);
            }
        }
    }

    /// What has been lost since the last call.
    pub fn take_unassigned(&mut self) -> u64 {
        mem::take(&mut self.unassigned)
    }

    /// The log is given up, and with it what still waited.
    pub fn close(&mut self, waiting: u64, entries: &mut Entries) {
        count(self.unit, waiting);
        self.unassigned += waiting;
        let lost = self.lost.take().unwrap_or(0) + waiting;
        if lost > 0 {
            entries.push((LogLevel::Warn, format!("{lost} {} for {} were lost", self.unit, self.log)));
        }
    }
}

fn count(unit: &str, amount: u64) {
    if unit == BYTES && amount > 0 {
        LOST_BYTES.fetch_add(amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_said_at_its_beginning_and_its_end() {
        let mut account = Account::new("/l".into(), "bytes");
        let mut entries = Entries::new();
        for outcome in [Ok(()), Err(Loss::new(3, &"full")), Err(Loss::new(4, &"full")), Ok(()), Ok(())] {
            account.settle(outcome, &mut entries);
        }
        account.close(0, &mut entries);
        let begin = (LogLevel::Error, "could not write to /l, output is lost: full".to_owned());
        let end = (LogLevel::Warn, "/l can be written again, 7 bytes were lost".to_owned());
        assert_eq!(entries, [begin, end]);
    }

    #[test]
    fn what_waits_is_not_lost_before_there_is_too_much() {
        let mut account = Account::new("/l".into(), "bytes");
        let mut entries = Entries::new();
        for amount in [0, 0, 5, 2] {
            account.settle(Err(Loss::new(9, &"full").of(amount)), &mut entries);
        }
        account.settle(Ok(()), &mut entries);
        account.settle(Err(Loss::new(9, &"full").of(0)), &mut entries);
        account.settle(Ok(()), &mut entries);
        assert_eq!(entries.last().map(|(level, _)| *level), Some(LogLevel::Info));
        let texts: Vec<&str> = entries.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "could not write to /l, output waits: full",
                "could not write to /l, output is lost: full",
                "/l can be written again, 7 bytes were lost",
                "could not write to /l, output waits: full",
                "/l can be written again, nothing was lost"
            ]
        );
    }

    #[test]
    fn nobody_vouches_for_the_daemon_before() {
        let mut account = Account::new("/l".into(), "bytes");
        let mut entries = Entries::new();
        account.follow_a_loss();
        account.settle(Err(Loss::new(0, &"full")), &mut entries);
        account.settle(Ok(()), &mut entries);
        assert!(entries[1].1.ends_with("nothing was lost since this daemon took over"), "{entries:?}");
    }

    #[test]
    fn what_waited_at_the_end_is_counted_too() {
        let before = lost_bytes();
        let mut account = Account::new("/l".into(), "bytes");
        let mut entries = Entries::new();
        account.settle(Err(Loss::new(3, &"full")), &mut entries);
        account.close(2, &mut entries);
        assert_eq!((account.take_unassigned(), account.take_unassigned()), (5, 0));
        assert!(lost_bytes() >= before + 5, "others may lose something, too");
        assert_eq!(entries[1].1, "5 bytes for /l were lost");
    }
}
