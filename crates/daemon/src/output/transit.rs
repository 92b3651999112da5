//! Bytes on their way from the pipe of a program to the end of its log.
//!
//! Anybody may append to a log at any time, so that ours must append, too: the system then finds the end of the file and
//! writes there in one step. It does not do so for `splice(2)`, by which bytes are at any moment in the pipe or in the
//! file. Here they pass through memory instead, and what a process has in memory is gone when it is killed. Therefore
//! this memory, and the pipe before it, can outlive the process (see [`TransitFiles`]), and at any moment tell
//! what has been taken from a program and is not in its log yet:
//!
//! 1. Bytes go from the pipe of the program into ours by one system call, which happens as a whole.
//! 2. How many they are is noted. They are copied to the memory; those that have not been are still in our pipe.
//! 3. How long the file is, is noted; they are appended. Whether that has happened, the file itself shows
//!    ([`super::transit_recovery`]).
//! 4. That it has happened is noted.
//!
//! Where the bytes have to be looked at, a pipeline stands between 2 and 3. What it held back before is noted with the
//! bytes; from them the same text can be made again at any time. Once that is in the memory, too, together with what the
//! pipeline holds back from then on, one number makes it take the place of the bytes, and it is the text that is appended.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::mem;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use supervisord_core::output::pipeline::Pipeline;
use supervisord_sys::fd;
use supervisord_sys::pipe::{self, Pipe};
use supervisord_sys::shared_memory::SharedMemory;

use super::pipeline_notes::{self, PipelineNotes, StreamKey};

/// The form of what is noted. Memory of another form is not understood.
pub(super) const FORM: u64 = 2;

/// The most bytes that are on their way at once: as many as the pipe of a busy program holds.
pub(super) const CAPACITY: usize = 1 << 20;

/// The most bytes read at once, which is also the size of the largest log record.
pub(super) const PIECE: usize = 128 << 10;

/// As much as a program can write at once without anybody writing in between (the `PIPE_BUF` of Linux).
pub(super) const ATOMIC: usize = 4096;

/// The words at the beginning of the memory.
pub(super) mod word {
    pub const FORM: usize = 0;
    /// How many bytes have been taken; zero when all of them are in the log.
    pub const COUNT: usize = 1;
    /// See [`super::Progress`].
    pub const PROGRESS: usize = 2;
    /// How many of the bytes will be in the file after the append that is under way.
    pub const END: usize = 3;
    pub const DEVICE: usize = 4;
    pub const INODE: usize = 5;
    pub const PATH_LENGTH: usize = 6;
    /// Not zero while somebody else holds the descriptors: only then has the pipe what nobody else has.
    pub const IS_KEPT: usize = 7;
    /// Whose bytes they are, if they have to be looked at ([`super::StreamKey`]); otherwise zero.
    pub const STREAM: usize = 8;
    /// How long the note is of what the pipeline held back before it got the bytes.
    pub const BEFORE_LENGTH: usize = 9;
    /// The same, of what it holds back afterwards.
    pub const AFTER_LENGTH: usize = 10;
    /// Zero as long as there is no text that takes the place of the bytes; one more than its length from then on.
    pub const TEXT: usize = 11;
    /// See [`super::PipelineNotes`].
    pub const NOTES: usize = 12;
    /// How many bytes wait in memory for logs that take nothing, and end with the process.
    pub const WAITING: usize = 13;
}

/// Where the path of the log is; a longer one than fits in there cannot be opened.
pub(super) const PATH: Range<usize> = 128..128 + 4096;
/// What the pipeline held back before, and what it holds back afterwards.
pub(super) const BEFORE: NotePlace =
    NotePlace { usual: 8192..8192 + pipeline_notes::LONGEST, long: BYTES.end - LONG_NOTE..BYTES.end };
pub(super) const AFTER: NotePlace =
    NotePlace { usual: 12288..12288 + pipeline_notes::LONGEST, long: TEXT.end - LONG_NOTE..TEXT.end };
