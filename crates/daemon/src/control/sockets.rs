//! FastCGI sockets: opened for the first process that needs one, shared by its siblings, closed after the last.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use supervisord_config::model::{FastCgiSocket, LogLevel, SocketAddress};
use supervisord_sys::socket::{self, SocketError, SocketFile};

use super::errands::{Errands, NoReply};
use crate::activity::Activity;
use crate::hand_over::HandedSocket;

/// The open sockets, by group and address.
#[derive(Default)]
pub(super) struct Sockets {
    open: HashMap<(Arc<str>, String), Arc<OwnedFd>>,
}

impl Sockets {
    /// The socket, opened where it is not; the error is the spawn error of the process.
    pub(super) fn acquire(
        &mut self,
        group: &Arc<str>,
        socket: &FastCgiSocket,
        activity: &Activity,
        errands: &mut Errands,
    ) -> Result<Arc<OwnedFd>, String> {
        let key = (group.clone(), socket.url.clone());
        if let Some(descriptor) = self.open.get(&key) {
            return Ok(descriptor.clone());
        }
        activity.log(LogLevel::Info, &format!("Creating socket {}", socket.url));
        let failed = |error: &dyn fmt::Display| format!("Could not create FastCGI socket {}: {error}", socket.url);
        let definition = socket.clone();
        let opened = errands.ask(&socket.url, move || open(&definition));
        let descriptor =
            opened.map_err(|NoReply| failed(&"the system does not respond"))?.map_err(|error| failed(&error))?;
        let descriptor = Arc::new(descriptor);
        self.open.insert(key, descriptor.clone());
        Ok(descriptor)
    }

    /// Closes a socket that no process holds any more, and removes its file unless somebody else listens there by now.
    pub(super) fn close(&mut self, group: &Arc<str>, url: &str, activity: &Activity) {
        let Some(socket) = self.open.remove(&(group.clone(), url.to_owned())) else { return };
        activity.log(LogLevel::Info, &format!("Closing socket {url}"));
        drop(socket);
        if let Some(path) = url.strip_prefix("unix://") {
            // A file that cannot be removed makes way for the next socket of this path.
            let _ = socket::remove_dead(Path::new(path));
        }
    }

    /// Gives the open sockets to the next program.
    pub(super) fn hand_over(self) -> Vec<HandedSocket<OwnedFd>> {
        let open = self.open.into_iter();
        let handed = open.filter_map(|((group, url), socket)| {
            Some(HandedSocket { group: group.to_string(), url, socket: Arc::into_inner(socket)? })
        });
        handed.collect()
    }

    /// Takes over the sockets of the program before.
    pub(super) fn resume(&mut self, sockets: Vec<HandedSocket<OwnedFd>>) {
        let open =
            sockets.into_iter().map(|HandedSocket { group, url, socket }| ((group.into(), url), Arc::new(socket)));
        self.open.extend(open);
    }
}

fn open(socket: &FastCgiSocket) -> Result<OwnedFd, SocketError> {
    let backlog = socket.backlog.unwrap_or(socket::MAX_BACKLOG);
    match &socket.address {
        SocketAddress::Tcp { host, port } => socket::listen_tcp(host, *port, backlog),
        SocketAddress::Unix { path, mode, owner } => {
            let (uid, gid) = owner.map_or((None, None), |(uid, gid)| (Some(uid), gid));
            socket::replace_unix(SocketFile { path: Path::new(path), mode: *mode, uid, gid }, backlog)
        }
    }
}
