//! `system.multicall`: one call after the other, each with its own result.

use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::EncodedArray;

use super::payload::{Content, Payload};
use super::{Failure, crowded, methods, plugged, plugins, single};
use crate::network::Context;
use crate::network::memory_budget::{SMALL, is_possible};
use crate::xmlrpc::multicall_entry;

/// How long the answer may become, in bytes, before further calls are refused.
const MAX_ANSWER: usize = 64 << 20;

/// Memory is reserved in steps of so many bytes.
const STEP: usize = 1 << 20;

/// Makes the calls in turn; one that has to wait is awaited before the next. Results are bare, not wrapped in
/// arrays of one, because that is what clients of the original depend on.
pub(super) async fn execute(context: &Context, entries: Vec<Value>) -> Result<Payload, Failure> {
    let mut results = EncodedArray::default();
    let mut reservation = context.answers.nothing();
    for entry in entries {
        let result = match results.len() {
            ..MAX_ANSWER => one(context, entry).await,
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
            && !context.answers.grow(&mut reservation, needed.next_multiple_of(STEP)).await
        {
            return Err(crowded().into());
        }
    }
    Ok(Content::Encoded(results).within(reservation))
}

async fn one(context: &Context, entry: Value) -> Result<Payload, Failure> {
    let (method, arguments) = multicall_entry(entry)?;
    if let Some(plugins) = plugins(context, &method) {
        return plugged(plugins, &method, &arguments).await;
    }
    let methods = methods(context);
    let request = methods.parse(&method, arguments, context.view.mood())?;
    single(context, methods, request).await
}
