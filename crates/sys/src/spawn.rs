//! Starting a child: everything is prepared before the fork, and nothing is allocated after it.

mod environment;
mod spawner;

use std::ffi::{CString, OsStr};
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::{mem, ptr};

use libc::{c_char, c_int};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::user::{DropError, Identity, RunAs};
use crate::{Errno, Pid, errno_name};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
use crate::user::become_user;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use crate::user::become_user_alone as become_user;

pub use environment::Environment;
pub use spawner::Spawner;

/// The exit status of a child that could not become the program.
pub const NOT_SPAWNED: i32 = 127;

const NOT_SPAWNED_TEXT: &[u8] = b"supervisor: child process was not spawned\n";

/// What to start and in which surroundings; it can be used for any number of children.
#[derive(Debug)]
pub struct SpawnPlan {
    executable: CString,
    argv: Vec<CString>,
    environment: Environment,
    directory: Option<CString>,
    umask: Option<u32>,
    run_as: RunAs,
}

impl SpawnPlan {
    /// A plan to execute this file with these arguments, the first of which is the name the program is told, and with
    /// exactly this environment. There is no search: the file is relative to the child's directory if not absolute.
    ///
    /// Fails with EINVAL when there are no arguments or when anything contains a NUL byte.
    pub fn new<A: AsRef<OsStr>>(executable: &Path, argv: &[A], environment: Environment) -> Result<SpawnPlan, Errno> {
        if argv.is_empty() {
            return Err(Errno::EINVAL);
        }
        Ok(SpawnPlan {
            executable: c_string(executable.as_os_str().as_bytes())?,
            argv: argv.iter().map(|word| c_string(word.as_ref().as_bytes())).collect::<Result<_, _>>()?,
            environment,
            directory: None,
            umask: None,
            run_as: RunAs::Same,
        })
    }

    /// Changes to this directory before the program is executed. Fails with EINVAL when it contains a NUL byte.
    pub fn directory(mut self, directory: &Path) -> Result<SpawnPlan, Errno> {
        self.directory = Some(c_string(directory.as_os_str().as_bytes())?);
        Ok(self)
    }

    /// Sets this file mode mask.
    pub fn umask(mut self, umask: u32) -> SpawnPlan {
        self.umask = Some(umask);
        self
    }

    /// Becomes this user.
    pub fn run_as(mut self, run_as: RunAs) -> SpawnPlan {
        self.run_as = run_as;
        self
    }

    /// Who the child becomes, where it becomes somebody.
    fn identity(&self) -> Option<&Identity> {
        match &self.run_as {
            RunAs::Other(identity) => Some(identity),
            RunAs::Same | RunAs::Refused { .. } => None,
        }
    }
}

fn c_string(bytes: impl Into<Vec<u8>>) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::EINVAL)
}

/// What the child gets as descriptors 0, 1 and 2, and nothing else. The same descriptor may be given twice.
#[derive(Clone, Copy, Debug)]
pub struct Stdio<'fd> {
    /// Descriptor 0.
    pub stdin: BorrowedFd<'fd>,
    /// Descriptor 1.
    pub stdout: BorrowedFd<'fd>,
    /// Descriptor 2.
    pub stderr: BorrowedFd<'fd>,
}

impl Stdio<'_> {
    fn numbers(&self) -> [RawFd; 3] {
        [self.stdin.as_raw_fd(), self.stdout.as_raw_fd(), self.stderr.as_raw_fd()]
    }
}

/// Starts a child, which leads a process group of its own, with default signal dispositions and no signal blocked.
///
/// The error is that of fork. What goes wrong later is said by the child on its descriptor 2, and it exits with
/// [`NOT_SPAWNED`].
pub fn spawn(plan: &SpawnPlan, stdio: Stdio<'_>) -> Result<Pid, Errno> {
    let prepared = Prepared::new(plan, stdio.numbers());
    // A signal that arrives in the child before it has left our handlers must not be reported to us.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child calls `become_program` and nothing else, which keeps to what is allowed after a fork of a
    // process with many threads: no allocation, no lock, only async-signal-safe calls.
    let forked = match unsafe { libc::fork() } {
        -1 => Err(Errno::last()),
        0 => {
            lead_group();
            prepared.become_program()
        }
        child => Ok(child),
    };
    // It cannot fail: the mask is one the system gave us.
    let _ = before.thread_set_mask();
    let child = Pid::from_raw(forked?).ok_or(Errno::EINVAL)?;
    // The child does this too; whoever is first, the group exists before anybody can signal it. After the child's exec
    // it fails, without need for it.
    // SAFETY: no memory is involved.
    unsafe { libc::setpgid(child.raw(), child.raw()) };
    Ok(child)
}

/// A plan in the shape the system calls want it, and the texts the child may have to say.
struct Prepared<'plan> {
    executable: *const c_char,
    argv: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    directory: *const c_char,
    umask: Option<libc::mode_t>,
    identity: Option<&'plan Identity>,
    refused: Option<DropError>,
    stdio: [RawFd; 3],
    setuid_text: Vec<u8>,
    chdir_text: Vec<u8>,
    exec_text: Vec<u8>,
}

/// The step at which a child failed.
enum Failure {
    Descriptors,
    User(DropError),
    Directory(Errno),
    Exec(Errno),
}

