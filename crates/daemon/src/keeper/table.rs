//! The table of what is kept.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::message::{Name, Owner, Role};

/// Descriptors by their names. A sorted list without gaps: a thousand programs have four thousand descriptors, and the keeper
/// is to be small. New runs have the highest numbers, so that little moves when they come.
#[derive(Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
}

/// A descriptor with its name, whose parts leave no gaps.
struct Entry {
    number: u64,
    kind: u8,
    role: Role,
    descriptor: OwnedFd,
}

impl Entry {
    fn owner(&self) -> (u8, u64) {
        (self.kind, self.number)
    }

    fn position(&self) -> (u8, u64, Role) {
        (self.kind, self.number, self.role)
    }
}

impl Table {
    /// Keeps a descriptor in place of an earlier one with this name.
    pub fn keep(&mut self, name: Name, descriptor: OwnedFd) {
        let (kind, number) = name.owner.parts();
        let entry = Entry { number, kind, role: name.role, descriptor };
        match self.entries.binary_search_by_key(&entry.position(), Entry::position) {
            Ok(found) => self.entries[found] = entry,
            Err(place) => self.entries.insert(place, entry),
        }
    }

    /// Closes all descriptors of an owner.
    pub fn forget(&mut self, owner: Owner) {
        let owner = owner.parts();
        let begin = self.entries.partition_point(|entry| entry.owner() < owner);
        let count = self.entries[begin..].partition_point(|entry| entry.owner() == owner);
        self.entries.drain(begin..begin + count);
    }

    /// All descriptors with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name, BorrowedFd<'_>)> {
        self.entries.iter().filter_map(|entry| {
            let owner = Owner::from_parts(entry.kind, entry.number)?;
            Some((Name { owner, role: entry.role }, entry.descriptor.as_fd()))
        })
    }

    /// Returns memory that is not needed any more.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_in_order_until_its_owner_is_forgotten() {
        let names = [
            (Owner::Readiness(2), Role::Ready),
            (Owner::Run(2), Role::Stdout),
            (Owner::Run(300), Role::Handle),
            (Owner::Daemon, Role::State),
            (Owner::Run(2), Role::Stdin),
            (Owner::Socket(2), Role::Listener),
        ]
        .map(|(owner, role)| Name { owner, role });
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let mut table = Table::default();
        for name in names.into_iter().chain([names[1]]) {
            table.keep(name, null());
        }
        let kept = |table: &Table| table.iter().map(|(name, _)| name).collect::<Vec<_>>();
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        assert_eq!(kept(&table), sorted);
        table.forget(Owner::Run(2));
        table.forget(Owner::Run(3));
        sorted.retain(|name| name.owner != Owner::Run(2));
        assert_eq!(kept(&table), sorted);
    }

    #[test]
    fn an_entry_has_no_gaps() {
        assert_eq!(size_of::<Entry>(), 16);
    }
}
