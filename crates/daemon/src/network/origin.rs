//! Telling requests that a page of another site made a browser send from those that were meant.
//!
//! Browsers add the credentials they know for a server to every request to it, whoever causes it. What changes
//! something must therefore come from a page of this server, or from a client that is no browser.

use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN, REFERER};

/// The browser's own judgement; pages cannot set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The name under which a proxy was asked. Pages of other sites cannot set this one either.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether a browser sent this on behalf of a page from elsewhere.
pub fn is_foreign(headers: &HeaderMap) -> bool {
    match text(headers, &FETCH_SITE) {
        Some("same-origin" | "none") => return false,
        Some(_) => return true,
        None => (),
    }
    match text(headers, &ORIGIN).or_else(|| text(headers, &REFERER)) {
        // Browsers name at least one of them when they send a form. One that cannot be read is no good sign.
        None => headers.contains_key(ORIGIN) || headers.contains_key(REFERER),
        Some(source) => !hosts(headers).any(|host| authority(source).eq_ignore_ascii_case(host)),
    }
}

/// Whether this call may have been sent by a page from elsewhere without the browser asking us first. That is so for
/// three types of content only, and no XML-RPC client uses one of them from a browser.
pub fn may_be_forged_call(headers: &HeaderMap) -> bool {
    let content = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let content = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let unasked = ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
    unasked.contains(&content.as_str()) && is_foreign(headers)
}

fn hosts(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    [HOST, FORWARDED_HOST].into_iter().filter_map(|name| headers.get(name)?.to_str().ok())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The part of an address between the scheme and the path; all of `null`, which is what a page without an origin has.
fn authority(source: &str) -> &str {
    let rest = source.split_once("://").map_or(source, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn clients_that_are_no_browsers_are_let_through() {
        assert!(!is_foreign(&headers(&[("host", "h:9001")])));
    }

    #[test]
    fn the_origin_must_be_the_host_that_was_asked() {
        let from = |origin| is_foreign(&headers(&[("host", "h:9001"), ("origin", origin)]));
        assert!(!from("http://h:9001"));
        assert!(!from("https://H:9001"));
        for origin in ["http://h", "http://h:9002", "http://evil/h:9001", "null", "http://h:9001.evil"] {
            assert!(from(origin), "{origin}");
        }
    }

    #[test]
    fn the_referer_stands_in_for_a_missing_origin() {
        assert!(!is_foreign(&headers(&[("host", "h"), ("referer", "http://h/index.html?x=http://e/")])));
        assert!(is_foreign(&headers(&[("host", "h"), ("referer", "http://e/http://h/")])));
    }

    #[test]
    fn the_judgement_of_the_browser_comes_first() {
        let judged =
            |site| is_foreign(&headers(&[("host", "h"), ("origin", "https://proxy"), ("sec-fetch-site", site)]));
        assert!(!judged("same-origin"));
        assert!(!judged("none"));
        assert!(judged("cross-site"));
        assert!(judged("same-site"));
    }

    #[test]
    fn a_proxy_may_say_under_which_name_it_was_asked() {
        let all = [("host", "localhost:9001"), ("x-forwarded-host", "proxy"), ("origin", "https://proxy")];
        assert!(!is_foreign(&headers(&all)));
    }

    #[test]
    fn calls_are_suspect_only_in_content_that_browsers_send_unasked() {
        let call =
            |content| may_be_forged_call(&headers(&[("host", "h"), ("origin", "http://e"), ("content-type", content)]));
        assert!(!call("text/xml"));
        assert!(call("Text/Plain; charset=utf-8"));
        assert!(!may_be_forged_call(&headers(&[("host", "h"), ("content-type", "text/plain")])));
    }
}
