//! The buttons of the page: what each asks of the supervisor, and what it says about the outcome.

use supervisord_core::actor::Actor;
use supervisord_core::call::{Call, CallOutcome, Reason, Refusal};

use super::refusal;
use crate::api::Api;
use crate::calls::CallFailure;
use crate::network::dates::ctime;

/// What a button does.
#[derive(Debug, PartialEq, Eq)]
pub enum PageAction<'a> {
    /// Show the page again.
    Refresh,
    /// Stop all processes.
    StopAll,
    /// Stop all processes, then start all.
    RestartAll,
    /// Something with one process.
    One(ProcessAction, &'a str),
}

/// What can be done with one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessAction {
    /// Start it and wait until it runs.
    Start,
    /// Stop it and wait until it has stopped.
    Stop,
    /// Stop it, then start it.
    Restart,
    /// Empty its logs.
    ClearLog,
}

impl<'a> PageAction<'a> {
    /// The action of this name; none when there is none, or when it lacks the process it is for.
    pub fn find(name: &str, process: Option<&'a str>) -> Option<PageAction<'a>> {
        let verb = match name {
            "refresh" => return Some(PageAction::Refresh),
            "stopall" => return Some(PageAction::StopAll),
            "restartall" => return Some(PageAction::RestartAll),
            "start" => ProcessAction::Start,
            "stop" => ProcessAction::Stop,
            "restart" => ProcessAction::Restart,
            "clearlog" => ProcessAction::ClearLog,
            _ => return None,
        };
        process.filter(|process| !process.is_empty()).map(|process| PageAction::One(verb, process))
    }

    /// Whether it does more than show the page.
    pub fn changes_something(&self) -> bool {
        *self != PageAction::Refresh
    }

    /// Does it, waits until it is done, and says how it went.
    ///
    /// Only what the actor has no right to, or the end of the daemon, is a failure; the page says everything else.
    pub async fn perform(&self, api: &Api, actor: &Actor) -> Result<String, CallFailure> {
        let done = match self {
            PageAction::Refresh => "Page refreshed",
            PageAction::StopAll => {
                let _ = ask(api, actor, Call::StopAllProcesses { wait: true }).await?;
                "All stopped"
            }
            PageAction::RestartAll => {
                let _ = ask(api, actor, Call::StopAllProcesses { wait: true }).await?;
                let _ = ask(api, actor, Call::StartAllProcesses { wait: true }).await?;
                "All restarted"
            }
            PageAction::One(verb, name) => {
                return match api.process(actor, name) {
                    Ok(_) => verb.perform(api, actor, name).await,
                    Err(_) => Ok(unknown(name)),
                };
            }
        };
        Ok(format!("{done} at {}", ctime(&(api.clock.local)((api.clock.now)()))))
    }
}

impl ProcessAction {
    async fn perform(self, api: &Api, actor: &Actor, process: &str) -> Result<String, CallFailure> {
        let name = || process.to_owned();
        let outcome = match self {
            ProcessAction::Start => ask(api, actor, Call::StartProcess { name: name(), wait: true }).await?,
            ProcessAction::Stop => ask(api, actor, Call::StopProcess { name: name(), wait: true }).await?,
            ProcessAction::ClearLog => ask(api, actor, Call::ClearProcessLogs { name: name() }).await?,
            ProcessAction::Restart => {
                // Neither half is judged: what is not running cannot be stopped, and is to run all the same.
                let _ = ask(api, actor, Call::StopProcess { name: name(), wait: true }).await?;
                let _ = ask(api, actor, Call::StartProcess { name: name(), wait: true }).await?;
                return Ok(format!("Process {process} restarted"));
            }
        };
        Ok(match outcome {
            Ok(_) => self.success(process),
            Err(refusal) if refusal.is(Reason::UnknownName) => unknown(process),
            Err(refusal) => self.failure(process, &refusal),
        })
    }

    fn success(self, process: &str) -> String {
        match self {
            ProcessAction::Start => format!("Process {process} started"),
            ProcessAction::Stop => format!("Process {process} stopped"),
            ProcessAction::Restart => format!("Process {process} restarted"),
            ProcessAction::ClearLog => format!("Log for {process} cleared"),
        }
    }

    fn failure(self, process: &str, refusal: &Refusal) -> String {
        if self != ProcessAction::Start {
            return refusal::text(refusal);
        }
        let reason = match refusal.reason {
            Reason::NoFile => "no such file".to_owned(),
            Reason::NotExecutable => "file not executable".to_owned(),
            Reason::AlreadyStarted => "already started".to_owned(),
            Reason::SpawnError => "spawn error".to_owned(),
            Reason::AbnormalTermination => "abnormal termination".to_owned(),
            // It names the process itself.
            Reason::DependencyFailed | Reason::Disabled => {
                return format!("ERROR: Process {}", refusal.detail.as_deref().unwrap_or(process));
            }
            _ => refusal::text(refusal),
        };
        format!("ERROR: Process {process}: {reason}")
    }
}

fn unknown(process: &str) -> String {
    format!("No such process named {process}")
}

/// Asks the supervisor; what the actor has no right to is a failure.
async fn ask(api: &Api, actor: &Actor, call: Call) -> Result<CallOutcome, CallFailure> {
    match api.call(actor, call).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(CallFailure::Refused(refusal)) if !refusal.is(Reason::NotPermitted) => Ok(Err(refusal)),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_on_a_process_need_its_name() {
        assert_eq!(PageAction::find("stop", Some("a:b")), Some(PageAction::One(ProcessAction::Stop, "a:b")));
        assert_eq!(PageAction::find("refresh", None), Some(PageAction::Refresh));
        for (name, process) in [("stop", None), ("start", Some("")), ("explode", Some("a"))] {
            assert_eq!(PageAction::find(name, process), None);
        }
    }

    #[test]
    fn only_start_explains_its_failures() {
        let refusal = Refusal::with(Reason::NotRunning, "a");
        assert_eq!(ProcessAction::Stop.failure("a", &refusal), "unexpected rpc fault [70] NOT_RUNNING: a");
        assert_eq!(
            ProcessAction::Start.failure("a", &refusal),
            "ERROR: Process a: unexpected rpc fault [70] NOT_RUNNING: a"
        );
        let refusal = Refusal::with(Reason::SpawnError, "a");
        assert_eq!(ProcessAction::Start.failure("a", &refusal), "ERROR: Process a: spawn error");
    }
}
