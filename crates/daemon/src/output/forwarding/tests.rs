use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::syslog_code::{SyslogFacility, SyslogSeverity};
use supervisord_core::output::Channel;
use supervisord_core::output::forward::ForwardedLine;

use super::*;

const TIME: Duration = Duration::from_millis(1_796_040_000_123);
const HEAD: &str = "<14>1 2026-11-30T12:00:00.123Z web1 shop 77 stdout - ";

fn plan(target: &str) -> ForwardPlan {
    let origin = ForwardOrigin {
        facility: SyslogFacility::USER,
        tag: "shop".to_owned(),
        hostname: "web1".to_owned(),
        program: "web".to_owned(),
        group: "app".to_owned(),
        process: "web_03".to_owned(),
        channel: Some(Channel::Stdout),
        pid: Some(77),
    };
    let targets = ForwardTarget::parse_list(target).expect("targets");
    ForwardPlan { targets, tls: TlsFiles::default(), severity: SyslogSeverity::INFO, origin: Arc::new(origin) }
}

pub(super) fn line(text: &str) -> ForwardedLine {
    plan("udp://h").line(text.as_bytes(), false, TIME)
}

/// What a stream forwards.
struct Rig {
    forwarders: Forwarders,
    requests: OutputHandle,
}

impl Rig {
    fn new() -> Rig {
        let requests = OutputHandle::new();
        Rig { forwarders: Forwarders::new(requests.clone()), requests }
    }

    /// Forwards a line; nothing of it is lost at once.
    fn forward(&mut self, to: &Forwarding, text: &str) {
        let entries = self.forwarders.forward(to, text.as_bytes(), false, TIME);
        assert!(entries.is_empty(), "{entries:?}");
    }

    /// What senders have told so far.
    fn told(&self) -> Vec<String> {
        let (requests, _) = self.requests.take();
        let entries = requests.into_iter().flat_map(|request| match request {
            super::super::message::OutputRequest::Forwarding(entries) => entries,
            _ => panic!("senders ask for nothing else"),
        });
        entries.map(|(_, text)| text).collect()
    }

    /// Waits until senders have told something.
    fn await_told(&self) -> Vec<String> {
        self.told_within(Duration::from_secs(120)).expect("senders tell something")
    }

    /// The same, for so long at the most.
    fn told_within(&self, limit: Duration) -> Option<Vec<String>> {
        let end = Instant::now() + limit;
        loop {
            let told = self.told();
            if !told.is_empty() {
                return Some(told);
            }
            if Instant::now() > end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn frame(text: &str) -> Vec<u8> {
    let message = format!("{HEAD}{text}");
    format!("{} {message}", message.len()).into_bytes()
}

fn assert_reads(stream: &mut impl Read, expected: &[u8]) {
    let mut found = vec![0; expected.len()];
    stream.read_exact(&mut found).expect("as many bytes");
    assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected));
}

#[test]
fn datagrams_have_a_message_each() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut rig = Rig::new();
    let forwarding = rig.forwarders.acquire(&plan(&format!("udp://{}", server.local_addr().unwrap())));
    assert!(rig.forwarders.queues.values().all(|users| !users.queue.is_busy()), "no thread before the first line");
    rig.forward(&forwarding, "one");
    rig.forward(&forwarding, "");
    let mut message = [0; 200];
    for text in ["one", ""] {
        let length = server.recv(&mut message).expect("a message");
        assert_eq!(String::from_utf8_lossy(&message[..length]), format!("{HEAD}{text}"));
    }
    rig.forwarders.release(forwarding);
    assert_eq!(rig.forwarders.end(), Entries::new());
}

#[test]
fn unix_sockets_of_both_kinds_are_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let (datagrams, stream) = (dir.path().join("datagrams"), dir.path().join("stream"));
    let server = UnixDatagram::bind(&datagrams).expect("a socket");
    let listener = UnixListener::bind(&stream).expect("a socket");
    let mut rig = Rig::new();
    let targets = format!("unix://{}, unix://{}", datagrams.display(), stream.display());
    let forwarding = rig.forwarders.acquire(&plan(&targets));
    rig.forward(&forwarding, "one");
    let mut message = [0; 200];
    let length = server.recv(&mut message).expect("a message");
    assert_eq!(String::from_utf8_lossy(&message[..length]), format!("{HEAD}one"));
    let (mut connection, _) = listener.accept().expect("a connection");
    assert_reads(&mut connection, &frame("one"));
    assert_eq!(rig.forwarders.end(), Entries::new());
}

#[test]
fn a_connection_is_made_again_and_what_waited_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().unwrap();
    let mut rig = Rig::new();
    let forwarding = rig.forwarders.acquire(&plan(&format!("tcp://{address}")));
    rig.forward(&forwarding, "one");
    let (mut connection, _) = listener.accept().expect("a connection");
    assert_reads(&mut connection, &frame("one"));
    // The server goes away, and with it its port.
    drop((connection, listener));
    // What is sent before the system knows that, is lost without a word: TCP has taken it.
    let told = loop {
        rig.forward(&forwarding, "two");
        if let Some(told) = rig.told_within(Duration::from_secs(1)) {
            break told;
        }
    };
    assert!(told[0].starts_with(&format!("could not write to tcp://{address}, output waits: ")), "{told:?}");
    rig.forward(&forwarding, "three");
    let listener = TcpListener::bind(address).expect("the same port");
    let (mut connection, _) = listener.accept().expect("a connection");
    let (two, three) = (frame("two"), frame("three"));
    let mut sent = Vec::new();
    while !sent.ends_with(&three) {
        let mut byte = [0];
        connection.read_exact(&mut byte).expect("more");
        sent.extend(byte);
    }
    let waited = &sent[..sent.len() - three.len()];
    assert!(!waited.is_empty() && waited.chunks(two.len()).all(|frame| frame == two), "{sent:?}");
    assert_eq!(rig.await_told(), [format!("tcp://{address} can be written again, nothing was lost")]);
    assert_eq!(rig.forwarders.end(), Entries::new());
}

