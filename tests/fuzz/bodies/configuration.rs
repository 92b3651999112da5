//! A whole configuration file: it is read completely or refused with a message, with the same result each time.

use supervisord_config::host::{Account, DaemonHost, Host, ReadError};
use supervisord_config::model::Config;
use supervisord_config::{CommandLineFlags, ConfigError, load};

/// A system with one configuration file, one user and three directories.
pub struct FakeSystem<'c>(pub &'c [u8]);

/// Where the configuration file is.
pub const FILE: &str = "/conf/supervisord.conf";

fn root() -> Account {
    Account { name: "root".to_owned(), uid: 0, gid: 0, home: "/root".to_owned() }
}

impl Host for FakeSystem<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        if path == FILE { Ok(self.0.to_vec()) } else { Err(ReadError::Missing) }
    }

    fn current_dir(&self) -> String {
        "/conf".to_owned()
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("HOME".to_owned(), "/root".to_owned())]
    }

    fn own_home(&self) -> Option<String> {
        self.user_by_uid(self.current_uid()).map(|account| account.home)
    }

    fn home_of(&self, user: &str) -> Option<String> {
        self.user_by_name(user).map(|account| account.home)
    }

    fn resolve(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

impl DaemonHost for FakeSystem<'_> {
    fn names_in(&self, directory: &str) -> Vec<String> {
        if directory == "/conf" { vec!["supervisord.conf".to_owned()] } else { Vec::new() }
    }

    fn exists(&self, path: &str) -> bool {
        path == FILE
    }

    fn is_dir(&self, path: &str) -> bool {
        ["/", "/tmp", "/conf"].contains(&path)
    }

    fn temporary_dir(&self) -> String {
        "/tmp".to_owned()
    }

    fn host_name(&self) -> String {
        "machine".to_owned()
    }

    fn processors(&self) -> i64 {
        2
    }

    fn current_uid(&self) -> u32 {
        0
    }

    fn user_by_name(&self, name: &str) -> Option<Account> {
        (name == "root").then(root)
    }

    fn user_by_uid(&self, uid: u32) -> Option<Account> {
        (uid == 0).then(root)
    }

    fn group_by_name(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group_exists(&self, gid: u32) -> bool {
        gid == 0
    }

    fn events(&self) -> Vec<&'static str> {
        use supervisord_wire::event::EventType;
        EventType::all().map(EventType::name).collect()
    }
}

/// Reads a configuration.
pub fn read(text: &[u8]) -> Result<Config, ConfigError> {
    load(FILE, &CommandLineFlags::default(), &FakeSystem(text))
}

pub fn run(data: &[u8]) {
    // Without this section the daemon refuses the file before it reads anything else.
    let text = [b"[supervisord]\n", data].concat();
    match (read(&text), read(&text)) {
        (Ok(config), Ok(again)) => {
            assert_eq!(format!("{config:?}"), format!("{again:?}"));
            let order: Vec<_> = config.groups.iter().map(|group| group.priority).collect();
            assert!(order.is_sorted(), "{order:?}");
            assert!(
                config
                    .groups
                    .iter()
                    .flat_map(|group| &group.processes)
                    .all(|process| !process.identity.name.contains(':'))
            );
        }
        (Err(error), Err(again)) => {
            assert_eq!(error.to_string(), again.to_string());
            assert!(!error.to_string().is_empty());
        }
        (first, second) => panic!("read twice, it is {first:?} and {second:?}"),
    }
}
