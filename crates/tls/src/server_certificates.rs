//! The certificates and the key of a server, as TLS needs them. TLS 1.2 and 1.3 are spoken, nothing older.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use supervisord_sys::user::current_name;

use crate::pem_files::{self, PemError};
use crate::server_files::ServerTlsFiles;
use crate::tls_error::TlsError;

/// What a server shows to its clients. The next client gets what was read last; clones share that.
#[derive(Clone)]
pub struct TlsContext {
    files: ServerTlsFiles,
    current: Arc<Mutex<Arc<ServerConfig>>>,
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl TlsContext {
    /// Reads the files. It may block.
    pub fn load(files: ServerTlsFiles) -> Result<TlsContext, TlsError> {
        let current = Arc::new(Mutex::new(Arc::new(read(&files)?)));
        Ok(TlsContext { files, current })
    }

    /// Reads the files again. It may block. Where they cannot be used, everything stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        let next = Arc::new(read(&self.files)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// What the next client gets.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(ServerTlsFiles { certfile, keyfile, client_ca }: &ServerTlsFiles) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12]);
    let builder = builder.map_err(|error| TlsError(error.to_string()))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let untrusted =
                |error: &dyn fmt::Display| TlsError(format!("the client_ca {file} cannot be used: {error}"));
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client_ca", file)? {
                roots.add(certificate).map_err(|error| untrusted(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| untrusted(&error))?)
        }
    };
    let key = pem_files::private_key(keyfile).map_err(|error| unusable("keyfile", keyfile, error))?;
    let mut config = builder.with_single_cert(certificates("certfile", certfile)?, key).map_err(|error| {
        TlsError(format!("the certfile {certfile} and the keyfile {keyfile} cannot be used together: {error}"))
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(option: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem_files::certificates(file).map_err(|error| unusable(option, file, error))
}

fn unusable(option: &str, file: &str, error: PemError) -> TlsError {
    match error {
        PemError::Empty => TlsError(format!("the {option} {file} has no certificate in PEM")),
        PemError::Malformed(error) => unreadable(option, file, &error),
        PemError::Unreadable(error) => unreadable(option, file, &format!("{error}, as user {}", current_name())),
    }
}

fn unreadable(option: &str, file: &str, reason: &dyn fmt::Display) -> TlsError {
    TlsError(format!("cannot read the {option} {file}: {reason}"))
}
