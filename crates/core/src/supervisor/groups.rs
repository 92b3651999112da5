//! The active groups, which are found by name, and among which the pools of listeners are known.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use supervisord_config::model::Group;

use super::messages::ProcessId;
use crate::pool::PoolQueue;

/// An active group.
pub(super) struct ActiveGroup {
    pub(super) config: Arc<Group>,
    pub(super) members: Vec<ProcessId>,
    pub(super) pool: Option<PoolQueue>,
}

/// The active groups in the order of activation.
#[derive(Default)]
pub(super) struct Groups {
    active: Vec<ActiveGroup>,
    by_name: HashMap<String, usize>,
    /// The indices of those that have a pool: usually few of many.
    pools: Vec<usize>,
}

impl Groups {
    pub(super) fn push(&mut self, group: ActiveGroup) {
        let index = self.active.len();
        self.by_name.insert(group.config.name.clone(), index);
        self.pools.extend(group.pool.is_some().then_some(index));
        self.active.push(group);
    }

    pub(super) fn remove(&mut self, index: usize) {
        let group = self.active.remove(index);
        self.by_name.remove(&group.config.name);
        self.pools.retain(|pool| *pool != index);
        let behind = self.by_name.values_mut().chain(&mut self.pools).filter(|other| **other > index);
        behind.for_each(|other| *other -= 1);
    }

    /// The index of the group of this name.
    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The index of the pool with this number among the pools.
    pub(super) fn pool_index(&self, number: usize) -> Option<usize> {
        self.pools.get(number).copied()
    }

    /// The groups that have a pool.
    pub(super) fn with_pool(&self) -> impl Iterator<Item = &ActiveGroup> {
        self.pools.iter().map(|index| &self.active[*index])
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &PoolQueue> {
        self.with_pool().filter_map(|group| group.pool.as_ref())
    }

    /// The groups that have a pool, one after the other.
    pub(super) fn for_each_pool(&mut self, mut act: impl FnMut(&mut ActiveGroup)) {
        for index in &self.pools {
            act(&mut self.active[*index]);
        }
    }
}

impl Deref for Groups {
    type Target = [ActiveGroup];

    fn deref(&self) -> &[ActiveGroup] {
        &self.active
    }
}

impl DerefMut for Groups {
    fn deref_mut(&mut self) -> &mut [ActiveGroup] {
        &mut self.active
    }
}
