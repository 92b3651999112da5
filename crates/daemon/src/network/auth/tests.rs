use hyper::header::HeaderValue;

use super::*;

const LOCAL: ClientPeer = ClientPeer::Unix { uid: None, pid: None };

fn credentials(password: &str) -> RequiredCredentials {
    RequiredCredentials { username: "user".into(), password: password.into() }
}

fn header(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"));
    headers
}

fn basic(pair: &str) -> HeaderMap {
    header(&format!("Basic {}", BASE64.encode(pair)))
}

fn admitted(password: &str, headers: &HeaderMap) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
    let (verified, authenticator) = (VerifiedCredentials::default(), Authenticator::new(BlockingThreads::default()));
    let credentials = credentials(password);
    let verdict = authenticator.authenticate(&credentials, headers, &verified, LOCAL, || ());
    runtime.block_on(verdict) == Authentication::Admitted
}

#[test]
fn a_plain_password_is_compared_as_it_stands() {
    assert!(admitted("a:b%c", &basic("user:a:b%c")));
    for wrong in ["user:", "user:a:b%", "user:a:b%cd", "User:a:b%c", ":a:b%c", "a:b%c", ""] {
        assert!(!admitted("a:b%c", &basic(wrong)), "{wrong}");
    }
}

#[test]
fn a_sha1_password_is_not_its_hash() {
    let hash = "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d";
    assert!(admitted(hash, &basic("user:thepassword")));
    assert!(!admitted(hash, &basic("user:82ab876d1387bfafe46cc1c8a2ef074eae50cb1d")));
    assert!(!admitted(hash, &basic(&format!("user:{hash}"))));
}

#[test]
fn the_scheme_may_be_spelt_in_any_case_and_followed_by_blanks() {
    let encoded = BASE64.encode("user:pw");
    for scheme in ["Basic ", "BASIC ", "basic   "] {
        assert!(admitted("pw", &header(&format!("{scheme}{encoded}"))), "{scheme}");
    }
}

#[test]
fn what_cannot_be_understood_is_refused() {
    assert!(!admitted("pw", &HeaderMap::new()));
    let encoded = BASE64.encode("user:pw");
    for value in ["Basic", "Basic ", "Basic !!!", "Basic dXNlcg==", "Bearer x", &format!("Digest {encoded}")] {
        assert!(!admitted("pw", &header(value)), "{value}");
    }
}

/// Of `correct horse`, at the least cost that the function allows.
const ARGON2: &str = "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$";

fn argon2_hash(password: &str) -> String {
    let params = argon2::Params::new(8, 1, 1, Some(32)).expect("valid parameters");
    let mut output = [0; 32];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(password.as_bytes(), b"somesalt", &mut output)
        .expect("hashed");
    format!("{ARGON2}{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(output))
}

#[test]
fn an_argon2_password_is_checked_and_remembered() {
    let credentials = credentials(&argon2_hash("correct horse"));
    assert!(passwords::is_usable(&credentials));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
    let (verified, authenticator) = (VerifiedCredentials::default(), Authenticator::new(BlockingThreads::default()));
    let check = |pair: &str| {
        let headers = basic(pair);
        let verdict = authenticator.authenticate(&credentials, &headers, &verified, LOCAL, || ());
        runtime.block_on(verdict) == Authentication::Admitted
    };
    assert!(!check("user:wrong"));
    assert!(!check("other:correct horse"));
    assert!(check("user:correct horse"));
    // While no turn is to be had only what is remembered gets in.
    let turn = authenticator.slow.try_acquire().expect("nobody checks anything");
    assert!(check("user:correct horse"));
    drop(turn);
    assert!(!check("user:wrong"));
}

#[test]
fn a_damaged_hash_is_told_and_admits_nobody() {
    let damaged = "{ARGON2ID}$argon2id$nonsense";
    assert!(!passwords::is_usable(&credentials(damaged)));
    assert!(!admitted(damaged, &basic("user:nonsense")));
    assert!(passwords::is_usable(&credentials("plain")));
}
