//! Reading documents.
//!
//! The original looks at elements as they end: each turns what is inside it into a value, by the name of its tag and
//! wherever it stands. That is why the root's name does not matter and unknown tags are text. The same rule is kept
//! here, with an explicit stack instead of recursion, so that a document can be as deep as the limit says and no
//! deeper.

use std::borrow::Cow;
use std::collections::HashMap;
use std::vec::Drain;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, BytesText, Event};

use super::is_xml_char;
use crate::fault::Fault;
use crate::number::{float_from_text, int_from_text};
use crate::value::Value;

/// The longest request that is read, in bytes.
pub const MAX_CALL_BYTES: usize = 32 << 20;

/// How deep elements may be nested; eight levels of arrays need about forty.
const MAX_DEPTH: usize = 128;

/// How many elements a request may have; a multicall of 10,000 calls needs about 120,000.
const MAX_CALL_ELEMENTS: usize = 400_000;

/// How many elements an answer may have; 100,000 processes need about 6,000,000.
const MAX_RESPONSE_ELEMENTS: usize = 20_000_000;

/// Why a document cannot be understood. A server answers each with HTTP 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not UTF-8, whatever its declaration says.
    #[error("not UTF-8")]
    Encoding,
    /// It is not well-formed XML.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// It has a document type declaration.
    #[error("a document type declaration is not accepted")]
    Doctype,
    /// It is longer, deeper or has more elements than is accepted.
    #[error("too large: {0}")]
    TooLarge(&'static str),
    /// An element does not hold what its tag says.
    #[error("bad content of <{0}>")]
    BadContent(&'static str),
    /// A request without the name of a method, or with an empty one.
    #[error("no method name")]
    NoMethodName,
    /// An answer with neither exactly one value nor a fault.
    #[error("neither a value nor a fault")]
    NoAnswer,
}

use DecodeError::{BadContent, TooLarge};

/// Reads a request: the name of the method and its arguments.
pub fn decode_call(body: &[u8]) -> Result<(String, Vec<Value>), DecodeError> {
    if body.len() > MAX_CALL_BYTES {
        return Err(TooLarge("bytes"));
    }
    let document = Decoder::new(Base64Use::Text, MAX_CALL_ELEMENTS, None).read(body)?;
    let method = document.method.filter(|name| !name.is_empty()).ok_or(DecodeError::NoMethodName)?;
    Ok((method, document.params.unwrap_or_default()))
}

/// Reads an answer: the value, or the fault.
pub fn decode_response(body: &[u8]) -> Result<Result<Value, Fault>, DecodeError> {
    decode_answer(body, None)
}

/// Reads an answer whose value is a long array: each item is given away as soon as it has been read, so that they need
/// not be in memory all at once. What is not where daemons write it remains in the array.
pub(super) fn decode_items(body: &[u8], mut give: impl FnMut(Value)) -> Result<Result<Value, Fault>, DecodeError> {
    decode_answer(body, Some(&mut give))
}

fn decode_answer<'a>(body: &'a [u8], give: Option<Give<'a>>) -> Result<Result<Value, Fault>, DecodeError> {
    let document = Decoder::new(Base64Use::Bytes, MAX_RESPONSE_ELEMENTS, give).read(body)?;
    if let Some(fault) = document.fault {
        let code = fault.member("faultCode").and_then(Value::as_int).and_then(|code| i32::try_from(code).ok());
        let text = fault.member("faultString").and_then(Value::as_str);
        return match (code, text) {
            (Some(code), Some(text)) => Ok(Err(Fault { code, text: text.to_owned() })),
            _ => Err(BadContent("fault")),
        };
    }
    let mut values = document.params.unwrap_or_default().into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(Ok(value)),
        _ => Err(DecodeError::NoAnswer),
    }
}

/// Who is given the items of an array.
type Give<'a> = &'a mut dyn FnMut(Value);

/// Where in an answer its array has its items, below the root.
const AROUND_ITEMS: [Tag; 5] = [Tag::Params, Tag::Param, Tag::Value, Tag::Array, Tag::Data];

/// What becomes of `<base64>`.
#[derive(Clone, Copy)]
enum Base64Use {
    /// Text, which must be UTF-8: what the original makes of it in a request.
    Text,
    /// Bytes.
    Bytes,
}

/// The tags that mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    MethodName,
    Params,
    Param,
    Fault,
    Value,
    Int,
    Boolean,
    String,
    Double,
    DateTime,
    Base64,
    Array,
    Data,
    Struct,
    Member,
    Name,
    Unknown,
}

