//! Capture mode: sections of output between two tokens, which are reported instead of logged.
//!
//! ```text
//! ordinary <!--XSUPERVISOR:BEGIN-->captured<!--XSUPERVISOR:END--> ordinary
//! ```
//!
//! Tokens may be cut at any byte. Differences from the original, on purpose: bytes are held back only while they may be
//! the beginning of the token that is looked for, so that short output appears at once; the limit is exact and the
//! newest bytes are kept; a section that never ends becomes ordinary output when the process ends.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

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
    /// The process ended inside a section. Its bytes were reported as [`Part::Captured`] before.
    Unfinished(Held),
}

/// What was kept of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The newest bytes, at most as many as the limit.
    pub bytes: Vec<u8>,
    /// How many older bytes did not fit.
    pub dropped: u64,
}

/// Finds the sections in one stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capture {
    limit: usize,
    /// A proper prefix of the token that is looked for.
    pending: Vec<u8>,
    section: Option<Section>,
}

impl Capture {
    /// A scanner outside any section; `limit` is the most bytes kept of a section.
    pub fn new(limit: u64) -> Capture {
        Capture { limit: usize::try_from(limit).unwrap_or(usize::MAX), pending: Vec::new(), section: None }
    }

    /// Takes the next chunk of output and hands on every part that is certain, in order.
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

    /// Ends the input and begins anew outside any section.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Part<'_>)) {
        let pending = std::mem::take(&mut self.pending);
        self.pass(&pending, emit);
        if let Some(section) = self.section.take() {
            emit(Part::Unfinished(section.into_held()));
        }
    }

    /// Forgets what was kept of the present section, which goes on.
    pub fn clear(&mut self) {
        if let Some(section) = &mut self.section {
            *section = Section::default();
        }
    }

    /// From now on so much is kept of a section.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = usize::try_from(limit).unwrap_or(usize::MAX);
    }

    /// Whether nothing is held back, and it is outside any section.
    pub fn is_at_rest(&self) -> bool {
        self.pending.is_empty() && self.section.is_none()
    }

    /// Appends its state to a note. A section is noted with its bytes if these are at most `most`; otherwise it has lost
    /// them, as it loses what is beyond its limit.
    pub(super) fn note(&self, out: &mut Vec<u8>, most: usize) {
        note::put_number(out, self.limit as u64);
        note::put_bytes(out, &self.pending);
        out.push(self.section.is_some().into());
        if let Some(Section { bytes, dropped }) = &self.section {
            let (one, other) = if bytes.len() <= most { bytes.as_slices() } else { Default::default() };
            let kept = [one, other].concat();
            note::put_number(out, *dropped + (bytes.len() - kept.len()) as u64);
            note::put_bytes(out, &kept);
        }
    }

    /// The capture of which this is the note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<Capture> {
        let limit = usize::try_from(note::take_number(note)?).ok()?;
        let pending = note::take_bytes(note)?;
        let section = match note::take_byte(note)? {
            0 => None,
            _ => Some(Section { dropped: note::take_number(note)?, bytes: note::take_bytes(note)?.into() }),
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
            None => self.section = Some(Section::default()),
        }
    }
}

/// The newest bytes of a section.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Section {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl Section {
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

/// The length of the longest end of `bytes` that is a proper beginning of `token`.
fn beginning_at_end(bytes: &[u8], token: &[u8]) -> usize {
    let longest = bytes.len().min(token.len() - 1);
    (1..=longest).rev().find(|length| bytes.ends_with(&token[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests;
