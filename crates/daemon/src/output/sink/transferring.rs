//! Bytes that go to the end of a regular file by way of the transit.

use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use supervisord_config::model::WhenBlocked;
use supervisord_core::output::last_lines::MOST;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::rotation::Rotation;

use super::super::disk_guard::DISK_IS_LOW;
use super::super::end_of_output::EndOfOutput;
use super::super::log_file::Transfer;
use super::super::log_target::Target;
use super::super::loss::{Entries, Loss};
use super::super::pipeline_notes::StreamKey;
use super::super::transit::{ATOMIC, PIECE, Transit};
use super::super::waiting_output::is_room_scarce;
use super::Sink;

impl Sink {
    /// Moves what is in a pipe to the end of a regular file, and rotates it after each record that makes it long enough.
    pub fn transfer(
        &mut self,
        transit: &mut Transit,
        pipe: BorrowedFd<'_>,
        rotation: Rotation,
        end: Option<&mut EndOfOutput>,
    ) -> (Transfer, Entries) {
        let most = self.most_at_once();
        let mut kept_up = Entries::new();
        self.keep_up_if_due(&mut kept_up);
        let (taken, mut entries) = self.take_by(transit, |transit| transit.take(pipe, most));
        entries.splice(..0, kept_up);
        if let Transfer::Moved(count) = taken {
            if let Some(end) = end {
                end.push(&transit.end_of_taken(count, MOST));
            }
            self.append_taken(transit, count, rotation, &mut entries);
            transit.finish(pipe, count);
        }
        (taken, entries)
    }

    /// Takes what is in a pipe and has to be looked at before it goes to the end of a regular file.
    pub fn take(
        &mut self,
        transit: &mut Transit,
        pipe: BorrowedFd<'_>,
        bytes: &mut [u8],
        stream: StreamKey,
        pipeline: &Pipeline,
    ) -> (Transfer, Entries) {
        let most = self.most_at_once().min(bytes.len());
        let bytes = &mut bytes[..most];
        self.take_by(transit, |transit| transit.take_to_look_at(pipe, bytes, stream, pipeline))
    }

    /// Writes the text that the pipeline of a stream has made of what was taken, if anything was, to the end of a regular
    /// file, and notes what the pipeline holds back now. None where it is no such file.
    pub fn put(
        &mut self,
        transit: &mut Transit,
        stream: StreamKey,
        pipeline: &Pipeline,
        text: &[u8],
        rotation: Rotation,
    ) -> Option<Entries> {
        let mut entries = Entries::new();
        self.keep_up_if_due(&mut entries);
        self.open_file()?.claim(transit);
        if pipeline.makes_records() && self.is_torn {
            self.is_torn = self.put_bytes(b"\n").is_err();
        }
        transit.put(stream, pipeline, text);
        self.append_taken(transit, text.len(), rotation, &mut entries);
        transit.finish_text();
        Some(entries)
    }

    /// How much may be taken before it is known whether the file takes it: of a program that is to wait, little where there is
    /// hardly any room for what has to be kept.
    fn most_at_once(&self) -> usize {
        if self.policy == Some(WhenBlocked::Block) && is_room_scarce() { ATOMIC } else { usize::MAX }
    }

    fn take_by(
        &mut self,
        transit: &mut Transit,
        take: impl FnOnce(&mut Transit) -> io::Result<usize>,
    ) -> (Transfer, Entries) {
        let mut entries = Entries::new();
        let Some(file) = self.open_file() else { return (Transfer::Refused, entries) };
        file.claim(transit);
        let taken = match take(transit) {
            Ok(0) => Transfer::Ended,
            Ok(count) => Transfer::Moved(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Transfer::Empty,
            Err(error) => {
                let lost = transit.give_up();
                if lost > 0 {
                    self.settle(Err(Loss::new(lost, &error)), &mut entries);
                }
                Transfer::Refused
            }
        };
        (taken, entries)
    }

    fn append_taken(&mut self, transit: &mut Transit, count: usize, rotation: Rotation, entries: &mut Entries) {
        let limit = if rotation.maxbytes > 0 { PIECE } else { count };
        let mut start = 0;
        while start < count {
            let end = transit.record_end(start, count, limit);
            // A rotation leaves a file in its place.
            let Target::File(file) = &self.target else { break };
            let appended = match file.has_room_on_disk(self.disk_guard.as_deref(), end - start) {
                true => file.append_taken(transit, start..end),
                false => Err(Loss::new(end - start, &DISK_IS_LOW)),
            };
            let outcome = match appended {
                Err(loss) if self.policy.is_some() => {
                    let written = end - loss.amount().min(end);
                    self.held.passed(&transit.taken(written.saturating_sub(1)..written));
                    let outcome = self.hold(&transit.taken(written..count), loss);
                    return self.settle(outcome, entries);
                }
                outcome => outcome,
            };
            if self.policy.is_some() && outcome.is_ok() {
                self.held.passed(&transit.taken(end - 1..end));
            }
            self.is_torn |= outcome.as_ref().is_err_and(|loss| loss.is_less_than(end - start));
            self.settle(outcome, entries);
            self.rotate_if_due(rotation, entries);
            start = end;
        }
    }
}
