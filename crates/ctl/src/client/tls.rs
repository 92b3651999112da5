//! TLS, for servers with an `https://` address.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use supervisord_config::client::{ClientIdentity, ClientTls};
use supervisord_sys::small_file;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ClientError;

/// The most bytes of a file with certificates or a key.
const MOST_BYTES: u64 = 16 << 20;

/// Makes a connection secure, whose server must have a certificate for this host.
pub(super) async fn secure(
    socket: TcpStream,
    host: &str,
    tls: &ClientTls,
) -> Result<TlsStream<TcpStream>, ClientError> {
    let name = ServerName::try_from(host.to_owned()).map_err(failed)?;
    let connector = TlsConnector::from(Arc::new(config(tls)?));
    connector.connect(name, socket).await.map_err(failed)
}

fn config(ClientTls { cafile, identity }: &ClientTls) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    match cafile {
        Some(file) => {
            for certificate in certificates("cafile", file)? {
                roots.add(certificate).map_err(|error| unusable("cafile", file, error))?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(failed)?.with_root_certificates(roots);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(ClientIdentity { certfile, keyfile }) => {
            let key = PrivateKeyDer::from_pem_slice(&content("keyfile", keyfile)?);
            let key = key.map_err(|error| unusable("keyfile", keyfile, error))?;
            let config = builder.with_client_auth_cert(certificates("certfile", certfile)?, key);
            config.map_err(|error| unusable("certfile", certfile, error))
        }
    }
}

fn certificates(option: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let content = content(option, file)?;
    match CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>() {
        Ok(all) if all.is_empty() => Err(unusable(option, file, "it has no certificate in PEM")),
        Ok(all) => Ok(all),
        Err(error) => Err(unusable(option, file, error)),
    }
}

fn content(option: &str, file: &str) -> Result<Vec<u8>, ClientError> {
    small_file::read(Path::new(file), MOST_BYTES).map_err(|error| unusable(option, file, error))
}

fn unusable(option: &str, file: &str, reason: impl fmt::Display) -> ClientError {
    ClientError::Tls(format!("the {option} {file} of [supervisorctl] cannot be used: {reason}"))
}

fn failed(error: impl fmt::Display) -> ClientError {
    ClientError::Tls(error.to_string())
}
