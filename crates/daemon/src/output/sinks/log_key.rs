//! What makes two logs the same: the path, or the inherited descriptor a path stands for.

use std::sync::Arc;

use crate::output::log_path;

/// What makes two logs the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogKey {
    Inherited(i32),
    Path(Arc<str>),
}

impl LogKey {
    /// The key of the log at this path.
    pub fn of(path: &Arc<str>) -> LogKey {
        log_path::inherited(path).map_or_else(|| LogKey::Path(path.clone()), LogKey::Inherited)
    }

    /// The descriptor it stands for.
    pub fn inherited(&self) -> Option<i32> {
        match self {
            LogKey::Inherited(number) => Some(*number),
            LogKey::Path(_) => None,
        }
    }
}
