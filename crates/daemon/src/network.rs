//! The network plane: one thread that owns every connection and translates between clients and the supervisor.
//!
//! It decides nothing. Reads are answered from the [`View`]; everything else is a call to control.

use std::sync::Arc;

use supervisord_core::row::LocalTime;

use crate::activity::Activity;
use crate::calls::Calls;
use crate::host::ReadConfig;
use crate::plugins::Plugins;
use crate::view::View;

pub mod listen;
pub mod rpc;

mod access;
mod assets;
mod auth;
mod blocking;
mod connection;
mod file_end;
mod limits;
mod logs;
mod memory_budget;
mod origin;
mod page;
mod plane;
mod receive;
mod reply;
mod route;
mod service;
mod socket;
mod stop;

pub use blocking::{BlockingThreads, NotDone};
pub use limits::Limits;
pub use memory_budget::{MemoryBudget, Reservation};
pub use plane::{Kept, NetworkHandle, start, start_with};

/// What every request handler may use.
pub struct Context {
    /// The published state.
    pub view: Arc<View>,
    /// The way to control.
    pub calls: Calls,
    /// The activity log.
    pub activity: Activity,
    /// The path of the activity log that is being written; none with syslog.
    pub activity_file: Option<String>,
    /// Reads the configuration again; the error is the text of the fault. May block: run it off the thread.
    pub load_config: ReadConfig,
    /// Held from the beginning of a reading until its call is sent, so that an older one never overtakes a newer.
    pub loading: Arc<tokio::sync::Mutex<()>>,
    /// Threads for what may block.
    pub blocking: BlockingThreads,
    /// The memory that long answers share.
    pub answers: Arc<MemoryBudget>,
    /// What time it is.
    pub clock: Clock,
    /// The namespaces that exist besides `system`; `supervisor` among them when its section is present.
    pub namespaces: Vec<String>,
    /// The namespaces that are Python code; none for what a plug-in itself may call.
    pub plugins: Option<Arc<Plugins>>,
}

impl Context {
    /// The same daemon as a plug-in sees it: with the built-in namespaces only.
    pub fn without_plugins(&self) -> Context {
        Context {
            view: self.view.clone(),
            calls: self.calls.clone(),
            activity: self.activity.clone(),
            activity_file: self.activity_file.clone(),
            load_config: self.load_config.clone(),
            loading: self.loading.clone(),
            blocking: self.blocking.clone(),
            answers: self.answers.clone(),
            clock: self.clock,
            namespaces: vec!["supervisor".to_owned()],
            plugins: None,
        }
    }
}

/// The wall clock, as people read it.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Seconds since the epoch.
    pub now: fn() -> i64,
    /// Calendar fields of a time in seconds since the epoch, where the daemon is.
    pub local: fn(i64) -> LocalTime,
}

#[cfg(test)]
mod tests;
