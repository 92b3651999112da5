//! The two output streams of a process, as named in paths, events and commands.

/// One of the two output streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    /// The stream with this name.
    pub fn from_name(name: &str) -> Option<Channel> {
        [Channel::Stdout, Channel::Stderr].into_iter().find(|channel| channel.name() == name)
    }
}