impl<'plan> Prepared<'plan> {
    fn new(plan: &'plan SpawnPlan, stdio: [RawFd; 3]) -> Prepared<'plan> {
        let (uid, refused) = match &plan.run_as {
            RunAs::Same => (0, None),
            RunAs::Other(identity) => (identity.uid, None),
            RunAs::Refused { uid, reason } => (*uid, Some(*reason)),
        };
        let directory = plan.directory.as_deref();
        let name = plan.argv.first().map_or(&b""[..], |name| name.to_bytes());
        Prepared {
            executable: plan.executable.as_ptr(),
            argv: null_terminated(plan.argv.iter().map(|word| word.as_ptr())),
            environment: null_terminated(plan.environment.entries().iter().map(|entry| entry.as_ptr())),
            directory: directory.map_or(ptr::null(), |directory| directory.as_ptr()),
            umask: plan.umask.map(|umask| umask as libc::mode_t),
            identity: plan.identity(),
            refused,
            stdio,
            setuid_text: format!("supervisor: couldn't setuid to {uid}: ").into_bytes(),
            chdir_text: failure_text(b"chdir to ", directory.map_or(b"", |directory| directory.to_bytes())),
            exec_text: failure_text(b"exec ", name),
        }
    }

    // From here on only the child runs, and only async-signal-safe calls are allowed.

    fn become_program(&self) -> ! {
        let Err(failure) = self.try_become_program();
        self.say(&failure);
        write_all(NOT_SPAWNED_TEXT);
        // SAFETY: ends the child without running anything the daemon has registered for its own end.
        unsafe { libc::_exit(NOT_SPAWNED) }
    }

    fn try_become_program(&self) -> Result<std::convert::Infallible, Failure> {
        self.place_descriptors().map_err(|_| Failure::Descriptors)?;
        forget_signals();
        #[cfg(target_os = "linux")]
        crate::fd::close_range_on_exec();
        match (self.refused, self.identity) {
            (Some(reason), _) => return Err(Failure::User(reason)),
            (None, Some(identity)) => become_user(identity).map_err(Failure::User)?,
            (None, None) => {}
        }
        // SAFETY: the pointer is null or a string of the plan, which outlives this call.
        if !self.directory.is_null() && unsafe { libc::chdir(self.directory) } == -1 {
            return Err(Failure::Directory(Errno::last()));
        }
        if let Some(umask) = self.umask {
            // SAFETY: no memory is involved.
            unsafe { libc::umask(umask) };
        }
        // SAFETY: strings of the plan, which outlives this call, and arrays of them that end in a null pointer.
        unsafe { libc::execve(self.executable, self.argv.as_ptr(), self.environment.as_ptr()) };
        Err(Failure::Exec(Errno::last()))
    }

    fn place_descriptors(&self) -> Result<(), Errno> {
        // First out of the way of each other: one that is 0 to 2 itself would be overwritten before its turn. Being
        // another number than its target also makes sure that `dup2` clears its close-on-exec mark.
        let mut sources = self.stdio;
        for source in &mut sources {
            if *source <= 2 {
                // SAFETY: only makes a new descriptor.
                *source = checked(unsafe { libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, 3) })?;
            }
        }
        for (source, target) in sources.into_iter().zip(0..) {
            // SAFETY: only replaces a descriptor of the child, which owns all of them by itself.
            checked(unsafe { libc::dup2(source, target) })?;
        }
        Ok(())
    }

    fn say(&self, failure: &Failure) {
        match failure {
            Failure::Descriptors => {}
            Failure::User(reason) => {
                write_all(&self.setuid_text);
                write_all(reason.text().as_bytes());
                if let DropError::UnknownUser(uid) = reason {
                    write_all(Digits::of(*uid).as_bytes());
                }
                write_all(b"\n");
            }
            Failure::Directory(errno) => say_errno(&self.chdir_text, *errno),
            Failure::Exec(errno) => say_errno(&self.exec_text, *errno),
        }
    }
}

fn failure_text(what: &[u8], name: &[u8]) -> Vec<u8> {
    [b"supervisor: couldn't ", what, name, b": "].concat()
}

fn null_terminated(strings: impl Iterator<Item = *const c_char>) -> Vec<*const c_char> {
    strings.chain([ptr::null()]).collect()
}

/// The first thing a child does, so that it can be signalled with all its descendants from then on.
fn lead_group() {
    // SAFETY: no memory is involved. It can only fail where the group exists already.
    unsafe { libc::setpgid(0, 0) };
}

/// Every signal to its default, then none blocked. Exec alone would leave ignored ones ignored.
fn forget_signals() {
    // SAFETY: all zeros is a valid action: no flags, an empty mask, and the default disposition is 0 everywhere.
    let mut default: libc::sigaction = unsafe { mem::zeroed() };
    default.sa_sigaction = libc::SIG_DFL;
    // No system has signals beyond; numbers that are none, or cannot be changed, are refused without harm.
    for signal in 1..=128 {
        // SAFETY: the new action is valid, the old one is not asked for.
        unsafe { libc::sigaction(signal, &default, ptr::null_mut()) };
    }
    let _ = SigSet::empty().thread_set_mask();
}

fn checked(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

fn say_errno(text: &[u8], errno: Errno) {
    write_all(text);
    match errno_name(errno.number()) {
        Some(name) => write_all(name.as_bytes()),
        None => write_all(Digits::of(errno.number().unsigned_abs()).as_bytes()),
    }
    write_all(b"\n");
}

/// To descriptor 2, as far as it goes; there is nobody left to tell about a failure.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length describe one slice.
        let written = unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return,
        }
    }
}

/// A number in decimal without an allocation.
struct Digits {
    text: [u8; 10],
    len: usize,
}

impl Digits {
    fn of(number: u32) -> Digits {
        let mut text = [0; 10];
        let mut rest = &mut text[..];
        // It cannot fail: the longest number has ten digits.
        let _ = write!(rest, "{number}");
        let len = 10 - rest.len();
        Digits { text, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

#[cfg(test)]
mod tests;
