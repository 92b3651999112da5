//! Every open log, one per path: streams and the activity log that name the same path share it, because two handles
//! on one file would write over each other when it is rotated.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_core::rotation::Rotation;

use super::sink::Sink;
use crate::follow::FollowHub;

/// Names an open log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SinkId(usize);

/// Something about a log that belongs into the activity log.
#[derive(Debug)]
pub(super) struct Notice {
    /// The log it is about.
    pub sink: SinkId,
    pub level: LogLevel,
    pub text: String,
}

/// The open logs.
pub(super) struct Sinks {
    open: HashMap<SinkId, Shared>,
    by_path: HashMap<String, SinkId>,
    next: usize,
    notices: Vec<Notice>,
    follow: Arc<FollowHub>,
}

struct Shared {
    sink: Sink,
    users: usize,
}

impl Sinks {
    pub fn new(follow: Arc<FollowHub>) -> Sinks {
        Sinks { open: HashMap::new(), by_path: HashMap::new(), next: 0, notices: Vec::new(), follow }
    }

    /// One more user of the log at `path`, which is opened if it was not.
    pub fn acquire(&mut self, path: &str) -> io::Result<SinkId> {
        if let Some(id) = self.by_path.get(path) {
            if let Some(shared) = self.open.get_mut(id) {
                shared.users += 1;
            }
            return Ok(*id);
        }
        let sink = Sink::open(path)?;
        let id = SinkId(self.next);
        self.next += 1;
        self.open.insert(id, Shared { sink, users: 1 });
        self.by_path.insert(path.to_owned(), id);
        Ok(id)
    }

    /// One user less; the last one closes the log.
    pub fn release(&mut self, id: SinkId) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        shared.users -= 1;
        if shared.users == 0
            && let Some(mut closed) = self.open.remove(&id)
        {
            self.by_path.remove(closed.sink.path());
            let account = closed.sink.close();
            self.note(id, account);
        }
    }

    /// Writes one record and rotates the log if that made it long enough.
    pub fn write(&mut self, id: SinkId, bytes: &[u8], rotation: Rotation) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        let notices = shared.sink.write(bytes, rotation);
        self.follow.notify(shared.sink.path());
        self.note(id, notices);
    }

    /// Opens every log again at its path.
    pub fn reopen_all(&mut self) {
        let ids: Vec<SinkId> = self.open.keys().copied().collect();
        for id in ids {
            self.reopen(id);
        }
    }

    /// Opens one log again at its path; when that fails, the old file stays in use.
    pub fn reopen(&mut self, id: SinkId) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        let notices = shared.sink.reopen();
        self.follow.notify(shared.sink.path());
        self.note(id, notices);
    }

    /// Empties the log at `path`, open or not. What is not a regular file stays as it is.
    pub fn clear(&mut self, path: &str) -> io::Result<()> {
        let open = self.by_path.get(path).and_then(|id| self.open.get_mut(id));
        let cleared = match open {
            Some(shared) => shared.sink.clear(),
            None => empty(path),
        };
        self.follow.notify(path);
        cleared
    }

    /// Takes what has to be said, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        mem::take(&mut self.notices)
    }

    fn note(&mut self, sink: SinkId, texts: Vec<(LogLevel, String)>) {
        self.notices.extend(texts.into_iter().map(|(level, text)| Notice { sink, level, text }));
    }
}

/// Empties a file that nobody has open.
fn empty(path: &str) -> io::Result<()> {
    let done = match fs::metadata(path) {
        Ok(there) if there.is_file() => fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0)),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
