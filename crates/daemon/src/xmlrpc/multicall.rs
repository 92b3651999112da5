//! `system.multicall`: one call after the other, each with its own result.

use supervisord_core::actor::Actor;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::EncodedArray;

use super::methods::multicall_entry;
use super::payload::{Content, Payload};
use super::responder::{Failure, Responder};
use crate::api::crowded;
use crate::memory_budget::{SMALL, is_possible};

/// How long the answer may become, in bytes, before further calls are refused.
const MAX_ANSWER: usize = 64 << 20;

/// Memory is reserved in steps of so many bytes.
const STEP: usize = 1 << 20;

/// Makes the calls in turn; one that has to wait is awaited before the next. Results are bare, not wrapped in
/// arrays of one, because that is what clients of the original depend on.
pub(super) async fn execute(responder: &Responder, actor: &Actor, entries: Vec<Value>) -> Result<Payload, Failure> {
    let mut results = EncodedArray::default();
    let mut reservation = responder.api.answers.nothing();
    for entry in entries {
        let result = match results.len() {
            ..MAX_ANSWER => one(responder, actor, entry).await,
            MAX_ANSWER.. => Err(Fault::with(FaultCode::Failed, "not called, the answer is too long already").into()),
        };
        match result {
            Ok(answer) if is_possible(results.len() + answer.content.weight()) => results.push(&answer.content),
            Ok(_) => return Err(crowded().into()),
            Err(Failure::Fault(fault)) => results.push(&fault),
            Err(Failure::Ending) => return Err(Failure::Ending),
        }
        // The items, and the document that is made of them in the end.
        let needed = 2 * results.len();
        if needed > reservation.bytes().max(SMALL)
            && !responder.api.answers.grow(&mut reservation, needed.next_multiple_of(STEP)).await
        {
            return Err(crowded().into());
        }
    }
    Ok(Content::Encoded(results).within(reservation))
}

async fn one(responder: &Responder, actor: &Actor, entry: Value) -> Result<Payload, Failure> {
    let (method, arguments) = multicall_entry(entry)?;
    responder.execute_entry(actor, &method, arguments).await
}
