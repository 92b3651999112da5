//! What several kinds of requests need.

use async_nats::Subject;

use super::context::AgentContext;
use crate::daemon_link::{DaemonFailure, encoded};
use crate::report::ProgramReport;
use crate::request::FleetAnswer;
use crate::subjects::FleetRole;

/// Sends an answer. Whoever does not get it asks again.
pub(super) async fn answer(context: &AgentContext, reply: &Subject, answer: &FleetAnswer) {
    let _ = context.nats.client.publish(reply.clone(), answer.message().into()).await;
}

/// The programs that are selected, as the daemon shows them now to this role.
pub(super) async fn listed(
    context: &AgentContext,
    role: FleetRole,
    select: &[String],
) -> Result<Vec<ProgramReport>, DaemonFailure> {
    let query: Vec<String> = select.iter().map(|selector| format!("select={}", encoded(selector))).collect();
    let listed = context.daemon.get_as(role, &format!("/api/v1/programs?{}", query.join("&"))).await?;
    Ok(ProgramReport::list_of_api(&listed))
}
