//! Readers of growing logs: each subscribes to a path, and the output plane reports every change of the log there.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What has happened to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Bytes were appended to the file.
    Grown,
    /// Its path may lead to another file, or the file was emptied; bytes may have been appended as well.
    Replaced,
}

/// What is called after each change; it runs on the output thread and must not block.
pub type Callback = Arc<dyn Fn(Change) + Send + Sync>;

/// All present subscriptions.
#[derive(Default)]
pub struct FollowHub {
    /// How many there are, so that the writer of an unfollowed log need not take the lock.
    count: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    followers: HashMap<String, Vec<(u64, Callback)>>,
}

/// Lasts until it is dropped.
pub struct Subscription {
    hub: Arc<FollowHub>,
    path: String,
    id: u64,
}

impl FollowHub {
    /// Has `callback` called after each change of the log at `path`.
    pub fn subscribe(self: &Arc<Self>, path: &str, callback: Callback) -> Subscription {
        let mut table = self.lock();
        let id = table.next;
        table.next += 1;
        table.followers.entry(path.to_owned()).or_default().push((id, callback));
        self.count.fetch_add(1, Ordering::SeqCst);
        Subscription { hub: self.clone(), path: path.to_owned(), id }
    }

    /// Whether anybody follows this log.
    pub fn is_followed(&self, path: &str) -> bool {
        self.count.load(Ordering::SeqCst) > 0 && self.lock().followers.contains_key(path)
    }

    /// Calls everybody who follows this log.
    pub fn notify(&self, path: &str, change: Change) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let followers = self.lock().followers.get(path).cloned().unwrap_or_default();
        for (_, callback) in followers {
            callback(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut table = self.hub.lock();
        if let Some(followers) = table.followers.get_mut(&self.path) {
            followers.retain(|(id, _)| *id != self.id);
            if followers.is_empty() {
                table.followers.remove(&self.path);
            }
        }
        self.hub.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter() -> (Arc<AtomicUsize>, Callback) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        (calls, Arc::new(move |_| _ = counted.fetch_add(1, Ordering::SeqCst)))
    }

    #[test]
    fn only_followers_of_the_path_are_called_and_only_while_subscribed() {
        let hub = Arc::<FollowHub>::default();
        let (calls, callback) = counter();
        let (others, other) = counter();
        let first = hub.subscribe("/a", callback.clone());
        let second = hub.subscribe("/a", callback);
        let _third = hub.subscribe("/b", other);
        hub.notify("/a", Change::Grown);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        drop(first);
        hub.notify("/a", Change::Grown);
        assert_eq!(calls.load(Ordering::SeqCst), 3);
        drop(second);
        assert!(!hub.is_followed("/a"));
        hub.notify("/a", Change::Grown);
        assert_eq!(calls.load(Ordering::SeqCst), 3);
        assert!(hub.is_followed("/b"));
        assert_eq!(others.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_callback_may_unsubscribe() {
        let hub = Arc::<FollowHub>::default();
        let slot: Arc<Mutex<Option<Subscription>>> = Arc::default();
        let own = slot.clone();
        let subscription = hub.subscribe("/a", Arc::new(move |_| drop(own.lock().expect("unpoisoned").take())));
        *slot.lock().expect("unpoisoned") = Some(subscription);
        hub.notify("/a", Change::Grown);
        assert!(!hub.is_followed("/a"));
    }
}
