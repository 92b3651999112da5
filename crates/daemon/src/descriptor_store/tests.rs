//! The store with a service manager that is a socket.

use std::io::Read;
use std::os::unix::net::UnixDatagram;

use super::*;

/// A service manager that has got nothing yet, with the variables by which it says how much room it has.
fn manager(room: &str) -> (tempfile::TempDir, UnixDatagram, Vec<(OsString, OsString)>) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("the place is free");
    let variables = [("NOTIFY_SOCKET", path.into_os_string()), ("FDSTORE", room.into())];
    (directory, socket, variables.map(|(name, value)| (name.into(), value)).to_vec())
}

fn open(variables: &[(OsString, OsString)], handed: Vec<StoredDescriptor>) -> DescriptorStore {
    DescriptorStore::open(variables, Some(handed), Activity::new(LogLevel::Info, |_| ())).expect("there is room")
}

/// The next message without the line about polling, and its descriptor.
fn next(manager: &UnixDatagram) -> (String, Option<OwnedFd>) {
    let mut buffer = [0; 200];
    let (length, descriptors) = passing::receive(manager.as_fd(), &mut buffer).expect("a message");
    let text = String::from_utf8_lossy(&buffer[..length]).replace("FDPOLL=0\n", "");
    (text, descriptors.into_iter().next())
}

fn name(run: u64, role: Role) -> Name {
    Name { owner: Owner::Run(run), role }
}

#[test]
fn names_are_understood_as_they_were_meant() {
    let owners = [Owner::Daemon, Owner::Run(7), Owner::Socket(u64::MAX), Owner::Readiness(0)];
    for (owner, role) in owners.into_iter().flat_map(|owner| Role::ALL.map(|role| (owner, role))) {
        let name = Name { owner, role };
        assert_eq!(parse(&text(name, 12)), Some((name, 12)));
        // The rules of systemd for such names.
        assert!(text(name, 12).bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
    }
    for other in ["unix_http_server", "sv-", "sv-run7-stdout", "sv-run-stdout-1", "sv-run7-out-1", "sv-run7-stdout-1-2"]
    {
        assert!(!is_stored(other), "{other}");
    }
}

#[test]
fn a_descriptor_is_held_once_and_removed_with_its_owner() {
    let (_directory, manager, variables) = manager("10");
    let mut store = open(&variables, Vec::new());
    let pipe = supervisord_sys::pipe::pipe().expect("a pipe");
    let named = [(name(1, Role::Stdout), pipe.reader.as_fd()), (name(1, Role::Handle), pipe.reader.as_fd())];
    store.keep(&named);
    store.keep(&named);
    store.forget(Owner::Run(2));
    store.forget(Owner::Run(1));
    let (said, copy) = next(&manager);
    assert_eq!(said, "FDSTORE=1\nFDNAME=sv-run1-stdout-0\n");
    assert_eq!(next(&manager).0, "FDSTOREREMOVE=1\nFDNAME=sv-run1-stdout-0\n");
    manager.set_nonblocking(true).expect("possible");
    assert!(manager.recv(&mut [0; 10]).is_err(), "nothing else has been said");
    fd::write(pipe.writer.as_fd(), b"x").expect("written");
    let mut byte = [0];
    std::fs::File::from(copy.expect("a copy")).read_exact(&mut byte).expect("read");
    assert_eq!(&byte, b"x");
}

#[test]
fn the_next_descriptor_of_a_name_is_there_before_the_first_is_removed() {
    let (_directory, manager, variables) = manager("10");
    let mut store = open(&variables, Vec::new());
    let state = Name { owner: Owner::Daemon, role: Role::State };
    for _ in 0..2 {
        let pipe = supervisord_sys::pipe::pipe().expect("a pipe");
        store.keep(&[(state, pipe.reader.as_fd())]);
    }
    let said: Vec<String> = (0..3).map(|_| next(&manager).0).collect();
    assert_eq!(
        said,
        [
            "FDSTORE=1\nFDNAME=sv-daemon-state-0\n",
            "FDSTORE=1\nFDNAME=sv-daemon-state-1\n",
            "FDSTOREREMOVE=1\nFDNAME=sv-daemon-state-0\n"
        ]
    );
    // The program after an upgrade knows it.
    let stored = store.into_stored();
    let mut store = open(&variables, stored);
    assert_eq!(store.next_serial, 2);
    store.forget_others(|owner| owner == Owner::Daemon);
    store.end();
    assert_eq!(next(&manager).0, "FDSTOREREMOVE=1\nFDNAME=sv-daemon-state-1\n");
}

#[test]
fn a_service_manager_that_is_busy_is_told_later() {
    let (_directory, manager, variables) = manager("100000");
    let mut store = open(&variables, Vec::new());
    let pipe = supervisord_sys::pipe::pipe().expect("a pipe");
    let mut count = 0;
    while store.time_left().is_none() {
        store.keep(&[(name(count, Role::Stdout), pipe.reader.as_fd())]);
        count += 1;
    }
    // What has not been sent need not be removed.
    store.forget(Owner::Run(count - 1));
    assert!(store.waiting.is_empty());
    store.keep(&[(name(count, Role::Stdout), pipe.reader.as_fd())]);
    store.forget(Owner::Run(0));
    assert_eq!(store.waiting.len(), 2);
    let first: Vec<String> = (0..count - 1).map(|_| next(&manager).0).collect();
    assert!(first[0].ends_with("FDNAME=sv-run0-stdout-0\n"), "{first:?}");
    store.flush().expect("there is room");
    assert!(next(&manager).0.contains(&format!("FDNAME=sv-run{count}-stdout-")));
    assert_eq!(next(&manager).0, "FDSTOREREMOVE=1\nFDNAME=sv-run0-stdout-0\n");
}

#[test]
fn there_is_no_store_without_room_and_no_more_than_there_is_room_for() {
    let (_directory, _manager, variables) = manager("1");
    let mut store = open(&variables, Vec::new());
    let pipe = supervisord_sys::pipe::pipe().expect("a pipe");
    store.keep(&[(name(1, Role::Stdin), pipe.writer.as_fd()), (name(1, Role::Stdout), pipe.reader.as_fd())]);
    assert_eq!(store.stored.len(), 1);
    assert!(store.is_full_logged);
    store.forget(Owner::Run(1));
    store.keep(&[(name(1, Role::Stdout), pipe.reader.as_fd())]);
    assert_eq!(store.stored.len(), 1);
    let activity = || Activity::new(LogLevel::Info, |_| ());
    for without in ["NOTIFY_SOCKET", "FDSTORE"] {
        let others: Vec<_> = variables.iter().filter(|(name, _)| name != without).cloned().collect();
        assert!(DescriptorStore::open(&others, None, activity()).is_none(), "{without}");
    }
    for room in ["0", "many"] {
        let variables = [variables[0].clone(), ("FDSTORE".into(), room.into())];
        assert!(DescriptorStore::open(&variables, None, activity()).is_none(), "{room}");
    }
}
