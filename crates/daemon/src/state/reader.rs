//! Reading the state of a daemon that was killed.

use std::collections::HashMap;
use std::sync::Arc;

use supervisord_config::model::Group;
use supervisord_core::supervisor::snapshot::MemberSnapshot;

use super::record::{self, Logs, Record, Socket, Writer};
use super::run::Run;
use super::version_1;

/// What a state says, all lines taken together.
#[derive(Debug, Default)]
pub struct State {
    /// The active groups in the order of activation.
    pub groups: Vec<Arc<Group>>,
    /// How far each process has got, with its child.
    members: HashMap<(String, String), (MemberSnapshot, Option<Run>)>,
    /// How many events waited for the listeners of a group.
    waiting: HashMap<String, usize>,
    /// The open FastCGI sockets.
    pub sockets: Vec<Socket>,
    /// Whether everything was being stopped.
    pub is_ending: bool,
}

/// Why a state cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not begin as one does.
    NoState,
    /// It is of a version that only other releases understand.
    Version(Writer),
}

/// What the text of a state says, and who wrote it. It may end anywhere, as where it was torn: what cannot be understood,
/// a line or an end of one, is passed over.
///
/// # Errors
/// Its first line is not that of a version that is understood here.
pub fn read(text: &[u8]) -> Result<(Writer, State), Unreadable> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let Ok(Record::Supervisord(writer)) = serde_json::from_slice(first) else { return Err(Unreadable::NoState) };
    let state = match writer.version {
        1 => {
            let mut state = State::default();
            lines.filter_map(|line| serde_json::from_slice(line).ok()).for_each(|record| state.take_version_1(record));
            state
        }
        version if version == super::version::of_state() => {
            let mut state = Gathering::default();
            lines.filter_map(|line| serde_json::from_slice(line).ok()).for_each(|record| state.take(record));
            state.finish()
        }
        _ => return Err(Unreadable::Version(writer)),
    };
    Ok((writer, state))
}

/// Who wrote a state, if its first line says so.
pub fn writer(text: &[u8]) -> Option<Writer> {
    let first = text.split(|byte| *byte == b'\n').next()?;
    match serde_json::from_slice(first) {
        Ok(Record::Supervisord(writer)) => Some(writer),
        _ => None,
    }
}

impl State {
    /// How far a process has got, and its child.
    pub fn member(&self, group: &str, process: &str) -> Option<&(MemberSnapshot, Option<Run>)> {
        self.members.get(&(group.to_owned(), process.to_owned()))
    }

    /// How many processes had a child.
    pub fn children(&self) -> usize {
        self.members.values().filter(|(_, run)| run.is_some()).count()
    }

    /// How many events waited for the listeners of a group.
    pub fn waiting(&self, group: &str) -> usize {
        self.waiting.get(group).copied().unwrap_or(0)
    }

    /// A group is active, or is defined anew while it is: what its members did stays.
    fn take_group(&mut self, group: Arc<Group>) {
        match self.groups.iter_mut().find(|known| known.name == group.name) {
            Some(known) => *known = group,
            None => self.groups.push(group),
        }
    }

    fn forget(&mut self, group: &str) {
        self.groups.retain(|known| known.name != group);
        self.members.retain(|(known, _), _| known != group);
        self.waiting.remove(group);
    }

    fn take_version_1(&mut self, record: version_1::Record) {
        match record {
            version_1::Record::Group(group) => self.take_group(Arc::new(group.into())),
            version_1::Record::Removed(group) => self.forget(&group),
            version_1::Record::Member { group, member, run, waiting } => {
                self.waiting.insert(group.clone(), waiting);
                let member = member.into_member(&group);
                self.members.insert((group, member.name.clone()), (member, run));
            }
        }
    }
}

/// The lines of the present version, of which the last about each process counts.
#[derive(Default)]
struct Gathering {
    state: State,
    processes: HashMap<(String, String), record::Process>,
    logs: HashMap<(String, String), Logs>,
}

impl Gathering {
    fn take(&mut self, record: Record) {
        match record {
            Record::Supervisord(_) => {}
            Record::Group(group) => self.state.take_group(Arc::new(group.into())),
            Record::Removed(group) => {
                self.state.forget(&group);
                self.processes.retain(|(known, _), _| *known != group);
                self.logs.retain(|(known, _), _| *known != group);
                self.state.sockets.retain(|socket| socket.group != group);
            }
            Record::Logs(logs) => {
                self.logs.insert((logs.group.clone(), logs.name.clone()), logs);
            }
            Record::Process(process) => {
                self.processes.insert((process.group.clone(), process.name.clone()), *process);
            }
            Record::Socket(socket) => {
                self.state.sockets.retain(|known| (&known.group, &known.url) != (&socket.group, &socket.url));
                self.state.sockets.push(socket);
            }
            Record::Ending => self.state.is_ending = true,
        }
    }

    fn finish(mut self) -> State {
        for group in self.state.groups.clone() {
            for process in &group.processes {
                let key = (group.name.clone(), process.identity.name.clone());
                let Some(record) = self.processes.remove(&key) else { continue };
                let member = record.member(process, self.logs.remove(&key).as_ref());
                self.state.waiting.insert(group.name.clone(), record.waiting);
                self.state.members.insert(key, (member, record.run));
            }
        }
        self.state
    }
}
