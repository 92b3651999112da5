//! Basic authentication: one user name and password per server, asked of every request.

use std::cell::RefCell;

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use supervisord_config::model::Credentials;
use supervisord_core::actor::Client;
use tokio::sync::Semaphore;

use crate::blocking::BlockingThreads;
use crate::memory_budget::is_possible;
use crate::network::reply::Reply;

mod throttle;

use throttle::Throttle;

/// A password in the configuration that starts with this is the lower-case hexadecimal SHA-1 of the real one.
const SHA1_PREFIX: &str = "{SHA}";

/// A password in the configuration that starts with this is an Argon2 hash in its usual text form, `$argon2id$...`.
const ARGON2_PREFIX: &str = "{ARGON2ID}";

/// Padding that is missing, as some clients send it, does no harm.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether any request could satisfy these credentials; a damaged hash lets nobody in.
pub fn is_usable(credentials: &Credentials) -> bool {
    credentials.password.strip_prefix(ARGON2_PREFIX).is_none_or(|hash| PasswordHash::new(hash).is_ok())
}

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
        credentials: &Credentials,
        headers: &HeaderMap,
        memory: &Memory,
        client: Client,
        slowed: impl FnOnce(),
    ) -> Verdict {
        let Some(presented) = presented(headers) else { return Verdict::Refused };
        let Some((username, password)) = split(&presented) else { return Verdict::Refused };
        let guesser = self.throttle.guesser(client, username);
        let hash = credentials.password.strip_prefix(ARGON2_PREFIX);
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
            if hash.is_some_and(|hash| !is_possible(memory_of(hash))) {
                return Verdict::NoMemory;
            }
            if !self.throttle.pay(guesser) {
                continue;
            }
            if place.is_some_and(|place| place.is_first) {
                slowed();
            }
            let is_good = match hash {
                None => matches(credentials, username, password),
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
        let verified = self.blocking.compute(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok())
        });
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

fn matches(credentials: &Credentials, username: &[u8], password: &[u8]) -> bool {
    let password = match credentials.password.strip_prefix(SHA1_PREFIX) {
        Some(expected) => hex(&Sha1::digest(password)).as_bytes().ct_eq(expected.as_bytes()),
        None => password.ct_eq(credentials.password.as_bytes()),
    };
    (username.ct_eq(credentials.username.as_bytes()) & password).into()
}

/// How much memory it takes to check a hash, in bytes.
fn memory_of(hash: &str) -> usize {
    let params = PasswordHash::new(hash).ok().and_then(|hash| Params::try_from(&hash).ok());
    params.map_or(0, |params| (params.m_cost() as usize) << 10)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
