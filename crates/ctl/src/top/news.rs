//! What changes what is shown.

use serde_json::Value;

use super::target::Target;
use crate::client::ProgramStatus;

/// Something that changes what is shown.
pub enum News {
    /// Bytes from the terminal.
    Keys(Vec<u8>),
    /// The terminal is closed.
    InputEnded,
    /// The terminal has another size.
    Resized,
    /// Ctrl-C from outside.
    Interrupted,
    /// All programs as they are now.
    Programs(Vec<ProgramStatus>),
    /// What they use, as the daemon counts it.
    Usage(Value),
    /// The daemon does not answer; the reason.
    Lost(String),
    /// What came of an action.
    Done {
        /// The words for it.
        text: String,
        /// Whether it failed.
        is_failure: bool,
    },
    /// More of one program.
    Details(Details),
}

/// What is shown of one program.
pub struct Details {
    /// The program and its stream.
    pub target: Target,
    /// Why it is in its state, as lines.
    pub why: Vec<String>,
    /// The end of the log, or why there is none.
    pub log: Result<String, String>,
}
