//! The system log.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::clock::{LocalTime, local_time, wall};
use crate::fd::poll_writable;

/// Facility USER, severity INFO: what the original gives every message.
const PRIORITY: u8 = (1 << 3) | 6;

/// Where system log daemons listen; the first that exists is used.
const PATHS: [&str; 2] = ["/dev/log", crate::system::SYSLOG_SOCKET];

/// How long a log daemon that is behind is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

/// A connection to the system log.
///
/// Unlike the function of the C library it cannot be held up for ever: a log daemon that takes nothing is waited for a
/// fifth of a second once, and after that messages are lost without waiting until it takes one again.
#[derive(Debug)]
pub struct Syslog {
    ident: String,
    path: Option<PathBuf>,
    socket: Option<UnixDatagram>,
    stalled: bool,
}

impl Syslog {
    /// A connection that is made at the first message. `ident` is the program name in front of every message.
    pub fn new(ident: &str) -> Syslog {
        Syslog { ident: ident.to_owned(), path: None, socket: None, stalled: false }
    }

    /// The same with a log daemon that listens elsewhere.
    pub fn at(path: &Path, ident: &str) -> Syslog {
        Syslog { path: Some(path.to_owned()), ..Syslog::new(ident) }
    }

    /// Sends one message without a line feed. After an error it is lost, and the next one tries anew.
    pub fn send(&mut self, text: &[u8]) -> io::Result<()> {
        let mut message = header(local_time(wall().as_secs().cast_signed()), &self.ident).into_bytes();
        message.extend_from_slice(text);
        match self.send_once(&message) {
            // The log daemon was started anew; its socket is another one now.
            Err(error) if is_disconnect(&error) => {
                self.socket = None;
                self.send_once(&message)
            }
            other => other,
        }
    }

    fn send_once(&mut self, message: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(self.path.as_deref())?,
        };
        let sent = send_patiently(&socket, message, self.stalled);
        self.stalled = matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.socket = Some(socket);
        sent
    }
}

fn send_patiently(socket: &UnixDatagram, message: &[u8], stalled: bool) -> io::Result<()> {
    let deadline = Instant::now() + if stalled { Duration::ZERO } else { PATIENCE };
    loop {
        match socket.send(message) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !poll_writable(socket.as_fd(), deadline.saturating_duration_since(Instant::now()))? {
                    return Err(error);
                }
            }
            // What BSD says instead; there it cannot be waited for.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn connect(path: Option<&Path>) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match path {
        Some(path) => socket.connect(path)?,
        None => PATHS.iter().map(|path| socket.connect(path)).find(Result::is_ok).unwrap_or_else(|| {
            let missing = io::ErrorKind::NotFound;
            Err(io::Error::new(missing, "no system log daemon is listening"))
        })?,
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn is_disconnect(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotConnected)
}

/// `<14>Nov  5 09:25:31 supervisord: `, as the C library writes it.
fn header(time: LocalTime, ident: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS[(time.month.clamp(1, 12) - 1) as usize];
    let LocalTime { day, hour, minute, second, .. } = time;
    format!("<{PRIORITY}>{month} {day:2} {hour:02}:{minute:02}:{second:02} {ident}: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually::eventually;

    fn receive(daemon: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let len = daemon.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_message_has_priority_time_and_name() {
        let at = LocalTime { year: 2026, month: 11, day: 5, hour: 9, minute: 2, second: 3, weekday: 4, utc_offset: 0 };
        assert_eq!(header(at, "supervisord"), "<14>Nov  5 09:02:03 supervisord: ");

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        Syslog::at(&path, "me").send(b"prog some text\r").unwrap();
        let message = receive(&daemon);
        assert!(message.starts_with("<14>"), "{message}");
        assert_eq!(message.get(19..), Some(" me: prog some text\r"), "{message}");
    }

    #[test]
    fn a_log_daemon_that_was_started_anew_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut syslog = Syslog::at(&path, "me");
        assert_eq!(syslog.send(b"lost").unwrap_err().kind(), io::ErrorKind::NotFound);
        let first = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"one").unwrap();
        assert!(receive(&first).ends_with("one"));
        drop(first);
        std::fs::remove_file(&path).unwrap();
        eventually(|| syslog.send(b"lost").err());
        let second = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"two").unwrap();
        assert!(receive(&second).ends_with("two"));
    }

    #[test]
    fn a_log_daemon_that_takes_nothing_is_waited_for_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::at(&path, "me");
        let text = [b'x'; 512];
        while syslog.send(&text).is_ok() {}
        assert!(syslog.stalled);
        let before = Instant::now();
        let tries = 100;
        for _ in 0..tries {
            assert_eq!(syslog.send(&text).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        assert!(before.elapsed() < PATIENCE * tries / 2);
        receive(&daemon);
        while syslog.send(&text).is_err() {}
        assert!(!syslog.stalled);
    }
}
