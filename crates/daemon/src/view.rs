//! What readers see of the supervisor without asking it: control publishes, network reads.
//!
//! A row is replaced as a whole whenever its process changes, before any reply that depends on the change goes out. Each
//! publication is another revision, for which readers can wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use supervisord_config::model::Config;
use supervisord_core::disabled::DisabledPrograms;
use supervisord_core::event::Event;
use supervisord_core::history::{History, Since};
use supervisord_core::row::Row;
use supervisord_core::scope::ProgramScope;
use supervisord_sys::start_time::boot_time;
use supervisord_wire::state::Mood;

use crate::clock::present;
use crate::revisions::Revisions;

/// The published state of the supervisor.
pub struct View {
    published: RwLock<Published>,
    history: Mutex<History>,
    revisions: Revisions,
    logged: AtomicU64,
}

struct Published {
    mood: Mood,
    config: Arc<Config>,
    disabled: Arc<DisabledPrograms>,
    groups: BTreeMap<Arc<str>, BTreeMap<String, Arc<Row>>>,
}

impl View {
    /// A view of a supervisor without groups.
    pub fn new(config: Arc<Config>) -> View {
        View::with_history(config, History::new(boot_time()))
    }

    /// The same, with the last events of the program before.
    pub fn with_history(config: Arc<Config>, history: History) -> View {
        let published = Published { mood: Mood::Running, config, disabled: Arc::default(), groups: BTreeMap::new() };
        View {
            published: RwLock::new(published),
            history: Mutex::new(history),
            revisions: Revisions::default(),
            logged: AtomicU64::new(0),
        }
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

    /// The disabled programs, of which not all need be there.
    pub fn disabled(&self) -> Arc<DisabledPrograms> {
        self.read().disabled.clone()
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

    /// How often something was published. Who reads it first, and then what was published, misses nothing by waiting for
    /// the revision [after](View::after) it.
    pub fn revision(&self) -> u64 {
        self.revisions.present()
    }

    /// Waits until something is published after this revision.
    pub async fn after(&self, revision: u64) {
        self.revisions.after(revision).await;
    }

    /// At most so many events after this number, the oldest first, of those that somebody may see.
    pub fn events_since(&self, number: u64, most: usize, scope: &ProgramScope) -> Since {
        self.lock_history().since(number, most, scope)
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        self.lock_history().last()
    }

    /// Publishes events that happened in this order, after the rows that have changed by them.
    pub(crate) fn publish_events(&self, events: impl ExactSizeIterator<Item = Event>) {
        if events.len() > 0 {
            let mut history = self.lock_history();
            events.for_each(|event| history.push(event, boot_time(), present().wall));
            drop(history);
            self.revisions.advance();
        }
    }

    pub(crate) fn publish_mood(&self, mood: Mood) {
        self.change(|published| published.mood = mood);
    }

    pub(crate) fn publish_config(&self, config: Arc<Config>) {
        self.change(|published| published.config = config);
    }

    pub(crate) fn publish_disabled(&self, disabled: Arc<DisabledPrograms>) {
        self.change(|published| published.disabled = disabled);
    }

    pub(crate) fn publish_group(&self, group: Arc<str>) {
        self.change(|published| _ = published.groups.entry(group).or_default());
    }

    /// Publishes a group and its rows in place of what was published of it.
    pub(crate) fn replace_group(&self, group: Arc<str>, rows: Vec<Row>) {
        let rows = rows.into_iter().map(|row| (row.config.identity.name.clone(), Arc::new(row))).collect();
        self.change(|published| _ = published.groups.insert(group, rows));
    }

    pub(crate) fn withdraw_group(&self, group: &str) {
        self.change(|published| _ = published.groups.remove(group));
    }

    pub(crate) fn withdraw_row(&self, group: &str, process: &str) {
        self.change(|published| _ = published.groups.get_mut(group).and_then(|members| members.remove(process)));
    }

    /// Groups with their processes, sorted by name.
    pub fn groups(&self) -> Vec<(Arc<str>, Vec<Arc<Row>>)> {
        let published = self.read();
        published.groups.iter().map(|(name, members)| (name.clone(), members.values().cloned().collect())).collect()
    }

    pub(crate) fn publish_row(&self, row: Row) {
        let (group, name, row) = (row.group.clone(), row.config.identity.name.clone(), Arc::new(row));
        self.change(|published| _ = published.groups.entry(group).or_default().insert(name, row));
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Published> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a change, as a revision of its own.
    fn change(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.published.write().unwrap_or_else(PoisonError::into_inner));
        self.revisions.advance();
    }

    /// The last events, for the next program.
    pub(crate) fn history(&self) -> History {
        self.lock_history().clone()
    }

    fn lock_history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    #[test]
    fn each_publication_is_a_revision() {
        let config = Arc::new(samples::config([]));
        let view = View::new(config.clone());
        let publications: [&dyn Fn(); 9] = [
            &|| view.publish_mood(Mood::Shutdown),
            &|| view.publish_config(config.clone()),
            &|| view.publish_disabled(Arc::default()),
            &|| view.publish_group("g".into()),
            &|| view.publish_row(supervisord_core::samples::row("g", "p")),
            &|| view.publish_events([Event::ProcessGroupAdded("g".into())].into_iter()),
            &|| view.replace_group("g".into(), vec![supervisord_core::samples::row("g", "p")]),
            &|| view.withdraw_row("g", "p"),
            &|| view.withdraw_group("g"),
        ];
        for (position, publish) in publications.iter().enumerate() {
            let before = view.revision();
            publish();
            assert_eq!(view.revision(), before + 1, "publication {position}");
        }
        let before = view.revision();
        view.publish_events([].into_iter());
        assert_eq!(view.revision(), before, "nothing was published");
    }
}
