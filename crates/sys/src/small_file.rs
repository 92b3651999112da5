//! Reading files that people or a start depend on, whole, without waiting for whoever might write to them.

use std::fs::{File, FileType, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::trusted;

/// Opens a regular file to read it, or the null device, which stands for an empty one. A dead disk may keep it waiting, but no
/// named pipe without a writer.
///
/// # Errors
/// That of the system, or that it is something else.
pub fn open(path: &Path) -> io::Result<File> {
    let file = trusted::open_configured(path)?;
    let found = file.metadata()?;
    match other_kind(found.file_type()) {
        Some(kind) if !is_null(&found) => Err(io::Error::other(format!("it is {kind}, and must be a regular file"))),
        _ => Ok(file),
    }
}

/// What is in a file.
///
/// # Errors
/// Those of [`open`], and that the file has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut content)?;
    within(most, content)
}

/// What is in a file, or what comes out of a pipe or a device until its end, which is waited for as long as something comes within
/// `patience`.
///
/// # Errors
/// That of the system, that there are more than `most` bytes, or that nothing came.
pub fn read_or_drain(path: &Path, most: u64, patience: Duration) -> io::Result<Vec<u8>> {
    let file = trusted::open_configured(path)?;
    let mut content = Vec::new();
    if file.metadata()?.is_file() {
        file.take(most + 1).read_to_end(&mut content)?;
        return within(most, content);
    }
    let mut source = file.take(most + 1);
    loop {
        await_bytes(source.get_ref(), patience)?;
        let mut piece = vec![0; 64 << 10];
        match source.read(&mut piece) {
            Ok(0) => return within(most, content),
            Ok(count) => content.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
}

fn await_bytes(file: &File, patience: Duration) -> io::Result<()> {
    let limit = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    loop {
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], limit) {
            Ok(0) => {
                let text = format!("nothing has been written to it for {} seconds", patience.as_secs());
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            Err(nix::errno::Errno::EINTR) => {}
            answer => return answer.map(drop).map_err(io::Error::from),
        }
    }
}

fn within(most: u64, content: Vec<u8>) -> io::Result<Vec<u8>> {
    match u64::try_from(content.len()).is_ok_and(|length| length <= most) {
        true => Ok(content),
        false => Err(io::Error::other(format!("it has more than {most} bytes"))),
    }
}

/// What is neither a regular file nor a directory, which the system itself refuses to read.
fn other_kind(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        () => None,
    }
}

fn is_null(found: &Metadata) -> bool {
    found.file_type().is_char_device()
        && std::fs::metadata("/dev/null")
            .is_ok_and(|null| null.file_type().is_char_device() && null.rdev() == found.rdev())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::process::Command;
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn make_pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    fn refusal(read: io::Result<Vec<u8>>) -> String {
        read.unwrap_err().to_string()
    }

    #[test]
    fn only_regular_files_and_the_null_device_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "content").unwrap();
        assert_eq!(read(&path("file"), 7).unwrap(), b"content");
        assert_eq!(refusal(read(&path("file"), 6)), "it has more than 6 bytes");
        assert_eq!(read(Path::new("/dev/null"), 6).unwrap(), b"");
        make_pipe(&path("pipe"));
        assert_eq!(refusal(read(&path("pipe"), 6)), "it is a named pipe, and must be a regular file");
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        assert_eq!(refusal(read(&path("zero"), 6)), "it is a device, and must be a regular file");
        assert!(read(directory.path(), 6).is_err() && read(&path("missing"), 6).is_err());
    }

    #[test]
    fn a_pipe_is_read_to_its_end_and_waited_for_within_limits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        make_pipe(&path);
        let writer = {
            let path = path.clone();
            thread::spawn(move || {
                let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
                (0..100).for_each(|_| pipe.write_all(&[b'x'; 10_000]).unwrap());
            })
        };
        assert_eq!(read_or_drain(&path, 1_000_000, PATIENCE).unwrap().len(), 1_000_000);
        writer.join().unwrap();
        assert_eq!(refusal(read_or_drain(Path::new("/dev/zero"), 1000, PATIENCE)), "it has more than 1000 bytes");
        let silent = read_or_drain(&path, 1000, Duration::from_millis(1));
        assert_eq!(silent.unwrap_err().kind(), ErrorKind::TimedOut);
        fs::write(directory.path().join("file"), "content").unwrap();
        assert_eq!(read_or_drain(&directory.path().join("file"), 7, PATIENCE).unwrap(), b"content");
        assert!(read_or_drain(directory.path(), 7, PATIENCE).is_err());
    }
}
