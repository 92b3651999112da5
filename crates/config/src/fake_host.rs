//! A made-up system for tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{Account, DaemonHost, Host, ReadError};
use crate::path::{normalize, parent};

/// A system with the users `root` (0), `supervisord` (999) and `nobody` (65534), the directories `/`, `/tmp`, `/dev` and `/conf`, and whatever is
/// added. The program runs as root in `/conf`.
pub(crate) struct FakeHost {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) directories: BTreeSet<String>,
    /// Files that are there and cannot be read.
    pub(crate) closed: BTreeSet<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) uid: u32,
}

impl FakeHost {
    pub(crate) fn new() -> FakeHost {
        let variables = [("HOME", "/root"), ("LANG", "C.UTF-8"), ("PATH", "/bin")];
        FakeHost {
            files: BTreeMap::new(),
            closed: BTreeSet::new(),
            directories: ["/", "/tmp", "/dev", "/conf", "/root"].map(str::to_owned).into(),
            environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            uid: 0,
        }
    }

    /// With a file in place.
    pub(crate) fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> FakeHost {
        self.files.insert(path.to_owned(), content.into());
        self
    }
}

fn account(name: &str, uid: u32, home: &str) -> Account {
    Account { name: name.to_owned(), uid, gid: uid, home: home.to_owned() }
}

impl Host for FakeHost {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        if self.directories.contains(path) {
            return Err(ReadError::Unreadable("Is a directory".to_owned()));
        }
        if self.closed.contains(path) {
            return Err(ReadError::Unreadable("Permission denied".to_owned()));
        }
        self.files.get(path).cloned().ok_or(ReadError::Missing)
    }

    fn current_dir(&self) -> String {
        "/conf".to_owned()
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    fn own_home(&self) -> Option<String> {
        self.user_by_uid(self.uid).map(|account| account.home)
    }

    fn home_of(&self, user: &str) -> Option<String> {
        self.user_by_name(user).map(|account| account.home)
    }

    fn resolve(&self, spec: &str) -> Result<(), String> {
        match spec {
            "supervisor.rpcinterface:make_main_rpcinterface" | "supervisor.dispatchers:default_handler" | "a.b:c" => {
                Ok(())
            }
            _ => Err(String::new()),
        }
    }
}

impl DaemonHost for FakeHost {
    fn names_in(&self, directory: &str) -> Vec<String> {
        let here = normalize(directory);
        let paths = self.files.keys().chain(&self.directories).filter(|path| parent(path) == here);
        paths.filter_map(|path| path.rsplit('/').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    fn exists(&self, path: &str) -> bool {
        self.files.contains_key(&normalize(path)) || self.is_dir(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.directories.contains(&normalize(path))
    }

    fn temporary_dir(&self) -> String {
        "/tmp".to_owned()
    }

    fn host_name(&self) -> String {
        "node".to_owned()
    }

    fn processors(&self) -> i64 {
        4
    }

    fn current_uid(&self) -> u32 {
        self.uid
    }

    fn user_by_name(&self, name: &str) -> Option<Account> {
        match name {
            "root" => Some(account("root", 0, "/root")),
            "nobody" => Some(account("nobody", 65534, "/nonexistent")),
            "supervisord" => Some(account("supervisord", 999, "/")),
            _ => None,
        }
    }

    fn user_by_uid(&self, uid: u32) -> Option<Account> {
        ["root", "nobody"].into_iter().filter_map(|name| self.user_by_name(name)).find(|account| account.uid == uid)
    }

    fn group_by_name(&self, name: &str) -> Option<u32> {
        match name {
            "root" => Some(0),
            "nogroup" => Some(65534),
            _ => None,
        }
    }

    fn group_exists(&self, gid: u32) -> bool {
        [0, 65534].contains(&gid)
    }

    fn events(&self) -> Vec<&'static str> {
        vec!["EVENT", "PROCESS_STATE", "TICK_5", "TICK_60"]
    }
}
