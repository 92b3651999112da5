//! Reading parts of log files, off the thread of the network plane: a disk may hang.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use supervisord_core::actor::{Actor, Right};
use supervisord_core::call::{Reason, Refusal};
use supervisord_core::logread;
use supervisord_core::output::Channel;
use supervisord_core::row::Row;

use super::Api;
use super::log_place::LogPlace;
use crate::calls::CallFailure;
use crate::file_end;
use crate::memory_budget::Reservation;
use crate::output_memory::MemoryLog;
use crate::rotated_log::RotatedLog;

/// The end of a log.
#[derive(Debug)]
pub struct LogTail {
    /// Its text.
    pub text: String,
    /// The offset for the next request.
    pub offset: i64,
    /// Whether something before the text was left out.
    pub overflow: bool,
    /// The memory it takes; none where there is no text.
    pub reservation: Option<Reservation>,
}

/// A part of a log, as it is.
#[derive(Debug)]
pub struct LogPart {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they begin in the file.
    pub offset: u64,
    /// The size of the file.
    pub size: u64,
    /// The memory they take.
    pub reservation: Reservation,
}

impl LogTail {
    fn empty(offset: i64) -> LogTail {
        LogTail { text: String::new(), offset, overflow: false, reservation: None }
    }
}

impl Api {
    /// The path of the activity log, which tells of all programs; none with syslog.
    pub fn activity_file(&self, actor: &Actor) -> Result<Option<&str>, Refusal> {
        let opened = self.gate.open_for_all_programs(actor, Right::View);
        Ok(self.noted(actor, "read the activity log", opened)?.activity_file.as_deref())
    }

    /// Where a log of this process is, if it has one.
    pub fn process_log(&self, actor: &Actor, name: &str, channel: Channel) -> Result<Option<LogPlace>, Refusal> {
        let row = self.process(actor, name)?;
        self.log_of(actor, &row, channel)
    }

    /// The same of a process that this API has told of.
    pub fn log_of(&self, actor: &Actor, row: &Row, channel: Channel) -> Result<Option<LogPlace>, Refusal> {
        let daemon = self.gate.open(actor, Right::View)?;
        Ok(LogPlace::of(row, channel, &daemon.memory))
    }

    /// How much memory the output takes that is kept there.
    pub fn output_memory_size(&self, actor: &Actor) -> Result<u64, Refusal> {
        Ok(self.gate.open(actor, Right::View)?.memory.size())
    }

    /// A part of the activity log, with everything that has been logged until now.
    pub async fn read_activity_log(
        &self,
        actor: &Actor,
        offset: i64,
        length: i64,
    ) -> Result<(String, Reservation), CallFailure> {
        let Some(path) = self.activity_file(actor)?.map(str::to_owned) else {
            return Err(Refusal::with(Reason::NoFile, "syslog").into());
        };
        let progress = self.activity.progress();
        progress.reach(progress.queued()).await;
        self.read_log(Some(LogPlace::File(RotatedLog { path, dates: None })), offset, length).await
    }

    /// A part of a log of this process.
    pub async fn read_process_log(
        &self,
        actor: &Actor,
        name: &str,
        channel: Channel,
        offset: i64,
        length: i64,
    ) -> Result<(String, Reservation), CallFailure> {
        self.read_log(self.process_log(actor, name, channel)?, offset, length).await
    }

    /// The end of a log of this process. What cannot be read is empty; it is refused only where there is no memory for it.
    pub async fn tail_process_log(
        &self,
        actor: &Actor,
        name: &str,
        channel: Channel,
        offset: i64,
        length: i64,
    ) -> Result<LogTail, CallFailure> {
        let Some(place) = self.process_log(actor, name, channel)? else { return Ok(LogTail::empty(0)) };
        let log = match self.blocking.run(move || OpenLog::open(place)).await? {
            Ok(log) => log,
            Err(LogOpenError::Missing) => return Ok(LogTail::empty(0)),
            Err(LogOpenError::Unreadable) => return Ok(LogTail::empty(offset)),
        };
        let logread::TailRange { range, offset: end, overflow } = logread::tail_range(log.size, offset, length);
        let reservation = self.reserve(needed(&range)).await?;
        Ok(match self.blocking.run(move || log.text(range)).await? {
            Ok(text) => {
                let offset = i64::try_from(end).unwrap_or(i64::MAX);
                LogTail { text, offset, overflow, reservation: Some(reservation) }
            }
            Err(_) => LogTail::empty(offset),
        })
    }

