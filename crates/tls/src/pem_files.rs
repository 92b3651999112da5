//! Certificates and private keys in files, as PEM.

use std::fmt;
use std::io;
use std::path::Path;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use supervisord_sys::small_file;

/// The most bytes of a file.
const MOST_BYTES: u64 = 16 << 20;

/// Why a file has not what is needed; displays what follows "cannot be used: ".
#[derive(Debug)]
pub enum PemError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// What is in it is no PEM, or another object.
    Malformed(pem::Error),
    /// It has no certificate.
    Empty,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemError::Unreadable(error) => error.fmt(f),
            PemError::Malformed(error) => error.fmt(f),
            PemError::Empty => f.write_str("it has no certificate in PEM"),
        }
    }
}

/// The certificates of a regular file of at most 16 MiB, at least one.
pub fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(&content(file)?).collect::<Result<_, _>>().map_err(PemError::Malformed)?;
    if all.is_empty() { Err(PemError::Empty) } else { Ok(all) }
}

/// The first private key of a regular file of at most 16 MiB.
pub fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(&content(file)?).map_err(PemError::Malformed)
}

fn content(file: &str) -> Result<Vec<u8>, PemError> {
    small_file::read(Path::new(file), MOST_BYTES).map_err(PemError::Unreadable)
}
