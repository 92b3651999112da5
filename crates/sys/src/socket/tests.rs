use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use super::*;
use crate::retry_until::retry_until;
use crate::user::{current_uid, effective_uid};

fn file(path: &Path) -> SocketFileSpec<'_> {
    SocketFileSpec { path, mode: 0o700, uid: None, gid: None }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_tcp_port_is_listened_on_once() {
    let first = TcpListener::from(listen_tcp("127.0.0.1", 0, 16).unwrap());
    let address = first.local_addr().unwrap();
    TcpStream::connect(address).unwrap();
    assert_eq!(listen_tcp("127.0.0.1", address.port(), 16).unwrap_err(), SocketError::InUse);
}

#[test]
fn stop_listening_affects_all_copies() {
    let tcp = listen_tcp("127.0.0.1", 0, 16).unwrap();
    let address = TcpListener::from(tcp.try_clone().unwrap()).local_addr().unwrap();
    stop_listening(&tcp);
    assert!(TcpStream::connect(address).is_err());
    let again = retry_until(|| listen_tcp("127.0.0.1", address.port(), 16).ok());
    drop((tcp, again));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let unix = replace_unix(file(&path), 16).unwrap();
    assert_eq!(remove_dead(&path), Err(SocketError::InUse));
    assert_eq!(check_free(&path), Err(SocketError::InUse));
    stop_listening(&unix);
    assert_eq!(check_free(&path), Ok(()));
    assert_eq!(remove_dead(&path), Ok(true), "asking has not removed it");
}

#[test]
fn without_a_host_it_listens_on_all_interfaces() {
    let listener = TcpListener::from(listen_tcp("", 0, 16).unwrap());
    assert!(listener.local_addr().unwrap().ip().is_unspecified());
}

#[test]
fn an_address_of_another_machine_is_an_error() {
    let error = listen_tcp("192.0.2.1", 0, 16).unwrap_err();
    assert_eq!(error, SocketError::System(Errno::new(libc::EADDRNOTAVAIL)));
}

#[test]
fn a_unix_socket_appears_with_its_mode_and_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let wanted = SocketFileSpec { mode: 0o751, uid: Some(effective_uid()), ..file(&path) };
    let listening = listen_unix(wanted, 1024).unwrap();
    assert!(!listening.removed_stale);
    let metadata = path.metadata().unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.uid()), (0o751, effective_uid()));
    assert_eq!(names(directory.path()), ["s"]);
    UnixStream::connect(&path).unwrap();
    UnixListener::from(listening.socket).accept().unwrap();
}

#[test]
fn a_live_socket_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _first = listen_unix(file(&path), 1).unwrap();
    let before = path.metadata().unwrap().ino();
    // More connections than the backlog holds: a socket with a full backlog is in use, too.
    for _ in 0..5 {
        assert_eq!(listen_unix(file(&path), 1).unwrap_err(), SocketError::InUse);
    }
    assert_eq!(path.metadata().unwrap().ino(), before);

    let other = directory.path().join("d");
    let _datagram = UnixDatagram::bind(&other).unwrap();
    assert_eq!(listen_unix(file(&other), 1).unwrap_err(), SocketError::InUse);
    assert_eq!(names(directory.path()), ["d", "s"]);
}

#[test]
fn a_stale_socket_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let listening = retry_until(|| listen_unix(file(&path), 1).ok());
    assert!(listening.removed_stale);
    UnixStream::connect(&path).unwrap();
    drop(listening);
    assert!(retry_until(|| listen_unix(file(&path), 1).ok()).removed_stale);
}

#[test]
fn remove_dead_removes_only_stale_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let live = UnixListener::bind(&path).unwrap();
    assert_eq!(remove_dead(&path).unwrap_err(), SocketError::InUse);
    drop(live);
    assert!(retry_until(|| remove_dead(&path).ok()));
    assert!(names(directory.path()).is_empty());
    assert!(!remove_dead(&path).unwrap());
}

#[test]
fn other_files_are_never_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    let taken = SocketError::System(Errno::EEXIST);
    fs::write(&path, "precious").unwrap();
    assert_eq!(listen_unix(file(&path), 1).unwrap_err(), taken);
    assert_eq!(replace_unix(file(&path), 1).unwrap_err(), taken);
    remove(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let link = directory.path().join("l");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert_eq!(listen_unix(file(&link), 1).unwrap_err(), taken);
    assert_eq!(names(directory.path()), ["f", "l"]);
}

#[test]
fn an_error_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("x".repeat(100));
    assert_eq!(listen_unix(file(&long), 1).unwrap_err(), SocketError::PathTooLong);
    assert_eq!(replace_unix(file(&long), 1).unwrap_err(), SocketError::PathTooLong);
    let missing = directory.path().join("none/s");
    assert_eq!(listen_unix(file(&missing), 1).unwrap_err(), SocketError::System(Errno::ENOENT));
    if current_uid() != 0 {
        let path = directory.path().join("s");
        let wanted = SocketFileSpec { uid: Some(0), ..file(&path) };
        assert_eq!(listen_unix(wanted, 1).unwrap_err(), SocketError::Owner);
        assert_eq!(replace_unix(wanted, 1).unwrap_err(), SocketError::Owner);
    }
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn a_fastcgi_socket_replaces_an_existing_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let first = replace_unix(file(&path), MAX_BACKLOG).unwrap();
    let wanted = SocketFileSpec { mode: 0o600, gid: Some(nix::unistd::getegid().as_raw()), ..file(&path) };
    let second = UnixListener::from(replace_unix(wanted, MAX_BACKLOG).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    UnixStream::connect(&path).unwrap();
    second.accept().unwrap();
    drop(first);
    remove(&path).unwrap();
    remove(&path).unwrap();
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn the_address_of_a_listening_socket_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let unix = replace_unix(file(&path), 1).unwrap();
    assert_eq!(listen_address(&unix), Some(ListenAddress::Unix(path.clone())));
    let tcp = listen_tcp("127.0.0.1", 0, 1).unwrap();
    let port = std::net::TcpListener::from(tcp.try_clone().unwrap()).local_addr().unwrap().port();
    assert_eq!(listen_address(&tcp), Some(ListenAddress::Tcp(port)));
    let client = UnixStream::connect(&path).unwrap();
    assert_eq!(listen_address(&client.into()), None, "it does not listen");
}
