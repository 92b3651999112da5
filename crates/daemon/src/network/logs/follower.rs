//! Reading a log as it grows, through rotation, emptying and replacement.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::str::FromStr;
use std::time::SystemTime;

use bytes::Bytes;
use supervisord_sys::fd;

use crate::file_end;
use crate::network::streams::PIECE;

/// The size of the smallest pages in which any system keeps files in memory.
const MEMORY_PAGE: u64 = 4096;

/// How many rotated files are searched for the one being read.
const DEEPEST: u32 = 1000;

/// A place in a log. All methods may block, except [`read_cached`](Follower::read_cached).
#[derive(Debug)]
pub struct Follower {
    path: String,
    file: FollowedFile,
    position: u64,
}

/// An open file of the log.
#[derive(Debug)]
struct FollowedFile {
    file: File,
    identity: FileIdentity,
    /// Whether no read of it waits for a disk.
    is_in_memory: bool,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub enum FollowStep {
    /// Some bytes.
    Piece(Bytes),
    /// The file was emptied in place; reading goes on at its beginning.
    Truncated,
    /// So many bytes are gone that were not read; reading goes on behind them.
    Skipped(u64),
    /// Reading goes on at the beginning of the file that continues this one.
    Replaced,
    /// There is nothing more for now.
    AtEnd,
}

type FileIdentity = (u64, u64);

/// A place in a file of a log, or in what is kept in memory, which clients get as text and bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// Bytes from the beginning of the file.
    pub offset: u64,
    /// The inode of the file, or what takes its place in memory; none where the client does not say it.
    pub file: Option<u64>,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.offset)?;
        self.file.iter().try_for_each(|file| write!(f, "-{file:x}"))
    }
}

impl FromStr for LogPosition {
    type Err = ();

    fn from_str(text: &str) -> Result<LogPosition, ()> {
        let (offset, file) = match text.split_once('-') {
            None => (text, None),
            Some((offset, file)) => (offset, Some(u64::from_str_radix(file, 16).map_err(|_| ())?)),
        };
        Ok(LogPosition { offset: offset.parse().map_err(|_| ())?, file })
    }
}

fn identity(metadata: &Metadata) -> FileIdentity {
    (metadata.dev(), metadata.ino())
}

impl Follower {
    /// Begins so many bytes before the end of the log; also says when the log was last written.
    pub fn open(path: &str, before_end: u64) -> io::Result<(Follower, SystemTime)> {
        let (file, metadata) = FollowedFile::open(path)?;
        let position = metadata.len().saturating_sub(before_end);
        Ok((Follower { path: path.to_owned(), file, position }, metadata.modified()?))
    }

