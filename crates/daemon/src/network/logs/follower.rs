//! Reading a log as it grows, through rotation, emptying and replacement.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::SystemTime;

use bytes::Bytes;

use super::followed_file::FollowedFile;
use super::successor::{self, Successor};
use crate::network::streams::PIECE;
use crate::rotated_log::RotatedLog;

/// The size of the smallest pages in which any system keeps files in memory.
const MEMORY_PAGE: u64 = 4096;

/// A place in a log. All methods may block, except [`read_cached`](Follower::read_cached).
#[derive(Debug)]
pub struct Follower {
    log: RotatedLog,
    file: FollowedFile,
    position: u64,
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
    /// The same, but files in between may have been removed.
    Gap,
    /// There is nothing more for now.
    AtEnd,
}

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

impl Follower {
    /// Begins so many bytes before the end of the log; also says when the log was last written.
    pub fn open(log: &RotatedLog, before_end: u64) -> io::Result<(Follower, SystemTime)> {
        let (file, metadata) = FollowedFile::open(&log.path)?;
        let position = metadata.len().saturating_sub(before_end);
        Ok((Follower { log: log.clone(), file, position }, metadata.modified()?))
    }

    /// Goes on at a place where a reader was before, in a rotated file where that one has been rotated meanwhile. `None` where
    /// there is no such place any more.
    pub fn open_at(log: &RotatedLog, position: LogPosition) -> io::Result<Option<Follower>> {
        let (file, metadata) = FollowedFile::open(&log.path)?;
        let (mut file, length) = if position.file.is_none_or(|inode| inode == file.inode()) {
            (file, Some(metadata.len()))
        } else {
            match successor::with_inode(log, position.file) {
                None => return Ok(None),
                Some((file, length)) => (file, length),
            }
        };
        // How long a compressed file is tells only its end.
        let is_there = match length {
            Some(length) => position.offset <= length,
            None => file.skip(position.offset)?,
        };
        Ok(is_there.then(|| Follower { log: log.clone(), file, position: position.offset }))
    }

    /// Where the next byte is read.
    pub fn position(&self) -> LogPosition {
        LogPosition { offset: self.position, file: Some(self.file.inode()) }
    }

    /// What follows. After [`FollowStep::AtEnd`] ask again when the log may have changed.
    pub fn next(&mut self) -> io::Result<FollowStep> {
        if self.file.length()?.is_some_and(|length| length < self.position) {
            self.position = 0;
            return Ok(FollowStep::Truncated);
        }
        let bytes = self.read()?;
        if !bytes.is_empty() {
            return Ok(FollowStep::Piece(bytes));
        }
        let Some(Successor { file, is_gap }) = successor::of(&self.log, &self.file) else {
            return Ok(FollowStep::AtEnd);
        };
        // What was written to the old file before it was put aside may have come after our last look at it.
        let rest = self.read()?;
        if rest.is_empty() {
            self.file = file;
            self.position = 0;
            return Ok(if is_gap { FollowStep::Gap } else { FollowStep::Replaced });
        }
        Ok(FollowStep::Piece(rest))
    }

    /// What follows in the same file and is in memory, perhaps nothing, and whether the file ends there. `None` if only
    /// [`next`](Follower::next) can tell.
    pub fn read_cached(&mut self) -> Option<(Bytes, bool)> {
        let bytes = self.file.read_cached(self.position)?;
        self.position += bytes.len() as u64;
        // The system has whole pages in memory, so that within a page nothing but the end of the file ends a read.
        let is_at_end = bytes.len() < PIECE && !self.position.is_multiple_of(MEMORY_PAGE);
        Some((bytes, is_at_end))
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let bytes = self.file.read(self.position)?;
        self.position += bytes.len() as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use supervisord_config::log_compression::LogCompression;

    use super::*;
    use crate::compressed_log::Encoder;

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
            Follower::open(&self.log(), 1024).expect("opened").0
        }

        fn log(&self) -> RotatedLog {
            RotatedLog { path: self.path(""), dates: None }
        }

        /// As the daemon does it after a rotation.
        fn compress(&self, suffix: &str, form: LogCompression) {
            let text = fs::read(self.path(suffix)).expect("read");
            let modified = fs::metadata(self.path(suffix)).and_then(|found| found.modified()).expect("found");
            let part = File::create(self.path(".compressing")).expect("created");
            let mut encoder = Encoder::new(form, part);
            encoder.write_all(&text).expect("written");
            encoder.finish().expect("finished").set_modified(modified).expect("set");
            self.rename(".compressing", &format!("{suffix}{}", form.suffix()));
            fs::remove_file(self.path(suffix)).expect("removed");
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
                FollowStep::Gap => text.push_str("<gap>"),
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

    /// Reading goes on in a rotated file that has been compressed, be it the one that was read or one after it.
    #[test]
    fn rotated_files_that_were_compressed_are_read_on() {
        for form in [LogCompression::Gzip, LogCompression::Zstd] {
            let log = Log::new();
            log.append("1");
            let mut follower = log.follow();
            assert_eq!(drain(&mut follower), "1");
            log.append("2");
            let shift = |last: u32, text: &str| {
                for place in (1..=last).rev() {
                    log.rename(&format!(".{place}{}", form.suffix()), &format!(".{}{}", place + 1, form.suffix()));
                }
                log.rename("", ".1");
                log.compress(".1", form);
                log.append(text);
            };
            shift(0, "3");
            shift(1, &"4".repeat(3 * PIECE));
            shift(2, "5");
            shift(3, "6");
            assert_eq!(drain(&mut follower), format!("23{}56", "4".repeat(3 * PIECE)));
            let inode = fs::metadata(log.path(&format!(".3{}", form.suffix()))).expect("there").ino();
            let open =
                |offset| Follower::open_at(&log.log(), LogPosition { offset, file: Some(inode) }).expect("readable");
            assert_eq!(drain(&mut open(0).expect("the place")), format!("3{}56", "4".repeat(3 * PIECE)));
            assert_eq!(drain(&mut open(1).expect("the place")), format!("{}56", "4".repeat(3 * PIECE)));
            assert!(open(2).is_none());
        }
    }

    #[test]
    fn what_was_removed_before_it_was_read_is_told() {
        let log = Log::new();
        log.append("1");
        let mut follower = log.follow();
        assert_eq!(drain(&mut follower), "1");
        for text in ["2", "3"] {
            log.rename("", ".1");
            let later = SystemTime::now() + std::time::Duration::from_secs(1);
            log.append(text);
            File::open(log.path("")).and_then(|file| file.set_modified(later)).expect("set");
        }
        assert_eq!(drain(&mut follower), "<gap>23");
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
        let open = || Follower::open_at(&log.log(), position).expect("readable");
        assert_eq!(drain(&mut open().expect("the place")), "3");
        log.rename("", ".1");
        log.append("4");
        assert_eq!(drain(&mut open().expect("the place in the rotated file")), "34");
        log.rename(".1", ".gone");
        assert!(open().is_none());
        let plain: LogPosition = "1".parse().expect("an offset alone");
        assert_eq!(drain(&mut Follower::open_at(&log.log(), plain).expect("readable").expect("the place")), "");
        let beyond = LogPosition { offset: 9, file: None };
        assert!(Follower::open_at(&log.log(), beyond).expect("readable").is_none());
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
