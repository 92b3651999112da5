//! Plug-in processes as children of the daemon.
//!
//! The control plane reaps every child of the process, whoever made it. So there is one list of plug-in processes for the
//! whole daemon: it says whose a reaped pid was, and that a pid is still theirs when it is to be killed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use supervisord_wire::plugin::BOOTSTRAP;

/// The environment variable that names the interpreter.
const INTERPRETER: &str = "SUPERVISOR_PYTHON";

/// The environment variable that names the directories of modules.
const SEARCH_PATH: &str = "PYTHONPATH";

/// How long a plug-in process may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// Never locked for long: the control plane takes it, too.
static PROCESSES: LazyLock<Mutex<PluginProcesses>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct PluginProcesses {
    running: HashMap<u32, Child>,
    /// How many are being started; which pids they get is not known yet.
    starting: usize,
    /// Unknown children that were reaped meanwhile.
    reaped_early: Vec<u32>,
}

fn processes() -> MutexGuard<'static, PluginProcesses> {
    PROCESSES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running plug-in process. It ends by itself once its stream is closed, or is made to by [`collect`].
pub struct PluginProcess {
    pid: u32,
}

impl PluginProcess {
    /// Starts a plug-in process; what is written into the stream comes to it. Its output goes where the daemon's goes.
    /// What its environment says of files counts from `directory`, where the daemon was started: it may have gone to one
    /// in which others put what they like.
    pub fn start(directory: &Path) -> io::Result<(PluginProcess, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(interpreter(directory));
        if let Some(path) = std::env::var_os(SEARCH_PATH) {
            command.env(SEARCH_PATH, search_path(directory, &path));
        }
        command.args(["-u", "-c", BOOTSTRAP, "0"]).stdin(Stdio::from(OwnedFd::from(theirs)));
        processes().starting += 1;
        let spawned = command.spawn();
        let mut processes = processes();
        processes.starting -= 1;
        let early = match processes.starting {
            0 => std::mem::take(&mut processes.reaped_early),
            _ => processes.reaped_early.clone(),
        };
        let child = spawned?;
        let pid = child.id();
        if !early.contains(&pid) {
            processes.running.insert(pid, child);
        }
        Ok((PluginProcess { pid }, ours))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it, whatever it is doing.
    pub fn kill(&self) {
        if let Some(child) = processes().running.get_mut(&self.pid) {
            // The only failure is that it has ended.
            let _ = child.kill();
        }
    }
}

fn interpreter(directory: &Path) -> PathBuf {
    let named = std::env::var_os(INTERPRETER).map_or_else(|| "python3".into(), PathBuf::from);
    // A bare name is looked for in PATH.
    if named.components().nth(1).is_some() { directory.join(named) } else { named }
}

/// The search path with all entries absolute; an empty one is the directory itself, where there are others.
fn search_path(directory: &Path, path: &OsStr) -> OsString {
    let entries = path.as_bytes().split(|byte| *byte == b':').map(|entry| match entry {
        [] => directory.to_owned(),
        entry => directory.join(OsStr::from_bytes(entry)),
    });
    let entries: Vec<PathBuf> = entries.collect();
    if path.is_empty() { OsString::new() } else { std::env::join_paths(entries).unwrap_or_default() }
}

/// Whether a reaped child was a plug-in process. One that ended before its pid was known passes for a stranger.
pub fn reaped(pid: u32) -> bool {
    let mut processes = processes();
    let is_ours = processes.running.remove(&pid).is_some();
    if !is_ours && processes.starting > 0 {
        processes.reaped_early.push(pid);
    }
    is_ours
}

/// Collects a plug-in process that has been told to end where nobody else reaps children: kills it where it does not.
pub fn collect(pid: u32) {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut processes = processes();
        let Some(child) = processes.running.get_mut(&pid) else { return };
        // An error means that somebody else has reaped it.
        if !matches!(child.try_wait(), Ok(None)) {
            processes.running.remove(&pid);
            return;
        }
        if Instant::now() > end {
            let _ = child.kill();
        }
        drop(processes);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Collects all plug-in processes, at the end of a life when nothing reaps children any more.
pub fn collect_all() {
    let pids: Vec<u32> = processes().running.keys().copied().collect();
    pids.into_iter().for_each(collect);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_counts_from_where_the_daemon_was_started() {
        let absolute = |path: &str| search_path(Path::new("/start"), OsStr::new(path));
        assert_eq!(absolute("lib:/opt/lib"), "/start/lib:/opt/lib");
        assert_eq!(absolute(":x"), "/start:/start/x");
        assert_eq!(absolute(""), "");
    }
}
