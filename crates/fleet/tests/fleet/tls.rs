//! A server that speaks TLS, and wants certificates.

use std::path::Path;
use std::process::Command;

use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, wait_until};
use crate::hub::{BAR, FOO, Hub};

/// A certificate with a key, which another one signs, or itself.
pub fn certificate(directory: &Path, name: &str, signer: Option<&str>) {
    let signed = signer.map(|signer| format!("-CA {signer}.crt -CAkey {signer}.key")).unwrap_or_default();
    let extensions = match signer {
        None => "-addext basicConstraints=critical,CA:TRUE".to_owned(),
        Some(_) => format!(
            "-addext basicConstraints=CA:FALSE -addext subjectAltName=DNS:{name} \
             -addext extendedKeyUsage=serverAuth,clientAuth"
        ),
    };
    let command = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} {extensions} \
         {signed} -keyout {name}.key -out {name}.crt"
    );
    let made = Command::new("sh").args(["-c", &command]).current_dir(directory).output().expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A certificate for `localhost`, another one, and one of a client, all signed by `ca`.
fn certificates(directory: &Path) {
    certificate(directory, "ca", None);
    certificate(directory, "localhost", Some("ca"));
    std::fs::rename(directory.join("localhost.crt"), directory.join("next.crt")).expect("renamed");
    std::fs::rename(directory.join("localhost.key"), directory.join("next.key")).expect("renamed");
    certificate(directory, "localhost", Some("ca"));
    certificate(directory, "client", Some("ca"));
}

#[test]
fn agents_and_people_come_by_tls_with_certificates() {
    let directory = tempfile::tempdir().expect("a directory");
    certificates(directory.path());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let tls = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        file("localhost.crt"),
        file("localhost.key"),
        file("ca.crt")
    );
    let nats = NatsServer::with(&tls);
    StubDaemon::listen(&nats.path("sock"));
    let daemon = format!("unix://{}", nats.path("sock").display());
    let (ca, certificate, key) = (file("ca.crt"), file("client.crt"), file("client.key"));
    let url = format!("tls://localhost:{}", nats.port);
    let secure = ["--nats", &url, "--ca", &ca, "--cert", &certificate, "--key", &key];
    let _agent = nats.agent("h", &daemon, &secure);
    let status: Vec<&str> = ["status"].into_iter().chain(secure).collect();
    wait_until("the host answers", || nats.ask(&status).0 == "h  web  RUNNING  pid 7\n");
    // Without a certificate, or without knowing who signed that of the server, nobody gets in.
    for arguments in [&["status", "--nats", &url, "--ca", &ca][..], &["status", "--nats", &url]] {
        let (text, status) = nats.ask(arguments);
        assert!(status == 7 && text.contains("the NATS server tls://localhost:"), "{text}");
    }
}

/// Asks a hub: prints the status and the serial number of its certificate, or `refused`.
const CLIENT: &str = r#"
import http.client, ssl, sys
address, ca, certificate, key, token = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
if certificate:
    context.load_cert_chain(certificate, key)
try:
    host, port = address.split(":")
    connection = http.client.HTTPSConnection("localhost", int(port), context=context)
    connection.request("GET", "/api/hosts", headers={"Authorization": "Bearer " + token})
    serial = connection.sock.getpeercert()["serialNumber"]
    print(connection.getresponse().status, serial)
except OSError as error:
    print("refused")
"#;

#[test]
fn the_hub_speaks_tls_and_reads_certificate_and_people_again() {
    let directory = tempfile::tempdir().expect("a directory");
    certificates(directory.path());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let nats = NatsServer::start();
    let people = file("people");
    std::fs::write(&people, format!("ann operator {FOO}\n")).expect("written");
    std::fs::copy(file("localhost.crt"), file("hub.crt")).expect("copied");
    std::fs::copy(file("localhost.key"), file("hub.key")).expect("copied");
    let (certificate, key, ca) = (file("hub.crt"), file("hub.key"), file("ca.crt"));
    let hub = |more: &[&str]| {
        let tls = ["--people", &people, "--listen-cert", &certificate, "--listen-key", &key];
        Hub::start(&nats, &[&tls[..], more].concat())
    };
    let ask = |hub: &Hub, certificate: &str, token: &str| {
        let (certificate, key) = match certificate {
            "" => (String::new(), String::new()),
            name => (file(&format!("{name}.crt")), file(&format!("{name}.key"))),
        };
        let mut python = Command::new("python3");
        python.args(["-c", CLIENT, hub.address(), &ca, &certificate, &key, token]);
        String::from_utf8_lossy(&python.output().expect("it runs").stdout).trim().to_owned()
    };
    let serial = |name: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-serial", "-in"]).arg(file(name));
        let output = openssl.output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("serial=").to_owned()
    };
    let (first, next) = (serial("localhost.crt"), serial("next.crt"));
    let open = hub(&[]);
    assert_eq!(ask(&open, "", "foo"), format!("200 {first}"));
    assert_eq!(ask(&open, "", "wrong"), format!("401 {first}"));

    // A new certificate, and other people: those who were let in are no longer.
    std::fs::copy(file("next.crt"), &certificate).expect("copied");
    std::fs::copy(file("next.key"), &key).expect("copied");
    std::fs::write(&people, format!("vera viewer {BAR}\n")).expect("written");
    assert_eq!(ask(&open, "", "foo"), format!("200 {first}"), "nobody has asked for it yet");
    open.signal("HUP");
    wait_until("the new certificate is shown", || ask(&open, "", "bar") == format!("200 {next}"));
    assert_eq!(ask(&open, "", "foo"), format!("401 {next}"));
    // What cannot be read stays as it is.
    std::fs::write(&people, "vera viewer nonsense\n").expect("written");
    std::fs::write(&certificate, "nonsense").expect("written");
    open.signal("HUP");
    wait_until("both are refused", || {
        let log = std::fs::read_to_string(nats.path("hub.log")).unwrap_or_default();
        log.contains("keeps the people it has: --people, line 1") && log.contains("keeps the certificate it has")
    });
    assert_eq!(ask(&open, "", "bar"), format!("200 {next}"));
    let (text, status) = nats.ask(&["hub", "--people", &ca, "--listen-cert", &certificate]);
    assert!(text.contains("--listen-cert and --listen-key belong together") && status == 2, "{text}");

    // Only who shows a certificate is let in.
    std::fs::copy(file("localhost.crt"), &certificate).expect("copied");
    std::fs::copy(file("localhost.key"), &key).expect("copied");
    std::fs::write(&people, format!("ann operator {FOO}\n")).expect("written");
    let strict = hub(&["--listen-client-ca", &ca]);
    assert_eq!(ask(&strict, "client", "foo"), format!("200 {first}"));
    assert_eq!(ask(&strict, "", "foo"), "refused");
}
