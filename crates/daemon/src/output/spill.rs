//! Output that a log does not take, in a file that outlives the daemon, until the log takes it.
//!
//! The file stands in the directory of automatic logs (`childlogdir`) and is named after the log and a number made of its path. It
//! begins with a page that says how far it has been read and, while a piece is appended to the log, where that begins there;
//! the output follows as it is. Whoever finds the file after a `kill -9` sees in the log itself whether the piece is there
//! ([`transit_recovery::appended`]).

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Mutex;

use supervisord_sys::{trusted, user};

use super::disk_guard::{self, DISK_IS_LOW, DiskGuard};
use super::log_file::LogFile;
use super::loss::Loss;
use super::transit::FileId;
use super::transit_recovery;

/// The name of a file ends so.
const SUFFIX: &str = ".spill";

/// What the file begins with; another form is not understood.
const FORM: u64 = u64::from_le_bytes(*b"spill-1\n");

/// How long its first page is; the output follows.
const HEADER: u64 = 4096;

/// How many bytes are appended to the log at once.
const PIECE: u64 = 64 << 10;

/// The most bytes that are appended to the log in one turn of the loop.
const AT_ONCE: u64 = 4 << 20;

/// The words at the beginning of the file.
const WORDS: usize = 7;

/// The output that waits for one log.
#[derive(Debug)]
pub(super) struct Spill {
    path: String,
    log: String,
    file: File,
    device: u64,
    /// How many bytes of the output are in the log.
    read: u64,
    /// How many bytes there are.
    end: u64,
    /// Where the last line begins; at the end where that line has ended.
    line: u64,
    /// Whether the log ended in a part of a line before, of which these bytes are the rest.
    continues_line: bool,
}

/// An append to the log that is under way.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    file: FileId,
    /// How long the log was before.
    length: u64,
    count: u64,
}

impl Spill {
    /// Whether a file may be one.
    pub fn is_name(name: &str) -> bool {
        name.ends_with(SUFFIX)
    }

