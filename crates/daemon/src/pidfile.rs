//! The pid file, written when the daemon is ready and removed at its end if it is still its own, and the lock beside it.
//!
//! The lock lasts as long as the daemon lives, over an upgrade, too, and no longer, whatever any file says: so of two
//! daemons with one pid file only one lives. It is on a file of its own, because whoever waits for a pid file takes it for a
//! sign that the daemon is ready.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use supervisord_sys::{Pid, fd, proc_stat, small_file, trusted, user};

/// Permission bits before the mask of the daemon.
const MODE: u32 = 0o666;

/// The same of the lock.
const LOCK_MODE: u32 = 0o600;

/// How long what a killed daemon had is waited for: the system takes it away a moment after the signal, and the child that was
/// being made has a copy until it executes its program.
pub const END_LIMIT: Duration = Duration::from_secs(2);

/// Another daemon has the pid file.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its process id, where the lock tells.
    pub pid: Option<u32>,
}

/// The lock of a pid file; dropping it removes the file and lets others have it.
#[derive(Debug)]
pub struct Lock {
    path: String,
    /// None where there is nothing that could be locked: whoever cannot write beside its pid file runs all the same.
    file: Option<File>,
    /// Whether a daemon that was killed had it before.
    was_left_behind: bool,
}

/// A pid file that this daemon wrote; dropping it removes the file.
#[derive(Debug)]
pub struct PidFile {
    path: String,
    content: String,
}

impl Lock {
    /// Locks the pid file with this path. One that is no regular file, such as `/dev/null`, stands for none and is not
    /// locked. A holder that has been killed is waited for; one that lives is not.
    ///
    /// # Errors
    /// Another daemon has it.
    pub fn take(pidfile: &str) -> Result<Lock, Taken> {
        let path = lock_path(pidfile);
        let give_up = Instant::now() + END_LIMIT;
        loop {
            let Some(mut file) = open(pidfile, &path) else { return Ok(Lock::none(pidfile)) };
            match fd::try_lock(file.as_fd()) {
                // It may have been removed before it was locked.
                Ok(true) if is_at(&file, &path) => {
                    let was_left_behind = read_pid(&mut file).is_some_and(|pid| pid != Pid::current());
                    let mut lock = Lock { path, file: Some(file), was_left_behind };
                    lock.name_holder();
                    return Ok(lock);
                }
                Ok(true) if Instant::now() < give_up => {}
                Ok(false) => {
                    let pid = read_pid(&mut file);
                    if pid.is_some_and(|pid| !proc_stat::is_ending(pid)) || Instant::now() >= give_up {
                        return Err(Taken { pid: pid.map(Pid::get) });
                    }
                    std::thread::sleep(END_LIMIT / 200);
                }
                // The file system knows no locks, or does not find what it has just opened.
                Ok(true) | Err(_) => return Ok(Lock::none(pidfile)),
            }
        }
    }

    /// The lock of the program that was here before.
    pub fn handed(pidfile: &str, file: OwnedFd) -> Lock {
        Lock { path: lock_path(pidfile), file: Some(file.into()), was_left_behind: false }
    }

    /// No lock.
    pub fn none(pidfile: &str) -> Lock {
        Lock { path: lock_path(pidfile), file: None, was_left_behind: false }
    }

    /// Whether a daemon that was killed had it before.
    pub fn was_left_behind(&self) -> bool {
        self.was_left_behind
    }

    /// Gives the lock to the next program.
    pub fn hand_over(mut self) -> Option<OwnedFd> {
        self.file.take().map(OwnedFd::from)
    }

    /// Writes into it who has it, which is another process once the daemon has gone into the background.
    pub fn name_holder(&mut self) {
        if let Some(file) = &mut self.file {
            // It is only for those who read it.
            let _ = overwrite(file, &content());
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Before it is unlocked: whoever locks a file that is not there any more tries again.
            let _ = trusted::remove(&self.path);
        }
    }
}

/// The pid file of a running daemon.
pub enum DaemonPidFile {
    /// It is written.
    Written(PidFile),
    /// Its disk is full; a thread of its own tries again, until this sender is gone.
    Retried(Sender<()>, JoinHandle<Option<PidFile>>),
    /// It cannot be written.
    Missing,
}

/// How often a full disk is tried again: after a second, two, four, and so on up to a minute, for an hour in all.
const ATTEMPTS: u32 = 65;

impl DaemonPidFile {
    /// Tries to write the file of a full disk again, and calls `written` once that is done.
    pub fn retry(path: &str, written: impl FnOnce() + Send + 'static) -> DaemonPidFile {
        let path = path.to_owned();
        let (stop, stopped) = channel::<()>();
        let work = move || {
            for attempt in 0..ATTEMPTS {
                let pause = Duration::from_secs(60.min(1 << attempt.min(6)));
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return None;
                }
                if let Ok(file) = PidFile::write(&path) {
                    written();
                    return Some(file);
                }
            }
            None
        };
        match std::thread::Builder::new().name("pid file".to_owned()).spawn(work) {
            Ok(thread) => DaemonPidFile::Retried(stop, thread),
            Err(_) => DaemonPidFile::Missing,
        }
    }

    /// Leaves the file to the next program, which has the same process id and writes it again.
    pub fn leave(self) {
        match self {
            DaemonPidFile::Written(file) => std::mem::forget(file),
            DaemonPidFile::Retried(stop, thread) => {
                drop(stop);
                // It may just have been written: what the thread gives back must not be dropped.
                std::mem::forget(thread);
            }
            DaemonPidFile::Missing => {}
        }
    }

    /// Removes the file, which may take as long as its disk.
    pub fn remove(self) {
        match self {
            DaemonPidFile::Written(file) => drop(file),
            DaemonPidFile::Retried(stop, thread) => {
                drop(stop);
                // One that has just been written is removed here.
                drop(thread.join());
            }
            DaemonPidFile::Missing => {}
        }
    }
}

