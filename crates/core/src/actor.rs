//! Who asks for something, which way, and what they may ask for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use supervisord_config::pyrepr::repr;

use crate::refusal::{Reason, Refusal};
use crate::scope::ProgramScope;

/// What somebody may do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read the state of the processes and of the daemon, and the logs.
    View,
    /// Start, stop and signal processes, write to their stdin and clear their logs.
    Operate,
    /// Change which processes are supervised, control the daemon itself and read secrets of the configuration.
    Administer,
}

/// Who asks for something. A copy shares the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user name, if a password, a token or the system proved it; none where the server asks for nothing.
    pub name: Option<Arc<str>>,
    /// For whom the user says to ask: an agent of a fleet passes on what somebody else wants. Nothing proves it but the user.
    pub on_behalf_of: Option<Arc<str>>,
    /// The interface that was used.
    pub way: Way,
    /// The highest right; none for an actor who may do nothing.
    pub right: Option<Right>,
    /// The programs that exist for the actor.
    pub programs: ProgramScope,
}

/// An interface, with the client at its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// XML-RPC.
    Rpc(ClientPeer),
    /// The web page.
    Page(ClientPeer),
    /// The JSON API.
    Json(ClientPeer),
    /// A log that is sent as it grows.
    LogStream(ClientPeer),
    /// A plug-in of the daemon.
    PlugIn,
    /// The service manager that has started the daemon.
    ServiceManager,
}

/// A client of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPeer {
    /// On the inet server.
    Inet(SocketAddr),
    /// On the unix server, with the user and process that opened the connection, where the system tells.
    Unix { uid: Option<u32>, pid: Option<i32> },
}

impl Actor {
    /// A plug-in, which may do everything: the configuration of the daemon names its code.
    pub const fn plug_in() -> Actor {
        Actor {
            name: None,
            on_behalf_of: None,
            way: Way::PlugIn,
            right: Some(Right::Administer),
            programs: ProgramScope::All,
        }
    }

    /// The service manager that has started the daemon, which may do everything: it sends a signal.
    pub fn service_manager() -> Actor {
        Actor { way: Way::ServiceManager, ..Actor::plug_in() }
    }

    /// Refuses what needs a right that this actor does not have.
    pub fn check(&self, needed: Right) -> Result<(), Refusal> {
        if self.right >= Some(needed) {
            return Ok(());
        }
        Err(Refusal::with(Reason::NotPermitted, format_args!("{self} may not {needed}")))
    }

    /// Refuses what is about the daemon as a whole to an actor for whom only some programs exist.
    pub fn check_all_programs(&self, needed: Right) -> Result<(), Refusal> {
        self.check(needed)?;
        if self.programs.is_all() {
            return Ok(());
        }
        let text = format_args!("{self} may not {needed} more than some programs");
        Err(Refusal::with(Reason::NotPermitted, text))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Right::View => "view",
            Right::Operate => "operate",
            Right::Administer => "administer",
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (interface, client) = match self.way {
            Way::PlugIn => return f.write_str("a plug-in"),
            Way::ServiceManager => return f.write_str("the service manager"),
            Way::Rpc(client) => ("XML-RPC", client),
            Way::Page(client) => ("the web page", client),
            Way::Json(client) => ("the JSON API", client),
            Way::LogStream(client) => ("a log stream", client),
        };
        match &self.name {
            Some(name) => write!(f, "user {}", repr(name))?,
            None => f.write_str("a client")?,
        }
        if let Some(other) = &self.on_behalf_of {
            write!(f, " on behalf of {}", repr(other))?;
        }
        write!(f, " via {interface} from {client}")
    }
}

impl fmt::Display for ClientPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientPeer::Inet(address) => write!(f, "{address}"),
            ClientPeer::Unix { uid, pid } => {
                f.write_str("the unix socket")?;
                uid.iter().try_for_each(|uid| write!(f, ", uid {uid}"))?;
                pid.iter().try_for_each(|pid| write!(f, ", pid {pid}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_includes_the_lesser_ones() {
        let may = |right: Option<Right>, needed| Actor { right, ..Actor::plug_in() }.check(needed).is_ok();
        assert!(may(Some(Right::Administer), Right::Operate) && may(Some(Right::Operate), Right::View));
        assert!(!may(Some(Right::View), Right::Operate) && !may(Some(Right::Operate), Right::Administer));
        assert!(!may(None, Right::View));
    }

    #[test]
    fn a_refusal_says_who_may_not_do_what() {
        let way = Way::Page(ClientPeer::Unix { uid: Some(1000), pid: Some(42) });
        let actor = Actor { name: Some("eve".into()), way, right: Some(Right::View), ..Actor::plug_in() };
        let text = "user 'eve' via the web page from the unix socket, uid 1000, pid 42 may not operate";
        assert_eq!(actor.check(Right::Operate), Err(Refusal::with(Reason::NotPermitted, text)));
        let actor = Actor { name: None, way: Way::Rpc(ClientPeer::Inet(([127, 0, 0, 1], 80).into())), ..actor };
        assert_eq!(actor.to_string(), "a client via XML-RPC from 127.0.0.1:80");
        let agent = Actor { name: Some("fleet".into()), on_behalf_of: Some("ann".into()), ..actor };
        assert_eq!(agent.to_string(), "user 'fleet' on behalf of 'ann' via XML-RPC from 127.0.0.1:80");
    }
}
