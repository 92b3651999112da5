//! The compression of rotated logs, on a thread of low priority that exists only while there is something to compress.
//!
//! The thread moves bytes, into a file of another name; the output plane alone renames and removes, so that a log that is rotated
//! meanwhile does no harm. What has been compressed is read again and compared before the original is given up.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use supervisord_config::log_compression::LogCompression;
use supervisord_sys::{priority, trusted};

use super::compression_end::CompressionEnd;
use super::disk_guard::{self, DISK_IS_LOW, DiskGuard};
use super::message::OutputRequest;
use super::queue::OutputHandle;
use super::sink_id::SinkId;
use crate::compressed_log;

/// How many bytes are read at once.
const PIECE: usize = 64 << 10;

/// A rotated log to compress.
pub(super) struct CompressionJob {
    /// The log it is a backup of.
    pub sink: SinkId,
    /// What the file is called now.
    pub path: PathBuf,
    /// The file, open for reading.
    pub source: File,
    pub form: LogCompression,
    /// Where the compressed file is made.
    pub part: PathBuf,
    /// Where a part of the disk is left free.
    pub disk_guard: Option<Arc<Mutex<DiskGuard>>>,
}

/// Compresses one file after the other.
pub(super) struct Compressor {
    answers: OutputHandle,
    is_busy: bool,
    is_abandoned: Arc<AtomicBool>,
}

impl Compressor {
    /// It says through this queue what has been done.
    pub fn new(answers: OutputHandle) -> Compressor {
        Compressor { answers, is_busy: false, is_abandoned: Arc::default() }
    }

    /// Whether it takes another job.
    pub fn is_free(&self) -> bool {
        !self.is_busy && !self.is_abandoned.load(Ordering::Relaxed)
    }

    /// Begins to compress a file.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn begin(&mut self, job: CompressionJob) -> io::Result<()> {
        let (answers, is_abandoned) = (self.answers.clone(), self.is_abandoned.clone());
        let work = move || {
            priority::lower_that_of_this_thread();
            let CompressionJob { sink, path, source, form, part, disk_guard } = job;
            let found = source.metadata();
            let id = found.as_ref().map_or((0, 0), |found| (found.dev(), found.ino()));
            let outcome =
                found.and_then(|found| compress(&source, &found, form, &part, disk_guard.as_deref(), &is_abandoned));
            let (held, holds) = sync_channel(0);
            answers.send(OutputRequest::Compressed(CompressionEnd {
                sink,
                path,
                source: id,
                form,
                part,
                outcome,
                _held: held,
            }));
            // Nothing is ever sent.
            let _ = holds.recv();
        };
        thread::Builder::new().name("compress".to_owned()).spawn(work)?;
        self.is_busy = true;
        Ok(())
    }

    /// The job has been done.
    pub fn finish(&mut self) {
        self.is_busy = false;
    }

    /// Nobody waits for what is being compressed; the next daemon begins it anew.
    pub fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Relaxed);
    }
}

fn compress(
    source: &File,
    found: &Metadata,
    form: LogCompression,
    part: &Path,
    disk_guard: Option<&Mutex<DiskGuard>>,
    is_abandoned: &AtomicBool,
) -> io::Result<()> {
    // The original and the compressed file are on the same disk.
    let may_write = |count: usize| match disk_guard::has_room(disk_guard, source, found.dev(), count) {
        _ if is_abandoned.load(Ordering::Relaxed) => Err(ErrorKind::Interrupted.into()),
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::StorageFull, DISK_IS_LOW)),
    };
    may_write(PIECE)?;
    let name = part.to_str().ok_or(ErrorKind::InvalidFilename)?;
    let target = trusted::create_new(name, found.mode() & 0o777)
        .map_err(|error| io::Error::new(error.kind(), format!("{name} cannot be made: {error}")))?;
    // A daemon that is not root makes files of its own only.
    drop(fchown(&target, Some(found.uid()), Some(found.gid())));
    let mut target = compressed_log::Encoder::new(form, target);
    copy(source, &mut target, may_write)?;
    let target = target.finish()?;
    target.set_modified(found.modified()?)?;
    target.sync_all()?;
    let (mut original, mut copied) = (source, compressed_log::decoder(form, trusted::open_read_unfollowed(name)?)?);
    original.rewind()?;
    match is_same(original, &mut copied, is_abandoned)? {
        true => Ok(()),
        false => Err(io::Error::other("the compressed file is not what the log is")),
    }
}

/// Asks before each piece whether so many bytes may be written.
fn copy(mut source: &File, target: &mut impl Write, may_write: impl Fn(usize) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece)? {
            0 => return Ok(()),
            count => {
                may_write(count)?;
                target.write_all(piece.get(..count).unwrap_or_default())?;
            }
        }
    }
}

fn is_same(mut one: impl Read, other: &mut impl Read, is_abandoned: &AtomicBool) -> io::Result<bool> {
    let (mut piece, mut expected) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let count = one.read(&mut expected)?;
        let expected = expected.get(..count).unwrap_or_default();
        let Some(piece) = piece.get_mut(..count.max(1)) else { return Ok(false) };
        if count == 0 {
            return Ok(other.read(piece)? == 0);
        }
        match other.read_exact(piece) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        if piece != expected {
            return Ok(false);
        }
        if is_abandoned.load(Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
    }
}
