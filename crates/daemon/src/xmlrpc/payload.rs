//! Results on their way into a document.

use std::sync::Arc;

use supervisord_core::row::Row;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{Encode, EncodedArray, encode_array};

use super::process_list::Moment;
use crate::memory_budget::Reservation;

/// A result with the memory that was taken for it, where it can be large.
pub(super) struct Payload {
    pub(super) content: Content,
    pub(super) reservation: Option<Reservation>,
}

/// A result. What can be large is not turned into a [`Value`] first.
pub(super) enum Content {
    Value(Value),
    Process(Arc<Row>, Moment),
    Processes(Vec<Arc<Row>>, Moment),
    Encoded(EncodedArray),
}

/// About how much a process adds to a list of processes, in bytes of the document.
pub(super) const PROCESS_BYTES: usize = 1280;

/// About how much it adds to a list of configurations.
pub(super) const CONFIGURATION_BYTES: usize = 3 << 10;

impl Content {
    /// With the memory that was reserved before it was made.
    pub(super) fn within(self, reservation: Reservation) -> Payload {
        Payload { content: self, reservation: Some(reservation) }
    }

    /// About how many bytes it will have as a document.
    pub(super) fn weight(&self) -> usize {
        match self {
            Content::Value(value) => weight(value),
            Content::Process(..) => PROCESS_BYTES,
            Content::Processes(rows, _) => rows.len() * PROCESS_BYTES,
            Content::Encoded(array) => array.len(),
        }
    }
}

fn weight(value: &Value) -> usize {
    const TAGS: usize = 32;
    let content = match value {
        Value::Str(text) => text.len(),
        Value::Base64(bytes) => bytes.len() / 3 * 4,
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Struct(members) => members.iter().map(|(name, value)| TAGS + name.len() + weight(value)).sum(),
        _ => 0,
    };
    TAGS + content
}

impl From<Content> for Payload {
    fn from(content: Content) -> Payload {
        Payload { content, reservation: None }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Payload {
        Content::Value(value).into()
    }
}

impl Encode for Content {
    fn encode(&self, out: &mut String) {
        match self {
            Content::Value(value) => value.encode(out),
            Content::Process(row, moment) => moment.push_info(row, &mut String::new(), out),
            Content::Processes(rows, moment) => {
                let mut scratch = String::new();
                encode_array(out, |out| rows.iter().for_each(|row| moment.push_info(row, &mut scratch, out)));
            }
            Content::Encoded(array) => array.encode(out),
        }
    }
}
