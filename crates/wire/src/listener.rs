//! The protocol of event listeners on their stdout: `READY` requests an event, `RESULT length` and that many bytes
//! answer it. The original documents it in its chapter "Events".

use crate::number::int_from_text;

/// The protocol state of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerState {
    /// Waiting for an event.
    Ready,
    /// Processing an event.
    Busy,
    /// Not ready for an event: after its start, or after a result.
    Acknowledged,
    /// It violated the protocol and gets no more events before its next start.
    Unknown,
}

impl ListenerState {
    /// The state's number for plug-ins.
    pub const fn code(self) -> i32 {
        match self {
            ListenerState::Ready => 10,
            ListenerState::Busy => 20,
            ListenerState::Acknowledged => 30,
            ListenerState::Unknown => 40,
        }
    }

    /// The name in log lines.
    pub const fn name(self) -> &'static str {
        match self {
            ListenerState::Ready => "READY",
            ListenerState::Busy => "BUSY",
            ListenerState::Acknowledged => "ACKNOWLEDGED",
            ListenerState::Unknown => "UNKNOWN",
        }
    }
}

impl std::fmt::Display for ListenerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A parsed message of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerOutput {
    /// It is ready for an event; the state is READY.
    Ready,
    /// Its result for the current event. [`ListenerProtocol::judged`] must follow; the state is still BUSY.
    Result(Vec<u8>),
    /// It answered its event with this line (without line feed), which is not a result. The state is UNKNOWN.
    BadResultLine(Vec<u8>),
    /// It wrote something without having an event; the state is UNKNOWN.
    ProtocolError,
    /// The parser is in step again after it missed output: the listener is ready for an event, after it wrote these
    /// bytes; the state is READY. The result of its last event, if any, is lost, at least in part.
    Resynchronized(Vec<u8>),
}

/// Whether the parser has seen all output of the listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    #[default]
    Complete,
    /// Probably all of it: an unexpected message means that output was missed.
    Uncertain,
    /// Output was missed, so nothing can be parsed before the listener is ready for an event.
    Incomplete,
}

/// The longest result, in bytes. The original has no limit; here a longer result is a bad result line.
pub const MAX_RESULT: usize = 1 << 20;

/// The longest result line, in bytes; a longer one is truncated to this and is a bad result line.
pub const MAX_RESULT_LINE: usize = 4096;

const READY_TOKEN: &[u8] = b"READY\n";

/// The number of bytes before the length in a result line. As in the original, their values do not matter.
const RESULT_PREFIX: usize = b"RESULT ".len();

/// The protocol of one run of a listener.
///
/// Takes bytes with [`feed`](ListenerProtocol::feed) and returns messages from [`next_output`](ListenerProtocol::next_output), until it
/// returns none. The result does not depend on how the bytes are split, except where the protocol itself does: bytes
/// after `READY` and before an event violate it, later bytes belong to the answer.
#[derive(Clone, Debug)]
pub struct ListenerProtocol {
    state: ListenerState,
    buffer: Vec<u8>,
    /// The length of the incomplete result.
    result_length: Option<usize>,
    /// A result was returned, and [`ListenerProtocol::judged`] has not followed.
    judging: bool,
    completeness: Completeness,
}

/// The protocol of one run as plain data, for whoever stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerData {
    /// The protocol state.
    pub state: ListenerState,
    /// Output that is no complete message yet.
    pub buffer: Vec<u8>,
    /// The length of the incomplete result.
    pub result_length: Option<usize>,
    /// Whether a result was returned and has not been judged.
    pub judging: bool,
    /// Whether the parser has seen all output.
    pub completeness: Completeness,
}

impl From<ListenerData> for ListenerProtocol {
    fn from(data: ListenerData) -> ListenerProtocol {
        let ListenerData { state, buffer, result_length, judging, completeness } = data;
        ListenerProtocol { state, buffer, result_length, judging, completeness }
    }
}

impl From<ListenerProtocol> for ListenerData {
    fn from(listener: ListenerProtocol) -> ListenerData {
        let ListenerProtocol { state, buffer, result_length, judging, completeness } = listener;
        ListenerData { state, buffer, result_length, judging, completeness }
    }
}

impl Default for ListenerProtocol {
    fn default() -> ListenerProtocol {
        ListenerProtocol::new()
    }
}

impl ListenerProtocol {
    /// A listener that has just been started.
    pub fn new() -> ListenerProtocol {
        ListenerProtocol {
            state: ListenerState::Acknowledged,
            buffer: Vec::new(),
            result_length: None,
            judging: false,
            completeness: Completeness::Complete,
        }
    }

    /// A listener whose history is unknown, and which is presumed to wait for an event.
    pub fn presumed_ready() -> ListenerProtocol {
        ListenerProtocol { state: ListenerState::Ready, ..ListenerProtocol::new() }
    }

