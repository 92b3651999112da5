//! Who follows logs of this host, by the ids of their requests, and how much may be sent to all of them together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::steady_millis;
use crate::send_budget::SendBudget;

/// How long a log is followed after somebody has last asked for it.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How many logs are followed at a time, by all together.
pub(super) const MAX_FOLLOWED: usize = 64;

/// Who follows logs.
#[derive(Default)]
pub(super) struct Followers {
    leases: Mutex<Leases>,
    budget: Mutex<Option<SendBudget>>,
}

#[derive(Default)]
struct Leases {
    by_id: BTreeMap<String, Lease>,
    /// How many there have been.
    count: u64,
}

struct Lease {
    number: u64,
    until: Instant,
    logs: usize,
}

/// One request that follows logs. Another one with its id prolongs it; after it has ended, it is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Following {
    id: String,
    number: u64,
}

impl Followers {
    /// A request has come: none where one with its id is followed already, which now is for longer.
    pub(super) fn begin(&self, id: &str) -> Option<Following> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        leases.by_id.retain(|_, lease| lease.until > now);
        let until = now + LEASE;
        if let Some(lease) = leases.by_id.get_mut(id) {
            lease.until = until;
            return None;
        }
        leases.count += 1;
        let number = leases.count;
        leases.by_id.insert(id.to_owned(), Lease { number, until, logs: 0 });
        Some(Following { id: id.to_owned(), number })
    }

    /// Takes so many logs for a request; false where that would be too many.
    pub(super) fn take(&self, following: &Following, logs: usize) -> bool {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let followed: usize = leases.by_id.values().map(|lease| lease.logs).sum();
        let has_room = followed + logs <= MAX_FOLLOWED;
        match leases.by_id.get_mut(&following.id) {
            Some(lease) if lease.number == following.number && has_room => lease.logs += logs,
            _ => return false,
        }
        true
    }

    /// Until when a request is followed; none where that is over.
    pub(super) fn until(&self, following: &Following) -> Option<Instant> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases.by_id.get(&following.id).filter(|lease| lease.number == following.number)?;
        Some(lease.until).filter(|until| *until > Instant::now())
    }

    /// A request is followed no longer: the next one with its id begins again.
    pub(super) fn end(&self, following: &Following) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.by_id.retain(|_, lease| lease.number != following.number);
    }

    /// Takes what a piece needs of what all together may send, if it is there.
    pub(super) fn may_send(&self, bytes: usize) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.get_or_insert_with(|| SendBudget::full(steady_millis())).take(bytes, steady_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_comes_twice_is_followed_once() {
        let followers = Followers::default();
        let first = followers.begin("a").unwrap();
        assert_eq!(followers.begin("a"), None);
        assert!(followers.take(&first, MAX_FOLLOWED) && !followers.take(&first, 1));
        let other = followers.begin("b").unwrap();
        assert!(!followers.take(&other, 1));
        followers.end(&first);
        assert!(followers.take(&other, 1) && followers.until(&other).is_some());
        // Whatever still belongs to the first does not live on with the second.
        let second = followers.begin("a").unwrap();
        assert!(followers.until(&first).is_none() && followers.until(&second).is_some());
        followers.end(&first);
        assert!(followers.until(&second).is_some() && !followers.take(&first, 1));
    }
}
