//! The kinds of sections.

use self::SectionKind as S;

/// A kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    UnixHttpServer,
    InetHttpServer,
    User,
    Supervisord,
    RpcInterface,
    Supervisorctl,
    CtlPlugin,
    Program,
    FcgiProgram,
    EventListener,
    ProgramDefault,
    Template,
    Group,
    Include,
}

impl SectionKind {
    /// All kinds, in the order of the sample and the reference.
    pub const ALL: [SectionKind; 14] = [
        S::UnixHttpServer,
        S::InetHttpServer,
        S::User,
        S::Supervisord,
        S::RpcInterface,
        S::Supervisorctl,
        S::CtlPlugin,
        S::Program,
        S::FcgiProgram,
        S::EventListener,
        S::ProgramDefault,
        S::Template,
        S::Group,
        S::Include,
    ];

    /// The name of the section, or the part before the colon where there can be many.
    pub const fn word(self) -> &'static str {
        match self {
            S::UnixHttpServer => "unix_http_server",
            S::InetHttpServer => "inet_http_server",
            S::User => "user",
            S::Supervisord => "supervisord",
            S::RpcInterface => "rpcinterface",
            S::Supervisorctl => "supervisorctl",
            S::CtlPlugin => "ctlplugin",
            S::Program => "program",
            S::FcgiProgram => "fcgi-program",
            S::EventListener => "eventlistener",
            S::ProgramDefault => "program-default",
            S::Template => "template",
            S::Group => "group",
            S::Include => "include",
        }
    }

    /// What the section is for, in one or two lines.
    pub const fn describe(self) -> &'static str {
        match self {
            S::UnixHttpServer => {
                "A server on a unix socket. For further servers, add sections [unix_http_server:NAME]."
            }
            S::InetHttpServer => {
                "A server on a TCP port. Anyone who can connect can start and stop programs, and without TLS the password\n\
                 is sent in plain text: do not open it to a network you do not trust."
            }
            S::User => {
                "Somebody who may use the servers, with a role. With such a section, servers without username and password\n\
                 admit nobody else but root and the daemon's own user on the unix socket."
            }
            S::Supervisord => "The daemon itself.",
            S::RpcInterface => {
                "The XML-RPC interface, which supervisorctl and the web page need. Further interfaces have their own sections."
            }
            S::Supervisorctl => "The client supervisorctl. Its address must be that of one of the servers above.",
            S::CtlPlugin => "Plug-ins that add actions to supervisorctl.",
            S::Program => "A program to run; one section per program.",
            S::FcgiProgram => "A program that shares a FastCGI socket; it has all the options of [program:x] as well.",
            S::EventListener => "A program that is notified of events; it has all the options of [program:x] as well.",
            S::ProgramDefault => {
                "Default options of [program:x] for every program, event listener and FastCGI program."
            }
            S::Template => "Options of [program:x] for the programs with inherit=x.",
            S::Group => "Programs that are started and stopped together.",
            S::Include => {
                "Further files to read; relative paths count from this file. Their own [include] sections are not followed."
            }
        }
    }

    /// Whether the section is written with its bare name.
    const fn may_be_bare(self) -> bool {
        matches!(
            self,
            S::UnixHttpServer | S::InetHttpServer | S::Supervisord | S::Supervisorctl | S::ProgramDefault | S::Include
        )
    }

    /// Whether the section is written with a colon and a name of its own.
    const fn may_be_named(self) -> bool {
        !matches!(self, S::Supervisord | S::Supervisorctl | S::ProgramDefault | S::Include)
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
            S::FcgiProgram | S::EventListener | S::ProgramDefault | S::Template => Some(S::Program),
            _ => None,
        }
    }
}
