//! A log as server-sent events: text that is never torn inside a character, with the place behind it as the id.

use bytes::Bytes;
use supervisord_core::json_text;
use supervisord_core::output::characters::WholeCharacters;

use super::followed::FollowedLog;
use super::follower::{FollowStep, LogPosition};
use crate::network::reply::Broken;
use crate::network::streams::{COME_BACK_SOON, PIECE, StreamSource};

/// With more bytes an event takes no further character. A character is at most six bytes of JSON.
const ENOUGH: usize = PIECE - 256;

/// A log that one client follows as events.
pub(super) struct LogEvents {
    log: FollowedLog,
    characters: WholeCharacters,
    /// Bytes that were read and not sent.
    waiting: Bytes,
    /// The place behind `waiting`.
    position: LogPosition,
    /// Whether the client has been told where it stands.
    is_begun: bool,
    /// Whether what the client has read before is gone.
    is_rotated: bool,
    /// Whether the first bytes may be the rest of a character whose beginning is not sent.
    may_be_torn: bool,
}

impl LogEvents {
    /// Begins at `position`. `is_rotated` tells the client that this is not where it was before.
    pub(super) fn new(log: FollowedLog, position: LogPosition, is_rotated: bool) -> LogEvents {
        let may_be_torn = position.offset > 0;
        LogEvents {
            log,
            characters: WholeCharacters::default(),
            waiting: Bytes::new(),
            position,
            is_begun: false,
            is_rotated,
            may_be_torn,
        }
    }

    /// The next event of what waits.
    fn text(&mut self) -> Option<Bytes> {
        if self.waiting.is_empty() {
            return None;
        }
        let (mut text, mut taken) = (Vec::new(), 0);
        for chunk in self.waiting.utf8_chunks() {
            for character in chunk.valid().chars() {
                if text.len() >= ENOUGH {
                    break;
                }
                taken += character.len_utf8();
                json_text::push(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut text);
            }
            if text.len() >= ENOUGH {
                break;
            }
            if !chunk.invalid().is_empty() {
                taken += chunk.invalid().len();
                json_text::push(chunk.invalid(), &mut text);
            }
        }
        self.waiting = self.waiting.slice(taken..);
        let held = self.characters.held.len() + self.waiting.len();
        let LogPosition { offset, file } = self.position;
        let id = LogPosition { offset: offset.saturating_sub(held as u64), file };
        let begin = format!("id: {id}\nevent: output\ndata: {{\"text\":\"");
        Some([begin.as_bytes(), &text, b"\"}\n\n"].concat().into())
    }

    fn push(&mut self, bytes: &[u8]) {
        let bytes = match std::mem::take(&mut self.may_be_torn) {
            true => &bytes[bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count()..],
            false => bytes,
        };
        self.waiting = self.characters.push(bytes).into_owned().into();
    }

    /// The client goes on with another file, or with the same one, which was emptied.
    fn rotated(&self, data: String) -> String {
        format!("id: {}\nevent: rotated\ndata: {data}\n\n", self.position)
    }
}

impl StreamSource for LogEvents {
    async fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        if !std::mem::replace(&mut self.is_begun, true) {
            // Without data it is no event for the client, but it goes on here when it comes back.
            let begin = match self.is_rotated {
                true => self.rotated("{\"skipped\":null}".to_owned()),
                false => format!("id: {}\n\n", self.position),
            };
            return Ok(Some((COME_BACK_SOON.to_owned() + &begin).into()));
        }
        loop {
            if let Some(event) = self.text() {
                return Ok(Some(event));
            }
            match self.log.step().await? {
                None => return Ok(None),
                Some(step) => {
                    let position = self.log.position().ok_or(Broken)?;
                    match step {
                        FollowStep::Piece(bytes) => {
                            self.position = position;
                            self.push(&bytes);
                        }
                        FollowStep::Truncated | FollowStep::Skipped(_) | FollowStep::Replaced | FollowStep::Gap => {
                            // What was held back is not continued.
                            let rest = self.characters.finish();
                            self.position = position;
                            self.may_be_torn = false;
                            let mut told = String::new();
                            if !rest.is_empty() {
                                told = "event: output\ndata: {\"text\":\"\u{fffd}\"}\n\n".to_owned();
                            }
                            told += &self.rotated(match step {
                                FollowStep::Skipped(count) => format!("{{\"skipped\":{count}}}"),
                                FollowStep::Gap => "{\"skipped\":null}".to_owned(),
                                _ => "{}".to_owned(),
                            });
                            return Ok(Some(told.into()));
                        }
                        FollowStep::AtEnd => return Ok(None),
                    }
                }
            }
        }
    }

    async fn changed(&mut self) {
        self.log.changed().await;
    }

    fn recheck(&mut self) {
        self.log.recheck();
    }
}
