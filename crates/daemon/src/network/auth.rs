//! Basic authentication: one user name and password per server, asked of every request.

use std::cell::RefCell;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use supervisord_config::model::Credentials;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::network::reply::Reply;

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

/// Whether a request with these headers may proceed. `slow` limits how many expensive checks run at once.
pub async fn admits(credentials: &Credentials, headers: &HeaderMap, memory: &Memory, slow: &Semaphore) -> bool {
    let Some(presented) = presented(headers) else { return false };
    match credentials.password.strip_prefix(ARGON2_PREFIX) {
        None => matches(credentials, &presented),
        Some(hash) => matches_slowly(&credentials.username, hash, &presented, memory, slow).await,
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

fn matches(credentials: &Credentials, presented: &[u8]) -> bool {
    let Some((username, password)) = split(presented) else { return false };
    let password = match credentials.password.strip_prefix(SHA1_PREFIX) {
        Some(expected) => hex(&Sha1::digest(password)).as_bytes().ct_eq(expected.as_bytes()),
        None => password.ct_eq(credentials.password.as_bytes()),
    };
    (username.ct_eq(credentials.username.as_bytes()) & password).into()
}

async fn matches_slowly(username: &str, hash: &str, presented: &[u8], memory: &Memory, slow: &Semaphore) -> bool {
    if memory.last.borrow().as_deref().is_some_and(|last| presented.ct_eq(last).into()) {
        return true;
    }
    let Some((name, password)) = split(presented) else { return false };
    let (hash, password) = (hash.to_owned(), password.to_owned());
    let Ok(_turn) = slow.acquire().await else { return false };
    // The password is checked even where the name is wrong, so that the time tells nothing about the name.
    let verified = spawn_blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok())
    });
    let good = verified.await.unwrap_or(false) & bool::from(name.ct_eq(username.as_bytes()));
    if good {
        *memory.last.borrow_mut() = Some(presented.to_owned());
    }
    good
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

#[cfg(test)]
mod tests;
