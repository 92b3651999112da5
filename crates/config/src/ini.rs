//! The INI dialect: text to sections of named values, each with the place where it was written.
//!
//! There is no quoting, no escaping and no line continuation by backslash; a comment starts at `;` or `#` after
//! white space; a line indented deeper than the option above it belongs to that option. Values are not expanded
//! here.

use std::sync::Arc;

use crate::error::ConfigError;
use crate::model::Origin;
use crate::ordered::Ordered;
use crate::place::Place;
use crate::pyrepr::repr;
use crate::pytext::{is_space, strip};

/// The section whose values show in every other section.
pub(crate) const DEFAULTS: &str = "DEFAULT";

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The text, lines joined by line feeds.
    pub value: String,
    /// Where its option stands.
    pub origin: Origin,
    /// The section in which it is written.
    pub written_in: WrittenIn,
    /// Its name as it is written, where that has capitals.
    pub spelling: Option<Box<str>>,
    /// The sign of a comment that ended one of its lines.
    pub comment: Option<char>,
    /// What an inherited value of the same option adds to it, where both count.
    pub beneath: Option<Box<Entry>>,
}

impl Entry {
    fn new(name: &str, written: &str, value: &str, origin: Origin, comment: Option<char>) -> Entry {
        let spelling = written.split(['=', ':']).next().unwrap_or_default().trim_end_matches(is_space);
        let spelling = (spelling != name).then(|| spelling.into());
        Entry { value: value.to_owned(), origin, written_in: WrittenIn::Here, spelling, comment, beneath: None }
    }
}

/// The section in which a value is written that a section has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenIn {
    /// In that section itself.
    Here,
    /// In `[DEFAULT]`.
    Defaults,
    /// In the section of this name, from which it is inherited.
    Ancestor(Arc<str>),
}

/// Something that is taken, but may well be meant in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The header of a section that began elsewhere.
    SectionAgain { section: String, first: Origin, origin: Origin },
    /// An option that has been written before; what is written here wins.
    OptionAgain { section: String, option: String, first: Origin, origin: Origin },
    /// A line that looks like a header or an option, and belongs to the value above it because it is indented.
    Swallowed { section: String, option: String, line: String, origin: Origin },
}

/// A section.
#[derive(Clone, Debug)]
pub struct IniSection {
    name: String,
    origin: Origin,
    options: Ordered<Entry>,
}

impl IniSection {
    /// The text between the brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the section first appeared.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// All options that the section has, but not by `[DEFAULT]`.
    pub(crate) fn all_own(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.options.iter()
    }

    /// An option that the section has, but not by `[DEFAULT]`.
    pub fn own(&self, option: &str) -> Option<&Entry> {
        self.options.get(option)
    }
}

/// One or more files, merged: the last value of an option wins, and everything keeps its first place.
#[derive(Clone, Debug, Default)]
pub struct Ini {
    defaults: Ordered<Entry>,
    sections: Ordered<IniSection>,
    oddities: Vec<Oddity>,
}

impl Ini {
    /// Reads one more file over what is there. `file` is the name that messages show.
    ///
    /// Fails on bytes that are not UTF-8, on text before the first header, and, with all of them in one message,
    /// on lines that are neither header nor option. Nothing useful is left in `self` then.
    pub fn read(&mut self, file: &str, content: &[u8]) -> Result<(), ConfigError> {
        let file: Arc<str> = Arc::from(file);
        let text = std::str::from_utf8(content).map_err(|error| undecodable(content, error, &file))?;
        Parser::new(self, file).read(text)
    }

    /// All sections but `[DEFAULT]`, in the order of first appearance.
    pub fn sections(&self) -> impl Iterator<Item = &IniSection> {
        self.sections.iter().map(|(_, section)| section)
    }

    /// What may well be meant in another way, in the order in which it was read.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&IniSection> {
        self.sections.get(name)
    }

    /// The value of an option in an existing section, or in `[DEFAULT]`.
    pub fn get(&self, section: &str, option: &str) -> Option<&Entry> {
        self.get_in(self.sections.get(section)?, option)
    }

    /// The value of an option in this section, or in `[DEFAULT]`.
    pub(crate) fn get_in<'a>(&'a self, section: &'a IniSection, option: &str) -> Option<&'a Entry> {
        section.options.get(option).or_else(|| self.defaults.get(option))
    }

    /// All options of a section: first those of `[DEFAULT]`, with the section's own values where it has any.
    pub fn options<'a>(&'a self, section: &'a IniSection) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let inherited = self.defaults.iter().map(|(name, entry)| (name, section.options.get(name).unwrap_or(entry)));
        inherited.chain(section.options.iter().filter(|(name, _)| !self.defaults.contains(name)))
    }

    /// Gives a section an option, in place of the one that it has.
    pub(crate) fn give(&mut self, section: &str, option: &str, entry: Entry) {
        if let Some(section) = self.sections.get_mut(section) {
            section.options.insert(option, entry);
        }
    }

    /// Takes an option out of a section, or out of `[DEFAULT]`, where the section has it from there. Tells whether it was there.
    pub(crate) fn take_out(&mut self, section: &str, option: &str) -> bool {
        let own = self.sections.get_mut(section).and_then(|section| section.options.remove(option));
        own.or_else(|| self.defaults.remove(option)).is_some()
    }

    /// Takes a section out. Tells whether it was there.
    pub(crate) fn take_out_section(&mut self, section: &str) -> bool {
        self.sections.remove(section).is_some()
    }

    /// Replaces a text in all values of all sections.
    pub fn replace(&mut self, needle: &str, replacement: &str) {
        for section in self.sections.values_mut() {
            for entry in section.options.values_mut() {
                if entry.value.contains(needle) {
                    entry.value = entry.value.replace(needle, replacement);
                }
            }
            for (name, default) in self.defaults.iter() {
                if default.value.contains(needle) && !section.options.contains(name) {
                    let value = default.value.replace(needle, replacement);
                    section.options.insert(name, Entry { value, ..default.clone() });
                }
            }
        }
    }
}

