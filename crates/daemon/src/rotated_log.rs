//! The rotated files of a log, as they are read: listed, and decompressed.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use supervisord_config::date_format::DateFormat;
use supervisord_config::log_compression::LogCompression;
use supervisord_core::rotation::backup_name::{BackupLabel, BackupNames};

use crate::{compressed_log, file_end};

/// How many bytes are decompressed at once.
const PIECE: usize = 64 << 10;

/// A log, or a rotated file of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFileEntry {
    /// Its file name.
    pub name: String,
    /// Its size on the disk, in bytes.
    pub size: u64,
    /// When its last line was written, in seconds since the epoch.
    pub modified: i64,
    pub compression: LogCompression,
}

/// A log, or a rotated file of it, as it lies between the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailFile {
    pub path: String,
    /// What tells it from the others; none for the log itself.
    pub label: Option<BackupLabel>,
    pub compression: LogCompression,
    /// Its device and inode.
    pub id: (u64, u64),
    /// When its last line was written, in seconds since the epoch and nanoseconds.
    pub modified: (i64, i64),
}

/// A log at a path, with the format of the dates in the names of rotated files, where one is configured.
#[derive(Clone, Debug)]
pub struct RotatedLog {
    pub path: String,
    pub dates: Option<DateFormat>,
}

impl RotatedLog {
    /// The log and its rotated files, the newest first. May block.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn files(&self) -> io::Result<Vec<LogFileEntry>> {
        let (directory, log) = self.place()?;
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)?.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let Some(compression) = self.compression(&log, name) else { continue };
            // Only the log itself may be a link.
            let there = if name == log { fs::metadata(entry.path()) } else { entry.metadata() };
            let Ok(there) = there else { continue };
            if there.is_file() {
                // The log itself is the newest one, whatever the clock says.
                let order = (name == log, there.mtime(), there.mtime_nsec());
                let (size, modified) = (there.len(), there.mtime());
                found.push((order, LogFileEntry { name: name.to_owned(), size, modified, compression }));
            }
        }
        found.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The log and its rotated files as they follow each other, the newest first. May block.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn trail(&self) -> io::Result<Vec<TrailFile>> {
        let (directory, log) = self.place()?;
        let mut found: Vec<TrailFile> = Vec::new();
        for entry in fs::read_dir(directory)?.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let label = self.label(&log, name);
            if label.is_none() && name != log {
                continue;
            }
            let there = if name == log { fs::metadata(entry.path()) } else { entry.metadata() };
            let Some(there) = there.ok().filter(Metadata::is_file) else { continue };
            let (label, compression) = label.map_or((None, LogCompression::None), |(label, form)| (Some(label), form));
            let path = entry.path().to_string_lossy().into_owned();
            let modified = (there.mtime(), there.mtime_nsec());
            found.push(TrailFile { path, label, compression, id: (there.dev(), there.ino()), modified });
        }
        sort_trail(&mut found);
        // For a moment there is one that is compressed beside the one it is made of.
        found.dedup_by(|later, earlier| later.label.is_some() && later.label == earlier.label);
        Ok(found)
    }

    /// A part of one of these files, decompressed; where it begins, and how many bytes there are. A negative offset counts from
    /// the end. May block.
    ///
    /// # Errors
    /// It is none of them, or cannot be read.
    pub fn read(&self, name: &str, offset: i64, length: u64) -> io::Result<(Vec<u8>, u64, u64)> {
        let (directory, log) = self.place()?;
        let form = self.compression(&log, name).ok_or(ErrorKind::NotFound)?;
        let path = directory.join(name);
        let path = path.to_str().ok_or(ErrorKind::InvalidFilename)?;
        let open = || if name == log { file_end::open(path) } else { file_end::open_unfollowed(path) };
        let content = || compressed_log::decoder(form, open()?);
        match (form, u64::try_from(offset)) {
            (LogCompression::None, _) => part_of_file(open()?, offset, length),
            (_, Ok(offset)) => part_from(&mut content()?, offset, length),
            (_, Err(_)) if offset.unsigned_abs() <= length => part_before_end(&mut content()?, offset.unsigned_abs()),
            (_, Err(_)) => {
                let size = io::copy(&mut content()?, &mut io::sink())?;
                part_from(&mut content()?, size.saturating_sub(offset.unsigned_abs()), length)
            }
        }
    }

    /// How the file with this name is compressed; none where it is none of this log.
    fn compression(&self, log: &str, name: &str) -> Option<LogCompression> {
        if name == log {
            return Some(LogCompression::None);
        }
        self.label(log, name).map(|(_, form)| form)
    }

    fn label(&self, log: &str, name: &str) -> Option<(BackupLabel, LogCompression)> {
        let by = |dates| BackupNames { log, dates }.find(name);
        by(None).or_else(|| by(Some(self.dates.as_ref()?)))
    }

    fn place(&self) -> io::Result<(PathBuf, String)> {
        let path = Path::new(&self.path);
        let name = path.file_name().and_then(|name| name.to_str());
        match (path.parent(), name) {
            (Some(directory), Some(name)) => Ok((directory.to_owned(), name.to_owned())),
            _ => Err(ErrorKind::InvalidFilename.into()),
        }
    }
}

