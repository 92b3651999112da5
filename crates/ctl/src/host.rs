//! The system calls that reading the client's configuration needs.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use supervisord_config::host::{Host, LARGEST_FILE, ReadError};
use supervisord_sys::small_file;
use supervisord_sys::user::{self, User};

/// How long a file that is a pipe may be silent before its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// This system.
pub struct System;

impl Host for System {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let read = small_file::read_or_drain(Path::new(path), LARGEST_FILE, PATIENCE);
        read.map_err(|error| ReadError::new(&error, &user::current_name()))
    }

    fn current_dir(&self) -> String {
        env::current_dir().map_or_else(|_| "/".to_owned(), |path| path.to_string_lossy().into_owned())
    }

    fn environment(&self) -> Vec<(String, String)> {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn own_home(&self) -> Option<String> {
        user::user_by_uid(user::current_uid()).map(home)
    }

    fn home_of(&self, user: &str) -> Option<String> {
        user::user_by_name(user).map(home)
    }

    /// The client loads no plug-in here; an error shows when the plug-in is used.
    fn resolve(&self, _spec: &str) -> Result<(), String> {
        Ok(())
    }
}

fn home(user: User) -> String {
    user.home.to_string_lossy().into_owned()
}
