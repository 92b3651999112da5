//! A host and a port, as URLs have them: `loghost:514`, `[::1]:514`.

use std::fmt;
use std::net::Ipv6Addr;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address, in lower case; an IPv6 address without brackets, perhaps with a zone (`fe80::1%eth0`).
    pub host: String,
    /// From 1.
    pub port: u16,
}

impl HostPort {
    /// Reads a host and a port; without a port it is the `usual` one. None where it is neither.
    pub fn parse(text: &str, usual: Option<u16>) -> Option<HostPort> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let is_name = |text: &str| {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
            !text.is_empty() && text.chars().all(is_part)
        };
        let is_host = if text.starts_with('[') {
            let (address, zone) = host.split_once('%').map_or((host, None), |(address, zone)| (address, Some(zone)));
            address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_name)
        } else {
            is_name(host)
        };
        let port = match port {
            Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??,
            None => usual?,
        };
        (is_host && port > 0).then(|| HostPort { host: host.to_ascii_lowercase(), port })
    }

    /// What is wrong with a text that is no host and port, and what to write, where that is more than that it is none.
    pub fn mistake(text: &str) -> Option<&'static str> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None if text.matches(':').count() > 1 && text.parse::<Ipv6Addr>().is_ok() => {
                return Some(NO_BRACKETS);
            }
            None => match text.rsplit_once(':') {
                Some((host, _)) if host.parse::<Ipv6Addr>().is_ok() => return Some(NO_BRACKETS),
                Some((host, _)) => (host, &text[host.len()..]),
                None => return None,
            },
        };
        if text.starts_with('[') && host.split('%').next().is_none_or(|address| address.parse::<Ipv6Addr>().is_err()) {
            return Some("only an IPv6 address stands in brackets");
        }
        match rest.strip_prefix(':') {
            None if !rest.is_empty() => Some("write a colon between the brackets and the port, as in [::1]:514"),
            Some(port) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => None,
            Some(_) if !host.is_empty() => Some("the port must be a number from 1 to 65535"),
            _ => None,
        }
    }
}

const NO_BRACKETS: &str = "write an IPv6 address in brackets, as in [::1]:514";

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_a_port_a_number() {
        for (text, usual, shown) in [
            ("LogHost:514", None, Some("loghost:514")),
            ("a_b.c-d", Some(7), Some("a_b.c-d:7")),
            ("[::1]:80", None, Some("[::1]:80")),
            ("[fe80::1%eth0]", Some(514), Some("[fe80::1%eth0]:514")),
            ("host", None, None),
            ("", Some(1), None),
            (":1", None, None),
            ("host:0", None, None),
            ("host:65536", None, None),
            ("host:+1", None, None),
            ("::1:80", None, None),
            ("[host]:80", None, None),
            ("[::1%]:80", None, None),
            ("[::1]80", None, None),
            ("a b:80", None, None),
        ] {
            let found = HostPort::parse(text, usual).map(|found| found.to_string());
            assert_eq!(found.as_deref(), shown, "{text}");
        }
    }
}