/// Whether a file could not be written because its disk is full, or the user's share of it.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

impl PidFile {
    /// Writes the process id and a line feed. Where that fails half way, the file is removed.
    pub fn write(path: &str) -> io::Result<PidFile> {
        let content = content();
        // Others may be able to put a link where it is to be: in `/tmp`, for instance.
        let mut file = trusted::open_write(path, MODE)?;
        // A device has no length.
        let is_file = file.metadata()?.is_file();
        if is_file {
            file.set_len(0)?;
        }
        let written = file.write_all(content.as_bytes());
        if written.is_err() && is_file {
            // A part of the number is the number of somebody else.
            file.set_len(0)?;
            // Whoever finds it would take the daemon for one that is ready, and nobody else removes it.
            let _ = trusted::remove(path);
        }
        written?;
        Ok(PidFile { path: path.to_owned(), content })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another daemon may have written its own id meanwhile; that file is not ours to remove.
        if small_file::read(Path::new(&self.path), 32).is_ok_and(|content| content == self.content.as_bytes()) {
            let _ = trusted::remove(&self.path);
        }
    }
}

fn lock_path(pidfile: &str) -> String {
    format!("{pidfile}.lock")
}

/// The process id and a line feed.
fn content() -> String {
    format!("{}\n", std::process::id())
}

/// The file to lock; none where there is none and none can be made. In a directory for everybody somebody else may have put
/// one there, and locked it.
fn open(pidfile: &str, path: &str) -> Option<File> {
    if fs::metadata(pidfile).is_ok_and(|found| !found.is_file()) {
        return None;
    }
    let opened = match trusted::open_read_write(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = trusted::create_new(path, LOCK_MODE);
            // Another daemon may have been faster.
            made.or_else(|_| trusted::open_read_write(path)).ok()
        }
        opened => opened.ok(),
    };
    let is_ours = |found: fs::Metadata| found.is_file() && found.uid() == user::effective_uid();
    opened.filter(|file| file.metadata().is_ok_and(is_ours))
}

fn overwrite(file: &mut File, content: &str) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(content.as_bytes())?;
    file.set_len(content.len() as u64)
}

fn is_at(file: &File, path: &str) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(locked), Ok(found)) => identity(locked) == identity(found),
        _ => false,
    }
}

fn read_pid(file: &mut File) -> Option<Pid> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.take(32).read_to_string(&mut text)).ok()?;
    Pid::new(text.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.pid").to_str().unwrap().to_owned();
        (directory, path)
    }

    fn names(directory: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn only_one_has_a_pid_file_and_the_other_learns_who() {
        let (directory, path) = place();
        let lock = Lock::take(&path).unwrap();
        assert_eq!(Lock::take(&path).unwrap_err(), Taken { pid: Some(std::process::id()) });
        assert_eq!(names(&directory), ["s.pid.lock"], "nobody takes the daemon for ready");
        drop(lock);
        assert_eq!(names(&directory), [] as [&str; 0]);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_that_was_left_behind_is_taken() {
        let (directory, path) = place();
        fs::write(format!("{path}.lock"), "1\n").unwrap();
        let lock = Lock::take(&path).unwrap();
        assert_eq!(fs::read_to_string(format!("{path}.lock")).unwrap(), content());
        let handed = Lock::handed(&path, lock.hand_over().unwrap());
        assert!(Lock::take(&path).is_err(), "it goes on in the next program");
        drop(handed);
        assert_eq!(names(&directory), [] as [&str; 0]);
    }

    #[test]
    fn a_lock_is_waited_for_while_its_holder_ends_and_not_while_it_lives() {
        let (_directory, path) = place();
        let held = Lock::take(&path).unwrap();
        let begun = Instant::now();
        assert!(Lock::take(&path).is_err() && begun.elapsed() < END_LIMIT, "it is refused at once");
        let mut killed = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        killed.kill().unwrap();
        fs::write(lock_path(&path), format!("{}\n", killed.id())).unwrap();
        let release = std::thread::spawn(move || {
            std::thread::sleep(END_LIMIT / 10);
            // As the system does: the file stays.
            drop(held.hand_over());
        });
        let lock = Lock::take(&path);
        release.join().unwrap();
        killed.wait().unwrap();
        assert!(lock.is_ok_and(|lock| lock.was_left_behind()));
        assert!(!Lock::take(&path).unwrap().was_left_behind(), "an orderly end leaves none");
    }

    #[test]
    fn a_lock_may_be_a_link_to_where_locks_are() {
        let (directory, path) = place();
        let elsewhere = directory.path().join("locks");
        fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, format!("{path}.lock")).unwrap();
        let lock = Lock::take(&path).unwrap();
        assert!(lock.file.is_some() && Lock::take(&path).is_err());
    }

    #[test]
    fn what_cannot_be_locked_keeps_nobody_from_running() {
        for path in ["/dev/null", "/nonexistent/s.pid"] {
            let (first, second) = (Lock::take(path), Lock::take(path));
            assert!(first.is_ok() && second.is_ok(), "{path}");
        }
    }
}
