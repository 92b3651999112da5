//! Reading files that people or a start depend on, whole, without waiting for whoever might write to them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use supervisord_sys::trusted;

/// Opens a file to read it. A dead disk may keep it waiting, but no named pipe without a writer.
///
/// # Errors
/// That of the system, or that it is a named pipe.
pub fn open(path: &Path) -> io::Result<File> {
    let file = trusted::open_configured(path)?;
    match file.metadata()?.file_type().is_fifo() {
        true => Err(io::Error::other("it is a named pipe, and must be a regular file")),
        false => Ok(file),
    }
}

/// What is in a file.
///
/// # Errors
/// Those of [`open`], and that the file has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut content)?;
    match u64::try_from(content.len()).is_ok_and(|length| length <= most) {
        true => Ok(content),
        false => Err(io::Error::other(format!("it has more than {most} bytes"))),
    }
}
