//! Certificates and keys from files, and the servers that show them: those of the daemon, and the hub of a fleet.

pub mod pem_files;
pub mod server_certificates;
pub mod server_files;
pub mod tls_error;
