//! The last bytes of a log file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use supervisord_sys::trusted;

/// Opens a log for reading. Only regular files are logs that can be read, and `/dev/null`, which is empty: others might
/// block, or lose what is read.
pub fn open(path: &str) -> io::Result<File> {
    let found = fs::metadata(path)?;
    if !found.is_file() && !is_null(&found) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    trusted::open_read(path)
}

/// Opens a regular file for reading that is no link.
pub fn open_unfollowed(path: &str) -> io::Result<File> {
    let file = trusted::open_read_unfollowed(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

fn is_null(found: &Metadata) -> bool {
    let is_device = |found: &Metadata| found.file_type().is_char_device();
    is_device(found) && fs::metadata("/dev/null").is_ok_and(|null| is_device(&null) && null.rdev() == found.rdev())
}

/// The last `limit` bytes of the file, or all of it where it is shorter. May block.
pub fn read(path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_end_is_cut_at_the_limit() {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(b"0123456789").expect("written");
        let path = file.path().to_str().expect("plain path");
        assert_eq!(read(path, 4).expect("read"), b"6789");
        assert_eq!(read(path, 100).expect("read"), b"0123456789");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert!(read("/dev/zero", 10).is_err());
        assert!(read("/", 10).is_err());
    }

    #[test]
    fn the_null_device_is_an_empty_log() {
        let dir = tempfile::tempdir().expect("a directory");
        let link = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/null", &link).expect("linked");
        assert_eq!(read("/dev/null", 10).expect("read"), b"");
        assert_eq!(read(link.to_str().expect("text"), 10).expect("read"), b"");
    }
}
