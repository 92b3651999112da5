//! The certificates of servers that speak TLS: those of the daemon, and the hub of a fleet.

pub mod server_certificates;
pub mod server_files;
pub mod tls_error;
