//! What pipelines hold back, noted where it outlives this process: part of an escape sequence, of a mark, of a character, of a
//! line of which a record will be made; that a capture section has begun, and what it holds. A stream takes up room only while
//! there is any of that, and a long note as much as it needs.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use supervisord_core::output::Channel;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::supervisor::RunId;
use supervisord_sys::shared_memory::SharedMemory;

/// The longest note of one pipeline.
pub(super) const LONGEST: usize = SLOT - 2 * WORD;

/// How much memory all notes have; the system provides what is used of it.
pub(super) const LENGTH: usize = MOST * SLOT;

/// Of how many streams there can be notes at once. Those beyond it begin anew when the daemon is killed.
const MOST: usize = 1024;

/// The room of one note: whose it is, its length, and its bytes.
const SLOT: usize = 4096;

const WORD: usize = size_of::<u64>();

/// Names a stream; zero is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamKey(u64);

impl StreamKey {
    pub const fn new(run: RunId, channel: Channel) -> StreamKey {
        StreamKey(((run.0 << 1) | matches!(channel, Channel::Stderr) as u64) + 1)
    }

    /// As a number, which is never zero.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// From a number.
    pub const fn from_number(number: u64) -> Option<StreamKey> {
        if number == 0 { None } else { Some(StreamKey(number)) }
    }

    /// The run and the channel.
    pub const fn stream(self) -> (RunId, Channel) {
        let channel = if (self.0 - 1) & 1 == 1 { Channel::Stderr } else { Channel::Stdout };
        (RunId((self.0 - 1) >> 1), channel)
    }

    /// Names a part of a note that is longer than the room of one. No daemon gets to so many runs that the first part has such a
    /// name.
    const fn part(self, part: u64) -> StreamKey {
        StreamKey(self.0 | part << 56)
    }
}

/// Where in a memory the note of each stream is.
#[derive(Debug)]
pub(super) struct PipelineNotes {
    /// The word that says how many slots have ever been used.
    used_word: usize,
    start: usize,
    slots: HashMap<StreamKey, usize>,
    free: BTreeSet<usize>,
}

impl PipelineNotes {
    /// The notes that are in the memory from `start` on.
    pub fn of(memory: &SharedMemory, used_word: usize, start: usize) -> PipelineNotes {
        let mut notes = PipelineNotes { used_word, start, slots: HashMap::new(), free: BTreeSet::new() };
        for slot in 0..notes.used(memory) {
            match StreamKey::from_number(memory.word(notes.word(slot)).load(Ordering::SeqCst)) {
                Some(key) => _ = notes.slots.insert(key, slot),
                None => _ = notes.free.insert(slot),
            }
        }
        notes
    }

    /// Notes what the pipeline of a stream holds back now. Whoever is killed meanwhile leaves half a note, and where there is no
    /// room for all of it, there is none.
    pub fn note(&mut self, memory: &mut SharedMemory, key: StreamKey, pipeline: &Pipeline) {
        if pipeline.is_at_rest() {
            return self.forget(memory, key);
        }
        let note = pipeline.note(LONGEST);
        let mut parts = 0;
        for bytes in note.chunks(LONGEST) {
            if self.note_part(memory, key.part(parts), bytes).is_none() {
                return self.forget(memory, key);
            }
            parts += 1;
        }
        self.forget_from(memory, key, parts);
    }

    fn note_part(&mut self, memory: &mut SharedMemory, key: StreamKey, bytes: &[u8]) -> Option<()> {
        let slot = self.slots.get(&key).copied().or_else(|| self.take_slot(memory))?;
        let word = self.word(slot);
        memory.store((word + 2) * WORD, bytes);
        memory.word(word + 1).store(bytes.len() as u64, Ordering::SeqCst);
        if self.slots.insert(key, slot).is_none() {
            memory.word(word).store(key.number(), Ordering::SeqCst);
        }
        Some(())
    }

    /// The pipeline of a stream, where it holds something back.
    pub fn find(&self, memory: &SharedMemory, key: StreamKey) -> Option<Pipeline> {
        let mut note = Vec::new();
        for part in 0.. {
            let Some(slot) = self.slots.get(&key.part(part)) else { break };
            let word = self.word(*slot);
            let length = usize::try_from(memory.word(word + 1).load(Ordering::SeqCst)).ok()?;
            note.append(&mut memory.load((word + 2) * WORD, length.min(LONGEST)));
        }
        Pipeline::from_note(&note)
    }

    #[cfg(test)]
    pub fn has(&self, key: StreamKey) -> bool {
        self.slots.contains_key(&key)
    }

    /// The pipeline of a stream holds nothing back, or is not needed any more.
    pub fn forget(&mut self, memory: &SharedMemory, key: StreamKey) {
        self.forget_from(memory, key, 0);
    }

    /// Forgets the parts of a note from this one on.
    fn forget_from(&mut self, memory: &SharedMemory, key: StreamKey, first: u64) {
        for part in first.. {
            let Some(slot) = self.slots.remove(&key.part(part)) else { return };
            memory.word(self.word(slot)).store(0, Ordering::SeqCst);
            self.free.insert(slot);
        }
    }

