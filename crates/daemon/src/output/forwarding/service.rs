//! Which log service is meant.

use supervisord_config::forward_target::ForwardTarget;
use supervisord_core::output::forward::TlsFiles;

/// A log service, and how both ends know each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Service {
    pub target: ForwardTarget,
    /// Nothing where it is not encrypted.
    pub tls: TlsFiles,
}
