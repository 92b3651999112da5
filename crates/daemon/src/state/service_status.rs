//! What a process has said about itself, as the state tells it.

use serde::{Deserialize, Serialize};
use supervisord_core::process;

use super::encoding::is_default;

/// What a process has said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServiceStatusRecord {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(default, skip_serializing_if = "is_default")]
    reloading: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    stopping: bool,
}

impl From<&process::ServiceStatus> for ServiceStatusRecord {
    fn from(
        process::ServiceStatus { text, is_reloading, is_stopping }: &process::ServiceStatus,
    ) -> ServiceStatusRecord {
        ServiceStatusRecord { text: text.clone(), reloading: *is_reloading, stopping: *is_stopping }
    }
}

impl From<&ServiceStatusRecord> for process::ServiceStatus {
    fn from(ServiceStatusRecord { text, reloading, stopping }: &ServiceStatusRecord) -> process::ServiceStatus {
        process::ServiceStatus { text: text.clone(), is_reloading: *reloading, is_stopping: *stopping }
    }
}
