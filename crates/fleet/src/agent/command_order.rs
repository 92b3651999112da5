//! Commands begin in the order in which they come, also those that have waited together, such as while this process was stopped.
//!
//! The daemon is given a command only when it has read the one before. It does not wait until that one is done: a stop must not wait
//! for a start.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::Subject;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::answers::answer;
use super::commands::{AskedRequest, Commands, execute, prepare, refusal};
use super::context::AgentContext;
use crate::daemon_link::DaemonFailure;

/// A command that has come.
pub(super) struct WaitingCommand {
    pub(super) asked: AskedRequest,
    pub(super) reply: Subject,
    /// It counts as one of those that are answered at a time.
    pub(super) place: OwnedSemaphorePermit,
}

/// The end at which commands come.
pub(super) struct CommandOrder {
    waiting: Arc<Mutex<BTreeSet<String>>>,
    queue: mpsc::Sender<WaitingCommand>,
}

impl CommandOrder {
    /// Begins commands for ever; at most so many wait.
    pub(super) fn begin(context: Arc<AgentContext>, commands: Arc<Commands>, most: usize) -> CommandOrder {
        let (queue, to_begin) = mpsc::channel(most);
        let waiting: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        tokio::spawn(begin_in_order(context, commands, waiting.clone(), to_begin));
        CommandOrder { waiting, queue }
    }

    /// Whether a command with this id waits.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Has a command begin after those that came before it.
    pub(super) async fn push(&self, command: WaitingCommand) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(command.asked.request.id.clone());
        // Who has a place has room.
        let _ = self.queue.send(command).await;
    }
}

async fn begin_in_order(
    context: Arc<AgentContext>,
    commands: Arc<Commands>,
    waiting: Arc<Mutex<BTreeSet<String>>>,
    mut to_begin: mpsc::Receiver<WaitingCommand>,
) {
    let mut last: Option<JoinHandle<()>> = None;
    while let Some(command) = to_begin.recv().await {
        let is_read = match last.take().filter(|last| !last.is_finished()) {
            None => Ok(()),
            Some(running) => {
                last = Some(running);
                is_read(&context).await
            }
        };
        let prepared = match is_read {
            Ok(()) => prepare(&context, &commands, &command.asked).await,
            Err(failure) => Err(refusal(&failure)),
        };
        // From here on the journal knows it, or it was not begun.
        waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&command.asked.request.id);
        let (sent, is_sent) = oneshot::channel();
        let (context, commands) = (context.clone(), commands.clone());
        let begun = tokio::spawn(async move {
            let WaitingCommand { asked, reply, place } = command;
            let told = match prepared {
                Ok(action) => execute(&context, &commands, &asked, &action, &reply, sent).await,
                Err(told) => {
                    drop(sent);
                    told
                }
            };
            answer(&context, &reply, &told).await;
            drop(place);
        });
        // It is dropped where nothing is sent.
        if is_sent.await.is_ok() {
            last = Some(begun);
        }
    }
}

/// Waits until the daemon has read the command that it was sent last: it answers what is asked after that.
async fn is_read(context: &AgentContext) -> Result<(), DaemonFailure> {
    context.daemon.get("/api/v1/daemon").await.map(drop)
}
