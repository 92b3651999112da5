//! The last output of programs whose logs are no files, in memory, so that it can be shown all the same.
//!
//! The output plane writes, the network plane reads, and neither waits for the other longer than for a copy. All of it is in one
//! memory file ([`ring_file`]), which is made when a program first asks for it and goes on from one daemon to the next.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use supervisord_core::output::{Channel, MemoryPlan};

use crate::follow::{Change, FollowHub};

mod ring_file;

pub use ring_file::Extent;
use ring_file::{Ring, RingFile};

/// What is kept of all streams.
#[derive(Default)]
pub struct OutputMemory {
    table: Mutex<Table>,
    /// Whether there is a file, so that nobody takes the lock in vain.
    is_used: AtomicBool,
    follow: Arc<FollowHub>,
}

#[derive(Default)]
struct Table {
    file: Option<RingFile>,
    rings: HashMap<Stream, Ring>,
}

/// A stream: the name by which clients know the process, and the channel.
type Stream = (Arc<str>, Channel);

/// What is kept of one stream. It may have none any more.
#[derive(Clone)]
pub struct MemoryLog {
    memory: Arc<OutputMemory>,
    stream: Stream,
}

impl OutputMemory {
    /// Nothing yet. Whoever follows a stream is told of its changes through this hub.
    pub fn new(follow: Arc<FollowHub>) -> OutputMemory {
        OutputMemory { follow, ..OutputMemory::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the memory of the daemon before.
    ///
    /// # Errors
    /// It is not understood.
    pub fn take_over(&self, file: OwnedFd) -> io::Result<()> {
        let (file, rings) = RingFile::read(file.into())?;
        let rings = rings.into_iter().map(|(process, channel, ring)| ((process.into(), channel), ring)).collect();
        *self.lock() = Table { file: Some(file), rings };
        self.is_used.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// The file, for whoever goes on; none where nothing has been kept.
    pub fn file(&self) -> Option<OwnedFd> {
        if !self.is_used.load(Ordering::SeqCst) {
            return None;
        }
        self.lock().file.as_ref()?.as_fd().try_clone_to_owned().ok()
    }

    /// Makes the file, if there is none, so that it can be given to whoever holds it for the next daemon.
    ///
    /// # Errors
    /// The system has no memory files.
    pub fn prepare(&self) -> io::Result<()> {
        let mut table = self.lock();
        if table.file.is_none() {
            table.file = Some(RingFile::create()?);
            self.is_used.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Keeps the last bytes of a stream from now on. What is kept already stays, as far as there is room for it.
    ///
    /// # Errors
    /// The system has no memory, or the name of the process is too long.
    pub fn keep(self: &Arc<Self>, plan: &MemoryPlan, channel: Channel) -> io::Result<MemoryLog> {
        self.prepare()?;
        let stream = (plan.process.clone(), channel);
        let mut table = self.lock();
        let Table { file: Some(file), rings } = &mut *table else { return Err(io::ErrorKind::NotFound.into()) };
        match rings.get_mut(&stream) {
            Some(ring) if ring.capacity() == plan.bytes => {}
            Some(ring) => *ring = file.resize(ring, &plan.process, channel, plan.bytes)?,
            None => _ = rings.insert(stream.clone(), file.begin(&plan.process, channel, plan.bytes)?),
        }
        Ok(MemoryLog { memory: self.clone(), stream })
    }

    /// What is or will be kept of a stream.
    pub fn stream(self: &Arc<Self>, process: &str, channel: Channel) -> MemoryLog {
        MemoryLog { memory: self.clone(), stream: (process.into(), channel) }
    }

    /// What is kept of a stream; none where nothing is.
    pub fn find(self: &Arc<Self>, process: &str, channel: Channel) -> Option<MemoryLog> {
        if !self.is_used.load(Ordering::SeqCst) {
            return None;
        }
        let stream = (Arc::from(process), channel);
        let is_kept = self.lock().rings.contains_key(&stream);
        is_kept.then(|| MemoryLog { memory: self.clone(), stream })
    }

    /// Forgets the streams for which this is false.
    pub fn retain(&self, is_kept: impl Fn(&str, Channel) -> bool) {
        if !self.is_used.load(Ordering::SeqCst) {
            return;
        }
        let mut table = self.lock();
        let Table { file, rings } = &mut *table;
        let mut gone = Vec::new();
        rings.retain(|(process, channel), ring| {
            let stays = is_kept(process, *channel);
            if !stays && let Some(file) = file {
                file.end(ring);
                gone.push((process.clone(), *channel));
            }
            stays
        });
        drop(table);
        gone.iter().for_each(|stream| self.follow.notify(&follow_name(stream), Change::Replaced));
    }

    /// Forgets a stream.
    pub fn forget(&self, process: &str, channel: Channel) {
        self.retain(|other, other_channel| (other, other_channel) != (process, channel));
    }

    /// How much memory it takes, in bytes.
    pub fn size(&self) -> u64 {
        match self.is_used.load(Ordering::SeqCst) {
            true => self.lock().rings.values().map(Ring::size).sum(),
            false => 0,
        }
    }
}

impl MemoryLog {
    /// Adds output.
    ///
    /// # Errors
    /// The system has no memory: some of what was kept is gone.
    pub fn push(&self, bytes: &[u8]) -> io::Result<()> {
        let pushed = {
            let mut table = self.memory.lock();
            let Table { file, rings } = &mut *table;
            match (file, rings.get_mut(&self.stream)) {
                (Some(file), Some(ring)) => file.push(ring, bytes),
                _ => return Ok(()),
            }
        };
        self.memory.follow.notify(&self.follow_name(), Change::Grown);
        pushed
    }

    /// Which bytes there are.
    pub fn extent(&self) -> Extent {
        self.memory.lock().rings.get(&self.stream).map(Ring::extent).unwrap_or_default()
    }

    /// Those of these bytes that there are, from the first on.
    ///
    /// # Errors
    /// The system cannot read its memory.
    pub fn read(&self, bytes: Range<u64>) -> io::Result<(Range<u64>, Vec<u8>)> {
        let table = self.memory.lock();
        let (Some(file), Some(ring)) = (&table.file, table.rings.get(&self.stream)) else {
            return Ok((0..0, Vec::new()));
        };
        file.read_of(ring, bytes)
    }

    /// Forgets what there is, and counts from zero again.
    ///
    /// # Errors
    /// The system has no memory.
    pub fn clear(&self) -> io::Result<()> {
        {
            let mut table = self.memory.lock();
            let Table { file, rings } = &mut *table;
            if let (Some(file), Some(ring)) = (file, rings.get_mut(&self.stream)) {
                *ring = file.empty(ring, &self.stream.0, self.stream.1)?;
            }
        }
        self.memory.follow.notify(&self.follow_name(), Change::Replaced);
        Ok(())
    }

    /// The name by which it is followed; no path is like it.
    pub fn follow_name(&self) -> String {
        follow_name(&self.stream)
    }

    /// Whether somebody watches it grow.
    pub fn is_followed(&self) -> bool {
        self.memory.follow.is_followed(&self.follow_name())
    }
}

fn follow_name((process, channel): &Stream) -> String {
    format!("memory:{}:{process}", channel.name())
}

#[cfg(test)]
mod tests;
