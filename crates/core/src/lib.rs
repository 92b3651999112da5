//! Every decision of the supervisor, without a clock, a file descriptor or a thread.

pub mod activity_line;
pub mod actor;
pub mod audit;
pub mod auto_log;
pub mod call;
pub mod dependencies;
pub mod event;
pub mod event_queue_counts;
mod exit_status;
pub mod health;
pub mod history;
pub mod json_text;
pub mod last_request;
pub mod logread;
pub mod notification;
pub mod output;
pub mod parallelism;
pub mod plan;
pub mod pool;
pub mod process;
pub mod program_counts;
mod random;
pub mod readiness_probe;
mod recipients;
mod refusal;
pub mod rotation;
pub mod row;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod scope;
mod start_order;
pub mod supervisor;
pub mod texts;
pub mod ticks;
pub mod time;
pub mod update_plan;
pub mod why;
