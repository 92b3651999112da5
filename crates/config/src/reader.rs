//! Reading the options of one section: written value or table default, expanded, converted.

use crate::complaint::Complaint;
use crate::error::ConfigError;
use crate::expand::{Names, expand, may_show_environment};
use crate::ini::{Entry, Ini, Section};
use crate::misspelt::misspelt;
use crate::model::Origin;
use crate::place::Place;
use crate::schema::{self, SectionKind};

/// One section, read as a kind of section.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    ini: &'a Ini,
    section: &'a Section,
    kind: SectionKind,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(ini: &'a Ini, section: &'a Section, kind: SectionKind) -> Reader<'a> {
        Reader { ini, section, kind }
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

    fn entry(&self, option: &str) -> Option<&'a Entry> {
        self.ini.get(self.section(), option)
    }

    /// The place of an option, or of the section where it is not written.
    pub(crate) fn origin(&self, option: &str) -> &'a Origin {
        self.entry(option).map_or(self.section_origin(), |entry| &entry.origin)
    }

    /// Whether messages must not show the value of an option. What only a plug-in knows may be anything.
    fn is_secret(&self, option: &str) -> bool {
        self.kind.option(option).is_none_or(schema::OptionSpec::is_secret)
    }

    /// The place of the section.
    pub(crate) fn section_place(&self) -> Place {
        Place::new(self.section_origin()).section(self.section())
    }

    /// The place of an option, with its value as it is written.
    pub(crate) fn place(&self, option: &str) -> Place {
        let place = Place::new(self.origin(option)).section(self.section());
        match self.entry(option) {
            None => place.not_set(option).advise(self.misspelt(option)),
            Some(_) if self.is_secret(option) => place.hidden(option),
            Some(entry) => place.value(option, &entry.value),
        }
    }

    /// Which unknown option was probably meant to be this one, which is missing.
    pub(crate) fn misspelt(&self, option: &str) -> Option<String> {
        misspelt(self.ini, self.section, self.kind, option)
    }

    /// The sign of a comment that ended a line of an option.
    pub(crate) fn comment(&self, option: &str) -> Option<char> {
        self.entry(option)?.comment
    }

    /// An error about an option.
    pub(crate) fn error(&self, option: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::at(message, self.place(option))
    }

    /// An error about the section.
    pub(crate) fn section_error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::at(message, self.section_place())
    }

    /// An error about a value that cannot be expanded.
    pub(crate) fn cannot_expand(&self, option: &str, complaint: &Complaint) -> ConfigError {
        let words = if self.is_secret(option) { complaint.without_value() } else { complaint.to_string() };
        self.error(option, words).advise(complaint.advice().map(str::to_owned))
    }

    /// An error about an expanded value that cannot be converted.
    pub(crate) fn cannot_convert(&self, option: &str, complaint: &Complaint) -> ConfigError {
        let is_secret = self.is_secret(option) || self.raw(option).is_some_and(may_show_environment);
        let words = if is_secret { complaint.without_value() } else { complaint.to_string() };
        let expected = self.kind.option(option).and_then(schema::OptionSpec::expected);
        let expected = expected.map(|expected| format!("expected {expected}"));
        let advice: Vec<&str> = expected.as_deref().into_iter().chain(complaint.advice()).collect();
        self.error(option, words).advise((!advice.is_empty()).then(|| advice.join("; ")))
    }

    pub(crate) fn is_written(&self, option: &str) -> bool {
        self.entry(option).is_some()
    }

    /// The names of all options in the section.
    pub(crate) fn options(&self) -> impl Iterator<Item = &'a str> {
        self.ini.options(self.section).map(|(name, _)| name)
    }

    /// The value as written, or the default of the table, before expansion.
    pub(crate) fn raw(&self, option: &str) -> Option<&'a str> {
        let default = || match self.kind.option(option)?.default {
            schema::Default::Is(text) => Some(text),
            schema::Default::Required | schema::Default::Unset(_) => None,
        };
        self.entry(option).map(|entry| entry.value.as_str()).or_else(default)
    }

    /// The expanded text.
    pub(crate) fn text(&self, option: &str, names: &Names<'_>) -> Result<Option<String>, ConfigError> {
        let Some(raw) = self.raw(option) else { return Ok(None) };
        let label = format!("{}.{option}", self.section());
        expand(raw, names, &label).map(Some).map_err(|complaint| self.cannot_expand(option, &complaint))
    }

    /// The converted value, where there is a text at all.
    pub(crate) fn maybe<T>(
        &self,
        option: &str,
        names: &Names<'_>,
        convert: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Result<Option<T>, ConfigError> {
        let text = self.text(option, names)?;
        text.map(|text| convert(&text)).transpose().map_err(|complaint| self.cannot_convert(option, &complaint))
    }

    /// The converted value of an option that has a default or must be written.
    pub(crate) fn get<T>(
        &self,
        option: &str,
        names: &Names<'_>,
        convert: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Result<T, ConfigError> {
        self.maybe(option, names, convert)?.ok_or_else(|| self.missing(option))
    }

    /// The error for an option that must be written.
    pub(crate) fn missing(&self, option: &str) -> ConfigError {
        self.error(option, format!("section [{}] does not specify a {option}", self.section()))
    }
}
