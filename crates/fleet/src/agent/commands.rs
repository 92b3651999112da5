//! What is asked of this host.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Message, Subject};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

use super::answers::{answer, listed};
use super::command_order::{CommandOrder, WaitingCommand};
use super::context::{AgentContext, Attempts};
use super::followers::Followers;
use super::storage_complaint::StorageComplaint;
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
/// How many programs are explained in one answer, and in how many bytes.
const MAX_EXPLAINED: usize = 500;
const MAX_EXPLANATIONS: usize = 512 << 10;

/// What the agent remembers about commands.
pub(super) struct Commands {
    journal: Mutex<CommandJournal>,
    complaint: Mutex<StorageComplaint>,
}

impl Commands {
    /// Also returns what there is to complain about, where commands are refused until they can be written down.
    pub(super) fn open(directory: &Path) -> io::Result<(Commands, Option<String>)> {
        let (journal, failure) = CommandJournal::open(directory)?;
        let commands = Commands { journal: Mutex::new(journal), complaint: Mutex::default() };
        let complaint = commands.complaint(failure.as_ref());
        Ok((commands, complaint))
    }

    /// What there is to say after something was to be written down.
    fn complaint(&self, failure: Option<&io::Error>) -> Option<String> {
        let what = format!("cannot write commands down in {}, and refuse them", self.journal().path().display());
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).after(failure, &what)
    }

    fn journal(&self) -> MutexGuard<'_, CommandJournal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request, and who may ask for it.
pub(super) struct AskedRequest {
    role: FleetRole,
    person: PersonName,
    pub(super) request: FleetRequest,
}

impl AskedRequest {
    /// Of a message; the refusal where it asks for nothing that this role may have.
    fn of(message: &Message) -> Result<AskedRequest, FleetAnswer> {
        let malformed = |detail: String| FleetAnswer::refused(FleetRefusal::Malformed, detail);
        let Some((role, person)) = subjects::asker(&message.subject) else {
            return Err(malformed("the subject names no role and person".to_owned()));
        };
        let request = FleetRequest::read(&message.payload).map_err(malformed)?;
        if role < request.verb.needs() {
            let told = format!("a {} may not do that", role.word());
            return Err(FleetAnswer::refused(FleetRefusal::NotPermitted, told));
        }
        Ok(AskedRequest { role, person, request })
    }

    /// Whether the daemon is to do something.
    fn is_command(&self) -> bool {
        self.request.verb.action(&[]).is_some()
    }

    /// Whether answers follow as long as it comes again.
    fn follows(&self) -> bool {
        matches!(self.request.verb, FleetVerb::Logs { follow: true, .. })
    }
}

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
                    let Ok(place) = places.clone().try_acquire_owned() else {
                        // One that is being done is not refused; who has asked for it asks again.
                        if command.is_none_or(|asked| commands.journal().answer(&asked.request.id).is_none()) {
                            let told = FleetAnswer::refused(FleetRefusal::Busy, "too many requests");
                            answer(&context, &reply, &told).await;
                        }
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

/// What the daemon is to do for a command, which is written down when this returns; the answer where it is not to be done.
pub(super) async fn prepare(
    context: &AgentContext,
    commands: &Commands,
    asked: &AskedRequest,
) -> Result<DaemonAction, FleetAnswer> {
    let request = &asked.request;
    // What the daemon says now has nothing to do with what has been done.
    if let Some(told) = commands.journal().answer(&request.id) {
        return Err(told);
    }
    let select = without_own(context, asked.role, &request.verb).await.map_err(|failure| refusal(&failure))?;
    let Some(action) = request.verb.action(&select) else {
        return Err(FleetAnswer::refused(FleetRefusal::Malformed, "nothing is to be done"));
    };
    let decision = commands.journal().begin(&request.id, request.deadline);
    if let Some(complaint) = commands.complaint(decision.as_ref().err()) {
        (context.log)(&complaint);
    }
    match decision {
        Err(error) => {
            let file = commands.journal().path().display().to_string();
            let told = format!("the agent cannot write down what it executes: {file}: {error}");
            Err(FleetAnswer::refused(FleetRefusal::Busy, told))
        }
        Ok(CommandDecision::Answer(told)) => Err(told),
        Ok(CommandDecision::Execute(_)) => Ok(action),
    }
}

/// Has the daemon do something. `sent` says when it has been sent.
pub(super) async fn execute(
    context: &AgentContext,
    commands: &Commands,
    asked: &AskedRequest,
    action: &DaemonAction,
    reply: &Subject,
    sent: oneshot::Sender<()>,
) -> FleetAnswer {
    let DaemonAction { path, body, result } = action;
    // Where the network is away, the acknowledgement waits for it, and the command must not: it would begin after its deadline.
    let accepted = answer(context, reply, &FleetAnswer::Accepted);
    let act = context.daemon.act(asked.role, asked.person.as_str(), path, body, ACT_WITHIN, sent);
    let ((), done) = tokio::join!(accepted, act);
    let told = match done {
        Ok(answer) => FleetAnswer::Done { result: answer.get(*result).cloned().unwrap_or(Value::Null) },
        Err(DaemonFailure::Broken(text)) => FleetAnswer::refused(FleetRefusal::InDoubt, text),
        Err(failure) => refusal(&failure),
    };
    let ended = commands.journal().end(&asked.request.id, &told);
    if let Some(complaint) = commands.complaint(ended.as_ref().err()) {
        (context.log)(&complaint);
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

/// A failure of the daemon, as an answer.
pub(super) fn refusal(failure: &DaemonFailure) -> FleetAnswer {
    let reason = match failure {
        DaemonFailure::Unreachable(_) | DaemonFailure::Broken(_) => FleetRefusal::NoDaemon,
        DaemonFailure::NoToken(_) | DaemonFailure::Refused(401 | 403, _) => FleetRefusal::NotPermitted,
        DaemonFailure::Refused(404, _) => FleetRefusal::UnknownProgram,
        DaemonFailure::Refused(..) => FleetRefusal::Daemon,
    };
    FleetAnswer::refused(reason, failure.to_string())
}
