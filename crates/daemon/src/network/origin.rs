//! Protection against cross-site request forgery: tells requests that a page of another site made a browser send from those
//! of the user.
//!
//! A browser adds the credentials that it has for a server to every request to it, whichever page causes the request. A
//! request that changes something must therefore come from a page of this server, or from a client that is not a browser.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::header::{CONTENT_TYPE, FORWARDED, HOST, HeaderMap, HeaderName, ORIGIN, REFERER, USER_AGENT};

/// Set by the browser; pages cannot set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The prefix of headers that only browsers send.
const FETCH_METADATA: &str = "sec-fetch-";

/// The host name that the client of a proxy asked for. Pages of other sites cannot set it, nor `Forwarded`.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The beginning of the user agent of every browser.
const BROWSER: &str = "Mozilla/";

/// The default ports, which an origin omits.
const DEFAULT_PORTS: [&str; 2] = [":80", ":443"];

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A client that is not a browser.
    Program,
    /// A browser that names no page, as for an address that the user typed.
    Silent,
    /// A page of this server, or an address that the user typed.
    Own,
    /// A page with another host name. It may be of this server, behind a proxy that changes the name.
    Unproven,
    /// A page of another site, according to the browser.
    Foreign,
    /// A page with a foreign name that resolves to this machine (DNS rebinding).
    Rebound,
}

/// A server that browsers must ask by a name that is its own: one that lists its names, or one on the loopback interface that asks
/// for no password, where only users of this machine are expected.
#[derive(Clone, Copy, Debug)]
pub struct KnownNames<'a> {
    /// The port that the client connected to: with another one it has asked a proxy, by a name of the proxy. None where
    /// every name must be known.
    pub port: Option<u16>,
    /// The names of the server besides `localhost` and addresses.
    pub names: &'a [&'a str],
}

/// Who sent a request with these headers. `known` describes the names of the server where they
/// matter.
pub fn sender(headers: &HeaderMap, known: Option<KnownNames<'_>>) -> Sender {
    if !is_browser(headers) {
        return Sender::Program;
    }
    if known.is_some_and(|place| is_rebound(headers, place)) {
        return Sender::Rebound;
    }
    match text(headers, &FETCH_SITE) {
        Some("same-origin" | "none") => return Sender::Own,
        Some(_) => return Sender::Foreign,
        None => (),
    }
    match text(headers, &ORIGIN).or_else(|| text(headers, &REFERER)) {
        // A header that cannot be read is suspicious.
        None if headers.contains_key(ORIGIN) || headers.contains_key(REFERER) => Sender::Unproven,
        None => Sender::Silent,
        Some(source) if is_ours(headers, source) => Sender::Own,
        Some(_) => Sender::Unproven,
    }
}

/// Whether a request that changes something may have been caused by a page of another site. `is_sent_unasked` tells whether the
/// browser sends such a request without asking the server first.
pub fn may_be_forged(sender: Sender, is_sent_unasked: bool) -> bool {
    match sender {
        Sender::Program | Sender::Silent | Sender::Own => false,
        // Behind a proxy that hides our name.
        Sender::Unproven => is_sent_unasked,
        Sender::Foreign | Sender::Rebound => true,
    }
}

/// Whether a browser sends this type of content to another site without a preflight request. No XML-RPC client in a browser
/// uses one of these types.
pub fn is_sent_unasked(headers: &HeaderMap) -> bool {
    let content = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let content = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"].contains(&content.as_str())
}

/// Whether any header identifies a browser.
pub fn is_browser(headers: &HeaderMap) -> bool {
    let is_named = || headers.get(USER_AGENT).is_some_and(|name| name.as_bytes().starts_with(BROWSER.as_bytes()));
    let tells = |name: &HeaderName| name.as_str().starts_with(FETCH_METADATA) || [ORIGIN, REFERER].contains(name);
    is_named() || headers.keys().any(tells)
}

/// Whether the host name that the browser used may belong to an attacker. A proxy would have another port.
fn is_rebound(headers: &HeaderMap, place: KnownNames<'_>) -> bool {
    let is_foreign = |host: &str| {
        let host = host.split('/').next().unwrap_or_default().trim();
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        place.port.is_none_or(|own| port == Some(own)) && !is_at_home(name, place.names)
    };
    headers.get_all(HOST).iter().any(|host| host.to_str().map_or(true, is_foreign))
}

