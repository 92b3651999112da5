//! Authentication: a user name with a password, a token, or what the system tells about the other end of a unix socket. Every
//! request is asked.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use supervisord_config::pyrepr::repr;
use supervisord_core::actor::ClientPeer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::blocking::BlockingThreads;
use crate::memory_budget::is_possible;
use crate::network::passwords;
use crate::network::reply::Reply;
use crate::network::socket::Socket;

mod logins;
mod throttle;

use logins::Login;
pub use logins::{Logins, Principal};
use throttle::Throttle;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// In place of a user name, where a token is guessed. No user has a name with a colon.
const ANY_TOKEN: &[u8] = b"token:";

/// How much of a user name is repeated in the audit log, in bytes.
const MOST_SHOWN: usize = 200;

/// Checks the credentials of requests, for all servers.
pub struct Authenticator {
    throttle: Throttle,
    /// Allows one slow check at a time: each needs the memory that the hash asks for.
    slow: Arc<Semaphore>,
    blocking: BlockingThreads,
}

/// The result of checking the credentials of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The request may proceed.
    Admitted(Principal),
    /// The credentials are missing or wrong.
    Refused,
    /// The credentials were not checked: the client has sent too many wrong ones.
    TooMany,
    /// The credentials were not checked: the system has no memory for the check.
    NoMemory,
}

/// What a request presents.
enum Presented {
    /// `user:password`.
    Basic(Vec<u8>),
    /// A token.
    Bearer(Vec<u8>),
}

impl Authenticator {
    /// Slow checks run on these threads.
    pub fn new(blocking: BlockingThreads) -> Authenticator {
        Authenticator { throttle: Throttle::new(), slow: Arc::new(Semaphore::new(1)), blocking }
    }

    /// Finds out who sends a request with these headers. Calls `slowed` when a client that guesses has to wait from now on.
    pub async fn identify(
        &self,
        logins: &Logins,
        headers: &HeaderMap,
        socket: &Socket,
        slowed: impl FnOnce(),
    ) -> Authentication {
        if logins.is_open() {
            return Authentication::Admitted(Principal::nobody());
        }
        let client = socket.client();
        if !headers.contains_key(AUTHORIZATION) {
            let known = logins.of_peer(client, || socket.peer_groups());
            return known.map_or(Authentication::Refused, Authentication::Admitted);
        }
        self.authenticate(logins, headers, client, slowed).await
    }

    /// Checks the credentials in these headers.
    async fn authenticate(
        &self,
        logins: &Logins,
        headers: &HeaderMap,
        client: ClientPeer,
        slowed: impl FnOnce(),
    ) -> Authentication {
        match presented(headers) {
            None => Authentication::Refused,
            Some(Presented::Bearer(token)) => {
                let check = async |_| logins.of_token(&token).map(|login| login.identity.clone());
                self.guess(client, ANY_TOKEN, None, slowed, check).await
            }
            Some(Presented::Basic(pair)) => {
                let Some((name, password)) = split(&pair) else { return Authentication::Refused };
                let login = logins.of_name(name);
                if login.is_some_and(|login| login.remembers(&pair)) {
                    return self.remembered(client, name, login).await;
                }
                // A password is checked even where the name is wrong, so that the time tells nothing about the name.
                let written = login.and_then(|login| login.password.as_deref()).or_else(|| logins.decoy());
                let Some(written) = written else { return Authentication::Refused };
                let slow = passwords::is_slow(written).then_some(written);
                let check = async |turn: Option<OwnedSemaphorePermit>| {
                    let is_good = match turn {
                        None => passwords::is(written, password),
                        Some(turn) => self.is_slowly(written, password, turn).await,
                    };
                    let login = login.filter(|_| is_good)?;
                    if slow.is_some() {
                        login.remember(pair.clone());
                    }
                    Some(login.identity.clone())
                };
                self.guess(client, name, slow, slowed, check).await
            }
        }
    }

    /// What was found correct before is let in without another check, when its turn comes.
    async fn remembered(&self, client: ClientPeer, name: &[u8], login: Option<&Login>) -> Authentication {
        let mut place = None;
        let guesser = self.throttle.guesser(client, name);
        match login {
            Some(login) if self.throttle.wait(guesser, &mut place).await => {
                Authentication::Admitted(login.identity.clone())
            }
            _ => Authentication::TooMany,
        }
    }

    /// Makes a check for a client that may be guessing: of this user name, with a password that is slow to check, for which it
    /// gets a turn.
    async fn guess(
        &self,
        client: ClientPeer,
        name: &[u8],
        slow: Option<&str>,
        slowed: impl FnOnce(),
        check: impl AsyncFnOnce(Option<OwnedSemaphorePermit>) -> Option<Principal>,
    ) -> Authentication {
        let guesser = self.throttle.guesser(client, name);
        let mut place = None;
        loop {
            if !self.throttle.wait(guesser, &mut place).await {
                return Authentication::TooMany;
            }
            let turn = match slow {
                // It is never closed.
                Some(_) => self.slow.clone().acquire_owned().await.ok(),
                None => None,
            };
            if slow.is_some_and(|written| !is_possible(passwords::memory_of(written))) {
                return Authentication::NoMemory;
            }
            if !self.throttle.pay(guesser) {
                continue;
            }
            if place.is_some_and(|place| place.is_first) {
                slowed();
            }
            let Some(identity) = check(turn).await else { return Authentication::Refused };
            self.throttle.give_back(guesser);
            return Authentication::Admitted(identity);
        }
    }

    /// The turn ends with the check, also where its client has left meanwhile.
    async fn is_slowly(&self, written: &str, password: &[u8], turn: OwnedSemaphorePermit) -> bool {
        let (written, password) = (written.to_owned(), password.to_owned());
        let check = move || {
            let _turn = turn;
            passwords::is(&written, &password)
        };
        self.blocking.compute(check).await.unwrap_or(false)
    }
}

/// What the request presents; none if the header is malformed.
fn presented(headers: &HeaderMap) -> Option<Presented> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let blank = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(blank);
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Presented::Bearer(rest.trim_ascii().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    BASE64.decode(rest.trim_ascii()).ok().map(Presented::Basic)
}

/// What the request tries, for the audit log: no password, but a user name, be it right or wrong. None for a request that tries
/// nothing, as the first one of every browser.
pub fn attempt(headers: &HeaderMap) -> Option<String> {
    let shown = |name: &[u8]| repr(&String::from_utf8_lossy(name.get(..MOST_SHOWN).unwrap_or(name)));
    headers.get(AUTHORIZATION)?;
    Some(match presented(headers) {
        Some(Presented::Basic(pair)) => split(&pair).map_or_else(log_in, |(name, _)| log_in() + " as " + &shown(name)),
        Some(Presented::Bearer(_)) => log_in() + " with a token",
        None => log_in(),
    })
}

fn log_in() -> String {
    "log in".to_owned()
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
