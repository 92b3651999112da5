//! The form of records, and how it becomes bytes.

use supervisord_config::log_form::{LogFormat, TemplateField, TemplatePart};
use supervisord_wire::calendar::rfc_3339;

use super::record_time::{ReadTime, formatted};
use super::severity::Severity;
use crate::json_text;
use crate::output::{Channel, note};

/// Whose lines they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSource<'s> {
    /// The name of the program, which is that of its section.
    pub program: &'s str,
    pub group: &'s str,
    /// The name of the process.
    pub process: &'s str,
    /// Its number among those of the program.
    pub number: i64,
    pub channel: Channel,
}

/// The form of the records of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFormat {
    parts: Vec<Part>,
}

/// A piece of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    /// In UTC.
    Time,
    /// In this form.
    LocalTime(String),
    Pid,
    /// How severe the line is, or [`UNKNOWN_SEVERITY`].
    Severity,
    /// The member of an object that tells how severe the line is, if it is known.
    SeverityMember,
    /// The line as it is.
    Message,
    /// The line within the quotes of a JSON string.
    QuotedMessage,
    /// One of three texts: for what begins a line, for what continues it, and for what is none.
    Sign(Vec<u8>, Vec<u8>, Vec<u8>),
}

/// What stands for a severity that is not known.
const UNKNOWN_SEVERITY: &str = "-";

/// What a record is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line, or its beginning.
    Line,
    /// What follows the beginning of a long line.
    Continued,
    /// Something that happens to the process.
    Marker,
}

/// A format in which everything stands that is the same in all records of one kind of one read.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    parts: Vec<ChangingPart>,
    names_severity: bool,
}

/// A piece of a record of which only the line is not known.
#[derive(Clone, Debug)]
enum ChangingPart {
    Bytes(Vec<u8>),
    Severity,
    SeverityMember,
    Message,
    QuotedMessage,
}

impl RecordFormat {
    /// None where lines stay as they are.
    pub fn new(format: &LogFormat, source: &RecordSource<'_>) -> Option<RecordFormat> {
        let mut parts = match format {
            LogFormat::Raw => return None,
            LogFormat::Text => text(source),
            LogFormat::Json => json(source),
            LogFormat::Template(parts) => parts.iter().flat_map(|part| of_template(part, source)).collect(),
        };
        if *format != LogFormat::Json {
            parts.push(bytes("\n"));
        }
        Some(RecordFormat { parts })
    }

    /// The line alone.
    pub fn plain() -> RecordFormat {
        RecordFormat { parts: vec![Part::Message, bytes("\n")] }
    }

    /// For this kind, with the time and the process id.
    pub(super) fn compile(&self, kind: Kind, time: &ReadTime, pid: Option<u32>) -> Compiled {
        let mut parts: Vec<ChangingPart> = Vec::new();
        for part in &self.parts {
            let part = match part {
                Part::Bytes(bytes) => ChangingPart::Bytes(bytes.clone()),
                Part::Time => ChangingPart::Bytes(rfc_3339(time.wall).into_bytes()),
                Part::LocalTime(form) => ChangingPart::Bytes(formatted(form, time).into_bytes()),
                Part::Pid => ChangingPart::Bytes(pid.unwrap_or(0).to_string().into_bytes()),
                Part::Sign(line, continued, marker) => ChangingPart::Bytes(match kind {
                    Kind::Line => line.clone(),
                    Kind::Continued => continued.clone(),
                    Kind::Marker => marker.clone(),
                }),
                // What is no beginning of a line says nothing of itself.
                Part::Severity if kind != Kind::Line => ChangingPart::Bytes(UNKNOWN_SEVERITY.into()),
                Part::SeverityMember if kind != Kind::Line => continue,
                Part::Severity => ChangingPart::Severity,
                Part::SeverityMember => ChangingPart::SeverityMember,
                Part::Message => ChangingPart::Message,
                Part::QuotedMessage => ChangingPart::QuotedMessage,
            };
            match (parts.last_mut(), part) {
                (Some(ChangingPart::Bytes(before)), ChangingPart::Bytes(bytes)) => before.extend_from_slice(&bytes),
                (_, part) => parts.push(part),
            }
        }
        let is_severity = |part: &ChangingPart| matches!(part, ChangingPart::Severity | ChangingPart::SeverityMember);
        let names_severity = parts.iter().any(is_severity);
        Compiled { parts, names_severity }
    }

