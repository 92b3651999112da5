//! A server that speaks TLS, and wants certificates.

use std::process::Command;

use crate::harness::stub_daemon::StubDaemon;
use crate::harness::{NatsServer, wait_until};

/// Makes a certificate for `localhost` that one of its own signs, and one for a client.
fn certificates(directory: &std::path::Path) {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=fleet-ca \
         -keyout ca.key -out ca.crt
         for name in server client; do
           openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
           printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > $name.ext
           openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.crt
         done";
    let made = Command::new("sh").args(["-ec", script]).current_dir(directory).output().expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn agents_and_people_come_by_tls_with_certificates() {
    let directory = tempfile::tempdir().expect("a directory");
    certificates(directory.path());
    let file = |name: &str| directory.path().join(name).display().to_string();
    let tls = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        file("server.crt"),
        file("server.key"),
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
