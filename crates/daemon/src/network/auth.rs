//! Basic authentication: one user name and password per server, asked of every request.

use std::cell::RefCell;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use subtle::ConstantTimeEq;
use supervisord_config::model::RequiredCredentials;
use supervisord_core::actor::ClientPeer;
use tokio::sync::Semaphore;

use crate::blocking::BlockingThreads;
use crate::memory_budget::is_possible;
use crate::network::passwords;
use crate::network::reply::Reply;

mod throttle;

use throttle::Throttle;

/// Padding that is missing, as some clients send it, does no harm.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Remembers, for one server, the last credentials that were found good by a slow check.
#[derive(Default)]
pub struct Memory {
    last: RefCell<Option<Vec<u8>>>,
}

/// What the checks of all servers have in common.
pub struct Gate {
    throttle: Throttle,
    /// One expensive check at a time: each takes the memory that the hash asks for.
    slow: Semaphore,
    blocking: BlockingThreads,
}

/// Whether a request may proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Admitted,
    /// The credentials are missing or wrong.
    Refused,
    /// Nobody has looked at them: too many wrong ones have come from there.
    TooMany,
    /// Nobody has looked at them: the system has no memory for that.
    NoMemory,
}

impl Gate {
    /// A gate whose expensive checks run on these threads.
    pub fn new(blocking: BlockingThreads) -> Gate {
        Gate { throttle: Throttle::new(), slow: Semaphore::new(1), blocking }
    }

    /// Whether a request with these headers may proceed. `slowed` is told when a guesser has to wait from now on.
    pub async fn admits(
        &self,
        credentials: &RequiredCredentials,
        headers: &HeaderMap,
        memory: &Memory,
        client: ClientPeer,
        slowed: impl FnOnce(),
    ) -> Verdict {
        let Some(presented) = presented(headers) else { return Verdict::Refused };
        let Some((username, password)) = split(&presented) else { return Verdict::Refused };
        let guesser = self.throttle.guesser(client, username);
        let hash = passwords::slow_hash(credentials);
        let mut place = None;
        loop {
            if !self.throttle.wait(guesser, &mut place).await {
                return Verdict::TooMany;
            }
            if hash.is_some() && memory.remembers(&presented) {
                return Verdict::Admitted;
            }
            let _turn = match hash {
                Some(_) => self.slow.acquire().await.ok(),
                None => None,
            };
            if hash.is_some_and(|hash| !is_possible(passwords::memory_of(hash))) {
                return Verdict::NoMemory;
            }
            if !self.throttle.pay(guesser) {
                continue;
            }
            if place.is_some_and(|place| place.is_first) {
                slowed();
            }
            let is_good = match hash {
                None => passwords::matches(credentials, username, password),
                Some(hash) => self.matches_slowly(&credentials.username, hash, username, password).await,
            };
            if !is_good {
                return Verdict::Refused;
            }
            self.throttle.give_back(guesser);
            if hash.is_some() {
                memory.remember(presented);
            }
            return Verdict::Admitted;
        }
    }

    async fn matches_slowly(&self, name: &str, hash: &str, username: &[u8], password: &[u8]) -> bool {
        let (hash, password) = (hash.to_owned(), password.to_owned());
        // The password is checked even where the name is wrong, so that the time tells nothing about the name.
        let verified = self.blocking.compute(move || passwords::has_hash(&password, &hash));
        verified.await.unwrap_or(false) & bool::from(username.ct_eq(name.as_bytes()))
    }
}

impl Memory {
    fn remembers(&self, presented: &[u8]) -> bool {
        self.last.borrow().as_deref().is_some_and(|last| presented.ct_eq(last).into())
    }

    fn remember(&self, presented: Vec<u8>) {
        *self.last.borrow_mut() = Some(presented);
    }
}

/// `user:password` as the request presents it; none when it presents nothing that can be understood.
fn presented(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let blank = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, encoded) = value.split_at(blank);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    BASE64.decode(encoded.trim_ascii()).ok()
}

fn split(presented: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = presented.iter().position(|byte| *byte == b':')?;
    Some((&presented[..colon], &presented[colon + 1..]))
}

/// The reply to a request that was not admitted. It really closes the connection, as it says.
pub fn refusal() -> Reply {
    let mut reply = Reply::error(StatusCode::UNAUTHORIZED);
    reply.headers.insert(0, (WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\"")));
    reply.closing()
}

/// The reply to a request whose credentials nobody has looked at.
pub fn too_many() -> Reply {
    let mut reply = Reply::error(StatusCode::TOO_MANY_REQUESTS);
    reply.headers.insert(0, (RETRY_AFTER, HeaderValue::from_static("1")));
    reply.closing()
}

#[cfg(test)]
mod tests;
