//! A log that one client follows: what has changed of it, and how much of it has to be looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use super::follower::{FollowStep, LogPosition};
use super::reader::LogReader;
use crate::blocking::BlockingThreads;
use crate::follow::{Change, FollowHub, Subscription};
use crate::network::reply::Broken;

/// Changes of a log, from its first moment on.
pub(super) struct Changes {
    state: Arc<ChangeState>,
    _subscription: Subscription,
}

#[derive(Default)]
struct ChangeState {
    any: Notify,
    is_replaced: AtomicBool,
}

impl Changes {
    pub(super) fn of(hub: &Arc<FollowHub>, log: &str) -> Changes {
        let state = Arc::new(ChangeState::default());
        let noted = state.clone();
        let subscription = hub.subscribe(
            log,
            Arc::new(move |change| {
                if change == Change::Replaced {
                    noted.is_replaced.store(true, Ordering::SeqCst);
                }
                noted.any.notify_one();
            }),
        );
        Changes { state, _subscription: subscription }
    }
}

/// A log that one client follows.
pub(super) struct FollowedLog {
    /// `None` while another thread has it.
    reader: Option<LogReader>,
    changes: Changes,
    blocking: BlockingThreads,
    scope: Scope,
}

/// How much of a log has to be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The end of the file: it has grown, as far as is known.
    End,
    /// The end of the file, of which a part was read since it changed last.
    Rest,
    /// Nothing: everything was read that was there when it changed last.
    Nothing,
    /// Everything: the file may have been replaced or emptied.
    All,
}

impl FollowedLog {
    pub(super) fn new(reader: LogReader, changes: Changes, blocking: BlockingThreads) -> FollowedLog {
        FollowedLog { reader: Some(reader), changes, blocking, scope: Scope::All }
    }

    /// What can be read without waiting for a disk, on this thread; `None` if only a full check can tell.
    fn read_cached(&mut self) -> Option<Bytes> {
        if self.scope == Scope::Nothing {
            return Some(Bytes::new());
        }
        let (bytes, is_at_end) = self.reader.as_mut()?.read_cached()?;
        if bytes.is_empty() && self.scope == Scope::End {
            // It is said to have grown: it may have been emptied before.
            return None;
        }
        self.scope = if is_at_end { Scope::Nothing } else { Scope::Rest };
        Some(bytes)
    }

    async fn check(&mut self) -> Result<FollowStep, Broken> {
        let mut reader = self.reader.take().ok_or(Broken)?;
        let checked = self.blocking.run(move || {
            let step = reader.next();
            (reader, step)
        });
        let (reader, step) = checked.await.map_err(|_| Broken)?;
        self.reader = Some(reader);
        step.map_err(|_| Broken)
    }

    /// What comes next; `None` if there is nothing more at present.
    pub(super) async fn step(&mut self) -> Result<Option<FollowStep>, Broken> {
        if self.changes.state.is_replaced.swap(false, Ordering::SeqCst) {
            self.scope = Scope::All;
        }
        if self.scope != Scope::All
            && let Some(bytes) = self.read_cached()
        {
            return Ok((!bytes.is_empty()).then_some(FollowStep::Piece(bytes)));
        }
        self.scope = Scope::All;
        Ok(Some(self.check().await?).filter(|step| *step != FollowStep::AtEnd))
    }

    /// Where the next byte is read.
    pub(super) fn position(&self) -> Option<LogPosition> {
        self.reader.as_ref().map(LogReader::position)
    }

    /// Returns when there may be more to read.
    pub(super) async fn changed(&mut self) {
        self.changes.state.any.notified().await;
        self.scope = Scope::End;
    }

    pub(super) fn recheck(&mut self) {
        self.scope = Scope::All;
    }
}
