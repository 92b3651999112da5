//! Sockets in the file system: made beside their place, moved there complete, removed when they are ours.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use supervisord_sys::user::{current_uid, user_by_uid};

use super::ListenError;

/// How long a socket that accepted us may take to say anything. Silence counts as life.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// How often the place may turn out to be taken by a dead socket before we give it up.
const ATTEMPTS: u32 = 5;

/// The file of an open socket; dropping it removes the file, if it is still the same one.
#[derive(Debug)]
pub struct SocketFile {
    path: String,
    identity: (u64, u64),
}

impl SocketFile {
    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if ours {
            // Nobody is left to be told; a file that stays behind is recognised as dead by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A listening socket at `path` with that mode and owner. It appears there complete: clients can never meet it with
/// other rights, and two daemons can never both believe they have it.
pub(super) fn open(
    path: &str,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(UnixListener, SocketFile), ListenError> {
    // The original binds this very name, and the kernel's socket tables go on showing it.
    let temporary = format!("{path}.{}", std::process::id());
    let listener = bind(&temporary)?;
    let placed = prepare(&temporary, mode, uid, gid).and_then(|()| place(&temporary, path));
    let identity = fs::symlink_metadata(&temporary).or_else(|_| fs::symlink_metadata(path));
    // Already gone where it was renamed instead of linked.
    let _ = fs::remove_file(&temporary);
    placed?;
    let identity = identity.map_err(ListenError::System)?;
    Ok((listener, SocketFile { path: path.to_owned(), identity: (identity.dev(), identity.ino()) }))
}

fn bind(temporary: &str) -> Result<UnixListener, ListenError> {
    let bound = match UnixListener::bind(temporary) {
        // Only a daemon of our own process id can have left it, and that is us.
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_socket(temporary) => {
            fs::remove_file(temporary)?;
            UnixListener::bind(temporary)
        }
        bound => bound,
    };
    bound.map_err(|error| match (error.kind(), error.raw_os_error()) {
        (ErrorKind::InvalidInput, None) => ListenError::PathTooLong,
        _ => error.into(),
    })
}

fn prepare(temporary: &str, mode: u32, uid: Option<u32>, gid: Option<u32>) -> Result<(), ListenError> {
    fs::set_permissions(temporary, fs::Permissions::from_mode(mode))?;
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    chown(temporary, uid, gid).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => ListenError::Chown { path: final_name(temporary), uid, gid, user: own_name() },
        _ => error.into(),
    })
}

fn final_name(temporary: &str) -> String {
    temporary.rsplit_once('.').map_or(temporary, |(path, _)| path).to_owned()
}

fn own_name() -> String {
    let uid = current_uid();
    user_by_uid(uid).map_or_else(|| uid.to_string(), |user| user.name)
}

/// Gives the prepared socket its final name, unless that is taken by something that lives or is no socket.
fn place(temporary: &str, path: &str) -> Result<(), ListenError> {
    for _ in 0..ATTEMPTS {
        match fs::hard_link(temporary, path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => remove_if_dead(path)?,
            Err(_) if fs::symlink_metadata(path).is_err() => return Ok(fs::rename(temporary, path)?),
            Err(error) => return Err(error.into()),
        }
    }
    Err(ListenError::InUse)
}

/// Removes what is at `path` if it is a socket without a listener.
fn remove_if_dead(path: &str) -> Result<(), ListenError> {
    if !is_socket(path) {
        return Err(ListenError::InUse);
    }
    match probe(path) {
        Answer::Alive => Err(ListenError::InUse),
        Answer::Gone => Ok(()),
        Answer::Dead => {
            eprintln!("Unlinking stale socket {path}");
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            }
        }
    }
}

fn is_socket(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// What a socket in the way is.
enum Answer {
    Alive,
    Dead,
    /// It vanished, or its owner is just going: look again.
    Gone,
}

/// Asks the socket at `path` for a page and waits for the first byte, for [`PROBE_PATIENCE`] at most.
fn probe(path: &str) -> Answer {
    // Without blocking, because a listener that never accepts has room for a full backlog only.
    let stream = match mio::net::UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) => return unconnected(error.kind()),
    };
    match first_byte(UnixStream::from(std::os::fd::OwnedFd::from(stream))) {
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            std::thread::sleep(Duration::from_millis(50));
            Answer::Gone
        }
        _ => Answer::Alive,
    }
}

fn unconnected(kind: ErrorKind) -> Answer {
    match kind {
        ErrorKind::ConnectionRefused => Answer::Dead,
        ErrorKind::NotFound => Answer::Gone,
        // A full backlog, no right to connect, another type of socket: nothing that shows it dead.
        _ => Answer::Alive,
    }
}

fn first_byte(mut stream: UnixStream) -> io::Result<usize> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PROBE_PATIENCE))?;
    stream.set_write_timeout(Some(PROBE_PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    stream.read(&mut [0])
}
