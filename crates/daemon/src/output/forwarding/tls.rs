//! Connections to log services that are encrypted: TLS 1.2 and 1.3.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

/// A connection whose server has a certificate for its name.
pub(super) struct TlsConnection {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsConnection {
    /// Shakes hands over a connection to this host.
    ///
    /// # Errors
    /// The server is not trusted, or does not respond.
    pub fn new(socket: TcpStream, host: &str, config: ClientConfig) -> io::Result<TlsConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(TlsConnection { stream })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// Some of them may have arrived.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Whether the server has closed the connection, or said that it will.
    pub fn is_closed_by_peer(&mut self) -> bool {
        let StreamOwned { conn, sock } = &mut self.stream;
        if sock.set_nonblocking(true).is_err() {
            return true;
        }
        let is_closed = loop {
            match conn.read_tls(sock) {
                Ok(0) => break true,
                Ok(_) => match conn.process_new_packets() {
                    Ok(state) if !state.peer_has_closed() => {}
                    _ => break true,
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() != ErrorKind::WouldBlock,
            }
        };
        is_closed || sock.set_nonblocking(false).is_err()
    }
}

/// Why log services cannot be trusted by the certificates of a file; none where they can. It reads the file.
pub fn unusable_certificates(file: &str) -> Option<String> {
    config(Some(file)).err().map(|error| error.to_string())
}

/// Trusts the certificates of a file, or those that the system trusts.
///
/// # Errors
/// The file cannot be used.
pub(super) fn config(trusted_file: Option<&str>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match trusted_file {
        Some(file) => {
            let unusable = |error: &dyn std::fmt::Display| {
                io::Error::other(format!("the certificates in {file} cannot be used: {error}"))
            };
            let all = CertificateDer::pem_file_iter(file).and_then(|found| found.collect::<Result<Vec<_>, _>>());
            let all = all.map_err(|error| unusable(&error))?;
            if all.is_empty() {
                return Err(unusable(&"it has none in PEM"));
            }
            for certificate in all {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