/// Where the bytes are.
pub(super) const BYTES: Range<usize> = 16384..16384 + CAPACITY;
/// Where the text is that a pipeline has made of them.
pub(super) const TEXT: Range<usize> = BYTES.end..BYTES.end + CAPACITY;

/// The longest note: that of records with a line that has not ended.
const LONG_NOTE: usize = 32 << 10;

/// The longest text that leaves room for a long note behind it. Bytes that are looked at always do: they are at most
/// [`PIECE`].
pub(super) const LONGEST_TEXT: usize = CAPACITY - LONG_NOTE;

/// Where a note is: a long one stands at the end of a room that is larger than what else is in it.
pub(super) struct NotePlace {
    usual: Range<usize>,
    long: Range<usize>,
}

impl NotePlace {
    const fn of(&self, length: usize) -> &Range<usize> {
        if length <= self.usual.end - self.usual.start { &self.usual } else { &self.long }
    }

    /// Stores what a pipeline holds back, and gives how long the note is. One that is too long is none.
    fn store(&self, memory: &mut SharedMemory, pipeline: &Pipeline) -> u64 {
        let note = pipeline.note(pipeline_notes::LONGEST);
        let place = self.of(note.len());
        if note.len() > place.len() {
            return 0;
        }
        memory.store(place.start, &note);
        note.len() as u64
    }

    /// A note of this length.
    pub fn load(&self, memory: &SharedMemory, length: usize) -> Vec<u8> {
        let place = self.of(length);
        memory.load(place.start, length.min(place.len()))
    }
}
/// Where the notes of all pipelines are.
pub(super) const NOTES: usize = TEXT.end;
/// How long the memory is.
pub(super) const LENGTH: usize = NOTES + pipeline_notes::LENGTH;

/// How far an append has come; one number, so that no half of it can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many of the bytes are in the file.
    pub written: usize,
    /// How long the file was before the append that is under way.
    pub under_way: Option<u64>,
}

impl Progress {
    const WRITTEN_BITS: u32 = CAPACITY.ilog2() + 1;

    /// As a number. The length of the file counts modulo 4 TiB.
    pub const fn pack(self) -> u64 {
        let written = (self.written as u64) << 1;
        match self.under_way {
            None => written,
            Some(length) => 1 | written | (length << (1 + Self::WRITTEN_BITS)),
        }
    }

    /// From a number.
    pub const fn unpack(number: u64) -> Progress {
        let written = (number >> 1) & ((1 << Self::WRITTEN_BITS) - 1);
        let under_way = if number & 1 == 1 { Some(number >> (1 + Self::WRITTEN_BITS)) } else { None };
        Progress { written: written as usize, under_way }
    }
}

/// What makes a file the same as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    pub device: u64,
    pub inode: u64,
}

impl FileId {
    /// Of the file that this was found out about.
    pub fn of(found: &Metadata) -> FileId {
        FileId { device: found.dev(), inode: found.ino() }
    }
}

/// What a transit is made of, as long as somebody has it open.
#[derive(Debug, Serialize, Deserialize)]
pub struct TransitFiles<D = OwnedFd> {
    /// What has been taken from a program, and how far it has got.
    pub memory: D,
    /// Where bytes come out of the pipe before it.
    pub reader: D,
    /// Where they go into it.
    pub writer: D,
}

/// The way of bytes from pipes to logs. One log at a time.
pub(super) struct Transit {
    memory: SharedMemory,
    /// Holds what has been taken and not been copied to the memory.
    pipe: Pipe,
    /// How many bytes can be taken at once; fewer than there is room for where the system does not allow larger pipes.
    capacity: usize,
    /// Whether somebody else holds the descriptors. As long as nobody does, bytes leave the pipe of the program only
    /// when they are in its log: a daemon that is killed between the two loses nothing, but repeats them.
    is_kept: bool,
    claimed: Option<(Arc<str>, FileId)>,
    /// Whether the memory says that what is taken has to be looked at.
    is_looked_at: bool,
    /// Where what is to be appended begins: at the bytes or at the text.
    area: usize,
    notes: PipelineNotes,
    /// The system has refused to do it.
    is_unusable: bool,
}