    /// The last bytes of a log of this process, as many as `limit`; none if they cannot be read.
    pub async fn end_of_process_log(
        &self,
        actor: &Actor,
        name: &str,
        channel: Channel,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let path = match self.process_log(actor, name, channel)? {
            Some(LogPlace::File(log)) => log.path,
            Some(LogPlace::Memory(log)) => {
                let end = log.extent().bytes.end;
                return Ok(log.read(end.saturating_sub(limit)..end).ok().map(|(_, bytes)| bytes));
            }
            None => return Ok(None),
        };
        let read = self.blocking.run(move || file_end::read(&path, limit)).await;
        Ok(read.ok().and_then(Result::ok))
    }

    /// At most `length` bytes of a log from `offset`, which counts from the end where it is negative. What is
    /// beyond the log is left out. The place is one that this API has told.
    pub async fn read_part(
        &self,
        actor: &Actor,
        place: LogPlace,
        offset: i64,
        length: u64,
    ) -> Result<LogPart, CallFailure> {
        self.view(actor)?;
        let shown = place.follow_name();
        let found = self.blocking.run(move || {
            OpenLog::open(place).map_err(|error| match error {
                LogOpenError::Missing => Refusal::with(Reason::UnknownName, &shown),
                LogOpenError::Unreadable => Refusal::with(Reason::Failed, format_args!("{shown} cannot be read")),
            })
        });
        let log = found.await??;
        let size = log.size;
        let start = match u64::try_from(offset) {
            Ok(offset) => offset.min(size),
            Err(_) => size.saturating_sub(offset.unsigned_abs()),
        };
        let range = start..start.saturating_add(length).min(size);
        let bytes = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let reservation = self.reserve(bytes).await?;
        let read = self.blocking.run(move || log.bytes(range)).await?;
        let (found, bytes) = read.map_err(|error| Refusal::with(Reason::Failed, error))?;
        Ok(LogPart { bytes, offset: found.start, size, reservation })
    }

    /// A part of a log, or a refusal where there is none, where it cannot be read, or where the numbers mean nothing,
    /// found in this order.
    async fn read_log(
        &self,
        place: Option<LogPlace>,
        offset: i64,
        length: i64,
    ) -> Result<(String, Reservation), CallFailure> {
        let Some(place) = place else { return Err(Refusal::new(Reason::NoFile).into()) };
        let shown = place.follow_name();
        let found = self.blocking.run(move || {
            let log = OpenLog::open(place).map_err(|error| match error {
                LogOpenError::Missing => Refusal::with(Reason::NoFile, &shown),
                LogOpenError::Unreadable => Refusal::new(Reason::Failed),
            })?;
            let range = logread::read_range(log.size, offset, length)?;
            Ok::<_, Refusal>((log, range))
        });
        let (log, range) = found.await??;
        let reservation = self.reserve(needed(&range)).await?;
        let text = self.blocking.run(move || log.text(range)).await?.map_err(|_| Refusal::new(Reason::Failed))?;
        Ok((text, reservation))
    }
}

/// The memory for the text, and for the document that is made of it if every character is escaped.
fn needed(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX).saturating_mul(1 + "&amp;".len())
}

/// An open log with the size it had when it was opened.
struct OpenLog {
    content: LogContent,
    size: u64,
}

enum LogContent {
    File(File),
    /// Its beginning may be gone.
    Memory(MemoryLog),
}

enum LogOpenError {
    Missing,
    Unreadable,
}

impl OpenLog {
    fn open(place: LogPlace) -> Result<OpenLog, LogOpenError> {
        let path = match place {
            LogPlace::File(log) => log.path,
            LogPlace::Memory(log) => {
                return Ok(OpenLog { size: log.extent().bytes.end, content: LogContent::Memory(log) });
            }
        };
        if fs::metadata(&path).is_err() {
            return Err(LogOpenError::Missing);
        }
        let opened = file_end::open(&path).and_then(|file| {
            let size = file.metadata()?.len();
            Ok(OpenLog { content: LogContent::File(file), size })
        });
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LogOpenError::Missing,
            _ => LogOpenError::Unreadable,
        })
    }

    /// The text of a range within the size. Shorter where the file was cut in the meantime, or its beginning is gone.
    fn text(self, range: Range<u64>) -> io::Result<String> {
        let (found, bytes) = self.bytes(range)?;
        Ok(logread::text(bytes, found.start == 0))
    }

    /// The bytes of a range within the size, and which they are. Fewer where the file was cut in the meantime, or its beginning
    /// is gone.
    fn bytes(self, range: Range<u64>) -> io::Result<(Range<u64>, Vec<u8>)> {
        match self.content {
            LogContent::Memory(log) => log.read(range),
            LogContent::File(mut file) => {
                file.seek(SeekFrom::Start(range.start))?;
                let mut bytes = Vec::new();
                file.take(range.end - range.start).read_to_end(&mut bytes)?;
                Ok((range, bytes))
            }
        }
    }
}
