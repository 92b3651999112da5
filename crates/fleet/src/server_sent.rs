//! Streams of server-sent events, as the daemon writes them: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

/// The longest event, in bytes: a piece of 64 KiB of a log, of which JSON may make six times as much.
const MAX_BYTES: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// The id to send back in order to go on after this event.
    pub id: String,
    /// What it is called; empty for one that only says where the stream stands.
    pub name: String,
    /// Its data.
    pub data: String,
}

/// Makes events of pieces, which may begin and end anywhere.
#[derive(Debug, Default)]
pub struct ServerSentDecoder {
    line: Vec<u8>,
    event: ServerSentEvent,
    is_begun: bool,
}

/// An event or a line is longer than [`MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLong;

impl ServerSentDecoder {
    /// The events that a piece completes.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<ServerSentEvent>, EventTooLong> {
        let mut events = Vec::new();
        let mut lines = piece.split(|byte| *byte == b'\n');
        let last = lines.next_back().unwrap_or_default();
        for end in lines {
            self.line.extend_from_slice(end);
            let line = std::mem::take(&mut self.line);
            events.extend(self.take(String::from_utf8_lossy(&line).trim_end_matches('\r')));
        }
        self.line.extend_from_slice(last);
        if self.line.len() + self.event.data.len() > MAX_BYTES { Err(EventTooLong) } else { Ok(events) }
    }

    fn take(&mut self, line: &str) -> Option<ServerSentEvent> {
        if line.is_empty() {
            let is_begun = std::mem::take(&mut self.is_begun);
            let next = ServerSentEvent { id: self.event.id.clone(), ..ServerSentEvent::default() };
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
            _ => return None,
        }
        self.is_begun = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(id: &str, name: &str, data: &str) -> ServerSentEvent {
        ServerSentEvent { id: id.to_owned(), name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut decoder = ServerSentDecoder::default();
        assert!(decoder.push(&vec![b'x'; MAX_BYTES]).is_ok() && decoder.push(b"x") == Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn events_are_the_same_however_they_are_cut(size in 1usize..40) {
            let text = "id: b-7\n\n: comment\n\nid: b-8\r\nevent: a\r\ndata: {\"x\":\"é\"}\r\n\r\nevent:b\ndata: 1\ndata: 2\n\nid: b-9\n";
            let expected = [event("b-7", "", ""), event("b-8", "a", "{\"x\":\"é\"}"), event("b-8", "b", "1\n2")];
            let mut decoder = ServerSentDecoder::default();
            let events: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| decoder.push(piece).unwrap()).collect();
            prop_assert_eq!(events, expected);
        }
    }
}
