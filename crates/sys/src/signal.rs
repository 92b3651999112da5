//! Signals: the ones that arrive as readable bytes, and the ones that are sent.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
use signal_hook::SigId;
use signal_hook::low_level::{register, unregister};

use crate::fd::{poll_readable, read, set_nonblocking};
use crate::{Errno, Pid, pipe};

/// A signal that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hangup,
    /// SIGCHLD.
    Child,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
    /// SIGWINCH: the terminal has another size.
    WindowChange,
    /// SIGURG, which does nothing to a process that does not catch it.
    Urgent,
}

impl Signal {
    /// What the daemon handles. SIGUSR1 is not among it: it keeps its default action, which ends the daemon.
    pub const DAEMON: [Signal; 6] =
        [Signal::Terminate, Signal::Interrupt, Signal::Quit, Signal::Hangup, Signal::Child, Signal::User2];

    /// The number on this system.
    pub const fn number(self) -> i32 {
        match self {
            Signal::Terminate => libc::SIGTERM,
            Signal::Interrupt => libc::SIGINT,
            Signal::Quit => libc::SIGQUIT,
            Signal::Hangup => libc::SIGHUP,
            Signal::Child => libc::SIGCHLD,
            Signal::User1 => libc::SIGUSR1,
            Signal::User2 => libc::SIGUSR2,
            Signal::WindowChange => libc::SIGWINCH,
            Signal::Urgent => libc::SIGURG,
        }
    }

    /// The name, as in `SIGTERM`.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
            Signal::Quit => "SIGQUIT",
            Signal::Hangup => "SIGHUP",
            Signal::Child => "SIGCHLD",
            Signal::User1 => "SIGUSR1",
            Signal::User2 => "SIGUSR2",
            Signal::WindowChange => "SIGWINCH",
            Signal::Urgent => "SIGURG",
        }
    }
}

/// Signals caught and kept until they are drained. Dropping it lets them be lost, not act by default again.
///
/// Its descriptor becomes readable when a signal arrives. One that arrives again before it was drained is kept once.
#[derive(Debug)]
pub struct Signals {
    reader: OwnedFd,
    caught: Vec<Caught>,
}

#[derive(Debug)]
struct Caught {
    signal: Signal,
    waiting: Arc<AtomicBool>,
    handler: SigId,
}

impl Signals {
    /// Catches these signals from now on, in every thread; for the calling one they are unblocked.
    pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
        let pipe::Pipe { reader, writer } = pipe::pipe()?;
        set_nonblocking(reader.as_fd(), true)?;
        set_nonblocking(writer.as_fd(), true)?;
        let writer = Arc::new(writer);
        let mut caught = Signals { reader, caught: Vec::new() };
        for signal in signals {
            caught.add(*signal, writer.clone())?;
        }
        unblock(signals)?;
        Ok(caught)
    }

    fn add(&mut self, signal: Signal, writer: Arc<OwnedFd>) -> io::Result<()> {
        let waiting = Arc::new(AtomicBool::new(false));
        let index = self.caught.len() as u8;
        let mark = waiting.clone();
        // A signal that is already waiting is not written again, so the pipe can never be full.
        let action = move || {
            if !mark.swap(true, Ordering::SeqCst) {
                // SAFETY: one byte is read from the address of `index`. `write` is async-signal-safe, and the
                // registry restores the error number afterwards.
                unsafe { libc::write(writer.as_raw_fd(), (&raw const index).cast(), 1) };
            }
        };
        // SAFETY: the action is async-signal-safe: an atomic swap and a `write`. It owns all it touches.
        let handler = unsafe { register(signal.number(), action) }?;
        self.caught.push(Caught { signal, waiting, handler });
        Ok(())
    }

    /// Takes the signals that arrived since the last time, in the order they arrived.
    pub fn drain(&mut self) -> Vec<Signal> {
        let mut signals = Vec::new();
        let mut indexes = [0; 16];
        // At the latest it ends with EAGAIN: the pipe does not block and holds each signal once.
        while let Ok(count @ 1..) = read(self.reader.as_fd(), &mut indexes) {
            for caught in indexes[..count].iter().filter_map(|index| self.caught.get(usize::from(*index))) {
                // Before it is reported: one that arrives after this must be reported again.
                caught.waiting.store(false, Ordering::SeqCst);
                signals.push(caught.signal);
            }
            if count < indexes.len() {
                // What arrives after this makes the descriptor readable again.
                break;
            }
        }
        signals
    }

    /// Sends the calling thread what has arrived and was not drained. Meant for a thread that blocks these signals: they
    /// then wait for the next program it executes.
    pub(crate) fn raise_again(&mut self) {
        for signal in self.drain() {
            // SAFETY: no memory is involved.
            unsafe { libc::raise(signal.number()) };
        }
    }

    /// Waits until there is something to drain; false when the time passed first. Without a time it waits for ever.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        poll_readable(self.reader.as_fd(), timeout)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for caught in &self.caught {
            unregister(caught.handler);
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}