#[test]
fn what_a_service_does_not_take_is_lost_at_the_end_and_counted() {
    let mut rig = Rig::new();
    let forwarding = rig.forwarders.acquire(&plan("unix:///nowhere/at/all"));
    rig.forward(&forwarding, "one");
    rig.forward(&forwarding, "two");
    let told = rig.await_told();
    assert!(told[0].starts_with("could not write to unix:///nowhere/at/all, output waits: "), "{told:?}");
    let entries = rig.forwarders.end();
    assert_eq!(entries[0].1, "2 messages for unix:///nowhere/at/all were lost");
}

#[test]
fn a_server_that_reads_nothing_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let mut rig = Rig::new();
    let forwarding = rig.forwarders.acquire(&plan(&format!("tcp://{}", listener.local_addr().unwrap())));
    let text = "x".repeat(16 << 10);
    let mut entries = Entries::new();
    // Far more than the system and the queue hold.
    for _ in 0..2000 {
        entries.append(&mut rig.forwarders.forward(&forwarding, text.as_bytes(), false, TIME));
    }
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0].1.ends_with("output is lost: it takes less than is forwarded"));
    let last = rig.forwarders.end();
    assert!(last[0].1.contains(" messages for tcp://"), "{last:?}");
}

#[test]
fn streams_of_the_same_service_share_its_queue() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let target = plan(&format!("udp://{}", server.local_addr().unwrap()));
    let mut rig = Rig::new();
    let (first, second) = (rig.forwarders.acquire(&target), rig.forwarders.acquire(&target));
    assert_eq!(rig.forwarders.queues.len(), 1);
    rig.forwarders.release(first);
    rig.forward(&second, "one");
    let mut message = [0; 200];
    server.recv(&mut message).expect("a message");
    rig.forwarders.release(second);
    let queues = rig.forwarders.queues.values();
    while queues.clone().any(|users| users.queue.is_busy()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let third = rig.forwarders.acquire(&plan("unix:///elsewhere"));
    assert_eq!(rig.forwarders.queues.len(), 1, "the other one has gone");
    rig.forwarders.release(third);
    assert!(rig.forwarders.queues.is_empty(), "it never had a thread");
}

/// A server for `localhost` with a certificate of its own, in a file.
fn tls_server(dir: &std::path::Path) -> Option<Arc<rustls::ServerConfig>> {
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .ok()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    use rustls_pki_types::pem::PemObject;
    let chain = vec![rustls_pki_types::CertificateDer::from_pem_file(&certificate).expect("a certificate")];
    let key = rustls_pki_types::PrivateKeyDer::from_pem_file(&key).expect("a key");
    let builder = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    Some(Arc::new(builder.with_single_cert(chain, key).expect("a pair")))
}

fn secured(stream: TcpStream, config: &Arc<rustls::ServerConfig>) -> impl Read + Write {
    rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).expect("a connection"), stream)
}

#[test]
fn an_encrypted_connection_needs_a_trusted_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(config) = tls_server(dir.path()) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let target = format!("tls://localhost:{}", listener.local_addr().unwrap().port());
    let mut rig = Rig::new();
    let distrustful = rig.forwarders.acquire(&plan(&target));
    rig.forward(&distrustful, "secret");
    let mut stranger = secured(listener.accept().expect("a connection").0, &config);
    assert!(stranger.read(&mut [0; 9]).is_err(), "nothing is sent to a stranger");
    let told = rig.await_told();
    assert!(told[0].contains("output waits: invalid peer certificate"), "{told:?}");
    assert_eq!(rig.forwarders.end().len(), 1);

    let mut rig = Rig::new();
    let file = dir.path().join("cert.pem").to_string_lossy().into_owned();
    let trusting = rig
        .forwarders
        .acquire(&ForwardPlan { tls: TlsFiles { trusted: Some(file), ..TlsFiles::default() }, ..plan(&target) });
    rig.forward(&trusting, "one");
    // A try of the distrustful sender may still be on its way.
    let mut server = loop {
        let mut server = secured(listener.accept().expect("a connection").0, &config);
        let mut first = [0; 1];
        if server.read_exact(&mut first).is_ok() {
            assert_eq!(&first, &frame("one")[..1]);
            break server;
        }
    };
    assert_reads(&mut server, &frame("one")[1..]);
    drop(server);
    // It sees before it writes that the server has gone, as soon as the system does.
    listener.set_nonblocking(true).expect("set");
    let connection = loop {
        rig.forward(&trusting, "two");
        let tries = (0..200).find_map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            listener.accept().ok()
        });
        if let Some((connection, _)) = tries {
            break connection;
        }
    };
    connection.set_nonblocking(false).expect("set");
    let mut server = secured(connection, &config);
    assert_reads(&mut server, &frame("two"));
    rig.forwarders.release(trusting);
}
