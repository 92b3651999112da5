//! A memory file with a ring of bytes for each stream. It tells whoever finds it what is in it, at any moment.
//!
//! Each ring begins with a page: words, and the name of the process. Then come the bytes: that with the number `n` of the
//! stream is at `n` modulo the capacity. Before bytes are written, the page says how far they will go, so that those they take
//! the place of do not count any more, and afterwards that they are there.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use supervisord_core::output::Channel;
use supervisord_sys::{clock, exec, fd};

/// What a ring begins with; another form is not understood.
const FORM: u64 = u64::from_le_bytes(*b"ring-1\n\0");
/// The same of room that no stream has any more.
const FREE: u64 = u64::from_le_bytes(*b"free-1\n\0");

/// How long the first page is; rings begin at a multiple of that.
const PAGE: u64 = 4096;

/// The words at the beginning, in this order.
const WORDS: usize = 8;
/// How many words of them change.
const COUNTERS: usize = 3;
/// Where those stand.
const COUNTERS_AT: u64 = 2 * 8;

/// The file.
#[derive(Debug)]
pub(super) struct RingFile {
    file: File,
    /// How long it is.
    end: u64,
    /// Where rings were, and how many bytes each can have.
    free: Vec<(u64, u64)>,
}

/// A ring with the name of its process and its channel.
type NamedRing = (String, Channel, Ring);

/// The bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    /// Where it begins in the file.
    place: u64,
    capacity: u64,
    /// The bytes before this one are gone.
    begin: u64,
    /// How many bytes the stream has had.
    total: u64,
    beginning: u64,
}

/// Which bytes of a stream there are, counted from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub bytes: Range<u64>,
    /// Another number for each beginning.
    pub beginning: u64,
}

impl Ring {
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Which bytes it has.
    pub fn extent(&self) -> Extent {
        Extent { bytes: self.begin..self.total, beginning: self.beginning }
    }

    /// How much memory it takes.
    pub fn size(&self) -> u64 {
        PAGE + self.total.min(self.capacity).next_multiple_of(PAGE)
    }
}

