//! Questions to the system that may not be answered for a long time: for files on a dead disk, for names that a dead name
//! server knows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use supervisord_sys::Errno;
use tokio::sync::{Mutex, oneshot};
use tokio::task::spawn_local;

use crate::blocking::BlockingThreads;

/// Asks questions on threads of their own, each subject one question at a time: what hangs costs one thread.
pub(super) struct BlockingQuestions {
    threads: BlockingThreads,
    /// The subjects that are being asked about.
    subjects: RefCell<HashMap<String, Arc<Mutex<()>>>>,
}

impl BlockingQuestions {
    /// Asks them on these threads.
    pub(super) fn new(threads: BlockingThreads) -> BlockingQuestions {
        BlockingQuestions { threads, subjects: RefCell::default() }
    }

    /// The answer to a question about `subject`. Whoever stops waiting for it leaves the question to itself.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        subject: &str,
        question: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let turn = {
            let mut subjects = self.subjects.borrow_mut();
            subjects.retain(|_, turn| Arc::strong_count(turn) > 1);
            subjects.entry(subject.to_owned()).or_default().clone()
        };
        let turn = turn.lock_owned().await;
        let (give, answer) = oneshot::channel();
        let threads = self.threads.clone();
        spawn_local(async move {
            let result = threads.run(question).await;
            drop(turn);
            let _ = give.send(result);
        });
        match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("nobody answered".to_owned()),
        }
    }

    /// Whether a file exists.
    pub(super) async fn ask_for_file(&self, path: &str) -> Result<(), String> {
        let file = path.to_owned();
        let look = move || fs::metadata(&file).map(drop).map_err(|error| format!("{file}: {}", Errno::from(error)));
        self.ask(path, look).await
    }
    /// A connection to a unix socket, which is looked up on a disk. It does not wait for a server that has no room.
    pub(super) async fn connect(&self, path: &str) -> Result<io::Result<UnixStream>, String> {
        let socket = path.to_owned();
        let connect = move || Ok(mio::net::UnixStream::connect(socket).map(|stream| OwnedFd::from(stream).into()));
        self.ask(path, connect).await
    }
}
