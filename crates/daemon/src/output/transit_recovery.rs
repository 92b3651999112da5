//! What a daemon that was killed had taken from the pipe of a program and not, or perhaps not, put into its log.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use supervisord_core::output::pipeline::{Piece, Pipeline};
use supervisord_sys::pipe;
use supervisord_sys::shared_memory::SharedMemory;
use supervisord_sys::trusted;

use crate::clock::read_time;

use super::pipeline_notes::{PipelineNotes, StreamKey};
use super::transit::{
    self, AFTER, BEFORE, BYTES, CAPACITY, FORM, FileId, LENGTH, LONGEST_TEXT, NOTES, NotePlace, PATH, Progress, TEXT,
    TransitFiles, word,
};

/// The bytes, and how far they had got. They stay where they are until they are in their log, so that nothing is lost or
/// repeated if this daemon is killed, too.
#[derive(Debug)]
pub(super) struct TransitRecovery {
    /// The log they belong to.
    pub path: String,
    memory: SharedMemory,
    file: FileId,
    bytes: Vec<u8>,
    progress: Progress,
    /// Where the append ends that was under way.
    end: usize,
    /// Whether the killed daemon had still to pass on events or copies of it.
    pub is_unreported: bool,
}

/// Which of the bytes are missing in the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing<'a> {
    pub bytes: &'a [u8],
    /// The file is not where it was, so that nobody can tell whether these bytes are in it.
    pub is_uncertain: bool,
}

impl TransitRecovery {
    /// Reads what is left, if anything is, from the memory and the pipe of the daemon before.
    pub fn read(files: &TransitFiles) -> io::Result<Option<TransitRecovery>> {
        let mut memory = SharedMemory::adopt(files.memory.try_clone()?, LENGTH)?;
        let number = |index| memory.word(index).load(Ordering::SeqCst);
        let (count, path_length) = (size(number(word::COUNT))?, size(number(word::PATH_LENGTH))?);
        if number(word::FORM) != FORM || count > CAPACITY || path_length > PATH.len() {
            return Err(ErrorKind::InvalidData.into());
        }
        let (is_kept, text, stream) =
            (number(word::IS_KEPT) != 0, size(number(word::TEXT))?, StreamKey::from_number(number(word::STREAM)));
        let mut is_unreported = false;
        let bytes = match (text.checked_sub(1), stream) {
            (Some(length), Some(stream)) => {
                note_again(&mut memory, stream)?;
                memory.load(TEXT.start, length.min(TEXT.len()))
            }
            (Some(_), None) => return Err(ErrorKind::InvalidData.into()),
            (None, _) if !is_kept => return Ok(None),
            (None, stream) => {
                let count = copy_rest(&mut memory, &files.reader, count)?;
                if count == 0 {
                    return Ok(None);
                }
                let bytes = memory.load(BYTES.start, count);
                match stream {
                    None => bytes,
                    Some(stream) => {
                        let (text, is_all) = look_at(&mut memory, stream, &bytes)?;
                        is_unreported = !is_all;
                        text
                    }
                }
            }
        };
        let number = |index| memory.word(index).load(Ordering::SeqCst);
        let path = String::from_utf8(memory.load(PATH.start, path_length)).map_err(io::Error::other)?;
        let file = FileId { device: number(word::DEVICE), inode: number(word::INODE) };
        let progress = Progress::unpack(number(word::PROGRESS));
        let end = if progress.under_way.is_some() { size(number(word::END))? } else { bytes.len() };
        if progress.written > end || end > bytes.len() {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(Some(TransitRecovery { path, memory, file, bytes, progress, end, is_unreported }))
    }

    /// What has to be appended to the log.
    pub fn missing(&self) -> Missing<'_> {
        let bytes = &self.bytes[self.progress.written..];
        let Some(length) = self.progress.under_way else { return Missing { bytes, is_uncertain: false } };
        let part = &self.bytes[self.progress.written..self.end];
        match tail(&self.path, self.file, length, part.len()) {
            Ok(tail) => Missing { bytes: &bytes[appended(part, &tail, length)..], is_uncertain: false },
            Err(_) => Missing { bytes, is_uncertain: true },
        }
    }

    /// The missing bytes are about to be appended to the log. Whether that has happened, the file itself shows.
    pub fn note_append(&self, missing: &Missing<'_>) {
        let Ok(found) = trusted::open_read(&self.path).and_then(|file| file.metadata()) else { return };
        let written = self.bytes.len() - missing.bytes.len();
        let FileId { device, inode } = FileId::of(&found);
        let under_way = Progress { written, under_way: Some(found.len()) };
        let notes = [(word::DEVICE, device), (word::INODE, inode), (word::END, self.bytes.len() as u64)];
        // Until the last of them is noted, what was under way before is compared with another file, which has none of it.
        self.note(word::PROGRESS, Progress { written, under_way: None }.pack());
        notes.into_iter().for_each(|(index, value)| self.note(index, value));
        self.note(word::PROGRESS, under_way.pack());
    }

