//! What reading a configuration must ask of the system it runs on.

use std::io;

/// A user account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: String,
}

/// Why a configuration file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There is no such file.
    Missing,
    /// It is there, but cannot be read, or is a directory; holds the reason in words.
    Unreadable(String),
}

impl ReadError {
    /// What an error of the system means to a reader who is this user.
    pub fn new(error: &io::Error, user: &str) -> ReadError {
        let reason = reason(error);
        match error.kind() {
            io::ErrorKind::NotFound => ReadError::Missing,
            io::ErrorKind::PermissionDenied => ReadError::Unreadable(format!("{reason}, read as user {user}")),
            _ => ReadError::Unreadable(reason),
        }
    }
}

/// An error of the system in words, without its number, which says nothing that the words do not say.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error().and_then(|number| text.strip_suffix(&format!(" (os error {number})"))) {
        Some(reason) => reason.to_owned(),
        None => text,
    }
}

/// The most bytes of a configuration file.
pub const LARGEST_FILE: u64 = 64 << 20;

/// The questions that every configuration asks while it is read, the client's too. Paths are text; all that are asked
/// about are absolute.
pub trait Host {
    /// The whole content of the main file, which may be a pipe.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;
    /// The whole content of another file, which must be a regular one.
    fn read_regular(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.read(path)
    }
    /// The directory from which relative paths count, absolute: the current directory at the start of the program,
    /// also later, so that a change of directory does not change the meaning of a configuration that is read again.
    fn current_dir(&self) -> String;
    /// The environment of the program at its start.
    fn environment(&self) -> Vec<(String, String)>;
    /// The home directory of the user this program runs as, as the user database has it.
    fn own_home(&self) -> Option<String>;
    /// The home directory of the user of this login name.
    fn home_of(&self, user: &str) -> Option<String>;
    /// Whether a Python specification `package.module:attribute` can be resolved; where it cannot, the reason, which is empty
    /// when there simply is no such thing.
    fn resolve(&self, spec: &str) -> Result<(), String>;
}

/// The questions that only the sections of the daemon ask.
pub trait DaemonHost: Host {
    /// The names of all that is in a directory, in any order; none where it cannot be read.
    fn names_in(&self, directory: &str) -> Vec<String>;
    /// Whether there is anything at this path, be it a link to nowhere.
    fn exists(&self, path: &str) -> bool;
    /// Whether this is an existing directory.
    fn is_dir(&self, path: &str) -> bool;
    /// The directory for automatic log files where the configuration names none.
    fn temporary_dir(&self) -> String;
    /// The node name of the machine.
    fn host_name(&self) -> String;
    /// How many processors it may use, at least 1.
    fn processors(&self) -> i64;
    /// The user the daemon runs as.
    fn current_uid(&self) -> u32;
    /// The account of this login name.
    fn user_by_name(&self, name: &str) -> Option<Account>;
    /// The account of this user id.
    fn user_by_uid(&self, uid: u32) -> Option<Account>;
    /// The id of this group.
    fn group_by_name(&self, name: &str) -> Option<u32>;
    /// Whether there is a group of this id.
    fn group_exists(&self, gid: u32) -> bool;
    /// The names of the events that listeners may subscribe to, in capitals.
    fn events(&self) -> Vec<&'static str>;
}
