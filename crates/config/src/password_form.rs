//! The forms in which a password or a token can be written.

use crate::complaint::Complaint;

/// A password as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordForm<'a> {
    /// The password itself.
    Plain(&'a str),
    /// `{SHA}` and the lower-case hexadecimal SHA-1.
    Sha1(&'a str),
    /// `{ARGON2ID}` and a hash in its usual text form, `$argon2id$...`.
    Argon2(&'a str),
    /// `{BCRYPT}` and a hash in its usual text form, `$2b$...`.
    Bcrypt(&'a str),
}

/// What stands before each form of a hash.
const SHA1: &str = "{SHA}";
const ARGON2: &str = "{ARGON2ID}";
const BCRYPT: &str = "{BCRYPT}";
const SHA256: &str = "{SHA256}";

/// The advice where something else is written.
const PRINT_ONE: &str = "write what supervisord hash-password prints";

impl PasswordForm<'_> {
    /// The form of what is written as `password`.
    pub fn of(written: &str) -> PasswordForm<'_> {
        let sha1 = || written.strip_prefix(SHA1).map(PasswordForm::Sha1);
        let argon2 = || written.strip_prefix(ARGON2).map(PasswordForm::Argon2);
        let bcrypt = || written.strip_prefix(BCRYPT).map(PasswordForm::Bcrypt);
        sha1().or_else(argon2).or_else(bcrypt).unwrap_or(PasswordForm::Plain(written))
    }
}

/// The `password` of `[user:x]`: a hash that looks like one.
pub(crate) fn hashed_password(text: &str) -> Result<String, Complaint> {
    let is_good = match PasswordForm::of(text) {
        PasswordForm::Plain(_) => return Err(refused("password", "it must be a hash and not the password itself")),
        PasswordForm::Sha1(hash) => is_hexadecimal(hash, 40),
        PasswordForm::Argon2(hash) => hash.starts_with("$argon2id$") && hash.split('$').count() == 6,
        PasswordForm::Bcrypt(hash) => {
            hash.len() == 60 && ["$2a$", "$2b$", "$2y$"].iter().any(|id| hash.starts_with(id))
        }
    };
    if is_good { Ok(text.to_owned()) } else { Err(refused("password", "the hash is not complete")) }
}

/// The `token` of `[user:x]`: the hexadecimal digits of its SHA-256, lower case.
pub(crate) fn hashed_token(text: &str) -> Result<String, Complaint> {
    match text.strip_prefix(SHA256) {
        None => Err(refused("token", "it must be {SHA256} and 64 hexadecimal digits, and not the token itself")),
        Some(hash) if is_hexadecimal(hash, 64) => Ok(hash.to_ascii_lowercase()),
        Some(_) => Err(refused("token", "there must be 64 hexadecimal digits behind {SHA256}")),
    }
}

fn refused(option: &str, reason: &str) -> Complaint {
    let advice = if option == "token" { " with --scheme sha256-token" } else { "" };
    Complaint::from(format!("Invalid {option} value: {reason}")).advise(format!("{PRINT_ONE}{advice}"))
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_their_prefix() {
        assert_eq!(PasswordForm::of("{SHA}aa"), PasswordForm::Sha1("aa"));
        assert_eq!(PasswordForm::of("{ARGON2ID}$argon2id$"), PasswordForm::Argon2("$argon2id$"));
        assert_eq!(PasswordForm::of("{BCRYPT}$2b$"), PasswordForm::Bcrypt("$2b$"));
        assert_eq!(PasswordForm::of("{sha}x"), PasswordForm::Plain("{sha}x"));
    }

    #[test]
    fn only_hashes_are_taken_and_never_quoted() {
        let bcrypt = format!("{{BCRYPT}}$2y$10${}", "a".repeat(53));
        for good in [
            "{SHA}da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
            &bcrypt,
        ] {
            assert_eq!(hashed_password(good).as_deref(), Ok(good));
        }
        for wrong in ["hunter2", "{SHA}hunter2", "{ARGON2ID}hunter2", "{BCRYPT}hunter2", ""] {
            let complaint = hashed_password(wrong).unwrap_err();
            assert!(!complaint.to_string().contains("hunter2"), "{complaint}");
            assert_eq!(complaint.advice(), Some("write what supervisord hash-password prints"));
        }
        assert_eq!(hashed_token(&format!("{{SHA256}}{}", "AB".repeat(32))), Ok("ab".repeat(32)));
        for wrong in ["hunter2", "{SHA256}hunter2"] {
            let complaint = hashed_token(wrong).unwrap_err();
            assert!(!complaint.to_string().contains("hunter2"), "{complaint}");
            assert!(complaint.advice().is_some_and(|advice| advice.ends_with("--scheme sha256-token")));
        }
    }
}
