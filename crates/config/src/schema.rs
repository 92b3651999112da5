//! The option table: every option of every section, once. From its row come how an option is read, its default and range,
//! what a reread compares, its form in the state, what XML-RPC and plug-ins show of it, its lines in the reference and the
//! sample, and the warning about unknown options. A new option is a row, the field that the row names, and its use.

use self::Default::Required;
use self::SectionKind as S;
use crate::complaint::Complaint;
use crate::model::{Origin, Process, Supervisord};
use crate::value::Value;

mod field;
mod kind;
mod rows;

pub use field::{Field, KeptIn, WrongShape};
pub(crate) use kind::Context;
pub use kind::Kind;

/// A kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    UnixHttpServer,
    InetHttpServer,
    Supervisord,
    RpcInterface,
    Supervisorctl,
    CtlPlugin,
    Program,
    FcgiProgram,
    EventListener,
    Group,
    Include,
}

impl SectionKind {
    /// All kinds, in the order of the sample and the reference.
    pub const ALL: [SectionKind; 11] = [
        S::UnixHttpServer,
        S::InetHttpServer,
        S::Supervisord,
        S::RpcInterface,
        S::Supervisorctl,
        S::CtlPlugin,
        S::Program,
        S::FcgiProgram,
        S::EventListener,
        S::Group,
        S::Include,
    ];

    /// The name of the section, or the part before the colon where there can be many.
    pub const fn word(self) -> &'static str {
        match self {
            S::UnixHttpServer => "unix_http_server",
            S::InetHttpServer => "inet_http_server",
            S::Supervisord => "supervisord",
            S::RpcInterface => "rpcinterface",
            S::Supervisorctl => "supervisorctl",
            S::CtlPlugin => "ctlplugin",
            S::Program => "program",
            S::FcgiProgram => "fcgi-program",
            S::EventListener => "eventlistener",
            S::Group => "group",
            S::Include => "include",
        }
    }

    /// What the section is for, in one or two lines.
    pub const fn describe(self) -> &'static str {
        match self {
            S::UnixHttpServer => {
                "A server on a socket in the file system; there may be more, as [unix_http_server:NAME]."
            }
            S::InetHttpServer => {
                "A server on a TCP port. Whoever can connect can start and stop programs, and the password travels in\n\
                 the clear: do not open it to a network you do not trust."
            }
            S::Supervisord => "The daemon itself.",
            S::RpcInterface => {
                "What clients can call: supervisorctl and the web page need this. Further interfaces are sections of their own."
            }
            S::Supervisorctl => "The client supervisorctl. Its address must be that of one of the servers above.",
            S::CtlPlugin => "Further commands of supervisorctl.",
            S::Program => "A program to run; one section for each.",
            S::FcgiProgram => "A program that shares a FastCGI socket; it has all the options of [program:x] as well.",
            S::EventListener => "A program that is told about events; it has all the options of [program:x] as well.",
            S::Group => "Programs that are started and stopped together.",
            S::Include => {
                "Further files to read; relative paths count from this file. Their own [include] sections are not followed."
            }
        }
    }

    /// Whether the section is written with its bare name.
    const fn may_be_bare(self) -> bool {
        matches!(self, S::UnixHttpServer | S::InetHttpServer | S::Supervisord | S::Supervisorctl | S::Include)
    }

    /// Whether the section is written with a colon and a name of its own.
    const fn may_be_named(self) -> bool {
        !matches!(self, S::Supervisord | S::Supervisorctl | S::Include)
    }

    /// The kind of a section, by its header.
    pub fn of(section: &str) -> Option<SectionKind> {
        let (word, named) = match section.split_once(':') {
            Some((word, _)) => (word, true),
            None => (section, false),
        };
        let kind = Self::ALL.into_iter().find(|kind| kind.word() == word)?;
        (if named { kind.may_be_named() } else { kind.may_be_bare() }).then_some(kind)
    }

    /// Whether any further option means something: sections that are handed to a plugin.
    pub const fn is_open(self) -> bool {
        matches!(self, S::RpcInterface | S::CtlPlugin)
    }

    /// The kind whose options this one has besides its own.
    pub const fn base(self) -> Option<SectionKind> {
        match self {
            S::FcgiProgram | S::EventListener => Some(S::Program),
            _ => None,
        }
    }

    /// The options of this kind of section: its own, then those of its base that it does not redefine.
    pub fn options(self) -> impl Iterator<Item = &'static OptionSpec> {
        let own = move |name: &str| TABLE.iter().any(|row| row.section == self && row.name == name);
        let base = TABLE.iter().filter(move |row| Some(row.section) == self.base() && !own(row.name));
        TABLE.iter().filter(move |row| row.section == self).chain(base)
    }

    /// The row of an option, by its name or an alias.
    pub fn option(self, name: &str) -> Option<&'static OptionSpec> {
        let find = |kind| TABLE.iter().find(|row| row.section == kind && row.names().any(|known| known == name));
        find(self).or_else(|| find(self.base()?))
    }
}

