//! The protocol an event listener speaks on its stdout: `READY` when it wants an event, then
//! `RESULT length` with that many bytes for the one it got.

use serde::{Deserialize, Serialize};

use crate::number::int_from_text;

/// What a listener is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ListenerState {
    /// Waiting for an event.
    Ready,
    /// Working on one.
    Busy,
    /// Not yet ready for the first or the next one.
    Acknowledged,
    /// It broke the protocol and gets no more events until it is started again.
    Unknown,
}

impl ListenerState {
    /// The number plug-ins see.
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

/// What a listener said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerOutput {
    /// It wants an event; the state is READY.
    Ready,
    /// Its result for the event it has. [`Listener::judged`] must follow; the state is still BUSY.
    Result(Vec<u8>),
    /// It has an event and said something else than a result: this line, without its line feed. The state is UNKNOWN.
    BadResultLine(Vec<u8>),
    /// It spoke out of turn without having an event; the state is UNKNOWN.
    ProtocolError,
    /// It wants an event, and has said this before; the state is READY. Whatever it was about has been missed, at least
    /// in part.
    CaughtUp(Vec<u8>),
}

/// What is known of the conversation so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Knowledge {
    /// All of it.
    #[default]
    Sure,
    /// All of it, probably: a word out of turn means that something was missed.
    Doubtful,
    /// Something was missed, so that nothing can be understood before the listener wants an event.
    Missed,
}

/// The longest result, in bytes. The original has no limit; a longer one is a bad result line here.
pub const MAX_RESULT: usize = 1 << 20;

/// The longest line that announces a result, in bytes; a longer one is cut there and is a bad result line.
pub const MAX_RESULT_LINE: usize = 4096;

const READY_TOKEN: &[u8] = b"READY\n";

/// How many bytes stand before the length in a result line. Which bytes does not matter.
const RESULT_PREFIX: usize = b"RESULT ".len();

/// One life of one listener.
///
/// Bytes go in with [`feed`](Listener::feed), and what they mean comes out of
/// [`next_output`](Listener::next_output), until it gives none. It makes no difference how the bytes are cut,
/// apart from what is true in the protocol itself: bytes that follow `READY` before an event was sent break it,
/// bytes that come after are part of the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listener {
    state: ListenerState,
    buffer: Vec<u8>,
    /// The length of the result that is being received.
    result_length: Option<usize>,
    /// A result is out and has not been judged.
    judging: bool,
    #[serde(default)]
    knowledge: Knowledge,
}

impl Default for Listener {
    fn default() -> Listener {
        Listener::new()
    }
}

impl Listener {
    /// A listener that has just been started.
    pub fn new() -> Listener {
        Listener {
            state: ListenerState::Acknowledged,
            buffer: Vec::new(),
            result_length: None,
            judging: false,
            knowledge: Knowledge::Sure,
        }
    }

    /// A listener of which nothing is known but that it waits for an event.
    pub fn presumed_ready() -> Listener {
        Listener { state: ListenerState::Ready, ..Listener::new() }
    }

    /// From now on the listener is somebody else's, who may have missed its last words, or what was said to it.
    pub fn doubt(&mut self) {
        if self.knowledge == Knowledge::Sure {
            self.knowledge = Knowledge::Doubtful;
        }
    }

    /// Whether something was missed, so that it counts as BUSY until it wants an event.
    pub fn has_missed(&self) -> bool {
        self.knowledge == Knowledge::Missed
    }

    /// What it is doing.
    pub fn state(&self) -> ListenerState {
        self.state
    }

    /// Adds bytes the listener wrote. What is kept is at most one unfinished result and what came with its end,
    /// provided that all output is taken between two calls.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.state != ListenerState::Unknown {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next thing the listener said; none when it has to say more first, or its result has to be judged first.
    pub fn next_output(&mut self) -> Option<ListenerOutput> {
        match self.knowledge {
            Knowledge::Sure => self.understand(),
            Knowledge::Missed => self.catch_up(),
            Knowledge::Doubtful => {
                let before = self.clone();
                let output = self.understand();
                if self.state != ListenerState::Unknown || before.state == ListenerState::Unknown {
                    return output;
                }
                *self = Listener { state: ListenerState::Busy, knowledge: Knowledge::Missed, ..before };
                self.catch_up()
            }
        }
    }

    fn catch_up(&mut self) -> Option<ListenerOutput> {
        if !self.buffer.ends_with(READY_TOKEN) {
            let excess = self.buffer.len().saturating_sub(MAX_RESULT);
            self.buffer.drain(..excess);
            return None;
        }
        let mut said = std::mem::take(self).buffer;
        said.truncate(said.len() - READY_TOKEN.len());
        self.state = ListenerState::Ready;
        Some(ListenerOutput::CaughtUp(said))
    }

    fn understand(&mut self) -> Option<ListenerOutput> {
        match self.state {
            ListenerState::Acknowledged => self.acknowledged(),
            ListenerState::Ready if self.buffer.is_empty() => None,
            ListenerState::Ready => Some(self.give_up(ListenerOutput::ProtocolError)),
            ListenerState::Busy if self.judging => None,
            ListenerState::Busy => self.busy(),
            ListenerState::Unknown => None,
        }
    }

    /// An event was sent to it, which is READY.
    pub fn sent(&mut self) {
        debug_assert_eq!(self.state, ListenerState::Ready, "only a ready listener is sent an event");
        self.state = ListenerState::Busy;
    }

    /// Its result was looked at: `handled` is false when the handler itself failed, which ends the conversation.
    /// Accepting and rejecting are the same here.
    pub fn judged(&mut self, handled: bool) {
        if !std::mem::take(&mut self.judging) {
            return;
        }
        if handled {
            self.state = ListenerState::Acknowledged;
        } else {
            self.give_up(ListenerOutput::ProtocolError);
        }
    }

    fn acknowledged(&mut self) -> Option<ListenerOutput> {
        // The original waits for the whole token even where the first byte is wrong already.
        if self.buffer.len() < READY_TOKEN.len() {
            return None;
        }
        if !self.buffer.starts_with(READY_TOKEN) {
            return Some(self.give_up(ListenerOutput::ProtocolError));
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
                Err(line) => return Some(self.give_up(ListenerOutput::BadResultLine(line))),
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

    /// The length a complete line announces, or a line that announces none; nothing while it is incomplete.
    fn take_result_line(&mut self) -> Option<Result<usize, Vec<u8>>> {
        let scanned = &self.buffer[..self.buffer.len().min(MAX_RESULT_LINE)];
        let Some(end) = scanned.iter().position(|byte| *byte == b'\n') else {
            return (self.buffer.len() >= MAX_RESULT_LINE).then(|| Err(scanned.to_vec()));
        };
        let line = self.buffer[..end].to_vec();
        self.buffer.drain(..=end);
        Some(announced_length(&line).ok_or(line))
    }

    fn give_up(&mut self, output: ListenerOutput) -> ListenerOutput {
        self.state = ListenerState::Unknown;
        self.buffer = Vec::new();
        self.result_length = None;
        self.judging = false;
        output
    }
}

fn announced_length(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line.get(RESULT_PREFIX..)?).ok()?;
    let length = usize::try_from(int_from_text(text)?).ok()?;
    (length <= MAX_RESULT).then_some(length)
}

#[cfg(test)]
mod tests;
