//! `[user:x]`.

use super::{read, try_read};
use crate::client_user::UserRole;

const TOKEN: &str = "token={SHA256}ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

fn refusal(text: &str) -> String {
    try_read(&format!("[supervisord]\n{text}")).unwrap_err().to_string()
}

#[test]
fn every_server_knows_every_user() {
    let config = read(&format!(
        "[inet_http_server]\nport=1\n[unix_http_server]\nfile=/s\n[user:ann]\n{TOKEN}uid=70001\ngid=0\nrole=operator\n\
         programs=web:*, db\n[user:bob]\nuid=root\n"
    ));
    for server in &config.servers {
        let [ann, bob] = server.users.as_slice() else { panic!("{:?}", server.users) };
        assert_eq!((ann.name.as_str(), ann.role, ann.uid, ann.gid), ("ann", UserRole::Operator, Some(70001), Some(0)));
        assert_eq!(ann.token.as_deref(), TOKEN.trim_end().split_once('}').map(|(_, digits)| digits));
        assert_eq!(ann.programs.as_ref().map(|patterns| patterns.to_string()).as_deref(), Some("web:*, db"));
        assert_eq!((bob.role, bob.uid, bob.programs.is_none()), (UserRole::Viewer, Some(0), true));
    }
}

#[test]
fn a_user_who_cannot_log_in_or_is_two_is_refused() {
    for (text, expected) in [
        (
            "[user:a]\nrole=admin\n",
            "section [user:a] does not say how the user logs in (c.conf:2, [user:a]: write password, token, uid or gid)",
        ),
        ("[user:]\nuid=1\n", "write [user:NAME], without a colon in NAME"),
        ("[user:a:b]\nuid=1\n", "section [user:a:b] has no user name"),
        ("[user:a]\nuid=1\n[user:b]\nuid=1\n", "section [user:b] has the uid of [user:a] (c.conf:5, [user:b] uid=1"),
        ("[user:a]\nuid=1\nrole=admin\nprograms=web\n", "write role=operator, or leave programs out"),
        ("[user:a]\nuid=1\nrole=operater\n", "did you mean operator?"),
        ("[user:a]\npassword=hunter2\n", "[user:a] password=***: expected {ARGON2ID}, {BCRYPT} or {SHA} and a hash"),
        (
            "[user:a]\nuid=1\n[inet_http_server]\nport=1\nusername=a\npassword=p\n",
            "section [user:a] has the name of the user of [inet_http_server]",
        ),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let message = refusal(&format!("[user:a]\n{TOKEN}[user:b]\n{TOKEN}"));
    assert!(message.contains("[user:b] token=***"), "{message}");
}
