//! The lines of version 1, of the release before: definitions and progress as that release had them in memory.

use std::sync::Arc;

use serde::Deserialize;
use supervisord_config::model::Group;
use supervisord_core::supervisor::snapshot::MemberSnapshot;

use super::run::Run;

/// A line after the first.
#[derive(Debug, Deserialize)]
pub enum Record {
    /// A group is active.
    Group(Arc<Group>),
    /// A group is no longer active.
    Removed(String),
    /// A process has changed.
    Member {
        /// Its group.
        group: String,
        /// Its state.
        member: Box<MemberSnapshot>,
        /// Its child; none when it has none.
        run: Option<Run>,
        /// Where it is a listener: how many events wait for its pool.
        #[serde(default)]
        waiting: usize,
    },
}
