//! What is done, and to which program.

use supervisord_wire::name::namespec;

use crate::client::Channel;

/// Something that is done to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Start,
    Stop,
    Restart,
    /// SIGHUP.
    HangUp,
    ClearLogs,
    Disable,
    Enable,
    /// One process more of its program.
    ScaleUp,
    /// One process fewer of its program: the last one.
    ScaleDown,
}

impl Action {
    /// The word for it in a question.
    pub fn word(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::HangUp => "send SIGHUP to",
            Action::ClearLogs => "clear the logs of",
            Action::Disable => "disable",
            Action::Enable => "enable",
            Action::ScaleUp => "add a process to the program of",
            Action::ScaleDown => "take the last process from the program of",
        }
    }

    /// Whether something may end by it, or be lost: then it is asked first.
    pub fn is_asked(self) -> bool {
        !matches!(self, Action::Start | Action::Enable | Action::ScaleUp)
    }

    /// The word for its success.
    pub fn done(self) -> &'static str {
        match self {
            Action::Start => "started",
            Action::Stop => "stopped",
            Action::Restart => "restarted",
            Action::HangUp => "signalled",
            Action::ClearLogs => "cleared",
            Action::Disable => "disabled",
            Action::Enable => "enabled",
            Action::ScaleUp | Action::ScaleDown => "scaled",
        }
    }
}

/// A program, and the stream whose end is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub group: String,
    pub name: String,
    pub channel: Channel,
}

impl Target {
    /// The name by which clients know the program.
    pub fn namespec(&self) -> String {
        namespec(&self.group, &self.name)
    }
}
