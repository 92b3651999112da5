//! A log that is not a regular file: a FIFO, a terminal, a socket, a device, an inherited descriptor.
//!
//! Nothing here ever waits. What the other end does not take at once stands in a bounded queue; while that is long,
//! the streams that feed it are not read, so that a slow reader loses nothing. A reader that takes nothing at all for
//! a second counts as gone: from then on the streams are read again and what does not fit is dropped and counted. A
//! policy decides otherwise: to wait for ever, or never.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use supervisord_config::model::WhenBlocked;
use supervisord_sys::{fd, sink};

use super::loss::Loss;
use super::torn_line::{self, TornLine};
use super::waiting_output::{ALL_IS_FULL, Overflow, WaitingOutput, is_room_scarce};

/// From this many waiting bytes on, streams that feed the log are not read.
const CONGESTED: usize = 64 << 10;
/// How long a reader may take nothing before it counts as gone.
const READER_TIMEOUT: Duration = Duration::from_secs(1);
/// The most bytes written at once to a descriptor that would make us wait: as many as a pipe that has room always takes.
const GUARDED_PIECE: usize = 4096;

/// How bytes get out.
#[derive(Debug)]
pub(super) enum Outlet {
    /// A file that never makes the writer wait.
    File(File),
    /// A socket.
    Socket(OwnedFd),
    /// An inherited descriptor of a regular file, which was perhaps not opened for appending.
    SharedFile(File),
    /// An inherited descriptor that makes the writer wait and that cannot be changed, because other processes share it.
    Shared(File),
}

/// An open log of this kind.
#[derive(Debug)]
pub(super) struct StreamLog {
    outlet: Outlet,
    waiting: WaitingOutput,
    policy: Option<WhenBlocked>,
    torn: TornLine,
    is_watched: bool,
    /// When the other end last took something, or the queue began.
    progress: Instant,
    is_given_up: bool,
}

impl StreamLog {
    pub fn new(outlet: Outlet) -> StreamLog {
        let waiting = WaitingOutput::default();
        StreamLog {
            outlet,
            waiting,
            policy: None,
            torn: TornLine::default(),
            is_watched: false,
            progress: Instant::now(),
            is_given_up: false,
        }
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.outlet {
            Outlet::File(file) | Outlet::SharedFile(file) | Outlet::Shared(file) => file.as_fd(),
            Outlet::Socket(socket) => socket.as_fd(),
        }
    }

    /// Whether something waits for the other end.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether those who feed it should wait.
    pub fn is_congested(&self) -> bool {
        let is_long = |length: usize| length >= CONGESTED || (length > 0 && is_room_scarce());
        is_long(self.waiting.len())
            && match self.policy {
                None => !self.is_given_up,
                Some(policy) => policy == WhenBlocked::Block,
            }
    }

    /// When the other end will count as gone if it takes nothing until then.
    pub fn deadline(&self) -> Option<Instant> {
        (self.is_behind() && !self.is_given_up && self.policy.is_none()).then(|| self.progress + READER_TIMEOUT)
    }

    /// Stops waiting for an end that has taken nothing for too long. True when that is so.
    pub fn give_up_if_due(&mut self, now: Instant) -> bool {
        self.is_given_up |= self.deadline().is_some_and(|deadline| deadline <= now);
        self.is_given_up
    }

    /// What happens to what the other end does not take.
    pub fn set_policy(&mut self, policy: Option<WhenBlocked>) {
        (self.policy, self.progress) = (policy, Instant::now());
        self.torn.follow_policy(policy);
    }

    /// Writes `bytes`, or lets them wait.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Loss> {
        let torn = self.torn.take_rest(bytes);
        let mut rest = &bytes[torn..];
        while self.waiting.is_empty() && !rest.is_empty() {
            match self.outlet.write(rest) {
                Ok(count) => {
                    self.waiting.passed(&rest[..count]);
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Loss::new(rest.len(), &error)),
            }
        }
        if !rest.is_empty() && self.waiting.is_empty() {
            self.progress = Instant::now();
        }
        let Overflow { lost, is_of_all } = self.waiting.push(rest, self.policy);
        self.torn.note_loss(rest, lost, self.policy);
        match lost + torn {
            0 => Ok(()),
            torn if lost == 0 => Err(Loss::new(torn, &torn_line::REASON)),
            lost if is_of_all => Err(Loss::new(lost, &ALL_IS_FULL)),
            lost => Err(Loss::new(lost, &"nobody reads it")),
        }
    }

    /// Writes what waits, as far as the other end takes it.
    pub fn flush(&mut self) -> Result<(), Loss> {
        while !self.waiting.is_empty() {
            match self.outlet.write(self.waiting.oldest()) {
                Ok(count) => {
                    self.waiting.written(count);
                    self.progress = Instant::now();
                    self.is_given_up = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Loss::new(self.give_up_waiting(), &error)),
            }
        }
        Ok(())
    }

    /// Forgets what waits; the answer is how many bytes that were.
    pub fn give_up_waiting(&mut self) -> usize {
        self.waiting.give_up()
    }

    /// Has the loop tell when the other end takes something again, exactly while something waits.
    pub fn watch(&mut self, token: Token, registry: &Registry) -> io::Result<()> {
        if self.is_watched == self.is_behind() {
            return Ok(());
        }
        let number = self.fd().as_raw_fd();
        if self.is_watched {
            registry.deregister(&mut SourceFd(&number))?;
        } else {
            registry.register(&mut SourceFd(&number), token, Interest::WRITABLE)?;
        }
        self.is_watched = !self.is_watched;
        Ok(())
    }
}

impl Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self {
            Outlet::File(file) => file.write(bytes),
            Outlet::SharedFile(file) => sink::append_once(file.as_fd(), bytes),
            Outlet::Socket(socket) => sink::send_now(socket.as_fd(), bytes),
            Outlet::Shared(file) if fd::poll_writable(file.as_fd(), Duration::ZERO)? => {
                file.write(&bytes[..bytes.len().min(GUARDED_PIECE)])
            }
            Outlet::Shared(_) => Err(ErrorKind::WouldBlock.into()),
        };
        match written {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => self.write(bytes),
            written => written,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::super::waiting_output::FULL;
    use super::*;

    /// Output comes in pieces that end anywhere.
    #[test]
    fn the_newest_lines_are_lost_as_a_whole_wherever_pieces_end() {
        let (writer, mut reader) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        reader.set_nonblocking(true).unwrap();
        let mut log = StreamLog::new(Outlet::Socket(writer.into()));
        log.set_policy(Some(WhenBlocked::DropNewest));
        let lines: Vec<u8> = (0..1_500_000).flat_map(|number| format!("{number:06}\n").into_bytes()).collect();
        let (mut received, mut lost) = (Vec::new(), 0);
        let mut drain = |log: &mut StreamLog| {
            loop {
                let before = received.len();
                let _ = reader.read_to_end(&mut received);
                log.flush().unwrap();
                if received.len() == before && !log.is_behind() {
                    return;
                }
            }
        };
        for (round, part) in lines.chunks(FULL + FULL / 2 + 3).enumerate() {
            for piece in part.chunks(4096 + round) {
                lost += log.write(piece).map_or_else(|loss| loss.amount(), |()| 0);
            }
            drain(&mut log);
        }
        assert!(lost > FULL / 4, "{lost}");
        assert_eq!(received.len() + lost, lines.len());
        let text = String::from_utf8(received).unwrap();
        let torn = text.lines().find(|line| line.len() < 6 || line.len() > 7);
        assert_eq!(torn, None);
    }
}
