//! Which processes an action is about.

use supervisord_config::selector::{Selectable, Selector, SelectorError, select, tag};
use supervisord_wire::info::ProcessInfo;
use supervisord_wire::name::{Namespec, namespec};
use supervisord_wire::state::ProcessState;

use crate::client::{ClientError, ProgramStatus};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// Something with the name of a process.
pub(super) trait NamedProcess {
    /// The group and the name within it.
    fn names(&self) -> (&str, &str);
    /// The state.
    fn state(&self) -> ProcessState;
    /// The tags, as far as they are known.
    fn labels(&self) -> &[String];
}

impl NamedProcess for ProcessInfo {
    fn names(&self) -> (&str, &str) {
        (&self.group, &self.name)
    }

    fn state(&self) -> ProcessState {
        self.state
    }

    /// XML-RPC does not tell them; [`without_tags`] puts names in their place.
    fn labels(&self) -> &[String] {
        &[]
    }
}

impl NamedProcess for ProgramStatus {
    fn names(&self) -> (&str, &str) {
        (&self.group, &self.name)
    }

    fn state(&self) -> ProcessState {
        self.state
    }

    fn labels(&self) -> &[String] {
        &self.labels
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
    find(all, names, |name, problem| {
        let text = problem.unwrap_or_else(|| match Namespec::parse(name) {
            Namespec { process: Some(_), .. } => format!("{name}: ERROR (no such process)"),
            Namespec { process: None, group } => format!("{group}: ERROR (no such group)"),
        });
        session.fail(status::STATUS_UNKNOWN, text);
        session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
    })
}

/// Like [`selected`], without a word about unknown names.
pub(super) fn matching<'a, T: NamedProcess>(all: &'a [T], names: &[&str]) -> Selection<'a, T> {
    find(all, names, |_, _| {})
}

fn find<'a, T: NamedProcess>(
    all: &'a [T],
    names: &[&str],
    mut on_unknown: impl FnMut(&str, Option<String>),
) -> Selection<'a, T> {
    if names.is_empty() || names.contains(&"all") {
        return Selection { processes: all.iter().collect(), is_complete: true };
    }
    let mut selection = Selection { processes: Vec::new(), is_complete: true };
    for name in names {
        let found = named(all, name);
        if !found.is_empty() || !is_pattern(name) {
            if found.is_empty() {
                on_unknown(name, None);
                selection.is_complete = false;
            }
            selection.processes.extend(found);
            continue;
        }
        match chosen(all, name) {
            Ok(found) if found.is_empty() && !name.starts_with(STATE) => {
                on_unknown(name, None);
                selection.is_complete = false;
            }
            Ok(found) => selection.processes.extend(found),
            Err(problem) => {
                on_unknown(name, Some(format!("{name}: ERROR ({problem})")));
                selection.is_complete = false;
            }
        }
    }
    selection
}

/// What begins a selector for all processes in a state.
const STATE: &str = "state=";

/// Whether a name that nothing has is a selector of this program's, which the original takes for a name, too.
fn is_pattern(name: &str) -> bool {
    let is_group = Namespec::parse(name).process.is_none();
    !is_group && parsed(name).map_or(true, |selector| !selector.is_name())
}

fn parsed(text: &str) -> Result<Selector, SelectorError> {
    Selector::parse(text, &ProcessState::ALL.map(ProcessState::name))
}

/// The processes that a name means in the original.
fn named<'a, T: NamedProcess>(all: &'a [T], name: &str) -> Vec<&'a T> {
    let Namespec { group, process } = Namespec::parse(name);
    let matches = |item: &&T| {
        let (of, own) = item.names();
        of == group && process.as_ref().is_none_or(|process| *process == own)
    };
    all.iter().filter(matches).collect()
}

