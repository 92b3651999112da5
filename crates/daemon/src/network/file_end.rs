//! The last bytes of a log file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};

use supervisord_sys::trusted;

/// Opens a log for reading. Only regular files are logs that can be read: others might block, or lose what is read.
pub fn open(path: &str) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    trusted::open_read(path)
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
}
