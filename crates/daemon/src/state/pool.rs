//! The queue of a pool of listeners, and the events in it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::event::RenderedEvent;
use supervisord_core::pool::{self, PoolData};
use supervisord_wire::event::EventType;

/// The queue of a pool. Types of events that are not known are left out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pool {
    subscriptions: Vec<String>,
    buffer_size: usize,
    queue: Vec<Queued>,
    next_serial: u64,
    refusals: u32,
    held_until: Option<Duration>,
}

/// An event with its serial numbers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Queued {
    event: Event,
    serial: u64,
    pool_serial: u64,
}

/// An event in the form in which listeners get it.
#[derive(Debug, Serialize, Deserialize)]
struct Event {
    kind: String,
    payload: String,
}

/// The name of a type of events in the state: that of the protocol in another spelling, `Tick5` for `TICK_5`.
fn spelled(kind: EventType) -> String {
    let capitalized = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    kind.name().split('_').map(capitalized).collect()
}

fn kind(spelling: &str) -> Option<EventType> {
    EventType::all().find(|kind| spelled(*kind) == spelling)
}

impl From<&pool::PoolQueue> for Pool {
    fn from(pool: &pool::PoolQueue) -> Pool {
        let PoolData { subscriptions, buffer_size, queue, next_serial, refusals, held_until } = pool.data();
        Pool {
            subscriptions: subscriptions.iter().map(|kind| spelled(*kind)).collect(),
            buffer_size: *buffer_size,
            queue: queue.iter().map(Queued::from).collect(),
            next_serial: *next_serial,
            refusals: *refusals,
            held_until: *held_until,
        }
    }
}

impl From<Pool> for pool::PoolQueue {
    fn from(pool: Pool) -> pool::PoolQueue {
        let Pool { subscriptions, buffer_size, queue, next_serial, refusals, held_until } = pool;
        let subscriptions = subscriptions.iter().filter_map(|spelling| kind(spelling)).collect();
        let queue = queue.into_iter().filter_map(Queued::known).collect();
        PoolData { subscriptions, buffer_size, queue, next_serial, refusals, held_until }.into()
    }
}

impl From<&pool::QueuedEvent> for Queued {
    fn from(pool::QueuedEvent { event, serial, pool_serial }: &pool::QueuedEvent) -> Queued {
        let event = Event { kind: spelled(event.kind), payload: event.payload.clone() };
        Queued { event, serial: *serial, pool_serial: *pool_serial }
    }
}

impl Queued {
    /// The event; none if its type is not known.
    pub fn known(self) -> Option<pool::QueuedEvent> {
        let Queued { event: Event { kind: spelling, payload }, serial, pool_serial } = self;
        let event = Arc::new(RenderedEvent { kind: kind(&spelling)?, payload });
        Some(pool::QueuedEvent { event, serial, pool_serial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_events_has_a_name() {
        assert_eq!(spelled(EventType::Tick3600), "Tick3600");
        assert_eq!(spelled(EventType::SupervisorStateChangeRunning), "SupervisorStateChangeRunning");
        for known in EventType::all() {
            assert_eq!(kind(&spelled(known)), Some(known));
        }
    }

    const POOL: &str = r#"{"subscriptions":["Tick60","ProcessState"],"buffer_size":3,"queue":[
        {"event":{"kind":"Tick60","payload":"when:60"},"serial":8,"pool_serial":2}],"next_serial":3,"refusals":2,
        "held_until":{"secs":5,"nanos":6}}"#;

    #[test]
    fn a_queue_keeps_its_form() {
        let event = |kind, payload: &str| Arc::new(RenderedEvent { kind, payload: payload.to_owned() });
        let pool: pool::PoolQueue = PoolData {
            subscriptions: vec![EventType::Tick60, EventType::ProcessState],
            buffer_size: 3,
            queue: [pool::QueuedEvent { event: event(EventType::Tick60, "when:60"), serial: 8, pool_serial: 2 }].into(),
            next_serial: 3,
            refusals: 2,
            held_until: Some(Duration::new(5, 6)),
        }
        .into();
        let form: serde_json::Value = serde_json::from_str(POOL).unwrap();
        assert_eq!(serde_json::to_value(Pool::from(&pool)).unwrap(), form);
        let read: pool::PoolQueue = serde_json::from_value::<Pool>(form).unwrap().into();
        assert_eq!(read.data(), pool.data());
    }

    #[test]
    fn types_of_events_that_are_not_known_are_left_out() {
        let later = POOL.replacen("\"Tick60\"", "\"ProcessReady\"", 2);
        let pool: pool::PoolQueue = serde_json::from_str::<Pool>(&later).unwrap().into();
        assert_eq!((pool.data().subscriptions.as_slice(), pool.len()), (&[EventType::ProcessState][..], 0));
    }
}
