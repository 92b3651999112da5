//! The published state as one actor sees it: programs that are not the actor's do not exist.

use std::sync::Arc;

use supervisord_config::model::Config;
use supervisord_core::actor::{Actor, Right};
use supervisord_core::disabled::Disabling;
use supervisord_core::event::ProcessName;
use supervisord_core::history::Since;
use supervisord_core::row::Row;
use supervisord_core::scope::ProgramScope;
use supervisord_wire::state::Mood;

use crate::view::View;

/// A program that nothing starts until somebody enables it.
pub struct DisabledProgram {
    /// Its name.
    pub name: ProcessName,
    /// Who has disabled it.
    pub disabling: Arc<Disabling>,
    /// Whether an active group has it.
    pub is_present: bool,
}

/// The published state, as far as it exists for an actor.
pub struct VisibleView<'a> {
    view: &'a View,
    actor: &'a Actor,
}

impl<'a> VisibleView<'a> {
    pub(super) fn new(view: &'a View, actor: &'a Actor) -> VisibleView<'a> {
        VisibleView { view, actor }
    }

    fn scope(&self) -> &'a ProgramScope {
        &self.actor.programs
    }

    /// What the daemon is doing.
    pub fn mood(&self) -> Mood {
        self.view.mood()
    }

    /// The name of the daemon.
    pub fn identifier(&self) -> String {
        self.view.config().supervisord.identifier.clone()
    }

    /// The configuration that was read last. What is shown of it is to be asked for with [`includes`](VisibleView::includes)
    /// and [`shows_secrets`](VisibleView::shows_secrets).
    pub fn config(&self) -> Arc<Config> {
        self.view.config()
    }

    /// Whether a program exists for the actor.
    pub fn includes(&self, group: &str, process: &str) -> bool {
        self.scope().includes(group, process)
    }

    /// Whether every program exists for the actor.
    pub fn includes_all(&self) -> bool {
        self.scope().is_all()
    }

    /// Whether the actor may read what can be secret: environments, arguments, passwords.
    pub fn shows_secrets(&self) -> bool {
        self.actor.right >= Some(Right::Administer)
    }

    /// How many processes there are.
    pub fn len(&self) -> usize {
        if self.includes_all() { self.view.len() } else { self.rows().len() }
    }

    /// Whether there is no process.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All processes, sorted by group and name.
    pub fn rows(&self) -> Vec<Arc<Row>> {
        let mut rows = self.view.rows();
        if !self.includes_all() {
            rows.retain(|row| self.includes(&row.group, &row.config.identity.name));
        }
        rows
    }

    /// One process.
    pub fn row(&self, group: &str, process: &str) -> Option<Arc<Row>> {
        self.view.row(group, process).filter(|_| self.includes(group, process))
    }

    /// The disabled programs, by group and name; those that no active group has are among them.
    pub fn disabled(&self) -> Vec<DisabledProgram> {
        let disabled = self.view.disabled();
        let visible = disabled.iter().filter(|(name, _)| self.includes(&name.group, &name.process));
        let program = |(name, disabling): (ProcessName, &Arc<Disabling>)| DisabledProgram {
            is_present: self.view.row(&name.group, &name.process).is_some(),
            name,
            disabling: disabling.clone(),
        };
        visible.map(program).collect()
    }

    /// Groups with their processes, sorted by name.
    pub fn groups(&self) -> Vec<(Arc<str>, Vec<Arc<Row>>)> {
        let mut groups = self.view.groups();
        if !self.includes_all() {
            for (group, rows) in &mut groups {
                rows.retain(|row| self.includes(group, &row.config.identity.name));
            }
            groups.retain(|(_, rows)| !rows.is_empty());
        }
        groups
    }

    /// Whether a group of this name is active; it may be empty.
    pub fn has_group(&self, group: &str) -> bool {
        self.view.has_group(group) && self.scope().may_include_some_of(group)
    }

    /// How often something was published, be it visible or not. Who reads it first, and then what was published, misses
    /// nothing by waiting for the revision [after](VisibleView::after) it.
    pub fn revision(&self) -> u64 {
        self.view.revision()
    }

    /// Waits until something is published after this revision.
    pub async fn after(&self, revision: u64) {
        self.view.after(revision).await;
    }

    /// At most so many events after this number, the oldest first.
    pub fn events_since(&self, number: u64, most: usize) -> Since {
        self.view.events_since(number, most, self.scope())
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        self.view.last_event()
    }
}
