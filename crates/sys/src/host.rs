//! Properties of the machine: its name, its system, the environment, a directory for temporary files.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, gethostname};

use crate::capabilities::Capabilities;
use crate::system;

/// The features of the running system; an old release of it may offer less.
pub const CAPABILITIES: Capabilities = system::CAPABILITIES;

/// The node name of the machine; empty if unknown.
pub fn node_name() -> String {
    gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The release of the system, such as `6.1.0-28-amd64`; empty if unknown.
pub fn release() -> String {
    let mut name = std::mem::MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the structure may be written to, and zeros are a valid value of it.
    let (answered, name) = unsafe { (libc::uname(name.as_mut_ptr()), name.assume_init()) };
    let letters = name.release.iter().map(|letter| *letter as u8).take_while(|letter| *letter != 0);
    if answered == 0 { String::from_utf8_lossy(&letters.collect::<Vec<_>>()).into_owned() } else { String::new() }
}

/// The environment of this process, byte for byte.
pub fn environment() -> Vec<(OsString, OsString)> {
    env::vars_os().collect()
}

/// Whether the present user may write to a file, or make files in a directory.
pub fn is_writable(path: &Path) -> bool {
    access(path, AccessFlags::W_OK).is_ok()
}

/// The directory for temporary files: the first usable one of `TMPDIR`, `TEMP` and `TMP`, then of `/tmp`, `/var/tmp`,
/// `/usr/tmp` and the current directory; absolute.
pub fn temporary_dir() -> PathBuf {
    temporary_dir_from(|name| env::var_os(name))
}

fn temporary_dir_from(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let named = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(variable).filter(|value| !value.is_empty());
    let usual = ["/tmp", "/var/tmp", "/usr/tmp", "."].into_iter().map(OsString::from);
    named
        .chain(usual)
        .filter_map(|directory| std::path::absolute(directory).ok())
        .find(|directory| is_usable(directory))
        // If none is usable, creating a file there fails with the actual reason.
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

fn is_usable(directory: &Path) -> bool {
    directory.is_dir() && access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::limits::{self, Limit};
    use crate::process_handle::ProcessHandle;
    use crate::shared_memory::SharedMemory;
    use crate::{Pid, fd, pipe};

    #[test]
    fn the_node_name_is_that_of_uname() {
        let uname = std::process::Command::new("uname").arg("-n").output().unwrap();
        assert_eq!(format!("{}\n", node_name()).as_bytes(), uname.stdout);
    }

    #[test]
    fn the_first_usable_directory_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().as_os_str();
        let given = |name: &str| match name {
            "TMPDIR" => Some("/nonexistent".into()),
            "TEMP" => Some("".into()),
            _ => Some(here.to_owned()),
        };
        assert_eq!(temporary_dir_from(given), directory.path());
        assert_eq!(temporary_dir_from(|_| None), Path::new("/tmp"));
    }

    /// The tests need a recent release of the system.
    #[test]
    fn the_running_system_has_the_features_of_the_table() {
        assert_eq!(ProcessHandle::open(Pid::current()).is_ok(), CAPABILITIES.take_over && CAPABILITIES.exact_signals);
        let (from, to) = (pipe::pipe().unwrap(), pipe::pipe().unwrap());
        fd::write(from.writer.as_fd(), b"x").unwrap();
        let moved = fd::splice(from.reader.as_fd(), to.writer.as_fd(), 1).is_ok();
        assert_eq!(moved && SharedMemory::create(1).is_ok(), CAPABILITIES.output_survives);
        assert_eq!(crate::start_time::boot_id().is_some(), CAPABILITIES.take_over);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(crate::socket::holder_of_port(port).is_some(), CAPABILITIES.names_port_holder);
        let limited = limits::ensure(Limit::Processes, u64::MAX / 4).is_err();
        let unlimited = limits::get(Limit::Processes).unwrap().0 == u64::MAX;
        assert!(unlimited || limited == CAPABILITIES.process_limit);
    }
}
