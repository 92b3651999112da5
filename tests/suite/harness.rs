//! The harness of the tests.
//!
//! A [`scene::Scene`] describes files and a configuration; starting it for a [`subject::Subject`] gives a
//! [`daemon::Daemon`], which stops everything it started when it goes out of scope. [`compare::compare`] runs one
//! scene for every chosen subject and demands equal observations.

pub mod additions;
pub mod areas;
pub mod cargo;
pub mod command;
pub mod compare;
pub mod daemon;
pub mod http;
pub mod needs;
pub mod original;
pub mod processes;
pub mod programs;
pub mod python;
pub mod random;
pub mod reachable;
pub mod record;
pub mod redact;
pub mod rpc;
pub mod scene;
pub mod screen;
pub mod sources;
pub mod subject;
pub mod terminal;
pub mod wait;

pub use compare::{Observed, compare, compare_pairs, compare_refusal, compare_runs};
pub use daemon::Daemon;
pub use rpc::Value;
pub use scene::Scene;
pub use subject::{Program, Subject, differ, each_subject, only_ours};