impl Transit {
    /// Nothing is on its way.
    pub fn new() -> io::Result<Transit> {
        let memory = SharedMemory::create(LENGTH)?;
        memory.word(word::FORM).store(FORM, Ordering::SeqCst);
        let pipe = pipe::pipe()?;
        let ours = pipe.reader.as_fd();
        let capacity = pipe::set_capacity(ours, CAPACITY).or_else(|_| pipe::capacity(ours))?.min(CAPACITY);
        Ok(Transit::with(memory, pipe, capacity))
    }

    fn with(memory: SharedMemory, pipe: Pipe, capacity: usize) -> Transit {
        let notes = PipelineNotes::of(&memory, word::NOTES, NOTES);
        let area = BYTES.start;
        Transit {
            memory,
            pipe,
            capacity,
            is_kept: false,
            claimed: None,
            is_looked_at: true,
            area,
            notes,
            is_unusable: false,
        }
    }

    /// That of a daemon that was killed. What was on its way must have been read ([`super::transit_recovery::TransitRecovery`]); until it is
    /// in its log, nothing may be taken.
    pub fn adopt(TransitFiles { memory, reader, writer }: TransitFiles) -> io::Result<Transit> {
        let memory = SharedMemory::adopt(memory, LENGTH)?;
        let is_kept = memory.word(word::IS_KEPT).load(Ordering::SeqCst) != 0;
        let capacity = pipe::capacity(reader.as_fd())?.min(CAPACITY);
        let mut transit = Transit { is_kept, ..Transit::with(memory, Pipe { reader, writer }, capacity) };
        // Copies of what is still in the pipe of a program.
        transit.empty_pipe();
        Ok(transit)
    }

    /// So many bytes wait in the memory of this process.
    pub fn note_waiting(&self, bytes: usize) {
        self.note(word::WAITING, bytes as u64);
    }

    /// How many bytes waited in the memory of a process that was killed.
    pub fn take_waiting(&self) -> u64 {
        self.memory.word(word::WAITING).swap(0, Ordering::SeqCst)
    }

    /// Copies of what has to outlive this process.
    pub fn files(&self) -> io::Result<TransitFiles> {
        let Pipe { reader, writer } = &self.pipe;
        let memory = self.memory.as_fd().try_clone_to_owned()?;
        Ok(TransitFiles { memory, reader: reader.try_clone()?, writer: writer.try_clone()? })
    }

    /// From now on somebody else holds the descriptors, or nobody does any more.
    pub fn set_kept(&mut self, is_kept: bool) {
        self.note(word::IS_KEPT, is_kept.into());
        self.is_kept = is_kept;
    }

    /// Whether somebody else holds the descriptors.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// What is taken next belongs to this log.
    pub fn claim(&mut self, path: &Arc<str>, file: FileId) {
        if self.claimed.as_ref().is_some_and(|(known, id)| Arc::ptr_eq(known, path) && *id == file) {
            return;
        }
        let length = path.len().min(PATH.len());
        self.memory.store(PATH.start, &path.as_bytes()[..length]);
        self.note(word::PATH_LENGTH, length as u64);
        self.note(word::DEVICE, file.device);
        self.note(word::INODE, file.inode);
        self.claimed = Some((path.clone(), file));
    }

    /// How many bytes can be taken at once; none where the system has refused to do it.
    pub fn capacity(&self) -> Option<usize> {
        (!self.is_unusable).then_some(self.capacity)
    }

    /// Takes what is in a pipe, as far as there is room, and `most` bytes at the most; 0 at its end. It never waits (EAGAIN).
    pub fn take(&mut self, from: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        if mem::take(&mut self.is_looked_at) {
            self.note(word::STREAM, 0);
        }
        self.take_at_most(from, self.capacity.min(most))
    }