impl Tag {
    fn of(name: &[u8]) -> Tag {
        match name {
            b"methodName" => Tag::MethodName,
            b"params" => Tag::Params,
            b"param" => Tag::Param,
            b"fault" => Tag::Fault,
            b"value" => Tag::Value,
            b"int" | b"i4" => Tag::Int,
            b"boolean" => Tag::Boolean,
            b"string" => Tag::String,
            b"double" => Tag::Double,
            b"dateTime.iso8601" => Tag::DateTime,
            b"base64" => Tag::Base64,
            b"array" => Tag::Array,
            b"data" => Tag::Data,
            b"struct" => Tag::Struct,
            b"member" => Tag::Member,
            b"name" => Tag::Name,
            _ => Tag::Unknown,
        }
    }

    /// How many children are worth keeping.
    fn keeps(self) -> usize {
        match self {
            Tag::Params | Tag::Data | Tag::Struct => usize::MAX,
            // A third one is kept to see that it is there.
            Tag::Member => 3,
            Tag::Value | Tag::Param | Tag::Array | Tag::Fault => 1,
            _ => 0,
        }
    }

    /// Whether it turns into what its only child turned into.
    fn is_envelope(self) -> bool {
        matches!(self, Tag::Value | Tag::Param | Tag::Array)
    }

    /// Whether its text is never looked at.
    fn ignores_text(self) -> bool {
        matches!(self, Tag::Params | Tag::Param | Tag::Fault | Tag::Array | Tag::Data | Tag::Struct | Tag::Member)
    }
}

/// An element that has begun.
struct Open<'a> {
    tag: Tag,
    /// A default namespace is in force; then no tag is recognized.
    foreign: bool,
    /// The text before the first child: a piece of the document, where nothing in it stands for something else.
    text: Cow<'a, str>,
    /// Where its children begin in [`Decoder::contents`].
    first_child: usize,
    has_children: bool,
}

impl Open<'_> {
    /// Whether text at this place means something.
    fn takes_text(&self) -> bool {
        !self.has_children && !self.tag.ignores_text()
    }
}

/// What an element turned into.
enum Content {
    Value(Value),
    Member(String, Value),
}

impl Content {
    fn into_value(self) -> Value {
        match self {
            Content::Value(value) => value,
            // A member outside a struct is nothing the protocol knows.
            Content::Member(..) => Value::Nil,
        }
    }
}

/// What a document says; of repeated parts the last one counts.
#[derive(Default)]
struct Document {
    method: Option<String>,
    params: Option<Vec<Value>>,
    fault: Option<Value>,
}

struct Decoder<'a> {
    base64: Base64Use,
    elements_left: usize,
    stack: Vec<Open<'a>>,
    /// What the children of all open elements turned into, the innermost element's last.
    contents: Vec<Content>,
    seen_root: bool,
    document: Document,
    /// Who is given the items of the answer, instead of keeping them.
    give: Option<Give<'a>>,
}

