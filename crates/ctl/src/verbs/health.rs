//! `health`: whether all is well, for the health checks of containers and the like.

use serde_json::{Value, json};

use super::selection::{programs, selected};
use super::verb::{Flow, Invocation};
use super::wide::{JSON, print_json};
use crate::client::ProgramStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::status;
use supervisord_wire::state::ProcessState;

/// The word of the daemon for a program that its health check, or the program itself, finds ill.
const UNHEALTHY: &str = "unhealthy";

/// Says nothing.
const QUIET: [&str; 2] = ["-q", "--quiet"];

/// Succeeds when the named processes, or all that should run, are RUNNING and not unhealthy.
pub(super) fn health(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let (options, names): (Vec<&str>, Vec<&str>) = invocation.words.iter().partition(|word| word.starts_with('-'));
    let is_json = options.contains(&JSON);
    if let Some(option) = options.iter().find(|option| **option != JSON && !QUIET.contains(option)) {
        invocation.refuse_flag(session, option);
        return Ok(Flow::Continue);
    }
    let is_quiet = options.iter().any(|option| QUIET.contains(option));
    let programs = match is_quiet {
        // Whoever asks so wants an exit status.
        true => session.client().and_then(|client| client.programs()).ok(),
        false if session.up_check()? => programs(session, "health")?,
        false => None,
    };
    let Some(programs) = programs else {
        session.set_exit_status(status::GENERIC);
        return Ok(Flow::Continue);
    };
    let selection = selected(session, &programs, &names);
    let concerned = selection.processes.iter().filter(|program| !names.is_empty() || should_run(program));
    let judged: Vec<_> = concerned.map(|program| (program, problem(program))).collect();
    let is_well = selection.is_complete && judged.iter().all(|(_, problem)| problem.is_none());
    if !is_well {
        session.set_exit_status(status::GENERIC);
    }
    if is_json {
        let program = |(program, problem): &(&&ProgramStatus, Option<String>)| json!({ "group": program.group, "name": program.name, "problem": problem });
        let programs: Vec<Value> = judged.iter().map(program).collect();
        print_json(session, &json!({ "healthy": is_well, "programs": programs }));
    } else if !is_quiet {
        for (program, problem) in &judged {
            if let Some(problem) = problem {
                session.print(format_args!("{}: {problem}", program.namespec()));
            }
        }
        if is_well {
            let processes = if judged.len() == 1 { "process" } else { "processes" };
            session.print(format_args!("healthy: {} {processes}", judged.len()));
        }
    }
    Ok(Flow::Continue)
}

/// Whether it was asked to be up and has not done its work.
pub(super) fn should_run(program: &ProgramStatus) -> bool {
    let has_succeeded = program.last_end.as_ref().is_some_and(|end| end.judgement == "expected");
    program.is_wanted && !(program.has_completed() || program.outlook == "not_restarted" && has_succeeded)
}

/// What is the matter with a program that should be up; none where nothing is.
fn problem(program: &ProgramStatus) -> Option<String> {
    if program.has_completed() {
        return None;
    }
    if program.state != ProcessState::Running {
        let reason = program.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        return Some(format!("{}{reason}", program.state));
    }
    let health = program.health.as_ref().filter(|health| *health == UNHEALTHY)?;
    Some(program.reason.as_ref().unwrap_or(health).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::samples::program;

    #[test]
    fn what_was_stopped_or_has_done_its_work_need_not_run() {
        let up = program("web", "RUNNING", "runs");
        assert!(should_run(&up) && problem(&up).is_none());
        assert!(!should_run(&ProgramStatus { is_wanted: false, ..program("web", "STOPPED", "stopped") }));
        let mut done = program("job", "EXITED", "not_restarted");
        assert!(should_run(&done), "it failed");
        done.last_end.get_or_insert_default().judgement = "expected".to_owned();
        assert!(!should_run(&done));
        let completed = program("migrate", "EXITED", "completed");
        assert!(!should_run(&completed) && problem(&completed).is_none(), "also where it is named");
    }

    #[test]
    fn what_is_not_running_or_unhealthy_is_named_with_the_reason() {
        let mut fatal = program("web", "FATAL", "out_of_attempts");
        fatal.reason = Some("exit status 3".to_owned());
        assert_eq!(problem(&fatal).as_deref(), Some("FATAL: exit status 3"));
        let mut sick = program("web", "RUNNING", "runs");
        for (health, text) in [("healthy", None), ("starting", None), ("unhealthy", Some("unhealthy"))] {
            sick.health = Some(health.to_owned());
            assert_eq!(problem(&sick).as_deref(), text);
        }
        sick.reason = Some("unhealthy: connection refused".to_owned());
        assert_eq!(problem(&sick).as_deref(), Some("unhealthy: connection refused"));
    }
}