    /// The last of `count` bytes that were taken, at most so many.
    pub fn end_of_taken(&self, count: usize, most: usize) -> Vec<u8> {
        let length = count.min(most);
        self.memory.load(BYTES.start + count - length, length)
    }

    /// A part of what has been taken, or of the text that was made of it.
    pub fn taken(&self, part: Range<usize>) -> Vec<u8> {
        self.memory.load(self.area + part.start, part.len())
    }

    /// Takes what is in the pipe of a stream that has to be looked at, as far as there is room, and copies it to `bytes`.
    pub fn take_to_look_at(
        &mut self,
        from: BorrowedFd<'_>,
        bytes: &mut [u8],
        stream: StreamKey,
        pipeline: &Pipeline,
    ) -> io::Result<usize> {
        let before = BEFORE.store(&mut self.memory, pipeline);
        self.note(word::BEFORE_LENGTH, before);
        self.note(word::STREAM, stream.number());
        self.is_looked_at = true;
        let count = self.take_at_most(from, self.capacity.min(bytes.len()))?;
        self.memory.load_into(BYTES.start, &mut bytes[..count]);
        Ok(count)
    }

    /// What the pipeline of a stream has made of what was taken, if anything was, takes its place: the text, which is to be
    /// appended, and what the pipeline holds back now.
    pub fn put(&mut self, stream: StreamKey, pipeline: &Pipeline, text: &[u8]) {
        self.area = TEXT.start;
        self.is_looked_at = true;
        put(&mut self.memory, &mut self.notes, stream, pipeline, text);
    }

    /// What was [`put`](Transit::put) has been dealt with.
    pub fn finish_text(&mut self) {
        self.area = BYTES.start;
        self.note(word::COUNT, 0);
        self.note(word::TEXT, 0);
    }

    /// The pipeline of a stream that another program read before, where it holds something back.
    pub fn noted(&self, stream: StreamKey) -> Option<Pipeline> {
        self.notes.find(&self.memory, stream)
    }

    /// Nobody needs what the pipeline of a stream holds back.
    pub fn forget(&mut self, stream: StreamKey) {
        self.notes.forget(&self.memory, stream);
    }

