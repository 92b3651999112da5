//! Writes documents directly into one string, without intermediate values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::is_xml_char;
use crate::fault::Fault;
use crate::info::ProcessInfo;
use crate::number::float_text;
use crate::value::Value;

/// Types that can be written as a `<value>`.
pub trait Encode {
    /// Appends the value with its `<value>` tags and a final line feed.
    fn encode(&self, out: &mut String);
}

/// The document of a method call.
pub fn encode_call(method: &str, params: &[Value]) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    push_escaped(&mut out, method);
    out.push_str("</methodName>\n<params>\n");
    for param in params {
        out.push_str("<param>\n");
        param.encode(&mut out);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n</methodCall>\n");
    out
}

/// The document of a result.
pub fn encode_response<T: Encode + ?Sized>(value: &T) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n");
    value.encode(&mut out);
    out.push_str("</param>\n</params>\n</methodResponse>\n");
    out
}

/// The document of a call that returns an array: the parts before and after the items.
pub const ARRAY_RESPONSE: [&str; 2] = [
    "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n",
    "</data></array></value>\n</param>\n</params>\n</methodResponse>\n",
];

/// The document of a fault.
pub fn encode_fault(fault: &Fault) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n");
    fault.encode(&mut out);
    out.push_str("</fault>\n</methodResponse>\n");
    out
}

/// As the struct with `faultCode` and `faultString`.
impl Encode for Fault {
    fn encode(&self, out: &mut String) {
        structure(out, |out| {
            member(out, "faultCode", |out| push_int(out, self.code.into()));
            member(out, "faultString", |out| push_string(out, &self.text));
        });
    }
}

/// [`Value::Nil`] becomes `<nil/>`, the common extension: no built-in method returns it, and the original fails with
/// it.
impl Encode for Value {
    fn encode(&self, out: &mut String) {
        match self {
            Value::Nil => out.push_str("<value><nil/></value>\n"),
            Value::Int(number) => push_int(out, *number),
            Value::Bool(truth) => push_bool(out, *truth),
            Value::Str(text) => push_string(out, text),
            Value::Double(number) => {
                out.push_str("<value><double>");
                out.push_str(&float_text(*number));
                out.push_str("</double></value>\n");
            }
            Value::DateTime(text) => {
                out.push_str("<value><dateTime.iso8601>");
                push_escaped(out, text);
                out.push_str("</dateTime.iso8601></value>\n");
            }
            Value::Base64(bytes) => push_base64(out, bytes),
            Value::Array(items) => items.as_slice().encode(out),
            Value::Struct(members) => structure(out, |out| {
                for (name, value) in members {
                    member(out, name, |out| value.encode(out));
                }
            }),
        }
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut String) {
        encode_array(out, |out| self.iter().for_each(|item| item.encode(out)));
    }
}

/// An array that is encoded item by item, so that none of the items has to be kept.
#[derive(Debug, Default)]
pub struct EncodedArray {
    items: String,
}

impl EncodedArray {
    /// Appends an item.
    pub fn push<T: Encode + ?Sized>(&mut self, item: &T) {
        item.encode(&mut self.items);
    }

    /// The size of all items so far, in bytes.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items yet.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl Encode for EncodedArray {
    fn encode(&self, out: &mut String) {
        encode_array(out, |out| out.push_str(&self.items));
    }
}

/// The destination of a document.
trait Sink {
    fn push_str(&mut self, text: &str);
    fn push_number(&mut self, number: i32);
}

impl Sink for String {
    #[inline(always)]
    fn push_str(&mut self, text: &str) {
        self.push_str(text);
    }

    /// Formatting would take too long for thousands of numbers.
    fn push_number(&mut self, number: i32) {
        self.push_str(itoa::Buffer::new().format(number));
    }
}

/// Counts the bytes of a document without storing it.
struct Length(usize);

impl Sink for Length {
    #[inline(always)]
    fn push_str(&mut self, text: &str) {
        self.0 += text.len();
    }

    fn push_number(&mut self, number: i32) {
        let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
        self.0 += usize::from(number < 0) + digits as usize;
    }
}

/// Appends a member whose tags are known when this is compiled: a dashboard asks for thousands of them.
macro_rules! push_member {
    ($out:expr, $name:literal, text $text:expr) => {
        $out.push_str(concat!("<member>\n<name>", $name, "</name>\n<value><string>"));
        push_escaped($out, $text);
        $out.push_str("</string></value>\n</member>\n");
    };
    ($out:expr, $name:literal, number $number:expr) => {
        $out.push_str(concat!("<member>\n<name>", $name, "</name>\n<value><int>"));
        $out.push_number(clamped($number));
        $out.push_str("</int></value>\n</member>\n");
    };
}

impl<T: AsRef<str>> ProcessInfo<T> {
    /// How many bytes it has in a document.
    pub fn encoded_len(&self) -> usize {
        let mut length = Length(0);
        self.push_to(&mut length);
        length.0
    }

