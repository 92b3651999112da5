//! Where the certificate and the key of a server are.

/// The files of the TLS of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTlsFiles {
    /// Its certificate and those between it and one that clients know, in PEM.
    pub certfile: String,
    /// The private key, in PEM.
    pub keyfile: String,
    /// Certificates of which one must have signed that of a client, in PEM; none where clients need none.
    pub client_ca: Option<String>,
}
