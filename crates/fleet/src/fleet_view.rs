//! What somebody who watches the bucket knows of all hosts.
//!
//! Times are those of the server, in milliseconds since the epoch, so that wrong clocks of hosts and watchers do not matter: the
//! present is the newest time that the server has put on a message, and what has gone by here since that message came.

use std::collections::BTreeMap;

use crate::clock::epoch_millis;
use crate::host_name::HostName;
use crate::report::{HostInventory, HostPresence};
use crate::store_setup::FORGOTTEN_AFTER;
use crate::subjects::FleetKey;

/// The most hosts of a fleet. What others say is not kept.
pub const MAX_HOSTS: usize = 5000;
/// The most programs of all hosts together.
const MAX_ALL_PROGRAMS: usize = 200_000;
/// How often an agent says that it lives, in milliseconds.
pub const PRESENCE_EVERY: u64 = 10_000;
/// After how long without a word a host counts as lost, in milliseconds.
pub const LOST_AFTER: u64 = 25_000;

/// How a host is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostLink {
    /// Nothing has come from the agent for too long.
    Lost,
    /// The agent lives, and does not reach its daemon.
    NoDaemon,
    /// The agent has said that it ends.
    Left,
    /// All is well.
    Connected,
}

/// One host.
#[derive(Clone, Debug, Default)]
pub struct KnownHost {
    /// What it runs, as far as is known.
    pub inventory: HostInventory,
    presence: Option<HostPresence>,
    /// When the agent last said that it lives; 0 where it never has.
    seen: u64,
    /// Until when it is known whether it does: later than `seen` where somebody has asked in vain.
    known: u64,
    /// When anything of it last came.
    heard: u64,
}

/// All hosts.
#[derive(Clone, Debug, Default)]
pub struct FleetView {
    hosts: BTreeMap<HostName, KnownHost>,
    programs: usize,
    /// How many messages were not understood, or had no room.
    pub refused: u64,
    /// Grows when something has changed that people see.
    changes: u64,
    /// The newest time of the server, and the time here when it came.
    newest: (u64, u64),
}

impl KnownHost {
    /// When the host last said that it lives, in milliseconds since the epoch; none if it never has.
    pub fn seen(&self) -> Option<u64> {
        (self.seen > 0).then_some(self.seen)
    }

    /// How it is connected at a time of the server.
    pub fn link(&self, server_now: u64) -> HostLink {
        match &self.presence {
            None => HostLink::Lost,
            Some(presence) if presence.is_leaving => HostLink::Left,
            Some(_) if server_now > self.known + LOST_AFTER => HostLink::Lost,
            Some(presence) if !presence.has_daemon => HostLink::NoDaemon,
            Some(_) => HostLink::Connected,
        }
    }
}

impl HostLink {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            HostLink::Connected => "connected",
            HostLink::NoDaemon => "no_daemon",
            HostLink::Left => "left",
            HostLink::Lost => "lost",
        }
    }
}

impl FleetView {
    /// A message of the bucket: its subject, its content, which is empty where the key was deleted, when the server got it, and
    /// the time here, in milliseconds of any clock that only goes forward. Returns the host that it is about.
    pub fn take(&mut self, subject: &str, message: &[u8], published: u64, now: u64) -> Option<HostName> {
        if published >= self.newest.0 {
            self.newest = (published, now);
        }
        let Some(key) = FleetKey::of_subject(subject) else {
            self.refused += 1;
            return None;
        };
        let (FleetKey::Presence(name) | FleetKey::Inventory(name)) = &key;
        let name = name.clone();
        if message.is_empty() {
            if let Some(host) = self.hosts.remove(&name) {
                self.changes += 1;
                self.programs -= host.inventory.programs.len();
            }
            return Some(name);
        }
        if !self.hosts.contains_key(&name) && self.hosts.len() >= MAX_HOSTS {
            self.refused += 1;
            return None;
        }
        match key {
            FleetKey::Presence(_) => {
                let Some(presence) = HostPresence::read(message) else {
                    self.refused += 1;
                    return None;
                };
                let now = self.newest.0;
                let before = self.hosts.get(&name).map(|host| host.link(now));
                let host = self.hosts.entry(name.clone()).or_default();
                host.presence = Some(presence);
                host.seen = published;
                host.known = published;
                host.heard = host.heard.max(published);
                self.changes += u64::from(Some(host.link(now)) != before);
            }
            FleetKey::Inventory(_) => {
                let Some(mut inventory) = HostInventory::read(message) else {
                    self.refused += 1;
                    return None;
                };
                let before = self.hosts.get(&name).map_or(0, |host| host.inventory.programs.len());
                let room = MAX_ALL_PROGRAMS - (self.programs - before);
                inventory.omitted += inventory.programs.len().saturating_sub(room);
                inventory.programs.truncate(room);
                self.programs = self.programs - before + inventory.programs.len();
                let host = self.hosts.entry(name.clone()).or_default();
                host.heard = host.heard.max(published);
                self.changes += u64::from(host.inventory != inventory);
                host.inventory = inventory;
            }
        }
        Some(name)
    }

