//! Programs of daemons of the original that a restart has stopped, or may have stopped, and not started: they are started when the
//! daemon answers again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::context::HubContext;
use super::python_member::{CallFailure, PythonMember};
use crate::host_name::HostName;

/// How many looks in a row must find a program up: a stop that was asked for may not have begun at the first.
const LOOKS: u8 = 2;

/// The starts that are missing.
#[derive(Debug, Default)]
pub(super) struct OwedStarts {
    owed: RefCell<BTreeMap<(HostName, String), Owed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// The restart goes on.
    InProgress,
    /// It has ended too early. So many looks have found the program up since.
    Missing(u8),
}

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

impl OwedStarts {
    /// A restart begins.
    pub(super) fn begin(&self, host: &HostName, program: &str) {
        self.owed.borrow_mut().insert((host.clone(), program.to_owned()), Owed::InProgress);
    }

    /// It has ended before the program was started.
    pub(super) fn owe(&self, host: &HostName, program: &str) {
        // Whoever has asked for a stop meanwhile wants no start.
        if let Some(owed) = self.owed.borrow_mut().get_mut(&(host.clone(), program.to_owned())) {
            *owed = Owed::Missing(0);
        }
    }

    /// Nothing is missing any more.
    pub(super) fn forget(&self, host: &HostName, program: &str) {
        self.owed.borrow_mut().remove(&(host.clone(), program.to_owned()));
    }

    /// All that is missing or going on: hosts and programs.
    pub(super) fn all(&self) -> Vec<(HostName, String)> {
        self.owed.borrow().keys().cloned().collect()
    }

    fn of(&self, host: &HostName) -> Vec<(String, u8)> {
        let owed = self.owed.borrow();
        let missing = owed.iter().filter(|((of, _), _)| of == host).filter_map(|((_, program), owed)| match owed {
            Owed::Missing(looks) => Some((program.clone(), *looks)),
            Owed::InProgress => None,
        });
        missing.collect()
    }

    fn has_looked(&self, host: &HostName, program: &str, looks: u8) {
        if let Some(Owed::Missing(count)) = self.owed.borrow_mut().get_mut(&(host.clone(), program.to_owned())) {
            *count = looks;
        }
    }
}

/// Starts what is missing on a daemon that has just told its programs.
pub(super) async fn pay(context: &HubContext, member: &PythonMember) {
    let (host, owed) = (member.name(), &context.owed_starts);
    for (program, looks) in owed.of(host) {
        let tell = |text: &str| (context.log)(&format!("--python {host}: restart of {program:?}: {text}"));
        match step(&states(context, host, &program)) {
            Step::Wait => owed.has_looked(host, &program, 0),
            Step::Up if looks + 1 < LOOKS => owed.has_looked(host, &program, looks + 1),
            Step::Up => {
                owed.forget(host, &program);
                tell("it runs");
            }
            Step::Gone => {
                owed.forget(host, &program);
                tell("the daemon has no such program any more");
            }
            Step::Start => match member.start(&program).await {
                // It is asked again when the daemon answers.
                Err(CallFailure::NotSent(_) | CallFailure::NoAnswer(_)) => return,
                started => {
                    owed.forget(host, &program);
                    tell(&started.map_or_else(|failure| format!("not started: {failure}"), |()| "started".to_owned()));
                }
            },
        }
    }
}

/// The states of what a name stands for: a program, or all programs of a group.
fn states(context: &HubContext, host: &HostName, name: &str) -> Vec<String> {
    let (group, program) = name.split_once(':').unwrap_or((name, name));
    let view = context.view.borrow();
    let programs = view.hosts().get(host).map(|host| host.inventory.programs.as_slice()).unwrap_or_default();
    let is_meant = |report: &&crate::report::ProgramReport| {
        report.group == group && (report.name == program || ["*", ""].contains(&program))
    };
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

    #[test]
    fn a_stop_meanwhile_is_the_last_word() {
        let (owed, host) = (OwedStarts::default(), HostName::parse("old1").unwrap());
        owed.begin(&host, "web");
        assert!(owed.of(&host).is_empty() && owed.all().len() == 1);
        owed.owe(&host, "web");
        assert_eq!(owed.of(&host), [("web".to_owned(), 0)]);
        owed.begin(&host, "web");
        owed.forget(&host, "web");
        owed.owe(&host, "web");
        assert!(owed.all().is_empty());
    }
}