/// Whether only this machine can give this name to itself.
fn is_at_home(name: &str, names: &[&str]) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    bare.parse::<Ipv4Addr>().is_ok()
        || bare.parse::<Ipv6Addr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(&name))
}

/// Whether the address is one of the loopback interface.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether the host of an origin is one that the client asked this server or a proxy before it for.
fn is_ours(headers: &HeaderMap, source: &str) -> bool {
    let host = plain(authority(source)).to_ascii_lowercase();
    if host.is_empty() {
        return false;
    }
    let is_same = |name: &str| plain(name).eq_ignore_ascii_case(&host);
    let all = |name: HeaderName| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    all(HOST).any(is_same)
        || all(FORWARDED_HOST).any(|list| list.split(',').any(is_same))
        || all(FORWARDED).any(|list| forwarded_hosts(list).any(|name| is_same(&name)))
}

/// Every `host=` of a `Forwarded` header (RFC 7239).
fn forwarded_hosts(list: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut is_quoted = false;
    let pairs = list.split(move |letter| {
        is_quoted ^= letter == '"';
        !is_quoted && matches!(letter, ',' | ';')
    });
    pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let quoted = || value.strip_prefix('"')?.strip_suffix('"');
        name.eq_ignore_ascii_case("host").then(|| quoted().map_or(value.into(), |text| text.replace('\\', "").into()))
    })
}

