//! Groups: which programs form one, and in which order they stand.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::inputs::Inputs;
use super::processes::processes;
use super::{fastcgi, listeners};
use crate::convert::name;
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::model::{FastCgiSocket, Group, GroupKind, Process};
use crate::notices::Notices;
use crate::ordered::Ordered;
use crate::place::Place;
use crate::reader::Reader;
use crate::schema::SectionKind;
use crate::suggest::did_you_mean;

/// A group with the section that makes it.
struct Draft {
    section: String,
    place: Place,
    group: Group,
}

/// All groups, sorted by (priority, name), with unique names.
pub(super) fn groups(
    inputs: &Inputs<'_>,
    variables: &ExpansionNames<'_>,
    notices: &mut Notices,
) -> Result<Vec<Group>, ConfigError> {
    let located = ExpansionNames::over(variables).text("here", inputs.here);
    let mut gathering = Gathering {
        inputs,
        located: &located,
        notices,
        drafts: Vec::new(),
        members: HashSet::new(),
        sockets: HashMap::new(),
    };
    for reader in inputs.sections(SectionKind::Group) {
        gathering.mixed(&reader)?;
    }
    for kind in [SectionKind::Program, SectionKind::EventListener, SectionKind::FcgiProgram] {
        for reader in inputs.sections(kind) {
            gathering.single(&reader, kind)?;
        }
    }
    let Gathering { mut drafts, .. } = gathering;
    drafts.sort_by(|a, b| (a.group.priority, &a.group.name).cmp(&(b.group.priority, &b.group.name)));
    Ok(without_duplicates(drafts, notices))
}

struct Gathering<'a> {
    inputs: &'a Inputs<'a>,
    located: &'a ExpansionNames<'a>,
    notices: &'a mut Notices,
    drafts: Vec<Draft>,
    /// The sections that are part of a `[group:x]` and form no group of their own.
    members: HashSet<String>,
    /// By section, so that a program in several groups still listens once.
    sockets: HashMap<String, Arc<FastCgiSocket>>,
}

impl<'a> Gathering<'a> {
    /// A `[group:x]`.
    fn mixed(&mut self, reader: &Reader<'a>) -> Result<(), ConfigError> {
        let group_name = group_name(reader)?;
        let programs: Option<Vec<String>> = reader.maybe("programs", self.located, self.inputs.host)?;
        let programs = programs.unwrap_or_default();
        let priority = reader.get("priority", self.located, self.inputs.host)?;
        let mut all = Vec::new();
        for program in &programs {
            let (member, kind) = self.find(reader, program)?;
            self.members.insert(member.section().to_owned());
            all.extend(self.processes(&member, kind, &group_name)?);
        }
        self.add(reader, Group { name: group_name, priority, kind: GroupKind::Programs, processes: Vec::new() }, all);
        Ok(())
    }

    /// The section of a program that a group lists.
    fn find(&self, group: &Reader<'a>, program: &str) -> Result<(Reader<'a>, SectionKind), ConfigError> {
        let find = |kind: SectionKind| {
            let section = self.inputs.ini.section(&format!("{}:{program}", kind.word()));
            section.map(|section| (self.inputs.reader(section, kind), kind))
        };
        let section = group.section();
        match (find(SectionKind::Program), find(SectionKind::FcgiProgram)) {
            (Some(found), None) | (None, Some(found)) => Ok(found),
            (None, None) => {
                let message = format!("[{section}] names unknown program or fcgi-program {program}");
                let programs = [SectionKind::Program, SectionKind::FcgiProgram].map(|kind| self.inputs.sections(kind));
                let programs = programs.into_iter().flatten().map(|reader| reader.own_name());
                let advice = match program.is_empty() {
                    true => Some("a name is missing before or behind a comma; remove the comma".to_owned()),
                    false => did_you_mean(program, programs),
                };
                Err(group.error("programs", message).advise(advice))
            }
            (Some(_), Some(_)) => {
                let message = format!("[{section}] name {program} is ambiguous (exists as program and fcgi-program)");
                Err(group.error("programs", message))
            }
        }
    }

    /// A section that forms a group by itself.
    fn single(&mut self, reader: &Reader<'a>, kind: SectionKind) -> Result<(), ConfigError> {
        if self.members.contains(reader.section()) {
            return Ok(());
        }
        // The name of a listener pool is used as written; that of its processes is checked later.
        let listeners = kind == SectionKind::EventListener;
        let group_name = if listeners { reader.own_name().to_owned() } else { group_name(reader)? };
        let priority = reader.get("priority", self.located, self.inputs.host)?;
        let group_kind = match kind {
            SectionKind::EventListener => GroupKind::Listeners(listeners::pool(reader, self.inputs, self.located)?),
            SectionKind::FcgiProgram => GroupKind::FastCgi,
            _ => GroupKind::Programs,
        };
        let all = self.processes(reader, kind, &group_name)?;
        self.add(reader, Group { name: group_name, priority, kind: group_kind, processes: Vec::new() }, all);
        Ok(())
    }

    fn processes(
        &mut self,
        reader: &Reader<'a>,
        kind: SectionKind,
        group_name: &str,
    ) -> Result<Vec<Process>, ConfigError> {
        let socket = if kind == SectionKind::FcgiProgram { Some(self.socket(reader)?) } else { None };
        processes(reader, group_name, socket.as_ref(), self.inputs, self.located, self.notices)
    }

    fn socket(&mut self, reader: &Reader<'a>) -> Result<Arc<FastCgiSocket>, ConfigError> {
        if let Some(socket) = self.sockets.get(reader.section()) {
            return Ok(socket.clone());
        }
        let socket = fastcgi::socket(reader, self.inputs, self.located)?;
        self.sockets.insert(reader.section().to_owned(), socket.clone());
        Ok(socket)
    }

    /// Adds a group with these processes. Of processes with the same name the last wins, in the place of the first.
    fn add(&mut self, reader: &Reader<'_>, mut group: Group, processes: Vec<Process>) {
        let mut unique: Ordered<Arc<Process>> = Ordered::default();
        for process in processes {
            let name = process.identity.name.clone();
            let section = process.identity.section.clone();
            if let Some(lost) = unique.insert(&name, Arc::new(process)) {
                let text = format!(
                    "For [{section}], the process name {name} is already used in group {} by [{}], \
                     the earlier process has been ignored",
                    group.name, lost.identity.section
                );
                let advice =
                    "give each process a name of its own, as process_name=%(program_name)s_%(process_num)02d does";
                self.notices.warn_at(text, reader.section_place().advise(advice.to_owned()));
            }
        }
        group.processes = unique.into_entries().into_iter().map(|(_, process)| process).collect();
        self.drafts.push(Draft { section: reader.section().to_owned(), place: reader.section_place(), group });
    }
}

fn group_name(reader: &Reader<'_>) -> Result<String, ConfigError> {
    name(reader.own_name()).map_err(|complaint| reader.bad_name(&complaint))
}

/// Of groups with the same name the first wins.
fn without_duplicates(drafts: Vec<Draft>, notices: &mut Notices) -> Vec<Group> {
    let mut winners: HashMap<String, String> = HashMap::new();
    let mut groups = Vec::new();
    for Draft { section, place, group } in drafts {
        if let Some(winner) = winners.get(&group.name) {
            let name = &group.name;
            let text = format!("[{section}] has been ignored because its group name {name} is used by [{winner}]");
            notices.warn_at(text, place);
            continue;
        }
        winners.insert(group.name.clone(), section);
        groups.push(group);
    }
    groups
}
