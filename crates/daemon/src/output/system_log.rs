//! The system log, with the account of the messages it could not take.

use supervisord_sys::syslog::Syslog;

use super::loss::{Account, Entries, Loss};

/// The connection to the system log.
pub(super) struct SystemLog {
    syslog: Syslog,
    account: Account,
}

impl SystemLog {
    pub fn new(syslog: Syslog) -> SystemLog {
        SystemLog { syslog, account: Account::new("the system log".into(), "messages") }
    }

    /// Sends one message.
    pub fn send(&mut self, message: &[u8]) -> Entries {
        let mut entries = Entries::new();
        let outcome = self.syslog.send(message).map_err(|error| Loss::new(1, &error));
        self.account.settle(outcome, &mut entries);
        entries
    }

    /// The last words about it.
    pub fn close(&mut self) -> Entries {
        let mut entries = Entries::new();
        self.account.close(0, &mut entries);
        entries
    }
}
