//! Where the certificate and the key of a server are.

/// The files of the TLS of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTlsFiles {
    /// Its certificate chain, in PEM.
    pub certfile: String,
    /// The private key, in PEM.
    pub keyfile: String,
    /// CA certificates, of which one must have signed the certificate of a client, in PEM; none where clients need none.
    pub client_ca: Option<String>,
}
