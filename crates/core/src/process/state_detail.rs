//! What the event of a change of state tells besides the two states.

use std::fmt;

/// What is known about a change of state. Its text is the end of the payload of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDetail {
    /// Nothing.
    None,
    /// How many attempts to start have failed in a row.
    Tries(i64),
    /// The process id of the child; 0 where there is none.
    Pid(u32),
    /// The child has ended by itself.
    Exit {
        /// Whether the exit status is an expected one.
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
