//! The network plane: one thread that owns every connection and translates between clients and the supervisor.
//!
//! It decides nothing. Reads are answered from the [`View`]; everything else is a call to control.

use std::sync::Arc;

use supervisord_config::model::Config;

use crate::activity::Activity;
use crate::calls::Calls;
use crate::view::View;

pub mod rpc;

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
    pub load_config: Box<dyn Fn() -> Result<Config, String> + Send + Sync>,
    /// The namespaces that exist besides `system`; `supervisor` among them when its section is present.
    pub namespaces: Vec<String>,
}
