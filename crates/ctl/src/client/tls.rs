//! TLS, for servers with an `https://` address.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use supervisord_config::client::{ClientIdentity, ClientTls};
use supervisord_tls::pem_files;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ClientError;

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
            let key = pem_files::private_key(keyfile).map_err(|error| unusable("keyfile", keyfile, error))?;
            let config = builder.with_client_auth_cert(certificates("certfile", certfile)?, key);
            config.map_err(|error| unusable("certfile", certfile, error))
        }
    }
}

fn certificates(option: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    pem_files::certificates(file).map_err(|error| unusable(option, file, error))
}

fn unusable(option: &str, file: &str, reason: impl fmt::Display) -> ClientError {
    ClientError::Tls(format!("the {option} {file} of [supervisorctl] cannot be used: {reason}"))
}

fn failed(error: impl fmt::Display) -> ClientError {
    ClientError::Tls(error.to_string())
}
