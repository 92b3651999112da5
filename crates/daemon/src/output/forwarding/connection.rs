//! The way to a log service: a socket that takes messages.
//!
//! Everything here may block, for a bounded time: it runs on a thread of its own.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use supervisord_config::forward_target::ForwardTarget;
use supervisord_config::host_port::HostPort;
use supervisord_core::output::forward::ForwardedLine;
use supervisord_core::output::forward::journal::push_entry;
use supervisord_core::output::forward::syslog::{push_frame, push_message};
use supervisord_sys::Errno;
use supervisord_sys::journal_socket::{JOURNAL, JournalSocket};
use supervisord_sys::socket::refuse_self_connection;

use super::service::Service;
use super::tls::{TlsConnection, TlsSettings};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a service may take nothing.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// A socket of a service.
pub(super) enum Connection {
    Udp(UdpSocket),
    UnixDatagrams(UnixDatagram),
    Tcp(TcpStream),
    UnixStream(UnixStream),
    Tls(Box<TlsConnection>),
    Journal(JournalSocket),
}

/// A service does not take lines.
#[derive(Debug)]
pub(super) struct Failure {
    pub reason: String,
    /// How many of the lines that were not sent it never will take, from the first on.
    pub lost: usize,
    /// How many lines did not arrive that were sent before.
    pub lost_before: usize,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let reason = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "it does not respond".to_owned(),
            _ => error.to_string(),
        };
        Failure { reason, lost: 0, lost_before: 0 }
    }
}

impl Connection {
    /// Connects to a service.
    pub fn open(service: &Service) -> Result<Connection, Failure> {
        Ok(match &service.target {
            ForwardTarget::Udp(host) => Connection::Udp(first(host, udp)?),
            ForwardTarget::Tcp(host) => Connection::Tcp(first(host, tcp)?),
            ForwardTarget::Tls(host) => {
                let settings = TlsSettings::read(&service.tls)?;
                Connection::Tls(TlsConnection::new(first(host, tcp)?, &host.host, settings)?.into())
            }
            ForwardTarget::Unix(path) => unix(path)?,
            ForwardTarget::Journal(path) => {
                let path = Path::new(path.as_deref().unwrap_or(JOURNAL));
                Connection::Journal(JournalSocket::connect(path, WRITE_LIMIT)?)
            }
        })
    }

    /// Sends messages. Gives how many were sent, and why not more.
    pub fn send(&mut self, lines: &[ForwardedLine]) -> (usize, Result<(), Failure>) {
        match self {
            Connection::Udp(socket) => {
                let (sent, outcome) = send_each(lines, push_message, |message| socket.send(message).map(drop));
                (sent, outcome.map_err(with_message_before))
            }
            Connection::UnixDatagrams(socket) => {
                let (sent, outcome) = send_each(lines, push_message, |message| socket.send(message).map(drop));
                (sent, outcome.map_err(|(error, lost)| Failure { lost, ..error.into() }))
            }
            Connection::Journal(socket) => {
                let (sent, outcome) = send_each(lines, push_entry, |entry| socket.send(entry));
                (sent, outcome.map_err(|(error, lost)| Failure { lost, ..error.into() }))
            }
            Connection::Tcp(stream) => send_all(lines, stream),
            Connection::UnixStream(stream) => send_all(lines, stream),
            Connection::Tls(connection) => match connection.send(&frames(lines).0) {
                Ok(()) => (lines.len(), Ok(())),
                // What was encrypted and what arrived, nobody knows: the service gets them again.
                Err(error) => (0, Err(error.into())),
            },
        }
    }

    /// Whether the other end has closed it, so that what is written would be lost without an error.
    pub fn is_closed_by_peer(&mut self) -> bool {
        match self {
            Connection::Udp(_) | Connection::UnixDatagrams(_) | Connection::Journal(_) => false,
            Connection::Tcp(stream) => {
                stream.set_nonblocking(true).is_err() || has_ended(stream) || stream.set_nonblocking(false).is_err()
            }
            Connection::UnixStream(stream) => {
                stream.set_nonblocking(true).is_err() || has_ended(stream) || stream.set_nonblocking(false).is_err()
            }
            Connection::Tls(connection) => connection.is_closed_by_peer(),
        }
    }
}

/// Whether a stream that does not block has come to its end. Services send nothing; what they send all the same is dropped.
fn has_ended(stream: &mut impl Read) -> bool {
    let mut dropped = [0; 512];
    loop {
        match stream.read(&mut dropped) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// The system tells with the next message that nobody has listened to the one before.
fn with_message_before((error, lost): (io::Error, usize)) -> Failure {
    let lost_before = usize::from(error.kind() == ErrorKind::ConnectionRefused);
    Failure { lost, lost_before, ..error.into() }
}

/// Sends a datagram for each line. An error comes with how many lines never can be sent.
fn send_each(
    lines: &[ForwardedLine],
    push: impl Fn(&ForwardedLine, &mut Vec<u8>),
    send: impl Fn(&[u8]) -> io::Result<()>,
) -> (usize, Result<(), (io::Error, usize)>) {
    let mut message = Vec::new();
    for (sent, line) in lines.iter().enumerate() {
        message.clear();
        push(line, &mut message);
        match send(&message) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return (sent, Ok(())),
            Err(error) => {
                let is_too_long = error.raw_os_error() == Some(Errno::EMSGSIZE.number());
                return (sent, Err((error, usize::from(is_too_long))));
            }
        }
    }
    (lines.len(), Ok(()))
}

fn send_all(lines: &[ForwardedLine], stream: &mut impl Write) -> (usize, Result<(), Failure>) {
    let (bytes, ends) = frames(lines);
    let mut written = 0;
    while written < bytes.len() {
        let outcome = match stream.write(&bytes[written..]) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                written += count;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            return (ends.partition_point(|end| *end <= written), Err(error.into()));
        }
    }
    (lines.len(), Ok(()))
}

/// The messages as they stand in a connection, and where each ends.
fn frames(lines: &[ForwardedLine]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let ends = lines
        .iter()
        .map(|line| {
            push_frame(line, &mut bytes);
            bytes.len()
        })
        .collect();
    (bytes, ends)
}

/// Tries the addresses of a host one after the other.
fn first<S>(host: &HostPort, connect: impl Fn(SocketAddr) -> io::Result<S>) -> Result<S, Failure> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in (host.host.as_str(), host.port).to_socket_addrs()? {
        match connect(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let own = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(own)?;
    socket.set_write_timeout(Some(WRITE_LIMIT))?;
    socket.connect(address)?;
    Ok(socket)
}

fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_LIMIT)?;
    refuse_self_connection(&stream)?;
    stream.set_write_timeout(Some(WRITE_LIMIT))?;
    stream.set_read_timeout(Some(WRITE_LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A socket for datagrams, or else for connections.
fn unix(path: &str) -> io::Result<Connection> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(WRITE_LIMIT))?;
    match socket.connect(path) {
        Ok(()) => Ok(Connection::UnixDatagrams(socket)),
        Err(error) => match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_write_timeout(Some(WRITE_LIMIT))?;
                Ok(Connection::UnixStream(stream))
            }
            Err(_) => Err(error),
        },
    }
}
