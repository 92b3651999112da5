//! The rotated files of a log, as they are read: listed, and decompressed.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use supervisord_config::date_format::DateFormat;
use supervisord_config::log_compression::LogCompression;
use supervisord_core::rotation::backup_name::BackupNames;

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
            let Ok(there) = fs::metadata(entry.path()) else { continue };
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
        let size = match form {
            LogCompression::None => file_end::open(path)?.metadata()?.len(),
            form => io::copy(&mut compressed_log::decoder(form, file_end::open(path)?)?, &mut io::sink())?,
        };
        let start = match u64::try_from(offset) {
            Ok(offset) => offset.min(size),
            Err(_) => size.saturating_sub(offset.unsigned_abs()),
        };
        let range = start..start.saturating_add(length).min(size);
        let mut content = compressed_log::decoder(form, file_end::open(path)?)?;
        Ok((part(&mut content, range)?, start, size))
    }

    /// How the file with this name is compressed; none where it is none of this log.
    fn compression(&self, log: &str, name: &str) -> Option<LogCompression> {
        if name == log {
            return Some(LogCompression::None);
        }
        let by = |dates| BackupNames { log, dates }.find(name).map(|(_, form)| form);
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

/// The bytes of a range; fewer where there are fewer.
fn part(content: &mut impl Read, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; PIECE];
    let mut to_skip = range.start;
    while to_skip > 0 {
        let most = usize::try_from(to_skip).unwrap_or(PIECE).min(PIECE);
        match content.read(piece.get_mut(..most).unwrap_or_default())? {
            0 => return Ok(Vec::new()),
            count => to_skip -= count as u64,
        }
    }
    let mut bytes = Vec::new();
    content.take(range.end - range.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn write(path: &Path, form: LogCompression, text: &str, age: u64) {
        let mut encoder = compressed_log::Encoder::new(form, File::create(path).expect("created"));
        encoder.write_all(text.as_bytes()).expect("written");
        let file = encoder.finish().expect("finished");
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("set");
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
            assert_eq!(read(100, 2), (Vec::new(), size, size));
        }
        for other in ["api.log.1", "web.log.compressing", "../web.log", "web.log.3", ""] {
            assert!(log.read(other, 0, 1).is_err(), "{other}");
        }
    }
}