    fn take_slot(&mut self, memory: &SharedMemory) -> Option<usize> {
        self.free.pop_first().or_else(|| {
            let used = self.used(memory);
            (used < MOST).then(|| {
                memory.word(self.used_word).store(used as u64 + 1, Ordering::SeqCst);
                used
            })
        })
    }

    fn used(&self, memory: &SharedMemory) -> usize {
        usize::try_from(memory.word(self.used_word).load(Ordering::SeqCst)).unwrap_or(MOST).min(MOST)
    }

    /// The first word of a slot.
    fn word(&self, slot: usize) -> usize {
        (self.start + slot * SLOT) / WORD
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use supervisord_core::output::ChannelPlan;
    use supervisord_core::output::capture::BEGIN;
    use supervisord_core::output::records::RecordPlan;

    use super::*;

    const KEYS: [StreamKey; 2] = [StreamKey::new(RunId(7), Channel::Stdout), StreamKey::new(RunId(7), Channel::Stderr)];

    fn plan() -> ChannelPlan {
        ChannelPlan {
            file: None,
            maxbytes: 0,
            backups: 0,
            rotation_rules: None,
            capture_maxbytes: 9,
            events_enabled: false,
            syslog: false,
            keeps_end: false,
            records: None,
            markers: false,
            when_blocked: None,
            memory: None,
            forward: None,
            ready_line: None,
            is_private: false,
        }
    }

    fn pipeline(chunk: &[u8]) -> Pipeline {
        let mut pipeline = Pipeline::new(&plan(), true, false);
        pipeline.push(chunk, &mut |_| {});
        pipeline
    }

    #[test]
    fn a_key_names_a_stream() {
        for (run, channel) in [(0, Channel::Stdout), (0, Channel::Stderr), (7, Channel::Stdout), (7, Channel::Stderr)] {
            assert_eq!(StreamKey::new(RunId(run), channel).stream(), (RunId(run), channel));
        }
    }

    #[test]
    fn only_what_is_held_back_is_noted_and_found_by_the_next() {
        let mut memory = SharedMemory::create(SLOT + LENGTH).expect("memory");
        let mut notes = PipelineNotes::of(&memory, 0, SLOT);
        notes.note(&mut memory, KEYS[0], &pipeline(b"text"));
        assert!(!notes.has(KEYS[0]));
        notes.note(&mut memory, KEYS[0], &pipeline(b"\x1b"));
        notes.note(&mut memory, KEYS[1], &pipeline(BEGIN));
        let copy = memory.as_fd().try_clone_to_owned().expect("a copy");
        let there = SharedMemory::adopt(copy, SLOT + LENGTH).expect("adopted");
        let next = PipelineNotes::of(&there, 0, SLOT);
        for (key, chunk) in [(KEYS[0], &b"\x1b"[..]), (KEYS[1], BEGIN)] {
            let found = next.find(&there, key).expect("noted");
            assert_eq!(found.note(LONGEST), pipeline(chunk).note(LONGEST));
        }
        notes.note(&mut memory, KEYS[0], &pipeline(b"text"));
        let next = PipelineNotes::of(&there, 0, SLOT);
        assert!(!next.has(KEYS[0]) && next.has(KEYS[1]));
        assert_eq!(next.free.len(), 1, "the room is used again");
    }

    #[test]
    fn a_long_note_takes_several_places() {
        let mut memory = SharedMemory::create(SLOT + LENGTH).expect("memory");
        let mut notes = PipelineNotes::of(&memory, 0, SLOT);
        let mut plan = plan();
        plan.records = Some(RecordPlan::plain());
        let mut pipeline = Pipeline::new(&plan, false, false);
        pipeline.push(&[b'x'; 10_000], &mut |_| {});
        notes.note(&mut memory, KEYS[0], &pipeline);
        notes.note(&mut memory, KEYS[1], &pipeline);
        let found = PipelineNotes::of(&memory, 0, SLOT).find(&memory, KEYS[0]).expect("noted");
        assert_eq!(found.note(LONGEST), pipeline.note(LONGEST));
        assert_eq!(notes.slots.len(), 6);
        pipeline.push(b"\ny", &mut |_| {});
        notes.note(&mut memory, KEYS[0], &pipeline);
        let next = PipelineNotes::of(&memory, 0, SLOT);
        assert_eq!((next.slots.len(), next.free.len()), (4, 2));
        assert_eq!(next.find(&memory, KEYS[0]).expect("noted").note(LONGEST), pipeline.note(LONGEST));
        notes.forget(&memory, KEYS[0]);
        assert!(!notes.has(KEYS[0]) && notes.slots.len() == 3);
    }

    #[test]
    fn beyond_the_room_there_are_no_notes() {
        let mut memory = SharedMemory::create(SLOT + LENGTH).expect("memory");
        let mut notes = PipelineNotes::of(&memory, 0, SLOT);
        let key = |run| StreamKey::new(RunId(run), Channel::Stdout);
        for run in 0..=MOST as u64 {
            notes.note(&mut memory, key(run), &pipeline(b"\x1b"));
        }
        assert!(notes.has(key(MOST as u64 - 1)) && !notes.has(key(MOST as u64)));
        notes.forget(&memory, key(3));
        notes.note(&mut memory, key(MOST as u64), &pipeline(b"\x1b"));
        assert!(notes.find(&memory, key(MOST as u64)).is_some());
    }
}
