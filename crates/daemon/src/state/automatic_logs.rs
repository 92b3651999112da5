//! The made-up names of automatic logs, which the next daemon must know to go on writing them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::model::{self, LogFile};

/// The made-up names of the automatic logs of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// The path of its stdout log, where that is automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Arc<str>>,
    /// The path of its stderr log, where that is automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Arc<str>>,
}

impl Logs {
    /// Those of a process with these logs; none where neither is automatic.
    pub fn automatic(
        group: &str,
        process: &model::Process,
        stdout: Option<&Arc<str>>,
        stderr: Option<&Arc<str>>,
    ) -> Option<Logs> {
        let stdout = stdout.filter(|_| process.logging.stdout.file == LogFile::Auto).cloned();
        let stderr = stderr.filter(|_| process.logging.stderr.file == LogFile::Auto).cloned();
        let is_any = stdout.is_some() || stderr.is_some();
        is_any.then(|| Logs { group: group.to_owned(), name: process.identity.name.clone(), stdout, stderr })
    }
}
