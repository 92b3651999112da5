//! FastCGI sockets: opened for the first process that needs one, shared by its siblings, closed after the last.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use supervisord_config::model::{FastCgiSocket, LogLevel, SocketAddress};
use supervisord_core::supervisor::SpawnFailure;
use supervisord_sys::socket::{self, SocketError, SocketFileSpec};

use super::offload::{NoReply, Offload};
use crate::activity::Activity;
use crate::hand_over::HandedSocket;
use crate::state::Socket;

/// The open sockets, by group and address.
#[derive(Default)]
pub(super) struct Sockets {
    open: HashMap<(Arc<str>, String), Open>,
    /// The number the next one gets.
    next: u64,
}

/// An open socket, and the number under which it is kept for another daemon.
struct Open {
    descriptor: Arc<OwnedFd>,
    number: u64,
}

/// A socket for a process.
pub(super) struct Acquired {
    pub(super) descriptor: Arc<OwnedFd>,
    /// The same with what it is, where it has just been opened.
    pub(super) opened: Option<(Socket, Arc<OwnedFd>)>,
}

impl Sockets {
    /// The socket, opened where it is not; the error is the spawn error of the process.
    pub(super) fn acquire(
        &mut self,
        group: &Arc<str>,
        socket: &FastCgiSocket,
        activity: &Activity,
        offload: &mut Offload,
    ) -> Result<Acquired, SpawnFailure> {
        let key = (group.clone(), socket.url.clone());
        if let Some(open) = self.open.get(&key) {
            return Ok(Acquired { descriptor: open.descriptor.clone(), opened: None });
        }
        activity.log(LogLevel::Info, &format!("Creating socket {}", socket.url));
        let failed = |error: &dyn fmt::Display| format!("Could not create FastCGI socket {}: {error}", socket.url);
        let definition = socket.clone();
        let opened = offload.ask(&socket.url, move || Fresh::open(&definition));
        let opened = opened.map_err(|NoReply| SpawnFailure::Unanswered(failed(&"the system does not respond")))?;
        let fresh = opened.map_err(|error| SpawnFailure::Refused(failed(&error)))?;
        let descriptor = Arc::new(fresh.keep());
        let number = self.enter(key, descriptor.clone());
        let opened = Socket { number, group: group.to_string(), url: socket.url.clone() };
        Ok(Acquired { descriptor: descriptor.clone(), opened: Some((opened, descriptor)) })
    }

    fn enter(&mut self, key: (Arc<str>, String), descriptor: Arc<OwnedFd>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.insert(key, Open { descriptor, number });
        number
    }

    /// What is open.
    pub(super) fn described(&self) -> impl Iterator<Item = Socket> {
        self.open.iter().map(|((group, url), open)| Socket {
            number: open.number,
            group: group.to_string(),
            url: url.clone(),
        })
    }

    /// The descriptors by their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>)> {
        self.open.values().map(|open| (open.number, open.descriptor.as_fd()))
    }

    /// Closes a socket that no process holds any more, and removes its file unless somebody else listens there by now. Gives
    /// the number under which it was kept.
    pub(super) fn close(&mut self, group: &Arc<str>, url: &str, activity: &Activity) -> Option<u64> {
        let Open { descriptor, number } = self.open.remove(&(group.clone(), url.to_owned()))?;
        activity.log(LogLevel::Info, &format!("Closing socket {url}"));
        // The keeper closes its copy a little later.
        socket::stop_listening(&descriptor);
        drop(descriptor);
        if let Some(path) = url.strip_prefix("unix://") {
            remove_file(path);
        }
        Some(number)
    }

    /// Gives the open sockets to the next program.
    pub(super) fn hand_over(self) -> Vec<HandedSocket<OwnedFd>> {
        let open = self.open.into_iter();
        let handed = open.filter_map(|((group, url), Open { descriptor, number })| {
            Some(HandedSocket {
                group: group.to_string(),
                url,
                socket: Arc::into_inner(descriptor)?,
                number: Some(number),
            })
        });
        handed.collect()
    }

    /// Takes over the sockets of the program before.
    pub(super) fn resume(&mut self, sockets: Vec<HandedSocket<OwnedFd>>) {
        let numbers = sockets.iter().filter_map(|socket| socket.number);
        self.next = numbers.max().map_or(0, |last| last + 1);
        for HandedSocket { group, url, socket, number } in sockets {
            let (key, descriptor) = ((group.into(), url), Arc::new(socket));
            match number {
                Some(number) => drop(self.open.insert(key, Open { descriptor, number })),
                None => drop(self.enter(key, descriptor)),
            }
        }
    }
}

/// A socket that has just been opened.
struct Fresh {
    socket: OwnedFd,
    /// After the socket, so that nobody listens any more when it is dropped.
    file: Abandoned,
}

/// The file of a socket that nobody takes, because it was made too late: it is removed.
struct Abandoned(Option<String>);

impl Fresh {
    fn open(socket: &FastCgiSocket) -> Result<Fresh, SocketError> {
        let backlog = socket.backlog.unwrap_or(socket::MAX_BACKLOG);
        match &socket.address {
            SocketAddress::Tcp { host, port } => {
                Ok(Fresh { socket: socket::listen_tcp(host, *port, backlog)?, file: Abandoned(None) })
            }
            SocketAddress::Unix { path, mode, owner } => {
                let (uid, gid) = owner.map_or((None, None), |(uid, gid)| (Some(uid), gid));
                let file = SocketFileSpec { path: Path::new(path), mode: *mode, uid, gid };
                let socket = socket::replace_unix(file, backlog)?;
                Ok(Fresh { socket, file: Abandoned(Some(path.clone())) })
            }
        }
    }

    fn keep(mut self) -> OwnedFd {
        self.file.0 = None;
        self.socket
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            remove_file(path);
        }
    }
}

/// Removes the file of a socket unless somebody listens there. One that cannot be removed makes way for the next socket
/// of this path.
fn remove_file(path: &str) {
    let _ = socket::remove_dead(Path::new(path));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_nobody_takes_leaves_no_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let text = path.display().to_string();
        let definition = FastCgiSocket {
            url: format!("unix://{text}"),
            backlog: None,
            address: SocketAddress::Unix { path: text, mode: 0o700, owner: None },
        };
        drop(Fresh::open(&definition).expect("opened").keep());
        assert!(path.exists());
        drop(Fresh::open(&definition).expect("opened again"));
        assert!(!path.exists());
    }
}
