//! The socket of systemd's journal, which takes entries as datagrams, or in memory files where they are too long for that.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::{passing, system};

/// Where the journal listens.
pub const JOURNAL: &str = "/run/systemd/journal/socket";

/// A socket that sends to the journal.
#[derive(Debug)]
pub struct JournalSocket {
    socket: UnixDatagram,
}

impl JournalSocket {
    /// Connects to the journal at a path. An entry may wait for so long until it is taken.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(path: &Path, limit: Duration) -> io::Result<JournalSocket> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(limit))?;
        socket.connect(path)?;
        Ok(JournalSocket { socket })
    }

    /// Sends one entry.
    ///
    /// # Errors
    /// `WouldBlock` where the journal does not take it in time; others where there is none any more.
    pub fn send(&self, entry: &[u8]) -> io::Result<()> {
        match self.socket.send(entry) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS)) => self.send_file(entry),
            Err(error) => Err(error),
        }
    }

    /// The journal takes the content of a memory file that nobody can change any more, behind an empty message.
    fn send_file(&self, entry: &[u8]) -> io::Result<()> {
        let file = system::sealed_content(entry)?;
        passing::send(self.socket.as_fd(), &[], &[file.as_fd()])
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn short_entries_are_datagrams_and_long_ones_memory_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        assert!(JournalSocket::connect(&path, LIMIT).is_err());
        let journal = UnixDatagram::bind(&path).unwrap();
        let socket = JournalSocket::connect(&path, LIMIT).unwrap();
        let mut buffer = [0; 64];
        socket.send(b"MESSAGE=short\n").unwrap();
        let (length, files) = passing::receive(journal.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..length], files.len()), (&b"MESSAGE=short\n"[..], 0));
        let long = [&b"MESSAGE="[..], &[b'x'; 4 << 20], b"\n"].concat();
        socket.send(&long).unwrap();
        let (length, mut files) = passing::receive(journal.as_fd(), &mut buffer).unwrap();
        assert_eq!((length, files.len()), (0, 1));
        let mut file = File::from(files.remove(0));
        let mut content = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut content).unwrap();
        assert!(content == long);
        assert!(file.write_all(b"x").is_err() && file.set_len(3).is_err(), "nobody can change it");
    }
}