/// Sorts a log and its rotated files, the newest first. Where the names have got dates, or lost them, the files of the one kind
/// follow all of the other, whose newest one is newer.
fn sort_trail(files: &mut [TrailFile]) {
    let is_numbered = |label: &BackupLabel| matches!(label, BackupLabel::Number(_));
    let newest = |numbered| {
        let of_kind = files.iter().filter(|file| file.label.as_ref().map(is_numbered) == Some(numbered));
        of_kind.map(|file| file.modified).max()
    };
    let are_numbers_newer = newest(true) > newest(false);
    let rank = |file: &TrailFile| file.label.as_ref().map(|label| is_numbered(label) != are_numbers_newer);
    files.sort_by(|one, other| {
        let by_label = || match (&one.label, &other.label) {
            (Some(BackupLabel::Number(a)), Some(BackupLabel::Number(b))) => a.cmp(b),
            (Some(a), Some(b)) => b.cmp(a),
            _ => Ordering::Equal,
        };
        let by_form = || one.compression.suffix().cmp(other.compression.suffix());
        rank(one).cmp(&rank(other)).then_with(by_label).then_with(by_form)
    });
}

/// A part of something, where it begins, and how long the whole is.
type Part = (Vec<u8>, u64, u64);

fn part_of_file(mut file: File, offset: i64, length: u64) -> io::Result<Part> {
    let size = file.metadata()?.len();
    let start = match u64::try_from(offset) {
        Ok(offset) => offset.min(size),
        Err(_) => size.saturating_sub(offset.unsigned_abs()),
    };
    let mut bytes = Vec::new();
    if start < size {
        file.seek(SeekFrom::Start(start))?;
        file.take(length.min(size - start)).read_to_end(&mut bytes)?;
    }
    Ok((bytes, start, size))
}

/// The part from an offset on, in one pass over all of it.
fn part_from(content: &mut impl Read, offset: u64, length: u64) -> io::Result<Part> {
    let start = io::copy(&mut content.take(offset), &mut io::sink())?;
    let mut bytes = Vec::new();
    content.take(length).read_to_end(&mut bytes)?;
    let rest = io::copy(content, &mut io::sink())?;
    let size = start + bytes.len() as u64 + rest;
    Ok((bytes, start, size))
}

