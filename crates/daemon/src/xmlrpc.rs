//! XML-RPC: the methods there are, what they take, and how answers look to their clients. No other module knows it.

mod config_info;
mod dispatcher;
mod encode;
mod failure;
mod methods;
mod multicall;
mod payload;
mod process_list;
mod read;
mod responder;
mod trace;

pub(crate) use encode::value;
pub use methods::Methods;
pub use process_list::ProcessList;
pub use responder::{Body, Document, Responder, Unanswered};
