//! The ways of output into a log that survive the death of this process: what is on its way is noted in a transit memory.

use std::fs;
use std::mem;
use std::os::fd::BorrowedFd;

use supervisord_config::model::LogLevel;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::rotation::Rotation;

use super::{SinkId, Sinks};
use crate::output::end_of_output::EndOfOutput;
use crate::output::log_file::Transfer;
use crate::output::log_limits::LogLimits;
use crate::output::loss;
use crate::output::pipeline_notes::StreamKey;
use crate::output::transit::{LONGEST_TEXT, Transit};
use crate::output::transit_recovery::TransitRecovery;
use crate::output::waiting_output::waiting_bytes;

impl Sinks {
    /// Moves what is in a pipe into a log that is a regular file.
    pub fn transfer(
        &mut self,
        id: SinkId,
        pipe: BorrowedFd<'_>,
        stream: StreamKey,
        rotation: Rotation,
        end: Option<&mut EndOfOutput>,
    ) -> Transfer {
        let (Some(shared), Some(transit)) = (self.open.get_mut(&id), &mut self.transit) else {
            return Transfer::Refused;
        };
        shared.writer = Some(stream);
        let (transfer, entries) = shared.sink.transfer(transit, pipe, rotation, end);
        if let Transfer::Moved(_) = transfer {
            shared.notify(&self.follow);
        }
        if shared.sink.is_behind() {
            self.behind.insert(id);
        }
        self.queue_notices(id, entries);
        transfer
    }

    /// Takes what is in the pipe of a stream and has to be looked at, on its way to a log that is a regular file. What comes
    /// of it must be [`Sinks::put`] next.
    pub fn take(
        &mut self,
        id: SinkId,
        pipe: BorrowedFd<'_>,
        bytes: &mut [u8],
        stream: StreamKey,
        pipeline: &Pipeline,
    ) -> Transfer {
        let transit = self.transit.as_mut().filter(|transit| transit.is_kept() && transit.capacity().is_some());
        let (Some(shared), Some(transit)) = (self.open.get_mut(&id), transit) else { return Transfer::Refused };
        shared.writer = Some(stream);
        let (taken, entries) = shared.sink.take(transit, pipe, bytes, stream, pipeline);
        self.queue_notices(id, entries);
        taken
    }

    /// Writes the text that the pipeline of a stream has made, of what was taken or not, and notes what it holds back now.
    pub fn put(&mut self, id: Option<SinkId>, stream: StreamKey, pipeline: &Pipeline, text: &[u8], rotation: Rotation) {
        if let Some(shared) = id.and_then(|id| self.open.get_mut(&id)) {
            shared.writer = Some(stream);
        }
        // Nothing has to be opened for no text: after an upgrade nobody waits for a thousand logs.
        let is_exact = (1..=LONGEST_TEXT).contains(&text.len());
        if let (Some(id), Some(transit)) = (id.filter(|_| is_exact), self.transit.as_mut().filter(|it| it.is_kept()))
            && let Some(shared) = self.open.get_mut(&id)
            && let Some(entries) = shared.sink.put(transit, stream, pipeline, text, rotation)
        {
            shared.notify(&self.follow);
            if shared.sink.is_behind() {
                self.behind.insert(id);
            }
            return self.queue_notices(id, entries);
        }
        // What a daemon that is killed between the two has written is written again rather than lost.
        self.write_text(id, text, pipeline.makes_records(), rotation);
        if let Some(transit) = &mut self.transit {
            transit.put(stream, pipeline, &[]);
            transit.finish_text();
        }
    }

    fn write_text(&mut self, id: Option<SinkId>, text: &[u8], are_lines: bool, rotation: Rotation) {
        match id.filter(|_| !text.is_empty()) {
            Some(id) if are_lines => self.write_lines(id, text, rotation),
            Some(id) => self.write(id, text, rotation),
            None => {}
        }
    }

    /// The pipeline of a stream that another program read before, where it holds something back.
    pub fn noted(&self, stream: StreamKey) -> Option<Pipeline> {
        self.transit.as_ref()?.noted(stream)
    }

    /// Nobody needs what the pipeline of a stream holds back.
    pub fn forget(&mut self, stream: StreamKey) {
        if let Some(transit) = &mut self.transit {
            transit.forget(stream);
        }
    }

    /// How many bytes [`Sinks::transfer`] can move at once; none where it cannot be used for this log.
    pub fn transfer_limit(&self, id: SinkId) -> Option<usize> {
        let is_file = self.open.get(&id).is_some_and(|shared| shared.sink.is_file());
        self.transit.as_ref().filter(|_| is_file)?.capacity()
    }

    /// How bytes that are on their way outlive this process.
    pub fn transit(&mut self) -> Option<&mut Transit> {
        self.transit.as_mut()
    }

    /// From now on bytes pass through this transit. The answer is how many waited in the memory of the daemon before, and are lost
    /// with it.
    pub fn replace_transit(&mut self, transit: Transit) -> u64 {
        let lost = transit.take_waiting();
        self.has_lost_predecessor |= lost > 0;
        loss::count_earlier(lost);
        self.transit = Some(transit);
        lost
    }

    /// Notes how many bytes wait in memory, where the next daemon finds it.
    pub fn note_waiting(&mut self) {
        let waiting = waiting_bytes();
        if let Some(transit) = self.transit.as_ref().filter(|_| waiting != mem::replace(&mut self.waiting, waiting)) {
            transit.note_waiting(waiting);
        }
    }

    /// Writes down what a daemon that was killed had taken from a program and not put into its log.
    pub fn settle(&mut self, recovery: &TransitRecovery) {
        let id = self.acquire_later(&recovery.path.as_str().into(), &LogLimits::NONE);
        let written = fs::metadata(&recovery.path).and_then(|found| found.modified());
        if recovery.is_unreported {
            let text = format!(
                "the previous daemon was killed while it was processing output for {}: the log has all of it, but events \
                 and copies may be lost",
                recovery.path
            );
            self.queue_notices(id, vec![(LogLevel::Warn, text)]);
        }
        let missing = recovery.missing();
        if missing.bytes.is_empty() {
            recovery.finish();
            return self.release(id);
        }
        if missing.is_uncertain {
            let text = format!(
                "{} has been replaced since the daemon before was killed: up to {} bytes that it was writing may be in \
                 the old file and in the new one",
                recovery.path,
                missing.bytes.len()
            );
            self.queue_notices(id, vec![(LogLevel::Warn, text)]);
        }
        recovery.note_append(&missing);
        self.write(id, missing.bytes, Rotation::NEVER);
        // Its program wrote it before: a rotation that is due since is still to come.
        if let (Ok(written), Some(shared)) = (written, self.open.get_mut(&id)) {
            shared.sink.set_modified(written);
        }
        recovery.finish();
        self.release(id);
    }
}
