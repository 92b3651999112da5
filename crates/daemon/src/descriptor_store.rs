//! The descriptor store of the service manager (`FileDescriptorStoreMax=` of systemd), which stands in for the keeper where that is
//! killed together with the daemon. It holds copies of the same descriptors under the same names, but for handles on children, and
//! gives them to the next daemon as it gives sockets: `LISTEN_FDS`, `LISTEN_FDNAMES`.
//!
//! There is one only where the daemon is told how much room it has (`FDSTORE`), and where its programs are to survive it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use supervisord_config::model::LogLevel;
use supervisord_sys::{fd, passing, proc_fd, service_manager_socket};

use crate::activity::Activity;
use crate::keeper::{Name, Owner, Role};

/// How much room there is: the number of descriptors.
const CAPACITY_VARIABLE: &str = "FDSTORE";

/// What the names of descriptors of this daemon begin with. Sockets of servers have other names.
const PREFIX: &str = "sv-";

/// How long all names together may be: the next daemon gets them as one variable, for which Linux has 128 KiB.
const LONGEST_NAMES: usize = 100 << 10;

/// When to try again to send what the service manager has not taken.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// How long the service manager may take nothing before it is given up.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// How long the end of a daemon, or an upgrade, waits for the service manager.
const FINAL_LIMIT: Duration = Duration::from_secs(1);

/// A descriptor that the service manager holds, for the program after an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDescriptor {
    /// Its name there.
    name: String,
    /// By which it is recognized.
    inode: u64,
}

/// What the service manager has given back to this daemon.
#[derive(Default)]
struct GivenBack {
    descriptors: Vec<(String, OwnedFd)>,
    names: Vec<StoredDescriptor>,
}

static GIVEN_BACK: Mutex<GivenBack> = Mutex::new(GivenBack { descriptors: Vec::new(), names: Vec::new() });

fn given_back() -> MutexGuard<'static, GivenBack> {
    GIVEN_BACK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a descriptor with this name is of the store, and none of a server.
pub fn is_stored(name: &str) -> bool {
    parse(name).is_some()
}

/// Takes a descriptor that the service manager has given back.
pub fn give_back(name: String, descriptor: OwnedFd) {
    let inode = proc_fd::inode(descriptor.as_fd()).unwrap_or_default();
    let mut given = given_back();
    given.names.push(StoredDescriptor { name: name.clone(), inode });
    given.descriptors.push((name, descriptor));
}

/// What the service manager has given back, the newest of each name. Nobody gets it twice.
pub fn take_given_back() -> BTreeMap<Name, OwnedFd> {
    let given = std::mem::take(&mut given_back().descriptors);
    let mut newest: BTreeMap<Name, (u64, OwnedFd)> = BTreeMap::new();
    for (text, descriptor) in given {
        let Some((name, serial)) = parse(&text) else { continue };
        if newest.get(&name).is_none_or(|(known, _)| *known < serial) {
            newest.insert(name, (serial, descriptor));
        }
    }
    newest.into_iter().map(|(name, (_, descriptor))| (name, descriptor)).collect()
}

/// The descriptors that the service manager holds.
pub struct DescriptorStore {
    connection: OwnedFd,
    /// How many it may hold.
    room: usize,
    stored: BTreeMap<Name, Stored>,
    next_serial: u64,
    length_of_names: usize,
    /// What could not be sent yet, in order.
    waiting: VecDeque<Order>,
    /// Since when the service manager has taken nothing of that.
    waiting_since: Instant,
    is_full_logged: bool,
    activity: Activity,
}

/// What the store knows of a descriptor.
struct Stored {
    /// The name is used again for another descriptor, which is to be there before the first is removed.
    serial: u64,
    inode: u64,
    /// Whether a daemon before has stored it, and nobody has asked for it since.
    is_inherited: bool,
}

/// What the service manager is to do.
enum Order {
    Store(String, OwnedFd),
    Remove(String),
}

