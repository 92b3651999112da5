//! Which processes an action is about.

use supervisord_wire::info::ProcessInfo;
use supervisord_wire::name::Namespec;

use crate::client::{ClientError, ProgramStatus};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// Something with the name of a process.
pub(super) trait NamedProcess {
    /// The group and the name within it.
    fn names(&self) -> (&str, &str);
}

impl NamedProcess for ProcessInfo {
    fn names(&self) -> (&str, &str) {
        (&self.group, &self.name)
    }
}

impl NamedProcess for ProgramStatus {
    fn names(&self) -> (&str, &str) {
        (&self.group, &self.name)
    }
}

/// The processes with these names, in their order; all without a name, or with the name `all`. Prints unknown names.
pub(super) fn selected<'a, T: NamedProcess>(session: &mut Session, all: &'a [T], names: &[&str]) -> Vec<&'a T> {
    if names.is_empty() || names.contains(&"all") {
        return all.iter().collect();
    }
    let mut selected = Vec::new();
    for name in names {
        let Namespec { group, process } = Namespec::parse(name);
        let matches = |item: &&T| {
            let (of, own) = item.names();
            of == group && process.as_ref().is_none_or(|process| *process == own)
        };
        let before = selected.len();
        selected.extend(all.iter().filter(matches));
        if selected.len() == before {
            let text = match process {
                Some(_) => format!("{name}: ERROR (no such process)"),
                None => format!("{group}: ERROR (no such group)"),
            };
            session.fail(status::STATUS_UNKNOWN, text);
            session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
        }
    }
    selected
}

/// All programs, as the JSON API knows them; none where the daemon has no such API, which is said.
pub(super) fn programs(session: &mut Session, action: &str) -> Result<Option<Vec<ProgramStatus>>, Failure> {
    match session.client().and_then(|client| client.programs()) {
        Ok(programs) => Ok(Some(programs)),
        Err(error) if lacks_json(&error) => {
            let text = format!("ERROR: this supervisord has no JSON API (/api/v1), which {action} needs");
            session.fail(status::GENERIC, text);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn lacks_json(error: &ClientError) -> bool {
    error.is_status(404)
}