    /// A host that tells nothing by itself was asked at a time of the server, and has not answered.
    pub fn asked_in_vain(&mut self, name: &HostName, server_now: u64) {
        if !self.hosts.contains_key(name) && self.hosts.len() >= MAX_HOSTS {
            self.refused += 1;
            return;
        }
        let before = self.hosts.get(name).map(|host| host.link(server_now));
        let host = self.hosts.entry(name.clone()).or_default();
        host.presence = Some(HostPresence { boot: String::new(), has_daemon: false, is_leaving: false });
        host.known = server_now;
        host.heard = host.heard.max(server_now);
        self.changes += u64::from(Some(host.link(server_now)) != before);
    }

    /// Forgets the hosts of which nothing has come for so long that the bucket has nothing of them any more: it does not tell.
    pub fn forget_silent(&mut self, server_now: u64) {
        let oldest = server_now.saturating_sub(FORGOTTEN_AFTER.as_millis() as u64);
        let before = self.hosts.len();
        self.hosts.retain(|_, host| host.heard >= oldest);
        if self.hosts.len() != before {
            self.programs = self.hosts.values().map(|host| host.inventory.programs.len()).sum();
            self.changes += 1;
        }
    }

    /// Another number than before if a message has changed something that people see.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The present time of the server; that of this machine, where nothing has come from one yet.
    pub fn server_now(&self, now: u64) -> u64 {
        match self.newest {
            (0, _) => epoch_millis(),
            (newest, at) => newest + now.saturating_sub(at),
        }
    }

