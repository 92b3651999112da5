//! The forms that a password has in the configuration.

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use supervisord_config::model::RequiredCredentials;

/// A password in the configuration that starts with this is the lower-case hexadecimal SHA-1 of the real one.
const SHA1_PREFIX: &str = "{SHA}";

/// A password in the configuration that starts with this is an Argon2 hash in its usual text form, `$argon2id$...`.
const ARGON2_PREFIX: &str = "{ARGON2ID}";

/// Whether any password can match: a malformed hash matches none.
pub fn is_usable(credentials: &RequiredCredentials) -> bool {
    slow_hash(credentials).is_none_or(|hash| PasswordHash::new(hash).is_ok())
}

/// The hash that stands for the password in the configuration, where it is one that takes long to check.
pub fn slow_hash(credentials: &RequiredCredentials) -> Option<&str> {
    credentials.password.strip_prefix(ARGON2_PREFIX)
}

/// Whether this is the hash of a password. Takes a processor for a while, and [`memory_of`] the hash.
pub fn has_hash(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// Compares a user name and a password with the configuration, which has the password in clear text or as SHA-1. Takes the same
/// time whether they match or not.
pub fn matches(credentials: &RequiredCredentials, username: &[u8], password: &[u8]) -> bool {
    let password = match credentials.password.strip_prefix(SHA1_PREFIX) {
        Some(expected) => hex(&Sha1::digest(password)).as_bytes().ct_eq(expected.as_bytes()),
        None => password.ct_eq(credentials.password.as_bytes()),
    };
    (username.ct_eq(credentials.username.as_bytes()) & password).into()
}

/// How much memory it takes to check a hash, in bytes.
pub fn memory_of(hash: &str) -> usize {
    let params = PasswordHash::new(hash).ok().and_then(|hash| Params::try_from(&hash).ok());
    params.map_or(0, |params| (params.m_cost() as usize) << 10)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
