//! Following logs: `tail -f`, `maintail -f` and the output side of `fg`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use crate::client::{Channel, ClientError, LogStream, Stopper};
use crate::doubts::Doubt;
use crate::failure::{Failure, stream_error};
use crate::interrupt::Handled;
use crate::session::Session;
use crate::status;
use supervisord_wire::harmless::LogFilter;

pub(super) const HOW_TO_LEAVE: &str = "==> Press Ctrl-C to exit <==";

/// How many happenings wait to be dealt with. A slow terminal holds back the connection, not memory.
const BACKLOG: usize = 16;

/// A log that can be followed.
pub(super) enum Log<'a> {
    /// The daemon's own.
    Main,
    /// One of a process.
    Process {
        /// The process, as people name it.
        name: &'a str,
        /// Which of its logs.
        channel: Channel,
    },
}

impl Log<'_> {
    /// The path as messages show it.
    fn path(&self) -> String {
        match self {
            Log::Main => "/mainlogtail".to_owned(),
            Log::Process { name, channel } => format!("/logtail/{name}/{}", channel.name()),
        }
    }

    /// Opens the stream; says on standard error why it cannot be opened.
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
        session.console.complain(format_args!("{}{path} {reason}", session.settings.server_url));
        if let (Log::Process { name, channel }, ClientError::Status { .. }) = (self, &error) {
            session.doubts.push(Doubt::no_log(name, *channel));
        }
        Ok(None)
    }
}

/// Shows a log from now on, until Ctrl-C or until the daemon ends the stream.
pub(super) fn follow(session: &mut Session, log: &Log<'_>) -> Result<(), Failure> {
    session.say(HOW_TO_LEAVE);
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
    // A stream that breaks is one that ended: the original does not tell them apart.
    for piece in stream.map_while(Result::ok) {
        session.console.raw(&filtered(&mut filter, piece));
        if interrupted.load(Ordering::SeqCst) || session.console.is_lost() {
            break;
        }
    }
    if interrupted.load(Ordering::SeqCst) {
        session.say("");
    }
    Ok(())
}

fn filtered(filter: &mut Option<LogFilter>, piece: Bytes) -> Bytes {
    match filter {
        Some(filter) => filter.pass(&piece).into(),
        None => piece,
    }
}

/// What can happen while a process is in the foreground.
pub(super) enum Happening {
    /// A piece of a log.
    Piece(Bytes),
    /// A log ended.
    StreamEnded,
    /// A line of input, without its end.
    Line(String),
    /// The end of the input.
    InputEnded,
    /// Ctrl-C.
    Interrupted,
    /// Nothing within the given time.
    Nothing,
}

/// Everything that happens while a process is in the foreground, in one queue.
pub(super) struct Happenings {
    sender: SyncSender<Happening>,
    queue: Receiver<Happening>,
    interrupted: Arc<AtomicBool>,
    _handled: Handled,
}

impl Happenings {
    /// Takes over Ctrl-C.
    pub(super) fn new(session: &Session) -> Result<Happenings, Failure> {
        let (sender, queue) = sync_channel(BACKLOG);
        let interrupted = Arc::new(AtomicBool::new(false));
        let wake = sender.clone();
        let flag = Arc::clone(&interrupted);
        let _handled = session.interrupts.handle(move || {
            flag.store(true, Ordering::SeqCst);
            // A full queue needs no waking.
            drop(wake.try_send(Happening::Nothing));
        })?;
        Ok(Happenings { sender, queue, interrupted, _handled })
    }

    /// Where other threads report to. Sending fails when nobody listens any more.
    pub(super) fn sender(&self) -> SyncSender<Happening> {
        self.sender.clone()
    }

    /// Reports what a stream brings and the filter lets through, until the returned value is dropped.
    pub(super) fn follow(&self, stream: LogStream, mut filter: Option<LogFilter>) -> Result<StopOnDrop, Failure> {
        let stopper = stream.stopper();
        let sender = self.sender();
        thread::Builder::new().name("log".into()).spawn(move || {
            // A stream that breaks is one that ended: the original does not tell them apart.
            for piece in stream.map_while(Result::ok) {
                if sender.send(Happening::Piece(filtered(&mut filter, piece))).is_err() {
                    return;
                }
            }
            drop(sender.send(Happening::StreamEnded));
        })?;
        Ok(StopOnDrop(stopper))
    }

    /// Waits for what happens next, for ever or so long.
    pub(super) fn next(&self, wait: Option<Duration>) -> Happening {
        let happening = match wait {
            None => self.queue.recv().unwrap_or(Happening::StreamEnded),
            Some(wait) => match self.queue.recv_timeout(wait) {
                Ok(happening) => happening,
                Err(RecvTimeoutError::Timeout) => Happening::Nothing,
                Err(RecvTimeoutError::Disconnected) => Happening::StreamEnded,
            },
        };
        if self.interrupted.load(Ordering::SeqCst) { Happening::Interrupted } else { happening }
    }
}

/// Ends a stream when dropped.
pub(super) struct StopOnDrop(Stopper);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A path as a request line can carry it. Percent signs stay: the daemon decodes them.
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
    fn what_a_request_line_cannot_carry_is_encoded() {
        assert_eq!(percent_encoded("/logtail/grp:g_1-a.b%41"), "/logtail/grp:g_1-a.b%41");
        assert_eq!(percent_encoded("ü?#[ "), "%C3%BC%3F%23%5B%20");
    }
}