fn undecodable(content: &[u8], error: std::str::Utf8Error, file: &Arc<str>) -> ConfigError {
    let start = error.valid_up_to();
    let first = content.get(start).copied().unwrap_or_default();
    let (length, reason) = match error.error_len() {
        None => (content.len() - start, "unexpected end of data"),
        Some(_) if !(0xc2..=0xf4).contains(&first) => (1, "invalid start byte"),
        Some(length) => (length, "invalid continuation byte"),
    };
    let bytes = match length {
        1 => format!("byte 0x{first:02x} in position {start}"),
        _ => format!("bytes in position {start}-{}", start + length - 1),
    };
    let line = content[..start].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let origin = Origin { file: file.clone(), line: u32::try_from(line).unwrap_or(u32::MAX) };
    let place = Place::new(&origin).advise("save the file as UTF-8".to_owned());
    ConfigError::at(format!("'utf-8' codec can't decode {bytes}: {reason}"), place)
}

/// A line without its end, and whether it had one.
struct Line<'t> {
    text: &'t str,
    ended: bool,
}

impl Line<'_> {
    /// The line as messages quote it.
    fn quoted(&self) -> String {
        if self.ended { repr(&format!("{}\n", self.text)) } else { repr(self.text) }
    }

    /// The number of characters before the first that is not white space.
    fn indent(&self) -> usize {
        self.text.chars().position(|c| !is_space(c)).unwrap_or(0)
    }
}

/// Lines ended by `\n`, `\r\n` or `\r`.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(end) = rest.bytes().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            return Some(Line { text: std::mem::take(&mut rest), ended: false });
        };
        let (line, tail) = rest.split_at(end);
        rest = tail.strip_prefix("\r\n").unwrap_or(&tail[1..]);
        Some(Line { text: line, ended: true })
    })
}

fn starts_comment(line: &str, at: usize) -> bool {
    line[..at].chars().next_back().is_none_or(is_space)
}

/// Where the comment of a line starts, as a byte offset.
///
/// The marks are tried in passes, the n-th `;` together with the n-th `#`; the first pass in which one of them
/// stands after white space decides. So a `;` can hide an earlier ` #` that is only the second of its kind.
fn comment_start(line: &str) -> Option<usize> {
    if !line.bytes().any(|byte| matches!(byte, b';' | b'#')) {
        return None;
    }
    if strip(line).starts_with([';', '#']) {
        return Some(0);
    }
    let mut semicolons = line.match_indices(';');
    let mut hashes = line.match_indices('#');
    loop {
        let pass = [semicolons.next(), hashes.next()];
        if pass.iter().all(Option::is_none) {
            return None;
        }
        let starts = pass.into_iter().flatten().map(|(at, _)| at).filter(|&at| starts_comment(line, at));
        if let Some(first) = starts.min() {
            return Some(first);
        }
    }
}

