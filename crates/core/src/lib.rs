//! Every decision of the supervisor, without a clock, a file descriptor or a thread.

pub mod call;
pub mod output;
pub mod row;
