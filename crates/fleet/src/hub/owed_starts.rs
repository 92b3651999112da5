//! Programs of daemons of the original that a restart has stopped, or may have stopped, and not started: they are started when the
//! daemon answers again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::host_name::HostName;

/// The starts that are missing.
#[derive(Debug, Default)]
pub(super) struct OwedStarts {
    owed: RefCell<BTreeMap<(HostName, String), Owed>>,
    /// The last restart that has begun.
    last: Cell<RestartNumber>,
}

/// Which restart of a program it is: a later one has nothing to do with what the one before has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RestartNumber(u64);

#[derive(Clone, Copy, Debug)]
struct Owed {
    restart: RestartNumber,
    /// How many looks have found the program up since the restart has ended too early; none while it goes on.
    looks: Option<u8>,
}

impl OwedStarts {
    /// A restart begins.
    pub(super) fn begin(&self, host: &HostName, program: &str) -> RestartNumber {
        let restart = RestartNumber(self.last.get().0.wrapping_add(1));
        self.last.set(restart);
        self.owed.borrow_mut().insert((host.clone(), program.to_owned()), Owed { restart, looks: None });
        restart
    }

    /// It has ended before the program was started.
    pub(super) fn owe(&self, host: &HostName, program: &str, restart: RestartNumber) {
        // Whoever has asked for a stop meanwhile wants no start.
        self.change(host, program, restart, |owed| owed.looks = Some(0));
    }

    /// Nothing is missing after a restart.
    pub(super) fn end(&self, host: &HostName, program: &str, restart: RestartNumber) {
        let key = (host.clone(), program.to_owned());
        let mut owed = self.owed.borrow_mut();
        if owed.get(&key).is_some_and(|owed| owed.restart == restart) {
            owed.remove(&key);
        }
    }

    /// Somebody wants something else: nothing is missing any more, whatever went on.
    pub(super) fn forget(&self, host: &HostName, program: &str) {
        self.owed.borrow_mut().remove(&(host.clone(), program.to_owned()));
    }

    /// All that is missing or going on: hosts and programs.
    pub(super) fn all(&self) -> Vec<(HostName, String)> {
        self.owed.borrow().keys().cloned().collect()
    }

    /// What is missing on a host.
    pub(super) fn of(&self, host: &HostName) -> Vec<(String, RestartNumber)> {
        let owed = self.owed.borrow();
        let missing = owed.iter().filter(|((of, _), owed)| of == host && owed.looks.is_some());
        missing.map(|((_, program), owed)| (program.clone(), owed.restart)).collect()
    }

    /// How many looks have found a program up; none where nothing is missing any more after this restart.
    pub(super) fn looks(&self, host: &HostName, program: &str, restart: RestartNumber) -> Option<u8> {
        let owed = self.owed.borrow();
        owed.get(&(host.clone(), program.to_owned())).filter(|owed| owed.restart == restart)?.looks
    }

    /// So many looks have found it up.
    pub(super) fn has_looked(&self, host: &HostName, program: &str, restart: RestartNumber, looks: u8) {
        self.change(host, program, restart, |owed| owed.looks = owed.looks.map(|_| looks));
    }

    fn change(&self, host: &HostName, program: &str, restart: RestartNumber, change: impl FnOnce(&mut Owed)) {
        let mut owed = self.owed.borrow_mut();
        let owed = owed.get_mut(&(host.clone(), program.to_owned()));
        if let Some(owed) = owed.filter(|owed| owed.restart == restart) {
            change(owed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_meanwhile_is_the_last_word() {
        let (owed, host) = (OwedStarts::default(), HostName::parse("old1").unwrap());
        let first = owed.begin(&host, "web");
        assert!(owed.of(&host).is_empty() && owed.all().len() == 1);
        owed.owe(&host, "web", first);
        assert_eq!((owed.of(&host), owed.looks(&host, "web", first)), (vec![("web".to_owned(), first)], Some(0)));
        // Who has seen it missing does not find it so after a stop.
        owed.forget(&host, "web");
        assert_eq!(owed.looks(&host, "web", first), None);
        let next = owed.begin(&host, "web");
        owed.forget(&host, "web");
        owed.owe(&host, "web", next);
        assert!(owed.all().is_empty());
    }

    #[test]
    fn a_restart_does_not_end_a_later_one() {
        let (owed, host) = (OwedStarts::default(), HostName::parse("old1").unwrap());
        let first = owed.begin(&host, "web");
        owed.owe(&host, "web", first);
        owed.has_looked(&host, "web", first, 1);
        assert_eq!(owed.looks(&host, "web", first), Some(1));
        let next = owed.begin(&host, "web");
        owed.has_looked(&host, "web", first, 1);
        owed.owe(&host, "web", first);
        owed.end(&host, "web", first);
        assert!(owed.of(&host).is_empty() && owed.all().len() == 1 && owed.looks(&host, "web", first).is_none());
        owed.owe(&host, "web", next);
        assert_eq!(owed.of(&host), [("web".to_owned(), next)]);
        owed.end(&host, "web", next);
        assert!(owed.all().is_empty());
    }
}
