//! The keeper: a small process beside the daemon that holds what the next daemon needs if this one is killed.
//!
//! It holds copies of descriptors (our ends of the pipes of all children, handles on the children, FastCGI sockets, the
//! state in a memory file) and nothing else: it reads no configuration, knows no program and decides nothing. While a
//! daemon is connected it only does what that daemon says. Once the daemon has gone, it listens at a socket beside the pid
//! file, gives copies of everything to the next daemon, and then serves that one. Therefore no child notices that a daemon
//! was killed: none of its pipes is ever without its other end.
//!
//! The protocol is one of messages, so that none is ever torn, on a local socket that only the same user may open. A
//! message of the daemon that was sent is done, even if the daemon is killed in the same moment.

mod client;
mod message;
mod store;
mod table;

pub use client::{Inheritance, Keeper, connect};
pub use message::{Name, Owner, Role};
pub use store::{ARGUMENT, run};
