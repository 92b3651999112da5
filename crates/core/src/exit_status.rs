//! How a child ended.

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this status, 0 to 255.
    Code(i32),
    /// A signal killed it.
    Signal {
        /// The signal.
        number: i32,
        /// Whether it left a core file.
        core_dumped: bool,
    },
    /// Any other status; the raw status word.
    Other(i32),
    /// Unknown: it was not our child any more when it ended.
    Unknown,
}

impl ExitStatus {
    /// The signal that killed it.
    pub fn signal(self) -> Option<i32> {
        match self {
            ExitStatus::Signal { number, .. } => Some(number),
            ExitStatus::Code(_) | ExitStatus::Other(_) | ExitStatus::Unknown => None,
        }
    }

    /// The number that clients see: the exit status, or -1 after a signal.
    pub fn number(self) -> i32 {
        match self {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal { .. } | ExitStatus::Other(_) | ExitStatus::Unknown => -1,
        }
    }
}
