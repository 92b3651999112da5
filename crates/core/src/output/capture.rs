//! Capture mode: sections of output between two tokens, which become events instead of log output. The tokens are those
//! of `ProcessCommunicationEvent` in the original's `supervisor/events.py`.
//!
//! ```text
//! ordinary <!--XSUPERVISOR:BEGIN-->captured<!--XSUPERVISOR:END--> ordinary
//! ```
//!
//! Tokens may be split at any byte. Deliberate differences from the original: bytes are held back only while they may
//! begin the expected token, so that short output is logged at once; the limit is exact and the newest bytes are kept;
//! an unfinished section becomes ordinary output when the process ends.

use std::collections::VecDeque;

use super::note;

/// Begins a section.
pub const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
/// Ends a section.
pub const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// A part of the output of a process in capture mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Ordinary output.
    Plain(&'a [u8]),
    /// Output inside a section, as it arrives.
    Captured(&'a [u8]),
    /// A section is complete.
    Section(Held),
    /// The process ended inside a section. Its bytes were returned as [`Part::Captured`] before.
    Unfinished(Held),
}

/// The kept content of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The newest bytes, at most as many as the limit.
    pub bytes: Vec<u8>,
    /// The number of older bytes that were dropped.
    pub dropped: u64,
}

/// Finds the sections in a stream.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The most bytes to keep of a section.
    pub limit: usize,
    /// An incomplete prefix of the expected token.
    pub pending: Vec<u8>,
    /// The current section, if it is inside one.
    pub section: Option<CaptureSection>,
}

impl Capture {
    /// A scanner outside any section; `limit` is the most bytes to keep of a section.
    pub fn new(limit: u64) -> Capture {
        Capture { limit: usize::try_from(limit).unwrap_or(usize::MAX), pending: Vec::new(), section: None }
    }

    /// Takes the next chunk of output and emits every complete part, in order.
    pub fn push(&mut self, chunk: &[u8], emit: &mut dyn FnMut(Part<'_>)) {
        let joined;
        let mut rest = chunk;
        if !self.pending.is_empty() {
            joined = [std::mem::take(&mut self.pending).as_slice(), chunk].concat();
            rest = &joined;
        }
        while let Some(position) = find(rest, self.token()) {
            let (before, after) = (&rest[..position], &rest[position + self.token().len()..]);
            self.pass(before, emit);
            self.toggle(emit);
            rest = after;
        }
        let certain = rest.len() - beginning_at_end(rest, self.token());
        self.pass(&rest[..certain], emit);
        self.pending = rest[certain..].to_vec();
    }

    /// Ends the input and starts again outside any section.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Part<'_>)) {
        let pending = std::mem::take(&mut self.pending);
        self.pass(&pending, emit);
        if let Some(section) = self.section.take() {
            emit(Part::Unfinished(section.into_held()));
        }
    }

    /// Drops the kept content of the current section, which continues.
    pub fn clear(&mut self) {
        if let Some(section) = &mut self.section {
            *section = CaptureSection::default();
        }
    }

    /// Changes the limit of a section.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = usize::try_from(limit).unwrap_or(usize::MAX);
    }

    /// Whether no bytes are held back, and it is outside any section.
    pub fn is_at_rest(&self) -> bool {
        self.pending.is_empty() && self.section.is_none()
    }

    /// Appends its state to a note. The content of a section is included if it has at most `most` bytes; otherwise it
    /// counts as dropped, like content beyond the limit.
    pub(super) fn note(&self, out: &mut Vec<u8>, most: usize) {
        note::put_number(out, self.limit as u64);
        note::put_bytes(out, &self.pending);
        out.push(self.section.is_some().into());
        if let Some(CaptureSection { bytes, dropped }) = &self.section {
            let (one, other) = if bytes.len() <= most { bytes.as_slices() } else { Default::default() };
            let kept = [one, other].concat();
            note::put_number(out, *dropped + (bytes.len() - kept.len()) as u64);
            note::put_bytes(out, &kept);
        }
    }

    /// Restores the scanner from its note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<Capture> {
        let limit = usize::try_from(note::take_number(note)?).ok()?;
        let pending = note::take_bytes(note)?;
        let section = match note::take_byte(note)? {
            0 => None,
            _ => Some(CaptureSection { dropped: note::take_number(note)?, bytes: note::take_bytes(note)?.into() }),
        };
        Some(Capture { limit, pending, section })
    }

    fn token(&self) -> &'static [u8] {
        if self.section.is_some() { END } else { BEGIN }
    }

    fn pass(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Part<'_>)) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.section {
            Some(section) => {
                section.keep(bytes, self.limit);
                emit(Part::Captured(bytes));
            }
            None => emit(Part::Plain(bytes)),
        }
    }

    fn toggle(&mut self, emit: &mut dyn FnMut(Part<'_>)) {
        match self.section.take() {
            Some(section) => emit(Part::Section(section.into_held())),
            None => self.section = Some(CaptureSection::default()),
        }
    }
}

/// The newest bytes of a section.
#[derive(Clone, Debug, Default)]
pub struct CaptureSection {
    /// At most as many as the limit.
    pub bytes: VecDeque<u8>,
    /// The number of older bytes that were dropped.
    pub dropped: u64,
}

impl CaptureSection {
    fn keep(&mut self, bytes: &[u8], limit: usize) {
        let newest = &bytes[bytes.len().saturating_sub(limit)..];
        let excess = (self.bytes.len() + newest.len()).saturating_sub(limit);
        self.bytes.drain(..excess);
        self.bytes.extend(newest);
        self.dropped += (excess + bytes.len() - newest.len()) as u64;
    }

    fn into_held(self) -> Held {
        Held { bytes: self.bytes.into(), dropped: self.dropped }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(step) = haystack[from..].iter().position(|byte| *byte == needle[0]) {
        if haystack[from + step..].starts_with(needle) {
            return Some(from + step);
        }
        from += step + 1;
    }
    None
}

/// The length of the longest suffix of `bytes` that is a proper prefix of `token`.
fn beginning_at_end(bytes: &[u8], token: &[u8]) -> usize {
    let longest = bytes.len().min(token.len() - 1);
    (1..=longest).rev().find(|length| bytes.ends_with(&token[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests;
