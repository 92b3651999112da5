//! What daemons of the original run, as if they said so themselves.

use std::rc::Rc;
use std::time::Duration;

use supervisord_wire::terminal_text::escaped_in_line;

use super::context::HubContext;
use super::left_out_starts;
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
        if problem.is_none() {
            left_out_starts::make_up(&context, member).await;
        }
        // A daemon that is away is away each time in the same way.
        if let Some(problem) = problem.as_ref().filter(|problem| told.as_ref() != Some(*problem)) {
            (context.log)(&format!("--python {}: {}", member.name(), escaped_in_line(problem)));
        }
        told = problem;
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Asks a daemon for its programs. The error says why there is no answer.
pub(super) async fn look(context: &HubContext, member: &PythonMember) -> Result<(), String> {
    let listed = member.list().await;
    let mut view = context.view.borrow_mut();
    let before = view.changes();
    let now = view.server_now(steady_millis());
    let done = match listed {
        Ok(mut inventory) => {
            let presence = HostPresence { boot: String::new(), has_daemon: true, is_leaving: false };
            let presence = serde_json::to_vec(&presence).unwrap_or_default();
            view.take(
                &FleetKey::Inventory(member.name().clone()).subject(),
                &inventory.message(),
                now,
                steady_millis(),
            );
            view.take(&FleetKey::Presence(member.name().clone()).subject(), &presence, now, steady_millis());
            Ok(())
        }
        Err(failure) => {
            view.asked_in_vain(member.name(), now);
            Err(failure.to_string())
        }
    };
    if view.changes() != before {
        context.revision.send_modify(|revision| *revision += 1);
    }
    done
}
