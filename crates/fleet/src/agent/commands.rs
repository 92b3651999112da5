//! What is asked of this host.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Message, Subject};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::answers::{answer, listed};
use super::context::{AgentContext, Attempts};
use super::followers::Followers;
use crate::clock::epoch_millis;
use crate::command_journal::CommandJournal;
use crate::command_memory::CommandDecision;
use crate::daemon_link::{DaemonFailure, encoded};
use crate::host_name::PersonName;
use crate::report::ProgramReport;
use crate::request::{DaemonAction, FleetAnswer, FleetRefusal, FleetRequest, FleetVerb};
use crate::subjects::{self, FleetRole};

/// How many requests are answered at a time. More are refused.
const AT_A_TIME: usize = 32;
/// How long the daemon may take for an action.
const ACT_WITHIN: Duration = Duration::from_secs(600);
/// The refusal of what is about the agent itself.
const OWN_PROGRAM: &str = "the agent does not start or stop itself: use supervisorctl on its host";
/// How many programs are explained in one answer.
const MAX_EXPLAINED: usize = 64;

/// What the agent remembers about commands.
pub(super) struct Commands {
    journal: Mutex<CommandJournal>,
}

impl Commands {
    pub(super) fn open(directory: &Path) -> io::Result<Commands> {
        Ok(Commands { journal: Mutex::new(CommandJournal::open(directory)?) })
    }
}

/// Answers requests for ever.
pub(super) async fn serve(context: Arc<AgentContext>, commands: Commands) {
    let commands = Arc::new(commands);
    let followers = Arc::new(Followers::default());
    let places = Arc::new(Semaphore::new(AT_A_TIME));
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
                    let Ok(place) = places.clone().try_acquire_owned() else {
                        answer(&context, &reply, &FleetAnswer::refused(FleetRefusal::Busy, "too many requests")).await;
                        continue;
                    };
                    let (context, commands, followers) = (context.clone(), commands.clone(), followers.clone());
                    tokio::spawn(async move {
                        let told = respond(&context, &commands, &followers, &message, &reply).await;
                        answer(&context, &reply, &told).await;
                        drop(place);
                    });
                }
            }
        }
        attempts.pause().await;
    }
}

