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

/// The processes that names stand for.
pub(super) struct Selection<'a, T> {
    /// The processes, in the order of the names.
    pub processes: Vec<&'a T>,
    /// Whether there is something for each name.
    pub is_complete: bool,
}

/// The processes with these names, in their order; all without a name, or with the name `all`. Prints unknown names.
pub(super) fn selected<'a, T: NamedProcess>(session: &mut Session, all: &'a [T], names: &[&str]) -> Selection<'a, T> {
    find(all, names, |name| {
        let text = match Namespec::parse(name) {
            Namespec { process: Some(_), .. } => format!("{name}: ERROR (no such process)"),
            Namespec { process: None, group } => format!("{group}: ERROR (no such group)"),
        };
        session.fail(status::STATUS_UNKNOWN, text);
        session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
    })
}

/// Like [`selected`], without a word about unknown names.
pub(super) fn matching<'a, T: NamedProcess>(all: &'a [T], names: &[&str]) -> Selection<'a, T> {
    find(all, names, |_| {})
}

fn find<'a, T: NamedProcess>(all: &'a [T], names: &[&str], mut on_unknown: impl FnMut(&str)) -> Selection<'a, T> {
    if names.is_empty() || names.contains(&"all") {
        return Selection { processes: all.iter().collect(), is_complete: true };
    }
    let mut selection = Selection { processes: Vec::new(), is_complete: true };
    for name in names {
        let Namespec { group, process } = Namespec::parse(name);
        let matches = |item: &&T| {
            let (of, own) = item.names();
            of == group && process.as_ref().is_none_or(|process| *process == own)
        };
        let before = selection.processes.len();
        selection.processes.extend(all.iter().filter(matches));
        if selection.processes.len() == before {
            on_unknown(name);
            selection.is_complete = false;
        }
    }
    selection
}

/// All programs, as the JSON API knows them; none where the daemon has no such API, which is said.
pub(super) fn programs(session: &mut Session, action: &str) -> Result<Option<Vec<ProgramStatus>>, Failure> {
    match session.client().and_then(|client| client.programs()) {
        Ok(programs) => Ok(Some(programs)),
        Err(error) if lacks_json(&error) => {
            say_json_is_missing(session, action);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a daemon without the JSON API answers so.
pub(super) fn lacks_json(error: &ClientError) -> bool {
    error.is_status(404)
}

/// Says that the daemon is too old for an action, or the original.
pub(super) fn say_json_is_missing(session: &mut Session, action: &str) {
    let text = format_args!("ERROR: this supervisord has no JSON API (/api/v1), which {action} needs");
    session.fail(status::GENERIC, text);
}
