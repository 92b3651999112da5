//! The two streams a process writes, as paths, events and commands name them.

use serde::{Deserialize, Serialize};

/// One of the two streams a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

impl Channel {
    /// The name in log lines, events, paths and file names, and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Stdout => "stdout",
            Channel::Stderr => "stderr",
        }
    }

    /// The stream of this name.
    pub fn from_name(name: &str) -> Option<Channel> {
        [Channel::Stdout, Channel::Stderr].into_iter().find(|channel| channel.name() == name)
    }
}
