//! What is asked of this host: commands take their turn, and what only reads is answered at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::Subject;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::answers::{answer, listed};
use super::command_order::{CommandOrder, WaitingCommand};
use super::commands::{AskedRequest, Commands, refusal};
use super::context::{AgentContext, Attempts};
use super::followers::Followers;
use crate::clock::epoch_millis;
use crate::daemon_link::{DaemonFailure, encoded};
use crate::request::{FleetAnswer, FleetRefusal, FleetRequest, FleetVerb};
use crate::subjects::{self, FleetRole};

/// How many requests are answered at a time. More are refused.
const AT_A_TIME: usize = 32;
/// How many programs are explained in one answer, and in how many bytes.
const MAX_EXPLAINED: usize = 500;
const MAX_EXPLANATIONS: usize = 512 << 10;

/// Answers requests for ever.
pub(super) async fn serve(context: Arc<AgentContext>, commands: Commands) {
    let commands = Arc::new(commands);
    let followers = Arc::new(Followers::default());
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    // The requests that are being read for.
    let reading: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let order = CommandOrder::begin(context.clone(), commands.clone(), AT_A_TIME);
    let mut attempts = Attempts::new();
    loop {
        context.nats.connected().await;
        match context.nats.client.subscribe(subjects::requests_to(&context.host)).await {
            Err(error) => (context.log)(&format!("cannot listen for requests: {error}")),
            Ok(mut requests) => {
                while let Some(message) = requests.next().await {
                    // An answer to anywhere else could be somebody's request, and what a consumer delivers is nobody's.
                    let Some(reply) = message.reply.clone().filter(|reply| reply.starts_with("_INBOX.")) else {
                        continue;
                    };
                    let asked = AskedRequest::of(&message);
                    let command = asked.as_ref().ok().filter(|asked| asked.is_command());
                    // It has come again: its answer is on its way.
                    let is_known = |asked: &AskedRequest| {
                        let id = &asked.request.id;
                        order.knows(id) || reading.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
                    };
                    if asked.as_ref().is_ok_and(is_known) {
                        continue;
                    }
                    // One that has begun needs no turn, and what the daemon says now has nothing to do with it.
                    if let Some(told) = command.and_then(|asked| commands.journal().answer(&asked.request.id)) {
                        answer(&context, &reply, &told).await;
                        continue;
                    }
                    let Ok(place) = places.clone().try_acquire_owned() else {
                        let told = FleetAnswer::refused(FleetRefusal::Busy, "too many requests");
                        answer(&context, &reply, &told).await;
                        continue;
                    };
                    match asked {
                        Ok(asked) if asked.is_command() => order.push(WaitingCommand { asked, reply, place }).await,
                        asked => {
                            let (context, followers, reading) = (context.clone(), followers.clone(), reading.clone());
                            // Whoever follows logs asks again in order to go on.
                            let once = asked.as_ref().ok().filter(|asked| !asked.follows());
                            let once = once.map(|asked| asked.request.id.clone());
                            reading.lock().unwrap_or_else(PoisonError::into_inner).extend(once.clone());
                            tokio::spawn(async move {
                                let told = match asked {
                                    Ok(asked) => read(&context, &followers, &asked.request, &reply).await,
                                    Err(told) => told,
                                };
                                answer(&context, &reply, &told).await;
                                if let Some(id) = once {
                                    reading.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                                }
                                drop(place);
                            });
                        }
                    }
                }
            }
        }
        attempts.pause().await;
    }
}

/// Answers what only reads.
async fn read(
    context: &Arc<AgentContext>,
    followers: &Arc<Followers>,
    request: &FleetRequest,
    reply: &Subject,
) -> FleetAnswer {
    if epoch_millis() > request.deadline {
        return FleetAnswer::refused(FleetRefusal::Expired, "its deadline has passed by the clock of this host");
    }
    let read = match &request.verb {
        FleetVerb::Why { select } => explain(context, select).await,
        FleetVerb::Logs { select, channel, tail, follow, places } => {
            let (channel, tail, follow) = (*channel, *tail, *follow);
            let asked = super::follow::AskedLogs { select, channel, tail, follow, places };
            super::follow::logs(context, followers, &request.id, asked, reply).await
        }
        other => listed(context, FleetRole::Viewer, other.select()).await.map(|programs| json!(programs)),
    };
    read.map_or_else(|failure| refusal(&failure), |result| FleetAnswer::Done { result })
}

async fn explain(context: &AgentContext, select: &[String]) -> Result<Value, DaemonFailure> {
    let programs = listed(context, FleetRole::Viewer, select).await?;
    let mut explained = Vec::new();
    let mut size = 0;
    for (number, program) in programs.iter().enumerate() {
        if number >= MAX_EXPLAINED || size >= MAX_EXPLANATIONS {
            let left = programs.len() - number;
            let told = format!(
                "{left} more {} not explained: name fewer",
                if left == 1 { "program is" } else { "programs are" }
            );
            explained.push(json!({ "program": null, "omitted": left, "explanation": [told] }));
            break;
        }
        let (group, name) = (encoded(&program.group), encoded(&program.name));
        let why = context.daemon.get(&format!("/api/v1/programs/{group}/{name}/why")).await?;
        let lines = why.get("explanation").cloned().unwrap_or(Value::Null);
        size += lines.to_string().len();
        explained.push(json!({ "program": program.namespec(), "explanation": lines }));
    }
    Ok(json!(explained))
}
