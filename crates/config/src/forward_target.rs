//! Log services that lines are forwarded to, as they are written: `udp://loghost:514`.

use std::fmt;

use crate::complaint::Complaint;
use crate::host_port::HostPort;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// A log service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardTarget {
    /// Syslog, a datagram for each message (RFC 5426).
    Udp(HostPort),
    /// Syslog over a connection (RFC 6587).
    Tcp(HostPort),
    /// Syslog over an encrypted connection (RFC 5425).
    Tls(HostPort),
    /// Syslog over a unix socket at this absolute path, which takes datagrams or connections.
    Unix(String),
    /// systemd's journal, by its own protocol; at this absolute path where it has not its usual one.
    Journal(Option<String>),
}

/// The words before `://`.
const SCHEMES: [&str; 5] = ["udp", "tcp", "tls", "unix", "journald"];

/// The port of syslog over UDP; that of servers for TCP in practice, too.
const PORT: u16 = 514;

/// The port of syslog over TLS.
const TLS_PORT: u16 = 6514;

impl ForwardTarget {
    /// Reads `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`, `unix:///PATH`, `journald` or `journald:///PATH`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<ForwardTarget, Complaint> {
        let complaint = |advice: Option<String>| {
            let advice = advice.or_else(|| {
                Some("write udp://HOST:514, tcp://HOST:514, tls://HOST:6514, unix:///PATH or journald".to_owned())
            });
            Complaint::quoting("not a log service: ", repr(text), "").advise(advice)
        };
        if text.eq_ignore_ascii_case("journald") {
            return Ok(ForwardTarget::Journal(None));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err(complaint(did_you_mean(text, SCHEMES))) };
        let scheme = scheme.to_ascii_lowercase();
        let host = |port| {
            HostPort::parse(rest, Some(port)).ok_or_else(|| complaint(HostPort::mistake(rest).map(str::to_owned)))
        };
        match scheme.as_str() {
            "udp" => host(PORT).map(ForwardTarget::Udp),
            "tcp" => host(PORT).map(ForwardTarget::Tcp),
            "tls" => host(TLS_PORT).map(ForwardTarget::Tls),
            "unix" if rest.starts_with('/') && rest.len() > 1 => Ok(ForwardTarget::Unix(rest.to_owned())),
            "journald" if rest.starts_with('/') && rest.len() > 1 => Ok(ForwardTarget::Journal(Some(rest.to_owned()))),
            "unix" | "journald" => Err(complaint(Some(format!("write an absolute path, {scheme}:///PATH")))),
            other => Err(complaint(did_you_mean(other, SCHEMES))),
        }
    }

    /// Reads a list of them, separated by commas.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn parse_list(text: &str) -> Result<Vec<ForwardTarget>, Complaint> {
        let mut targets = Vec::new();
        if strip(text).is_empty() {
            return Ok(targets);
        }
        for target in text.split(',') {
            let target = ForwardTarget::parse(strip(target))?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        Ok(targets)
    }
}

impl fmt::Display for ForwardTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardTarget::Udp(host) => write!(f, "udp://{host}"),
            ForwardTarget::Tcp(host) => write!(f, "tcp://{host}"),
            ForwardTarget::Tls(host) => write!(f, "tls://{host}"),
            ForwardTarget::Unix(path) => write!(f, "unix://{path}"),
            ForwardTarget::Journal(None) => f.write_str("journald"),
            ForwardTarget::Journal(Some(path)) => write!(f, "journald://{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url() {
        for (text, shown) in [
            ("udp://loghost", "udp://loghost:514"),
            ("UDP://10.0.0.1:5140", "udp://10.0.0.1:5140"),
            ("tcp://[::1]:601", "tcp://[::1]:601"),
            ("tcp://[fe80::1%eth0]", "tcp://[fe80::1%eth0]:514"),
            ("tls://logs.example.com", "tls://logs.example.com:6514"),
            ("unix:///dev/log", "unix:///dev/log"),
            ("Journald", "journald"),
            ("journald:///run/host/journal", "journald:///run/host/journal"),
        ] {
            let target = ForwardTarget::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(target.to_string(), shown);
            assert_eq!(ForwardTarget::parse(shown), Ok(target));
        }
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_write() {
        let general = "write udp://HOST:514, tcp://HOST:514, tls://HOST:6514, unix:///PATH or journald";
        for (text, advice) in [
            ("true", general),
            ("loghost:514", general),
            ("udp://", general),
            ("udp://:514", general),
            ("udp://host:0", "the port must be a number from 1 to 65535"),
            ("tcp://host:99999", "the port must be a number from 1 to 65535"),
            ("tcp://host:", "the port must be a number from 1 to 65535"),
            ("tcp://::1:514", "write an IPv6 address in brackets, as in [::1]:514"),
            ("tcp://::1", "write an IPv6 address in brackets, as in [::1]:514"),
            ("tcp://[host]:514", "only an IPv6 address stands in brackets"),
            ("tcp://[::1]514", "write a colon between the brackets and the port, as in [::1]:514"),
            ("udp://a b", general),
            ("http://host", general),
            ("upd://host", "did you mean udp?"),
            ("unix://dev/log", "write an absolute path, unix:///PATH"),
            ("journald://", "write an absolute path, journald:///PATH"),
            ("jounald", "did you mean journald?"),
        ] {
            assert_eq!(ForwardTarget::parse(text).expect_err(text).advice(), Some(advice), "{text}");
        }
    }

    #[test]
    fn a_list_names_each_once() {
        let list = ForwardTarget::parse_list("udp://a, tcp://b:1,udp://a:514").unwrap();
        assert_eq!(list.iter().map(ForwardTarget::to_string).collect::<Vec<_>>(), ["udp://a:514", "tcp://b:1"]);
        assert_eq!(ForwardTarget::parse_list(""), Ok(Vec::new()));
        assert!(ForwardTarget::parse_list("udp://a,").is_err());
    }
}
