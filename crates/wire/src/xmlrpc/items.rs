//! Reading a long array of structs while it arrives.
//!
//! Servers write such an answer in one way, and a struct of texts, numbers and truths in that spelling can be read
//! without looking at XML as a whole. From the first byte that is spelled differently, [`ItemReader`] leaves the document to
//! the decoder for all documents: it reads the rest as if it followed directly after the beginning.

use std::borrow::Cow;

use super::decode::{DecodeError, decode_items, resolve};
use super::is_xml_char;
use crate::fault::Fault;
use crate::number::int_from_text;
use crate::value::{FromMembers, Members, Value};

/// What stands before the first item.
const BEGINNING: &[u8] = b"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n";

/// An item that is longer, in bytes, is left to the decoder for all documents.
const LONGEST_ITEM: usize = 1 << 20;

/// An answer that is expected to be an array of structs. Memory is needed for the items, not for the document.
#[derive(Debug)]
pub struct ItemReader<T> {
    /// What has arrived and has not been read.
    unread: Vec<u8>,
    /// None before the beginning has been read.
    progress: Option<Progress>,
    /// None once an item could not be read.
    items: Option<Vec<T>>,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    /// An item begins here.
    Items,
    /// What is here is not spelled like an item.
    Rest,
}

/// What can be said about the beginning of a text.
enum Reading<T> {
    /// It was read.
    Done(T),
    /// There is more of it to come.
    Short,
    /// It is not what was expected.
    Other,
}

use Reading::{Done, Other, Short};

impl<T: FromMembers> Default for ItemReader<T> {
    fn default() -> ItemReader<T> {
        ItemReader { unread: Vec::new(), progress: None, items: Some(Vec::new()) }
    }
}

impl<T: FromMembers> ItemReader<T> {
    /// Takes the next piece of the document.
    pub fn push(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
        if self.progress.is_none() && self.unread.starts_with(BEGINNING) {
            self.unread.drain(..BEGINNING.len());
            self.progress = Some(Progress::Items);
        }
        if matches!(self.progress, Some(Progress::Items)) {
            let read = self.read_items();
            self.unread.drain(..read);
        }
    }

    /// Reads the items that are complete; returns how many bytes they have.
    fn read_items(&mut self) -> usize {
        let mut text = Text { bytes: &self.unread, at: 0 };
        let mut members = Vec::new();
        loop {
            let begin = text.at;
            members.clear();
            match text.structure(&mut members) {
                Done(()) => keep(&mut self.items, T::from_members(&mut Flat(&members))),
                Short if self.unread.len() - begin < LONGEST_ITEM => return begin,
                Short | Other => {
                    self.progress = Some(Progress::Rest);
                    return begin;
                }
            }
        }
    }

    /// The items, or the fault, when the document is complete. None when it is no array, or an item could not be read.
    pub fn finish(self) -> Result<Result<Option<Vec<T>>, Fault>, DecodeError> {
        let ItemReader { unread, progress, mut items } = self;
        let document = match progress {
            None => unread,
            Some(_) => [BEGINNING, &unread].concat(),
        };
        let give = |item: Value| keep(&mut items, item.into_members().and_then(|mut item| T::from_members(&mut item)));
        Ok(match decode_items(&document, give)? {
            Ok(Value::Array(rest)) if rest.is_empty() => Ok(items),
            Ok(_) => Ok(None),
            Err(fault) => Err(fault),
        })
    }
}

fn keep<T>(items: &mut Option<Vec<T>>, item: Option<T>) {
    match (items.as_mut(), item) {
        (Some(kept), Some(item)) => kept.push(item),
        _ => *items = None,
    }
}

/// A struct without structs and arrays in it, as pieces of the document.
struct Flat<'a>(&'a [(Cow<'a, str>, Scalar<'a>)]);

/// What a member of it can be.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Truth(bool),
}

impl Scalar<'_> {
    fn tag(&self) -> &'static [u8] {
        match self {
            Scalar::Text(_) => b"string",
            Scalar::Number(_) => b"int",
            Scalar::Truth(_) => b"boolean",
        }
    }
}

impl Flat<'_> {
    /// Of members with the same name the last one counts.
    fn get(&self, name: &str) -> Option<&Scalar<'_>> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl Members for Flat<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        match self.get(name)? {
            Scalar::Text(text) => Some(text.to_string()),
            _ => None,
        }
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Scalar::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn truth(&mut self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Scalar::Truth(truth) => Some(*truth),
            _ => None,
        }
    }
}

/// A document and the place up to which it has been read.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Goes on with what was read, or returns why nothing was.
macro_rules! done {
    ($reading:expr) => {
        match $reading {
            Done(value) => value,
            Short => return Short,
            Other => return Other,
        }
    };
}

impl<'a> Text<'a> {
    /// Reads `<value><struct>`, the members and the ends.
    fn structure(&mut self, members: &mut Vec<(Cow<'a, str>, Scalar<'a>)>) -> Reading<()> {
        done!(self.literal(b"<value><struct>\n"));
        loop {
            match self.literal(b"<member>\n<name>") {
                Done(()) => members.push(done!(self.member())),
                Short => return Short,
                Other => return self.literal(b"</struct></value>\n"),
            }
        }
    }

    /// Reads a name, the value and the ends.
    fn member(&mut self) -> Reading<(Cow<'a, str>, Scalar<'a>)> {
        let name = done!(self.characters());
        done!(self.literal(b"/name>\n<value><"));
        let value = match done!(self.until(b'>')) {
            b"string" => Scalar::Text(done!(self.characters())),
            b"int" => match int_from_text(&done!(self.characters())) {
                Some(number) => Scalar::Number(number),
                None => return Other,
            },
            b"boolean" => Scalar::Truth(done!(self.characters()) == "1"),
            _ => return Other,
        };
        done!(self.literal(b"/"));
        done!(self.literal(value.tag()));
        done!(self.literal(b"></value>\n</member>\n"));
        Done((name, value))
    }

    /// Reads what stands before the next byte of this value, and that byte.
    fn until(&mut self, end: u8) -> Reading<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == end) else { return Short };
        self.at += length + 1;
        Done(&rest[..length])
    }

    /// Reads exactly this.
    fn literal(&mut self, expected: &[u8]) -> Reading<()> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(expected) {
            self.at += expected.len();
            return Done(());
        }
        if expected.starts_with(rest) { Short } else { Other }
    }

    /// Reads text and the `<` behind it.
    fn characters(&mut self) -> Reading<Cow<'a, str>> {
        let bytes = done!(self.until(b'<'));
        let Ok(text) = std::str::from_utf8(bytes) else { return Other };
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n') && byte != b'&' && byte != b'>';
        if text.bytes().all(is_plain) {
            return Done(Cow::Borrowed(text));
        }
        if text.contains(['>', '\r']) || !text.chars().all(is_xml_char) {
            return Other;
        }
        unescaped(text).map_or(Other, Done)
    }
}

/// The text with the characters that its references stand for; none where one stands for nothing.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let mut pieces = text.split('&');
    let mut whole = Cow::Borrowed(pieces.next()?);
    for piece in pieces {
        let (reference, rest) = piece.split_once(';')?;
        whole.to_mut().push(resolve(reference).ok()?);
        whole += rest;
    }
    Some(whole)
}

#[cfg(test)]
mod tests;
