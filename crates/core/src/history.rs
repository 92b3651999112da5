//! The last things that happened, with numbers, for whoever follows them or asks later.
//!
//! What programs write ([`Event::ProcessLog`], [`Event::ProcessCommunication`]), what clients send
//! ([`Event::RemoteCommunication`]) and ticks are not kept: they can be large or many, and would push out everything else.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{Event, ProcessName};
use crate::scope::ProgramScope;

/// The most events that are kept.
const MOST: usize = 512;

/// The most bytes that they take.
const MOST_BYTES: usize = 64 << 10;

/// An event with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Microseconds from the boot of the machine until it was published, or one more than the number before. Numbers
    /// therefore grow from one daemon to the next, too, until the next boot.
    pub number: u64,
    /// When it was published, since the epoch.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

/// What has happened since a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The oldest first.
    pub events: Vec<Numbered>,
    /// Whether older ones are missing: they were dropped, or happened before this history began.
    pub has_gap: bool,
}

/// A bounded number of events.
#[derive(Clone, Debug)]
pub struct History {
    events: VecDeque<Numbered>,
    bytes: usize,
    /// The number of the last event that was dropped, or that an earlier daemon can have given.
    dropped: u64,
}

impl History {
    /// An empty one, which begins so long after the boot.
    pub fn new(since_boot: Duration) -> History {
        History { events: VecDeque::new(), bytes: 0, dropped: micros(since_boot) }
    }

    /// Whether events of this kind are kept.
    pub fn keeps(event: &Event) -> bool {
        match event {
            Event::ProcessState { .. }
            | Event::SupervisorState(_)
            | Event::ProcessGroupAdded(_)
            | Event::ProcessGroupRemoved(_)
            | Event::ProcessHealth { .. }
            | Event::HookFailed { .. }
            | Event::OutputLost { .. } => true,
            Event::ProcessLog(_)
            | Event::ProcessCommunication(_)
            | Event::RemoteCommunication { .. }
            | Event::Tick { .. } => false,
        }
    }

    /// Appends an event at this moment: so long after the boot, and since the epoch. The oldest ones make room.
    pub fn push(&mut self, event: Event, since_boot: Duration, at: Duration) {
        let number = micros(since_boot).max(self.last() + 1);
        self.append(Numbered { number, at, event });
    }

    fn append(&mut self, event: Numbered) {
        self.bytes += size(&event.event);
        self.events.push_back(event);
        while self.events.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= size(&oldest.event);
            self.dropped = oldest.number;
        }
    }

    /// The number of the last event; without one, a number before the first.
    pub fn last(&self) -> u64 {
        self.events.back().map_or(self.dropped, |event| event.number)
    }

    /// At most so many events after this number, of those that somebody may see. A number that was never given is before
    /// everything.
    pub fn since(&self, number: u64, most: usize, scope: &ProgramScope) -> Since {
        let has_gap = number < self.dropped || number > self.last();
        let from = if has_gap { 0 } else { self.events.partition_point(|event| event.number <= number) };
        let visible = self.events.range(from..).filter(|event| scope.includes_event(&event.event));
        Since { events: visible.take(most).cloned().collect(), has_gap }
    }
}

/// The events as plain data, for whoever stores them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryData {
    /// The oldest first.
    pub events: Vec<Numbered>,
    /// The number of the last event that was dropped.
    pub dropped: u64,
}

impl From<&History> for HistoryData {
    fn from(History { events, bytes: _, dropped }: &History) -> HistoryData {
        HistoryData { events: events.iter().cloned().collect(), dropped: *dropped }
    }
}

/// Events that are out of order, or more than are kept, are dropped.
impl From<HistoryData> for History {
    fn from(HistoryData { events, dropped }: HistoryData) -> History {
        let mut history = History { events: VecDeque::new(), bytes: 0, dropped };
        for event in events {
            if event.number > history.last() && History::keeps(&event.event) {
                history.append(event);
            }
        }
        history
    }
}

fn micros(moment: Duration) -> u64 {
    u64::try_from(moment.as_micros()).unwrap_or(u64::MAX)
}