/// A host without what an origin does not have: a path, and a port that goes without saying.
fn plain(host: &str) -> &str {
    let host = host.split('/').next().unwrap_or_default().trim();
    DEFAULT_PORTS.iter().find_map(|port| host.strip_suffix(port)).unwrap_or(host)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The part of an address between the scheme and the path; nothing of `null`, which is what a page without an origin has.
fn authority(source: &str) -> &str {
    source.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        });
        headers
    }

    fn judged(pairs: &[(&'static str, &'static str)]) -> Sender {
        sender(&headers(pairs), None)
    }

    #[test]
    fn clients_without_browser_headers_are_recognized() {
        assert_eq!(judged(&[("host", "h:9001")]), Sender::Program);
        assert_eq!(judged(&[("host", "h"), ("user-agent", "curl/8.5.0 Mozilla/5.0")]), Sender::Program);
        assert_eq!(judged(&[("host", "h"), ("user-agent", "Mozilla/5.0 (X11)")]), Sender::Silent);
        for said in [("origin", "null"), ("referer", "/"), ("origin", "")] {
            assert_eq!(judged(&[("host", "h"), said]), Sender::Unproven);
        }
        assert_ne!(judged(&[("host", "h"), ("sec-fetch-mode", "navigate")]), Sender::Program);
    }

    #[test]
    fn the_origin_must_be_the_host_that_was_asked() {
        let from = |origin| judged(&[("host", "h:9001"), ("origin", origin)]);
        assert_eq!(from("http://h:9001"), Sender::Own);
        assert_eq!(from("https://H:9001"), Sender::Own);
        for origin in ["http://h", "http://h:9002", "http://evil/h:9001", "null", "http://h:9001.evil", "h:9001"] {
            assert_eq!(from(origin), Sender::Unproven, "{origin}");
        }
        assert_eq!(judged(&[("host", "null"), ("origin", "null")]), Sender::Unproven);
    }

    #[test]
    fn the_referer_stands_in_for_a_missing_origin() {
        assert_eq!(judged(&[("host", "h"), ("referer", "http://h/index.html?x=http://e/")]), Sender::Own);
        assert_eq!(judged(&[("host", "h"), ("referer", "http://e/http://h/")]), Sender::Unproven);
    }

    #[test]
    fn the_judgement_of_the_browser_comes_first() {
        let by = |site| judged(&[("host", "h"), ("origin", "https://proxy"), ("sec-fetch-site", site)]);
        assert_eq!(by("same-origin"), Sender::Own);
        assert_eq!(by("none"), Sender::Own);
        assert_eq!(by("cross-site"), Sender::Foreign);
        assert_eq!(by("same-site"), Sender::Foreign);
    }

    #[test]
    fn host_names_that_a_proxy_forwards_are_accepted() {
        let inner = ("host", "localhost:9001");
        for (name, value) in [
            ("x-forwarded-host", "outer"),
            ("x-forwarded-host", "a, outer:443 ,b"),
            ("forwarded", "for=192.0.2.1;host=outer;proto=https"),
            ("forwarded", "for=\"[2001:db8::1]:4711, x\", HOST=\"outer:80\";by=_p"),
        ] {
            assert_eq!(judged(&[inner, (name, value), ("origin", "https://outer")]), Sender::Own, "{value}");
            assert_eq!(judged(&[inner, (name, value), ("origin", "https://evil")]), Sender::Unproven, "{value}");
        }
        let twice = [inner, ("x-forwarded-host", "a"), ("x-forwarded-host", "outer"), ("origin", "http://outer")];
        assert_eq!(judged(&twice), Sender::Own);
        let quoted = [inner, ("forwarded", "for=\"x;host=evil\""), ("origin", "http://evil")];
        assert_eq!(judged(&quoted), Sender::Unproven);
        for nothing in [("x-forwarded-host", ","), ("forwarded", "host=;host=\"\""), ("host", "")] {
            assert_eq!(judged(&[nothing, ("origin", "http://")]), Sender::Unproven);
        }
    }

    #[test]
    fn default_ports_and_paths_make_no_difference() {
        for host in ["outer", "outer:80", "outer:443", "OUTER/supervisor/", "outer:80/x"] {
            let same = headers(&[("origin", "https://outer")]);
            let mut same = same;
            same.insert(HOST, HeaderValue::from_str(host).expect("a header"));
            assert_eq!(sender(&same, None), Sender::Own, "{host}");
        }
    }

    #[test]
    fn a_foreign_name_with_our_own_port_is_no_proxy() {
        let place = KnownNames { port: Some(9001), names: &["box.example"] };
        let at =
            |host: &'static str| sender(&headers(&[("host", host), ("sec-fetch-site", "same-origin")]), Some(place));
        for host in ["evil.example:9001", "evil.example:9001/", "evil:9001", "localhost.evil.example:9001", "a:9001"] {
            assert_eq!(at(host), Sender::Rebound, "{host}");
        }
        for host in [
            "localhost:9001",
            "LOCALHOST.:9001",
            "a.localhost:9001",
            "127.0.0.1:9001",
            "[::1]:9001",
            "Box.Example:9001",
            "supervisor.example.com",
            "supervisor.example.com:8080",
            "[::1]",
        ] {
            assert_eq!(at(host), Sender::Own, "{host}");
        }
        let port_80 = KnownNames { port: Some(80), ..place };
        let usual = headers(&[("host", "evil.example"), ("user-agent", "Mozilla/5.0")]);
        assert_eq!(sender(&usual, Some(port_80)), Sender::Rebound);
        assert_eq!(sender(&headers(&[("host", "evil.example:9001")]), Some(place)), Sender::Program);
    }

    #[test]
    fn a_server_with_a_list_of_names_has_no_others() {
        let place = KnownNames { port: None, names: &["box.example"] };
        let at =
            |host: &'static str| sender(&headers(&[("host", host), ("sec-fetch-site", "same-origin")]), Some(place));
        for host in ["evil.example:9001", "evil.example", "proxy.example:8080", "xbox.example"] {
            assert_eq!(at(host), Sender::Rebound, "{host}");
        }
        for host in ["box.example", "Box.Example.:9001", "localhost:1", "192.0.2.1", "[::1]:9001"] {
            assert_eq!(at(host), Sender::Own, "{host}");
        }
    }

    #[test]
    fn browsers_send_only_these_types_unasked() {
        let call = |content| is_sent_unasked(&headers(&[("content-type", content)]));
        assert!(!call("text/xml"));
        assert!(!call("application/xml"));
        assert!(call("Text/Plain; charset=utf-8"));
        assert!(is_sent_unasked(&headers(&[])));
    }
}
