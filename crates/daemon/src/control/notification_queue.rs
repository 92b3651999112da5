//! The socket on which programs notify the daemon, as they notify systemd. It exists once a program needs it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use mio::{Interest, Registry};
use supervisord_config::model::LogLevel;
use supervisord_core::notification::{LONGEST_NOTIFICATION, Notification};
use supervisord_sys::notification_socket::{Datagram, NotificationSocket};

use super::foreign_descriptors::ForeignDescriptors;
use super::tokens::NOTIFICATIONS;
use super::tools::Tools;
use crate::blocking::BlockingThreads;
use crate::descriptor::register;
use crate::output::RunId;

/// How many datagrams are taken in one turn of the loop, so that a flood cannot hold it.
const MOST_AT_ONCE: usize = 64;

/// How many datagrams may wait for the supervisor; all others wait in the socket.
const MOST_WAITING: usize = 1024;

/// The socket and what has come out of it.
#[derive(Default)]
pub(super) struct Notifications {
    socket: Option<Arc<NotificationSocket>>,
    /// Those that came out of it.
    descriptors: Option<ForeignDescriptors>,
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
            self.take_socket(socket);
        }
        Ok(())
    }

    /// The address for the environment of a program, once the socket has been opened.
    pub(super) fn address(&self) -> Option<&str> {
        self.socket.as_ref().map(|socket| socket.address())
    }

    /// Goes on with the socket of the daemon before.
    pub(super) fn resume(&mut self, socket: Option<OwnedFd>) {
        if let Some(socket) = socket.and_then(|socket| NotificationSocket::from_passed(socket).ok()) {
            self.take_socket(socket);
        }
    }

    fn take_socket(&mut self, socket: NotificationSocket) {
        let socket = Arc::new(socket);
        self.descriptors = Some(ForeignDescriptors::new(socket.clone()));
        self.socket = Some(socket);
    }

    /// The socket, for whoever goes on.
    pub(super) fn into_socket(self) -> Option<OwnedFd> {
        // A thread may still be closing what came out of it.
        self.socket?.as_fd().try_clone_to_owned().ok()
    }

    /// The socket, if there is one.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(|socket| socket.as_fd())
    }

    /// Has the loop watch the socket, once there is one.
    pub(super) fn watch(&mut self, registry: &Registry) {
        if let Some(socket) = self.socket.as_ref().filter(|_| !self.is_watched) {
            self.is_watched = register(registry, &**socket, NOTIFICATIONS, Interest::READABLE).is_ok();
        }
    }

    /// Closes the descriptors that came with a datagram.
    pub(super) fn close(&self, descriptors: Vec<OwnedFd>, threads: &BlockingThreads) {
        if let Some(ours) = &self.descriptors {
            ours.close(descriptors, threads);
        }
    }

    /// The first datagram that waits.
    pub(super) fn next(&mut self) -> Option<Notified> {
        self.waiting.pop_front()
    }

    /// Takes datagrams out of the socket. `program_of` tells for which program a process speaks. False where more may be there.
    pub(super) fn collect(&mut self, program_of: impl Fn(u32) -> Option<RunId>, tools: &Tools) -> bool {
        let (Some(socket), Some(ours)) = (&self.socket, &self.descriptors) else { return true };
        let activity = &tools.activity;
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
            if !descriptors.is_empty() && ours.came(descriptors.len()) {
                let text = format!(
                    "process {pid} (user {uid}) has sent more descriptors with notifications than can be closed at once: no more \
                     are taken until they are closed"
                );
                activity.log(LogLevel::Warn, &text);
            }
            match program_of(pid).filter(|_| is_whole) {
                Some(run) => {
                    let notification = Notification::parse(buffer.get(..length).unwrap_or_default());
                    self.waiting.push_back(Notified { run, notification, descriptors });
                }
                None => {
                    ours.close(descriptors, &tools.closing);
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
