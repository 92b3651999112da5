//! Connections to what is probed.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use supervisord_config::host_port::HostPort;
use supervisord_sys::Errno;
use supervisord_sys::socket::refuse_self_connection;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::blocking_questions::BlockingQuestions;

/// How long a connection waits that the system cannot make for the moment.
const PATIENCE: Duration = Duration::from_millis(50);

/// How far a probe has got, for the message when its time is up.
#[derive(Default)]
pub(super) struct Stage(Cell<Reached>);

#[derive(Clone, Copy, Default)]
pub(super) enum Reached {
    #[default]
    Nothing,
    Address,
    Connection,
}

impl Stage {
    pub(super) fn reach(&self, reached: Reached) {
        self.0.set(reached);
    }

    /// What did not come in time.
    pub(super) fn missing(&self) -> &'static str {
        match self.0.get() {
            Reached::Nothing => "no answer from the system",
            Reached::Address => "no connection",
            Reached::Connection => "no answer",
        }
    }
}

/// A connection to a port; each address of a name gets its share of the time that is left.
pub(super) async fn connect_tcp(
    address: &HostPort,
    questions: &BlockingQuestions,
    deadline: Instant,
    stage: &Stage,
) -> Result<TcpStream, String> {
    let addresses = addresses(address, questions).await?;
    stage.reach(Reached::Address);
    let mut failure = format!("{} has no address", address.host);
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let now = Instant::now();
        let share = now + deadline.saturating_duration_since(now) / left;
        left -= 1;
        match timeout_at(share, patiently(share, || connect_other(address))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = reason(error),
            Err(_) if left == 0 => std::future::pending().await,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// A connection to a server, and not to the own end of the connection.
async fn connect_other(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    refuse_self_connection(&stream)?;
    Ok(stream)
}

/// A connection to a unix socket.
pub(super) async fn connect_unix(
    path: &str,
    questions: &BlockingQuestions,
    deadline: Instant,
    stage: &Stage,
) -> Result<UnixStream, String> {
    let attempt = || async {
        match questions.connect(path).await {
            Ok(Ok(stream)) => UnixStream::from_std(stream).map_err(Unconnected::System),
            Ok(Err(error)) => Err(Unconnected::System(error)),
            Err(reason) => Err(Unconnected::NotTried(reason)),
        }
    };
    let connected = patiently(deadline, attempt).await;
    stage.reach(Reached::Address);
    connected.map_err(|error| match error {
        Unconnected::System(error) => format!("{path}: {}", reason(error)),
        Unconnected::NotTried(reason) => reason,
    })
}

/// Why there is no connection.
enum Unconnected {
    System(io::Error),
    /// Nobody could try.
    NotTried(String),
}

/// The addresses of a host. An address needs no look-up, nor does the local host.
async fn addresses(address: &HostPort, questions: &BlockingQuestions) -> Result<Vec<SocketAddr>, String> {
    let HostPort { host, port } = address.clone();
    if let Ok(known) = host.parse::<IpAddr>() {
        return Ok(vec![(known, port).into()]);
    }
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    let subject = host.clone();
    let look_up = move || match (host.as_str(), port).to_socket_addrs() {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("{host}: {}", reason(error))),
    };
    questions.ask(&subject, look_up).await
}

/// Tries again, until the deadline, what fails because the system or the other end lacks something for the moment: that
/// says nothing about a program.
async fn patiently<T, E: MayPass, F: Future<Output = Result<T, E>>>(
    deadline: Instant,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E> {
    loop {
        match attempt().await {
            Err(error) if error.may_pass() && Instant::now() + PATIENCE < deadline => sleep(PATIENCE).await,
            other => return other,
        }
    }
}

/// A failure that may be over soon.
trait MayPass {
    fn may_pass(&self) -> bool;
}

impl MayPass for io::Error {
    fn may_pass(&self) -> bool {
        let passing = [Errno::EAGAIN, Errno::EMFILE, Errno::ENFILE];
        self.kind() == io::ErrorKind::OutOfMemory
            || self.raw_os_error().is_some_and(|number| passing.contains(&Errno::new(number)))
    }
}

impl MayPass for Unconnected {
    fn may_pass(&self) -> bool {
        match self {
            Unconnected::System(error) => error.may_pass(),
            Unconnected::NotTried(_) => false,
        }
    }
}

/// The text of an error: that of the system, where it has a number.
pub(super) fn reason(error: io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::new(number).to_string(),
        None => error.to_string(),
    }
}
