//! Reading parts of log files, off the thread of the network plane: a disk may hang.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use supervisord_core::logread::{self, Tail};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;

use super::Failure;
use super::answer::Answer;

/// A part of a log, or a fault where there is none, where it cannot be read, or where the numbers mean nothing,
/// found in this order.
pub(super) async fn read(path: Option<String>, offset: i64, length: i64) -> Result<Answer, Failure> {
    let Some(path) = path else { return Err(Fault::new(FaultCode::NoFile).into()) };
    let text = blocking(move || {
        let mut log = Log::open(&path).map_err(|error| match error {
            OpenError::Missing => Fault::with(FaultCode::NoFile, &path),
            OpenError::Unreadable => Fault::new(FaultCode::Failed),
        })?;
        let range = logread::read_range(log.size, offset, length)?;
        log.text(range).map_err(|_| Fault::new(FaultCode::Failed))
    });
    Ok(Value::Str(text.await??).into())
}

/// The end of a log with its size and whether something was left out. This is never a fault: what cannot be read is empty.
pub(super) async fn tail(path: Option<String>, offset: i64, length: i64) -> Result<Answer, Failure> {
    let (text, offset, overflow) = match path {
        None => (String::new(), 0, false),
        Some(path) => blocking(move || tail_of(&path, offset, length)).await?,
    };
    Ok(Value::Array(vec![text.into(), offset.into(), overflow.into()]).into())
}

fn tail_of(path: &str, offset: i64, length: i64) -> (String, i64, bool) {
    let mut log = match Log::open(path) {
        Ok(log) => log,
        Err(OpenError::Missing) => return (String::new(), 0, false),
        Err(OpenError::Unreadable) => return (String::new(), offset, false),
    };
    let Tail { range, offset: end, overflow } = logread::tail_range(log.size, offset, length);
    match log.text(range) {
        Ok(text) => (text, i64::try_from(end).unwrap_or(i64::MAX), overflow),
        Err(_) => (String::new(), offset, false),
    }
}

/// An open log with the size it had when it was opened.
struct Log {
    file: File,
    size: u64,
}

enum OpenError {
    Missing,
    Unreadable,
}

impl Log {
    /// Opens a regular file; opening a pipe, which a log may be as well, could wait for ever.
    fn open(path: &str) -> Result<Log, OpenError> {
        if !fs::metadata(path).map_err(|_| OpenError::Missing)?.is_file() {
            return Err(OpenError::Unreadable);
        }
        let opened = File::open(path).and_then(|file| Ok(Log { size: file.metadata()?.len(), file }));
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Missing,
            _ => OpenError::Unreadable,
        })
    }

    /// The text of a range within the size. Shorter where the file was cut in the meantime.
    fn text(&mut self, range: Range<u64>) -> io::Result<String> {
        let from_the_beginning = range.start == 0;
        self.file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(range.end - range.start).read_to_end(&mut bytes)?;
        Ok(logread::text(bytes, from_the_beginning))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    // The join fails when the runtime is shut down.
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Ending)
}
