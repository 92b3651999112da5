//! Records: the lines of a stream in a form that says when each was read, and whose it is.
//!
//! A line is a record when its line feed has come, or when the program has ended. One that is longer than [`LONGEST`] bytes
//! becomes several records, of which all but the first are marked: `+` stands where others have `|`, or before the message, and a
//! JSON object has `"continued":true`. Where a line is divided depends on nothing but its bytes.

use std::mem;
use std::sync::Arc;

use memchr::memchr;
use supervisord_config::log_form::LogFormat;

use super::note;

mod record_format;
mod record_time;
mod severity;

pub use record_format::{RecordFormat, RecordSource};
pub use record_time::ReadTime;
pub use severity::Severity;

use record_format::{Compiled, Kind};

/// The most bytes of a line in one record.
pub const LONGEST: usize = 16 << 10;

/// In which form the lines of a stream stand in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlan {
    pub format: Arc<RecordFormat>,
    /// The process id; none as long as there is no process.
    pub pid: Option<u32>,
}

impl RecordPlan {
    /// The lines alone.
    pub fn plain() -> RecordPlan {
        RecordPlan { format: RecordFormat::plain().into(), pid: None }
    }

    /// None where lines stay as they are.
    pub fn new(format: &LogFormat, source: &RecordSource<'_>, pid: Option<u32>) -> Option<RecordPlan> {
        RecordFormat::new(format, source).map(|format| RecordPlan { format: format.into(), pid })
    }
}

/// Makes records of a stream.
#[derive(Clone, Debug)]
pub struct Records {
    plan: RecordPlan,
    time: ReadTime,
    /// The format with what is the same in all records of lines of one read.
    compiled: Option<Compiled>,
    line: UnfinishedLine,
}

/// What has come of a line that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedLine {
    /// At most [`LONGEST`] bytes, and one that may belong to its end.
    pub bytes: Vec<u8>,
    /// Whether there are records of the beginning of the line.
    pub is_continued: bool,
}

impl UnfinishedLine {
    /// Takes the next piece, and gives each line that is complete with it, without its end. Of a line that is too long it gives
    /// parts, of which all but the first continue a line.
    pub fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8], bool)) {
        let (mut line, mut rest) = (mem::take(self), bytes);
        while let Some(end) = memchr(b'\n', rest) {
            let ends = &rest[..end];
            rest = &rest[end + 1..];
            if line.bytes.is_empty() {
                end_line(ends, line.is_continued, each);
            } else {
                line.bytes.extend_from_slice(ends);
                end_line(&line.bytes, line.is_continued, each);
                line.bytes.clear();
            }
            line.is_continued = false;
        }
        line.bytes.extend_from_slice(rest);
        // One byte more may be the carriage return of its end.
        let mut divided = 0;
        while line.bytes.len() - divided > LONGEST + 1 {
            let part = first_part(&line.bytes[divided..]);
            each(part, line.is_continued);
            divided += part.len();
            line.is_continued = true;
        }
        line.bytes.drain(..divided);
        if line.bytes.is_empty() {
            line.bytes = Vec::new();
        }
        *self = line;
    }

    /// Gives what has come of a line that will not end.
    pub fn finish(&mut self, each: &mut impl FnMut(&[u8], bool)) {
        match self.bytes.is_empty() {
            true => *self = UnfinishedLine::default(),
            false => self.push(b"\n", each),
        }
    }

    /// Whether nothing has come of a line.
    pub fn is_at_rest(&self) -> bool {
        *self == UnfinishedLine::default()
    }

    /// Appends it to a note.
    pub(super) fn note(&self, out: &mut Vec<u8>) {
        out.push(self.is_continued.into());
        note::put_bytes(out, &self.bytes);
    }

    /// Restores it from its note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<UnfinishedLine> {
        let is_continued = note::take_byte(note)? > 0;
        Some(UnfinishedLine { bytes: note::take_bytes(note)?, is_continued })
    }
}

impl Records {
    /// Those of a stream of which nothing has come.
    pub fn new(plan: RecordPlan) -> Records {
        Records::resume(plan, UnfinishedLine::default())
    }

    /// Those of a stream of which this has come.
    pub fn resume(plan: RecordPlan, line: UnfinishedLine) -> Records {
        Records { plan, time: ReadTime::default(), compiled: None, line }
    }

    /// Whether the process of the stream is known.
    pub fn knows_process(&self) -> bool {
        self.plan.pid.is_some()
    }

    /// The process of the stream has been made.
    pub fn set_pid(&mut self, pid: u32) {
        self.plan.pid = Some(pid);
        self.compiled = None;
    }

    /// Goes on in another form, or for another process.
    pub fn set_plan(&mut self, plan: RecordPlan) {
        let pid = plan.pid.or(self.plan.pid);
        self.plan = RecordPlan { pid, ..plan };
        self.compiled = None;
    }

    /// When what comes next was read.
    pub fn set_time(&mut self, time: ReadTime) {
        if self.time != time {
            (self.time, self.compiled) = (time, None);
        }
    }

    /// What has come of a line that has not ended.
    pub fn unfinished(&self) -> &UnfinishedLine {
        &self.line
    }

    /// Whether nothing has come of a line that has not ended.
    pub fn is_at_rest(&self) -> bool {
        self.line.is_at_rest()
    }

    /// The records that are complete with this piece.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() * 3);
        let Records { plan: RecordPlan { format, pid }, time, compiled, line } = self;
        let compiled = compiled.get_or_insert_with(|| format.compile(Kind::Line, time, *pid));
        line.push(bytes, &mut |part, is_continued| match is_continued {
            false => compiled.push(part, &mut out),
            true => format.compile(Kind::Continued, time, *pid).push(part, &mut out),
        });
        out
    }

    /// The record of a line that will not end.
    pub fn finish(&mut self) -> Vec<u8> {
        if self.line.bytes.is_empty() {
            self.line = UnfinishedLine::default();
            return Vec::new();
        }
        self.push(b"\n")
    }

    /// The record that tells what happens to the process, in the place of a line.
    pub fn marker(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        self.plan.format.compile(Kind::Marker, &self.time, self.plan.pid).push(text.as_bytes(), &mut out);
        out
    }

    /// Appends its form and its state to a note.
    pub(super) fn note(&self, out: &mut Vec<u8>) {
        self.line.note(out);
        note::put_number(out, self.plan.pid.map_or(u64::MAX, u64::from));
        self.plan.format.note(out);
    }

    /// Restores it from its note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<Records> {
        let line = UnfinishedLine::from_note(note)?;
        let pid = u32::try_from(note::take_number(note)?).ok();
        let format = RecordFormat::from_note(note)?;
        Some(Records::resume(RecordPlan { format: format.into(), pid }, line))
    }
}

/// Gives a line that has ended, without its line feed.
fn end_line(line: &[u8], is_continued: bool, each: &mut impl FnMut(&[u8], bool)) {
    let (mut rest, mut is_continued) = (line.strip_suffix(b"\r").unwrap_or(line), is_continued);
    while rest.len() > LONGEST {
        let part = first_part(rest);
        each(part, is_continued);
        rest = &rest[part.len()..];
        is_continued = true;
    }
    each(rest, is_continued);
}

/// What of a line that is too long becomes its first record: no character is divided.
fn first_part(line: &[u8]) -> &[u8] {
    let begins_character = |at: &usize| line.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let end = (LONGEST - 3..=LONGEST).rev().find(begins_character).unwrap_or(LONGEST);
    &line[..end.min(line.len())]
}

#[cfg(test)]
mod tests;
