//! XML-RPC: the methods there are, and how outcomes look to their clients. No other module knows either.

mod config_info;
mod encode;
mod methods;

pub(crate) use config_info::all as config_info;
pub(crate) use encode::{fault, result};
pub use methods::Methods;
pub(crate) use methods::{Request, System, multicall_entry};
