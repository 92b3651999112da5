//! Values as Python prints them: clients of the original see these texts in faults and events.

use supervisord_config::pyrepr;
use supervisord_wire::number::float_text;
use supervisord_wire::value::Value;

/// The longest excerpt, in characters: a fault must not repeat a request of megabytes.
const MAX_EXCERPT: usize = 1000;

/// `str(value)`.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::Str(text) => text,
        other => repr(&other),
    }
}

/// The beginning of `repr(value)`.
pub(super) fn excerpt(value: &Value) -> String {
    let mut text = repr(value);
    if let Some((end, _)) = text.char_indices().nth(MAX_EXCERPT) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn repr(value: &Value) -> String {
    match value {
        Value::Nil => "None".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Str(text) => pyrepr::repr(text),
        Value::Double(number) => float_text(*number),
        Value::DateTime(text) => date_time(text).unwrap_or_else(|| text.clone()),
        Value::Base64(bytes) => pyrepr::repr(&String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(repr))),
        Value::Struct(members) => {
            let members = members.iter().map(|(name, value)| format!("{}: {}", pyrepr::repr(name), repr(value)));
            format!("{{{}}}", joined(members))
        }
    }
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// `YYYY-MM-DD HH:MM:SS` of `YYYYMMDDTHH:MM:SS`.
fn date_time(text: &str) -> Option<String> {
    let (date, time) = text.split_once('T')?;
    Some(format!("{}-{}-{} {time}", date.get(..4)?, date.get(4..6)?, date.get(6..)?))
}