/// Blocks all signals for the calling thread, so that they interrupt only threads that wait for them. Children are not
/// affected: every way to spawn one sets its mask.
pub fn block_in_this_thread() {
    // Setting the mask for existing signals never fails.
    let _ = SigSet::all().thread_set_mask();
}

/// Whoever started us may have blocked them, and a mask is inherited.
fn unblock(signals: &[Signal]) -> io::Result<()> {
    let mut set = SigSet::empty();
    for signal in signals {
        set.add(nix::sys::signal::Signal::try_from(signal.number())?);
    }
    Ok(set.thread_unblock()?)
}

/// Whether a signal is ignored: whoever started us wanted that, such as a shell of what it runs in the background.
pub fn is_ignored(signal: Signal) -> bool {
    let mut current = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is installed; the call writes one `sigaction`, which is looked at only if it succeeded.
    unsafe {
        libc::sigaction(signal.number(), std::ptr::null(), current.as_mut_ptr()) == 0
            && current.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Stops the foreground job that this process belongs to, as Ctrl-Z does; returns when it goes on.
pub fn suspend_job() {
    // SAFETY: no memory is involved. Group 0 is our own.
    unsafe { libc::kill(0, libc::SIGTSTP) };
}

/// Makes a write to a closed pipe, or beyond the limit on the size of files, an error instead of the end of the
/// process. Children do not inherit it.
pub fn ignore_write_signals() -> Result<(), Errno> {
    use nix::sys::signal::Signal::{SIGPIPE, SIGXFSZ};
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for signal in [SIGPIPE, SIGXFSZ] {
        // SAFETY: ignoring a signal installs no code.
        unsafe { sigaction(signal, &ignore) }?;
    }
    Ok(())
}

/// The signal that cannot be caught.
pub const SIGKILL: c_int = libc::SIGKILL;

/// Freezes a process; it cannot be caught.
pub const SIGSTOP: c_int = libc::SIGSTOP;

/// Asks a process to end.
pub const SIGTERM: c_int = libc::SIGTERM;

/// Sends a signal to one process. ESRCH when it does not exist.
pub fn kill(pid: Pid, signal: c_int) -> Result<(), Errno> {
    send(pid.raw(), signal)
}

/// Whether there is a process with this number, ours or somebody else's.
pub fn exists(pid: Pid) -> bool {
    !matches!(kill(pid, 0), Err(Errno::ESRCH))
}

/// Sends a signal to all members of the process group whose leader is, or was, this process. ESRCH when it is empty.
///
/// Group 1 is refused with EINVAL: the system would take it for everybody.
pub fn kill_group(leader: Pid, signal: c_int) -> Result<(), Errno> {
    if leader.get() == 1 { Err(Errno::EINVAL) } else { send(-leader.raw(), signal) }
}

/// Whether a process is in another group than the one it led when it began.
pub(crate) fn has_left_its_group(process: Pid) -> bool {
    // SAFETY: no memory is involved.
    let group = unsafe { libc::getpgid(process.raw()) };
    group != -1 && group != process.raw()
}

fn send(target: libc::pid_t, signal: c_int) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    if unsafe { libc::kill(target, signal) } == -1 { Err(Errno::last()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
