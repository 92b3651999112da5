//! Server URLs: `http://host[:port]`, `https://host[:port]` and `unix:///path`.

const HTTPS: &str = "https://";

/// The address of a daemon, as a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    endpoint: Endpoint,
}

/// The endpoint of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port.
    Inet {
        /// Host name or address, without brackets.
        host: String,
        /// Port; 80 if the URL has none, and 443 with TLS.
        port: u16,
    },
    /// A unix socket, with the path exactly as in the URL.
    Unix {
        /// The path; a relative one is resolved against the current directory.
        path: String,
    },
}

/// Why a URL is invalid. The texts are those of the original (`supervisor/xmlrpc.py`) and of Python's `urllib.parse`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// None of `http://`, `https://` and `unix://`, in lower case.
    #[error("Unknown protocol for serverurl {0}")]
    Protocol(String),
    /// The port is not a number.
    #[error("Port could not be cast to integer value as '{0}'")]
    Port(String),
    /// The port is out of range.
    #[error("Port out of range 0-65535")]
    PortRange,
}

impl ServerUrl {
    /// Reads a URL. User information, path, query and fragment of an `http` URL are ignored.
    pub fn parse(text: &str) -> Result<ServerUrl, UrlError> {
        let endpoint = if let Some(path) = text.strip_prefix("unix://") {
            Endpoint::Unix { path: path.to_owned() }
        } else if let Some(rest) = text.strip_prefix("http://") {
            inet(rest, 80)?
        } else if let Some(rest) = text.strip_prefix(HTTPS) {
            inet(rest, 443)?
        } else {
            return Err(UrlError::Protocol(text.to_owned()));
        };
        Ok(ServerUrl { text: text.to_owned(), endpoint })
    }

    /// The URL as it was given, for messages.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the server speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.text.starts_with(HTTPS)
    }

    /// The endpoint to connect to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The value of the `Host` header.
    pub(super) fn host_header(&self) -> String {
        match &self.endpoint {
            Endpoint::Unix { .. } => "localhost".to_owned(),
            Endpoint::Inet { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Inet { host, port } => format!("{host}:{port}"),
        }
    }
}

impl std::fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn inet(rest: &str, default_port: u16) -> Result<Endpoint, UrlError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let (host, port) = match address.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    Ok(Endpoint::Inet { host: host.to_lowercase(), port: self::port(port.unwrap_or_default(), default_port)? })
}

fn port(text: &str, default: u16) -> Result<u16, UrlError> {
    if text.is_empty() {
        return Ok(default);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UrlError::Port(text.to_owned()));
    }
    text.parse().map_err(|_| UrlError::PortRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(text: &str) -> (String, u16) {
        match ServerUrl::parse(text).unwrap().endpoint {
            Endpoint::Inet { host, port } => (host, port),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_port_defaults_to_80_and_the_rest_is_ignored() {
        assert_eq!(inet("http://Example"), ("example".into(), 80));
        assert_eq!(inet("http://h:9001/x?y#z"), ("h".into(), 9001));
        assert_eq!(inet("http://u:p@h:9001"), ("h".into(), 9001));
        assert_eq!(inet("http://h:"), ("h".into(), 80));
        assert_eq!(inet("https://h"), ("h".into(), 443));
        assert!(
            ServerUrl::parse("https://h").unwrap().is_secure() && !ServerUrl::parse("http://h").unwrap().is_secure()
        );
        assert_eq!(inet("http://[::1]:9001/"), ("::1".into(), 9001));
    }

    #[test]
    fn unix_paths_are_kept_unchanged() {
        let url = ServerUrl::parse("unix:///run/s.sock?x").unwrap();
        assert_eq!(url.endpoint(), &Endpoint::Unix { path: "/run/s.sock?x".into() });
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in ["", "HTTPS://h", "HTTP://h", "unix:/p", "ftp://h", "h:9001"] {
            assert_eq!(ServerUrl::parse(text), Err(UrlError::Protocol(text.to_owned())));
        }
    }

    #[test]
    fn bad_ports_are_refused() {
        assert_eq!(ServerUrl::parse("http://h:y"), Err(UrlError::Port("y".into())));
        assert_eq!(ServerUrl::parse("http://h:65536"), Err(UrlError::PortRange));
    }

    #[test]
    fn the_host_header_has_brackets() {
        assert_eq!(ServerUrl::parse("http://[::1]:9001").unwrap().host_header(), "[::1]:9001");
        assert_eq!(ServerUrl::parse("unix:///s").unwrap().host_header(), "localhost");
    }
}
