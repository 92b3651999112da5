//! Replaces the program of this process; descriptors and children stay.

use std::ffi::{CString, OsStr};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::signal::Signals;
use crate::{Errno, system};

/// An unnamed file with this content, positioned at its beginning; closed on exec unless handed over. It is in memory
/// if the system has memory files.
pub fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = system::nameless_file()?;
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.into())
}

/// Replaces the program. Children remain children, and the descriptors in `keep` remain open under their numbers. All
/// signals are blocked during the exec, so that none can end the process before the new program has its handlers; the
/// new program unblocks the signals that it catches, and gets those that were caught and not drained. Returns only
/// after a failure, with everything restored.
pub fn replace_program<A, N, V>(
    program: &Path,
    argv: &[A],
    environment: impl IntoIterator<Item = (N, V)>,
    keep: &[BorrowedFd<'_>],
    signals: &mut Signals,
) -> Errno
where
    A: AsRef<OsStr>,
    N: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    match prepare(program, argv, environment) {
        Ok((program, argv, environment)) => execute(&program, &argv, &environment, keep, signals),
        Err(error) => error,
    }
}

type Strings = Vec<CString>;

fn prepare<A, N, V>(
    program: &Path,
    argv: &[A],
    environment: impl IntoIterator<Item = (N, V)>,
) -> Result<(CString, Strings, Strings), Errno>
where
    A: AsRef<OsStr>,
    N: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let string = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| Errno::EINVAL);
    let program = string(program.as_os_str().as_bytes().to_vec())?;
    let argv = argv.iter().map(|word| string(word.as_ref().as_bytes().to_vec())).collect::<Result<_, _>>()?;
    let variable = |(name, value): (N, V)| string([name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat());
    Ok((program, argv, environment.into_iter().map(variable).collect::<Result<_, _>>()?))
}

fn execute(
    program: &CString,
    argv: &Strings,
    environment: &Strings,
    keep: &[BorrowedFd<'_>],
    signals: &mut Signals,
) -> Errno {
    let before = match SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK) {
        Ok(before) => before,
        Err(error) => return error.into(),
    };
    signals.raise_again();
    let mut result = keep.iter().try_for_each(|fd| set_close_on_exec(*fd, false));
    if result.is_ok() {
        // Returns only with an error.
        result = nix::unistd::execve(program, argv, environment).map(drop).map_err(Errno::from);
    }
    for fd in keep {
        // These flags were just changed, so changing them back works; at worst a child inherits the descriptor.
        let _ = set_close_on_exec(*fd, true);
    }
    let _ = before.thread_set_mask();
    result.err().unwrap_or(Errno::EINVAL)
}

fn set_close_on_exec(fd: BorrowedFd<'_>, close: bool) -> Result<(), Errno> {
    let flags = if close { FdFlag::FD_CLOEXEC } else { FdFlag::empty() };
    fcntl(fd, FcntlArg::F_SETFD(flags)).map(drop).map_err(Errno::from)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_memory_file_is_read_from_its_beginning() {
        let mut file = File::from(memory_file(b"hello").unwrap());
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "hello");
    }

    #[test]
    fn a_program_that_cannot_be_executed_changes_nothing() {
        let file = memory_file(b"").unwrap();
        let before = SigSet::thread_get_mask().unwrap();
        let none: [(&str, &str); 0] = [];
        let mut signals = Signals::catch(&[]).unwrap();
        let error =
            replace_program(Path::new("/nonexistent/program"), &["program"], none, &[file.as_fd()], &mut signals);
        assert_eq!(error, Errno::ENOENT);
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
        let flags = fcntl(file.as_fd(), FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
    }
}
