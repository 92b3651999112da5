use hyper::header::HeaderValue;

use supervisord_config::client_user::{ClientUser, UserRole};
use supervisord_config::model::{HttpServer, RequiredCredentials, ServerAddress};
use supervisord_core::actor::Right;

use super::*;

const LOCAL: ClientPeer = ClientPeer::Unix { uid: None, pid: None };

fn server(credentials: Option<RequiredCredentials>, users: Vec<ClientUser>) -> HttpServer {
    let address = ServerAddress::Unix { path: "/s".into(), mode: 0o700, uid: None, gid: None };
    HttpServer {
        section: "unix_http_server".into(),
        address,
        credentials,
        users,
        tls: None,
        allowed_hosts: Vec::new(),
        get_actions: false,
    }
}

fn logins(password: &str) -> Logins {
    let credentials = RequiredCredentials { username: "user".into(), password: password.into() };
    Logins::new(&server(Some(credentials), Vec::new()))
}

fn header(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"));
    headers
}

fn basic(pair: &str) -> HeaderMap {
    header(&format!("Basic {}", BASE64.encode(pair)))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime").block_on(future)
}

fn admitted(password: &str, headers: &HeaderMap) -> bool {
    let authenticator = Authenticator::new(BlockingThreads::default());
    let logins = logins(password);
    let verdict = run(authenticator.authenticate(&logins, headers, LOCAL, || ()));
    matches!(verdict, Authentication::Admitted(_))
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
    let hash = argon2_hash("correct horse");
    assert!(passwords::is_usable(&hash));
    let (logins, authenticator) = (logins(&hash), Authenticator::new(BlockingThreads::default()));
    let check = |pair: &str| {
        let headers = basic(pair);
        let verdict = run(authenticator.authenticate(&logins, &headers, LOCAL, || ()));
        matches!(verdict, Authentication::Admitted(_))
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
    assert!(!passwords::is_usable(damaged));
    assert!(!admitted(damaged, &basic("user:nonsense")));
    assert!(passwords::is_usable("plain"));
}

fn user(name: &str) -> ClientUser {
    let (password, token, uid, gid, programs) = (None, None, None, None, None);
    ClientUser { name: name.to_owned(), password, token, uid, gid, role: UserRole::Operator, programs }
}

/// Who is let in with these headers, by name, and with which right.
fn identified(logins: &Logins, headers: &HeaderMap) -> Option<(Option<String>, Right)> {
    let authenticator = Authenticator::new(BlockingThreads::default());
    match run(authenticator.authenticate(logins, headers, LOCAL, || ())) {
        Authentication::Admitted(identity) => Some((identity.name.map(|name| name.to_string()), identity.right)),
        _ => None,
    }
}

#[test]
fn each_user_is_known_by_password_or_token() {
    let sha1 = |user: ClientUser| ClientUser {
        // Of "thepassword".
        password: Some("{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d".to_owned()),
        ..user
    };
    let token = |user: ClientUser| ClientUser { token: Some(passwords::hash_of_token(b"t0ken")), ..user };
    let admin = RequiredCredentials { username: "user".into(), password: "pw".into() };
    let logins = Logins::new(&server(Some(admin), vec![sha1(user("ann")), token(user("bot"))]));
    let as_user = |name: &str, right| Some((Some(name.to_owned()), right));
    assert_eq!(identified(&logins, &basic("user:pw")), as_user("user", Right::Administer));
    assert_eq!(identified(&logins, &basic("ann:thepassword")), as_user("ann", Right::Operate));
    assert_eq!(identified(&logins, &header("bearer t0ken")), as_user("bot", Right::Operate));
    for wrong in ["ann:pw", "user:thepassword", "bot:t0ken", "bot:", "nobody:pw", "nobody:thepassword"] {
        assert_eq!(identified(&logins, &basic(wrong)), None, "{wrong}");
    }
    for wrong in ["Bearer t0ke", "Bearer ", "Bearer pw", "Bearer ann:thepassword"] {
        assert_eq!(identified(&logins, &header(wrong)), None, "{wrong}");
    }
}

#[test]
fn the_other_end_of_a_unix_socket_is_known_by_its_ids() {
    let (by_uid, by_gid) =
        (ClientUser { uid: Some(70_001), ..user("ann") }, ClientUser { gid: Some(70_100), ..user("team") });
    let users = vec![by_gid, by_uid];
    let open = Logins::new(&server(None, users.clone()));
    let of = |logins: &Logins, uid, groups: &[u32]| {
        let groups = groups.to_vec();
        let found = logins.of_peer(ClientPeer::Unix { uid: Some(uid), pid: None }, move || groups);
        found.map(|identity| (identity.name.map(|name| name.to_string()), identity.right))
    };
    let named = |name: &str| Some((Some(name.to_owned()), Right::Operate));
    assert_eq!(of(&open, 70_001, &[70_100]), named("ann"), "a user counts more than a group");
    assert_eq!(of(&open, 70_002, &[5, 70_100]), named("team"));
    assert_eq!(of(&open, 70_002, &[5]), None);
    assert_eq!(of(&open, 0, &[]), Some((None, Right::Administer)));
    let admin = RequiredCredentials { username: "user".into(), password: "pw".into() };
    let closed = Logins::new(&server(Some(admin), users));
    assert_eq!(of(&closed, 0, &[]), None, "this server asks everybody for a password");
    assert_eq!(of(&closed, 70_001, &[]), named("ann"));
    assert_eq!(open.of_peer(ClientPeer::Inet(([127, 0, 0, 1], 1).into()), Vec::new), None);
}