/// The processes that a selector chooses. The error says why it is none.
fn chosen<'a, T: NamedProcess>(all: &'a [T], text: &str) -> Result<Vec<&'a T>, String> {
    let selector = parsed(text).map_err(|error| error.to_string())?;
    match select(&[selector], all.iter().collect(), |item: &&T| selectable(*item)) {
        Ok(found) => Ok(found),
        Err(SelectorError::Unknown(problem)) if tag(text).is_some() => Err(problem),
        // Only exact names are unknown, and those have been looked for.
        Err(_) => Ok(Vec::new()),
    }
}

fn selectable<T: NamedProcess>(item: &T) -> Selectable<'_> {
    let (group, name) = item.names();
    Selectable { group, name, state: item.state().name(), labels: item.labels() }
}

/// The names with the names of processes in the place of each `@TAG` that is no name of a process. One that no program has stays.
pub(super) fn without_tags(session: &mut Session, words: &[&str]) -> Result<Vec<String>, Failure> {
    let as_they_are = || words.iter().map(|word| (*word).to_owned()).collect();
    if words.contains(&"all") || !words.iter().any(|word| tag(word).is_some()) {
        return Ok(as_they_are());
    }
    let Some(all) = programs(session, "@TAG")? else { return Ok(as_they_are()) };
    let mut names = Vec::new();
    for word in words {
        let is_tag = tag(word).is_some() && named(&all, word).is_empty();
        // One that no program has is refused where names are looked for.
        match is_tag.then(|| chosen(&all, word)) {
            Some(Ok(found)) => names.extend(found.into_iter().map(ProgramStatus::namespec)),
            Some(Err(_)) | None => names.push((*word).to_owned()),
        }
    }
    Ok(names)
}

/// The names with the names of processes in the place of each selector that is no name of a process. One that chooses nothing
/// stays, so that it is refused like an unknown name, but for a state in which no process is.
pub(super) fn expanded(session: &mut Session, words: &[&str]) -> Result<Vec<String>, Failure> {
    let as_they_are = || words.iter().map(|word| (*word).to_owned()).collect();
    if words.contains(&"all") || !words.iter().any(|word| is_pattern(word)) {
        return Ok(as_they_are());
    }
    let words = without_tags(session, words)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let infos = session.client()?.all_process_info()?;
    let mut names = Vec::new();
    for word in &words {
        if !is_pattern(word) || !named(&infos, word).is_empty() {
            names.push((*word).to_owned());
            continue;
        }
        match chosen(&infos, word) {
            Ok(found) if found.is_empty() && word.starts_with(STATE) => {
                session.console.explain(format_args!("{word}: no process is in this state"));
            }
            Ok(found) if !found.is_empty() => {
                names.extend(found.iter().map(|info| namespec(&info.group, &info.name)));
            }
            Ok(_) => names.push((*word).to_owned()),
            Err(problem) => session.fail(status::GENERIC, format_args!("{word}: ERROR ({problem})")),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::samples::program;

    #[test]
    fn names_come_first_and_in_their_order_then_patterns_and_states() {
        let all = [
            program("web", "RUNNING", "runs"),
            program("work", "FATAL", "out_of_attempts"),
            program("w*", "EXITED", "not_restarted"),
        ];
        for (names, expected, is_complete) in [
            (&["work", "web"][..], &["work", "web"][..], true),
            (&["w*"], &["w*"], true),
            (&["wo*"], &["work"], true),
            (&["w?*"], &["web", "work", "w*"], true),
            (&["state=FATAL"], &["work"], true),
            (&["state=STOPPED"], &[], true),
            (&["web", "x*"], &["web"], false),
            (&["state=FATL"], &[], false),
            (&["wrok"], &[], false),
            (&["nothing:*"], &[], false),
            (&[], &["web", "work", "w*"], true),
        ] {
            let selection = matching(&all, names);
            let found: Vec<&str> = selection.processes.iter().map(|program| program.name.as_str()).collect();
            assert_eq!((found.as_slice(), selection.is_complete), (expected, is_complete), "{names:?}");
        }
    }
}