    /// Appends it to a note.
    pub(super) fn note(&self, out: &mut Vec<u8>) {
        for part in &self.parts {
            let (tag, texts): (u8, &[&[u8]]) = match part {
                Part::Bytes(bytes) => (1, &[bytes]),
                Part::Time => (2, &[]),
                Part::LocalTime(form) => (3, &[form.as_bytes()]),
                Part::Pid => (4, &[]),
                Part::Severity => (5, &[]),
                Part::SeverityMember => (6, &[]),
                Part::Message => (7, &[]),
                Part::QuotedMessage => (8, &[]),
                Part::Sign(line, continued, marker) => (9, &[line, continued, marker]),
            };
            out.push(tag);
            texts.iter().for_each(|text| note::put_bytes(out, text));
        }
        out.push(0);
    }

    /// Restores it from its note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<RecordFormat> {
        let mut parts = Vec::new();
        loop {
            parts.push(match note::take_byte(note)? {
                0 => return Some(RecordFormat { parts }),
                1 => Part::Bytes(note::take_bytes(note)?),
                2 => Part::Time,
                3 => Part::LocalTime(String::from_utf8(note::take_bytes(note)?).ok()?),
                4 => Part::Pid,
                5 => Part::Severity,
                6 => Part::SeverityMember,
                7 => Part::Message,
                8 => Part::QuotedMessage,
                9 => Part::Sign(note::take_bytes(note)?, note::take_bytes(note)?, note::take_bytes(note)?),
                _ => return None,
            });
        }
    }
}

impl Compiled {
    /// Appends the record of a line, of a part of one, or of a marker.
    pub fn push(&self, message: &[u8], out: &mut Vec<u8>) {
        let severity = if self.names_severity { Severity::of_line(message) } else { None };
        for part in &self.parts {
            match part {
                ChangingPart::Bytes(bytes) => out.extend_from_slice(bytes),
                ChangingPart::Severity => {
                    out.extend_from_slice(severity.map_or(UNKNOWN_SEVERITY, Severity::word).as_bytes());
                }
                ChangingPart::SeverityMember => {
                    out.extend_from_slice(severity.map_or("", Severity::member).as_bytes());
                }
                ChangingPart::Message => out.extend_from_slice(message),
                ChangingPart::QuotedMessage => json_text::push(message, out),
            }
        }
    }
}

fn bytes(text: impl Into<String>) -> Part {
    Part::Bytes(text.into().into_bytes())
}

fn sign(line: &str, continued: &str, marker: &str) -> Part {
    let [line, continued, marker] = [line, continued, marker].map(|text| text.as_bytes().to_vec());
    Part::Sign(line, continued, marker)
}

fn text(source: &RecordSource<'_>) -> Vec<Part> {
    let RecordSource { group, process, channel, .. } = source;
    vec![Part::Time, bytes(format!(" {group}:{process} {} ", channel.name())), sign("| ", "+ ", "* "), Part::Message]
}

fn json(source: &RecordSource<'_>) -> Vec<Part> {
    let RecordSource { program, group, number, channel, .. } = source;
    let quoted = |text: &str| {
        let mut out = Vec::new();
        json_text::push(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let (program, group, stream) = (quoted(program), quoted(group), channel.name());
    vec![
        bytes("{\"time\":\""),
        Part::Time,
        bytes(format!("\",\"program\":\"{program}\",\"group\":\"{group}\",\"number\":{number},\"pid\":")),
        Part::Pid,
        bytes(format!(",\"stream\":\"{stream}\"")),
        Part::SeverityMember,
        sign("", ",\"continued\":true", ",\"marker\":true"),
        bytes(",\"message\":\""),
        Part::QuotedMessage,
        bytes("\"}\n"),
    ]
}

fn of_template(part: &TemplatePart, source: &RecordSource<'_>) -> Vec<Part> {
    let field = match part {
        TemplatePart::Text(text) => return vec![bytes(text.as_str())],
        TemplatePart::Field(field) => field,
    };
    vec![match field {
        TemplateField::Time => Part::Time,
        TemplateField::LocalTime(form) => Part::LocalTime(form.clone()),
        TemplateField::Program => bytes(source.program),
        TemplateField::Group => bytes(source.group),
        TemplateField::Process => bytes(source.process),
        TemplateField::Pid => Part::Pid,
        TemplateField::Stream => bytes(source.channel.name()),
        TemplateField::Level => Part::Severity,
        TemplateField::Message => return vec![sign("", "+", "* "), Part::Message],
    }]
}
