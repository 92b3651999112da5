//! Reading parts of log files, off the thread of the network plane: a disk may hang.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use supervisord_core::logread::{self, Tail};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;

use super::payload::{Content, Payload};
use super::{Failure, reserve};
use crate::network::{Context, file_end};
use crate::xmlrpc;

/// A part of a log, or a fault where there is none, where it cannot be read, or where the numbers mean nothing,
/// found in this order.
pub(super) async fn read(
    context: &Context,
    path: Option<String>,
    offset: i64,
    length: i64,
) -> Result<Payload, Failure> {
    let Some(path) = path else { return Err(Fault::new(FaultCode::NoFile).into()) };
    let found = context.blocking.run(move || {
        let log = Log::open(&path).map_err(|error| match error {
            OpenError::Missing => Fault::with(FaultCode::NoFile, &path),
            OpenError::Unreadable => Fault::new(FaultCode::Failed),
        })?;
        let range = logread::read_range(log.size, offset, length).map_err(|refusal| xmlrpc::fault(&refusal))?;
        Ok::<_, Fault>((log, range))
    });
    let (log, range) = found.await??;
    let reservation = reserve(context, needed(&range)).await?;
    let text = context.blocking.run(move || log.text(range)).await?.map_err(|_| Fault::new(FaultCode::Failed))?;
    Ok(Content::Value(Value::Str(text)).within(reservation))
}

/// The end of a log with its size and whether something was left out. What cannot be read is empty; a fault is only
/// that there is no memory for it.
pub(super) async fn tail(
    context: &Context,
    path: Option<String>,
    offset: i64,
    length: i64,
) -> Result<Payload, Failure> {
    let Some(path) = path else { return Ok(piece(String::new(), 0, false).into()) };
    let log = match context.blocking.run(move || Log::open(&path)).await? {
        Ok(log) => log,
        Err(OpenError::Missing) => return Ok(piece(String::new(), 0, false).into()),
        Err(OpenError::Unreadable) => return Ok(piece(String::new(), offset, false).into()),
    };
    let Tail { range, offset: end, overflow } = logread::tail_range(log.size, offset, length);
    let reservation = reserve(context, needed(&range)).await?;
    match context.blocking.run(move || log.text(range)).await? {
        Ok(text) => {
            Ok(Content::Value(piece(text, i64::try_from(end).unwrap_or(i64::MAX), overflow)).within(reservation))
        }
        Err(_) => Ok(piece(String::new(), offset, false).into()),
    }
}

fn piece(text: String, offset: i64, overflow: bool) -> Value {
    Value::Array(vec![text.into(), offset.into(), overflow.into()])
}

/// The memory for the text, and for the document that is made of it if every character is escaped.
fn needed(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX).saturating_mul(1 + "&amp;".len())
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
    fn open(path: &str) -> Result<Log, OpenError> {
        if fs::metadata(path).is_err() {
            return Err(OpenError::Missing);
        }
        let opened = file_end::open(path).and_then(|file| Ok(Log { size: file.metadata()?.len(), file }));
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Missing,
            _ => OpenError::Unreadable,
        })
    }

    /// The text of a range within the size. Shorter where the file was cut in the meantime.
    fn text(mut self, range: Range<u64>) -> io::Result<String> {
        let from_the_beginning = range.start == 0;
        self.file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(range.end - range.start).read_to_end(&mut bytes)?;
        Ok(logread::text(bytes, from_the_beginning))
    }
}
