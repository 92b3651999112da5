//! Groups of processes.

use std::sync::Arc;

use super::Process;

/// A group of processes that is started, stopped, added and removed as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Lower numbers start first and stop last.
    pub priority: i64,
    /// What kind of group.
    pub kind: GroupKind,
    /// Members in stored order; names are unique.
    pub processes: Vec<Arc<Process>>,
}

/// The kinds of group.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupKind {
    /// `[program:x]` by itself, or a `[group:x]`.
    Programs,
    /// `[fcgi-program:x]` by itself.
    FastCgi,
    /// `[eventlistener:x]`.
    Listeners(ListenerPool),
}

/// What is particular to a pool of event listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPool {
    /// How many events wait for a free listener before the oldest is dropped.
    pub buffer_size: usize,
    /// Names of the subscribed events in capitals, without duplicates, in written order.
    pub events: Vec<String>,
    /// `package.module:callable` that judges results.
    pub result_handler: String,
}
