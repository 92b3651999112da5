//! The certificates and the key of a server, as TLS needs them. TLS 1.2 and 1.3 are spoken, nothing older.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use supervisord_sys::small_file;
use supervisord_sys::user::current_name;

use crate::server_files::ServerTlsFiles;
use crate::tls_error::TlsError;

/// The most bytes of a file.
const MOST_BYTES: u64 = 16 << 20;

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
            let unusable = |error: &dyn fmt::Display| TlsError(format!("the client_ca {file} cannot be used: {error}"));
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client_ca", file)? {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(&error))?)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(&content("keyfile", keyfile)?);
    let key = key.map_err(|error| unreadable("keyfile", keyfile, &error))?;
    let mut config = builder.with_single_cert(certificates("certfile", certfile)?, key).map_err(|error| {
        TlsError(format!("the certfile {certfile} and the keyfile {keyfile} cannot be used together: {error}"))
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(option: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = content(option, file)?;
    let all = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| unreadable(option, file, &error))?;
    if all.is_empty() { Err(TlsError(format!("the {option} {file} has no certificate in PEM"))) } else { Ok(all) }
}

fn content(option: &str, file: &str) -> Result<Vec<u8>, TlsError> {
    small_file::read(Path::new(file), MOST_BYTES)
        .map_err(|error| unreadable(option, file, &format!("{error}, as user {}", current_name())))
}

fn unreadable(option: &str, file: &str, reason: &dyn fmt::Display) -> TlsError {
    TlsError(format!("cannot read the {option} {file}: {reason}"))
}
