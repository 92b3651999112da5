//! What a child does until it executes its program.
//!
//! Until then it may share the memory of the daemon. Therefore it only reads what was prepared, writes to nothing but its
//! own stack, and makes system calls only through [`calls`].

use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use libc::c_char;

use super::plan::{ChildDescriptors, ProcessGroup, SpawnPlan};
use crate::system::{self, PreparedChild, child_calls as calls};
use crate::user::RunAs;
use crate::user_ids::DropError;
use crate::{Errno, errno_name};

/// The exit status of a child that could not become the program.
pub const NOT_SPAWNED: i32 = 127;

const CGROUP_TEXT: &[u8] = b"supervisor: couldn't enter its cgroup: ";

const NOT_SPAWNED_TEXT: &[u8] = b"supervisor: child process was not spawned\n";

/// A plan in the form that the system calls take, and the error messages that the child may have to write.
#[derive(Debug)]
pub(crate) struct Child {
    plan: SpawnPlan,
    /// The strings of the plan, and a null pointer.
    argv: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    stdio: [RawFd; 3],
    /// A further descriptor, and its number in the child.
    further: Option<(RawFd, RawFd)>,
    /// The file by which it enters its cgroup.
    cgroup: Option<RawFd>,
    nice_text: Vec<u8>,
    setuid_text: Vec<u8>,
    chdir_text: Vec<u8>,
    exec_text: Vec<u8>,
}

/// The step at which a child failed.
enum Failure {
    Cgroup(Errno),
    Descriptors,
    Nice(Errno),
    User(DropError),
    Directory(Errno),
    Exec(Errno),
}

impl Child {
    pub(crate) fn new(plan: SpawnPlan, descriptors: ChildDescriptors<'_>) -> Child {
        let uid = match &plan.run_as {
            RunAs::Same => 0,
            RunAs::Other(ids) => ids.uid,
            RunAs::Refused { uid, .. } => *uid,
        };
        let directory = plan.directory.as_deref().map_or(&b""[..], |directory| directory.to_bytes());
        let nice = |nice: i8| failure_text(b"set nice to ", nice.to_string().as_bytes());
        let name = plan.argv.first().map_or(&b""[..], |name| name.to_bytes());
        Child {
            argv: null_terminated(plan.argv.iter().map(|word| word.as_ptr())),
            environment: null_terminated(plan.environment.entries().iter().map(|entry| entry.as_ptr())),
            stdio: descriptors.stdio.numbers(),
            further: descriptors.further_numbers(),
            cgroup: descriptors.cgroup.map(|file| file.as_raw_fd()),
            nice_text: plan.nice.map(nice).unwrap_or_default(),
            setuid_text: format!("supervisor: couldn't setuid to {uid}: ").into_bytes(),
            chdir_text: failure_text(b"chdir to ", directory),
            exec_text: failure_text(b"exec ", name),
            plan,
        }
    }

    // Only the child calls the functions from here on.

    fn try_become_program(&self) -> Result<std::convert::Infallible, Failure> {
        if self.leads_group() {
            // It only fails if the group exists already.
            let _ = calls::lead_group();
        }
        if let Some(file) = self.cgroup {
            calls::write(file, b"0").map_err(Failure::Cgroup)?;
        }
        self.place_descriptors().map_err(|_| Failure::Descriptors)?;
        reset_signals();
        calls::close_others_on_exec();
        if let Some((_, target)) = self.further {
            calls::keep_on_exec(target).map_err(|_| Failure::Descriptors)?;
        }
        if let Some(nice) = self.plan.nice {
            calls::set_nice(nice).map_err(Failure::Nice)?;
        }
        match &self.plan.run_as {
            RunAs::Same => {}
            RunAs::Other(ids) => {
                calls::leave_terminal();
                calls::become_user(ids).map_err(Failure::User)?;
            }
            RunAs::Refused { reason, .. } => return Err(Failure::User(*reason)),
        }
        if let Some(directory) = &self.plan.directory {
            calls::change_directory(directory).map_err(Failure::Directory)?;
        }
        if let Some(umask) = self.plan.umask {
            calls::set_umask(umask);
        }
        // SAFETY: arrays of strings of the plan that end in a null pointer; both live as long as this child.
        let error = unsafe { calls::execute(&self.plan.executable, self.argv.as_ptr(), self.environment.as_ptr()) };
        Err(Failure::Exec(error))
    }

    fn place_descriptors(&self) -> Result<(), Errno> {
        // First, those with the number of a target move away, because they could be overwritten before they are copied. A
        // source that differs from its target also has its close-on-exec flag cleared by the copy.
        let last = self.further.map_or(2, |(_, target)| target);
        let is_target = |number: RawFd| number <= 2 || number == last;
        let moved = |source: RawFd| if is_target(source) { calls::duplicate(source, last + 1) } else { Ok(source) };
        let [stdin, stdout, stderr] = self.stdio;
        let sources = [moved(stdin)?, moved(stdout)?, moved(stderr)?];
        let further = match self.further {
            Some((source, target)) => Some((moved(source)?, target)),
            None => None,
        };
        for (source, target) in sources.into_iter().zip(0..).chain(further) {
            calls::replace(source, target)?;
        }
        Ok(())
    }

    fn report(&self, failure: &Failure) {
        match failure {
            Failure::Cgroup(errno) => report_errno(CGROUP_TEXT, *errno),
            Failure::Descriptors => {}
            Failure::Nice(errno) => report_errno(&self.nice_text, *errno),
            Failure::User(reason) => {
                write_all(&self.setuid_text);
                write_all(reason.text().as_bytes());
                if let DropError::UnknownUser(uid) = reason {
                    write_all(Digits::of(*uid).as_bytes());
                }
                write_all(b"\n");
            }
            Failure::Directory(errno) => report_errno(&self.chdir_text, *errno),
            Failure::Exec(errno) => report_errno(&self.exec_text, *errno),
        }
    }
}

// SAFETY: the child only reads what was prepared, and only makes system calls: it neither allocates nor locks.
unsafe impl PreparedChild for Child {
    fn run(&self) -> ! {
        let Err(failure) = self.try_become_program();
        self.report(&failure);
        write_all(NOT_SPAWNED_TEXT);
        calls::exit(NOT_SPAWNED)
    }

    fn leads_group(&self) -> bool {
        self.plan.group == ProcessGroup::Own
    }

    fn highest_descriptor(&self) -> RawFd {
        let further = self.further.map(|(source, _)| source);
        self.stdio.into_iter().chain(further).chain(self.cgroup).max().unwrap_or(0)
    }
}

fn failure_text(what: &[u8], name: &[u8]) -> Vec<u8> {
    [b"supervisor: couldn't ", what, name, b": "].concat()
}

fn null_terminated(strings: impl Iterator<Item = *const c_char>) -> Vec<*const c_char> {
    strings.chain([ptr::null()]).collect()
}

/// Gives every signal its default disposition, then blocks none. Ignored signals would stay ignored after exec.
fn reset_signals() {
    for signal in 1..=system::MAX_SIGNAL {
        // It fails, without harm, for numbers without a signal and for signals that cannot be changed.
        let _ = calls::default_signal(signal);
    }
    calls::unblock_signals();
}

fn report_errno(text: &[u8], errno: Errno) {
    write_all(text);
    match errno_name(errno.number()) {
        Some(name) => write_all(name.as_bytes()),
        None => write_all(Digits::of(errno.number().unsigned_abs()).as_bytes()),
    }
    write_all(b"\n");
}

/// Writes to descriptor 2. An error is ignored, because there is no other place to report it.
fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match calls::write(2, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
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
