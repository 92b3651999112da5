//! The last request about a process, for whoever asks why it is as it is.

use crate::texts;

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRequest {
    /// What was asked for.
    pub action: RequestedAction,
    /// Who asked, as the activity log names an actor, or why the daemon did it.
    pub by: String,
    /// When, in seconds since the epoch.
    pub at: i64,
}

/// What can be asked for of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedAction {
    /// To start it.
    Start,
    /// To stop it.
    Stop,
    /// To stop it and start it again.
    Restart,
    /// To read its configuration again.
    Reload,
    /// To send it this signal.
    Signal(i32),
}

impl RequestedAction {
    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            RequestedAction::Start => "start",
            RequestedAction::Stop => "stop",
            RequestedAction::Restart => "restart",
            RequestedAction::Reload => "reload",
            RequestedAction::Signal(_) => "signal",
        }
    }
}

impl std::fmt::Display for RequestedAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RequestedAction::Signal(number) => write!(f, "signal {}", texts::signal_name(*number)),
            RequestedAction::Start | RequestedAction::Stop | RequestedAction::Restart | RequestedAction::Reload => {
                f.write_str(self.word())
            }
        }
    }
}
