//! Which programs somebody may see and act on.

use std::sync::Arc;

use supervisord_config::program_patterns::ProgramPatterns;

use crate::event::{Event, ProcessName};

/// The programs that exist for somebody. All others are unknown names to him, whatever he asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProgramScope {
    /// Every program.
    #[default]
    All,
    /// Those that match.
    Matching(Arc<ProgramPatterns>),
}

impl ProgramScope {
    /// Whether it is every program.
    pub fn is_all(&self) -> bool {
        matches!(self, ProgramScope::All)
    }

    /// Whether a program is one of them.
    pub fn includes(&self, group: &str, process: &str) -> bool {
        match self {
            ProgramScope::All => true,
            ProgramScope::Matching(patterns) => patterns.includes(group, process),
        }
    }

    /// Whether some program of a group may be one of them.
    pub fn may_include_some_of(&self, group: &str) -> bool {
        match self {
            ProgramScope::All => true,
            ProgramScope::Matching(patterns) => patterns.may_include_some_of(group),
        }
    }

    /// Whether an event is about one of them, or about the daemon itself. What programs and clients send is for listeners.
    pub fn includes_event(&self, event: &Event) -> bool {
        match event {
            Event::ProcessState { process: ProcessName { group, process }, .. }
            | Event::ProcessHealth { process: ProcessName { group, process }, .. }
            | Event::HookFailed { process: ProcessName { group, process }, .. }
            | Event::OutputLost { process: ProcessName { group, process }, .. } => self.includes(group, process),
            Event::ProcessGroupAdded(group) | Event::ProcessGroupRemoved(group) => self.may_include_some_of(group),
            Event::SupervisorState(_) | Event::Tick { .. } => true,
            Event::ProcessLog(_) | Event::ProcessCommunication(_) | Event::RemoteCommunication { .. } => self.is_all(),
        }
    }
}
