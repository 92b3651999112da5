//! Going into the background.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use crate::{Errno, pipe};

/// What happened on the way into the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background {
    /// Why the directory could not be entered; the present one stays then.
    pub directory: Option<Errno>,
}

/// Continues in a child process, which leads a new session without a terminal: its descriptors 0 to 2 are `/dev/null`,
/// and it has this directory (if one is given) and this file mode mask. The parent runs `in_parent` and exits with 0,
/// without running anything that was registered for its end; not before the child has left the session, or a terminal that
/// is closed when the parent has ended would hang up on the child, too.
///
/// Must be called before there are threads: they would not continue in the child. Where that can be seen (on Linux), it
/// is refused with EDEADLK.
pub fn go_into_background(directory: Option<&Path>, mask: u32, in_parent: impl FnOnce()) -> Result<Background, Errno> {
    if has_threads() {
        return Err(Errno::new(libc::EDEADLK));
    }
    let has_left = pipe::pipe().map_err(Errno::from)?;
    // SAFETY: with a single thread the child has everything the parent had, and nothing is locked or half done.
    if let ForkResult::Parent { .. } = unsafe { fork() }? {
        in_parent();
        drop(has_left.writer);
        // It ends when the child has closed its copy, or has ended itself.
        let _ = crate::fd::read(has_left.reader.as_fd(), &mut [0]);
        // SAFETY: ends the parent without running what the child is still to run.
        unsafe { libc::_exit(0) }
    }
    let entered = directory.map_or(Ok(()), std::env::set_current_dir);
    silence()?;
    setsid()?;
    drop(has_left);
    umask(Mode::from_bits_truncate(mask as libc::mode_t));
    Ok(Background { directory: entered.err().map(Errno::from) })
}

fn silence() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(null.as_fd())?;
    dup2_stdout(null.as_fd())?;
    dup2_stderr(null.as_fd())?;
    Ok(())
}

/// Unknown counts as no: only Linux tells.
fn has_threads() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The rest is tested where there is a single thread: in `tests/background.rs`.
    #[test]
    fn it_is_refused_to_a_process_with_threads() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        let refused = go_into_background(None, 0, || {});
        drop(stop);
        let _ = thread.join();
        assert_eq!(refused, Err(Errno::new(libc::EDEADLK)));
    }
}
