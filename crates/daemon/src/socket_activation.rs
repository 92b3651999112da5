//! Sockets that the service manager has opened for the servers of the daemon (systemd's socket activation): `LISTEN_FDS`.
//!
//! They stay open as long as the process lives, also through restarts and upgrades, so that a client that connects meanwhile
//! waits. A server gets a copy of its socket: the one with the name of its section, or with its address.
//!
//! The same variables pass what the daemon before has had the service manager hold ([`crate::descriptor_store`]).

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use supervisord_config::model::{HttpServer, ServerAddress};
use supervisord_sys::inherited;
use supervisord_sys::limits::{self, Limit};

use crate::descriptor_store;

/// The first of the descriptors; the others follow.
const FIRST: RawFd = 3;

/// A socket that was passed.
#[derive(Debug)]
struct PassedSocket {
    /// `FileDescriptorName=`, or the name of the unit.
    name: String,
    address: Option<PassedAddress>,
    socket: OwnedFd,
    is_used: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum PassedAddress {
    Inet(std::net::SocketAddr),
    Unix(PathBuf),
}

static PASSED: Mutex<Vec<PassedSocket>> = Mutex::new(Vec::new());

fn passed() -> MutexGuard<'static, Vec<PassedSocket>> {
    PASSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the sockets that these variables pass to the process with this id. Called once, at its start. After an upgrade the
/// program before has what is no socket of a server.
pub fn take(variables: &[(OsString, OsString)], pid: u32, is_upgraded: bool) {
    let value = |name| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.to_str())
    };
    let descriptors = descriptors(value("LISTEN_PID"), value("LISTEN_FDS"), value("LISTEN_FDNAMES"), pid);
    // They must not take the room that the configuration needs to be read.
    limits::raise_by(Limit::OpenFiles, descriptors.len() as u64);
    for (number, name) in descriptors {
        let is_stored = descriptor_store::is_stored(&name);
        if is_stored && is_upgraded {
            continue;
        }
        // One that is not open was closed by somebody on the way here.
        if let Ok(socket) = inherited::take(number) {
            if is_stored {
                descriptor_store::give_back(name, socket);
                continue;
            }
            passed().push(PassedSocket { name, address: address_of(&socket), socket, is_used: false });
        }
    }
}

/// The descriptors that are passed to this process, with their names.
fn descriptors(pid: Option<&str>, count: Option<&str>, names: Option<&str>, own_pid: u32) -> Vec<(RawFd, String)> {
    let is_ours = pid.and_then(|pid| pid.parse().ok()) == Some(own_pid);
    // A process can have no more descriptors.
    let count = count.and_then(|count| count.parse::<u16>().ok()).filter(|_| is_ours).unwrap_or(0);
    let mut names = names.unwrap_or_default().split(':');
    let mut next_name = || names.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned();
    (FIRST..FIRST + RawFd::from(count)).map(|number| (number, next_name())).collect()
}

fn address_of(socket: &OwnedFd) -> Option<PassedAddress> {
    let unix = UnixListener::from(socket.try_clone().ok()?).local_addr();
    if let Some(path) = unix.ok().and_then(|address| address.as_pathname().map(PathBuf::from)) {
        return Some(PassedAddress::Unix(path));
    }
    TcpListener::from(socket.try_clone().ok()?).local_addr().ok().map(PassedAddress::Inet)
}

/// A copy of the socket that was passed for this server, if there is one.
pub fn socket_for(server: &HttpServer) -> Option<OwnedFd> {
    let mut passed = passed();
    let found = passed.iter_mut().find(|socket| is_for(socket, server))?;
    found.is_used = true;
    found.socket.try_clone().ok()
}

/// Whether a socket of the right kind has the name of the server's section or its address.
fn is_for(passed: &PassedSocket, server: &HttpServer) -> bool {
    let is_named = passed.name == server.section;
    match (&passed.address, &server.address) {
        (Some(PassedAddress::Unix(at)), ServerAddress::Unix { path, .. }) => {
            is_named || at.as_os_str() == path.as_str()
        }
        (Some(PassedAddress::Inet(at)), ServerAddress::Inet { host, port }) => {
            let is_there = at.port() == *port
                && match host.parse::<std::net::IpAddr>() {
                    Ok(address) => address == at.ip(),
                    Err(_) => host.is_empty() && at.ip().is_unspecified(),
                };
            is_named || is_there
        }
        _ => false,
    }
}

/// A warning about each socket that no server has asked for.
pub fn warnings() -> Vec<String> {
    let unused = |socket: &&PassedSocket| !socket.is_used;
    let passed = passed();
    let warning = |socket: &PassedSocket| {
        let at = match &socket.address {
            Some(PassedAddress::Inet(address)) => address.to_string(),
            Some(PassedAddress::Unix(path)) => path.display().to_string(),
            None => "no listening socket".to_owned(),
        };
        format!(
            "the service manager has passed a socket ({at}, named {}) that no server uses: write its address in \
             [inet_http_server] or [unix_http_server], or FileDescriptorName= with the name of that section",
            socket.name
        )
    };
    passed.iter().filter(unused).map(warning).collect()
}

/// Gives the sockets to what needs them to stay open through an exec.
pub fn with_all<T>(then: impl FnOnce(&[BorrowedFd<'_>]) -> T) -> T {
    let passed = passed();
    let sockets: Vec<BorrowedFd<'_>> = passed.iter().map(|socket| socket.socket.as_fd()).collect();
    then(&sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_for_the_process_that_is_named() {
        let named = |number, name: &str| (number, name.to_owned());
        let web = [named(3, "web"), named(4, "unknown")];
        assert_eq!(descriptors(Some("7"), Some("2"), Some("web"), 7), web);
        assert_eq!(descriptors(Some("7"), Some("1"), None, 7), [named(3, "unknown")]);
        for (pid, count) in [(Some("8"), Some("2")), (None, Some("2")), (Some("7"), None), (Some("7"), Some("-1"))] {
            assert!(descriptors(pid, count, Some("web"), 7).is_empty(), "{pid:?} {count:?}");
        }
    }

    #[test]
    fn a_server_gets_the_socket_with_its_name_or_address() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let unix = UnixListener::bind(&path).expect("the place is free");
        let passed = |name: &str, socket: OwnedFd| PassedSocket {
            name: name.to_owned(),
            address: address_of(&socket),
            socket,
            is_used: false,
        };
        let (inet, unix) = (passed("web", listener.into()), passed("unix_http_server", unix.into()));
        let server = |section: &str, address| HttpServer {
            section: section.to_owned(),
            address,
            credentials: None,
            users: Vec::new(),
            tls: None,
            allowed_hosts: Vec::new(),
            get_actions: false,
        };
        let at = |host: &str, port| server("inet_http_server", ServerAddress::Inet { host: host.to_owned(), port });
        assert!(is_for(&inet, &at("127.0.0.1", port)));
        assert!(!is_for(&inet, &at("127.0.0.2", port)) && !is_for(&inet, &at("", port)));
        assert!(!is_for(&inet, &at("127.0.0.1", port.wrapping_add(1))) && !is_for(&unix, &at("127.0.0.1", port)));
        let file = |path: &str| {
            let address = ServerAddress::Unix { path: path.to_owned(), mode: 0o700, uid: None, gid: None };
            server("unix_http_server", address)
        };
        assert!(is_for(&unix, &file("/elsewhere")), "by its name");
        let unnamed = PassedSocket { name: "web".to_owned(), ..unix };
        assert!(!is_for(&unnamed, &file("/elsewhere")) && is_for(&unnamed, &file(&path.display().to_string())));
    }
}
