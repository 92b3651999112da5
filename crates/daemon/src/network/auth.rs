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

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The last credentials of one server that a slow check has found correct.
#[derive(Default)]
pub struct VerifiedCredentials {
    last: RefCell<Option<Vec<u8>>>,
}

/// Checks the credentials of requests, for all servers.
pub struct Authenticator {
    throttle: Throttle,
    /// Allows one slow check at a time: each needs the memory that the hash asks for.
    slow: Semaphore,
    blocking: BlockingThreads,
}

/// The result of checking the credentials of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The request may proceed.
    Admitted,
    /// The credentials are missing or wrong.
    Refused,
    /// The credentials were not checked: the client has sent too many wrong ones.
    TooMany,
    /// The credentials were not checked: the system has no memory for the check.
    NoMemory,
}

impl Authenticator {
    /// Slow checks run on these threads.
    pub fn new(blocking: BlockingThreads) -> Authenticator {
        Authenticator { throttle: Throttle::new(), slow: Semaphore::new(1), blocking }
    }

    /// Checks the credentials in these headers. Calls `slowed` when a client that guesses passwords has to wait from now on.
    pub async fn authenticate(
        &self,
        credentials: &RequiredCredentials,
        headers: &HeaderMap,
        verified: &VerifiedCredentials,
        client: ClientPeer,
        slowed: impl FnOnce(),
    ) -> Authentication {
        let Some(presented) = presented(headers) else { return Authentication::Refused };
        let Some((username, password)) = split(&presented) else { return Authentication::Refused };
        let guesser = self.throttle.guesser(client, username);
        let hash = passwords::slow_hash(credentials);
        let mut place = None;
        loop {
            if !self.throttle.wait(guesser, &mut place).await {
                return Authentication::TooMany;
            }
            if hash.is_some() && verified.remembers(&presented) {
                return Authentication::Admitted;
            }
            let _turn = match hash {
                Some(_) => self.slow.acquire().await.ok(),
                None => None,
            };
            if hash.is_some_and(|hash| !is_possible(passwords::memory_of(hash))) {
                return Authentication::NoMemory;
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
                return Authentication::Refused;
            }
            self.throttle.give_back(guesser);
            if hash.is_some() {
                verified.remember(presented);
            }
            return Authentication::Admitted;
        }
    }

    async fn matches_slowly(&self, name: &str, hash: &str, username: &[u8], password: &[u8]) -> bool {
        let (hash, password) = (hash.to_owned(), password.to_owned());
        // The password is checked even where the name is wrong, so that the time tells nothing about the name.
        let verified = self.blocking.compute(move || passwords::has_hash(&password, &hash));
        verified.await.unwrap_or(false) & bool::from(username.ct_eq(name.as_bytes()))
    }
}

impl VerifiedCredentials {
    fn remembers(&self, presented: &[u8]) -> bool {
        self.last.borrow().as_deref().is_some_and(|last| presented.ct_eq(last).into())
    }

    fn remember(&self, presented: Vec<u8>) {
        *self.last.borrow_mut() = Some(presented);
    }
}

/// `user:password` as the request presents it; none if the header is missing or malformed.
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

/// The reply to a request with missing or wrong credentials. It closes the connection.
pub fn refusal() -> Reply {
    let mut reply = Reply::error(StatusCode::UNAUTHORIZED);
    reply.headers.insert(0, (WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\"")));
    reply.closing()
}

/// The reply to a client that has sent too many wrong passwords.
pub fn too_many() -> Reply {
    let mut reply = Reply::error(StatusCode::TOO_MANY_REQUESTS);
    reply.headers.insert(0, (RETRY_AFTER, HeaderValue::from_static("1")));
    reply.closing()
}

#[cfg(test)]
mod tests;