    /// The name of the file for the log at this path.
    pub fn name(log: &str) -> String {
        let name = Path::new(log).file_name().and_then(|name| name.to_str()).unwrap_or("log");
        let start: String = name.chars().take(64).collect();
        // FNV-1a
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        format!("{start}-{:016x}{SUFFIX}", log.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// An empty one. `continues_line` says that the log ends in a part of a line.
    ///
    /// # Errors
    /// The file cannot be made, or one with something in it is there already.
    pub fn create(directory: &str, log: &str, continues_line: bool) -> io::Result<Spill> {
        let path = path_of(directory, log)?;
        if let Ok(found) = fs::symlink_metadata(&path) {
            check_owner(&found).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}; remove it")))?;
            if found.is_file() && found.len() < HEADER {
                trusted::remove(&path)?;
            }
        }
        let file = trusted::create_new_read_write(&path, 0o600)?;
        let device = file.metadata()?.dev();
        let spill = Spill { path, log: log.to_owned(), file, device, read: 0, end: 0, line: 0, continues_line };
        spill.note(None)?;
        Ok(spill)
    }

    /// What an earlier daemon has left for this log; none where that is nothing.
    ///
    /// # Errors
    /// There is no file, it cannot be read, belongs to somebody else, or is not understood.
    pub fn open(directory: &str, log: &str) -> io::Result<Option<Spill>> {
        let path = path_of(directory, log)?;
        let file = trusted::open_read_write(&path)?;
        let found = file.metadata()?;
        // Its name can be guessed: in a directory in which others may write, what it says must not get into a log.
        check_owner(&found)?;
        if !found.is_file() || found.mode() & 0o077 != 0 || found.nlink() != 1 {
            return Err(ErrorKind::PermissionDenied.into());
        }
        // A daemon was killed before it had put anything in, or when the log had everything.
        if found.len() < HEADER {
            trusted::remove(&path)?;
            return Ok(None);
        }
        let mut header = [0; HEADER as usize];
        file.read_exact_at(&mut header, 0)?;
        let word = |index: usize| header[index * 8..][..8].try_into().map_or(0, u64::from_le_bytes);
        let length = usize::try_from(word(6)).unwrap_or(usize::MAX);
        let its_log = header[WORDS * 8..].get(..length);
        let end = found.len() - HEADER;
        if word(0) != FORM || its_log != Some(log.as_bytes()) || word(1) > end {
            return Err(ErrorKind::InvalidData.into());
        }
        let (log, device) = (log.to_owned(), found.dev());
        let mut spill = Spill { path, log, file, device, read: word(1), end, line: end, continues_line: false };
        let under_way = UnderWay {
            file: FileId { device: word(2), inode: word(3) },
            length: word(4),
            count: word(5).min(PIECE).min(spill.len()),
        };
        if under_way.count > 0 {
            spill.read += spill.appended(under_way)?;
            spill.note(None)?;
        }
        if spill.is_empty() {
            spill.remove();
            return Ok(None);
        }
        spill.find_last_line()?;
        Ok(Some(spill))
    }

    /// The path of the file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How many bytes wait.
    pub fn len(&self) -> u64 {
        self.end - self.read
    }

    /// Whether none do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the log ends in a part of a line when it has everything.
    pub fn is_within_line(&self) -> bool {
        self.line < self.end || (self.end == 0 && self.continues_line)
    }

    /// Adds bytes behind those that wait, of which the file may have `limit`; the error says how many are lost. What does not fit
    /// is lost by whole lines, together with what has come of the first of them before.
    pub fn push(&mut self, bytes: &[u8], limit: u64, guard: Option<&Mutex<DiskGuard>>) -> Result<(), Loss> {
        let (kept, reason) = self.append(bytes, limit, guard);
        let last = bytes.get(..kept).unwrap_or_default().iter().rposition(|byte| *byte == b'\n');
        if let Some(last) = last {
            self.line = self.end - (kept - last - 1) as u64;
        }
        let Some(reason) = reason else { return Ok(()) };
        let begun = if kept == 0 { self.cut_open_line() } else { 0 };
        Err(Loss::new(bytes.len() - kept + begun, &reason))
    }

    /// Drops the beginning of a line whose rest is lost, and gives how many bytes that were. A line of which the log has a part
    /// ends.
    fn cut_open_line(&mut self) -> usize {
        let start = self.line.max(self.read);
        let is_in_log = self.read > self.line || (self.line == 0 && self.continues_line);
        if self.file.set_len(HEADER + start).is_err() {
            return 0;
        }
        let begun = self.end - start;
        self.end = start;
        if is_in_log && self.file.write_all_at(b"\n", HEADER + start).is_ok() {
            self.end += 1;
        }
        self.line = self.end;
        usize::try_from(begun).unwrap_or(usize::MAX)
    }

    /// Finds where the last line begins, of a file that another daemon has left.
    fn find_last_line(&mut self) -> io::Result<()> {
        let mut start = self.end;
        while start > 0 {
            let end = start;
            start = end.saturating_sub(PIECE);
            let mut piece = vec![0; usize::try_from(end - start).unwrap_or(0)];
            self.file.read_exact_at(&mut piece, HEADER + start)?;
            if let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') {
                self.line = start + last as u64 + 1;
                return Ok(());
            }
        }
        self.line = 0;
        // What is in the log already is known to be a part of it.
        self.continues_line = self.read == 0 && ends_within_line(&self.log);
        Ok(())
    }

    /// Adds bytes, as many as there is room for; how many that are, and why not all.
    fn append(&mut self, bytes: &[u8], limit: u64, guard: Option<&Mutex<DiskGuard>>) -> (usize, Option<String>) {
        if !disk_guard::has_room(guard, &self.file, self.device, bytes.len()) {
            return (0, Some(format!("{}: {DISK_IS_LOW}", self.path)));
        }
        let room = usize::try_from(limit.saturating_sub(self.end)).unwrap_or(usize::MAX);
        let fitting = bytes.get(..room).unwrap_or(bytes);
        let lines = || fitting.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let kept = if bytes.len() <= room { bytes } else { fitting.get(..lines()).unwrap_or_default() };
        if let Err(error) = self.file.write_all_at(kept, HEADER + self.end) {
            // What of it was written is no part of the output.
            drop(self.file.set_len(HEADER + self.end));
            return (0, Some(format!("{}: {error}", self.path)));
        }
        self.end += kept.len() as u64;
        (kept.len(), (kept.len() < bytes.len()).then(|| format!("{} is full", self.path)))
    }