impl<'a> Decoder<'a> {
    fn new(base64: Base64Use, max_elements: usize, give: Option<Give<'a>>) -> Decoder<'a> {
        Decoder {
            base64,
            elements_left: max_elements,
            stack: Vec::new(),
            contents: Vec::new(),
            seen_root: false,
            document: Document::default(),
            give,
        }
    }

    fn read(mut self, body: &'a [u8]) -> Result<Document, DecodeError> {
        let text = std::str::from_utf8(body).map_err(|_| DecodeError::Encoding)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !has_only_xml_chars(text) {
            return Err(malformed("a character XML does not allow"));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let at_start = reader.buffer_position() == 0;
            match reader.read_event().map_err(malformed)? {
                Event::Start(tag) => self.open(&tag)?,
                Event::Empty(tag) => {
                    self.open(&tag)?;
                    self.close()?;
                }
                Event::End(_) => self.close()?,
                Event::Text(text) => self.character_data(&text)?,
                Event::CData(text) if !self.stack.is_empty() => self.append(|| text.xml10_content()),
                Event::GeneralRef(reference) if !self.stack.is_empty() => {
                    let character = resolve(&reference.xml10_content())?;
                    self.append(|| character.to_string().into());
                }
                Event::CData(_) | Event::GeneralRef(_) => return Err(malformed("text outside the root element")),
                Event::Decl(_) if at_start => {}
                Event::Decl(_) => return Err(malformed("a declaration that is not at the start")),
                Event::DocType(_) => return Err(DecodeError::Doctype),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if self.seen_root && self.stack.is_empty() { Ok(self.document) } else { Err(malformed("no complete element")) }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), DecodeError> {
        if self.stack.is_empty() && std::mem::replace(&mut self.seen_root, true) {
            return Err(malformed("more than one root element"));
        }
        if self.stack.len() == MAX_DEPTH {
            return Err(TooLarge("depth"));
        }
        self.elements_left = self.elements_left.checked_sub(1).ok_or(TooLarge("elements"))?;
        let name = tag.name().into_inner();
        let name: &[u8] = name.as_ref();
        if !starts_like_a_name(name) {
            return Err(malformed("a bad element name"));
        }
        let inherited = self.stack.last().is_some_and(|parent| parent.foreign);
        let foreign = default_namespace(tag)?.unwrap_or(inherited);
        if let Some(parent) = self.stack.last_mut() {
            parent.has_children = true;
        }
        let tag = if foreign { Tag::Unknown } else { Tag::of(name) };
        let first_child = self.contents.len();
        self.stack.push(Open { tag, foreign, text: Cow::default(), first_child, has_children: false });
        Ok(())
    }

    fn close(&mut self) -> Result<(), DecodeError> {
        let Some(element) = self.stack.pop() else { return Err(malformed("an end without a start")) };
        // What an envelope holds is in its place already.
        let is_done = element.tag.is_envelope()
            && self.contents.len() > element.first_child
            && matches!(self.contents.last(), Some(Content::Value(_)));
        if !is_done {
            let content = self.content_of(element)?;
            self.contents.push(content);
        }
        let keeps = |parent: &Open| self.contents.len() - parent.first_child <= parent.tag.keeps();
        if !self.stack.last().is_some_and(keeps) {
            self.contents.pop();
        } else if self.is_around_items()
            && let Some(give) = &mut self.give
            && let Some(item) = self.contents.pop()
        {
            give(item.into_value());
        }
        Ok(())
    }

    /// Whether what just ended is an item of the answer.
    fn is_around_items(&self) -> bool {
        self.stack.len() == 1 + AROUND_ITEMS.len()
            && self.stack.iter().skip(1).map(|element| element.tag).eq(AROUND_ITEMS)
    }

    fn character_data(&mut self, text: &BytesText<'a>) -> Result<(), DecodeError> {
        // Most text is a line feed between two tags, for which preparing a search costs too much.
        if text.len() >= 3 && text.bytes().any(|byte| byte == b']') && text.contains("]]>") {
            return Err(malformed("]]> in text"));
        }
        if self.stack.is_empty() && !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Err(malformed("text outside the root element"));
        }
        self.append(|| text.xml10_content());
        Ok(())
    }

    fn append(&mut self, text: impl FnOnce() -> Cow<'a, str>) {
        if let Some(element) = self.stack.last_mut().filter(|element| element.takes_text()) {
            element.text += text();
        }
    }

    /// What an element turns into at its end.
    fn content_of(&mut self, element: Open<'a>) -> Result<Content, DecodeError> {
        let Open { tag, text, first_child, .. } = element;
        let value = match tag {
            Tag::MethodName => {
                self.document.method = Some(text.into_owned());
                Value::Nil
            }
            Tag::Params => {
                self.document.params = Some(self.take(first_child).map(Content::into_value).collect());
                Value::Nil
            }
            Tag::Fault => {
                self.document.fault = self.take_only(first_child);
                Value::Nil
            }
            Tag::Param => self.take_only(first_child).ok_or(BadContent("param"))?,
            Tag::Array => self.take_only(first_child).ok_or(BadContent("array"))?,
            Tag::Value => self.take_only(first_child).unwrap_or_else(|| Value::Str(text.into_owned())),
            Tag::String | Tag::Name => Value::Str(text.into_owned()),
            Tag::Int => Value::Int(int_from_text(&text).ok_or(BadContent("int"))?),
            Tag::Boolean => Value::Bool(text == "1"),
            Tag::Double => Value::Double(float_from_text(&text).ok_or(BadContent("double"))?),
            Tag::DateTime if is_date_time(&text) => Value::DateTime(text.into_owned()),
            Tag::DateTime => return Err(BadContent("dateTime.iso8601")),
            Tag::Base64 => base64_value(self.base64, &text)?,
            Tag::Data => Value::Array(self.take(first_child).map(Content::into_value).collect()),
            Tag::Struct => structure(self.take(first_child))?,
            Tag::Member => return self.member(first_child),
            Tag::Unknown if text.is_empty() => Value::Nil,
            Tag::Unknown => Value::Str(text.into_owned()),
        };
        Ok(Content::Value(value))
    }

    /// The first child of a member is its name and the second its value, whatever their tags are.
    fn member(&mut self, first: usize) -> Result<Content, DecodeError> {
        if self.contents.len() != first + 2 {
            return Err(BadContent("member"));
        }
        let mut next = || self.contents.pop().map(Content::into_value);
        match (next(), next()) {
            (Some(value), Some(Value::Str(name))) => Ok(Content::Member(name, value)),
            (Some(value), Some(Value::Int(name))) => Ok(Content::Member(name.to_string(), value)),
            _ => Err(BadContent("member")),
        }
    }

    /// The children of the element that ends.
    fn take(&mut self, first: usize) -> Drain<'_, Content> {
        self.contents.drain(first..)
    }

    /// The child of an element that keeps one at most.
    fn take_only(&mut self, first: usize) -> Option<Value> {
        (self.contents.len() > first).then(|| self.contents.pop())?.map(Content::into_value)
    }
}

fn base64_value(wanted: Base64Use, text: &str) -> Result<Value, DecodeError> {
    let bytes = bytes_of_base64(text).ok_or(BadContent("base64"))?;
    match wanted {
        Base64Use::Bytes => Ok(Value::Base64(bytes)),
        Base64Use::Text => String::from_utf8(bytes).map(Value::Str).map_err(|_| BadContent("base64")),
    }
}

/// Up to this many members are compared with each other; a table of them would cost more.
const FEW_MEMBERS: usize = 32;

/// Of members with the same name the last value counts, in the place of the first.
fn structure(children: impl ExactSizeIterator<Item = Content>) -> Result<Value, DecodeError> {
    let mut members: Vec<(String, Value)> = Vec::with_capacity(children.len());
    let mut places = HashMap::new();
    let are_few = children.len() <= FEW_MEMBERS;
    for child in children {
        let Content::Member(name, value) = child else { return Err(BadContent("struct")) };
        let place = match are_few {
            true => members.iter().position(|(known, _)| *known == name),
            false => places.get(&name).copied(),
        };
        if let Some(place) = place {
            members[place].1 = value;
            continue;
        }
        if !are_few {
            places.insert(name.clone(), members.len());
        }
        members.push((name, value));
    }
    Ok(Value::Struct(members))
}

/// Decodes base64; characters outside the alphabet are skipped, the padding must be right.
fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
            .with_decode_allow_trailing_bits(true),
    );
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let symbols: Vec<u8> = text.bytes().filter(in_alphabet).collect();
    ENGINE.decode(symbols).ok()
}