async fn respond(
    context: &Arc<AgentContext>,
    commands: &Commands,
    followers: &Arc<Followers>,
    message: &Message,
    reply: &Subject,
) -> FleetAnswer {
    let malformed = |detail: String| FleetAnswer::refused(FleetRefusal::Malformed, detail);
    let Some((role, person)) = subjects::asker(&message.subject) else {
        return malformed("the subject names no role and person".to_owned());
    };
    let request = match FleetRequest::read(&message.payload) {
        Ok(request) => request,
        Err(detail) => return malformed(detail),
    };
    if role < request.verb.needs() {
        let told = format!("a {} may not do that", role.word());
        return FleetAnswer::refused(FleetRefusal::NotPermitted, told);
    }
    match request.verb.action(&[]) {
        Some(_) => act(context, commands, role, &person, &request, reply).await,
        None if epoch_millis() > request.deadline => {
            FleetAnswer::refused(FleetRefusal::Expired, "its deadline has passed by the clock of this host")
        }
        None => {
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
    }
}

/// Has the daemon do something, once.
async fn act(
    context: &AgentContext,
    commands: &Commands,
    role: FleetRole,
    person: &PersonName,
    request: &FleetRequest,
    reply: &Subject,
) -> FleetAnswer {
    let journal = || commands.journal.lock().unwrap_or_else(PoisonError::into_inner);
    // What the daemon says now has nothing to do with what has been done.
    if let Some(told) = journal().answer(&request.id) {
        return told;
    }
    let select = match without_own(context, role, &request.verb).await {
        Ok(select) => select,
        Err(failure) => return refusal(&failure),
    };
    let Some(DaemonAction { path, body, result }) = request.verb.action(&select) else {
        return FleetAnswer::refused(FleetRefusal::Malformed, "nothing is to be done");
    };
    let decision = journal().begin(&request.id, request.deadline);
    match decision {
        Err(error) => {
            (context.log)(&format!("cannot write down a command, and do not execute it: {error}"));
            let told = format!("the agent cannot write down what it executes: {error}");
            return FleetAnswer::refused(FleetRefusal::Busy, told);
        }
        Ok(CommandDecision::Answer(told)) => return told,
        Ok(CommandDecision::Execute(_)) => {}
    }
    // Where the network is away, the acknowledgement waits for it, and the command must not: it would begin after its deadline.
    let accepted = answer(context, reply, &FleetAnswer::Accepted);
    let ((), done) = tokio::join!(accepted, context.daemon.act(role, person.as_str(), path, &body, ACT_WITHIN));
    let told = match done {
        Ok(answer) => FleetAnswer::Done { result: answer.get(result).cloned().unwrap_or(Value::Null) },
        Err(DaemonFailure::Broken(text)) => FleetAnswer::refused(FleetRefusal::InDoubt, text),
        Err(failure) => refusal(&failure),
    };
    if let Err(error) = journal().end(&request.id, &told) {
        (context.log)(&format!("cannot write down the result of a command: {error}"));
    }
    told
}

/// What an action selects, without the agent itself, which would end before it could answer.
async fn without_own(context: &AgentContext, role: FleetRole, verb: &FleetVerb) -> Result<Vec<String>, DaemonFailure> {
    let select = verb.select();
    let Some((group, name)) = &context.own_program else { return Ok(select.to_vec()) };
    let own = DaemonFailure::Refused(409, OWN_PROGRAM.to_owned());
    match verb {
        // What is disabled need not be there, and so is not listed.
        FleetVerb::Enable { .. } => return Ok(select.to_vec()),
        FleetVerb::Scale { program, .. } => {
            let is_own =
                program == group || program == name || program.split_once(':').is_some_and(|(own, _)| own == group);
            return if is_own { Err(own) } else { Ok(Vec::new()) };
        }
        _ => {}
    }
    // As whoever acts: another role may see other programs.
    let programs = listed(context, role, select).await?;
    let is_own = |program: &&ProgramReport| program.group == *group && program.name == *name;
    if !programs.iter().any(|program| is_own(&program)) {
        return Ok(select.to_vec());
    }
    let others = programs.iter().filter(|program| !is_own(program));
    let others: Vec<String> = others.map(|program| format!("{}:{}", program.group, program.name)).collect();
    if others.is_empty() { Err(own) } else { Ok(others) }
}

async fn explain(context: &AgentContext, select: &[String]) -> Result<Value, DaemonFailure> {
    let mut explained = Vec::new();
    for program in listed(context, FleetRole::Viewer, select).await?.into_iter().take(MAX_EXPLAINED) {
        let (group, name) = (encoded(&program.group), encoded(&program.name));
        let why = context.daemon.get(&format!("/api/v1/programs/{group}/{name}/why")).await?;
        let lines = why.get("explanation").cloned().unwrap_or(Value::Null);
        explained.push(json!({ "program": program.namespec(), "explanation": lines }));
    }
    Ok(json!(explained))
}

/// A failure of the daemon, as an answer.
fn refusal(failure: &DaemonFailure) -> FleetAnswer {
    let reason = match failure {
        DaemonFailure::Unreachable(_) | DaemonFailure::Broken(_) => FleetRefusal::NoDaemon,
        DaemonFailure::NoToken(_) | DaemonFailure::Refused(401 | 403, _) => FleetRefusal::NotPermitted,
        DaemonFailure::Refused(404, _) => FleetRefusal::UnknownProgram,
        DaemonFailure::Refused(..) => FleetRefusal::Daemon,
    };
    FleetAnswer::refused(reason, failure.to_string())
}
