//! Slowing down whoever guesses passwords, by address and user name; others notice nothing.
//!
//! Each wrong guess costs a while of a limited allowance, which comes back with time. Nothing has to happen for that: an
//! allowance is the moment at which all of it is back, and there is none for those who do not guess.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use supervisord_core::actor::ClientPeer;
use tokio::time::{Instant, sleep_until};

/// What a wrong guess costs.
const COST: Duration = Duration::from_secs(1);

/// How many guesses may be wrong before they have to wait.
const FREE: u32 = 10;

/// How many guesses of the same kind may wait. More are refused without a look at them.
const MOST_WAITING: usize = 16;

/// How many allowances are kept; then those that are nearest to being back are forgotten.
const MOST_ENTRIES: usize = 4096;

/// All who have guessed lately.
pub struct Throttle {
    entries: RefCell<HashMap<Guesser, Allowance>>,
    hasher: RandomState,
}

/// Whose guesses are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guesser {
    /// None for clients on sockets in the file system.
    network: Option<IpAddr>,
    /// A number for the user name, which may be long.
    user: u64,
}

#[derive(Clone, Copy)]
struct Allowance {
    /// When the whole allowance is back.
    clean: Instant,
    waiting: usize,
}

impl Throttle {
    /// Nobody has guessed yet.
    pub fn new() -> Throttle {
        Throttle { entries: RefCell::default(), hasher: RandomState::new() }
    }

    /// Who guesses the password of a user.
    pub fn guesser(&self, client: ClientPeer, user: &[u8]) -> Guesser {
        let network = match client {
            ClientPeer::Inet(address) => Some(network(address.ip())),
            ClientPeer::Unix { .. } => None,
        };
        Guesser { network, user: self.hasher.hash_one(user) }
    }

    /// Waits until a guess may be looked at, which [`pay`](Throttle::pay) then says for sure: another may be quicker. `place`
    /// is where it waits. False where too many wait already.
    pub async fn wait<'a>(&'a self, guesser: Guesser, place: &mut Option<QueuePlace<'a>>) -> bool {
        while let Some(ready) = self.ready(guesser) {
            if place.is_none() {
                *place = QueuePlace::begin(self, guesser);
            }
            if place.is_none() {
                return false;
            }
            sleep_until(ready).await;
        }
        true
    }

    /// Takes the cost of a guess from the allowance; false where there is not enough.
    pub fn pay(&self, guesser: Guesser) -> bool {
        if self.ready(guesser).is_some() {
            return false;
        }
        let now = Instant::now();
        let mut entries = self.entries.borrow_mut();
        if !entries.contains_key(&guesser) && entries.len() >= MOST_ENTRIES {
            forget(&mut entries, now);
        }
        let entry = entries.entry(guesser).or_insert(Allowance { clean: now, waiting: 0 });
        entry.clean = entry.clean.max(now) + COST;
        true
    }

    /// Gives back what a guess has cost that was right.
    pub fn give_back(&self, guesser: Guesser) {
        let mut entries = self.entries.borrow_mut();
        if let Some(entry) = entries.get_mut(&guesser) {
            entry.clean = entry.clean.checked_sub(COST).unwrap_or(entry.clean);
            if entry.clean <= Instant::now() && entry.waiting == 0 {
                entries.remove(&guesser);
            }
        }
    }

    /// When there is enough for a guess; none where there is.
    fn ready(&self, guesser: Guesser) -> Option<Instant> {
        let clean = self.entries.borrow().get(&guesser)?.clean;
        clean.checked_sub(COST * (FREE - 1)).filter(|ready| *ready > Instant::now())
    }
}

/// Makes room: those go whose allowance is back, else the quarter whose is nearest to it.
fn forget(entries: &mut HashMap<Guesser, Allowance>, now: Instant) {
    entries.retain(|_, entry| entry.clean > now || entry.waiting > 0);
    if entries.len() >= MOST_ENTRIES {
        let mut moments: Vec<Instant> = entries.values().map(|entry| entry.clean).collect();
        let (_, moment, _) = moments.select_nth_unstable(MOST_ENTRIES / 4);
        entries.retain(|_, entry| entry.clean > *moment || entry.waiting > 0);
    }
}

