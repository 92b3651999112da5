//! Connections to log services that are encrypted: TLS 1.2 and 1.3.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use supervisord_core::output::forward::TlsFiles;
use supervisord_tls::pem_files;

use super::client_certificate::ClientCertificate;

/// How long a server is waited for that has asked for a certificate.
const VERDICT_LIMIT: Duration = Duration::from_secs(1);

/// A connection whose server has a certificate for its name.
pub(super) struct TlsConnection {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsConnection {
    /// Shakes hands over a connection to this host.
    ///
    /// # Errors
    /// The server is not trusted, or does not respond.
    pub fn new(socket: TcpStream, host: &str, settings: TlsSettings) -> io::Result<TlsConnection> {
        let TlsSettings { config, certificate } = settings;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let mut connection = TlsConnection { stream };
        if certificate.is_asked_for() && connection.stream.conn.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            connection.await_verdict()?;
        }
        Ok(connection)
    }

    /// In TLS 1.3 the client has shaken hands before the server has looked at its certificate. What it sends to one that does not
    /// accept it is lost, so that this waits for what comes first: tickets for other connections, or a refusal. Not every server
    /// has tickets.
    fn await_verdict(&mut self) -> io::Result<()> {
        let StreamOwned { conn, sock } = &mut self.stream;
        let limit = sock.read_timeout()?;
        sock.set_read_timeout(Some(VERDICT_LIMIT))?;
        let verdict = match conn.read_tls(sock) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => conn.process_new_packets().map(drop).map_err(io::Error::other),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error),
        };
        sock.set_read_timeout(limit)?;
        verdict
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
    trusted_roots(Some(file)).err().map(|error| error.to_string())
}

/// What one connection is made with.
pub(super) struct TlsSettings {
    config: ClientConfig,
    certificate: Arc<ClientCertificate>,
}

impl TlsSettings {
    /// Trusts the certificates of a file, or those that the system trusts, and shows its own, if it has one. The files are read
    /// for each connection, so that a certificate that was renewed is used.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn read(files: &TlsFiles) -> io::Result<TlsSettings> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(io::Error::other)?;
        let builder = builder.with_root_certificates(trusted_roots(files.trusted.as_deref())?);
        let certificate = Arc::new(client_certificate(files)?);
        Ok(TlsSettings { config: builder.with_client_cert_resolver(certificate.clone()), certificate })
    }
}

fn trusted_roots(file: Option<&str>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unusable(file, &error))?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    Ok(roots)
}

fn client_certificate(files: &TlsFiles) -> io::Result<ClientCertificate> {
    let Some(file) = &files.certificate else { return Ok(ClientCertificate::default()) };
    let (certificates, key_file) = (certificates(file)?, files.key.as_ref().unwrap_or(file));
    let unusable_key = |error: &dyn std::fmt::Display| {
        io::Error::other(format!("the private key in {key_file} cannot be used: {error}"))
    };
    let key = pem_files::private_key(key_file).map_err(|error| unusable_key(&error))?;
    ClientCertificate::new(certificates, key).map_err(|error| unusable(file, &error))
}

fn certificates(file: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    pem_files::certificates(file).map_err(|error| unusable(file, &error))
}

fn unusable(file: &str, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("the certificates in {file} cannot be used: {error}"))
}
