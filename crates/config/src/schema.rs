//! The option table: every option of every section, once. From its row come how an option is read, its default and range,
//! what a reread compares, its form in the state, what XML-RPC and plug-ins show of it, its lines in the reference and the
//! sample, and the warning about unknown options. A new option is a row, the field that the row names, and its use.

use crate::model::{Origin, Process, Supervisord};

mod field;
mod kind;
mod option;
mod rows;
mod section;

pub use field::{Field, KeptIn, WrongShape};
pub(crate) use kind::Context;
pub use kind::Kind;
pub use option::{Default, Needs, OptionSpec};
pub use section::SectionKind;

impl SectionKind {
    /// The options of this kind of section: its own, then those of its base that it does not redefine.
    pub fn options(self) -> impl Iterator<Item = &'static OptionSpec> {
        let own = move |name: &str| TABLE.iter().any(|row| row.section == self && row.name == name);
        let base = TABLE.iter().filter(move |row| Some(row.section) == self.base() && !own(row.name));
        TABLE.iter().filter(move |row| row.section == self).chain(base)
    }

    /// The row of an option, by its name or an alias.
    pub fn option(self, name: &str) -> Option<&'static OptionSpec> {
        let find = |kind| TABLE.iter().find(|row| row.section == kind && row.is_called(name));
        find(self).or_else(|| find(self.base()?))
    }
}

/// All options whose values a process keeps.
pub fn options_of_processes() -> impl Iterator<Item = (&'static OptionSpec, &'static Field<Process>)> {
    TABLE.iter().filter_map(|row| row.of_process().map(|field| (row, field)))
}

/// All options whose values `[supervisord]` keeps.
pub fn options_of_supervisord() -> impl Iterator<Item = (&'static OptionSpec, &'static Field<Supervisord>)> {
    TABLE.iter().filter_map(|row| match &row.kept_in {
        KeptIn::Supervisord(field) => Some((row, field)),
        KeptIn::Section | KeptIn::Process(_) => None,
    })
}

/// A process of a section in which nothing is written: without a name and a command.
pub fn default_process(section: &str, origin: Origin) -> Process {
    let mut process = Process::blank(section, origin);
    set_defaults(options_of_processes(), &mut process);
    process
}

/// What `[supervisord]` means where nothing is written in it, as far as that does not depend on the host: files and
/// directories are as they would be written.
pub fn default_supervisord() -> Supervisord {
    let mut supervisord = Supervisord::default();
    set_defaults(options_of_supervisord(), &mut supervisord);
    supervisord
}

fn set_defaults<S: 'static>(options: impl Iterator<Item = (&'static OptionSpec, &'static Field<S>)>, section: &mut S) {
    for (row, field) in options {
        if let Default::Is(text) = row.default
            && let Ok(value) = row.kind.convert(text)
        {
            // It cannot fail: a test sets each default.
            let _ = field.set(section, value);
        }
    }
}

/// The table itself.
pub static TABLE: &[OptionSpec] = rows::ROWS;

#[cfg(test)]
pub(crate) use rows::aliased;

#[cfg(test)]
mod tests;
