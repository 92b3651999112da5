//! What the daemon of this host is to do.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Message, Subject};
use serde_json::Value;
use tokio::sync::oneshot;

use super::answers::{answer, listed};
use super::context::AgentContext;
use super::storage_complaint::StorageComplaint;
use crate::command_journal::CommandJournal;
use crate::command_memory::CommandDecision;
use crate::daemon_link::DaemonFailure;
use crate::host_name::PersonName;
use crate::report::ProgramReport;
use crate::request::{DaemonAction, FleetAnswer, FleetRefusal, FleetRequest, FleetVerb};
use crate::subjects::{self, FleetRole};

/// How long the daemon may take for an action.
const ACT_WITHIN: Duration = Duration::from_secs(600);
/// The refusal of what is about the agent itself.
const OWN_PROGRAM: &str = "the agent does not start or stop itself: use supervisorctl on its host";

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

    pub(super) fn journal(&self) -> MutexGuard<'_, CommandJournal> {
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
    pub(super) fn of(message: &Message) -> Result<AskedRequest, FleetAnswer> {
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
    pub(super) fn is_command(&self) -> bool {
        self.request.verb.action(&[]).is_some()
    }

    /// Whether answers follow as long as it comes again.
    pub(super) fn follows(&self) -> bool {
        matches!(self.request.verb, FleetVerb::Logs { follow: true, .. })
    }
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
