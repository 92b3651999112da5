//! Who asks for something, which way, and what they may ask for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::refusal::{Reason, Refusal};

/// What somebody may do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// See what there is.
    View,
    /// Start, stop and signal processes, and what else concerns processes as they are configured.
    Operate,
    /// Change what is supervised and the daemon itself.
    Administer,
}

/// Somebody who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user name that was proved; none where nobody is asked for one.
    pub name: Option<Arc<str>>,
    /// The interface that was used.
    pub way: Way,
    /// What may be asked for.
    pub right: Right,
}

/// An interface, with the client at its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A remote procedure call.
    Rpc(Client),
    /// The web page.
    Page(Client),
    /// The JSON API.
    Json(Client),
    /// A plug-in of the daemon.
    PlugIn,
}

/// A client of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// On the inet server.
    Inet(SocketAddr),
    /// On the unix server, with the user and process that opened the connection, where the system tells.
    Unix { uid: Option<u32>, pid: Option<i32> },
}

impl Actor {
    /// A plug-in: its code is the daemon's own.
    pub fn plug_in() -> Actor {
        Actor { name: None, way: Way::PlugIn, right: Right::Administer }
    }

    /// Refuses what needs a right that this actor does not have.
    pub fn check(&self, needed: Right) -> Result<(), Refusal> {
        if self.right >= needed {
            return Ok(());
        }
        Err(Refusal::with(Reason::NotPermitted, format_args!("{self} may not {needed}")))
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
        if let Some(name) = &self.name {
            write!(f, "user '{name}' ")?;
        }
        match self.way {
            Way::Rpc(client) => write!(f, "by XML-RPC from {client}"),
            Way::Page(client) => write!(f, "by the web page from {client}"),
            Way::Json(client) => write!(f, "by the JSON API from {client}"),
            Way::PlugIn => f.write_str("a plug-in"),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::Inet(address) => write!(f, "{address}"),
            Client::Unix { uid, pid } => {
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
        let actor = |right| Actor { right, ..Actor::plug_in() };
        let may = |right: Right, needed| actor(right).check(needed).is_ok();
        assert!(may(Right::Administer, Right::Operate) && may(Right::Operate, Right::View));
        assert!(!may(Right::View, Right::Operate) && !may(Right::Operate, Right::Administer));
    }

    #[test]
    fn a_refusal_says_who_may_not_do_what() {
        let way = Way::Page(Client::Unix { uid: Some(1000), pid: Some(42) });
        let actor = Actor { name: Some("eve".into()), way, right: Right::View };
        let text = "user 'eve' by the web page from the unix socket, uid 1000, pid 42 may not operate";
        assert_eq!(actor.check(Right::Operate), Err(Refusal::with(Reason::NotPermitted, text)));
    }
}
