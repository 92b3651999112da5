use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use supervisord_config::model::RequiredCredentials;
use supervisord_core::row::LocalTime;
use tempfile::TempDir;

use super::*;

fn unix(path: &str) -> HttpServer {
    let address = ServerAddress::Unix { path: path.into(), mode: 0o640, uid: None, gid: None };
    HttpServer {
        section: "unix_http_server".into(),
        address,
        credentials: None,
        users: Vec::new(),
        tls: None,
        allowed_hosts: Vec::new(),
        get_actions: false,
    }
}

fn inet(host: &str, port: u16) -> HttpServer {
    let address = ServerAddress::Inet { host: host.into(), port };
    HttpServer {
        section: "inet_http_server".into(),
        address,
        credentials: None,
        users: Vec::new(),
        tls: None,
        allowed_hosts: Vec::new(),
        get_actions: false,
    }
}

fn directory() -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = format!("{}/s.sock", directory.path().display());
    (directory, path)
}

/// Why these servers cannot be opened.
fn reason(servers: &[HttpServer]) -> Option<ListenError> {
    open(servers).err().map(|error| error.reason)
}

fn entries(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("listed");
    entries.map(|entry| entry.expect("entry").file_name().into_string().expect("name")).collect()
}

#[test]
fn a_socket_has_its_mode_and_is_removed_at_the_end() {
    let (directory, path) = directory();
    let servers = open(&[unix(&path)]).expect("opened");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
    assert_eq!(entries(&directory), ["s.sock"]);
    UnixStream::connect(&path).expect("somebody listens");
    drop(servers);
    assert!(entries(&directory).is_empty());
}

#[test]
fn a_dead_socket_gives_way() {
    let (_directory, path) = directory();
    drop(UnixListener::bind(&path).expect("bound"));
    let before = fs::metadata(&path).expect("left behind").ino();
    let servers = open(&[unix(&path)]).expect("opened");
    UnixStream::connect(&path).expect("somebody listens");
    drop(servers);
    assert!(fs::metadata(&path).map_or(true, |left| left.ino() != before));
}

#[test]
fn a_live_socket_does_not() {
    let (directory, path) = directory();
    let _other = UnixListener::bind(&path).expect("bound");
    assert!(matches!(reason(&[unix(&path)]), Some(ListenError::InUse)));
    assert_eq!(entries(&directory), ["s.sock"]);
}

#[test]
fn files_and_directories_are_left_alone() {
    let (directory, path) = directory();
    let refused = |words: &str| {
        let error = open(&[unix(&path)]).expect_err("something is there").describe();
        assert!(error.starts_with("Cannot open an HTTP server: ") && error.contains(words), "{error}");
    };
    fs::write(&path, "precious").expect("written");
    refused("a file that is no socket is there");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("created");
    refused("a directory is there");
    fs::remove_dir(&path).expect("removed");
    std::os::unix::fs::symlink("elsewhere", &path).expect("linked");
    refused("a symbolic link is there; remove it, or write the path that it leads to");
    assert_eq!(entries(&directory), ["s.sock"]);
}

#[test]
fn the_same_path_twice_is_refused_and_nothing_stays() {
    let (directory, path) = directory();
    assert!(matches!(reason(&[unix(&path), unix(&path)]), Some(ListenError::InUse)));
    assert!(entries(&directory).is_empty());
}

#[test]
fn a_failure_removes_the_sockets_before_it() {
    let (directory, path) = directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("address").port();
    assert!(matches!(reason(&[unix(&path), inet("127.0.0.1", port)]), Some(ListenError::InUse)));
    assert!(entries(&directory).is_empty());
}

#[test]
fn a_path_that_was_taken_over_is_not_removed() {
    let (_directory, path) = directory();
    let servers = open(&[unix(&path)]).expect("opened");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "other").expect("written");
    drop(servers);
    assert_eq!(fs::read_to_string(&path).expect("still there"), "other");
}