/// What holds where an option is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// It must be written.
    Required,
    /// This text, which is expanded and converted like a written one.
    Is(&'static str),
    /// Nothing is set; the text says what that means.
    Unset(&'static str),
}

/// What a change of an option needs to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// That the file is read again.
    Live,
    /// That the daemon begins anew: `supervisorctl reload`, or SIGHUP.
    Reload,
    /// That what the option is about is started anew: programs by `supervisorctl update`, the daemon by whoever started it.
    Restart,
}

impl Needs {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Needs::Live => "live",
            Needs::Reload => "reload",
            Needs::Restart => "restart",
        }
    }
}

/// In which words a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// In those of its kind.
    OfItsKind,
    /// `Invalid NAME value VALUE`, with this name.
    Invalid(&'static str),
    /// `[SECTION] section sets invalid NAME (VALUE)`, for what is out of range.
    Sets,
}

/// One row of the table.
#[derive(Debug)]
pub struct OptionSpec {
    /// The kind of section it belongs to.
    pub section: SectionKind,
    /// Its name, lower case.
    pub name: &'static str,
    /// Other names that mean the same, lower case.
    pub aliases: &'static [&'static str],
    /// What is written as a value.
    pub kind: Kind,
    /// The least and the largest number.
    pub range: (i64, i64),
    refusal: Refusal,
    /// What holds where it is not written.
    pub default: Default,
    /// A value to show, where the default is not one.
    pub example: Option<&'static str>,
    /// The version of Supervisor that introduced it.
    pub since: &'static str,
    /// What a change of it needs to take effect.
    pub needs: Needs,
    /// What it does, in one line.
    pub help: &'static str,
    /// Where its value is kept.
    pub kept_in: KeptIn,
}

impl OptionSpec {
    /// Its name, then its aliases: what is written under the first of them counts.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }

    /// A value to show: its example, or its default.
    pub fn shown(&self) -> &'static str {
        match (self.example, self.default) {
            (Some(text), _) | (None, Default::Is(text)) => text,
            (None, Default::Required | Default::Unset(_)) => "",
        }
    }

    /// Whether messages must not show its value.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Password | Kind::Environment)
    }

    /// What a value must be; nothing where any text will do.
    pub fn expected(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Text | Kind::Password => None,
            kind => Some(kind.describe()),
        }
    }

    /// Whether a section without it is refused.
    pub fn required(&self) -> bool {
        self.default == Required
    }

    /// What an expanded text means on a host.
    pub(crate) fn convert_on(&self, text: &str, context: &Context<'_>) -> Result<Value<'static>, Complaint> {
        let value = self.kind.convert_on(text, context).map_err(|complaint| match self.refusal {
            Refusal::Invalid(name) if self.kind != Kind::Integer => invalid(name, text),
            _ => complaint,
        })?;
        match value {
            Value::Integer(number) => self.within_range(number, context.section).map(|()| value),
            _ => Ok(value),
        }
    }

    fn within_range(&self, number: i64, section: &str) -> Result<(), Complaint> {
        let (least, largest) = self.range;
        let (bound, limit) = match number {
            _ if number < least => ("below lower", least),
            _ if number > largest => ("above upper", largest),
            _ => return Ok(()),
        };
        Err(match self.refusal {
            Refusal::OfItsKind => Complaint::quoting("", number.to_string(), format!(" is {bound} bound ({limit})")),
            Refusal::Invalid(name) => invalid(name, number),
            Refusal::Sets => {
                let before = format!("[{section}] section sets invalid {} (", self.name);
                Complaint::quoting(before, number.to_string(), ")")
            }
        })
    }

    /// The field of a process in which its value is kept.
    pub fn of_process(&self) -> Option<&Field<Process>> {
        if let KeptIn::Process(field) = &self.kept_in { Some(field) } else { None }
    }
}

fn invalid(name: &str, value: impl ToString) -> Complaint {
    Complaint::quoting(format!("Invalid {name} value "), value.to_string(), "")
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
pub const TABLE: &[OptionSpec] = &rows::ROWS;

#[cfg(test)]
pub(crate) use rows::aliased;

#[cfg(test)]
mod tests;
