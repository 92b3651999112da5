//! Names, numbers and formats shared by both ends of every connection.
//!
//! Nothing here decides anything: a state has a code and a name, a fault has a number and a text, an
//! event has a place in a tree, and a value has one spelling in XML-RPC.

pub mod channel;
pub mod event;
pub mod fault;
pub mod harmless;
pub mod info;
pub mod listener;
pub mod name;
pub mod number;
pub mod plugin;
pub mod state;
pub mod value;
pub mod xmlrpc;

/// The version of the XML-RPC interface, as `supervisor.getAPIVersion` answers it.
pub const API_VERSION: &str = "3.0";

/// The version of Supervisor whose behaviour this product offers; `getSupervisorVersion`, `supervisord -v`
/// and `supervisorctl version` answer it, because deployed clients compare it.
pub const SUPERVISOR_VERSION: &str = "4.3.0";
