//! Continues in the background.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use crate::{Errno, pipe};

/// The result of going into the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background {
    /// The error of changing the directory, if any; the current directory stays then.
    pub directory: Option<Errno>,
}

/// Continues in a child process, which leads a new session without a terminal. Its descriptors 0 to 2 are `/dev/null`,
/// and it has this directory (if one is given) and this file mode mask. The parent runs `in_parent` and exits with 0,
/// without exit handlers. It waits until the child has left the session: a terminal that is closed when the parent
/// exits would otherwise send SIGHUP to the child, too.
///
/// Must be called while the process has one thread: other threads would not continue in the child. On Linux, where this
/// can be checked, it fails with EDEADLK.
pub fn go_into_background(directory: Option<&Path>, mask: u32, in_parent: impl FnOnce()) -> Result<Background, Errno> {
    if has_threads() {
        return Err(Errno::new(libc::EDEADLK));
    }
    let has_left = pipe::pipe().map_err(Errno::from)?;
    // SAFETY: with a single thread the child has a complete copy of the parent, and no lock is held.
    if let ForkResult::Parent { .. } = unsafe { fork() }? {
        in_parent();
        drop(has_left.writer);
        // The read ends when the child has closed its copy, or has exited.
        let _ = crate::fd::read(has_left.reader.as_fd(), &mut [0]);
        // SAFETY: exits without the exit handlers, which belong to the child.
        unsafe { libc::_exit(0) }
    }
    let entered = directory.map_or(Ok(()), std::env::set_current_dir);
    redirect_to_dev_null()?;
    setsid()?;
    drop(has_left);
    umask(Mode::from_bits_truncate(mask as libc::mode_t));
    Ok(Background { directory: entered.err().map(Errno::from) })
}

fn redirect_to_dev_null() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(null.as_fd())?;
    dup2_stdout(null.as_fd())?;
    dup2_stderr(null.as_fd())?;
    Ok(())
}

/// False if unknown: only Linux tells.
fn has_threads() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The other tests need a process with a single thread, see `tests/background.rs`.
    #[test]
    fn a_process_with_threads_cannot_go_into_the_background() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        let refused = go_into_background(None, 0, || {});
        drop(stop);
        let _ = thread.join();
        assert_eq!(refused, Err(Errno::new(libc::EDEADLK)));
    }
}
