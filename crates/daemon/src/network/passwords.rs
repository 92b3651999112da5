//! Checking a password or a token against the form in which it is written.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use supervisord_config::password_form::PasswordForm;

/// How bcrypt writes bytes.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::BCRYPT, NO_PAD);

/// What it takes to check a bcrypt hash, in bytes.
const BCRYPT_MEMORY: usize = 8 << 10;

/// How much of a password bcrypt looks at, in bytes, with the zero byte that ends it.
const BCRYPT_LONGEST: usize = 72;

/// The largest cost of bcrypt that is checked: 16 takes about five seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// Whether any password can match: a malformed hash matches none.
pub fn is_usable(written: &str) -> bool {
    match PasswordForm::of(written) {
        PasswordForm::Plain(_) | PasswordForm::Sha1(_) => true,
        PasswordForm::Argon2(hash) => PasswordHash::new(hash).is_ok(),
        PasswordForm::Bcrypt(hash) => BcryptHash::parse(hash).is_some(),
    }
}

/// Whether a password takes long to check.
pub fn is_slow(written: &str) -> bool {
    matches!(PasswordForm::of(written), PasswordForm::Argon2(_) | PasswordForm::Bcrypt(_))
}

/// How much memory it takes to check a password, in bytes.
pub fn memory_of(written: &str) -> usize {
    match PasswordForm::of(written) {
        PasswordForm::Plain(_) | PasswordForm::Sha1(_) => 0,
        PasswordForm::Bcrypt(_) => BCRYPT_MEMORY,
        PasswordForm::Argon2(hash) => {
            let params = PasswordHash::new(hash).ok().and_then(|hash| Params::try_from(&hash).ok());
            params.map_or(0, |params| (params.m_cost() as usize) << 10)
        }
    }
}

/// Whether this is the password that is written so. Takes the same time whether it is or not; where it
/// [is slow](is_slow), that is a processor for a while and [`memory_of`] it.
pub fn is(written: &str, password: &[u8]) -> bool {
    match PasswordForm::of(written) {
        PasswordForm::Plain(expected) => password.ct_eq(expected.as_bytes()).into(),
        PasswordForm::Sha1(expected) => hex(&Sha1::digest(password)).as_bytes().ct_eq(expected.as_bytes()).into(),
        PasswordForm::Argon2(hash) => {
            PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
        }
        PasswordForm::Bcrypt(hash) => BcryptHash::parse(hash).is_some_and(|hash| hash.is_of(password)),
    }
}

/// The SHA-256 of a token, in lower-case hexadecimal digits.
pub fn hash_of_token(token: &[u8]) -> String {
    hex(&Sha256::digest(token))
}

/// A password as `{ARGON2ID}` and its hash with the parameters that OWASP recommends; none where there is no memory.
pub fn argon2id(password: &[u8], salt: &[u8; 16]) -> Option<String> {
    let hash = Argon2::default().hash_password_with_salt(password, salt).ok()?;
    Some(format!("{{ARGON2ID}}{hash}"))
}

/// A password as `{BCRYPT}` and its hash; none for one of which bcrypt would ignore a part.
pub fn bcrypt(password: &[u8], salt: [u8; 16]) -> Option<String> {
    const COST: u32 = 12;
    let password: Vec<u8> = password.iter().copied().chain([0]).collect();
    if password.len() > BCRYPT_LONGEST || password.iter().filter(|byte| **byte == 0).count() > 1 {
        return None;
    }
    let hash = bcrypt::bcrypt(COST, salt, &password);
    let (salt, hash) = (BCRYPT_BASE64.encode(salt), BCRYPT_BASE64.encode(&hash[..23]));
    Some(format!("{{BCRYPT}}$2b${COST:02}${salt}{hash}"))
}

/// A bcrypt hash, `$2b$COST$` with 22 characters of salt and 31 of the hash.
struct BcryptHash {
    cost: u32,
    salt: [u8; 16],
    hash: Vec<u8>,
}

impl BcryptHash {
    fn parse(text: &str) -> Option<BcryptHash> {
        let mut parts = text.split('$').skip(2);
        let cost = parts.next()?.parse().ok().filter(|cost| BCRYPT_COSTS.contains(cost))?;
        let (salt, hash) = parts.next()?.split_at_checked(22)?;
        let salt = BCRYPT_BASE64.decode(salt).ok()?.try_into().ok()?;
        let hash = BCRYPT_BASE64.decode(hash).ok().filter(|hash| hash.len() == 23)?;
        Some(BcryptHash { cost, salt, hash })
    }

    /// bcrypt looks at the beginning of a password and of the zero byte that ends it.
    fn is_of(&self, password: &[u8]) -> bool {
        let mut password: Vec<u8> = password.iter().copied().chain([0]).collect();
        password.truncate(BCRYPT_LONGEST);
        let hash = bcrypt::bcrypt(self.cost, self.salt, &password);
        hash[..self.hash.len()].ct_eq(&self.hash).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcrypt_hashes_of_other_programs_are_understood() {
        // Published test vectors of crypt_blowfish.
        let hash = "{BCRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(is_usable(hash) && is_slow(hash) && is(hash, b"U*U"));
        assert!(!is(hash, b"U*U*") && !is(hash, b""));
        let hash = "{BCRYPT}$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
        let long =
            b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored";
        assert!(is(hash, long));
        for damaged in ["$2b$05$CCC", "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "", "$2b"] {
            assert!(!is_usable(&format!("{{BCRYPT}}{damaged}")), "{damaged}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_sha_256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_of_token(b"abc"), expected);
    }
}