/// Whether a text has the form `YYYYMMDDTHH:MM:SS` and names a time that exists.
fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 17
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 => *byte == b'T',
            11 | 14 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return false;
    }
    let number =
        |from: usize, to: usize| bytes[from..to].iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day) && number(9, 11) < 24 && number(12, 14) < 60 && number(15, 17) < 60
}

/// The character a reference stands for, without its `&` and `;`: a legal number or one of the five names of XML.
pub(super) fn resolve(reference: &str) -> Result<char, DecodeError> {
    let character = match BytesRef::new(reference).resolve_char_ref().map_err(malformed)? {
        Some(character) => Some(character).filter(|character| is_xml_char(*character)),
        None => match reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "apos" => Some('\''),
            "quot" => Some('"'),
            _ => None,
        },
    };
    character.ok_or_else(|| malformed("an unknown entity or character reference"))
}

/// Whether an element sets the default namespace, and to something. Its attributes are checked on the way.
fn default_namespace(tag: &BytesStart<'_>) -> Result<Option<bool>, DecodeError> {
    if tag.attributes_raw().is_empty() {
        return Ok(None);
    }
    let mut namespace = None;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(malformed)?;
        let name = attribute.key.into_inner();
        let name: &[u8] = name.as_ref();
        if name == b"xmlns" {
            namespace = Some(!attribute.value.is_empty());
        }
    }
    Ok(namespace)
}

fn has_only_xml_chars(text: &str) -> bool {
    // Nearly every document is ASCII, and then its bytes are its characters; many are looked at in one step.
    match text.is_ascii() {
        true => text.as_bytes().chunks(256).all(|bytes| {
            bytes.iter().fold(true, |legal, byte| legal & (*byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r')))
        }),
        false => text.chars().all(is_xml_char),
    }
}

fn starts_like_a_name(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..))
}

fn malformed(reason: impl std::fmt::Display) -> DecodeError {
    DecodeError::Malformed(reason.to_string())
}