impl DescriptorStore {
    /// That of the service manager of these variables, which holds what it has given back, or these, which the program before an
    /// upgrade has stored; none where it has no room.
    pub fn open(
        variables: &[(OsString, OsString)],
        handed: Option<Vec<StoredDescriptor>>,
        activity: Activity,
    ) -> Option<DescriptorStore> {
        let value = |name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str());
        let room = value(CAPACITY_VARIABLE)?.to_str()?.parse().ok().filter(|room| *room > 0)?;
        // Whoever tells the service manager how the daemon is says so where it is not there.
        let connection = service_manager_socket::connect(value(service_manager_socket::VARIABLE)?).ok()?;
        let known = std::mem::take(&mut given_back().names);
        let mut store = DescriptorStore {
            connection,
            room,
            stored: BTreeMap::new(),
            next_serial: 0,
            length_of_names: 0,
            waiting: VecDeque::new(),
            waiting_since: Instant::now(),
            is_full_logged: false,
            activity,
        };
        for StoredDescriptor { name: text, inode } in handed.unwrap_or(known) {
            let Some((name, serial)) = parse(&text) else { continue };
            store.next_serial = store.next_serial.max(serial + 1);
            let replaced = store.stored.insert(name, Stored { serial, inode, is_inherited: true });
            store.length_of_names += text.len() + 1;
            match replaced {
                Some(other) if other.serial > serial => {
                    store.stored.insert(name, other);
                    store.remove(name, serial);
                }
                Some(other) => store.remove(name, other.serial),
                None => {}
            }
        }
        Some(store)
    }

    /// Has copies of these descriptors held, in place of others of the same names. It never waits.
    pub fn keep(&mut self, descriptors: &[(Name, BorrowedFd<'_>)]) {
        for (name, descriptor) in descriptors.iter().filter(|(name, _)| name.role != Role::Handle) {
            let Ok(inode) = proc_fd::inode(*descriptor) else { continue };
            let known = self.stored.get_mut(name).filter(|stored| stored.inode == inode);
            if let Some(known) = known {
                known.is_inherited = false;
                continue;
            }
            let text = text(*name, self.next_serial);
            if self.stored.len() >= self.room || self.length_of_names + text.len() >= LONGEST_NAMES {
                self.log_full();
                continue;
            }
            let stored = Stored { serial: self.next_serial, inode, is_inherited: false };
            self.next_serial += 1;
            self.length_of_names += text.len() + 1;
            let before = self.stored.insert(*name, stored);
            if !self.waiting.is_empty() || self.send(&storing(&text), &[*descriptor]).is_err() {
                match descriptor.try_clone_to_owned() {
                    Ok(copy) => self.order(Order::Store(text, copy)),
                    Err(_) => _ = self.stored.remove(name),
                }
            }
            if let Some(before) = before {
                self.remove(*name, before.serial);
            }
        }
    }

    /// Has everything of an owner closed.
    pub fn forget(&mut self, owner: Owner) {
        for role in Role::ALL {
            let name = Name { owner, role };
            if let Some(Stored { serial, .. }) = self.stored.remove(&name) {
                self.remove(name, serial);
            }
        }
    }

    /// Has everything closed that a daemon before has stored of owners that are no more.
    pub fn forget_others(&mut self, is_there: impl Fn(Owner) -> bool) {
        let inherited = self.stored.iter().filter(|(_, stored)| stored.is_inherited);
        let stale: Vec<Name> = inherited.map(|(name, _)| *name).filter(|name| !is_there(name.owner)).collect();
        for name in stale {
            if let Some(stored) = self.stored.remove(&name) {
                self.remove(name, stored.serial);
            }
        }
    }

    /// Sends what waits, as far as the service manager takes it.
    ///
    /// # Errors
    /// It has taken nothing for too long.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(order) = self.waiting.front() {
            let sent = match order {
                Order::Store(text, descriptor) => self.send(&storing(text), &[descriptor.as_fd()]),
                Order::Remove(text) => self.send(&removing(text), &[]),
            };
            match sent {
                Ok(()) => {
                    self.waiting.pop_front();
                    self.waiting_since = Instant::now();
                }
                // Its descriptors must not become more and more.
                Err(error) if self.waiting_since.elapsed() >= STALL_LIMIT => return Err(error),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// How long until something that waits is to be sent again; none where nothing waits.
    pub fn time_left(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(RETRY_INTERVAL)
    }

    /// What the service manager holds, for the program after an upgrade.
    pub fn into_stored(mut self) -> Vec<StoredDescriptor> {
        self.wait_for_orders();
        let stored = self.stored.iter().map(|(name, stored)| (text(*name, stored.serial), stored.inode));
        stored.map(|(name, inode)| StoredDescriptor { name, inode }).collect()
    }

    /// Has everything closed: nothing is to be taken over.
    pub fn end(mut self) {
        for (name, stored) in std::mem::take(&mut self.stored) {
            self.remove(name, stored.serial);
        }
        self.wait_for_orders();
    }

    fn remove(&mut self, name: Name, serial: u64) {
        let text = text(name, serial);
        self.length_of_names = self.length_of_names.saturating_sub(text.len() + 1);
        let waits = |order: &Order| matches!(order, Order::Store(waiting, _) if *waiting == text);
        if self.waiting.iter().any(waits) {
            return self.waiting.retain(|order| !waits(order));
        }
        if !self.waiting.is_empty() || self.send(&removing(&text), &[]).is_err() {
            self.order(Order::Remove(text));
        }
    }

    fn order(&mut self, order: Order) {
        if self.waiting.is_empty() {
            self.waiting_since = Instant::now();
        }
        self.waiting.push_back(order);
    }

    fn wait_for_orders(&mut self) {
        let give_up = Instant::now() + FINAL_LIMIT;
        while self.flush().is_ok() && !self.waiting.is_empty() && Instant::now() < give_up {
            let left = give_up.saturating_duration_since(Instant::now()).min(RETRY_INTERVAL);
            // Not everything that is in the way is room, for which this would wait.
            if fd::poll_writable(self.connection.as_fd(), left).unwrap_or(true) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn send(&self, message: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        passing::send(self.connection.as_fd(), message.as_bytes(), descriptors)
    }

    fn log_full(&mut self) {
        if std::mem::replace(&mut self.is_full_logged, true) {
            return;
        }
        let text = format!(
            "the service manager holds {} descriptors and has no room for more: output of some programs is lost if this daemon and \
             its keeper are killed; write FileDescriptorStoreMax= in the unit, three for each program",
            self.stored.len()
        );
        self.activity.log(LogLevel::Warn, &text);
    }
}

fn storing(name: &str) -> String {
    // It must not drop a pipe that nobody writes to any more: there may be something in it.
    format!("FDSTORE=1\nFDPOLL=0\nFDNAME={name}\n")
}

fn removing(name: &str) -> String {
    format!("FDSTOREREMOVE=1\nFDNAME={name}\n")
}

/// The name by which the service manager knows a descriptor.
fn text(name: Name, serial: u64) -> String {
    let role = name.role.word();
    match name.owner {
        Owner::Daemon => format!("{PREFIX}daemon-{role}-{serial}"),
        Owner::Run(number) => format!("{PREFIX}run{number}-{role}-{serial}"),
        Owner::Socket(number) => format!("{PREFIX}socket{number}-{role}-{serial}"),
        Owner::Readiness(number) => format!("{PREFIX}ready{number}-{role}-{serial}"),
    }
}

/// What such a name stands for.
fn parse(text: &str) -> Option<(Name, u64)> {
    let mut words = text.strip_prefix(PREFIX)?.split('-');
    let (owner, role, serial) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    let number = |prefix| owner.strip_prefix(prefix).and_then(|number: &str| number.parse().ok());
    let owner = match owner {
        "daemon" => Owner::Daemon,
        _ => number("run")
            .map(Owner::Run)
            .or_else(|| number("socket").map(Owner::Socket))
            .or_else(|| number("ready").map(Owner::Readiness))?,
    };
    let role = Role::ALL.into_iter().find(|known| known.word() == role)?;
    words.next().is_none().then_some((Name { owner, role }, serial))
}

#[cfg(test)]
mod tests;
