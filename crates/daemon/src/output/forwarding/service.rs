//! Which log service is meant.

use supervisord_config::forward_target::ForwardTarget;

/// A log service, and whom its certificate is to be signed by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Service {
    pub target: ForwardTarget,
    /// The file with the certificates; none for those that the system trusts.
    pub trusted_file: Option<String>,
}
