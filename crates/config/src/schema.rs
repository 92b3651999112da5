//! The option table: every option of every section, once. Defaults, the reference, the explanations in the sample and the
//! warning about unknown options all come from here.

use self::Default::Required;
use self::Kind as K;
use self::SectionKind as S;

mod rows;

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

    /// The row of an option.
    pub fn option(self, name: &str) -> Option<&'static OptionSpec> {
        let find = |kind| TABLE.iter().find(|row| row.section == kind && row.name == name);
        find(self).or_else(|| find(self.base()?))
    }
}

/// What is written as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text that is nobody's business.
    Password,
    Integer,
    Boolean,
    ByteSize,
    Octal,
    LogLevel,
    Signal,
    ExitCodes,
    AutoRestart,
    Environment,
    /// Names separated by commas.
    Names,
    /// Names of events separated by commas.
    Events,
    Name,
    User,
    /// `user` or `user:group`.
    Owner,
    /// A directory that must exist.
    Directory,
    /// A file in a directory that must exist.
    File,
    /// A file, `AUTO`, `NONE` or `syslog`.
    ChildLog,
    InetAddress,
    /// `unix:///path` or `tcp://host:port`.
    Socket,
    Url,
    /// `package.module:attribute`.
    PythonName,
    /// Shell patterns separated by white space.
    Patterns,
}

impl Kind {
    /// A short description for reference pages.
    pub const fn describe(self) -> &'static str {
        match self {
            K::Text | K::Password => "text",
            K::Integer => "whole number",
            K::Boolean => "true or false",
            K::ByteSize => "bytes, with KB, MB or GB",
            K::Octal => "octal permission bits",
            K::LogLevel => "critical, error, warn, info, debug, trace or blather",
            K::Signal => "signal name or number",
            K::ExitCodes => "exit statuses, separated by commas",
            K::AutoRestart => "true, false or unexpected",
            K::Environment => "KEY=\"value\" pairs, separated by commas",
            K::Names => "names, separated by commas",
            K::Events => "event names, separated by commas",
            K::Name => "name",
            K::User => "user name or id",
            K::Owner => "user or user:group",
            K::Directory => "existing directory",
            K::File => "file in an existing directory",
            K::ChildLog => "file in an existing directory, AUTO or NONE",
            K::InetAddress => "PORT, *:PORT or HOST:PORT",
            K::Socket => "unix:///PATH or tcp://HOST:PORT",
            K::Url => "http://HOST:PORT or unix:///PATH",
            K::PythonName => "package.module:attribute",
            K::Patterns => "file patterns, separated by white space",
        }
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

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The kind of section it belongs to.
    pub section: SectionKind,
    /// Its name, lower case.
    pub name: &'static str,
    /// What is written as a value.
    pub kind: Kind,
    /// What holds where it is not written.
    pub default: Default,
    /// The version of Supervisor that introduced it.
    pub since: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

impl OptionSpec {
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
}

/// The table itself.
pub const TABLE: &[OptionSpec] = &rows::ROWS;

#[cfg(test)]
mod tests;
