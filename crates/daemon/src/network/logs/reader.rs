//! Reading a log as it grows, wherever it is.

use std::io;
use std::time::SystemTime;

use bytes::Bytes;

use super::follower::{FollowStep, Follower, LogPosition};
use super::memory_follower::MemoryFollower;
use crate::api::LogPlace;

/// A place in a log.
pub(super) enum LogReader {
    File(Follower),
    Memory(MemoryFollower),
}

impl LogReader {
    /// Begins so many bytes before the end of the log; also says when the log was last written, as far as that is known.
    pub fn open(place: &LogPlace, before_end: u64) -> io::Result<(LogReader, SystemTime)> {
        Ok(match place {
            LogPlace::File(log) => {
                let (follower, modified) = Follower::open(log, before_end)?;
                (LogReader::File(follower), modified)
            }
            LogPlace::Memory(log) => {
                (LogReader::Memory(MemoryFollower::new(log.clone(), before_end)), SystemTime::now())
            }
        })
    }

    /// Goes on at a place where a reader was before. `None` where there is no such place any more.
    pub fn open_at(place: &LogPlace, position: LogPosition) -> io::Result<Option<LogReader>> {
        Ok(match place {
            LogPlace::File(log) => Follower::open_at(log, position)?.map(LogReader::File),
            LogPlace::Memory(log) => MemoryFollower::at(log.clone(), position).map(LogReader::Memory),
        })
    }

    /// Where the next byte is read.
    pub fn position(&self) -> LogPosition {
        match self {
            LogReader::File(follower) => follower.position(),
            LogReader::Memory(follower) => follower.position(),
        }
    }

    /// What follows. After [`FollowStep::AtEnd`] ask again when the log may have changed. It may block.
    pub fn next(&mut self) -> io::Result<FollowStep> {
        match self {
            LogReader::File(follower) => follower.next(),
            LogReader::Memory(follower) => follower.next(),
        }
    }

    /// What follows without anything having happened to the log, perhaps nothing, and whether it ends there. `None` if only
    /// [`next`](LogReader::next) can tell.
    pub fn read_cached(&mut self) -> Option<(Bytes, bool)> {
        match self {
            LogReader::File(follower) => follower.read_cached(),
            LogReader::Memory(follower) => follower.read_cached(),
        }
    }
}
