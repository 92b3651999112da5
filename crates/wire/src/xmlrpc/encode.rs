//! Writes documents directly into one string, without intermediate values.

use std::fmt::Write;

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
        array(out, |out| self.iter().for_each(|item| item.encode(out)));
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
        array(out, |out| out.push_str(&self.items));
    }
}

/// Members in the original's order. There are no intermediate values, because a dashboard asks for thousands of these.
impl Encode for ProcessInfo {
    fn encode(&self, out: &mut String) {
        let text = |out: &mut String, name, text: &str| member(out, name, |out| push_string(out, text));
        let number = |out: &mut String, name, number| member(out, name, |out| push_int(out, number));
        structure(out, |out| {
            text(out, "name", &self.name);
            text(out, "group", &self.group);
            number(out, "start", self.start);
            number(out, "stop", self.stop);
            number(out, "now", self.now);
            number(out, "state", self.state.code().into());
            text(out, "statename", self.state.name());
            text(out, "spawnerr", &self.spawnerr);
            number(out, "exitstatus", self.exitstatus.into());
            text(out, "logfile", &self.stdout_logfile);
            text(out, "stdout_logfile", &self.stdout_logfile);
            text(out, "stderr_logfile", &self.stderr_logfile);
            number(out, "pid", self.pid);
            text(out, "description", &self.description);
        });
    }
}

fn array(out: &mut String, items: impl FnOnce(&mut String)) {
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
    let number = number.clamp(i32::MIN.into(), i32::MAX.into());
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<value><int>{number}</int></value>");
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

/// Appends text with markup escaped and illegal characters replaced by U+FFFD.
fn push_escaped(out: &mut String, text: &str) {
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
