//! Finds the process that listens on a port or path: on Linux, from `/proc`, for processes that this user may inspect, and from
//! what the system tells whoever connects to a path.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use super::unix::connect;
use crate::system;

/// The process that holds a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// The name of its program, truncated by the system.
    pub name: String,
}

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// The flag of a listening socket in `/proc/net/unix`.
const ACCEPTS: u32 = 1 << 16;

/// The process that listens on a TCP port, on any address.
pub fn holder_of_port(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    holder(&tables.iter().flat_map(|table| listening_on(table, port)).collect::<Vec<_>>())
}

/// The process that listens at a path.
pub fn holder_of_path(path: &Path) -> Option<Holder> {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    holder(&listening_at(&table, path.to_str()?)).or_else(|| listener_of_path(path))
}

/// The process that has begun to listen at a path, as a connection tells it: also one that this user may not inspect. One that
/// has ended, and left the socket to another, is none.
fn listener_of_path(path: &Path) -> Option<Holder> {
    let connection = connect(path).ok()?;
    let (_, pid) = system::peer(connection.as_fd()).ok()?;
    named(pid).filter(|holder| !holder.name.is_empty())
}

fn named(pid: u32) -> Option<Holder> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Holder { pid, name: name.trim_end().to_owned() })
}

/// The inodes of the sockets that listen on a port.
fn listening_on(table: &str, port: u16) -> Vec<&str> {
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let listening = rows.filter(|row| row.get(3) == Some(&LISTENING));
    let there = listening.filter(|row| {
        let local = row.get(1).and_then(|address| address.rsplit_once(':'));
        local.and_then(|(_, digits)| u16::from_str_radix(digits, 16).ok()) == Some(port)
    });
    there.filter_map(|row| row.get(9).copied()).collect()
}

/// The inodes of the sockets that listen at a path. The system knows them by the names under which they were made: those of
/// [`listen_unix`](super::listen_unix) have a process id behind the path.
fn listening_at<'t>(table: &'t str, path: &str) -> Vec<&'t str> {
    let made_as = |row: &'t str| {
        let (before, id) = row.rsplit_once('.')?;
        (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(before)
    };
    let of_path = |row: &'t str| row.strip_suffix(path)?.strip_suffix(' ');
    let rows = table.lines().filter_map(|row| of_path(row).or_else(|| of_path(made_as(row)?)));
    let columns = rows.map(|row| row.split_whitespace().collect::<Vec<_>>()).filter(|row| row.len() == 7);
    let listening = columns.filter(|row| u32::from_str_radix(row[3], 16).is_ok_and(|flags| flags & ACCEPTS != 0));
    listening.map(|row| row[6]).collect()
}

/// The first process that has one of these sockets open.
fn holder(inodes: &[&str]) -> Option<Holder> {
    let sockets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if sockets.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
    })?;
    named(pid)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::retry_until::retry_until;

    #[test]
    fn this_process_is_found_as_the_listener() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("with blank.sock");
        let unix = UnixListener::bind(&path).expect("bound");
        let inet = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = inet.local_addr().expect("an address").port();
        let pid = std::process::id();
        // A child of another test may hold both for a moment.
        let is_ours = |holder: Option<Holder>| holder.filter(|holder| holder.pid == pid);
        retry_until(|| is_ours(holder_of_path(&path)));
        let holder = retry_until(|| is_ours(holder_of_port(port)));
        assert!(!holder.name.is_empty());
        drop((unix, inet));
        retry_until(|| holder_of_path(&path).is_none().then_some(()));
        retry_until(|| holder_of_port(port).is_none().then_some(()));
    }

    #[test]
    fn tables_are_parsed_by_column() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:2329 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n";
        assert_eq!(listening_on(tcp, 9001), ["4711"]);
        assert!(listening_on(tcp, 9002).is_empty());
        let unix = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 4713 /a b\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 4714 /a b\n";
        assert_eq!(listening_at(unix, "/a b"), ["4713"]);
        assert!(listening_at(unix, "b").is_empty());
        let made = "0000000000000000: 00000002 00000000 00010000 0001 01 4715 /s.sock.4711\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 4716 /s.sock.new\n";
        assert_eq!(listening_at(made, "/s.sock"), ["4715"]);
        assert_eq!(listening_at(made, "/s.sock.4711"), ["4715"]);
    }

    #[test]
    fn a_connection_tells_who_listens() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s.sock");
        assert_eq!(listener_of_path(&path), None);
        let listener = UnixListener::bind(&path).expect("bound");
        let holder = listener_of_path(&path).expect("somebody listens");
        assert!(holder.pid == std::process::id() && !holder.name.is_empty(), "{holder:?}");
        drop(listener);
        retry_until(|| listener_of_path(&path).is_none().then_some(()));
    }
}
