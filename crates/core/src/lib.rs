//! Every decision of the supervisor, without a clock, a file descriptor or a thread.

pub mod activity_line;
pub mod call;
pub mod config_info;
pub mod logread;
pub mod output;
pub mod rotation;
pub mod row;
pub mod rpc;