#[test]
fn failures_are_worded_as_the_original_words_them() {
    let missing = open(&[unix("/nonexistent/s.sock")]).expect_err("no such directory");
    let prefix = "Cannot open an HTTP server: socket.error reported ";
    assert_eq!(missing.reason.to_string(), format!("{prefix}errno.ENOENT (2)"));
    let long = open(&[unix(&format!("/tmp/{}", "x".repeat(120)))]).expect_err("too long");
    assert_eq!(long.reason.to_string(), format!("{prefix}AF_UNIX path too long"));
    assert_eq!(ListenError::Resolve(-2).to_string(), format!("{prefix}-2"));
    let chown = ListenError::Chown { path: "/p".into(), uid: Some(0), gid: None, user: "me".into() };
    assert_eq!(
        chown.to_string(),
        "Not permitted to chown /p to uid/gid (0, -1); adjust \"sockchown\" value in config file or on command line \
         to values that the current user (me) can successfully chown"
    );
}

#[test]
fn a_server_that_cannot_be_opened_is_named() {
    let describe = |servers: &[HttpServer]| open(servers).expect_err("refused").describe();
    let (_directory, path) = directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("address").port();
    let words = describe(&[inet("127.0.0.1", port)]);
    assert!(words.starts_with("Another program is already listening on a port"), "{words}");
    assert!(words.contains(&format!("supervisord. ([inet_http_server] port=127.0.0.1:{port}")), "{words}");
    fs::write(&path, "precious").expect("written");
    let words = describe(&[unix(&path)]);
    assert!(
        words.ends_with(&format!(
            "([unix_http_server] file={path}: a file that is no socket is there; remove it, or write another path)"
        )),
        "{words}"
    );
    let words = describe(&[unix("/nonexistent/s.sock")]);
    assert!(words.ends_with("(2) ([unix_http_server] file=/nonexistent/s.sock: No such file or directory)"), "{words}");
}

#[test]
fn a_server_that_is_open_to_everybody_is_warned_about() {
    let warning = |host: &str| {
        let server = open(&[inet(host, 0)]).expect("opened").remove(0);
        let port = match &server.listener {
            ListeningSocket::Inet(listener, _) => listener.local_addr().expect("address").port().to_string(),
            ListeningSocket::Unix(..) => panic!("not asked for"),
        };
        unprotected_warning(&server).map(|text| text.replace(&port, "PORT"))
    };
    assert_eq!(warning("127.0.0.1"), None);
    assert_eq!(warning("localhost"), None);
    for host in ["", "0.0.0.0"] {
        let text = warning(host).expect("a warning");
        assert!(text.starts_with("Server 'inet_http_server' listens on every interface without a password"), "{text}");
        assert!(
            text.ends_with(": write port=127.0.0.1:PORT, or set username and password, or add a section [user:NAME])"),
            "{text}"
        );
    }
}

#[test]
fn a_start_tells_of_its_servers_one_after_the_other() {
    let (_directory, path) = directory();
    let hash = RequiredCredentials { username: "u".into(), password: "{ARGON2ID}nonsense".into() };
    let servers = [inet("127.0.0.1", 0), HttpServer { credentials: Some(hash), ..unix(&path) }];
    let servers = open(&servers).expect("opened");
    let port = match &servers[0].listener {
        ListeningSocket::Inet(listener, _) => listener.local_addr().expect("address").port(),
        ListeningSocket::Unix(..) => panic!("inet comes first"),
    };
    let local =
        |_| LocalTime { year: 2026, month: 11, day: 2, hour: 1, minute: 2, second: 3, weekday: 1, utc_offset: 0 };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let activity = Activity::new(LogLevel::Trace, move |line: String| {
        // Without the time of the line itself.
        sink.lock().expect("unpoisoned").push(line["2026-11-02 01:02:03,000 ".len()..].to_owned());
    });
    announce(&servers, &["supervisor".to_owned()], &activity, Clock { now: || 0, local });
    let started = "Medusa (V1.12) started at Mon Nov  2 01:02:03 2026";
    let expected = [
        format!("TRAC 127.0.0.1:{started}\n\tHostname: 127.0.0.1\n\tPort:{port}\n"),
        "INFO RPC interface 'supervisor' initialized\n".to_owned(),
        "CRIT Server 'inet_http_server' running without any HTTP authentication checking\n".to_owned(),
        format!("TRAC {path}:{started}\n\tHostname: <unix domain socket>\n\tPort:{path}\n"),
        "INFO RPC interface 'supervisor' initialized\n".to_owned(),
        "CRIT Server 'unix_http_server' has a password hash that cannot be read and refuses every request\n".to_owned(),
    ];
    assert_eq!(*lines.lock().expect("unpoisoned"), expected);
}
