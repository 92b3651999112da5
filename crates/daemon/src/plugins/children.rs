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

static HELPERS: LazyLock<Mutex<HashMap<u32, Child>>> = LazyLock::new(Mutex::default);

fn helpers() -> MutexGuard<'static, HashMap<u32, Child>> {
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
        // Held meanwhile: a helper that ends at once must not be reaped as a stranger.
        let mut helpers = helpers();
        let child = command.spawn()?;
        let pid = child.id();
        helpers.insert(pid, child);
        Ok((Helper { pid }, ours))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it, whatever it is doing.
    pub fn kill(&self) {
        if let Some(child) = helpers().get_mut(&self.pid) {
            // The only failure is that it has ended.
            let _ = child.kill();
        }
    }
}

/// Whether a reaped child was a helper. Never waits: while a helper is being started, nobody can tell.
pub fn reaped(pid: u32) -> bool {
    match HELPERS.try_lock() {
        Ok(mut helpers) => helpers.remove(&pid).is_some(),
        Err(_) => false,
    }
}

/// Collects a helper that has been told to end where nobody else reaps children: kills it where it does not.
pub fn collect(pid: u32) {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut helpers = helpers();
        let Some(child) = helpers.get_mut(&pid) else { return };
        // An error means that somebody else has reaped it.
        if !matches!(child.try_wait(), Ok(None)) {
            helpers.remove(&pid);
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
    let pids: Vec<u32> = helpers().keys().copied().collect();
    pids.into_iter().for_each(collect);
}
