//! What reading the client's configuration asks of this system.

use supervisord_config::host::{Account, Host, ReadError};
use supervisord_sys::user::{self, User};

/// This system. Where the question is one that only the daemon's sections raise, the answer is "none".
pub struct System;

impl Host for System {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ReadError::Missing,
            _ => ReadError::Unreadable,
        })
    }

    fn glob(&self, _pattern: &str) -> Vec<String> {
        Vec::new()
    }

    fn is_dir(&self, path: &str) -> bool {
        std::path::Path::new(path).is_dir()
    }

    fn current_dir(&self) -> String {
        std::env::current_dir().map_or_else(|_| "/".to_owned(), |path| path.to_string_lossy().into_owned())
    }

    fn temporary_dir(&self) -> String {
        std::env::temp_dir().to_string_lossy().into_owned()
    }

    fn environment(&self) -> Vec<(String, String)> {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn host_name(&self) -> String {
        String::new()
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

    fn group_exists(&self, _gid: u32) -> bool {
        false
    }

    fn is_event(&self, _name: &str) -> bool {
        false
    }

    /// Nothing is loaded here: whether a plug-in works shows when it is used.
    fn resolve(&self, _spec: &str) -> Result<(), String> {
        Ok(())
    }
}

fn account(user: User) -> Account {
    Account { name: user.name, uid: user.uid, gid: user.gid, home: user.home.to_string_lossy().into_owned() }
}
