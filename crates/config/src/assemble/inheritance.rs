//! What programs inherit from templates and from `[program-default]`. Inherited values become values of the program's section, and
//! keep the place where they are written.

use std::sync::Arc;

use crate::error::ConfigError;
use crate::expand::{ExpansionNames, expand};
use crate::ini::{Entry, Ini, IniSection, WrittenIn};
use crate::place::Place;
use crate::pytext::strip;
use crate::schema::{Kind, OptionSpec, SectionKind};
use crate::suggest::did_you_mean;

/// The option that names a template.
pub(super) const INHERIT: &str = "inherit";

/// Gives every program what it inherits. What a section says itself wins over what its template says, that over what the template
/// of the template says, and that over `[program-default]`; `[DEFAULT]` comes last.
///
/// # Errors
/// A template is unknown, or templates inherit from each other.
pub(super) fn apply(ini: &mut Ini) -> Result<(), ConfigError> {
    let default = ini.section(SectionKind::ProgramDefault.word());
    let common = default.map(|section| with_ancestors(ini, section)).transpose()?.unwrap_or_default();
    let mut given = Vec::new();
    for section in ini.sections() {
        let Some(kind) = SectionKind::of(section.name()) else { continue };
        match kind {
            // Circles are mistakes also where no program inherits from them.
            SectionKind::Template => drop(with_ancestors(ini, section)?),
            SectionKind::Program | SectionKind::FcgiProgram | SectionKind::EventListener => {
                let mut chain = with_ancestors(ini, section)?;
                chain.extend(common.iter().filter(|ancestor| !is_among(&chain, ancestor)).collect::<Vec<_>>());
                let [_, ancestors @ ..] = chain.as_slice() else { continue };
                if !ancestors.is_empty() {
                    given.push((section.name().to_owned(), Heir { section, kind }.inherited(ancestors)));
                }
            }
            _ => {}
        }
    }
    for (section, entries) in given {
        for (option, entry) in entries {
            ini.give(&section, &option, entry);
        }
    }
    Ok(())
}

fn is_among(chain: &[&IniSection], section: &IniSection) -> bool {
    chain.iter().any(|known| known.name() == section.name())
}

/// A section, the template that it inherits from, the template of that one, and so on.
fn with_ancestors<'i>(ini: &'i Ini, section: &'i IniSection) -> Result<Vec<&'i IniSection>, ConfigError> {
    let mut chain = vec![section];
    let mut heir = section;
    while let Some(entry) = heir.own(INHERIT) {
        let template = template(ini, heir, entry)?;
        if let Some(start) = chain.iter().position(|known| known.name() == template.name()) {
            return Err(circle(&chain[start..], heir, entry));
        }
        chain.push(template);
        heir = template;
    }
    Ok(chain)
}

/// The template that a section names.
fn template<'i>(ini: &'i Ini, heir: &IniSection, entry: &Entry) -> Result<&'i IniSection, ConfigError> {
    let place = place(heir, entry);
    let label = format!("{}.{INHERIT}", heir.name());
    let name = expand(&entry.value, &ExpansionNames::new(), &label).map_err(|complaint| {
        ConfigError::at(complaint.to_string(), place.clone().advise(complaint.advice().map(str::to_owned)))
    })?;
    let name = strip(&name);
    let header = |kind: SectionKind| format!("{}:{name}", kind.word());
    if let Some(template) = ini.section(&header(SectionKind::Template)) {
        return Ok(template);
    }
    let is_program = ini.section(&header(SectionKind::Program)).is_some();
    let templates = ini.sections().filter_map(|section| section.name().strip_prefix("template:"));
    let advice = match name {
        "" => Some("write the name of a template, or remove the line".to_owned()),
        _ if name.contains(',') => Some("write one name; templates can inherit from others".to_owned()),
        _ if is_program => Some(format!("[program:{name}] is no template: move what both share to [template:NAME]")),
        _ => did_you_mean(name, templates).or_else(|| Some(format!("write a section [template:{name}]"))),
    };
    let message = format!("section [{}] inherits from unknown template {name}", heir.name());
    Err(ConfigError::at(message, place.advise(advice)))
}

fn circle(circle: &[&IniSection], last: &IniSection, entry: &Entry) -> ConfigError {
    let mut words = String::new();
    for section in circle {
        let origin = section.own(INHERIT).map_or(section.origin(), |entry| &entry.origin);
        words += &format!("[{}] ({origin}) -> ", section.name());
    }
    let first = circle.first().map_or(last.name(), |section| section.name());
    let message = format!("templates inherit from each other: {words}[{first}]");
    ConfigError::at(message, place(last, entry).advise("remove one of these lines".to_owned()))
}

fn place(section: &IniSection, entry: &Entry) -> Place {
    Place::new(&entry.origin).section(section.name()).value(INHERIT, &entry.value)
}

/// A section that inherits.
struct Heir<'i> {
    section: &'i IniSection,
    kind: SectionKind,
}

