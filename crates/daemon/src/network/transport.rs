//! What carries a connection. Everything above is the same for every kind of socket: accepting, admission, time limits,
//! HTTP, the hand-over of idle connections.
//!
//! Each kind has a file here, with its [`Accept`] and its [`Transport`].

use std::io;

use crate::network::listen::{ListeningSocket, SocketFile};

mod kind;
mod tcp;
mod tls;
mod unix;

pub use kind::{Accept, Accepted, Transport};
pub use unix::accept_on as accept_on_unix;

/// Registers an open server with the runtime of this thread, with the file of its socket if it has one.
pub fn accept_on(listener: ListeningSocket) -> io::Result<(Box<dyn Accept>, Option<SocketFile>)> {
    Ok(match listener {
        ListeningSocket::Inet(listener, None) => (tcp::accept_on(listener)?, None),
        ListeningSocket::Inet(listener, Some(context)) => (tls::accept_on(listener, context)?, None),
        ListeningSocket::Unix(listener, file) => (unix::accept_on(listener)?, Some(file)),
    })
}
