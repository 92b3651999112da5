//! What a child executes, and what it gets.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::environment::{Environment, c_string};
use crate::Errno;
use crate::user::RunAs;

/// What to start, and with which environment, directory and user; it can be used for any number of children.
#[derive(Clone, Debug)]
pub struct SpawnPlan {
    pub(super) executable: CString,
    pub(super) argv: Vec<CString>,
    pub(super) environment: Environment,
    pub(super) directory: Option<CString>,
    pub(super) umask: Option<u32>,
    pub(super) nice: Option<i8>,
    pub(super) run_as: RunAs,
    pub(super) group: ProcessGroup,
}

/// Which process group a child belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessGroup {
    /// One that it leads.
    Own,
    /// That of this process.
    Inherited,
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
            nice: None,
            run_as: RunAs::Same,
            group: ProcessGroup::Own,
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

    /// Sets this nice value, from -20 to 19, before the user changes: less than that of this process needs its rights.
    pub fn nice(mut self, nice: i8) -> SpawnPlan {
        self.nice = Some(nice);
        self
    }

    /// Becomes this user.
    pub fn run_as(mut self, run_as: RunAs) -> SpawnPlan {
        self.run_as = run_as;
        self
    }

    /// Puts the child into this process group. Without this call, the child leads one of its own.
    pub fn group(mut self, group: ProcessGroup) -> SpawnPlan {
        self.group = group;
        self
    }

    /// Whether the child becomes another user.
    pub(super) fn changes_user(&self) -> bool {
        matches!(self.run_as, RunAs::Other(_))
    }
}

/// What the child gets as descriptors 0, 1 and 2. The same descriptor may be given twice.
#[derive(Clone, Copy, Debug)]
pub struct Stdio<'fd> {
    /// Descriptor 0.
    pub stdin: BorrowedFd<'fd>,
    /// Descriptor 1.
    pub stdout: BorrowedFd<'fd>,
    /// Descriptor 2.
    pub stderr: BorrowedFd<'fd>,
}

/// All descriptors that the child gets.
#[derive(Clone, Copy, Debug)]
pub struct ChildDescriptors<'fd> {
    /// Descriptors 0, 1 and 2.
    pub stdio: Stdio<'fd>,
    /// One more, with its number in the child, which is above 2.
    pub further: Option<(u16, BorrowedFd<'fd>)>,
    /// The file by which it enters a cgroup before anything else; it does not get it.
    pub cgroup: Option<BorrowedFd<'fd>>,
}

impl<'fd> From<Stdio<'fd>> for ChildDescriptors<'fd> {
    fn from(stdio: Stdio<'fd>) -> ChildDescriptors<'fd> {
        ChildDescriptors { stdio, further: None, cgroup: None }
    }
}

impl ChildDescriptors<'_> {
    /// The number of the further one in this process and in the child.
    pub(super) fn further_numbers(&self) -> Option<(RawFd, RawFd)> {
        self.further.map(|(target, fd)| (fd.as_raw_fd(), target.into()))
    }
}

impl Stdio<'_> {
    pub(super) fn numbers(&self) -> [RawFd; 3] {
        [self.stdin.as_raw_fd(), self.stdout.as_raw_fd(), self.stderr.as_raw_fd()]
    }
}
