//! The option table: every option of every section, once. From its row come how an option is read, its default and range,
//! what a reread compares, its form in the state, what XML-RPC and plug-ins show of it, its lines in the reference and the
//! sample, and the warning about unknown options. A new option is a row, the field that the row names, and its use.

use std::collections::HashMap;
use std::sync::OnceLock;

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
        self.rows().options.iter().copied()
    }

    /// The row of an option, by its name or an alias.
    pub fn option(self, name: &str) -> Option<&'static OptionSpec> {
        let rows = self.rows();
        let of_family = || rows.families.iter().copied().find(|row| row.is_called(name));
        rows.by_name.get(name).copied().or_else(of_family)
    }

    /// Looked up once for each kind: large files ask for every option of every section.
    fn rows(self) -> &'static KindRows {
        static ROWS: [OnceLock<KindRows>; SectionKind::ALL.len()] = [const { OnceLock::new() }; SectionKind::ALL.len()];
        ROWS[self as usize].get_or_init(|| KindRows::of(self))
    }
}

/// The rows of a kind of section.
struct KindRows {
    options: Vec<&'static OptionSpec>,
    by_name: HashMap<&'static str, &'static OptionSpec>,
    families: Vec<&'static OptionSpec>,
}

impl KindRows {
    fn of(kind: SectionKind) -> KindRows {
        let of_section = |section: SectionKind| TABLE.iter().filter(move |row| row.section == section);
        let own: Vec<&'static OptionSpec> = of_section(kind).collect();
        let base: Vec<&'static OptionSpec> = kind.base().into_iter().flat_map(of_section).collect();
        let mut by_name = HashMap::new();
        for row in own.iter().chain(&base) {
            for name in row.names() {
                by_name.entry(name).or_insert(*row);
            }
        }
        let families = own.iter().chain(&base).copied().filter(|row| row.is_family).collect();
        let is_own = |row: &&'static OptionSpec| own.iter().any(|known| known.name == row.name);
        let options = own.iter().copied().chain(base.iter().copied().filter(|row| !is_own(row))).collect();
        KindRows { options, by_name, families }
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
    static DEFAULTS: OnceLock<Process> = OnceLock::new();
    let defaults = DEFAULTS.get_or_init(|| {
        let mut process = Process::blank("", Origin { file: "".into(), line: 0 });
        set_defaults(options_of_processes(), &mut process);
        process
    });
    let mut process = defaults.clone();
    (process.identity.section, process.identity.origin) = (section.to_owned(), origin);
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
