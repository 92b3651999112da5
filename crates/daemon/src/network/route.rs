//! Which path is answered by what. One table, first match wins.

use std::borrow::Cow;

use hyper::Method;

/// What can be asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageRoute {
    /// XML-RPC.
    Rpc,
    /// The log of a process, followed.
    ProcessLog,
    /// The activity log, followed.
    MainLog,
    /// The status page and the actions on it.
    StatusPage,
    /// The end of the log of a process as a page.
    TailPage,
    /// A word that says the daemon answers.
    Health,
    /// What there is to measure.
    Metrics,
    /// A file that comes with the daemon, or nothing.
    Asset,
}

impl PageRoute {
    /// Whether it says or does anything that is not the same for everybody.
    pub fn tells_something(self) -> bool {
        !matches!(self, PageRoute::Health | PageRoute::Asset)
    }

    /// Whether the body of a request for it counts.
    pub fn reads_body(self) -> bool {
        matches!(self, PageRoute::Rpc | PageRoute::StatusPage | PageRoute::TailPage)
    }
}

struct Rule {
    matches: fn(&str) -> bool,
    methods: &'static [Method],
    endpoint: PageRoute,
}

const READ: &[Method] = &[Method::GET, Method::HEAD];
const PAGE: &[Method] = &[Method::GET, Method::HEAD, Method::POST];

/// The first three test only the beginning, as the original does, so that `/RPC2/` and the like go on working.
const RULES: &[Rule] = &[
    Rule { matches: |path| path.starts_with("/RPC2"), methods: &[Method::POST], endpoint: PageRoute::Rpc },
    Rule { matches: |path| path.starts_with("/logtail"), methods: &[Method::GET], endpoint: PageRoute::ProcessLog },
    Rule { matches: |path| path.starts_with("/mainlogtail"), methods: &[Method::GET], endpoint: PageRoute::MainLog },
    Rule { matches: |path| matches!(page(path), "" | "index.html"), methods: PAGE, endpoint: PageRoute::StatusPage },
    Rule { matches: |path| page(path) == "tail.html", methods: PAGE, endpoint: PageRoute::TailPage },
    Rule { matches: |path| page(path) == "ok.html", methods: PAGE, endpoint: PageRoute::Health },
    Rule { matches: |path| path == "/metrics", methods: READ, endpoint: PageRoute::Metrics },
    Rule { matches: |_| true, methods: READ, endpoint: PageRoute::Asset },
];

fn page(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// Who answers this decoded path; none when the method does not fit, which is refused as a bad request.
pub fn find(method: &Method, path: &str) -> Option<PageRoute> {
    let rule = RULES.iter().find(|rule| (rule.matches)(path))?;
    rule.methods.contains(method).then_some(rule.endpoint)
}

/// All endpoints.
#[cfg(test)]
pub fn endpoints() -> impl Iterator<Item = PageRoute> {
    RULES.iter().map(|rule| rule.endpoint)
}

/// Decodes `%xx`. What is not UTF-8 then becomes replacement characters, and a `%` without two digits stays.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| (*byte as char).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Encodes everything but letters, digits, `_`, `.`, `-`, `~` and `/`, as the original's links do.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' | b'/' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_decides() {
        let get = |path| find(&Method::GET, path);
        assert_eq!(get("/"), Some(PageRoute::StatusPage));
        assert_eq!(get("//index.html"), Some(PageRoute::StatusPage));
        assert_eq!(get("/tail.html"), Some(PageRoute::TailPage));
        assert_eq!(get("/ok.html"), Some(PageRoute::Health));
        assert_eq!(get("/logtailx/a"), Some(PageRoute::ProcessLog));
        assert_eq!(get("/mainlogtail"), Some(PageRoute::MainLog));
        assert_eq!(get("/images/icon.png"), Some(PageRoute::Asset));
        assert_eq!(find(&Method::POST, "/RPC2foo"), Some(PageRoute::Rpc));
        assert_eq!(find(&Method::POST, "//RPC2"), None);
    }

    #[test]
    fn a_method_that_does_not_fit_is_refused() {
        for (method, path) in [
            (Method::GET, "/RPC2"),
            (Method::HEAD, "/RPC2"),
            (Method::POST, "/logtail/a"),
            (Method::POST, "/mainlogtail"),
            (Method::PUT, "/"),
            (Method::DELETE, "/images/icon.png"),
        ] {
            assert_eq!(find(&method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn percent_signs_are_decoded_where_two_digits_follow() {
        assert_eq!(decode("/a%3Ab%2a"), "/a:b*");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ff"), "\u{fffd}");
        assert_eq!(decode("%C3%A4"), "ä");
    }

    #[test]
    fn encoding_leaves_the_slash_and_comes_back() {
        assert_eq!(encode("a b:c/d'"), "a%20b%3Ac/d%27");
        assert_eq!(decode(&encode("ä%:?&=")), "ä%:?&=");
    }
}
