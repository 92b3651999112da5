//! Streams of server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::collections::VecDeque;
use std::time::Duration;

use super::error::ClientError;
use super::follow::{LogStream, StillOpen, Stopper};

/// The longest line that is taken, in bytes: a piece of 64 KiB of a log, of which JSON may make six times as much.
const MAX_LINE_BYTES: usize = 1 << 20;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// The id to send back in order to go on after this event; empty where there has been none.
    pub id: String,
    /// What has happened. Empty for a block that only says where the stream stands.
    pub name: String,
    /// The data, usually JSON.
    pub data: String,
}

/// An open stream of events.
pub struct EventStream {
    pieces: LogStream,
    decoder: EventDecoder,
    ready: VecDeque<StreamEvent>,
}

impl EventStream {
    pub(super) fn new(pieces: LogStream) -> EventStream {
        EventStream { pieces, decoder: EventDecoder::default(), ready: VecDeque::new() }
    }

    /// A handle that ends this stream.
    pub fn stopper(&self) -> Stopper {
        self.pieces.stopper()
    }

    /// Waits for the next event no longer than this: the error says that the time is over.
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<Result<StreamEvent, ClientError>>, StillOpen> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(Ok(event)));
            }
            let piece = self.pieces.next_within(limit)?;
            if let Some(end) = self.take(piece) {
                return Ok(end);
            }
        }
    }

    /// Takes a piece; returns what ends the stream.
    fn take(
        &mut self,
        piece: Option<Result<bytes::Bytes, ClientError>>,
    ) -> Option<Option<Result<StreamEvent, ClientError>>> {
        match piece {
            None => Some(None),
            Some(Err(error)) => Some(Some(Err(error))),
            Some(Ok(piece)) => match self.decoder.push(&piece) {
                Ok(events) => {
                    self.ready.extend(events);
                    None
                }
                Err(error) => Some(Some(Err(error))),
            },
        }
    }
}

impl Iterator for EventStream {
    type Item = Result<StreamEvent, ClientError>;

    /// Waits for the next event. None when the daemon ended the stream regularly, or it was stopped.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let piece = self.pieces.next();
            if let Some(end) = self.take(piece) {
                return end;
            }
        }
    }
}

/// Makes events of pieces, which may begin and end anywhere.
#[derive(Debug, Default)]
struct EventDecoder {
    line: Vec<u8>,
    event: StreamEvent,
    /// Whether the current block has said anything.
    is_begun: bool,
}

impl EventDecoder {
    /// The events that a piece completes.
    fn push(&mut self, piece: &[u8]) -> Result<Vec<StreamEvent>, ClientError> {
        let mut events = Vec::new();
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            events.extend(self.take(String::from_utf8_lossy(&line).trim_end_matches('\r')));
        }
        self.line.extend_from_slice(rest);
        let length = self.line.len() + self.event.data.len();
        if length > MAX_LINE_BYTES { Err(ClientError::TooLong(MAX_LINE_BYTES)) } else { Ok(events) }
    }

    /// Takes a line; returns the event that it completes.
    fn take(&mut self, line: &str) -> Option<StreamEvent> {
        if line.is_empty() {
            let is_begun = std::mem::take(&mut self.is_begun);
            let next = StreamEvent { id: self.event.id.clone(), ..StreamEvent::default() };
            return Some(std::mem::replace(&mut self.event, next)).filter(|_| is_begun);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = value.to_owned(),
            "event" => self.event.name = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, or what a later daemon says.
            _ => return None,
        }
        self.is_begun = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, name: &str, data: &str) -> StreamEvent {
        StreamEvent { id: id.to_owned(), name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = "id: b-7\n\n: comment\n\nid: b-8\r\nevent: a\r\ndata: {\"x\":\"é\"}\r\n\r\nevent:b\ndata: 1\ndata: 2\n\nid: b-9\n";
        let expected = [event("b-7", "", ""), event("b-8", "a", "{\"x\":\"é\"}"), event("b-8", "b", "1\n2")];
        for size in [1, 2, 7, 1000] {
            let mut decoder = EventDecoder::default();
            let events: Vec<StreamEvent> =
                text.as_bytes().chunks(size).flat_map(|piece| decoder.push(piece).unwrap()).collect();
            assert_eq!(events, expected, "{size}");
        }
    }

    #[test]
    fn an_endless_line_or_event_is_refused() {
        let mut decoder = EventDecoder::default();
        assert!(decoder.push(&vec![b'x'; MAX_LINE_BYTES]).is_ok());
        assert!(decoder.push(b"x").is_err());
        let mut decoder = EventDecoder::default();
        let line = [b"data: ", vec![b'x'; MAX_LINE_BYTES / 2].as_slice(), b"\n"].concat();
        assert!(decoder.push(&line).is_ok() && decoder.push(&line).is_err());
    }
}