    /// All hosts, by name.
    pub fn hosts(&self) -> &BTreeMap<HostName, KnownHost> {
        &self.hosts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::ProgramReport;

    fn name() -> HostName {
        HostName::parse("web1").unwrap()
    }

    fn presence(has_daemon: bool, is_leaving: bool) -> Vec<u8> {
        serde_json::to_vec(&HostPresence { boot: "b".to_owned(), has_daemon, is_leaving }).unwrap()
    }

    fn link(view: &FleetView, now: u64) -> HostLink {
        view.hosts()[&name()].link(view.server_now(now))
    }

    #[test]
    fn a_host_that_says_nothing_is_lost_whatever_the_clocks_say() {
        let mut view = FleetView::default();
        // The clock of the watcher is ages behind that of the server.
        view.take("$KV.fleet.presence.web1", &presence(true, false), 1_000_000, 5);
        assert_eq!(link(&view, 5 + LOST_AFTER), HostLink::Connected);
        assert_eq!(link(&view, 6 + LOST_AFTER), HostLink::Lost);
        view.take("$KV.fleet.presence.web1", &presence(false, false), 1_050_000, 50_005);
        assert_eq!(link(&view, 50_005), HostLink::NoDaemon);
        view.take("$KV.fleet.presence.web1", &presence(true, true), 1_050_001, 50_006);
        assert_eq!(link(&view, 50_006), HostLink::Left);
    }

    #[test]
    fn whoever_was_asked_in_vain_was_not_seen() {
        let mut view = FleetView::default();
        view.asked_in_vain(&name(), 1_000_000);
        assert_eq!((view.hosts()[&name()].seen(), view.hosts()[&name()].link(1_000_000)), (None, HostLink::NoDaemon));
        view.take("$KV.fleet.presence.web1", &presence(true, false), 1_001_000, 0);
        let before = view.changes();
        for now in [1_050_000, 1_055_000] {
            view.asked_in_vain(&name(), now);
            let host = &view.hosts()[&name()];
            assert_eq!((host.seen(), host.link(now)), (Some(1_001_000), HostLink::NoDaemon));
        }
        assert_eq!(view.changes(), before + 1);
    }

    #[test]
    fn who_comes_late_sees_who_was_lost_before() {
        let mut view = FleetView::default();
        view.take("$KV.fleet.presence.web1", &presence(true, false), 1_000, 0);
        view.take("$KV.fleet.presence.web2", &presence(true, false), 1_001 + LOST_AFTER, 0);
        assert_eq!(link(&view, 0), HostLink::Lost);
    }

    #[test]
    fn a_sign_of_life_is_no_change() {
        let mut view = FleetView::default();
        let take = |view: &mut FleetView, message: &[u8], at| {
            let before = view.changes();
            view.take("$KV.fleet.presence.web1", message, at, at);
            view.changes() != before
        };
        assert!(take(&mut view, &presence(true, false), 1_000));
        assert!(!take(&mut view, &presence(true, false), 11_000));
        assert!(take(&mut view, &presence(false, false), 12_000));
        assert!(take(&mut view, &presence(true, false), 13_000));
        // It was lost meanwhile.
        assert!(take(&mut view, &presence(true, false), 13_001 + LOST_AFTER));
        let programs = vec![ProgramReport::default()];
        let inventory = HostInventory { programs, ..HostInventory::default() }.message();
        let before = view.changes();
        view.take("$KV.fleet.inventory.web1", &inventory, 50_000, 50_000);
        let after = view.changes();
        view.take("$KV.fleet.inventory.web1", &inventory, 50_001, 50_001);
        assert_eq!((after, view.changes()), (before + 1, before + 1));
    }

    #[test]
    fn a_deleted_key_forgets_the_host() {
        let mut view = FleetView::default();
        view.take("$KV.fleet.presence.web1", &presence(true, false), 1, 0);
        assert_eq!(view.take("$KV.fleet.presence.web1", b"", 2, 0), Some(name()));
        assert!(view.hosts().is_empty());
    }

    #[test]
    fn hosts_and_programs_are_bounded() {
        let mut view = FleetView::default();
        for number in 0..MAX_HOSTS + 3 {
            view.take(&format!("$KV.fleet.presence.h{number}"), &presence(true, false), 1, 0);
        }
        assert_eq!((view.hosts().len(), view.refused), (MAX_HOSTS, 3));
        let program = |number: usize| ProgramReport {
            group: "g".to_owned(),
            name: number.to_string(),
            state: "RUNNING".to_owned(),
            ..ProgramReport::default()
        };
        let mut inventory = HostInventory { programs: (0..2000).map(program).collect(), ..HostInventory::default() };
        let message = inventory.message();
        for number in 0..150 {
            view.take(&format!("$KV.fleet.inventory.h{number}"), &message, 1, 0);
        }
        assert_eq!(view.programs, MAX_ALL_PROGRAMS);
        assert_eq!(view.hosts()[&HostName::parse("h149").unwrap()].inventory.omitted, 2000);
    }

    proptest! {
        #[test]
        fn the_count_of_programs_is_right(steps in proptest::collection::vec((0u8..4, 0usize..5, any::<bool>()), 0..40)) {
            let mut view = FleetView::default();
            for (host, count, deletes) in steps {
                let programs = vec![ProgramReport::default(); count];
                let message = HostInventory { programs, ..HostInventory::default() }.message();
                let message = if deletes { Vec::new() } else { message };
                view.take(&format!("$KV.fleet.inventory.h{host}"), &message, 1, 0);
                let sum: usize = view.hosts().values().map(|host| host.inventory.programs.len()).sum();
                prop_assert_eq!(sum, view.programs);
            }
        }
    }

    #[test]
    fn hosts_of_which_nothing_comes_are_forgotten() {
        let mut view = FleetView::default();
        let presence =
            serde_json::to_vec(&HostPresence { boot: String::new(), has_daemon: true, is_leaving: false }).unwrap();
        let (old, new) = (HostName::parse("old").unwrap(), HostName::parse("new").unwrap());
        let day = FORGOTTEN_AFTER.as_millis() as u64;
        view.take(&FleetKey::Presence(old.clone()).subject(), &presence, 5, 0);
        view.take(&FleetKey::Presence(new.clone()).subject(), &presence, 6, 0);
        let before = view.changes();
        view.forget_silent(day + 5);
        assert_eq!((view.hosts().len(), view.changes()), (2, before));
        view.forget_silent(day + 6);
        assert_eq!(view.hosts().keys().collect::<Vec<_>>(), [&new]);
        assert_ne!(view.changes(), before);
    }
}
