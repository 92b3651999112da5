//! `supervisord hash-password`: a line for a section `[user:x]`, of a password that is typed or comes on stdin.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;

use supervisord_sys::{random, terminal};

use crate::network::passwords;

/// The argument that asks for it.
pub const ARGUMENT: &str = "hash-password";

/// The longest password, in bytes.
const LONGEST: u64 = 64 << 10;

const HELP: &str = "\
supervisord hash-password -- print the hash of a password or token, as a line for a section [user:NAME]

Usage: supervisord hash-password [--scheme SCHEME]

The password is asked for on the terminal. Where stdin is no terminal, it is the first line of stdin.

Schemes:
argon2id -- password={ARGON2ID}..., the default
bcrypt -- password={BCRYPT}..., for at most 71 bytes
sha256-token -- token={SHA256}..., for a long random text that programs send as Authorization: Bearer
";

/// How a text is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Argon2id,
    Bcrypt,
    Sha256Token,
}

impl Scheme {
    fn parse(word: &str) -> Option<Scheme> {
        match word {
            "argon2id" => Some(Scheme::Argon2id),
            "bcrypt" => Some(Scheme::Bcrypt),
            "sha256-token" => Some(Scheme::Sha256Token),
            _ => None,
        }
    }

    /// The line for the configuration; the error is for people.
    fn line(self, secret: &[u8]) -> Result<String, String> {
        if secret.is_empty() {
            return Err("it must not be empty".to_owned());
        }
        let salt = random::bytes::<16>().map_err(|error| format!("there are no random numbers: {error}"))?;
        match self {
            Scheme::Argon2id => {
                let hash = passwords::argon2id(secret, &salt).ok_or("it cannot be hashed")?;
                Ok(format!("password={hash}\n"))
            }
            Scheme::Bcrypt => {
                let hash = passwords::bcrypt(secret, salt).ok_or("bcrypt would ignore what is behind 71 bytes")?;
                Ok(format!("password={hash}\n"))
            }
            Scheme::Sha256Token => Ok(format!("token={{SHA256}}{}\n", passwords::hash_of_token(secret))),
        }
    }
}

/// Runs it with the arguments behind its name. The exit status is 0, or 2 for a mistake.
pub fn run(arguments: &[OsString]) -> ExitCode {
    let done = match wanted(arguments) {
        Ok(None) => Ok(HELP.to_owned()),
        Ok(Some(scheme)) => secret(scheme).and_then(|secret| scheme.line(&secret)),
        Err(text) => Err(text),
    };
    match done {
        Ok(text) => {
            crate::say(&mut io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Err(text) => {
            let text = format!("Error: {text}\nFor help, use supervisord {ARGUMENT} -h\n");
            crate::say(&mut io::stderr(), &text);
            ExitCode::from(2)
        }
    }
}

/// The scheme that is asked for; none for the help.
fn wanted(arguments: &[OsString]) -> Result<Option<Scheme>, String> {
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    let scheme = match words.as_slice() {
        [] => return Ok(Some(Scheme::Argon2id)),
        ["-h" | "--help"] => return Ok(None),
        ["--scheme", scheme] => scheme,
        [only] => only.strip_prefix("--scheme=").ok_or_else(|| format!("option {only} not recognized"))?,
        _ => return Err("too many arguments".to_owned()),
    };
    let known = Scheme::parse(scheme);
    known.map(Some).ok_or_else(|| format!("unknown scheme {scheme}: write argon2id, bcrypt or sha256-token"))
}

/// The password: typed twice, or the first line of stdin.
fn secret(scheme: Scheme) -> Result<Vec<u8>, String> {
    let what = if scheme == Scheme::Sha256Token { "Token" } else { "Password" };
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let ask = |prompt: &str| terminal::read_password(prompt).map_err(|error| format!("cannot read it: {error}"));
        let (first, second) = (ask(&format!("{what}: "))?, ask("The same again: ")?);
        return if first == second { Ok(first.into_bytes()) } else { Err("the two are not the same".to_owned()) };
    }
    let mut text = Vec::new();
    stdin.take(LONGEST).read_to_end(&mut text).map_err(|error| format!("cannot read stdin: {error}"))?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Option<Scheme>, String> {
        wanted(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_printed_is_what_is_checked() {
        for scheme in [Scheme::Argon2id, Scheme::Bcrypt] {
            let line = scheme.line("pässword".as_bytes()).expect("a line");
            let hash = line.strip_prefix("password=").expect("a password").trim_end();
            assert!(passwords::is_usable(hash) && passwords::is_slow(hash), "{line}");
            assert!(passwords::is(hash, "pässword".as_bytes()) && !passwords::is(hash, b"password"), "{line}");
        }
        let line = Scheme::Sha256Token.line(b"abc").expect("a line");
        assert!(line.starts_with("token={SHA256}ba7816bf"), "{line}");
    }

    #[test]
    fn what_no_scheme_can_hash_is_refused() {
        assert!(Scheme::Argon2id.line(b"").is_err());
        assert!(Scheme::Bcrypt.line(&[b'x'; 72]).is_err() && Scheme::Bcrypt.line(&[b'x'; 71]).is_ok());
    }

    #[test]
    fn the_scheme_can_be_chosen() {
        assert_eq!(asked(""), Ok(Some(Scheme::Argon2id)));
        assert_eq!(asked("--scheme sha256-token"), Ok(Some(Scheme::Sha256Token)));
        assert_eq!(asked("--scheme=bcrypt"), Ok(Some(Scheme::Bcrypt)));
        assert_eq!(asked("--help"), Ok(None));
        for wrong in ["--scheme", "--scheme md5", "password", "--scheme argon2id x"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