    /// Nothing is missing any more.
    pub fn finish(&self) {
        self.note(word::COUNT, 0);
        self.note(word::TEXT, 0);
    }

    fn note(&self, index: usize, value: u64) {
        self.memory.word(index).store(value, Ordering::SeqCst);
    }
}

/// What stands in the file at this path from `length` on, as much as `count` bytes of ours can be among.
///
/// # Errors
/// It cannot be read, is another file, or is shorter.
pub(super) fn tail(path: &str, id: FileId, length: u64, count: usize) -> io::Result<Vec<u8>> {
    let file = trusted::open_read(path)?;
    let found = file.metadata()?;
    if FileId::of(&found) != id || found.len() < length {
        return Err(ErrorKind::NotFound.into());
    }
    let mut tail = vec![0; count + LOOK_THROUGH];
    let mut filled = 0;
    while filled < tail.len() {
        match file.read_at(&mut tail[filled..], length + filled as u64) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    tail.truncate(filled);
    Ok(tail)
}

/// Makes the text again that a pipeline was making, and puts it in the place of the bytes. Says whether it was all there was.
fn look_at(memory: &mut SharedMemory, stream: StreamKey, bytes: &[u8]) -> io::Result<(Vec<u8>, bool)> {
    let mut pipeline = noted(memory, word::BEFORE_LENGTH, &BEFORE)?;
    pipeline.set_read_time(read_time());
    let (mut text, mut is_all) = (Vec::new(), true);
    pipeline.push(bytes, &mut |piece| match piece {
        Piece::Log(bytes) => text.extend_from_slice(bytes),
        Piece::Records(records) => text.extend_from_slice(&records),
        // Where it goes to the system log or to a log service, too, nobody knows whether it has.
        Piece::Unformatted(_) | Piece::Line { .. } => {}
        Piece::Observed(_) | Piece::Section(_) | Piece::Cut(_) => is_all = false,
    });
    let mut notes = PipelineNotes::of(memory, word::NOTES, NOTES);
    if text.len() > LONGEST_TEXT {
        // There is no room to keep it: it is made once more if this daemon is killed, too.
        notes.note(memory, stream, &pipeline);
    } else {
        transit::put(memory, &mut notes, stream, &pipeline, &text);
    }
    Ok((text, is_all))
}

/// Notes again what a pipeline holds back, because that may have been interrupted.
fn note_again(memory: &mut SharedMemory, stream: StreamKey) -> io::Result<()> {
    let pipeline = noted(memory, word::AFTER_LENGTH, &AFTER)?;
    PipelineNotes::of(memory, word::NOTES, NOTES).note(memory, stream, &pipeline);
    Ok(())
}

fn noted(memory: &SharedMemory, length: usize, place: &NotePlace) -> io::Result<Pipeline> {
    let length = size(memory.word(length).load(Ordering::SeqCst))?;
    Pipeline::from_note(&place.load(memory, length)).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// Copies what waits in the pipe to the memory; before `count` was noted, that is all of it. Gives how many bytes there are
/// in the memory then.
fn copy_rest(memory: &mut SharedMemory, pipe: &OwnedFd, count: usize) -> io::Result<usize> {
    let waiting = pipe::waiting(pipe.as_fd())?;
    let mut copied = count.saturating_sub(waiting);
    let count = copied + waiting;
    if count > CAPACITY {
        return Err(ErrorKind::InvalidData.into());
    }
    // Before they leave the pipe.
    memory.word(word::COUNT).store(count as u64, Ordering::SeqCst);
    while copied < count {
        match memory.read_from(pipe.as_fd(), BYTES.start + copied, count - copied) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(more) => copied += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// How much others can have appended between our look at the length of a file and our own append.
const LOOK_THROUGH: usize = 1 << 20;

/// So many bytes that are the same are no coincidence.
const TELLING: usize = 16;

/// The system may end an append, of which the process is killed, at the end of a page only.
const PAGE: u64 = 4096;

/// How many of `bytes` have been appended to a file that was `length` long, where `tail` follows now.
///
/// Others may have appended, too, before ours and behind. Ours stand in one piece, all of them or the first ones up to
/// the end of a page. A few bytes only count where nobody was before them, because others may write the same.
pub(super) fn appended(bytes: &[u8], tail: &[u8], length: u64) -> usize {
    let telling = &bytes[..bytes.len().min(TELLING)];
    let starts = if telling.len() < TELLING { 1 } else { tail.len() };
    for start in (0..starts).filter(|start| tail[*start..].starts_with(telling)) {
        let common = bytes.iter().zip(&tail[start..]).take_while(|(ours, found)| ours == found).count();
        let end = start + common;
        if common == bytes.len() || end == tail.len() || (length + end as u64).is_multiple_of(PAGE) {
            return common;
        }
    }
    0
}

fn size(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests;
