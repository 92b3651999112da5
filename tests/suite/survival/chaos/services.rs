//! The log services to which programs of the chaos forward their lines: one that takes datagrams, one that takes a connection.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::harness::scene::Place;

/// The most bytes of a message.
const LONGEST: usize = 64 << 10;

/// Both services. They live as long as this does, whatever the daemon does.
pub struct Services {
    heard: Arc<Heard>,
    socket: PathBuf,
    port: u16,
    threads: Vec<JoinHandle<()>>,
}

/// What they have been told, and whether they are to end.
#[derive(Default)]
struct Heard {
    /// By process and stream, such as `forwarded000.out`: the lines in their order.
    lines: Mutex<BTreeMap<String, String>>,
    /// The other end of which may still live when the services end.
    connection: Mutex<Option<TcpStream>>,
    is_over: AtomicBool,
}

impl Services {
    /// Where the datagrams go, below the directory of the scene; the connection goes to its second port.
    pub const SOCKET: &str = "service.sock";

    pub fn begin(place: &Place) -> Services {
        let (socket, port) = (place.path(Self::SOCKET), place.ports[1]);
        let datagrams = UnixDatagram::bind(&socket).expect("the directory is ours");
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let heard = Arc::<Heard>::default();
        let (first, second) = (heard.clone(), heard.clone());
        let threads = vec![
            thread::spawn(move || first.take_datagrams(&datagrams)),
            thread::spawn(move || second.accept(&listener)),
        ];
        Services { heard, socket, port, threads }
    }

    /// What has been heard since the last call, by process and stream.
    pub fn take(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.heard.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.heard.is_over.store(true, Ordering::Relaxed);
        if let Some(connection) = self.heard.connection.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        wake(&self.socket, self.port);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() && !thread::panicking() {
                panic!("a service has failed");
            }
        }
    }
}

/// Lets both services look whether they are to end. One that has just looked is not there any more.
fn wake(socket: &Path, port: u16) {
    let _ = UnixDatagram::unbound().and_then(|sender| sender.send_to(b"", socket));
    let _ = TcpStream::connect(("127.0.0.1", port));
}

impl Heard {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn take_datagrams(&self, socket: &UnixDatagram) {
        let mut message = vec![0; LONGEST];
        while !self.is_over() {
            let length = socket.recv(&mut message).expect("a datagram");
            if length > 0 {
                self.take_message(&message[..length]);
            }
        }
    }

    /// One connection after the other, each to its end: whoever opens another one has closed the one before, or is dead.
    fn accept(&self, listener: &TcpListener) {
        while !self.is_over() {
            let (stream, _) = listener.accept().expect("a connection");
            let copy = stream.try_clone().expect("a descriptor");
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
            if self.is_over() {
                return;
            }
            // A daemon that is killed leaves a part of a message behind.
            let _ = self.take_stream(BufReader::new(stream));
        }
    }

    fn take_stream(&self, mut stream: impl BufRead) -> io::Result<()> {
        loop {
            let mut digits = Vec::new();
            (&mut stream).take(8).read_until(b' ', &mut digits)?;
            if digits.last() != Some(&b' ') {
                return Ok(());
            }
            let length = std::str::from_utf8(&digits).ok().and_then(|digits| digits.trim_end().parse().ok());
            let mut message = vec![0; length.unwrap_or_else(|| panic!("no length: {digits:?}"))];
            stream.read_exact(&mut message)?;
            self.take_message(&message);
        }
    }

    /// `<PRIORITY>1 TIME HOST PROCESS PID STREAM - TEXT`
    fn take_message(&self, message: &[u8]) {
        let message = String::from_utf8_lossy(message);
        let fields: Vec<&str> = message.splitn(8, ' ').collect();
        let [_, _, _, process, _, stream, _, text] = fields[..] else { panic!("no message: {message:?}") };
        let end = if stream == "stdout" { "out" } else { "err" };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.entry(format!("{process}.{end}")).or_default();
        lines.push_str(text.trim_end_matches('\n'));
        lines.push('\n');
    }
}