    /// Notes a take-over of the listener: earlier output of it, or an event sent to it, may have been missed.
    pub fn output_may_be_missing(&mut self) {
        if self.completeness == Completeness::Complete {
            self.completeness = Completeness::Uncertain;
        }
    }

    /// Whether output was missed, so that the listener counts as BUSY until it is ready for an event.
    pub fn is_output_missing(&self) -> bool {
        self.completeness == Completeness::Incomplete
    }

    /// The protocol state.
    pub fn state(&self) -> ListenerState {
        self.state
    }

    /// Adds output of the listener. If all messages are taken between two calls, the buffer holds at most one
    /// incomplete result and the bytes after it.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.state != ListenerState::Unknown {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next message; none when it is incomplete, or a result has not been judged.
    pub fn next_output(&mut self) -> Option<ListenerOutput> {
        match self.completeness {
            Completeness::Complete => self.parse_next(),
            Completeness::Incomplete => self.resynchronize(),
            Completeness::Uncertain => {
                let before = self.clone();
                let output = self.parse_next();
                if self.state != ListenerState::Unknown || before.state == ListenerState::Unknown {
                    return output;
                }
                *self =
                    ListenerProtocol { state: ListenerState::Busy, completeness: Completeness::Incomplete, ..before };
                self.resynchronize()
            }
        }
    }

    fn resynchronize(&mut self) -> Option<ListenerOutput> {
        if !self.buffer.ends_with(READY_TOKEN) {
            let excess = self.buffer.len().saturating_sub(MAX_RESULT);
            self.buffer.drain(..excess);
            return None;
        }
        let mut said = std::mem::take(self).buffer;
        said.truncate(said.len() - READY_TOKEN.len());
        self.state = ListenerState::Ready;
        Some(ListenerOutput::Resynchronized(said))
    }

    fn parse_next(&mut self) -> Option<ListenerOutput> {
        match self.state {
            ListenerState::Acknowledged => self.acknowledged(),
            ListenerState::Ready if self.buffer.is_empty() => None,
            ListenerState::Ready => Some(self.end_protocol(ListenerOutput::ProtocolError)),
            ListenerState::Busy if self.judging => None,
            ListenerState::Busy => self.busy(),
            ListenerState::Unknown => None,
        }
    }

    /// An event was sent to the listener, which must be READY.
    pub fn sent(&mut self) {
        debug_assert_eq!(self.state, ListenerState::Ready, "only a ready listener is sent an event");
        self.state = ListenerState::Busy;
    }

    /// The result was processed, accepted or rejected. `handled` is false when the handler itself failed; then the
    /// listener gets no more events.
    pub fn judged(&mut self, handled: bool) {
        if !std::mem::take(&mut self.judging) {
            return;
        }
        if handled {
            self.state = ListenerState::Acknowledged;
        } else {
            self.end_protocol(ListenerOutput::ProtocolError);
        }
    }

    fn acknowledged(&mut self) -> Option<ListenerOutput> {
        // The original waits for the whole token even if the first byte is wrong already.
        if self.buffer.len() < READY_TOKEN.len() {
            return None;
        }
        if !self.buffer.starts_with(READY_TOKEN) {
            return Some(self.end_protocol(ListenerOutput::ProtocolError));
        }
        self.buffer.drain(..READY_TOKEN.len());
        self.state = ListenerState::Ready;
        Some(ListenerOutput::Ready)
    }

    fn busy(&mut self) -> Option<ListenerOutput> {
        let length = match self.result_length {
            Some(length) => length,
            None => match self.take_result_line()? {
                Ok(length) => length,
                Err(line) => return Some(self.end_protocol(ListenerOutput::BadResultLine(line))),
            },
        };
        if self.buffer.len() < length {
            self.result_length = Some(length);
            return None;
        }
        self.result_length = None;
        self.judging = true;
        Some(ListenerOutput::Result(self.buffer.drain(..length).collect()))
    }

    /// The length in a complete result line, or the line if it has none; none while it is incomplete.
    fn take_result_line(&mut self) -> Option<Result<usize, Vec<u8>>> {
        let scanned = &self.buffer[..self.buffer.len().min(MAX_RESULT_LINE)];
        let Some(end) = scanned.iter().position(|byte| *byte == b'\n') else {
            return (self.buffer.len() >= MAX_RESULT_LINE).then(|| Err(scanned.to_vec()));
        };
        let line = self.buffer[..end].to_vec();
        self.buffer.drain(..=end);
        Some(parse_length(&line).ok_or(line))
    }

    fn end_protocol(&mut self, output: ListenerOutput) -> ListenerOutput {
        self.state = ListenerState::Unknown;
        self.buffer = Vec::new();
        self.result_length = None;
        self.judging = false;
        output
    }
}

fn parse_length(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line.get(RESULT_PREFIX..)?).ok()?;
    let length = usize::try_from(int_from_text(text)?).ok()?;
    (length <= MAX_RESULT).then_some(length)
}

#[cfg(test)]
mod tests;
