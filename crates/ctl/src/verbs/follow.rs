//! Following logs: `tail -f`, `maintail -f` and the output side of `fg`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use crate::client::{Channel, ClientError, LogStream, Stopper};
use crate::failure::{Failure, stream_error};
use crate::hints::HintRequest;
use crate::interrupt::HandlerGuard;
use crate::session::Session;
use crate::status;
use supervisord_wire::terminal_text::LogFilter;

pub(super) const HOW_TO_LEAVE: &str = "==> Press Ctrl-C to exit <==";

/// The capacity of the event queue. A slow terminal slows the connection down and uses no more memory.
const EVENT_QUEUE_CAPACITY: usize = 16;

/// A log that can be followed.
pub(super) enum Log<'a> {
    /// The daemon's activity log.
    Main,
    /// A log of a process.
    Process {
        /// The process, as the user named it.
        name: &'a str,
        /// Which log of the process.
        channel: Channel,
    },
}

impl Log<'_> {
    /// The path, as messages show it.
    fn path(&self) -> String {
        match self {
            Log::Main => "/mainlogtail".to_owned(),
            Log::Process { name, channel } => format!("/logtail/{name}/{}", channel.name()),
        }
    }

    /// Opens the stream; prints on standard error why that fails.
    pub(super) fn open(&self, session: &mut Session) -> Result<Option<LogStream>, Failure> {
        let path = self.path();
        let error = match session.client()?.follow(&percent_encoded(&path)) {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) => error,
        };
        let reason = match &error {
            ClientError::Status { code, .. } => format!("Cannot read, status code {code}"),
            error => format!("Cannot connect, error: {}", stream_error(error)),
        };
        session.console.print_error(format_args!("{}{path} {reason}", session.settings.server_url));
        if let (Log::Process { name, channel }, ClientError::Status { .. }) = (self, &error) {
            session.hints.push(HintRequest::no_log(name, *channel));
        }
        Ok(None)
    }
}

/// Prints new output of a log, until Ctrl-C or until the daemon ends the stream.
pub(super) fn follow(session: &mut Session, log: &Log<'_>) -> Result<(), Failure> {
    session.print(HOW_TO_LEAVE);
    let Some(stream) = log.open(session)? else {
        session.set_exit_status(status::GENERIC);
        return Ok(());
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let (flag, stopper) = (Arc::clone(&interrupted), stream.stopper());
    let _handled = session.interrupts.handle(move || {
        flag.store(true, Ordering::SeqCst);
        stopper.stop();
    })?;
    let mut filter = session.console.log_filter();
    // A broken stream counts as ended: the original does not distinguish them.
    for piece in stream.map_while(Result::ok) {
        session.console.raw(&filtered(&mut filter, piece));
        if interrupted.load(Ordering::SeqCst) || session.console.is_closed() {
            break;
        }
    }
    if interrupted.load(Ordering::SeqCst) {
        session.print("");
    }
    Ok(())
}

fn filtered(filter: &mut Option<LogFilter>, piece: Bytes) -> Bytes {
    match filter {
        Some(filter) => filter.pass(&piece).into(),
        None => piece,
    }
}

/// An event while a process is in the foreground.
pub(super) enum ForegroundEvent {
    /// A chunk of a log.
    Chunk(Bytes),
    /// A log ended.
    StreamEnded,
    /// A line of input, without its end.
    Line(String),
    /// The end of the input.
    InputEnded,
    /// Ctrl-C.
    Interrupted,
    /// No event within the given time.
    Timeout,
}

/// The queue of all events while a process is in the foreground.
pub(super) struct ForegroundEvents {
    sender: SyncSender<ForegroundEvent>,
    queue: Receiver<ForegroundEvent>,
    interrupted: Arc<AtomicBool>,
    _handled: HandlerGuard,
}

impl ForegroundEvents {
    /// Takes over Ctrl-C.
    pub(super) fn new(session: &Session) -> Result<ForegroundEvents, Failure> {
        let (sender, queue) = sync_channel(EVENT_QUEUE_CAPACITY);
        let interrupted = Arc::new(AtomicBool::new(false));
        let wake = sender.clone();
        let flag = Arc::clone(&interrupted);
        let _handled = session.interrupts.handle(move || {
            flag.store(true, Ordering::SeqCst);
            // A receiver with a full queue is awake already.
            drop(wake.try_send(ForegroundEvent::Timeout));
        })?;
        Ok(ForegroundEvents { sender, queue, interrupted, _handled })
    }

    /// The sending end for other threads. Sending fails when the receiver is gone.
    pub(super) fn sender(&self) -> SyncSender<ForegroundEvent> {
        self.sender.clone()
    }

    /// Sends the filtered chunks of a stream to the queue, until the returned guard is dropped.
    pub(super) fn follow(&self, stream: LogStream, mut filter: Option<LogFilter>) -> Result<StopOnDrop, Failure> {
        let stopper = stream.stopper();
        let sender = self.sender();
        thread::Builder::new().name("log".into()).spawn(move || {
            // A broken stream counts as ended: the original does not distinguish them.
            for piece in stream.map_while(Result::ok) {
                if sender.send(ForegroundEvent::Chunk(filtered(&mut filter, piece))).is_err() {
                    return;
                }
            }
            drop(sender.send(ForegroundEvent::StreamEnded));
        })?;
        Ok(StopOnDrop(stopper))
    }

    /// Waits for the next event, with an optional time limit.
    pub(super) fn next(&self, wait: Option<Duration>) -> ForegroundEvent {
        let event = match wait {
            None => self.queue.recv().unwrap_or(ForegroundEvent::StreamEnded),
            Some(wait) => match self.queue.recv_timeout(wait) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => ForegroundEvent::Timeout,
                Err(RecvTimeoutError::Disconnected) => ForegroundEvent::StreamEnded,
            },
        };
        if self.interrupted.load(Ordering::SeqCst) { ForegroundEvent::Interrupted } else { event }
    }
}

/// Ends a stream when dropped.
pub(super) struct StopOnDrop(Stopper);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The path as a request line can contain it. Percent signs stay, because the daemon decodes them.
fn percent_encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'!' | b'$' | b'%' | b'&'..=b';' | b'=' | b'@'..=b'Z' | b'_' | b'a'..=b'z' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let log = Log::Process { name: "grp:g1", channel: Channel::Stderr };
        assert_eq!(log.path(), "/logtail/grp:g1/stderr");
        assert_eq!(Log::Main.path(), "/mainlogtail");
    }

    #[test]
    fn paths_are_encoded_for_the_request_line() {
        assert_eq!(percent_encoded("/logtail/grp:g_1-a.b%41"), "/logtail/grp:g_1-a.b%41");
        assert_eq!(percent_encoded("ü?#[ "), "%C3%BC%3F%23%5B%20");
    }
}
