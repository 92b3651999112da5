//! Probes as they are written: `http://HOST:PORT/PATH`, `tcp:HOST:PORT`, `unix:PATH`, `file:PATH` and `exec:COMMAND`.
//!
//! A probe is one question about a program, which succeeds or fails. [`Display`](fmt::Display) gives the usual spelling, which
//! is read back as the same probe.

use std::fmt;

use crate::complaint::Complaint;
use crate::host_port::HostPort;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;
use crate::words;

/// The kinds of probes, as they are written before the colon.
const KINDS: [&str; 5] = ["http", "tcp", "unix", "file", "exec"];

/// The port of a URL without one.
const HTTP_PORT: u16 = 80;

/// The longest path of a unix socket that every system takes.
const MOST_SOCKET_PATH: usize = 103;

/// One question about a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// A GET request is answered with a status from 200 to 399.
    Http(HttpProbe),
    /// A TCP port accepts connections.
    Tcp(HostPort),
    /// A unix socket accepts connections; its absolute path.
    Unix(String),
    /// A file exists; its absolute path.
    File(String),
    /// A command exits with status 0; the command line.
    Exec(String),
}

/// A GET request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpProbe {
    /// Where it is sent.
    pub server: HttpTarget,
    /// The path with the query, as it is sent.
    pub path: String,
}

/// Where a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HttpTarget {
    /// To a TCP port.
    Tcp(HostPort),
    /// To a unix socket; its absolute path.
    Unix(String),
}

impl Probe {
    /// The probe of a text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Probe, Complaint> {
        let text = strip(text);
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind.to_ascii_lowercase().as_str() {
            "http" => http(text, rest).map(Probe::Http),
            "https" => Err(invalid(text).followed_by(": TLS is not supported").advise(
                "write http://, or a command such as exec:curl -fsS -o /dev/null and the https:// address".to_owned(),
            )),
            "tcp" => {
                let example = "write tcp:HOST:PORT, for example tcp:127.0.0.1:5432";
                HostPort::parse(rest.strip_prefix("//").unwrap_or(rest), None)
                    .map(Probe::Tcp)
                    .ok_or_else(|| invalid(text).advise(example.to_owned()))
            }
            "unix" => socket_path(text, rest).map(Probe::Unix),
            "file" => absolute(text, rest).map(Probe::File),
            "exec" => command(text, rest).map(Probe::Exec),
            other => Err(invalid(text).advise(advice_for(text, other))),
        }
    }
}

fn invalid(text: &str) -> Complaint {
    Complaint::quoting("not a valid probe: ", repr(text), "")
}

/// What was probably meant by a text of no known kind.
fn advice_for(text: &str, kind: &str) -> String {
    if text.starts_with('/') {
        return "write exec:COMMAND to run a command, unix:PATH for a socket, file:PATH for a file".to_owned();
    }
    if text.parse::<u16>().is_ok() {
        return format!("write tcp:127.0.0.1:{text}");
    }
    match did_you_mean(kind, KINDS) {
        Some(meant) => meant,
        None => "write http://HOST:PORT/PATH, tcp:HOST:PORT, unix:PATH, file:PATH or exec:COMMAND".to_owned(),
    }
}

fn http(text: &str, rest: &str) -> Result<HttpProbe, Complaint> {
    let example = || invalid(text).advise("write http://HOST:PORT/PATH, or http://unix:SOCKET:/PATH".to_owned());
    let rest = rest.strip_prefix("//").ok_or_else(example)?;
    // Everything goes into the request as it is.
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains('#') {
        let advice = "blanks, # and characters beyond ASCII stand in a URL as %XX, for which %%XX is written here";
        return Err(invalid(text).advise(advice.to_owned()));
    }
    if let Some(rest) = rest.strip_prefix("unix:") {
        let (socket, path) = rest.split_once(":/").map_or((rest, ""), |(socket, path)| (socket, path));
        let server = HttpTarget::Unix(socket_path(text, socket)?);
        return Ok(HttpProbe { server, path: format!("/{path}") });
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        let complaint = Complaint::quoting("not a valid probe: ", "a URL with a user name or password", "");
        let advice = "write the address of a page that needs no login, or exec: and a command that logs in";
        return Err(complaint.advise(advice.to_owned()));
    }
    let server = HttpTarget::Tcp(HostPort::parse(authority, Some(HTTP_PORT)).ok_or_else(example)?);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(HttpProbe { server, path })
}

fn socket_path(text: &str, path: &str) -> Result<String, Complaint> {
    let path = absolute(text, path)?;
    if path.len() > MOST_SOCKET_PATH {
        let bound = format!(": the path of a socket has at most {MOST_SOCKET_PATH} bytes");
        return Err(invalid(text).followed_by(&bound));
    }
    Ok(path)
}

/// An absolute path, before which `//` may stand as in a URL.
fn absolute(text: &str, path: &str) -> Result<String, Complaint> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.starts_with('/') && !path.contains('\0') {
        return Ok(path.to_owned());
    }
    Err(invalid(text).advise("write an absolute path; %(here)s is the directory of the file".to_owned()))
}