impl RingFile {
    /// An empty one.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn create() -> io::Result<RingFile> {
        Ok(RingFile { file: exec::memory_file(&[])?.into(), end: 0, free: Vec::new() })
    }

    /// What another process has left, with the name of the process and the channel of each ring.
    ///
    /// # Errors
    /// It cannot be read, or is not understood.
    pub fn read(file: File) -> io::Result<(RingFile, Vec<NamedRing>)> {
        let end = file.metadata()?.len();
        let (mut found, mut rings) = (RingFile { file, end, free: Vec::new() }, Vec::new());
        let mut place = 0;
        while place < end {
            let mut page = [0; PAGE as usize];
            found.file.read_exact_at(&mut page, place)?;
            let word = |index: usize| page[index * 8..][..8].try_into().map_or(0, u64::from_le_bytes);
            let (capacity, begin, total, next) = (word(1), word(2), word(3), word(4));
            let after = place.checked_add(PAGE).and_then(|data| data.checked_add(rounded(capacity)));
            let after = after.filter(|after| *after <= end).ok_or(ErrorKind::InvalidData)?;
            match word(0) {
                FREE => found.free.push((place, capacity)),
                FORM => {
                    let length = usize::try_from(word(7)).unwrap_or(usize::MAX);
                    let name = page.get(WORDS * 8..).and_then(|rest| rest.get(..length)).map(<[u8]>::to_vec);
                    let name = name.and_then(|name| String::from_utf8(name).ok()).ok_or(ErrorKind::InvalidData)?;
                    let channel = if word(6) == 0 { Channel::Stdout } else { Channel::Stderr };
                    let begin = begin.max(next.saturating_sub(capacity)).min(total);
                    rings.push((name, channel, Ring { place, capacity, begin, total, beginning: word(5) }));
                }
                _ => return Err(ErrorKind::InvalidData.into()),
            }
            place = after;
        }
        Ok((found, rings))
    }

    /// A ring for a new stream.
    ///
    /// # Errors
    /// The system has no memory, or the name is too long.
    pub fn begin(&mut self, process: &str, channel: Channel, capacity: u64) -> io::Result<Ring> {
        self.allot(process, channel, capacity, 0)
    }

    /// Another ring in the place of this one, with as much of its end as there is room for.
    ///
    /// # Errors
    /// The system has no memory: the ring stays as it is.
    pub fn resize(&mut self, ring: &Ring, process: &str, channel: Channel, capacity: u64) -> io::Result<Ring> {
        let (kept, bytes) = self.read_of(ring, ring.total.saturating_sub(capacity)..ring.total)?;
        let new = self.allot(process, channel, capacity, kept.start)?;
        let mut new = Ring { beginning: ring.beginning, ..new };
        if let Err(error) = self.write_page(&new, process, channel).and_then(|()| self.push(&mut new, &bytes)) {
            self.end(&new);
            return Err(error);
        }
        self.end(ring);
        Ok(new)
    }

    /// An empty ring in the place of this one.
    ///
    /// # Errors
    /// The system does not take it.
    pub fn empty(&mut self, ring: &Ring, process: &str, channel: Channel) -> io::Result<Ring> {
        let new = Ring { begin: 0, total: 0, beginning: beginning(), ..ring.clone() };
        self.write_page(&new, process, channel)?;
        self.give_back(ring);
        Ok(new)
    }

    /// Nobody needs a ring any more.
    pub fn end(&mut self, ring: &Ring) {
        // What cannot be marked is found by the next daemon as a stream that does not exist.
        if self.file.write_all_at(&FREE.to_le_bytes(), ring.place).is_ok() {
            self.free.push((ring.place, ring.capacity));
        }
        self.give_back(ring);
    }

    /// Adds bytes, which take the place of the oldest ones.
    ///
    /// # Errors
    /// The system has no memory: the ring has nothing then.
    pub fn push(&mut self, ring: &mut Ring, bytes: &[u8]) -> io::Result<()> {
        let next = ring.total + bytes.len() as u64;
        let begin = ring.begin.max(next.saturating_sub(ring.capacity));
        let skipped = bytes.len() - usize::try_from(ring.capacity).unwrap_or(usize::MAX).min(bytes.len());
        let kept = bytes.get(skipped..).unwrap_or_default();
        let written = self.count(ring, [ring.begin, ring.total, next]).and_then(|()| {
            let mut rest = kept;
            for (place, length) in pieces(ring, next - kept.len() as u64..next) {
                let (piece, others) = rest.split_at(length.min(rest.len()));
                self.file.write_all_at(piece, place)?;
                rest = others;
            }
            self.count(ring, [begin, next, next])
        });
        (ring.begin, ring.total) = (if written.is_ok() { begin } else { next }, next);
        if written.is_err() {
            // Where not even this can be written, nothing has been.
            drop(self.count(ring, [next, next, next]));
        }
        written
    }

    /// Those of these bytes that a ring has, from the first on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read_of(&self, ring: &Ring, wanted: Range<u64>) -> io::Result<(Range<u64>, Vec<u8>)> {
        let start = wanted.start.clamp(ring.begin, ring.total);
        let range = start..wanted.end.clamp(start, ring.total);
        let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(|_| ErrorKind::OutOfMemory)?];
        let mut rest = &mut bytes[..];
        for (place, length) in pieces(ring, range.clone()) {
            let (piece, others) = rest.split_at_mut(length);
            self.file.read_exact_at(piece, place)?;
            rest = others;
        }
        Ok((range, bytes))
    }

    fn allot(&mut self, process: &str, channel: Channel, capacity: u64, start: u64) -> io::Result<Ring> {
        if process.len() > PAGE as usize - WORDS * 8 {
            return Err(ErrorKind::InvalidFilename.into());
        }
        let known = self.free.iter().position(|(_, free)| *free == capacity);
        let place = known.map_or(self.end, |known| self.free[known].0);
        let ring = Ring { place, capacity, begin: start, total: start, beginning: beginning() };
        if known.is_none() {
            let end = place.checked_add(PAGE + rounded(capacity)).ok_or(ErrorKind::FileTooLarge)?;
            self.file.set_len(end)?;
        }
        if let Err(error) = self.write_page(&ring, process, channel) {
            // Where it was made longer, it is as long as before.
            drop(self.file.set_len(self.end));
            return Err(error);
        }
        match known {
            Some(known) => _ = self.free.swap_remove(known),
            None => self.end = place + PAGE + rounded(capacity),
        }
        Ok(ring)
    }

    fn write_page(&self, ring: &Ring, process: &str, channel: Channel) -> io::Result<()> {
        let Ring { place, capacity, begin, total, beginning } = *ring;
        let channel = u64::from(channel == Channel::Stderr);
        let words: [u64; WORDS] = [FORM, capacity, begin, total, total, beginning, channel, process.len() as u64];
        let mut page: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        page.extend_from_slice(process.as_bytes());
        self.file.write_all_at(&page, place)
    }

    /// Writes the words that change, in one write, which a kill does not divide.
    fn count(&self, ring: &Ring, counters: [u64; COUNTERS]) -> io::Result<()> {
        let words: Vec<u8> = counters.into_iter().flat_map(u64::to_le_bytes).collect();
        self.file.write_all_at(&words, ring.place + COUNTERS_AT)
    }

    /// Returns the memory of the bytes to the system, where it can take a part of a file.
    fn give_back(&self, ring: &Ring) {
        drop(fd::discard(self.file.as_fd(), ring.place + PAGE, rounded(ring.capacity)));
    }
}

impl AsFd for RingFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Where bytes of a ring are in the file: one piece, or two where they go round. They are no more than it can have.
fn pieces(ring: &Ring, bytes: Range<u64>) -> impl Iterator<Item = (u64, usize)> {
    let length = bytes.end - bytes.start;
    let at = bytes.start.checked_rem(ring.capacity).unwrap_or(0);
    let first = length.min(ring.capacity - at);
    let data = ring.place + PAGE;
    let pieces = [(data + at, first), (data, length - first)];
    pieces.into_iter().filter_map(|(place, length)| Some((place, usize::try_from(length).ok().filter(|it| *it > 0)?)))
}

fn rounded(capacity: u64) -> u64 {
    capacity.saturating_add(PAGE - 1) / PAGE * PAGE
}

/// No other ring of this boot has this number.
fn beginning() -> u64 {
    u64::try_from(clock::wall().as_micros()).unwrap_or(u64::MAX)
}
