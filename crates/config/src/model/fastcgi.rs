//! The socket of a FastCGI program.

/// The socket of an `[fcgi-program:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastCgiSocket {
    /// `unix:///path` or `tcp://host:port`, as log lines show it.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddress,
    /// Pending connections; none for the system's maximum.
    pub backlog: Option<u32>,
}

/// Where a FastCGI socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// A TCP port.
    Tcp {
        /// Host, lower case; an IPv6 address in brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// Path, absolute and normalized.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Owner and group, unchanged where none.
        owner: Option<(u32, Option<u32>)>,
    },
}
