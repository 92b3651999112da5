//! What makes two logs the same: the path, or the inherited descriptor a path stands for.

use std::sync::Arc;

use crate::output::log_path;

/// What makes two logs the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Inherited(i32),
    Path(Arc<str>),
}

impl Key {
    /// The key of the log at this path.
    pub fn of(path: &str) -> Key {
        log_path::inherited(path).map_or_else(|| Key::Path(path.into()), Key::Inherited)
    }

    /// The descriptor it stands for.
    pub fn inherited(&self) -> Option<i32> {
        match self {
            Key::Inherited(number) => Some(*number),
            Key::Path(_) => None,
        }
    }

    /// The path this key was made of, kept once for all who name it.
    pub fn path(&self, path: &str) -> Arc<str> {
        match self {
            Key::Path(path) => path.clone(),
            Key::Inherited(_) => path.into(),
        }
    }
}