    fn take_at_most(&mut self, from: BorrowedFd<'_>, limit: usize) -> io::Result<usize> {
        if self.is_unusable {
            return Err(ErrorKind::Unsupported.into());
        }
        self.note(word::PROGRESS, Progress { written: 0, under_way: None }.pack());
        let take = if self.is_kept { fd::splice } else { fd::tee };
        let count = take(from, self.pipe.writer.as_fd(), limit)?;
        if self.is_kept {
            self.note(word::COUNT, count as u64);
        }
        let mut copied = 0;
        while copied < count {
            let place = BYTES.start + copied;
            match self.memory.read_from(self.pipe.reader.as_fd(), place, count - copied) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => copied += read?,
            }
        }
        Ok(count)
    }

    /// Where a record ends that begins at `start` of the `count` bytes and is at most `limit` long: behind a line, if
    /// one ends shortly before. What a program writes at once is not torn then, and nobody else can write in between.
    pub fn record_end(&self, start: usize, count: usize, limit: usize) -> usize {
        let end = start + limit;
        if end >= count {
            return count;
        }
        // Records are longer than that, and whole ones: they end with lines, too.
        let last = if self.area == TEXT.start { limit } else { limit.min(ATOMIC) };
        let behind_line = self.memory.load(self.area + end - last, last).iter().rposition(|byte| *byte == b'\n');
        behind_line.map_or(end, |index| end - last + index + 1)
    }

    /// Appends a part of what has been taken to a file that is open for appending. The error says how many bytes are
    /// lost.
    pub fn append(&mut self, file: &File, part: Range<usize>) -> Result<(), (usize, io::Error)> {
        let mut written = part.start;
        while written < part.end {
            match self.append_once(file, written, part.end) {
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.note(word::PROGRESS, Progress { written: part.end, under_way: None }.pack());
                    return Err((part.end - written, error));
                }
            }
        }
        Ok(())
    }

    /// All that was taken, `count` bytes from this pipe, has been dealt with.
    pub fn finish(&mut self, from: BorrowedFd<'_>, count: usize) {
        if !self.is_kept {
            self.drop_from(from, count);
        }
        self.note(word::COUNT, 0);
    }

    /// Gives back the memory that a rush has left.
    pub fn give_back_memory(&mut self) {
        // Where the system does not take it, it is used again by the next rush.
        let _ = self.memory.discard(BYTES.start, BYTES.len() + TEXT.len());
    }

    /// Nothing is taken from now on. The answer is how many bytes had been taken, and are lost.
    pub fn give_up(&mut self) -> usize {
        self.is_unusable = true;
        self.note(word::COUNT, 0);
        let waiting = self.empty_pipe();
        // What is only a copy is not lost.
        if self.is_kept { waiting } else { 0 }
    }

    /// Drops what waits in our pipe; the answer is how many bytes that were.
    fn empty_pipe(&mut self) -> usize {
        let waiting = pipe::waiting(self.pipe.reader.as_fd()).unwrap_or(0);
        if waiting > 0 {
            // They are there, so that this does not wait.
            let _ = fd::read(self.pipe.reader.as_fd(), &mut vec![0; waiting]);
        }
        waiting
    }

    fn append_once(&self, mut file: &File, written: usize, end: usize) -> io::Result<usize> {
        let length = file.seek(SeekFrom::End(0))?;
        self.note_append(written..end, length);
        let more = self.memory.write_to(file.as_fd(), self.area + written, end - written)?;
        if more == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        self.note(word::PROGRESS, Progress { written: written + more, under_way: None }.pack());
        Ok(more)
    }

    /// This part is about to be appended to the file, which is this long.
    pub(super) fn note_append(&self, part: Range<usize>, length: u64) {
        self.note(word::END, part.end as u64);
        self.note(word::PROGRESS, Progress { written: part.start, under_way: Some(length) }.pack());
    }

    /// Takes from the pipe of a program what has been dealt with. Nobody else reads it, so that it is there.
    fn drop_from(&mut self, from: BorrowedFd<'_>, count: usize) {
        let mut dropped = 0;
        while dropped < count
            && let Ok(more @ 1..) = self.memory.read_from(from, BYTES.start, count - dropped)
        {
            dropped += more;
        }
    }

    fn note(&self, index: usize, value: u64) {
        self.memory.word(index).store(value, Ordering::SeqCst);
    }
}

/// Has a text, and what a pipeline holds back now, take the place of the bytes of which they were made.
pub(super) fn put(
    memory: &mut SharedMemory,
    notes: &mut PipelineNotes,
    stream: StreamKey,
    pipeline: &Pipeline,
    text: &[u8],
) {
    let after = AFTER.store(memory, pipeline);
    memory.store(TEXT.start, text);
    let note = |index: usize, value: u64| memory.word(index).store(value, Ordering::SeqCst);
    note(word::AFTER_LENGTH, after);
    // Where nothing was taken, neither it nor what follows means anything before the last of them is noted.
    note(word::STREAM, stream.number());
    note(word::PROGRESS, Progress { written: 0, under_way: None }.pack());
    note(word::TEXT, text.len() as u64 + 1);
    // Half a note is none as long as the text is there.
    notes.note(memory, stream, pipeline);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_number() {
        for written in [0, 1, CAPACITY - 1, CAPACITY] {
            for under_way in [None, Some(0), Some(1), Some((1 << 42) - 1)] {
                let progress = Progress { written, under_way };
                assert_eq!(Progress::unpack(progress.pack()), progress);
            }
        }
    }
}
