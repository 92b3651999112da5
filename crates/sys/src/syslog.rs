//! A client of the system log.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::clock::wall;
use crate::fd::poll_writable;
use crate::local_time::{BrokenDownTime, local_time};

/// Facility USER, severity INFO, as in the original (`SyslogHandler` in `supervisor/loggers.py`).
const PRIORITY: u8 = (1 << 3) | 6;

/// The sockets of system log daemons; the first that exists is used.
const PATHS: [&str; 2] = ["/dev/log", crate::system::SYSLOG_SOCKET];

/// How long to wait for a log daemon that does not read.
const SEND_TIMEOUT: Duration = Duration::from_millis(200);

/// A connection to the system log.
///
/// Unlike the function of the C library it cannot block for long: it waits once, for a fifth of a second, for a log
/// daemon that does not read; after that, messages are lost without a wait until the daemon reads again.
#[derive(Debug)]
pub struct Syslog {
    ident: String,
    path: Option<PathBuf>,
    socket: Option<UnixDatagram>,
    stalled: bool,
}

impl Syslog {
    /// Connects at the first message. `ident` is the program name at the beginning of every message.
    pub fn new(ident: &str) -> Syslog {
        Syslog { ident: ident.to_owned(), path: None, socket: None, stalled: false }
    }

    /// Uses the log daemon at this path.
    pub fn at(path: &Path, ident: &str) -> Syslog {
        Syslog { path: Some(path.to_owned()), ..Syslog::new(ident) }
    }

    /// Sends one message without a line feed. After an error it is lost, and the next message reconnects.
    pub fn send(&mut self, text: &[u8]) -> io::Result<()> {
        let mut message = header(local_time(wall().as_secs().cast_signed()), &self.ident).into_bytes();
        message.extend_from_slice(text);
        match self.send_once(&message) {
            // The log daemon was restarted, and has a new socket.
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
        let sent = send_with_timeout(&socket, message, self.stalled);
        self.stalled = matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.socket = Some(socket);
        sent
    }
}

fn send_with_timeout(socket: &UnixDatagram, message: &[u8], stalled: bool) -> io::Result<()> {
    let deadline = Instant::now() + if stalled { Duration::ZERO } else { SEND_TIMEOUT };
    loop {
        match socket.send(message) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !poll_writable(socket.as_fd(), deadline.saturating_duration_since(Instant::now()))? {
                    return Err(error);
                }
            }
            // BSD systems return this error instead; waiting is not possible there.
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

/// The header `<14>Nov  5 09:25:31 supervisord: `, in the format of the C library.
fn header(time: BrokenDownTime, ident: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS[(time.month.clamp(1, 12) - 1) as usize];
    let BrokenDownTime { day, hour, minute, second, .. } = time;
    format!("<{PRIORITY}>{month} {day:2} {hour:02}:{minute:02}:{second:02} {ident}: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry_until::retry_until;

    fn receive(daemon: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let len = daemon.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_message_has_priority_time_and_name() {
        let at =
            BrokenDownTime { year: 2026, month: 11, day: 5, hour: 9, minute: 2, second: 3, weekday: 4, utc_offset: 0 };
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
    fn the_client_reconnects_to_a_restarted_log_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut syslog = Syslog::at(&path, "me");
        assert_eq!(syslog.send(b"lost").unwrap_err().kind(), io::ErrorKind::NotFound);
        let first = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"one").unwrap();
        assert!(receive(&first).ends_with("one"));
        drop(first);
        std::fs::remove_file(&path).unwrap();
        retry_until(|| syslog.send(b"lost").err());
        let second = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"two").unwrap();
        assert!(receive(&second).ends_with("two"));
    }

    #[test]
    fn a_stalled_log_daemon_is_waited_for_once() {
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
        assert!(before.elapsed() < SEND_TIMEOUT * tries / 2);
        receive(&daemon);
        while syslog.send(&text).is_err() {}
        assert!(!syslog.stalled);
    }
}