fn command(text: &str, command: &str) -> Result<String, Complaint> {
    let command = strip(command);
    match words::split(command) {
        Ok(words) if !words.is_empty() => Ok(command.to_owned()),
        Ok(_) => Err(invalid(text).advise("write the command after exec:".to_owned())),
        Err(error) => Err(invalid(text).followed_by(&format!(": {error}"))),
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Http(probe) => probe.fmt(f),
            Probe::Tcp(address) => write!(f, "tcp:{address}"),
            Probe::Unix(path) => write!(f, "unix:{path}"),
            Probe::File(path) => write!(f, "file:{path}"),
            Probe::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

impl fmt::Display for HttpProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            HttpTarget::Tcp(address) => write!(f, "http://{address}{}", self.path),
            HttpTarget::Unix(socket) => write!(f, "http://unix:{socket}:{}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    fn get(server: HttpTarget, path: &str) -> Probe {
        Probe::Http(HttpProbe { server, path: path.to_owned() })
    }

    #[test]
    fn each_kind_is_read_and_shown() {
        let tcp = |host, port| HttpTarget::Tcp(address(host, port));
        for (text, probe, shown) in [
            (
                "http://Localhost:8080/health?x=1",
                get(tcp("localhost", 8080), "/health?x=1"),
                "http://localhost:8080/health?x=1",
            ),
            ("HTTP://db", get(tcp("db", 80), "/"), "http://db:80/"),
            ("http://[::1]?x", get(tcp("::1", 80), "/?x"), "http://[::1]:80/?x"),
            (
                "http://unix:/run/a.sock:/up",
                get(HttpTarget::Unix("/run/a.sock".to_owned()), "/up"),
                "http://unix:/run/a.sock:/up",
            ),
            (
                "http://unix:/run/a.sock",
                get(HttpTarget::Unix("/run/a.sock".to_owned()), "/"),
                "http://unix:/run/a.sock:/",
            ),
            (" tcp:127.0.0.1:5432 ", Probe::Tcp(address("127.0.0.1", 5432)), "tcp:127.0.0.1:5432"),
            ("tcp://[::1]:5432", Probe::Tcp(address("::1", 5432)), "tcp:[::1]:5432"),
            ("unix:///run/a b.sock", Probe::Unix("/run/a b.sock".to_owned()), "unix:/run/a b.sock"),
            ("file:/run/ready", Probe::File("/run/ready".to_owned()), "file:/run/ready"),
            (
                "exec: redis-cli -p 6379 ping",
                Probe::Exec("redis-cli -p 6379 ping".to_owned()),
                "exec:redis-cli -p 6379 ping",
            ),
        ] {
            let read = Probe::parse(text).unwrap();
            assert_eq!(read, probe, "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(Probe::parse(shown).unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_probe_is_refused_with_what_to_write() {
        let absolute = "write an absolute path; %(here)s is the directory of the file";
        let url = "write http://HOST:PORT/PATH, or http://unix:SOCKET:/PATH";
        let tcp = "write tcp:HOST:PORT, for example tcp:127.0.0.1:5432";
        for (text, advice) in [
            ("8080", "write tcp:127.0.0.1:8080"),
            ("/bin/check", "write exec:COMMAND to run a command, unix:PATH for a socket, file:PATH for a file"),
            ("htp://x/", "did you mean http?"),
            ("", "write http://HOST:PORT/PATH, tcp:HOST:PORT, unix:PATH, file:PATH or exec:COMMAND"),
            ("localhost:80", "write http://HOST:PORT/PATH, tcp:HOST:PORT, unix:PATH, file:PATH or exec:COMMAND"),
            ("http:localhost", url),
            ("http://", url),
            ("http://a:b/", url),
            ("http://a:0/", url),
            ("http://::1/", url),
            (
                "http://a b/",
                "blanks, # and characters beyond ASCII stand in a URL as %XX, for which %%XX is written here",
            ),
            ("tcp:80", tcp),
            ("tcp:a:70000", tcp),
            ("tcp:[x]:1", tcp),
            ("tcp::1", tcp),
            ("unix:run/a", absolute),
            ("file://ready", absolute),
            ("exec: ", "write the command after exec:"),
        ] {
            let complaint = Probe::parse(text).unwrap_err();
            assert_eq!(complaint.to_string(), format!("not a valid probe: '{text}'").replace("exec: '", "exec:'"));
            assert_eq!(complaint.advice(), Some(advice), "{text}");
        }
    }

    #[test]
    fn the_reason_is_told_where_the_form_is_right() {
        let why = |text: &str| Probe::parse(text).unwrap_err().to_string();
        assert_eq!(why("https://x/"), "not a valid probe: 'https://x/': TLS is not supported");
        assert!(why("exec:sh -c 'x").starts_with("not a valid probe: \"exec:sh -c 'x\": "));
        assert!(why(&format!("unix:/{}", "x".repeat(103))).ends_with(": the path of a socket has at most 103 bytes"));
    }

    #[test]
    fn a_password_is_not_repeated() {
        let complaint = Probe::parse("http://me:secret@host/").unwrap_err();
        assert_eq!(complaint.to_string(), "not a valid probe: a URL with a user name or password");
    }
}
