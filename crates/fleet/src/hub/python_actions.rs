//! What people have daemons of the original do. A restart there is a stop and a start, so that it can end half done: what is not
//! certain is told, and a start that is missing is owed.

use serde_json::{Value, json};

use super::context::HubContext;
use super::python_member::{CallFailure, PythonMember};

/// Does something with programs that are named exactly; the answer is like that of an agent.
pub(super) async fn act(context: &HubContext, member: &PythonMember, action: &str, select: &[String]) -> Value {
    let mut results = Vec::new();
    let mut silence = None;
    for name in select {
        if action == "stop" {
            // The last word counts.
            context.owed_starts.forget(member.name(), name);
        }
        // What a daemon that hangs is asked to do, it would do whenever it goes on. One that answered nothing is not asked again.
        let is_silent = match &silence {
            Some(text) => Err(CallFailure::NotSent(String::clone(text))),
            None => member.answers().await,
        };
        let failed = match is_silent {
            Ok(()) => one(context, member, action, name).await.err(),
            Err(failure) => {
                silence = Some(failure.to_string());
                Some(format!("not done: {failure}"))
            }
        };
        let (group, program) = name.split_once(':').unwrap_or((name, name));
        results.push(json!({ "group": group, "name": program, "ok": failed.is_none(), "detail": failed }));
    }
    json!({ "host": member.name(), "answer": "done", "reason": null, "detail": null, "results": results })
}

async fn one(context: &HubContext, member: &PythonMember, action: &str, name: &str) -> Result<(), String> {
    match action {
        "stop" => member.stop(name).await.map_err(|failure| told(failure, "stopped")),
        "start" => {
            context.owed_starts.forget(member.name(), name);
            member.start(name).await.map_err(|failure| told(failure, "started"))
        }
        _ => restart(context, member, name).await,
    }
}

async fn restart(context: &HubContext, member: &PythonMember, name: &str) -> Result<(), String> {
    let owed = &context.owed_starts;
    let this = owed.begin(member.name(), name);
    let failed = match member.stop(name).await {
        // A restart starts what did not run.
        Err(CallFailure::Refused(text)) if text.starts_with("NOT_RUNNING") => None,
        stopped => stopped.err(),
    };
    let failed = match failed {
        Some(CallFailure::NoAnswer(text)) => Err((text, "it may be stopped")),
        Some(failure) => Ok(Err(told(failure, "stopped"))),
        None => started_again(member.start(name).await),
    };
    match failed {
        Ok(done) => {
            owed.end(member.name(), name, this);
            done
        }
        Err((text, state)) => {
            owed.owe(member.name(), name, this);
            (context.log)(&format!("--python {}: restart of {name:?}: {text}; {state}", member.name()));
            Err(format!("{text}; {state}, and the hub starts it when the daemon answers again"))
        }
    }
}

/// What a restart tells after its stop; where the start is not certain, why, and what may be the matter.
fn started_again(started: Result<(), CallFailure>) -> Result<Result<(), String>, (String, &'static str)> {
    match started {
        Err(CallFailure::NotSent(text)) => Err((text, "it is stopped")),
        // A program may take longer to start than the hub waits.
        Err(CallFailure::NoAnswer(text)) => Err((text, "it may not be started")),
        started => Ok(started.map_err(|failure| failure.to_string())),
    }
}

/// A failure, with what may come of it.
fn told(failure: CallFailure, done: &str) -> String {
    match failure {
        CallFailure::NotSent(text) => format!("not done: {text}"),
        CallFailure::NoAnswer(text) => format!("{text}: it may still be {done}"),
        CallFailure::Refused(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_start_that_was_not_sent_leaves_a_program_stopped_for_certain() {
        let text = || "no answer in time".to_owned();
        assert_eq!(started_again(Err(CallFailure::NotSent(text()))), Err((text(), "it is stopped")));
        assert_eq!(started_again(Err(CallFailure::NoAnswer(text()))), Err((text(), "it may not be started")));
        assert_eq!(started_again(Err(CallFailure::Refused(text()))), Ok(Err(text())));
        assert_eq!(started_again(Ok(())), Ok(Ok(())));
    }
}