/// An inherited value, under the name by which it is written.
struct Inherited {
    row: &'static OptionSpec,
    name: String,
    entry: Entry,
}

impl Heir<'_> {
    /// What these sections, the nearest first, give to it.
    fn inherited(&self, ancestors: &[&IniSection]) -> Vec<(String, Entry)> {
        let mut all: Vec<Inherited> = Vec::new();
        for ancestor in ancestors {
            let new: Vec<Inherited> = self
                .kind
                .options()
                .filter(|row| row.name != INHERIT && self.may_have(row, ancestor) && !self.is_decided(row, &all))
                .flat_map(|row| {
                    let written_in = WrittenIn::Ancestor(Arc::from(ancestor.name()));
                    let members = all_written(ancestor, row).into_iter();
                    members.map(move |(name, entry)| Inherited {
                        row,
                        name: name.to_owned(),
                        entry: Entry { written_in: written_in.clone(), ..entry.clone() },
                    })
                })
                .filter(|new| !new.row.is_family || !self.has_member(&new.name, &all))
                .collect();
            all.extend(new);
        }
        self.leave_out_what_means_nothing(&mut all);
        self.merged(all)
    }

    /// What everybody has must not make listeners impossible, whose output is a protocol.
    fn may_have(&self, row: &OptionSpec, ancestor: &IniSection) -> bool {
        let is_default = SectionKind::of(ancestor.name()) == Some(SectionKind::ProgramDefault);
        !(is_default && self.kind == SectionKind::EventListener && row.name == "redirect_stderr")
    }

    /// Whether nearer sections have said it, or something in its place.
    fn is_decided(&self, row: &OptionSpec, nearer: &[Inherited]) -> bool {
        let excludes =
            |other: &OptionSpec| row.in_place_of.contains(&other.name) || other.in_place_of.contains(&row.name);
        // The variables of all of them count, and each member of a family for itself.
        let is_same = |other: &OptionSpec| other.name == row.name && row.kind != Kind::Environment && !row.is_family;
        self.has(|other| is_same(other) || excludes(other), nearer)
    }

    fn has_member(&self, name: &str, nearer: &[Inherited]) -> bool {
        self.section.own(name).is_some() || nearer.iter().any(|inherited| inherited.name == name)
    }

    fn has(&self, matches: impl Fn(&OptionSpec) -> bool, inherited: &[Inherited]) -> bool {
        let own = self.kind.options().filter(|row| written(self.section, row).is_some());
        own.chain(inherited.iter().map(|inherited| inherited.row)).any(matches)
    }

    /// A default is for those that it can be for: the interval of health checks for programs that are checked.
    fn leave_out_what_means_nothing(&self, all: &mut Vec<Inherited>) {
        if self.is_oneshot(all) {
            all.retain(|inherited| !inherited.row.is_not_of_oneshots);
        }
        loop {
            let is_useless = |inherited: &Inherited| {
                let only_with = inherited.row.only_with;
                !only_with.is_empty() && !self.has(|other| only_with.contains(&other.name), all)
            };
            let Some(useless) = all.iter().position(is_useless) else { return };
            all.remove(useless);
        }
    }

    fn is_oneshot(&self, all: &[Inherited]) -> bool {
        let Some(row) = self.kind.options().find(|row| row.kind == Kind::ProgramType) else { return false };
        let inherited =
            || all.iter().find(|inherited| inherited.row.name == row.name).map(|inherited| &inherited.entry);
        let entry = written(self.section, row).map(|(_, entry)| entry).or_else(inherited);
        entry.is_some_and(|entry| strip(&entry.value).eq_ignore_ascii_case("oneshot"))
    }

    /// The values, with those of the same option beneath each other.
    fn merged(&self, all: Vec<Inherited>) -> Vec<(String, Entry)> {
        let mut merged: Vec<(String, Entry)> = Vec::new();
        for Inherited { row, name, mut entry } in all.into_iter().rev() {
            if let Some(place) =
                merged.iter().position(|(known, _)| *known == name || !row.is_family && row.is_called(known))
            {
                entry.beneath = Some(Box::new(merged.remove(place).1));
            }
            merged.push((name, entry));
        }
        for (name, entry) in &mut merged {
            if let Some(own) = self.section.own(name) {
                let beneath = std::mem::replace(entry, own.clone());
                entry.beneath = Some(Box::new(beneath));
            }
        }
        merged
    }
}

/// The value of an option that stands in a section, or those of a family.
fn all_written<'i>(section: &'i IniSection, row: &OptionSpec) -> Vec<(&'i str, &'i Entry)> {
    match row.is_family {
        true => section.all_own().filter(|(name, _)| row.is_called(name)).collect(),
        false => written(section, row).into_iter().collect(),
    }
}

/// A value that stands in a section, with the name under which it counts.
fn written<'i>(section: &'i IniSection, row: &OptionSpec) -> Option<(&'static str, &'i Entry)> {
    row.names().find_map(|name| Some((name, section.own(name)?)))
}