/// The name in a header, which runs to the last closing bracket.
pub(crate) fn header(value: &str) -> Option<&str> {
    let inside = value.strip_prefix('[')?;
    let name = &inside[..inside.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

/// Name (lower case, possibly empty) and value of an option.
pub(crate) fn option(value: &str) -> Option<(String, &str)> {
    let (name, value) = value.split_once(['=', ':'])?;
    Some((name.trim_end_matches(is_space).to_lowercase(), strip(value)))
}

struct Parser<'i> {
    ini: &'i mut Ini,
    file: Arc<str>,
    section: Option<String>,
    option: Option<String>,
    indent: usize,
    bad_lines: String,
    first_bad_line: Option<Origin>,
}

impl<'i> Parser<'i> {
    fn new(ini: &'i mut Ini, file: Arc<str>) -> Parser<'i> {
        Parser { ini, file, section: None, option: None, indent: 0, bad_lines: String::new(), first_bad_line: None }
    }

    fn read(mut self, text: &str) -> Result<(), ConfigError> {
        for (number, line) in (1..).zip(lines(text)) {
            self.line(number, &line)?;
        }
        self.strip_ends();
        match self.first_bad_line {
            None => Ok(()),
            Some(origin) => {
                let message = format!("Source contains parsing errors: {}{}", repr(&self.file), self.bad_lines);
                let advice = "write NAME=VALUE, or indent what continues the value above";
                Err(ConfigError::at(message, Place::new(&origin).advise(advice.to_owned())))
            }
        }
    }

    fn line(&mut self, number: u32, line: &Line<'_>) -> Result<(), ConfigError> {
        let comment = comment_start(line.text);
        let value = strip(&line.text[..comment.unwrap_or(line.text.len())]);
        if value.is_empty() {
            if comment.is_none() {
                self.append("", None);
            }
            return Ok(());
        }
        let comment = comment.and_then(|start| line.text[start..].chars().next());
        let origin = Origin { file: self.file.clone(), line: number };
        let indent = line.indent();
        if indent > self.indent && self.option.is_some() {
            self.look_at_swallowed(value, &origin);
            self.append(value, comment);
            return Ok(());
        }
        self.indent = indent;
        if let Some(name) = header(value) {
            self.enter(name, origin);
            return Ok(());
        }
        if self.section.is_none() {
            return Err(self.no_header(line, origin));
        }
        match option(value) {
            Some((name, text)) if !name.is_empty() => {
                let entry = Entry::new(&name, value, text, origin, comment);
                self.set(name, entry);
            }
            nameless => {
                // A missing name ends the option above; a missing value does not.
                if nameless.is_some() {
                    self.option = None;
                }
                self.bad_lines.push_str(&format!("\n\t[line {number:>2}]: {}", line.quoted()));
                self.first_bad_line.get_or_insert(origin);
            }
        }
        Ok(())
    }

    fn no_header(&self, line: &Line<'_>, origin: Origin) -> ConfigError {
        let message = format!(
            "File contains no section headers.\nfile: {}, line: {}\n{}",
            repr(&self.file),
            origin.line,
            line.quoted()
        );
        let advice = "write the name of a section in brackets first, such as [supervisord]";
        ConfigError::at(message, Place::new(&origin).advise(advice.to_owned()))
    }

    fn enter(&mut self, name: &str, origin: Origin) {
        match self.ini.sections.get(name) {
            _ if name == DEFAULTS => {}
            Some(before) => {
                let (section, first) = (name.to_owned(), before.origin.clone());
                self.ini.oddities.push(Oddity::SectionAgain { section, first, origin });
            }
            None => {
                let section = IniSection { name: name.to_owned(), origin, options: Ordered::default() };
                self.ini.sections.insert(name, section);
            }
        }
        self.section = Some(name.to_owned());
        self.option = None;
    }

    fn options(&mut self) -> Option<&mut Ordered<Entry>> {
        match self.section.as_deref()? {
            DEFAULTS => Some(&mut self.ini.defaults),
            name => self.ini.sections.get_mut(name).map(|section| &mut section.options),
        }
    }

    fn set(&mut self, name: String, mut entry: Entry) {
        if self.section.as_deref() == Some(DEFAULTS) {
            entry.written_in = WrittenIn::Defaults;
        }
        let origin = entry.origin.clone();
        let before = self.options().and_then(|options| options.insert(&name, entry));
        if let (Some(before), Some(section)) = (before, self.section.clone()) {
            let (option, first) = (name.clone(), before.origin);
            self.ini.oddities.push(Oddity::OptionAgain { section, option, first, origin });
        }
        self.option = Some(name);
    }

    /// The current option, to which indented lines belong.
    fn current(&mut self) -> Option<&mut Entry> {
        let option = self.option.take()?;
        self.option = Some(option.clone());
        self.options()?.get_mut(&option)
    }

    /// Adds a line to the current option, if there is one.
    fn append(&mut self, line: &str, comment: Option<char>) {
        if let Some(entry) = self.current() {
            entry.value.push('\n');
            entry.value.push_str(line);
            entry.comment = entry.comment.or(comment);
        }
    }

    /// Notes a line that is about to be added to the current option and looks like something of its own.
    fn look_at_swallowed(&mut self, line: &str, origin: &Origin) {
        let looks_like_an_option = option(line).is_some_and(|(name, _)| !name.is_empty());
        // A value that begins below its name, or goes on behind a comma, is meant to have further lines.
        let is_expected = self.current().is_some_and(|entry| {
            let value = entry.value.trim_end_matches(is_space);
            value.is_empty() || value.ends_with(',')
        });
        if is_expected || !(looks_like_an_option || header(line).is_some()) {
            return;
        }
        if let (Some(section), Some(option)) = (self.section.clone(), self.option.clone()) {
            let (line, origin) = (line.to_owned(), origin.clone());
            self.ini.oddities.push(Oddity::Swallowed { section, option, line, origin });
        }
    }

    fn strip_ends(&mut self) {
        let defaults = self.ini.defaults.values_mut();
        let options = self.ini.sections.values_mut().flat_map(|section| section.options.values_mut());
        for entry in defaults.chain(options) {
            entry.value.truncate(entry.value.trim_end_matches(is_space).len());
        }
    }
}
