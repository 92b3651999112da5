//! The socket on which programs notify the daemon, as they notify systemd. It exists once a program needs it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mio::{Interest, Registry};
use supervisord_config::model::LogLevel;
use supervisord_core::notification::{LONGEST_NOTIFICATION, Notification};
use supervisord_sys::notification_socket::{Datagram, NotificationSocket};

use super::tokens::NOTIFICATIONS;
use crate::activity::Activity;
use crate::descriptor::register;
use crate::output::RunId;

/// How many datagrams are taken in one turn of the loop, so that a flood cannot hold it.
const MOST_AT_ONCE: usize = 64;

/// How many datagrams may wait for the supervisor; all others wait in the socket.
const MOST_WAITING: usize = 1024;

/// The socket and what has come out of it.
#[derive(Default)]
pub(super) struct Notifications {
    socket: Option<NotificationSocket>,
    is_watched: bool,
    waiting: VecDeque<Notified>,
    /// Datagrams that count for nobody.
    ignored: u64,
}

/// A datagram that counts for a program.
pub(super) struct Notified {
    pub(super) run: RunId,
    pub(super) notification: Notification,
    /// Closing them tells the sender that everything before has been handled (`BARRIER=1`).
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Notifications {
    /// Opens the socket where there is none. Whoever is to hold it as well gets it then.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(&mut self, keep: impl FnOnce(BorrowedFd<'_>)) -> io::Result<()> {
        if self.socket.is_none() {
            let socket = NotificationSocket::open()?;
            keep(socket.as_fd());
            self.socket = Some(socket);
        }
        Ok(())
    }

    /// The address for the environment of a program, once the socket has been opened.
    pub(super) fn address(&self) -> Option<&str> {
        self.socket.as_ref().map(NotificationSocket::address)
    }

    /// Goes on with the socket of the daemon before.
    pub(super) fn resume(&mut self, socket: Option<OwnedFd>) {
        self.socket = socket.and_then(|socket| NotificationSocket::from_passed(socket).ok());
    }

    /// The socket, for whoever goes on.
    pub(super) fn into_socket(self) -> Option<OwnedFd> {
        self.socket.map(OwnedFd::from)
    }

    /// The socket, if there is one.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Has the loop watch the socket, once there is one.
    pub(super) fn watch(&mut self, registry: &Registry) {
        if let Some(socket) = self.socket.as_ref().filter(|_| !self.is_watched) {
            self.is_watched = register(registry, socket, NOTIFICATIONS, Interest::READABLE).is_ok();
        }
    }

    /// The first datagram that waits.
    pub(super) fn next(&mut self) -> Option<Notified> {
        self.waiting.pop_front()
    }

    /// Takes datagrams out of the socket. `program_of` tells for which program a process speaks. False where more may be there.
    pub(super) fn collect(&mut self, program_of: impl Fn(u32) -> Option<RunId>, activity: &Activity) -> bool {
        let Some(socket) = &self.socket else { return true };
        let mut buffer = [0; LONGEST_NOTIFICATION];
        for _ in 0..MOST_AT_ONCE {
            if self.waiting.len() >= MOST_WAITING {
                return false;
            }
            let datagram = match socket.receive(&mut buffer) {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Nothing is left; or the system lacks something, and tries to read again with the next datagram.
                Err(_) => return true,
            };
            let Datagram { length, is_whole, pid, uid, descriptors } = datagram;
            match program_of(pid).filter(|_| is_whole) {
                Some(run) => {
                    let notification = Notification::parse(buffer.get(..length).unwrap_or_default());
                    self.waiting.push_back(Notified { run, notification, descriptors });
                }
                None => {
                    self.ignored += 1;
                    // Not each one, because anybody may send them.
                    if self.ignored.is_power_of_two() {
                        let why =
                            if is_whole { "it belongs to no program that runs" } else { "its message is too long" };
                        let text = format!(
                            "ignored a notification of process {pid} (user {uid}): {why} ({} so far)",
                            self.ignored
                        );
                        activity.log(LogLevel::Warn, &text);
                    }
                }
            }
        }
        false
    }
}