/// So many of the last bytes, in one pass over all of it. No more than twice as many are in memory at once.
fn part_before_end(content: &mut impl Read, count: u64) -> io::Result<Part> {
    let most = usize::try_from(count).map_err(|_| ErrorKind::InvalidInput)?;
    let (mut kept, mut piece, mut size) = (VecDeque::new(), vec![0; PIECE], 0);
    loop {
        let read = match content.read(&mut piece) {
            Ok(0) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        size += read as u64;
        kept.extend(piece.get(..read).unwrap_or_default());
        kept.drain(..kept.len().saturating_sub(most));
    }
    let start = size - kept.len() as u64;
    Ok((kept.into(), start, size))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn write(path: &Path, form: LogCompression, text: &str, age: u64) {
        let mut encoder = compressed_log::Encoder::new(form, File::create(path).expect("created"));
        encoder.write_all(text.as_bytes()).expect("written");
        let file = encoder.finish().expect("finished");
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("set");
    }

    /// What is decompressed can be read only once.
    #[test]
    fn one_pass_is_enough_for_the_end_and_for_the_middle() {
        let text: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let size = text.len() as u64;
        for count in [0, 1, 70_000, size] {
            let start = size - count;
            let expected = (text[start as usize..].to_vec(), start, size);
            assert!(part_before_end(&mut text.as_slice(), count).expect("read") == expected, "{count}");
            assert!(part_from(&mut text.as_slice(), start, count).expect("read") == expected, "{count}");
        }
        let (bytes, start, found) = part_before_end(&mut text.as_slice(), size + 1).expect("read");
        assert!(bytes == text && start == 0 && found == size);
    }

    /// Files with numbers are left from the time before there were dates; a copy may have given all of them other times.
    #[test]
    fn numbers_and_dates_have_one_order_whatever_the_times_are() {
        let (number, date) = (|number| format!("web.log.{number}"), |day| format!("web-202611{day:02}.log"));
        for are_numbers_newer in [false, true] {
            let directory = tempfile::tempdir().expect("a directory");
            let make = |name: &str, form, age| write(&directory.path().join(name), form, "x", age);
            make("web.log", LogCompression::None, 5000);
            // The ages contradict the names, and make circles of comparisons with those of the other kind.
            for count in 1..=28_u32 {
                make(&number(count), LogCompression::None, u64::from(count * 11 % 29 * 10 + 5));
                let age = count * 17 % 29 * 10 + if are_numbers_newer { 8 } else { 2 };
                make(&date(count), LogCompression::None, u64::from(age));
            }
            make("web.log.5.gz", LogCompression::Gzip, 1500);
            let log = RotatedLog {
                path: directory.path().join("web.log").display().to_string(),
                dates: Some(DateFormat::parse("%Y%m%d").expect("a format")),
            };
            let trail = log.trail().expect("listed");
            let found = trail.iter().map(|file| Path::new(&file.path).file_name().and_then(|name| name.to_str()));
            let found: Vec<String> = found.map(|name| name.expect("a name").to_owned()).collect();
            let (numbers, dates) = ((1..=28).map(number), (1..=28).rev().map(date));
            let backups: Vec<String> =
                if are_numbers_newer { numbers.chain(dates).collect() } else { dates.chain(numbers).collect() };
            assert_eq!((found[0].as_str(), &found[1..]), ("web.log", &backups[..]));
        }
    }

    #[test]
    fn rotated_files_are_listed_and_read_like_the_log() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        for (name, form, age) in [
            ("web.log", LogCompression::None, 0),
            ("web.log.1", LogCompression::None, 10),
            ("web.log.2.gz", LogCompression::Gzip, 20),
            ("web-20261103.log.zst", LogCompression::Zstd, 30),
            ("web.log.compressing", LogCompression::None, 0),
            ("api.log.1", LogCompression::None, 0),
        ] {
            write(&path(name), form, &format!("0123456789 {name}"), age);
        }
        let log = RotatedLog {
            path: path("web.log").display().to_string(),
            dates: Some(DateFormat::parse("%Y%m%d").expect("a format")),
        };
        let names: Vec<String> = log.files().expect("listed").into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["web.log", "web.log.1", "web.log.2.gz", "web-20261103.log.zst"]);
        for name in names {
            let text = format!("0123456789 {name}");
            let size = text.len() as u64;
            let read = |offset, length| log.read(&name, offset, length).expect("read");
            assert_eq!(read(0, 100), (text.clone().into_bytes(), 0, size));
            assert_eq!(read(3, 4), (b"3456".to_vec(), 3, size));
            assert_eq!(read(-3, 2), (text.as_bytes()[text.len() - 3..text.len() - 1].to_vec(), size - 3, size));
            assert_eq!(read(-3, 3), (text.as_bytes()[text.len() - 3..].to_vec(), size - 3, size));
            assert_eq!(read(-100, 100), (text.clone().into_bytes(), 0, size));
            assert_eq!(read(-100, 4), (b"0123".to_vec(), 0, size));
            assert_eq!(read(100, 2), (Vec::new(), size, size));
        }
        // The log may be a link; nobody else has one read by a name of a rotated file.
        for (name, target) in [("web.log.4", "secret"), ("web.log.5", "/dev/zero"), ("web.log.6.gz", "web.log.2.gz")] {
            std::os::unix::fs::symlink(target, path(name)).expect("linked");
        }
        write(&path("secret"), LogCompression::None, "secret", 0);
        assert!(std::process::Command::new("mkfifo").arg(path("web.log.7")).status().expect("run").success());
        fs::rename(path("web.log"), path("moved.log")).expect("moved");
        std::os::unix::fs::symlink("moved.log", path("web.log")).expect("linked");
        assert_eq!(log.files().expect("listed").len(), 4);
        assert_eq!(log.read("web.log", 0, 10).expect("read").0, b"0123456789");
        let others = ["api.log.1", "web.log.compressing", "../web.log", "web.log.3", ""];
        for other in others.into_iter().chain(["web.log.4", "web.log.5", "web.log.6.gz", "web.log.7"]) {
            assert!(log.read(other, 0, 1).is_err(), "{other}");
        }
    }
}
