//! When a program that is getting ready is probed.

use std::time::Duration;

use supervisord_config::probe::Probe;

use crate::time::is_noticed_late;

/// The probes of a program that is getting ready: one at a time, the first at once, and the others at intervals that grow with
/// the time for which the program has been waited for. They begin anew with each daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadinessProbe {
    /// When the program was started, on the monotonic clock.
    started: Duration,
    /// The probe that is being run; none between two probes.
    under_way: Option<u64>,
    /// When it began.
    begun: Duration,
    /// Whether it began later than it was due, or is the first that this daemon has begun.
    is_belated: bool,
    /// When the next one is due; none while one is being run.
    next: Option<Duration>,
    /// Why the last one failed.
    trouble: Option<String>,
    /// How far the very last one has got; none where there may be others.
    last: Option<LastProbe>,
}

/// The probe that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastProbe {
    /// It begins as soon as no other one is under way.
    Awaited,
    UnderWay(u64),
    Failed,
}

/// How long the answer to a probe may take.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a program is probed.
struct Pace {
    /// The shortest time from one probe to the next.
    shortest: Duration,
    /// The part of the time waited so far that lies between two probes.
    part: u32,
}

/// The longest time from one probe to the next.
const LONGEST: Duration = Duration::from_secs(1);

impl Pace {
    /// A probe that makes a process costs more than one that makes none.
    fn of(probe: &Probe) -> Pace {
        match probe {
            Probe::Exec(_) => Pace { shortest: Duration::from_millis(100), part: 20 },
            Probe::Http(_) | Probe::Tcp(_) | Probe::Unix(_) | Probe::File(_) => {
                Pace { shortest: Duration::from_millis(10), part: 100 }
            }
        }
    }

    fn after(&self, waited: Duration) -> Duration {
        (waited / self.part).clamp(self.shortest, LONGEST)
    }
}

impl ReadinessProbe {
    /// The probes of a program that was started at `started`. The first one is due now.
    pub fn begin(started: Duration, now: Duration) -> ReadinessProbe {
        let next = Some(now);
        ReadinessProbe { started, under_way: None, begun: now, is_belated: false, next, trouble: None, last: None }
    }

    /// When the next probe is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.next
    }

    /// Why the last probe failed.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// There is one more probe, which decides. It begins at once, or when the one that is under way has failed.
    pub fn ask_last(&mut self, now: Duration) {
        if self.last.is_none() {
            self.last = Some(LastProbe::Awaited);
            self.next = self.next.map(|_| now);
        }
    }

    /// There may be others again: the program has got more time.
    pub fn ask_on(&mut self) {
        self.last = None;
    }

    /// Whether the last probe has failed.
    pub fn is_decided(&self) -> bool {
        self.last == Some(LastProbe::Failed)
    }

    /// Whether a probe should have been answered by now, and nobody could begin it in time: it is due, or has only just begun.
    pub fn is_owed(&self, now: Duration) -> bool {
        let has_just_begun = self.under_way.is_some() && self.is_belated && now < self.begun + LONGEST;
        self.is_due(now) || has_just_begun
    }

    /// Whether a probe is due.
    pub fn is_due(&self, now: Duration) -> bool {
        self.next.is_some_and(|due| due <= now)
    }

    /// Begins the probe with this number. False where none is due. Where it `is_new`, nothing of it was asked before.
    pub fn probe(&mut self, attempt: u64, is_new: bool, now: Duration) -> bool {
        if !self.is_due(now) {
            return false;
        }
        self.under_way = Some(attempt);
        self.is_belated = self.trouble.is_none() || self.next.is_some_and(|due| is_noticed_late(due, now));
        self.begun = now;
        self.next = None;
        if self.last == Some(LastProbe::Awaited) && is_new {
            self.last = Some(LastProbe::UnderWay(attempt));
        }
        true
    }

    /// The probe that is being run.
    pub fn under_way(&self) -> Option<u64> {
        self.under_way
    }

    /// Whether this answer is that of the probe that is being run.
    pub fn awaits(&self, attempt: u64) -> bool {
        self.under_way == Some(attempt)
    }

    /// The probe has failed for this reason. Where the answer `is_late`, because the program should have been ready before it came, the
    /// next one is due at once. Whether the reason is another one than before.
    pub fn failed(&mut self, reason: String, probe: &Probe, is_late: bool, now: Duration) -> bool {
        let attempt = self.under_way.take();
        if self.last == attempt.map(LastProbe::UnderWay) {
            self.last = self.last.map(|_| LastProbe::Failed);
        }
        self.next = Some(match self.last {
            Some(LastProbe::Awaited) => now,
            None if is_late => now,
            Some(LastProbe::UnderWay(_) | LastProbe::Failed) | None => {
                now + Pace::of(probe).after(now.saturating_sub(self.started))
            }
        });
        let is_news = self.trouble.as_ref() != Some(&reason);
        self.trouble = Some(reason);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    /// The times between the first probes of a program that fails all of them at once, in milliseconds.
    fn gaps(probe: &Probe, number: usize) -> Vec<u128> {
        let mut probes = ReadinessProbe::begin(START, START);
        let mut gaps = Vec::new();
        let mut now = START;
        for attempt in 0..number as u64 {
            assert!(probes.probe(attempt, true, now) && !probes.probe(attempt, true, now), "one at a time");
            assert_eq!(probes.deadline(), None);
            assert!(probes.awaits(attempt) && !probes.awaits(attempt + 1));
            assert_eq!(probes.failed("no".to_owned(), probe, false, now), attempt == 0);
            let due = probes.deadline().unwrap();
            gaps.push((due - now).as_millis());
            now = due;
        }
        gaps
    }

    #[test]
    fn probes_come_farther_apart_the_longer_they_fail() {
        let tcp = gaps(&Probe::parse("tcp:localhost:1").unwrap(), 2000);
        assert_eq!((tcp[0], tcp[50], tcp[1999]), (10, 10, 1000));
        assert!(tcp.is_sorted());
        let command = gaps(&Probe::parse("exec:true").unwrap(), 100);
        assert_eq!((command[0], command[10], command[99]), (100, 100, 1000));
    }

    #[test]
    fn a_probe_that_is_not_due_is_not_begun() {
        let mut probes = ReadinessProbe::begin(START, START);
        assert!(!probes.probe(1, true, START - Duration::from_millis(1)));
        assert!(probes.probe(2, true, START));
        assert_eq!((probes.trouble(), probes.awaits(1)), (None, false));
    }

    #[test]
    fn only_a_probe_that_begins_after_the_last_was_asked_for_decides() {
        let probe = Probe::parse("tcp:localhost:1").unwrap();
        let fail = |probes: &mut ReadinessProbe| probes.failed("no".to_owned(), &probe, false, START);
        let mut probes = ReadinessProbe::begin(START, START);
        assert!(probes.probe(1, true, START));
        probes.ask_last(START);
        assert_eq!(probes.deadline(), None, "one at a time");
        fail(&mut probes);
        // One of the daemon before was asked before.
        assert!(!probes.is_decided() && probes.probe(2, false, START));
        fail(&mut probes);
        assert!(!probes.is_decided() && probes.probe(3, true, START));
        probes.ask_last(START);
        assert_eq!(probes.deadline(), None);
        fail(&mut probes);
        assert!(probes.is_decided());
    }
}
