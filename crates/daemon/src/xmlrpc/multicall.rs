//! `system.multicall`: one call after the other, each with its own result.

use supervisord_core::actor::Actor;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::EncodedArray;

use super::dispatcher::Dispatcher;
use super::failure::Failure;
use super::payload::{Content, Payload};
use crate::api::crowded;
use crate::memory_budget::{SMALL, is_possible};

/// How long the answer may become, in bytes, before further calls are refused.
const MAX_ANSWER: usize = 64 << 20;

/// Memory is reserved in steps of so many bytes.
const STEP: usize = 1 << 20;

/// Makes the calls in turn; one that has to wait is awaited before the next. Results are bare, not wrapped in
/// arrays of one, because that is what clients of the original depend on.
pub(super) async fn execute(dispatcher: &Dispatcher, actor: &Actor, entries: Vec<Value>) -> Result<Payload, Failure> {
    let answers = &dispatcher.api.answers;
    let mut results = EncodedArray::default();
    let mut reservation = answers.nothing();
    for entry in entries {
        let result = match results.len() {
            ..MAX_ANSWER => execute_entry(dispatcher, actor, entry).await,
            MAX_ANSWER.. => Err(Fault::with(FaultCode::Failed, "not called, the answer is too long already").into()),
        };
        let coming = result.as_ref().map_or(0, |answer| answer.content.weight());
        if coming > 0 && !is_possible(results.len() + coming) {
            return Err(crowded().into());
        }
        // The items, and the document that is made of them in the end.
        let needed = 2 * (results.len() + coming);
        if needed > reservation.bytes().max(SMALL)
            && !answers.grow(&mut reservation, needed.next_multiple_of(STEP)).await
        {
            return Err(crowded().into());
        }
        match result {
            Ok(answer) => results.push(&answer.content),
            Err(Failure::Fault(fault)) => results.push(&fault),
            Err(Failure::Ended) => return Err(Failure::Ended),
        }
    }
    Ok(Content::Encoded(results).within(reservation))
}

async fn execute_entry(dispatcher: &Dispatcher, actor: &Actor, entry: Value) -> Result<Payload, Failure> {
    let (method, arguments) = parse_entry(entry)?;
    dispatcher.execute(actor, dispatcher.parse(actor, &method, arguments)?).await
}

/// The method and arguments of one entry of a multicall, which is a struct, or the fault that stands in for its result.
///
/// Like the original, this takes the characters of a string and the names of a struct for arguments.
fn parse_entry(entry: Value) -> Result<(String, Vec<Value>), Fault> {
    let incorrect = |why| Fault::with(FaultCode::IncorrectParameters, why);
    let Value::Struct(members) = entry else { return Err(Fault::new(FaultCode::IncorrectParameters)) };
    let (mut method, mut params) = (Value::Nil, Value::Array(Vec::new()));
    for (name, value) in members {
        match name.as_str() {
            "methodName" => method = value,
            "params" => params = value,
            _ => {}
        }
    }
    let method = match method {
        Value::Nil => return Err(incorrect("No methodName")),
        Value::Str(method) if method == "system.multicall" => {
            return Err(incorrect("Recursive system.multicall forbidden"));
        }
        Value::Str(method) => method,
        _ => return Err(Fault::new(FaultCode::IncorrectParameters)),
    };
    let params = match params {
        Value::Array(params) => params,
        Value::Str(text) => text.chars().map(|c| Value::Str(c.to_string())).collect(),
        Value::Struct(members) => members.into_iter().map(|(name, _)| Value::Str(name)).collect(),
        _ => return Err(Fault::new(FaultCode::IncorrectParameters)),
    };
    Ok((method, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        text.into()
    }

    #[test]
    fn entries_of_a_multicall_are_read_one_by_one() {
        let entry = |members: Vec<(&str, Value)>| {
            let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            parse_entry(Value::Struct(members)).map_err(|fault| fault.text)
        };
        let name = |name: &str| ("methodName", text(name));
        assert_eq!(entry(vec![]), Err("INCORRECT_PARAMETERS: No methodName".to_owned()));
        let recursive = Err("INCORRECT_PARAMETERS: Recursive system.multicall forbidden".to_owned());
        assert_eq!(entry(vec![name("system.multicall")]), recursive);
        assert_eq!(entry(vec![name("a.b")]), Ok(("a.b".to_owned(), vec![])));
        assert_eq!(
            entry(vec![name("a.b"), ("params", Value::Array(vec![Value::Nil]))]),
            Ok(("a.b".to_owned(), vec![Value::Nil]))
        );
        assert_eq!(
            entry(vec![("params", text("xy")), name("a.b")]),
            Ok(("a.b".to_owned(), vec![text("x"), text("y")]))
        );
        let keys = Value::Struct(vec![("k".to_owned(), Value::Int(1))]);
        assert_eq!(entry(vec![name("a.b"), ("params", keys)]), Ok(("a.b".to_owned(), vec![text("k")])));
        for wrong in [vec![("methodName", Value::Int(5))], vec![name("a.b"), ("params", Value::Nil)]] {
            assert_eq!(entry(wrong), Err("INCORRECT_PARAMETERS".to_owned()));
        }
    }
}