/// The place of one that waits, until it is dropped.
pub struct QueuePlace<'a> {
    throttle: &'a Throttle,
    guesser: Guesser,
    /// Whether nobody of the same kind waited before.
    pub is_first: bool,
}

impl QueuePlace<'_> {
    fn begin(throttle: &Throttle, guesser: Guesser) -> Option<QueuePlace<'_>> {
        let mut entries = throttle.entries.borrow_mut();
        let entry = entries.get_mut(&guesser).filter(|entry| entry.waiting < MOST_WAITING)?;
        entry.waiting += 1;
        Some(QueuePlace { throttle, guesser, is_first: entry.waiting == 1 })
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.throttle.entries.borrow_mut().get_mut(&self.guesser) {
            entry.waiting -= 1;
        }
    }
}

/// What somebody has all of: an IPv4 address, or the first half of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    const LOCAL: ClientPeer = ClientPeer::Unix { uid: None, pid: None };

    fn from(address: &str) -> ClientPeer {
        ClientPeer::Inet((address.parse::<IpAddr>().expect("an address"), 1).into())
    }

    #[test]
    fn wrong_guesses_are_throttled_and_other_clients_are_not() {
        run(async {
            let throttle = Throttle::new();
            let guesser = throttle.guesser(from("192.0.2.1"), b"user");
            for _ in 0..FREE {
                assert!(throttle.pay(guesser));
            }
            assert!(!throttle.pay(guesser));
            let wait = throttle.ready(guesser).expect("it has to wait") - Instant::now();
            assert!(wait > COST / 2 && wait <= COST, "{wait:?}");
            for (peer, user) in [(from("192.0.2.2"), "user"), (from("192.0.2.1"), "other"), (LOCAL, "user")] {
                assert!(throttle.pay(throttle.guesser(peer, user.as_bytes())));
            }
        });
    }

    #[test]
    fn correct_passwords_are_not_throttled_and_leave_no_entry() {
        let throttle = Throttle::new();
        let guesser = throttle.guesser(LOCAL, b"user");
        for _ in 0..3 * FREE {
            assert!(throttle.pay(guesser));
            throttle.give_back(guesser);
        }
        assert!(throttle.entries.borrow().is_empty());
    }

    #[test]
    fn only_so_many_may_wait() {
        run(async {
            let throttle = Throttle::new();
            let guesser = throttle.guesser(LOCAL, b"user");
            while throttle.pay(guesser) {}
            let mut places: Vec<_> = (0..=MOST_WAITING).map(|_| None).collect();
            let mut refused = 0;
            for place in &mut places {
                match tokio::time::timeout(Duration::ZERO, throttle.wait(guesser, place)).await {
                    Ok(waited) => refused += usize::from(!waited),
                    Err(_) => assert!(place.is_some()),
                }
            }
            assert_eq!(refused, 1);
            assert!(places[0].as_ref().is_some_and(|place| place.is_first));
            assert!(places[1].as_ref().is_some_and(|place| !place.is_first));
            assert!(throttle.wait(guesser, &mut places[0]).await, "its turn comes");
            assert!(throttle.pay(guesser));
            drop(places);
            assert_eq!(throttle.entries.borrow()[&guesser].waiting, 0);
        });
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_most_persistent_guessers() {
        let throttle = Throttle::new();
        let worst = throttle.guesser(LOCAL, b"user");
        while throttle.pay(worst) {}
        for number in 0..2 * MOST_ENTRIES {
            assert!(throttle.pay(throttle.guesser(LOCAL, &number.to_be_bytes())));
        }
        assert!(throttle.entries.borrow().len() <= MOST_ENTRIES);
        assert!(!throttle.pay(worst));
    }

    #[test]
    fn half_an_ipv6_address_counts() {
        let throttle = Throttle::new();
        let of = |address| throttle.guesser(from(address), b"");
        assert_eq!(of("2001:db8::1"), of("2001:db8::2:3:4:5"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
