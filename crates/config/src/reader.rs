//! Reading the options of one section: written value or table default, expanded, converted.

use crate::complaint::Complaint;
use crate::error::ConfigError;
use crate::expand::{ExpansionNames, expand, may_show_environment};
use crate::host::DaemonHost;
use crate::ini::{Entry, Ini, IniSection, WrittenIn};
use crate::log_form::LogFormat;
use crate::misspelt::misspelt;
use crate::model::Origin;
use crate::place::Place;
use crate::schema::{self, Context, Kind, OptionSpec, SectionKind};
use crate::secret;
use crate::value::{ConfigValue, OptionValue};
use crate::words;

/// One section, read as a kind of section.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    ini: &'a Ini,
    section: &'a IniSection,
    kind: SectionKind,
    /// What stands in for the value of this option.
    layer: Option<(&'static str, &'a Entry)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(ini: &'a Ini, section: &'a IniSection, kind: SectionKind) -> Reader<'a> {
        Reader { ini, section, kind, layer: None }
    }

    /// The sections of a kind, in file order.
    pub(crate) fn of_kind(ini: &'a Ini, kind: SectionKind) -> impl Iterator<Item = Reader<'a>> {
        let sections = ini.sections().filter(move |section| SectionKind::of(section.name()) == Some(kind));
        sections.map(move |section| Reader::new(ini, section, kind))
    }

    /// The same section, with the defaults of another kind.
    pub(crate) fn read_as(self, kind: SectionKind) -> Reader<'a> {
        Reader { kind, ..self }
    }

    /// The section's name as written.
    pub(crate) fn section(&self) -> &'a str {
        self.section.name()
    }

    /// The part of the section's name after the colon.
    pub(crate) fn own_name(&self) -> &'a str {
        self.section().split_once(':').map_or("", |(_, name)| name)
    }

    pub(crate) fn section_origin(&self) -> &'a Origin {
        self.section.origin()
    }

    /// What is written as an option, under its name or an alias.
    fn entry(&self, option: &str) -> Option<&'a Entry> {
        self.written(option).or_else(|| self.entry_of(self.kind.option(option)?))
    }

    fn entry_of(&self, row: &OptionSpec) -> Option<&'a Entry> {
        row.names().find_map(|name| self.written(name))
    }

    /// One for each value that an option has here and in the sections from which it is inherited, where all of them count: the
    /// most general first.
    pub(crate) fn layers(self, option: &'static str) -> Vec<Reader<'a>> {
        let entries = std::iter::successors(self.entry(option), |entry| entry.beneath.as_deref());
        let mut layers: Vec<_> = entries.map(|entry| Reader { layer: Some((option, entry)), ..self }).collect();
        layers.reverse();
        layers
    }

    fn written(&self, name: &str) -> Option<&'a Entry> {
        if let Some((option, entry)) = self.layer
            && option == name
        {
            return Some(entry);
        }
        self.ini.get_in(self.section, name)
    }

    /// The place of an option, or of the section where it is not written.
    pub(crate) fn origin(&self, option: &str) -> &'a Origin {
        self.entry(option).map_or(self.section_origin(), |entry| &entry.origin)
    }

    /// Whether messages must not show the value of an option. What only a plug-in knows may be anything.
    fn is_secret(&self, option: &str) -> bool {
        self.kind.option(option).is_none_or(OptionSpec::is_secret)
    }

    /// The place of the section.
    pub(crate) fn section_place(&self) -> Place {
        Place::new(self.section_origin()).section(self.section())
    }

    /// The place of an option, with its value as it is written.
    pub(crate) fn place(&self, option: &str) -> Place {
        let entry = self.entry(option);
        let place = Place::new(self.origin(option));
        let place = match entry.map(|entry| &entry.written_in) {
            Some(WrittenIn::Ancestor(section)) => place.section(section).used_by(self.section()),
            Some(WrittenIn::Here | WrittenIn::Defaults) | None => place.section(self.section()),
        };
        match entry {
            None => place.not_set(option).advise(self.misspelt(option)),
            Some(entry) if self.is_secret(option) && !is_empty_place(option, &entry.value) => {
                place.hidden(self.spelling(option, entry))
            }
            Some(entry) => place.value(option, &entry.value),
        }
    }

    /// The name of an option for people: that of a variable as it is written, because there its case matters.
    fn spelling<'n>(&self, option: &'n str, entry: &'n Entry) -> &'n str {
        let is_of_family = self.kind.option(option).is_some_and(|row| row.is_family);
        entry.spelling.as_deref().filter(|_| is_of_family).unwrap_or(option)
    }

    /// Which unknown option was probably meant to be this one, which is missing.
    pub(crate) fn misspelt(&self, option: &str) -> Option<String> {
        misspelt(self.ini, self.section, self.kind, option)
    }

    /// The sign of a comment that ended a line of an option.
    fn comment(&self, option: &str) -> Option<char> {
        self.entry(option)?.comment
    }

    /// What to do about a value that a comment has cut off; none where there is no comment.
    pub(crate) fn cut_off(&self, option: &str) -> Option<String> {
        let sign = self.comment(option)?;
        Some(format!(
            "a blank before {sign} begins a comment, also within quotes; write {sign} without the blank, or a script"
        ))
    }

    /// An error about an option.
    pub(crate) fn error(&self, option: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::at(message, self.place(option))
    }

    /// An error about the section.
    pub(crate) fn section_error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::at(message, self.section_place())
    }

    /// An error about the section's own name.
    pub(crate) fn bad_name(&self, complaint: &Complaint) -> ConfigError {
        self.section_error(complaint.to_string()).advise(complaint.advice().map(str::to_owned))
    }

    /// An error about a value that cannot be expanded.
    pub(crate) fn cannot_expand(&self, option: &str, complaint: &Complaint) -> ConfigError {
        let words = if self.is_secret(option) { complaint.without_value() } else { complaint.to_string() };
        self.error(option, words).advise(complaint.advice().map(str::to_owned))
    }

    /// An error about an expanded value that cannot be converted.
    pub(crate) fn cannot_convert(&self, option: &str, complaint: &Complaint) -> ConfigError {
        let before_expansion = |raw| self.kind.option(option).map(|row| row.kind.before_expansion(raw));
        let raw = self.raw(option).and_then(before_expansion);
        let is_secret = self.is_secret(option) || raw.is_some_and(|raw| may_show_environment(&raw));
        let words = if is_secret { complaint.without_value() } else { complaint.to_string() };
        let expected = self.kind.option(option).and_then(OptionSpec::expected);
        let expected = expected.map(|expected| format!("expected {expected}"));
        let has_command = self.kind.option(option).is_some_and(|row| row.kind.may_have_command());
        let is_open = has_command && self.raw(option).is_some_and(|raw| words::split(raw).is_err());
        let cut_off = self.cut_off(option).filter(|_| is_open);
        let advice = complaint.advice().filter(|_| cut_off.is_none()).or(cut_off.as_deref());
        let advice: Vec<&str> = expected.as_deref().into_iter().chain(advice).collect();
        self.error(option, words).advise((!advice.is_empty()).then(|| advice.join("; ")))
    }

    /// Whether an option of this name is there.
    pub(crate) fn writes(&self, option: &str) -> bool {
        self.entry(option).is_some()
    }

    /// Whether an option is there, under its name or an alias.
    pub(crate) fn is_written(&self, row: &OptionSpec) -> bool {
        self.entry_of(row).is_some()
    }

    /// The options that are there, in the order of the table.
    pub(crate) fn written_rows(&self) -> Vec<&'static OptionSpec> {
        let rows = self.ini.options(self.section).filter_map(|(name, _)| self.kind.option(name));
        let written: Vec<&'static OptionSpec> = rows.filter(|row| self.is_written(row)).collect();
        self.kind.options().filter(|row| written.iter().any(|known| std::ptr::eq(*known, *row))).collect()
    }

    /// Whether an option is there under its own name.
    pub(crate) fn is_written_by_name(&self, row: &OptionSpec) -> bool {
        self.written(row.name).is_some()
    }

    /// The options of a family, each with the name of the user's, as it is written, and with what it means.
    pub(crate) fn family(
        &self,
        row: &OptionSpec,
        names: &ExpansionNames<'_>,
    ) -> Result<Vec<(String, String, ConfigValue<'static>)>, ConfigError> {
        let mut members = Vec::new();
        for (option, entry) in self.ini.options(self.section).filter(|(option, _)| row.is_called(option)) {
            let written = entry.spelling.as_deref().unwrap_or(option);
            let own = written.split_once('.').map_or("", |(_, own)| own);
            let text = self.expanded(option, &entry.value, names)?;
            let value = row.kind.convert(&text).map_err(|complaint| self.cannot_convert(option, &complaint))?;
            members.push((option.to_owned(), own.to_owned(), value));
        }
        Ok(members)
    }

    /// The names of all options in the section.
    pub(crate) fn options(&self) -> impl Iterator<Item = &'a str> {
        self.ini.options(self.section).map(|(name, _)| name)
    }

    /// The value as written, or the default of the table, before expansion.
    pub(crate) fn raw(&self, option: &str) -> Option<&'a str> {
        let written = self.written(option).map(|entry| entry.value.as_str());
        written.or_else(|| self.raw_of(self.kind.option(option)?))
    }

    fn raw_of(&self, row: &OptionSpec) -> Option<&'a str> {
        let default = || match row.default {
            schema::Default::Is(text) => Some(text),
            schema::Default::Required | schema::Default::Unset(_) => None,
        };
        self.entry_of(row).map(|entry| entry.value.as_str()).or_else(default)
    }

    /// The expanded text.
    pub(crate) fn text(&self, option: &str, names: &ExpansionNames<'_>) -> Result<Option<String>, ConfigError> {
        self.raw(option).map(|raw| self.expanded(option, raw, names)).transpose()
    }

    fn expanded(&self, option: &str, raw: &str, names: &ExpansionNames<'_>) -> Result<String, ConfigError> {
        let label = format!("{}.{option}", self.section());
        expand(raw, names, &label).map_err(|complaint| self.cannot_expand(option, &complaint))
    }

    /// The value of an option, where there is a text at all.
    pub(crate) fn value(
        &self,
        row: &OptionSpec,
        names: &ExpansionNames<'_>,
        host: &dyn DaemonHost,
    ) -> Result<Option<ConfigValue<'static>>, ConfigError> {
        let Some(raw) = self.raw_of(row) else { return Ok(None) };
        let raw = row.kind.before_expansion(raw);
        let text = match row.kind {
            Kind::LogFormat => self.expanded(row.name, &raw, &LogFormat::names(names))?,
            _ => self.expanded(row.name, &raw, names)?,
        };
        let context = Context { host, names, section: self.section(), option: row.name };
        row.convert_on(&text, &context).map(Some).map_err(|complaint| self.cannot_convert(row.name, &complaint))
    }

    /// The value of an option as the type it is needed as, where there is a text at all.
    pub(crate) fn maybe<T: OptionValue>(
        &self,
        option: &str,
        names: &ExpansionNames<'_>,
        host: &dyn DaemonHost,
    ) -> Result<Option<T>, ConfigError> {
        let Some(row) = self.kind.option(option) else { return Ok(None) };
        let value = self.value(row, names, host)?;
        value.map(|value| T::from_value(value).ok_or_else(|| self.wrong_shape(row))).transpose()
    }

    /// The value of an option that has a default or must be written.
    pub(crate) fn get<T: OptionValue>(
        &self,
        option: &str,
        names: &ExpansionNames<'_>,
        host: &dyn DaemonHost,
    ) -> Result<T, ConfigError> {
        self.maybe(option, names, host)?.ok_or_else(|| self.missing(option))
    }

    /// The error for a value that is of another shape than where it is to be kept: a mistake of the table.
    pub(crate) fn wrong_shape(&self, row: &OptionSpec) -> ConfigError {
        self.error(row.name, format!("{} cannot be kept as {}", row.name, row.kind.describe()))
    }

    /// The error for an option that must be written.
    pub(crate) fn missing(&self, option: &str) -> ConfigError {
        self.error(option, format!("section [{}] does not specify a {option}", self.section()))
    }
}

/// Whether this is the place of a secret, and does not say where.
fn is_empty_place(option: &str, value: &str) -> bool {
    option.starts_with(secret::PREFIX) && secret::is_nothing(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::schema::aliased;

    /// What is written for an option with the name `name` and the alias `alias`.
    fn read(text: &str) -> Option<i64> {
        let mut ini = Ini::default();
        ini.read("f", format!("[program:a]\n{text}").as_bytes()).unwrap();
        let reader = Reader::new(&ini, ini.section("program:a").unwrap(), SectionKind::Program);
        let row = aliased("name", &["alias"]);
        let value = reader.value(&row, &ExpansionNames::new(), &FakeHost::new()).unwrap()?;
        assert!(reader.is_written(&row));
        i64::from_value(value)
    }

    #[test]
    fn an_alias_means_the_option_unless_its_name_is_there() {
        assert_eq!(read("alias=1\n"), Some(1));
        assert_eq!(read("alias=1\nname=2\n"), Some(2));
        assert_eq!(read("other=1\n"), None);
    }
}
