//! Helper processes as children of the daemon.
//!
//! The control plane reaps every child of the process, whoever made it. So there is one list of helpers for the whole
//! process: it says whose a reaped pid was, and that a pid is still the helper's when it is to be killed.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use supervisord_wire::plugin::BOOTSTRAP;

/// The environment variable that names the interpreter.
const INTERPRETER: &str = "SUPERVISOR_PYTHON";

/// How long a helper may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// Never locked for long: the control plane takes it, too.
static HELPERS: LazyLock<Mutex<Helpers>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Helpers {
    running: HashMap<u32, Child>,
    /// How many are being started; which pids they get is not known yet.
    starting: usize,
    /// Unknown children that were reaped meanwhile.
    reaped_early: Vec<u32>,
}

fn helpers() -> MutexGuard<'static, Helpers> {
    HELPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running helper. It ends by itself once its stream is closed, or is made to by [`collect`].
pub struct Helper {
    pid: u32,
}

impl Helper {
    /// Starts a helper; what is written into the stream comes to it. Its output goes where the daemon's goes.
    pub fn start() -> io::Result<(Helper, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let interpreter = std::env::var_os(INTERPRETER).unwrap_or_else(|| "python3".into());
        let mut command = Command::new(interpreter);
        command.args(["-u", "-c", BOOTSTRAP, "0"]).stdin(Stdio::from(OwnedFd::from(theirs)));
        helpers().starting += 1;
        let spawned = command.spawn();
        let mut helpers = helpers();
        helpers.starting -= 1;
        let early = match helpers.starting {
            0 => std::mem::take(&mut helpers.reaped_early),
            _ => helpers.reaped_early.clone(),
        };
        let child = spawned?;
        let pid = child.id();
        if !early.contains(&pid) {
            helpers.running.insert(pid, child);
        }
        Ok((Helper { pid }, ours))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it, whatever it is doing.
    pub fn kill(&self) {
        if let Some(child) = helpers().running.get_mut(&self.pid) {
            // The only failure is that it has ended.
            let _ = child.kill();
        }
    }
}

/// Whether a reaped child was a helper. One that ended before its pid was known passes for a stranger.
pub fn reaped(pid: u32) -> bool {
    let mut helpers = helpers();
    let is_helper = helpers.running.remove(&pid).is_some();
    if !is_helper && helpers.starting > 0 {
        helpers.reaped_early.push(pid);
    }
    is_helper
}

/// Collects a helper that has been told to end where nobody else reaps children: kills it where it does not.
pub fn collect(pid: u32) {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut helpers = helpers();
        let Some(child) = helpers.running.get_mut(&pid) else { return };
        // An error means that somebody else has reaped it.
        if !matches!(child.try_wait(), Ok(None)) {
            helpers.running.remove(&pid);
            return;
        }
        if Instant::now() > end {
            let _ = child.kill();
        }
        drop(helpers);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Collects all helpers, at the end of a life when nothing reaps children any more.
pub fn collect_all() {
    let pids: Vec<u32> = helpers().running.keys().copied().collect();
    pids.into_iter().for_each(collect);
}
