//! Servers that speak TLS, and clients that do. The original speaks HTTP only.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::scene::Place;
use crate::harness::{Daemon, Scene, Subject, http, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &[
    "inet_http_server certfile",
    "inet_http_server keyfile",
    "inet_http_server client_ca",
    "inet_http_server allowed_hosts",
    "supervisorctl cafile",
    "supervisorctl certfile",
    "supervisorctl keyfile",
];

/// Connects with one version of TLS, and prints the version, the status and the serial number of the server's certificate.
const CLIENT: &str = r#"#!/usr/bin/env python3
import socket, ssl, sys
port, version, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile="ca.crt")
if name != "none":
    context.load_cert_chain(name + ".crt", name + ".key")
wanted = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
if version == "1.1":
    context.set_ciphers("DEFAULT@SECLEVEL=0")
context.minimum_version = context.maximum_version = wanted
try:
    stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    stream.sendall(b"GET /ok.html HTTP/1.0\r\n\r\n")
    data = b""
    while piece := stream.recv(4096):
        data += piece
    status = data.split(b"\r\n")[0].decode() or "nothing"
    print(stream.version(), status, stream.getpeercert()["serialNumber"])
except OSError as error:
    print("refused")
"#;

/// Makes more connections than the server holds, each with half of a body. Prints after how many of them one was not let in within the
/// time that a client may wait for a call, and otherwise the status of a whole request.
const HALVES: &str = r#"#!/usr/bin/env python3
import socket, ssl, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
context = ssl.create_default_context(cafile="ca.crt")
def connect():
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=15), server_hostname="localhost")
streams = []
for number in range(count):
    try:
        streams.append(connect())
        streams[-1].sendall(b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n0123456789")
    except TimeoutError:
        sys.exit(f"nobody was let in after {number} others")
    except OSError:
        pass
stream = connect()
stream.sendall(b"GET /ok.html HTTP/1.0\r\n\r\n")
print(stream.recv(4096).split(b"\r\n")[0].decode())
"#;

/// Asks again and again while the file `go` is there, on one connection or on a new one each time, and makes a file at each answer. A connection may end between two
/// answers, but in order: the end of TLS before the end of the stream, and never within an answer. Prints whatever else happens.
const ASKER: &str = r#"#!/usr/bin/env python3
import os, socket, ssl, sys
port, keeps, name = int(sys.argv[1]), sys.argv[2] == "keeps", sys.argv[3]
context = ssl.create_default_context(cafile="ca.crt")
def connect():
    plain = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
def answer(stream):
    stream.sendall(b"GET /ok.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"OK"):
        piece = stream.recv(4096)
        if not piece:
            return data
        data += piece
    return data
stream, is_new, answers = None, True, 0
while os.path.exists("go"):
    try:
        if stream is None:
            stream, is_new = connect(), True
        data = answer(stream)
    except OSError as error:
        print(f"{keeps=} {is_new=}: {error!r}")
        stream = None
        continue
    if data.endswith(b"OK"):
        answers += 1
        open(name, "w")
    elif data or is_new:
        print(f"{keeps=} {is_new=}: ended after {data!r}")
    is_last = not data or b"connection: close" in data.lower()
    if is_last or not keeps:
        stream.close()
        stream = None
    is_new = False
print("answers" if answers > 0 else "no answer")
"#;

fn run(place: &Place, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(place.dir()).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A certificate with a key, signed by another one, or by itself.
fn certificate(directory: &Path, name: &str, signer: Option<&str>, serial: u32) {
    let signed = signer.map(|signer| format!("-CA {signer}.crt -CAkey {signer}.key")).unwrap_or_default();
    let constraint = if signer.is_none() { "basicConstraints=critical,CA:TRUE" } else { "basicConstraints=CA:FALSE" };
    let command = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} \
         -addext subjectAltName=DNS:localhost -addext {constraint} -set_serial {serial} {signed} -keyout {name}.key \
         -out {name}.crt"
    );
    let output = Command::new("sh").args(["-c", &command]).current_dir(directory).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub fn certificates(place: &Place) {
    certificate(place.dir(), "ca", None, 1);
    certificate(place.dir(), "server", Some("ca"), 17);
    certificate(place.dir(), "clients", None, 2);
    certificate(place.dir(), "good", Some("clients"), 3);
    certificate(place.dir(), "wrong", Some("ca"), 4);
}

pub const SERVER: &str =
    "[inet_http_server]\nport=127.0.0.1:{port}\ncertfile={dir}/server.crt\nkeyfile={dir}/server.key\n";
const CLIENTS: &str = "client_ca={dir}/clients.crt\n";

fn scene(options: &str) -> Scene {
    let client = "[supervisorctl]\ncafile={dir}/ca.crt\ncertfile={dir}/good.crt\nkeyfile={dir}/good.key\n";
    let programs = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n";
    Scene::with("tls", &format!("{programs}{client}{SERVER}{options}")).script("client", CLIENT)
}

fn started(options: &str) -> Daemon {
    let scene = scene(options);
    let place = scene.set_up(Subject::Ours);
    certificates(&place);
    scene.start_in(place)
}

/// What a client sees with this version of TLS and this certificate.
fn seen(daemon: &Daemon, version: &str, certificate: &str) -> String {
    run(daemon, "./client", &[&daemon.ports[0].to_string(), version, certificate])
}

#[test]
fn only_clients_with_a_good_certificate_and_version_are_served() {
    only_ours(|| {
        let daemon = started(CLIENTS);
        // Somebody who says nothing, and somebody who speaks no TLS.
        let _silent = http::tcp(daemon.ports[0]).expect("it listens");
        let mut plain = http::tcp(daemon.ports[0]).expect("it listens");
        assert!(http::request(&mut *plain, "GET", "/ok.html", &["Host: h"], b"").is_err());
        for (version, shown) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
            assert_eq!(seen(&daemon, version, "good"), format!("{shown} HTTP/1.0 200 OK 11"));
            for refused in ["none", "wrong"] {
                assert_eq!(seen(&daemon, version, refused), "refused", "{version} {refused}");
            }
        }
        assert_eq!(seen(&daemon, "1.1", "good"), "refused");
        let url = format!("https://localhost:{}", daemon.ports[0]);
        let status = daemon.ctl(&["-s", &url, "status"]);
        assert!(status.stdout.contains("p                                RUNNING"), "{}", status.transcript());
        let tail = daemon.ctl(&["-s", &url.replace("localhost", "127.0.0.1"), "status"]);
        assert!(tail.stdout.contains("ssl.SSLError"), "the certificate is for another name: {}", tail.transcript());
    });
}

#[test]
fn half_bodies_keep_nobody_out() {
    only_ours(|| {
        let scene = scene("").script("halves", HALVES);
        let place = scene.set_up(Subject::Ours);
        certificates(&place);
        let daemon = scene.start_in(place);
        assert_eq!(run(&daemon, "./halves", &[&daemon.ports[0].to_string(), "300"]), "HTTP/1.0 200 OK");
    });
}

#[test]
fn certificates_are_read_again_at_usr2_without_dropping_connections() {
    only_ours(|| {
        let mut daemon = started("");
        assert_eq!(seen(&daemon, "1.3", "none"), "TLSv1.3 HTTP/1.0 200 OK 11");
        std::fs::write(daemon.path("server.crt"), "-----BEGIN CERTIFICATE-----\nbroken").expect("written");
        daemon.signal(Signal::SIGUSR2);
        daemon.wait_for_log("Server 'inet_http_server' keeps the certificates it has: cannot read the certfile");
        assert_eq!(seen(&daemon, "1.3", "none"), "TLSv1.3 HTTP/1.0 200 OK 11");
        certificate(daemon.dir(), "server", Some("ca"), 18);
        daemon.signal(Signal::SIGUSR2);
        daemon.wait_for_log("Server 'inet_http_server' has read its certificates again");
        assert_eq!(seen(&daemon, "1.3", "none"), "TLSv1.3 HTTP/1.0 200 OK 12");
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(seen(&daemon, "1.3", "none"), "TLSv1.3 HTTP/1.0 200 OK 12");
    });
}

#[test]
fn connections_end_in_order_at_an_upgrade() {
    only_ours(|| {
        let scene = scene("").script("asker", ASKER).file("go", "");
        let place = scene.set_up(Subject::Ours);
        certificates(&place);
        let mut daemon = scene.start_in(place);
        daemon.wait_for_state("p", "RUNNING");
        let port = daemon.ports[0].to_string();
        let said: Vec<String> = std::thread::scope(|scope| {
            let place: &Daemon = &daemon;
            let askers = ["keeps", "comes-back"].map(|how| {
                let port = port.clone();
                scope.spawn(move || run(place, "./asker", &[&port, how, how]))
            });
            let wait_for_answers = || {
                for how in ["keeps", "comes-back"] {
                    crate::harness::wait::until("it is answered", || place.path(how).exists());
                    std::fs::remove_file(place.path(how)).expect("it is there");
                }
            };
            for round in 1..=5 {
                wait_for_answers();
                place.signal(Signal::SIGUSR1);
                let upgraded = crate::harness::wait::poll(crate::harness::wait::DEADLINE, || {
                    (place.read("supervisord.log").matches("supervisord upgraded").count() >= round).then_some(())
                });
                assert!(upgraded.is_some(), "{}", place.read("supervisord.log"));
            }
            wait_for_answers();
            std::fs::remove_file(place.path("go")).expect("it is there");
            askers.map(|asker| asker.join().expect("it does not fail")).into()
        });
        assert_eq!(said, ["answers"; 2]);
    });
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_line() {
    only_ours(|| {
        for (name, content, expected) in [
            ("missing.crt", None, "could not read the certfile {dir}/missing.crt: there is no such file ("),
            ("text.crt", Some("hello"), "the certfile {dir}/text.crt has no certificate in PEM ("),
            ("clients.crt", None, "cannot be used together: "),
        ] {
            let text = SERVER.replace("{dir}/server.crt", &format!("{{dir}}/{name}"));
            let scene = Scene::with("tls", &text);
            let place = scene.set_up(Subject::Ours);
            certificates(&place);
            if let Some(content) = content {
                place.write(name, content);
            }
            let output = scene.run_in(&place);
            assert_eq!(output.code, 2, "{}", output.transcript());
            assert!(output.stderr.contains(&place.fill(expected)), "{}", output.transcript());
            assert!(output.stderr.contains("[inet_http_server]"), "{}", output.transcript());
        }
    });
}

#[test]
fn browsers_ask_by_a_name_of_the_list() {
    only_ours(|| {
        let text = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p\nallowed_hosts=box.example, b\n";
        let daemon = Scene::with("hosts", text).start(Subject::Ours);
        let status = |host: &str, agent: &str, path: &str| {
            let headers = [&format!("Host: {host}"), &format!("User-Agent: {agent}"), &*http::basic("u", "p")];
            let mut stream = http::tcp(daemon.ports[0]).expect("it listens");
            http::request(&mut *stream, "GET", path, &headers.map(|line| line as &str), b"")
                .expect("an answer")
                .status()
        };
        for path in ["/", "/api/v1/programs"] {
            assert_eq!(status("evil.example", "Mozilla/5.0", path), 403, "{path}");
            for host in ["box.example", "B:1234", "127.0.0.1", "localhost:9001"] {
                assert_eq!(status(host, "Mozilla/5.0", path), 200, "{path} of {host}");
            }
            assert_eq!(status("evil.example", "curl/8", path), 200, "{path}");
        }
    });
}
