//! What the keeper of a daemon that was killed held: descriptors under names.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};

use supervisord_sys::pipe;
use supervisord_sys::process_handle::{ProcessHandle, has_ended};

use crate::keeper::{Name, Owner, Role};
use crate::output::{RunId, TransitFiles};
use crate::state::pid_slots::{SpawnedPid, WrittenPids};
use crate::state::{MemoryFile, Paths};

/// The table. What is taken out of it is the next daemon's.
#[derive(Default)]
pub struct KeeperTable {
    descriptors: BTreeMap<Name, OwnedFd>,
    written_pids: Option<WrittenPids>,
}

/// What is left of the table when everything that the state tells of has been taken.
pub struct Unclaimed {
    /// Whose it is.
    pub owners: BTreeSet<Owner>,
    /// How much output of them nobody has read, in bytes.
    pub bytes: usize,
    /// The children that still live.
    pub children: Vec<ProcessHandle>,
}

impl KeeperTable {
    /// The table with these descriptors.
    pub fn new(mut descriptors: BTreeMap<Name, OwnedFd>) -> KeeperTable {
        let pid_slots = descriptors.remove(&Name { owner: Owner::Daemon, role: Role::PidSlots });
        let written_pids = pid_slots.and_then(|pid_slots| WrittenPids::read(pid_slots).ok());
        KeeperTable { descriptors, written_pids }
    }

    /// Takes the process ids of the children that were made last from their file, where no keeper has them.
    pub fn find_written_pids(&mut self, paths: &Paths) {
        if self.written_pids.is_none() {
            self.written_pids = paths.spawned_pids.as_ref().and_then(|path| WrittenPids::in_file(path).ok());
        }
    }

    /// The children that were made last, by their runs.
    pub fn last_spawned(&self) -> impl Iterator<Item = (RunId, SpawnedPid)> {
        self.written_pids.iter().flat_map(WrittenPids::all)
    }

    /// The text of the state.
    pub fn take_state(&mut self) -> Option<Vec<u8>> {
        let memory = self.take(Owner::Daemon, Role::State)?;
        MemoryFile::read(memory).ok()
    }

    /// What was on its way to a log.
    pub fn take_transit(&mut self) -> Option<TransitFiles> {
        let mut take = |role| self.take(Owner::Daemon, role);
        let memory = take(Role::Transit)?;
        Some(TransitFiles { memory, reader: take(Role::TransitPipe)?, writer: take(Role::TransitEntry)? })
    }

    /// The output that was kept in memory.
    pub fn take_output_memory(&mut self) -> Option<OwnedFd> {
        self.take(Owner::Daemon, Role::OutputMemory)
    }

    /// One descriptor.
    pub fn take(&mut self, owner: Owner, role: Role) -> Option<OwnedFd> {
        self.descriptors.remove(&Name { owner, role })
    }

    /// Whether it is there.
    pub fn has(&self, owner: Owner, role: Role) -> bool {
        self.descriptors.contains_key(&Name { owner, role })
    }

    /// The child of a run that was being made when the daemon was killed.
    pub fn spawned_pid(&self, run: RunId) -> Option<SpawnedPid> {
        self.written_pids.as_ref()?.find(run)
    }

    /// The number that no run of the daemon before had.
    pub fn next_run(&self) -> u64 {
        let runs = self.descriptors.keys().filter_map(|name| match name.owner {
            Owner::Run(run) | Owner::Readiness(run) => Some(run + 1),
            Owner::Daemon | Owner::Socket(_) => None,
        });
        runs.max().unwrap_or(0)
    }

    /// What the state does not tell of: because a later run has taken its place, or because the state is broken.
    pub fn into_unclaimed(self) -> Unclaimed {
        let is_output = |role| matches!(role, Role::Stdout | Role::Stderr);
        let outputs = self.descriptors.iter().filter(|(name, _)| is_output(name.role));
        let bytes = outputs.filter_map(|(_, output)| pipe::waiting(output.as_fd()).ok()).sum();
        let owners = self.descriptors.keys().map(|name| name.owner).filter(|owner| *owner != Owner::Daemon).collect();
        let handles = self.descriptors.into_iter().filter(|(name, _)| name.role == Role::Handle);
        let living = handles.map(|(_, handle)| handle).filter(|handle| !has_ended(handle.as_fd()));
        let children = living.filter_map(ProcessHandle::from_unnamed).collect();
        Unclaimed { owners, bytes, children }
    }
}
