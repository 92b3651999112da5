//! What daemons of the original run, as if they said so themselves.

use std::rc::Rc;
use std::time::Duration;

use super::context::HubContext;
use super::python_member::PythonMember;
use crate::clock::steady_millis;
use crate::report::HostPresence;
use crate::subjects::FleetKey;

/// How often a daemon is asked for its programs.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Asks a daemon for its programs, for ever.
pub(super) async fn watch(context: Rc<HubContext>, number: usize) {
    let Some(member) = context.python.get(number) else { return };
    let mut told = None;
    loop {
        let problem = look(&context, member).await.err();
        // A daemon that is away is away each time in the same way.
        if let Some(problem) = problem.as_ref().filter(|problem| told.as_ref() != Some(*problem)) {
            (context.log)(&format!("--python {}: {problem}", member.name()));
        }
        told = problem;
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Asks a daemon for its programs. The error says why there is no answer.
pub(super) async fn look(context: &HubContext, member: &PythonMember) -> Result<(), String> {
    let listed = member.list().await;
    let presence = HostPresence { boot: String::new(), has_daemon: listed.is_ok(), is_leaving: false };
    let mut view = context.view.borrow_mut();
    let before = view.changes();
    let now = view.server_now(steady_millis());
    let done = listed.map(|mut inventory| {
        let subject = FleetKey::Inventory(member.name().clone()).subject();
        view.take(&subject, &inventory.message(), now, steady_millis());
    });
    let message = serde_json::to_vec(&presence).unwrap_or_default();
    view.take(&FleetKey::Presence(member.name().clone()).subject(), &message, now, steady_millis());
    if view.changes() != before {
        context.revision.send_modify(|revision| *revision += 1);
    }
    done
}
