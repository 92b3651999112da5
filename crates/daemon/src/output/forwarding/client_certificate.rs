//! The certificate by which log services know this daemon, and whether one has asked for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate, or none, for one connection.
#[derive(Debug, Default)]
pub(super) struct ClientCertificate {
    key: Option<Arc<CertifiedKey>>,
    is_asked_for: AtomicBool,
}

impl ClientCertificate {
    /// One that belongs to this key.
    ///
    /// # Errors
    /// It belongs to another one, or cannot be used.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> io::Result<ClientCertificate> {
        let key = CertifiedKey::from_der(certificates, key, &ring::default_provider()).map_err(io::Error::other)?;
        Ok(ClientCertificate { key: Some(key.into()), ..ClientCertificate::default() })
    }

    /// Whether the server has asked for one.
    pub fn is_asked_for(&self) -> bool {
        self.is_asked_for.load(Ordering::SeqCst)
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_asked_for.store(true, Ordering::SeqCst);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}
