//! Reading the state of a daemon that was killed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use supervisord_config::model::{Config, Group, GroupKind, Process};
use supervisord_config::scale::ProgramScale;
use supervisord_core::supervisor::snapshot::MemberSnapshot;

use super::automatic_logs::Logs;
use super::command::CommandRecord;
use super::process_record::ProcessRecord;
use super::record::{self, Record, Socket, Writer};
use super::run::{CommandRun, Run};
use super::{definition, stable, version, version_1};

/// What a state says, all lines taken together.
#[derive(Debug, Default)]
pub struct State {
    /// The active groups in the order of activation.
    pub groups: Vec<Arc<Group>>,
    members: HashMap<Key, Member>,
    /// How many events waited for the listeners of a group.
    waiting: HashMap<String, usize>,
    /// The open FastCGI sockets.
    pub sockets: Vec<Socket>,
    /// The programs that were scaled.
    pub scales: Vec<ProgramScale>,
    /// Whether everything was being stopped.
    pub is_ending: bool,
    /// Why, where a program has caused it.
    pub exit: Option<record::CausedExit>,
    /// Children of which it is not known what they are for: they are commands of programs, but nothing else of them is understood.
    pub unknown_commands: Vec<Run>,
    /// Whether it is of a version of which only the [stable part](stable) is understood.
    pub is_of_other_version: bool,
}

/// A group and the name of a process.
type Key = (String, String);

/// What a state says of a process.
#[derive(Debug)]
pub struct Member {
    /// How far it has got.
    pub snapshot: MemberSnapshot,
    /// Its child.
    pub run: Option<Run>,
    /// Its commands that run beside its program.
    pub commands: Vec<CommandRun>,
    /// Whether its definition and how far it has got are understood, and not only who its child is.
    pub is_understood: bool,
}

/// What the text of a state says, and who wrote it. It may end anywhere, as where it was torn, and parts of it may be broken: a
/// line that cannot be understood is passed over, but for the child that it names. Processes of which it does not say how they
/// are defined have the definition of the present configuration, or one with which they can be stopped. None where it does not
/// begin as a state does.
pub fn read(text: &[u8], config: &Config) -> Option<(Writer, State)> {
    let writer = writer(text)?;
    let lines = text.split(|byte| *byte == b'\n').skip(1);
    let state = match writer.version {
        1 => {
            let mut state = State::default();
            lines.filter_map(|line| serde_json::from_slice(line).ok()).for_each(|record| state.take_version_1(record));
            state
        }
        of_state => {
            let is_of_other_version = !version::is_known_state(of_state);
            let state = State { is_of_other_version, ..State::default() };
            let mut gathering = Gathering { state, ..Gathering::default() };
            lines.for_each(|line| gathering.take_line(line));
            gathering.finish(config)
        }
    };
    Some((writer, state))
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
    /// What it says of a process.
    pub fn member(&self, group: &str, process: &str) -> Option<&Member> {
        self.members.get(&(group.to_owned(), process.to_owned()))
    }

    /// How many processes had a child.
    pub fn children(&self) -> usize {
        self.members.values().filter(|member| member.run.is_some()).count()
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
                let snapshot = member.member(&group);
                let key = (group, snapshot.name.clone());
                self.members.insert(key, Member { snapshot, run, commands: Vec::new(), is_understood: true });
            }
        }
    }

    /// The definitions of a process of which the state has none, and of its group.
    fn define(&mut self, (group, name): &Key, config: &Config) -> Option<(Arc<Group>, Arc<Process>)> {
        let index = self.groups.iter().position(|known| known.name == *group).unwrap_or_else(|| {
            let configured = config.groups.iter().find(|known| known.name == *group).cloned();
            self.groups.push(configured.unwrap_or_else(|| Arc::new(definition::unknown_group(group))));
            self.groups.len() - 1
        });
        let known = self.groups.get_mut(index)?;
        let process = known.processes.iter().find(|process| process.identity.name == *name).cloned();
        let process = match process {
            Some(process) => process,
            None => {
                let unknown = Arc::new(definition::unknown_process(name));
                let mut enlarged = Group::clone(known);
                enlarged.processes.push(unknown.clone());
                *known = Arc::new(enlarged);
                unknown
            }
        };
        Some((known.clone(), process))
    }
}

