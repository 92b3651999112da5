//! What a hub does before it ends: restarts on daemons of the original come to their end, and what they have left out is started.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::context::HubContext;
use super::left_out_starts;
use super::python_look;

/// How long the end may take. Services are killed 30 s after they were asked to end, or later.
const WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked at what is missing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Returns when no start is missing any more, or only of daemons that do not answer, or when the time is over.
pub(super) async fn settle(context: &HubContext) {
    if context.owed_starts.all().is_empty() {
        return;
    }
    let limit = WITHIN.as_secs();
    (context.log)(&format!("the hub ends after the restarts that go on, in {limit} s at the most"));
    let _ = tokio::time::timeout(WITHIN, until_settled(context)).await;
}

async fn until_settled(context: &HubContext) {
    let owed = &context.owed_starts;
    let silent = RefCell::new(BTreeSet::new());
    loop {
        join_all(context.python.iter().map(async |member| {
            let host = member.name();
            if owed.of(host).is_empty() || silent.borrow().contains(host) {
                return;
            }
            match python_look::look(context, member).await {
                Ok(()) => left_out_starts::make_up(context, member).await,
                Err(_) => drop(silent.borrow_mut().insert(host.clone())),
            }
        }))
        .await;
        if owed.all().iter().all(|(host, _)| silent.borrow().contains(host)) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
