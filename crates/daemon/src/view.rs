//! What readers see of the supervisor without asking it: control publishes, network reads.
//!
//! A row is replaced as a whole whenever its process changes, before any reply that depends on the change goes out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use supervisord_config::model::Config;
use supervisord_core::row::Row;
use supervisord_wire::state::Mood;

/// The published state of the supervisor.
pub struct View {
    published: RwLock<Published>,
    logged: AtomicU64,
}

struct Published {
    mood: Mood,
    config: Arc<Config>,
    groups: BTreeMap<Arc<str>, BTreeMap<String, Arc<Row>>>,
}

impl View {
    /// A view of a supervisor without groups.
    pub fn new(config: Arc<Config>) -> View {
        let published = Published { mood: Mood::Running, config, groups: BTreeMap::new() };
        View { published: RwLock::new(published), logged: AtomicU64::new(0) }
    }

    /// How many lines of the activity log there were when something was published last: they tell how it came to what
    /// has been read here before.
    pub fn logged(&self) -> u64 {
        self.logged.load(Ordering::SeqCst)
    }

    /// So many lines there are before what is published next.
    pub(crate) fn set_logged(&self, lines: u64) {
        self.logged.store(lines, Ordering::SeqCst);
    }

    /// What the daemon is doing.
    pub fn mood(&self) -> Mood {
        self.read().mood
    }

    /// The configuration that was read last; its groups need not all be active.
    pub fn config(&self) -> Arc<Config> {
        self.read().config.clone()
    }

    /// How many processes there are.
    pub fn len(&self) -> usize {
        self.read().groups.values().map(BTreeMap::len).sum()
    }

    /// Whether there is no process.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All processes, sorted by group and name.
    pub fn rows(&self) -> Vec<Arc<Row>> {
        self.read().groups.values().flat_map(|members| members.values().cloned()).collect()
    }

    /// One process.
    pub fn row(&self, group: &str, process: &str) -> Option<Arc<Row>> {
        self.read().groups.get(group)?.get(process).cloned()
    }

    /// Whether a group of this name is active; it may be empty.
    pub fn has_group(&self, group: &str) -> bool {
        self.read().groups.contains_key(group)
    }

    pub(crate) fn publish_mood(&self, mood: Mood) {
        self.write().mood = mood;
    }

    pub(crate) fn publish_config(&self, config: Arc<Config>) {
        self.write().config = config;
    }

    pub(crate) fn publish_group(&self, group: Arc<str>) {
        self.write().groups.entry(group).or_default();
    }

    pub(crate) fn withdraw_group(&self, group: &str) {
        self.write().groups.remove(group);
    }

    pub(crate) fn withdraw_row(&self, group: &str, process: &str) {
        if let Some(members) = self.write().groups.get_mut(group) {
            members.remove(process);
        }
    }

    /// Groups with their processes, sorted by name.
    pub fn groups(&self) -> Vec<(Arc<str>, Vec<Arc<Row>>)> {
        let published = self.read();
        published.groups.iter().map(|(name, members)| (name.clone(), members.values().cloned().collect())).collect()
    }

    pub(crate) fn publish_row(&self, row: Row) {
        let mut published = self.write();
        let members = published.groups.entry(row.group.clone()).or_default();
        members.insert(row.config.identity.name.clone(), Arc::new(row));
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Published> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Published> {
        self.published.write().unwrap_or_else(PoisonError::into_inner)
    }
}
