//! Replacing the program of this process while descriptors and children stay.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
#[cfg(not(target_os = "linux"))]
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::Errno;
use crate::signal::Signals;

/// A file in memory with this content, read from its beginning; it is closed on exec unless handed over.
#[cfg(target_os = "linux")]
pub fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the name ends in NUL, and the result is checked before it is owned.
    let raw = unsafe { libc::memfd_create(c"supervisord".as_ptr(), libc::MFD_CLOEXEC) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    fill(unsafe { File::from_raw_fd(raw) }, content)
}

/// A file without a name with this content, read from its beginning; it is closed on exec unless handed over.
#[cfg(not(target_os = "linux"))]
pub fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    let path = std::env::temp_dir().join(format!("supervisord.{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    fill(file, content)
}

fn fill(mut file: File, content: &[u8]) -> io::Result<OwnedFd> {
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.into())
}

/// Replaces the program. Children remain children, and the descriptors in `keep` remain open under their numbers.
/// All signals are blocked across the change, so that none can end the process before its successor listens; the
/// successor unblocks what it catches, and gets what was caught and not drained. Returns only when it failed; then everything is as before.
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
        // They were changed a moment ago; what cannot be changed back is at worst inherited by a child.
        let _ = set_close_on_exec(*fd, true);
    }
    let _ = before.thread_set_mask();
    result.err().unwrap_or(Errno::EINVAL)
}

/// Takes over a descriptor from the program that was here before; it is closed on the next exec. Fails with EBADF when
/// it is not open. A number must be taken at most once.
pub fn inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    if number < 3 {
        return Err(Errno::new(libc::EBADF));
    }
    // SAFETY: it is borrowed for one call, which fails without harm when it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    set_close_on_exec(borrowed, true)?;
    // SAFETY: it is open, and the program before left it to us: nobody else in this process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn set_close_on_exec(fd: BorrowedFd<'_>, close: bool) -> Result<(), Errno> {
    let flags = if close { FdFlag::FD_CLOEXEC } else { FdFlag::empty() };
    fcntl(fd, FcntlArg::F_SETFD(flags)).map(drop).map_err(Errno::from)
}

/// Makes both ends of a pipe the same to whoever holds it: a writer then is never without a reader, so that it waits
/// instead of dying when the other side is gone, and a reader never sees the end while somebody holds the pipe.
#[cfg(target_os = "linux")]
pub fn both_ways(end: &OwnedFd) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = format!("/proc/self/fd/{}", end.as_raw_fd());
    File::options().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(path).map(OwnedFd::from)
}

/// There is no such thing here.
#[cfg(not(target_os = "linux"))]
pub fn both_ways(end: &OwnedFd) -> io::Result<OwnedFd> {
    end.as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_descriptor_that_is_not_open_cannot_be_taken_over() {
        assert!(inherited(2).is_err());
        assert!(inherited(1_000_000).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_writer_of_a_pipe_that_is_open_both_ways_survives_its_reader() {
        let pipe = crate::pipe::pipe().unwrap();
        let writer = both_ways(&pipe.writer).unwrap();
        drop(pipe);
        assert_eq!(File::from(writer).write(b"still here").unwrap(), 10);
    }
}
