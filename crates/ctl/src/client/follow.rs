//! A followed log: the endless answer of `/logtail` and `/mainlogtail`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Notify;

use super::connection::{OpenBody, broken};
use super::error::ClientError;

/// An open log stream.
pub struct LogStream {
    answer: OpenBody,
    stopped: Arc<Notify>,
}

/// Ends a [`LogStream`] from another thread.
#[derive(Clone, Default)]
pub struct Stopper(pub(super) Arc<Notify>);

impl Stopper {
    /// Ends the stream, even while another thread is blocked in [`LogStream::next`].
    pub fn stop(&self) {
        self.0.notify_one();
    }

    /// Whether there is still a stream to end.
    pub(super) fn has_stream(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl LogStream {
    pub(super) fn new(answer: OpenBody) -> LogStream {
        LogStream { answer, stopped: Arc::new(Notify::new()) }
    }

    /// A handle that ends this stream.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stopped))
    }

    /// Waits for the next chunk no longer than this: the error says that the time is over.
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<Result<Bytes, ClientError>>, StillOpen> {
        let LogStream { answer: OpenBody { runtime, io, body, .. }, stopped } = self;
        let next = io.until(next_chunk(body, stopped));
        runtime.block_on(async { tokio::time::timeout(limit, next).await.map_err(|_| StillOpen) })
    }
}

/// There was no chunk in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillOpen;

impl Iterator for LogStream {
    type Item = Result<Bytes, ClientError>;

    /// Waits for the next chunk of the log: raw bytes, which may begin and end inside a character. None when the daemon
    /// ended the stream regularly, or it was stopped.
    fn next(&mut self) -> Option<Result<Bytes, ClientError>> {
        let LogStream { answer: OpenBody { runtime, io, body, .. }, stopped } = self;
        runtime.block_on(io.until(next_chunk(body, stopped)))
    }
}

async fn next_chunk(body: &mut Incoming, stopped: &Notify) -> Option<Result<Bytes, ClientError>> {
    loop {
        let frame = tokio::select! {
            biased;
            () = stopped.notified() => return None,
            frame = body.frame() => frame?,
        };
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_trailers)) => {}
            Err(error) => return Some(Err(broken(error))),
        }
    }
}
