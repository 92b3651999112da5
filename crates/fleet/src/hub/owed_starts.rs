//! Programs of daemons of the original that a restart has stopped, or may have stopped, and not started: they are started when the
//! daemon answers again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::host_name::HostName;

/// The starts that are missing.
#[derive(Debug, Default)]
pub(super) struct OwedStarts {
    owed: RefCell<BTreeMap<(HostName, String), Owed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// The restart goes on.
    InProgress,
    /// It has ended too early. So many looks have found the program up since.
    Missing(u8),
}

impl OwedStarts {
    /// A restart begins.
    pub(super) fn begin(&self, host: &HostName, program: &str) {
        self.owed.borrow_mut().insert((host.clone(), program.to_owned()), Owed::InProgress);
    }

    /// It has ended before the program was started.
    pub(super) fn owe(&self, host: &HostName, program: &str) {
        // Whoever has asked for a stop meanwhile wants no start.
        if let Some(owed) = self.owed.borrow_mut().get_mut(&(host.clone(), program.to_owned())) {
            *owed = Owed::Missing(0);
        }
    }

    /// Nothing is missing any more.
    pub(super) fn forget(&self, host: &HostName, program: &str) {
        self.owed.borrow_mut().remove(&(host.clone(), program.to_owned()));
    }

    /// All that is missing or going on: hosts and programs.
    pub(super) fn all(&self) -> Vec<(HostName, String)> {
        self.owed.borrow().keys().cloned().collect()
    }

    /// What is missing on a host, and how many looks have found it up.
    pub(super) fn of(&self, host: &HostName) -> Vec<(String, u8)> {
        let owed = self.owed.borrow();
        let missing = owed.iter().filter(|((of, _), _)| of == host).filter_map(|((_, program), owed)| match owed {
            Owed::Missing(looks) => Some((program.clone(), *looks)),
            Owed::InProgress => None,
        });
        missing.collect()
    }

    /// So many looks have found it up.
    pub(super) fn has_looked(&self, host: &HostName, program: &str, looks: u8) {
        if let Some(Owed::Missing(count)) = self.owed.borrow_mut().get_mut(&(host.clone(), program.to_owned())) {
            *count = looks;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_meanwhile_is_the_last_word() {
        let (owed, host) = (OwedStarts::default(), HostName::parse("old1").unwrap());
        owed.begin(&host, "web");
        assert!(owed.of(&host).is_empty() && owed.all().len() == 1);
        owed.owe(&host, "web");
        assert_eq!(owed.of(&host), [("web".to_owned(), 0)]);
        owed.begin(&host, "web");
        owed.forget(&host, "web");
        owed.owe(&host, "web");
        assert!(owed.all().is_empty());
    }
}
