//! What the daemon and its keeper say to each other.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The longest message, in bytes; a path of a socket is far shorter.
pub(super) const LONGEST: usize = 16 << 10;

/// Whose descriptor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The daemon's own.
    Daemon,
    /// That of a run of a child.
    Run(u64),
    /// That of a FastCGI socket.
    Socket(u64),
    /// What tells that the child of a run is ready, which is closed before the others of the run.
    Readiness(u64),
}

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// The writing end of a child's stdin.
    Stdin,
    /// The reading end of a child's stdout.
    Stdout,
    /// The reading end of a child's stderr.
    Stderr,
    /// A handle on a child, which tells when it has ended.
    Handle,
    /// A socket that listens.
    Listener,
    /// The state.
    State,
    /// The process ids of children that are being made.
    PidSlots,
    /// Bytes on their way to a log.
    Transit,
    /// Where bytes come out of the pipe before them.
    TransitPipe,
    /// Where they go into that pipe.
    TransitEntry,
    /// The reading end of a pipe into which a child writes when it is ready.
    Ready,
    /// The socket on which programs notify the daemon.
    Notifications,
    /// The last output of streams whose logs are no files.
    OutputMemory,
}

impl Role {
    /// All.
    pub const ALL: [Role; 13] = [
        Role::Stdin,
        Role::Stdout,
        Role::Stderr,
        Role::Handle,
        Role::Listener,
        Role::State,
        Role::PidSlots,
        Role::Transit,
        Role::TransitPipe,
        Role::TransitEntry,
        Role::Ready,
        Role::Notifications,
        Role::OutputMemory,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Stdin => "stdin",
            Role::Stdout => "stdout",
            Role::Stderr => "stderr",
            Role::Handle => "handle",
            Role::Listener => "listener",
            Role::State => "state",
            Role::PidSlots => "pids",
            Role::Transit => "transit",
            Role::TransitPipe => "pipe",
            Role::TransitEntry => "entry",
            Role::Ready => "ready",
            Role::Notifications => "notifications",
            Role::OutputMemory => "memory",
        }
    }
}

/// A descriptor that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose.
    pub owner: Owner,
    /// What for.
    pub role: Role,
}

/// A message. Descriptors travel beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Keep these descriptors, one for each name, in place of earlier ones.
    Keep(Vec<Name>),
    /// Close everything of these owners.
    Forget(Vec<Owner>),
    /// Listen here, at this path, once the daemon has gone.
    Listen(PathBuf),
    /// Nothing is needed any more.
    End,
    /// To the daemon: that was all, from the keeper with this process id.
    All(u32),
    /// To the daemon: there was no room for the descriptors of a message.
    NoRoom,
}

impl Message {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Message::Keep(names) => {
                let names = names.iter().flat_map(|name| [&name.owner.encode()[..], &[name.role as u8]].concat());
                std::iter::once(1).chain(names).collect()
            }
            Message::Forget(owners) => {
                std::iter::once(2).chain(owners.iter().flat_map(|owner| owner.encode())).collect()
            }
            Message::Listen(path) => [&[3], path.as_os_str().as_bytes()].concat(),
            Message::End => vec![4],
            Message::All(pid) => [&[5][..], &pid.to_le_bytes()].concat(),
            Message::NoRoom => vec![6],
        }
    }

    /// The message; none where it is none of ours.
    pub fn decode(text: &[u8]) -> Option<Message> {
        let (kind, rest) = text.split_first()?;
        Some(match kind {
            1 => Message::Keep(rest.chunks(Owner::LENGTH + 1).map(Name::decode).collect::<Option<_>>()?),
            2 => Message::Forget(rest.chunks(Owner::LENGTH).map(Owner::decode).collect::<Option<_>>()?),
            3 => Message::Listen(OsString::from_vec(rest.to_vec()).into()),
            4 => Message::End,
            5 => Message::All(u32::from_le_bytes(rest.try_into().ok()?)),
            6 => Message::NoRoom,
            _ => return None,
        })
    }
}

impl Name {
    fn decode(text: &[u8]) -> Option<Name> {
        let (role, owner) = text.split_last()?;
        Some(Name { owner: Owner::decode(owner)?, role: *Role::ALL.get(usize::from(*role))? })
    }
}

impl Owner {
    const LENGTH: usize = 9;

    /// Its kind, and its number among those of the kind. They sort as owners do.
    pub(super) fn parts(self) -> (u8, u64) {
        match self {
            Owner::Daemon => (0, 0),
            Owner::Run(number) => (1, number),
            Owner::Socket(number) => (2, number),
            Owner::Readiness(number) => (3, number),
        }
    }

    /// The owner with these parts.
    pub(super) fn from_parts(kind: u8, number: u64) -> Option<Owner> {
        match kind {
            0 => Some(Owner::Daemon),
            1 => Some(Owner::Run(number)),
            2 => Some(Owner::Socket(number)),
            3 => Some(Owner::Readiness(number)),
            _ => None,
        }
    }

    fn encode(self) -> [u8; Owner::LENGTH] {
        let (kind, number) = self.parts();
        let mut text = [kind; Owner::LENGTH];
        text[1..].copy_from_slice(&number.to_le_bytes());
        text
    }

    fn decode(text: &[u8]) -> Option<Owner> {
        let (kind, number) = text.split_first()?;
        Owner::from_parts(*kind, u64::from_le_bytes(number.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_understood_as_they_were_meant() {
        let owners = vec![Owner::Daemon, Owner::Run(u64::MAX), Owner::Socket(7)];
        let names = owners.iter().zip(Role::ALL).map(|(owner, role)| Name { owner: *owner, role }).collect();
        let messages = [
            Message::Keep(names),
            Message::Keep(Vec::new()),
            Message::Forget(owners),
            Message::Listen("/run/a b\n".into()),
            Message::End,
            Message::All(1234),
            Message::NoRoom,
        ];
        for message in messages {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        for (number, role) in (0..).zip(Role::ALL) {
            assert_eq!(role as usize, number);
        }
    }

    #[test]
    fn anything_else_is_no_message() {
        for text in [&[][..], &[0], &[9], &[1, 2], &[2, 1, 2, 3], &[2, 9, 0, 0, 0, 0, 0, 0, 0, 0], &[1; 12]] {
            assert_eq!(Message::decode(text), None, "{text:?}");
        }
    }
}
