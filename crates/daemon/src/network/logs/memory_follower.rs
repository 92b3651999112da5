//! Reading output that is kept in memory, as it grows.

use std::io;

use bytes::Bytes;

use super::follower::{FollowStep, LogPosition};
use crate::network::streams::PIECE;
use crate::output_memory::{Extent, MemoryLog};

/// A place in what is kept of a stream.
pub(super) struct MemoryFollower {
    log: MemoryLog,
    position: u64,
    /// That of the stream it reads.
    beginning: u64,
}

impl MemoryFollower {
    /// Begins so many bytes before the end.
    pub fn new(log: MemoryLog, before_end: u64) -> MemoryFollower {
        let Extent { bytes, beginning } = log.extent();
        let position = bytes.end.saturating_sub(before_end).max(bytes.start);
        MemoryFollower { log, position, beginning }
    }

    /// Goes on at a place where a reader was before; none where that is not there any more.
    pub fn at(log: MemoryLog, LogPosition { offset, file }: LogPosition) -> Option<MemoryFollower> {
        let Extent { bytes, beginning } = log.extent();
        let is_there = (bytes.start..=bytes.end).contains(&offset);
        let is_it = file.is_none_or(|file| file == beginning);
        (is_there && is_it).then_some(MemoryFollower { log, position: offset, beginning })
    }

    /// Where the next byte is read.
    pub fn position(&self) -> LogPosition {
        LogPosition { offset: self.position, file: Some(self.beginning) }
    }

    /// What follows.
    pub fn next(&mut self) -> io::Result<FollowStep> {
        let Extent { bytes, beginning } = self.log.extent();
        if beginning != self.beginning || bytes.end < self.position {
            (self.position, self.beginning) = (bytes.start, beginning);
            return Ok(FollowStep::Truncated);
        }
        if self.position < bytes.start {
            let skipped = bytes.start - self.position;
            self.position = bytes.start;
            return Ok(FollowStep::Skipped(skipped));
        }
        let (range, bytes) = self.log.read(self.position..self.position.saturating_add(PIECE as u64))?;
        if bytes.is_empty() || range.start != self.position {
            // It is not there any more: the next look finds out why.
            return if bytes.is_empty() { Ok(FollowStep::AtEnd) } else { self.next() };
        }
        self.position = range.end;
        Ok(FollowStep::Piece(bytes.into()))
    }

    /// What follows, perhaps nothing, and whether it ends there. `None` where something else has happened to it.
    pub fn read_cached(&mut self) -> Option<(Bytes, bool)> {
        let Extent { bytes, beginning } = self.log.extent();
        if beginning != self.beginning || !(bytes.start..=bytes.end).contains(&self.position) {
            return None;
        }
        match self.next().ok()? {
            FollowStep::Piece(piece) => {
                let is_at_end = piece.len() < PIECE;
                Some((piece, is_at_end))
            }
            FollowStep::AtEnd => Some((Bytes::new(), true)),
            FollowStep::Truncated | FollowStep::Skipped(_) | FollowStep::Replaced | FollowStep::Gap => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use supervisord_core::output::{Channel, MemoryPlan};

    use super::*;
    use crate::output_memory::OutputMemory;

    fn piece(text: &str) -> FollowStep {
        FollowStep::Piece(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn it_tells_what_it_missed_and_where_it_begins_anew() {
        let memory = Arc::<OutputMemory>::default();
        let log = memory.keep(&MemoryPlan { process: "web".into(), bytes: 10 }, Channel::Stdout).expect("kept");
        log.push(b"0123456789ab").expect("pushed");
        let mut follower = MemoryFollower::new(log.clone(), 4);
        assert_eq!(follower.next().expect("read"), piece("89ab"));
        assert_eq!(follower.next().expect("read"), FollowStep::AtEnd);
        log.push(b"c").expect("pushed");
        assert_eq!(follower.read_cached(), Some((Bytes::from_static(b"c"), true)));
        assert_eq!(follower.read_cached(), Some((Bytes::new(), true)));
        let position = follower.position();
        log.push(b"defghijklmnop").expect("pushed");
        assert_eq!(follower.read_cached(), None);
        assert!(MemoryFollower::at(log.clone(), position).is_none(), "what follows is gone");
        assert_eq!(follower.next().expect("read"), FollowStep::Skipped(3));
        assert_eq!(follower.next().expect("read"), piece("ghijklmnop"));
        let mut again = MemoryFollower::at(log.clone(), follower.position()).expect("the place");
        log.clear().expect("cleared");
        log.push(b"new").expect("pushed");
        assert_eq!(again.read_cached(), None);
        assert_eq!(again.next().expect("read"), FollowStep::Truncated);
        assert_eq!(again.next().expect("read"), piece("new"));
    }
}
