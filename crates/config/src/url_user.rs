//! User names and passwords in URLs, which nobody is shown.

use std::borrow::Cow;

/// What stands for a user.
const HIDDEN: &str = "***";

/// What ends the part of a URL in which a user can be. An apostrophe may stand in a password.
const ENDS: [char; 7] = ['/', '?', '#', ' ', '\t', '\n', '"'];

/// A text without the user names and passwords of the URLs in it: `http://***@host/`.
pub fn hidden(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return text.into();
    }
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find("://").map(|colon| colon + "://".len()) {
        let (before, behind) = rest.split_at(begin);
        let authority = behind.split(ENDS).next().unwrap_or_default();
        shown.push_str(before);
        rest = match authority.rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                &behind[at..]
            }
            None => behind,
        };
    }
    shown.push_str(rest);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_are_hidden() {
        for (text, shown) in [
            ("http://u:p@127.0.0.1:1/", "http://***@127.0.0.1:1/"),
            ("tcp://u:p@h:1, udp://h:2,tls://u@h:3", "tcp://***@h:1, udp://h:2,tls://***@h:3"),
            ("'http://u:p@ss@h'", "'http://***@h'"),
            ("http://u:it's@h/", "http://***@h/"),
            ("sh -c 'curl http://u:it'\\''s@h/'", "sh -c 'curl http://***@h/'"),
            ("'http://h' 'a@b'", "'http://h' 'a@b'"),
            ("http://h/~a@b?c@d", "http://h/~a@b?c@d"),
            ("unix:///run/a@b.sock", "unix:///run/a@b.sock"),
            ("mail a@b", "mail a@b"),
            ("", ""),
        ] {
            assert_eq!(hidden(text), shown);
        }
    }
}