    /// Members in the original's order, without intermediate values.
    fn push_to(&self, out: &mut impl Sink) {
        out.push_str("<value><struct>\n");
        push_member!(out, "name", text self.name.as_ref());
        push_member!(out, "group", text self.group.as_ref());
        push_member!(out, "start", number self.start);
        push_member!(out, "stop", number self.stop);
        push_member!(out, "now", number self.now);
        push_member!(out, "state", number self.state.code().into());
        out.push_str("<member>\n<name>statename</name>\n<value><string>");
        out.push_str(self.state.name());
        out.push_str("</string></value>\n</member>\n");
        push_member!(out, "spawnerr", text self.spawnerr.as_ref());
        push_member!(out, "exitstatus", number self.exitstatus.into());
        push_member!(out, "logfile", text self.stdout_logfile.as_ref());
        push_member!(out, "stdout_logfile", text self.stdout_logfile.as_ref());
        push_member!(out, "stderr_logfile", text self.stderr_logfile.as_ref());
        push_member!(out, "pid", number self.pid);
        push_member!(out, "description", text self.description.as_ref());
        out.push_str("</struct></value>\n");
    }
}

impl<T: AsRef<str>> Encode for ProcessInfo<T> {
    fn encode(&self, out: &mut String) {
        self.push_to(out);
    }
}

/// Appends an array, whose items `items` appends.
pub fn encode_array(out: &mut String, items: impl FnOnce(&mut String)) {
    out.push_str("<value><array><data>\n");
    items(out);
    out.push_str("</data></array></value>\n");
}

fn structure(out: &mut String, members: impl FnOnce(&mut String)) {
    out.push_str("<value><struct>\n");
    members(out);
    out.push_str("</struct></value>\n");
}

fn member(out: &mut String, name: &str, value: impl FnOnce(&mut String)) {
    out.push_str("<member>\n<name>");
    push_escaped(out, name);
    out.push_str("</name>\n");
    value(out);
    out.push_str("</member>\n");
}

fn push_int(out: &mut String, number: i64) {
    out.push_str("<value><int>");
    out.push_number(clamped(number));
    out.push_str("</int></value>\n");
}

/// The nearest number within 32 bits.
fn clamped(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

fn push_bool(out: &mut String, truth: bool) {
    out.push_str(if truth { "<value><boolean>1</boolean></value>\n" } else { "<value><boolean>0</boolean></value>\n" });
}

fn push_string(out: &mut String, text: &str) {
    out.push_str("<value><string>");
    push_escaped(out, text);
    out.push_str("</string></value>\n");
}

/// Lines of 76 characters, as written by Python's library.
fn push_base64(out: &mut String, bytes: &[u8]) {
    const BYTES_PER_LINE: usize = 57;
    out.push_str("<value><base64>\n");
    for line in bytes.chunks(BYTES_PER_LINE) {
        STANDARD.encode_string(line, out);
        out.push('\n');
    }
    out.push_str("</base64></value>\n");
}

/// The bytes that need no replacement in any position.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < b' ' {
        plain[byte as usize] = is_xml_char(byte as char) && byte != b'\r';
        byte += 1;
    }
    // The last one begins U+FFFE and U+FFFF, among others.
    plain[b'&' as usize] = false;
    plain[b'<' as usize] = false;
    plain[b'>' as usize] = false;
    plain[0xef] = false;
    plain
};

const STRIDE: usize = 16;

/// Whether no byte can need a replacement. Each step checks all its bytes without a branch, because most texts are short.
fn is_plain(bytes: &[u8]) -> bool {
    let are_plain = |bytes: &[u8; STRIDE]| {
        bytes.iter().fold(true, |plain, byte| {
            plain & (*byte >= b' ') & (*byte != b'&') & (*byte != b'<') & (*byte != b'>') & (*byte != 0xef)
        })
    };
    match bytes.last_chunk() {
        // The last step may overlap the one before it.
        Some(last) => bytes.as_chunks().0.iter().all(are_plain) && are_plain(last),
        None => bytes.iter().fold(true, |plain, byte| plain & IS_PLAIN[*byte as usize]),
    }
}

/// Appends text with markup escaped and illegal characters replaced by U+FFFD.
#[inline]
fn push_escaped(out: &mut impl Sink, text: &str) {
    if is_plain(text.as_bytes()) {
        out.push_str(text);
    } else {
        push_replaced(out, text);
    }
}

fn push_replaced(out: &mut impl Sink, text: &str) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let (replacement, width) = match bytes[at] {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'\r' => ("&#13;", 1),
            byte if byte < b' ' && !is_xml_char(byte.into()) => ("\u{fffd}", 1),
            // U+FFFE and U+FFFF, the only other illegal characters.
            0xef if matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) => ("\u{fffd}", 3),
            _ => {
                at += 1;
                continue;
            }
        };
        out.push_str(&text[copied..at]);
        out.push_str(replacement);
        at += width;
        copied = at;
    }
    out.push_str(&text[copied..]);
}
