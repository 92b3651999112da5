//! The starts that restarts have left out on daemons of the original, made up for when those answer again.

use supervisord_wire::terminal_text::escaped_in_line;

use super::context::HubContext;
use super::python_look;
use super::python_member::{CallFailure, PythonMember};
use crate::host_name::HostName;
use crate::report::ProgramReport;

/// How many looks in a row must find a program up: a stop that was asked for may not have begun at the first.
const LOOKS: u8 = 2;

/// What to do about one of them, by the states of the programs that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Start,
    /// The program is up.
    Up,
    /// The daemon has no such program.
    Gone,
}

/// Starts what is missing on a daemon that has just told its programs.
pub(super) async fn make_up(context: &HubContext, member: &PythonMember) {
    let (host, owed) = (member.name(), &context.owed_starts);
    let mut is_seen = true;
    for (program, restart) in owed.of(host) {
        // What was seen before a start may not be so any more.
        if !is_seen && python_look::look(context, member).await.is_err() {
            return;
        }
        is_seen = true;
        // Nor may it be missing: somebody may have asked for a stop since.
        let Some(looks) = owed.looks(host, &program, restart) else { continue };
        let tell = |text: &str| {
            // What a daemon answers stays in its line.
            (context.log)(&format!("--python {host}: restart of {program:?}: {}", escaped_in_line(text)));
        };
        match step(&states(context, host, &program)) {
            Step::Wait => owed.has_looked(host, &program, restart, 0),
            Step::Up if looks + 1 < LOOKS => owed.has_looked(host, &program, restart, looks + 1),
            Step::Up => {
                owed.end(host, &program, restart);
                tell("it runs");
            }
            Step::Gone => {
                owed.end(host, &program, restart);
                tell("the daemon has no such program any more");
            }
            // A wait until it runs would keep the hub from looking.
            Step::Start => {
                is_seen = false;
                match member.begin_start(&program).await {
                    // It is asked again when the daemon answers.
                    Err(CallFailure::NotSent(_) | CallFailure::NoAnswer(_)) => return,
                    started => {
                        owed.end(host, &program, restart);
                        tell(
                            &started
                                .map_or_else(|failure| format!("not started: {failure}"), |()| "started".to_owned()),
                        );
                    }
                }
            }
        }
    }
}

/// The states of what a name stands for: a program, or all programs of a group.
fn states(context: &HubContext, host: &HostName, name: &str) -> Vec<String> {
    let (group, program) = name.split_once(':').unwrap_or((name, name));
    let view = context.view.borrow();
    let programs = view.hosts().get(host).map(|host| host.inventory.programs.as_slice()).unwrap_or_default();
    let is_meant =
        |report: &&ProgramReport| report.group == group && (report.name == program || ["*", ""].contains(&program));
    programs.iter().filter(is_meant).map(|report| report.state.clone()).collect()
}

fn step(states: &[String]) -> Step {
    let has = |wanted: &[&str]| states.iter().any(|state| wanted.contains(&state.as_str()));
    if states.is_empty() {
        Step::Gone
    } else if has(&["STOPPING"]) {
        Step::Wait
    } else if has(&["STOPPED", "EXITED", "FATAL", "UNKNOWN"]) {
        Step::Start
    } else {
        Step::Up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_stopped_is_started_and_what_stops_is_waited_for() {
        let step = |states: &[&str]| step(&states.iter().map(|state| (*state).to_owned()).collect::<Vec<_>>());
        assert_eq!(step(&["STOPPED"]), Step::Start);
        assert_eq!(step(&["RUNNING", "STOPPED"]), Step::Start);
        assert_eq!(step(&["STOPPING", "STOPPED"]), Step::Wait);
        assert_eq!((step(&["RUNNING"]), step(&["STARTING"]), step(&["BACKOFF"])), (Step::Up, Step::Up, Step::Up));
        assert_eq!(step(&[]), Step::Gone);
    }
}
