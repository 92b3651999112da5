//! The additional information in the event of a state change.

use std::fmt;

/// Additional information about a state change. Its text ends the payload of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDetail {
    /// No information.
    None,
    /// How many attempts to start have failed in a row.
    Tries(i64),
    /// The process id of the child; 0 if there is none.
    Pid(u32),
    /// The child exited by itself.
    Exit {
        /// Whether the exit status is expected.
        expected: bool,
        /// The process id of the child.
        pid: u32,
    },
}

impl fmt::Display for StateDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateDetail::None => Ok(()),
            StateDetail::Tries(tries) => write!(f, "tries:{tries}"),
            StateDetail::Pid(pid) => write!(f, "pid:{pid}"),
            StateDetail::Exit { expected, pid } => write!(f, "expected:{} pid:{pid}", u8::from(*expected)),
        }
    }
}
