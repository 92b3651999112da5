//! Arguments as deployed clients send them: loosely typed, because the original took them so.

use std::vec::IntoIter;

use supervisord_config::scale::WantedCount;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::number::int_from_text;
use supervisord_wire::value::Value;

use super::python_text;

/// The arguments of one call, taken from the left.
pub(super) struct Arguments(IntoIter<Value>);

fn incorrect() -> Fault {
    Fault::new(FaultCode::IncorrectParameters)
}

impl Arguments {
    pub(super) fn new(values: Vec<Value>) -> Arguments {
        Arguments(values.into_iter())
    }

    /// The next argument as it is; nil when there is none.
    pub(super) fn any(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    /// A name: a string and nothing else.
    pub(super) fn name(&mut self) -> Result<String, Fault> {
        match self.any() {
            Value::Str(name) => Ok(name),
            _ => Err(incorrect()),
        }
    }

    /// A number, which may come as a numeric string, as a truth or with a fraction, which is cut off.
    pub(super) fn int(&mut self) -> Result<i64, Fault> {
        match self.any() {
            Value::Int(number) => Ok(number),
            Value::Bool(truth) => Ok(truth.into()),
            Value::Double(number) if number.is_finite() => Ok(number as i64),
            Value::Str(text) => int_from_text(&text).ok_or_else(incorrect),
            _ => Err(incorrect()),
        }
    }

    /// How many processes: a number, or the text of one. With a sign, the text is a change.
    pub(super) fn count(&mut self) -> Result<WantedCount, Fault> {
        match self.any() {
            Value::Int(number) => Ok(WantedCount::Exactly(number)),
            Value::Str(text) => WantedCount::parse(text.trim()).ok_or_else(incorrect),
            _ => Err(incorrect()),
        }
    }

    /// Whether to wait: true when left out, else whatever Python takes for true.
    pub(super) fn wait(&mut self) -> bool {
        self.truth(true)
    }

    /// A truth that is false when left out.
    pub(super) fn flag(&mut self) -> bool {
        self.truth(false)
    }

    fn truth(&mut self, left_out: bool) -> bool {
        match self.0.next() {
            None => left_out,
            Some(Value::Nil) => false,
            Some(Value::Bool(truth)) => truth,
            Some(Value::Int(number)) => number != 0,
            Some(Value::Double(number)) => number != 0.0,
            Some(Value::Str(text) | Value::DateTime(text)) => !text.is_empty(),
            Some(Value::Base64(bytes)) => !bytes.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Struct(members)) => !members.is_empty(),
        }
    }

    /// A signal, by name or number, as text; what it means is decided where it is sent.
    pub(super) fn signal(&mut self) -> Result<String, Fault> {
        match self.any() {
            Value::Str(text) => Ok(text),
            Value::Int(number) => Ok(number.to_string()),
            Value::Bool(truth) => Ok(i64::from(truth).to_string()),
            Value::Double(number) if number.is_finite() => Ok((number as i64).to_string()),
            _ => Err(incorrect()),
        }
    }

    /// Text for the stdin of a process. Anything else is shown in the fault, but nil is not.
    pub(super) fn chars(&mut self) -> Result<Vec<u8>, Fault> {
        match self.any() {
            Value::Str(text) => Ok(text.into_bytes()),
            Value::Base64(bytes) => Ok(bytes),
            Value::Nil => Err(incorrect()),
            other => Err(Fault::with(FaultCode::IncorrectParameters, python_text::excerpt(&other))),
        }
    }

    /// Anything, as the text Python makes of it.
    pub(super) fn printed(&mut self) -> String {
        python_text::text(self.any())
    }
}