    /// Goes on at a place where a reader was before, in a rotated file where that one has been rotated meanwhile. `None` where
    /// there is no such place any more.
    pub fn open_at(path: &str, position: LogPosition) -> io::Result<Option<Follower>> {
        for place in 0..=DEEPEST {
            let candidate = if place == 0 { path.to_owned() } else { format!("{path}.{place}") };
            let (file, metadata) = match FollowedFile::open(&candidate) {
                Ok(found) => found,
                Err(error) if place == 0 => return Err(error),
                Err(_) => return Ok(None),
            };
            let is_it = position.file.is_none_or(|inode| inode == file.identity.1);
            if is_it && position.offset <= metadata.len() {
                return Ok(Some(Follower { path: path.to_owned(), file, position: position.offset }));
            }
            if is_it {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Where the next byte is read.
    pub fn position(&self) -> LogPosition {
        LogPosition { offset: self.position, file: Some(self.file.identity.1) }
    }

    /// What follows. After [`FollowStep::AtEnd`] ask again when the log may have changed.
    pub fn next(&mut self) -> io::Result<FollowStep> {
        if self.file.file.metadata()?.len() < self.position {
            self.position = 0;
            return Ok(FollowStep::Truncated);
        }
        let bytes = self.read()?;
        if !bytes.is_empty() {
            return Ok(FollowStep::Piece(bytes));
        }
        let Some(successor) = self.successor() else { return Ok(FollowStep::AtEnd) };
        // What was written to the old file before it was put aside may have come after our last look at it.
        let rest = self.read()?;
        if rest.is_empty() {
            self.file = successor;
            self.position = 0;
            return Ok(FollowStep::Replaced);
        }
        Ok(FollowStep::Piece(rest))
    }

    /// What follows in the same file and is in memory, perhaps nothing, and whether the file ends there. `None` if only
    /// [`next`](Follower::next) can tell.
    pub fn read_cached(&mut self) -> Option<(Bytes, bool)> {
        let bytes = match self.file.is_in_memory {
            true => self.read().ok(),
            false => self.read_with(|file, bytes, position| fd::read_cached_at(file.as_fd(), bytes, position)).ok(),
        }?;
        // The system has whole pages in memory, so that within a page nothing but the end of the file ends a read.
        let is_at_end = bytes.len() < PIECE && !self.position.is_multiple_of(MEMORY_PAGE);
        Some((bytes, is_at_end))
    }

    fn read(&mut self) -> io::Result<Bytes> {
        self.read_with(|file, bytes, position| file.read_at(bytes, position))
    }

    fn read_with(&mut self, read: impl Fn(&File, &mut [u8], u64) -> io::Result<usize>) -> io::Result<Bytes> {
        let mut bytes = [0; PIECE];
        let count = loop {
            match read(&self.file.file, &mut bytes, self.position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                count => break count?,
            }
        };
        self.position += count as u64;
        Ok(Bytes::copy_from_slice(&bytes[..count]))
    }

    /// The file that continues this one, once something has been written to it. Until then the old one may be the
    /// one that is still written to, as is so between the moves of a log rotating program and the signal to reopen.
    fn successor(&self) -> Option<FollowedFile> {
        let current = fs::metadata(&self.path).ok()?;
        if identity(&current) == self.file.identity {
            return None;
        }
        let path = match self.place_in_rotation() {
            // Several rotations since the last look: the files in between are to be read as well.
            Some(place) if place > 1 => format!("{}.{}", self.path, place - 1),
            _ => self.path.clone(),
        };
        let (file, metadata) = FollowedFile::open(&path).ok()?;
        // A rotation in just this moment is found out the next time.
        let moved = file.identity == self.file.identity;
        (!moved && metadata.len() > 0).then_some(file)
    }

    /// Which number the file being read has been given among the rotated ones.
    fn place_in_rotation(&self) -> Option<u32> {
        for place in 1..=DEEPEST {
            let found = fs::metadata(format!("{}.{place}", self.path)).ok()?;
            if identity(&found) == self.file.identity {
                return Some(place);
            }
        }
        None
    }
}

impl FollowedFile {
    fn open(path: &str) -> io::Result<(FollowedFile, Metadata)> {
        let file = file_end::open(path)?;
        let metadata = file.metadata()?;
        let is_in_memory = fd::is_on_memory_file_system(file.as_fd());
        Ok((FollowedFile { identity: identity(&metadata), file, is_in_memory }, metadata))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    struct Log {
        directory: tempfile::TempDir,
    }

    impl Log {
        fn new() -> Log {
            Log { directory: tempfile::tempdir().expect("temporary directory") }
        }

        fn path(&self, suffix: &str) -> String {
            format!("{}/log{suffix}", self.directory.path().display())
        }

        fn append(&self, text: &str) {
            self.append_to("", text);
        }

        fn append_to(&self, suffix: &str, text: &str) {
            let file = OpenOptions::new().append(true).create(true).open(self.path(suffix));
            file.expect("opened").write_all(text.as_bytes()).expect("written");
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).expect("renamed");
        }

        fn follow(&self) -> Follower {
            Follower::open(&self.path(""), 1024).expect("opened").0
        }
    }

    /// Everything up to the next end.
    fn drain(follower: &mut Follower) -> String {
        let mut text = String::new();
        loop {
            match follower.next().expect("read") {
                FollowStep::Piece(bytes) => text.push_str(str::from_utf8(&bytes).expect("text")),
                FollowStep::Truncated => text.push_str("<truncated>"),
                FollowStep::Skipped(_) | FollowStep::Replaced => {}
                FollowStep::AtEnd => return text,
            }
        }
    }

    #[test]
    fn it_begins_1024_bytes_before_the_end() {
        let log = Log::new();
        log.append(&format!("{}{}", "a".repeat(500), "b".repeat(1024)));
        assert_eq!(drain(&mut log.follow()), "b".repeat(1024));
    }

    #[test]
    fn what_is_in_memory_is_read_without_waiting() {
        let log = Log::new();
        log.append("12");
        let mut follower = log.follow();
        assert_eq!(drain(&mut follower), "12");
        log.append("3");
        // Not every file system can tell what is in memory.
        if let Some(read) = follower.read_cached() {
            assert_eq!(read, (Bytes::from_static(b"3"), true));
            assert_eq!(follower.read_cached(), Some((Bytes::new(), true)));
            // At the end of a page it may be only the memory that has no more.
            log.append(&"x".repeat(4093));
            assert_eq!(follower.read_cached(), Some((vec![b'x'; 4093].into(), false)));
            assert_eq!(drain(&mut follower), "");
        }
    }

    #[test]
    fn large_pieces_are_cut() {
        let log = Log::new();
        log.append("");
        let mut follower = log.follow();
        log.append(&"x".repeat(PIECE + 1));
        assert_eq!(follower.next().expect("read"), FollowStep::Piece(vec![b'x'; PIECE].into()));
        assert_eq!(follower.next().expect("read"), FollowStep::Piece(Bytes::from_static(b"x")));
        assert_eq!(follower.next().expect("read"), FollowStep::AtEnd);
    }

    #[test]
    fn rotation_loses_nothing() {
        let log = Log::new();
        log.append("1");
        let mut follower = log.follow();
        assert_eq!(drain(&mut follower), "1");
        log.append("2");
        log.rename("", ".1");
        log.append("3");
        assert_eq!(drain(&mut follower), "23");
    }

    #[test]
    fn several_rotations_at_once_lose_nothing() {
        let log = Log::new();
        log.append("1");
        let mut follower = log.follow();
        for (last, text) in [(0, "2"), (1, "3"), (2, "4")] {
            for place in (1..=last).rev() {
                log.rename(&format!(".{place}"), &format!(".{}", place + 1));
            }
            log.rename("", ".1");
            log.append(text);
        }
        assert_eq!(drain(&mut follower), "1234");
    }

    #[test]
    fn the_old_file_is_read_until_the_new_one_is_used() {
        let log = Log::new();
        log.append("1");
        let mut follower = log.follow();
        log.rename("", ".1");
        log.append("");
        log.append_to(".1", "2");
        assert_eq!(drain(&mut follower), "12");
        log.append_to(".1", "3");
        log.append("4");
        assert_eq!(drain(&mut follower), "34");
    }

    #[test]
    fn emptying_in_place_is_told() {
        let log = Log::new();
        log.append("12345");
        let mut follower = log.follow();
        assert_eq!(drain(&mut follower), "12345");
        File::create(log.path("")).expect("emptied");
        log.append("67");
        assert_eq!(drain(&mut follower), "<truncated>67");
    }

    #[test]
    fn a_reader_that_comes_back_goes_on_where_it_was() {
        let log = Log::new();
        log.append("12");
        let mut follower = log.follow();
        assert_eq!(drain(&mut follower), "12");
        let position: LogPosition = follower.position().to_string().parse().expect("its own text");
        assert_eq!(position, follower.position());
        log.append("3");
        let open = || Follower::open_at(&log.path(""), position).expect("readable");
        assert_eq!(drain(&mut open().expect("the place")), "3");
        log.rename("", ".1");
        log.append("4");
        assert_eq!(drain(&mut open().expect("the place in the rotated file")), "34");
        log.rename(".1", ".gone");
        assert!(open().is_none());
        let plain: LogPosition = "1".parse().expect("an offset alone");
        assert_eq!(drain(&mut Follower::open_at(&log.path(""), plain).expect("readable").expect("the place")), "");
        let beyond = LogPosition { offset: 9, file: None };
        assert!(Follower::open_at(&log.path(""), beyond).expect("readable").is_none());
        for text in ["", "-1", "1-", "1-x", "x", "1-2-3"] {
            assert_eq!(text.parse::<LogPosition>(), Err(()), "{text}");
        }
    }

    #[test]
    fn removal_is_survived() {
        let log = Log::new();
        log.append("1");
        let mut follower = log.follow();
        assert_eq!(drain(&mut follower), "1");
        fs::remove_file(log.path("")).expect("removed");
        assert_eq!(drain(&mut follower), "");
        log.append("2");
        assert_eq!(drain(&mut follower), "2");
    }
}
