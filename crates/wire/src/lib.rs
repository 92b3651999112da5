//! Names, numbers and formats that both ends of a connection share.
//!
//! This crate makes no decisions: a state has a code and a name, a fault a number and a text, an event type a parent,
//! and a value its representation in XML-RPC.

pub mod calendar;
pub mod channel;
pub mod event;
pub mod fault;
pub mod info;
pub mod listener;
pub mod name;
pub mod number;
pub mod plugin;
pub mod state;
pub mod terminal_text;
pub mod value;
pub mod xmlrpc;

/// The version of the XML-RPC interface, the result of `supervisor.getAPIVersion`.
pub const API_VERSION: &str = "3.0";

/// The version of Supervisor with which this product is compatible; `getSupervisorVersion`, `supervisord -v` and
/// `supervisorctl version` return it, because deployed clients compare it.
pub const SUPERVISOR_VERSION: &str = "4.3.0";
