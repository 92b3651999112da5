//! Results on their way into a document.

use supervisord_wire::info::ProcessInfo;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{Encode, EncodedArray};

/// A result. What can be large is not turned into a [`Value`] first.
pub(super) enum Answer {
    Value(Value),
    Process(Box<ProcessInfo>),
    Processes(Vec<ProcessInfo>),
    Encoded(EncodedArray),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Answer {
        Answer::Value(value)
    }
}

impl Encode for Answer {
    fn encode(&self, out: &mut String) {
        match self {
            Answer::Value(value) => value.encode(out),
            Answer::Process(info) => info.encode(out),
            Answer::Processes(infos) => infos.as_slice().encode(out),
            Answer::Encoded(array) => array.encode(out),
        }
    }
}
