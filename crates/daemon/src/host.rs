//! The answers to what a configuration asks of the system.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use supervisord_config::host::{Account, DaemonHost, Host, LARGEST_FILE, ReadError};
use supervisord_sys::{host, small_file, user};
use supervisord_wire::event::EventType;

use crate::plugins::process::Launcher;
use crate::{hand_over, plugins};

/// How long a reading of the configuration may take before it is given up.
pub const READING_LIMIT: Duration = Duration::from_secs(60);

/// How many unfinished readings of one kind there may be before no further one is begun.
pub const MOST_UNFINISHED_READINGS: usize = 4;

/// How long a main file that is a pipe may be silent before its end: less than a reading may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// This system, as it is when the daemon starts.
#[derive(Clone)]
pub struct SystemHost {
    current_dir: String,
    environment: Vec<(String, String)>,
    launcher: Launcher,
}

impl SystemHost {
    /// Remembers the present directory and environment.
    pub fn new() -> SystemHost {
        let directory = std::env::current_dir().unwrap_or_else(|_| "/".into());
        SystemHost::in_directory(directory.to_string_lossy().into_owned())
    }

    /// The present environment, but another directory.
    pub fn in_directory(current_dir: String) -> SystemHost {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        let environment = hand_over::environment().into_iter();
        let environment = environment.map(|(name, value)| (lossy(name), lossy(value))).collect();
        SystemHost { current_dir, environment, launcher: Launcher::Caller }
    }

    /// The same, but what has to be asked of Python is asked of processes that this launcher starts.
    pub fn with_launcher(&self, launcher: Launcher) -> SystemHost {
        SystemHost { launcher, ..self.clone() }
    }
}

impl Default for SystemHost {
    fn default() -> SystemHost {
        SystemHost::new()
    }
}

impl Host for SystemHost {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let read = small_file::read_or_drain(Path::new(path), LARGEST_FILE, PATIENCE);
        read.map_err(|error| ReadError::new(&error, &user::current_name()))
    }

    fn read_regular(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        small_file::read(Path::new(path), LARGEST_FILE).map_err(|error| ReadError::new(&error, &user::current_name()))
    }

    fn current_dir(&self) -> String {
        self.current_dir.clone()
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    fn own_home(&self) -> Option<String> {
        self.user_by_uid(self.current_uid()).map(|account| account.home)
    }

    fn home_of(&self, user: &str) -> Option<String> {
        self.user_by_name(user).map(|account| account.home)
    }

    fn resolve(&self, spec: &str) -> Result<(), String> {
        if plugins::BUILT_IN.contains(&spec) {
            return Ok(());
        }
        plugins::resolve::resolve(spec, Path::new(&self.current_dir), &self.launcher)
    }
}

impl DaemonHost for SystemHost {
    fn names_in(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn temporary_dir(&self) -> String {
        host::temporary_dir().to_string_lossy().into_owned()
    }

    fn host_name(&self) -> String {
        host::node_name()
    }

    fn processors(&self) -> i64 {
        std::thread::available_parallelism().map_or(1, |count| i64::try_from(count.get()).unwrap_or(i64::MAX))
    }

    fn current_uid(&self) -> u32 {
        user::current_uid()
    }

    fn user_by_name(&self, name: &str) -> Option<Account> {
        user::user_by_name(name).map(account)
    }

    fn user_by_uid(&self, uid: u32) -> Option<Account> {
        user::user_by_uid(uid).map(account)
    }

    fn group_by_name(&self, name: &str) -> Option<u32> {
        user::group_by_name(name)
    }

    fn group_exists(&self, gid: u32) -> bool {
        user::group_exists(gid)
    }

    fn events(&self) -> Vec<&'static str> {
        EventType::all().map(EventType::name).collect()
    }
}

fn account(user: user::User) -> Account {
    Account { name: user.name, uid: user.uid, gid: user.gid, home: user.home.to_string_lossy().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody waits for the other end of a pipe that lies in a directory of included files.
    #[test]
    fn included_files_must_be_regular_ones_and_the_main_file_may_be_a_pipe() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let refused = |reason: &str| Err(ReadError::Unreadable(format!("it is {reason}, and must be a regular file")));
        let host = SystemHost::new();
        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("run").success());
        assert_eq!(host.read_regular(&path("pipe")), refused("a named pipe"));
        assert_eq!(host.read_regular("/dev/zero"), refused("a device"));
        assert_eq!(host.read_regular("/dev/null"), Ok(Vec::new()), "it masks a file");
        let pipe = path("pipe");
        let writer = std::thread::spawn(move || fs::write(pipe, "[supervisord]\n").expect("written"));
        assert_eq!(host.read(&path("pipe")), Ok(b"[supervisord]\n".to_vec()));
        writer.join().expect("no panic");
        assert_eq!(
            host.read("/dev/zero"),
            Err(ReadError::Unreadable(format!("it has more than {LARGEST_FILE} bytes")))
        );
    }
}