    /// Appends what waits to the log, as much as is done in one turn. `may_write` says why so many bytes may not be written. The
    /// error says that the log does not take it, and loses nothing.
    pub fn replay(
        &mut self,
        log: &mut LogFile,
        may_write: impl Fn(&LogFile, usize) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        let stop = self.read.saturating_add(AT_ONCE).min(self.end);
        while self.read < stop {
            let unreadable = |error: io::Error| Loss::new(0, &error);
            let mut piece = vec![0; usize::try_from((stop - self.read).min(PIECE)).unwrap_or(0)];
            self.file.read_exact_at(&mut piece, HEADER + self.read).map_err(unreadable)?;
            may_write(log, piece.len())?;
            let (file, length) = log.end().map_err(unreadable)?;
            self.note(Some(UnderWay { file, length, count: piece.len() as u64 })).map_err(unreadable)?;
            let outcome = log.append(&piece);
            let missing = outcome.as_ref().err().map_or(0, Loss::amount);
            self.read += piece.len().saturating_sub(missing) as u64;
            self.note(None).map_err(unreadable)?;
            outcome.map_err(|loss| loss.of(0))?;
        }
        Ok(())
    }

    /// Removes the file; the answer is how many bytes waited.
    pub fn remove(self) -> u64 {
        // One that stays is empty for whoever finds it.
        drop(self.file.set_len(0));
        drop(trusted::remove(&self.path));
        self.len()
    }

    /// How much of the append that was under way when the daemon was killed is in the log.
    fn appended(&self, under_way: UnderWay) -> io::Result<u64> {
        let mut piece = vec![0; usize::try_from(under_way.count).unwrap_or(0)];
        self.file.read_exact_at(&mut piece, HEADER + self.read)?;
        let UnderWay { file, length, .. } = under_way;
        // Where another file has taken the place of the log, nobody can tell, and the piece is written again.
        let tail = transit_recovery::tail(&self.log, file, length, piece.len()).unwrap_or_default();
        Ok(transit_recovery::appended(&piece, &tail, length) as u64)
    }

    /// Notes how far it has been read, in one write, which a kill does not divide.
    fn note(&self, under_way: Option<UnderWay>) -> io::Result<()> {
        let nothing = UnderWay { file: FileId { device: 0, inode: 0 }, length: 0, count: 0 };
        let UnderWay { file: FileId { device, inode }, length, count } = under_way.unwrap_or(nothing);
        let words: [u64; WORDS] = [FORM, self.read, device, inode, length, count, self.log.len() as u64];
        let mut header: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        header.extend_from_slice(self.log.as_bytes());
        if header.len() as u64 > HEADER {
            return Err(ErrorKind::InvalidFilename.into());
        }
        if under_way.is_none() && self.end == 0 {
            header.resize(HEADER as usize, 0);
        }
        self.file.write_all_at(&header, 0)
    }
}

/// That nobody else has made a file.
fn check_owner(found: &Metadata) -> io::Result<()> {
    match found.uid() == user::effective_uid() {
        true => Ok(()),
        false => Err(io::Error::other(format!("it belongs to the user with the id {}", found.uid()))),
    }
}

/// Whether the file at this path ends in a part of a line, as far as that can be read.
fn ends_within_line(path: &str) -> bool {
    let last = || {
        let file = trusted::open_read(path)?;
        let mut last = [b'\n'];
        let length = file.metadata()?.len();
        file.read_exact_at(&mut last, length.saturating_sub(1))?;
        Ok::<_, io::Error>(last[0])
    };
    last().is_ok_and(|last| last != b'\n')
}

fn path_of(directory: &str, log: &str) -> io::Result<String> {
    let path = Path::new(directory).join(Spill::name(log));
    path.into_os_string().into_string().map_err(|_| ErrorKind::InvalidFilename.into())
}

/// The names of the files that earlier daemons have left in this directory.
pub(super) fn left_in(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| Spill::is_name(name)).collect()
}