/// The lines of the present version, of which the last about each process counts.
#[derive(Default)]
struct Gathering {
    state: State,
    processes: BTreeMap<Key, ProcessRecord>,
    /// The children of lines that are not understood, where they are the last about their process.
    children: BTreeMap<Key, Option<Run>>,
    /// The other commands in the last line about each process.
    commands: BTreeMap<Key, Vec<Run>>,
    logs: HashMap<Key, Logs>,
}

impl Gathering {
    fn take_line(&mut self, line: &[u8]) {
        let record = match self.state.is_of_other_version {
            false => serde_json::from_slice(line).ok(),
            true => None,
        };
        if let Some(record) = record {
            self.take(record);
        } else if let Some(stable::StableProcess { group, name, run, commands }) = stable::process(line) {
            let commands = commands.into_iter().filter_map(|command| command.run).collect();
            self.commands.insert((group.clone(), name.clone()), commands);
            self.children.insert((group, name), run);
        }
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Supervisord(_) => {}
            Record::Group(group) => self.state.take_group(Arc::new(group.into())),
            Record::Removed(group) => {
                self.state.forget(&group);
                self.processes.retain(|(known, _), _| *known != group);
                self.children.retain(|(known, _), _| *known != group);
                self.commands.retain(|(known, _), _| *known != group);
                self.logs.retain(|(known, _), _| *known != group);
                self.state.sockets.retain(|socket| socket.group != group);
            }
            Record::Logs(logs) => {
                self.logs.insert((logs.group.clone(), logs.name.clone()), logs);
            }
            Record::Process(process) => {
                let key = (process.group.clone(), process.name.clone());
                self.children.remove(&key);
                let commands = process.commands.iter().filter_map(|command| command.run.clone()).collect();
                self.commands.insert(key.clone(), commands);
                self.processes.insert(key, *process);
            }
            Record::Socket(socket) => {
                self.state.sockets.retain(|known| (&known.group, &known.url) != (&socket.group, &socket.url));
                self.state.sockets.push(socket);
            }
            Record::Scales(scales) => self.state.scales = scales.into_iter().map(ProgramScale::from).collect(),
            Record::Ending => self.state.is_ending = true,
            Record::Exit(exit) => self.state.exit = Some(exit),
        }
    }

    fn finish(mut self, config: &Config) -> State {
        for group in self.state.groups.clone() {
            for process in &group.processes {
                let key = (group.name.clone(), process.identity.name.clone());
                if self.children.contains_key(&key) {
                    continue;
                }
                let Some(record) = self.processes.remove(&key) else { continue };
                let snapshot = record.member(process, self.logs.remove(&key).as_ref());
                let commands: Vec<CommandRun> = record.commands.iter().filter_map(CommandRecord::command_run).collect();
                if let Some(left) = self.commands.get_mut(&key) {
                    left.retain(|run| !commands.iter().any(|command| command.run == *run));
                }
                self.state.waiting.insert(group.name.clone(), record.waiting);
                self.state.members.insert(key, Member { snapshot, run: record.run, commands, is_understood: true });
            }
        }
        self.state.unknown_commands = std::mem::take(&mut self.commands).into_values().flatten().collect();
        // What is left has a line that is broken, or a definition that is. By their names, as everything follows their order.
        let mut left: BTreeMap<Key, Option<Run>> =
            self.processes.into_iter().map(|(key, process)| (key, process.run)).collect();
        left.extend(self.children);
        for (key, run) in left {
            let Some(run) = run else { continue };
            let Some((group, process)) = self.state.define(&key, config) else { continue };
            let is_listener = matches!(group.kind, GroupKind::Listeners(_));
            let record = ProcessRecord::of_child(&key.0, &key.1, &run, is_listener);
            let snapshot = record.member(&process, self.logs.remove(&key).as_ref());
            self.state
                .members
                .insert(key, Member { snapshot, run: Some(run), commands: Vec::new(), is_understood: false });
        }
        self.state
    }
}
