//! What a daemon of the original runs, as if it said so itself.

use super::context::HubContext;
use super::python_member::PythonMember;
use crate::clock::steady_millis;
use crate::report::HostPresence;
use crate::subjects::FleetKey;

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