/// About how many bytes an event takes.
fn size(event: &Event) -> usize {
    let names = match event {
        Event::ProcessState { process: ProcessName { group, process }, .. }
        | Event::OutputLost { process: ProcessName { group, process }, .. } => group.len() + process.len(),
        Event::ProcessHealth { process: ProcessName { group, process }, reason, .. } => {
            group.len() + process.len() + reason.as_ref().map_or(0, String::len)
        }
        Event::HookFailed { process: ProcessName { group, process }, reason, .. } => {
            group.len() + process.len() + reason.len()
        }
        Event::ProcessGroupAdded(group) | Event::ProcessGroupRemoved(group) => group.len(),
        Event::SupervisorState(_)
        | Event::ProcessLog(_)
        | Event::ProcessCommunication(_)
        | Event::RemoteCommunication { .. }
        | Event::Tick { .. } => 0,
    };
    size_of::<Numbered>() + names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(name: &str) -> Event {
        Event::ProcessGroupAdded(name.into())
    }

    fn numbers(history: &History, number: u64) -> (Vec<u64>, bool) {
        let Since { events, has_gap } = history.since(number, usize::MAX, &ProgramScope::All);
        (events.into_iter().map(|event| event.number).collect(), has_gap)
    }

    #[test]
    fn numbers_are_moments_and_never_the_same() {
        let mut history = History::new(Duration::from_micros(100));
        assert_eq!((history.last(), numbers(&history, 100)), (100, (vec![], false)));
        for micros in [150, 150, 120, 400] {
            history.push(added("g"), Duration::from_micros(micros), Duration::ZERO);
        }
        assert_eq!(numbers(&history, 100), (vec![150, 151, 152, 400], false));
        assert_eq!(numbers(&history, 151), (vec![152, 400], false));
        assert_eq!(numbers(&history, 400), (vec![], false));
        assert_eq!(history.since(100, 2, &ProgramScope::All).events.len(), 2);
    }

    #[test]
    fn who_asks_for_more_than_there_is_learns_of_the_gap() {
        let mut history = History::new(Duration::from_micros(100));
        history.push(added("g"), Duration::from_micros(200), Duration::ZERO);
        assert_eq!(numbers(&history, 99), (vec![200], true), "that was another daemon");
        assert_eq!(numbers(&history, 201), (vec![200], true), "that was never given");
        for micros in 0..MOST as u64 {
            history.push(added("g"), Duration::from_micros(1000 + micros), Duration::ZERO);
        }
        assert_eq!(history.events.len(), MOST);
        assert_eq!((numbers(&history, 199).1, numbers(&history, 200).1), (true, false));
    }

    #[test]
    fn a_history_continues_from_its_data_within_the_same_bounds() {
        let mut history = History::new(Duration::from_micros(100));
        for micros in [150, 200] {
            history.push(added("g"), Duration::from_micros(micros), Duration::ZERO);
        }
        let mut data = HistoryData::from(&history);
        let mut next = History::from(data.clone());
        assert_eq!((numbers(&next, 100), HistoryData::from(&next)), ((vec![150, 200], false), data.clone()));
        next.push(added("g"), Duration::from_micros(180), Duration::ZERO);
        assert_eq!(numbers(&next, 150), (vec![200, 201], false));
        let event = |number, event| Numbered { number, at: Duration::ZERO, event };
        data.events.extend((201..=2 * MOST as u64).map(|number| event(number, added("g"))));
        data.events.extend([event(7, added("out of order"))]);
        let next = History::from(data);
        assert_eq!((next.events.len(), next.last(), numbers(&next, 150).1), (MOST, 2 * MOST as u64, true));
    }

    #[test]
    fn long_names_do_not_take_more_memory() {
        let mut history = History::new(Duration::ZERO);
        for _ in 0..100 {
            history.push(added(&"g".repeat(10_000)), Duration::ZERO, Duration::ZERO);
        }
        assert!(history.bytes <= MOST_BYTES && !history.events.is_empty(), "{} bytes", history.bytes);
        assert_eq!(history.last(), 100);
    }
}
