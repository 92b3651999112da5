//! The object: what is known, and what comes of it.

use std::collections::HashSet;
use std::sync::Arc;

use supervisord_config::dependency::Dependency;
use supervisord_wire::state::ProcessState;

use super::advice::advice;
use super::outlook::Outlook;
use crate::dependencies::AwaitedDependency;
use crate::process::ProcessPhase;
use crate::row::Row;

/// How many other processes are explained with one.
const MOST_EXPLAINED: usize = 16;

/// How many processes of a group are explained for one that waits for the whole group.
const MOST_OF_A_GROUP: usize = 3;

/// Why a process is in the state it is in.
#[derive(Clone, Debug)]
pub struct Why {
    /// The process, with its state, its last end and the last request.
    pub row: Arc<Row>,
    /// What comes next if nobody asks for anything.
    pub outlook: Outlook,
    /// What can be done about it; empty where nothing is wrong, or nothing is known.
    pub advice: Vec<String>,
    /// What it waits for.
    pub waits_for: Vec<AwaitedWhy>,
    /// The names of those that depend on it.
    pub dependents: Vec<String>,
}

/// Something that a process waits for, and why that does not hold.
#[derive(Clone, Debug)]
pub struct AwaitedWhy {
    /// What is awaited.
    pub awaited: AwaitedDependency,
    /// The processes that hold it up. Each process is explained only once.
    pub because: Vec<Why>,
}

impl Why {
    /// Explains a process, of which `rows` has all there are; none where there is no such process.
    pub fn of(rows: &[Arc<Row>], group: &str, name: &str) -> Option<Why> {
        let row = rows.iter().find(|row| *row.group == *group && row.config.identity.name == name)?;
        Some(Explainer { rows, explained: HashSet::new() }.explain(row))
    }

    /// The name by which clients know the process.
    pub fn name(&self) -> String {
        self.row.namespec()
    }
}

struct Explainer<'a> {
    rows: &'a [Arc<Row>],
    /// By name.
    explained: HashSet<String>,
}

impl Explainer<'_> {
    fn explain(&mut self, row: &Arc<Row>) -> Why {
        self.explained.insert(row.namespec());
        let waits_for: Vec<AwaitedWhy> = row
            .awaited
            .iter()
            .map(|awaited| AwaitedWhy { awaited: awaited.clone(), because: self.because(awaited) })
            .collect();
        Why {
            row: row.clone(),
            outlook: Outlook::of(row),
            advice: advice(row),
            waits_for,
            dependents: self.dependents(row),
        }
    }

    fn because(&mut self, awaited: &AwaitedDependency) -> Vec<Why> {
        let hinders = awaited.hindrance.as_ref().map(|hindrance| hindrance.name.as_str());
        let is_meant = |row: &&Arc<Row>| {
            row.group == awaited.group
                && awaited.process.as_deref().is_none_or(|name| row.config.identity.name == name)
                && match hinders {
                    Some(name) => row.namespec() == name,
                    None => holds_up(row, awaited),
                }
        };
        let meant: Vec<Arc<Row>> = self.rows.iter().filter(is_meant).take(MOST_OF_A_GROUP).cloned().collect();
        let mut because = Vec::new();
        for row in meant {
            if self.explained.len() <= MOST_EXPLAINED && !self.explained.contains(&row.namespec()) {
                because.push(self.explain(&row));
            }
        }
        because
    }

    fn dependents(&self, row: &Row) -> Vec<String> {
        let depends = |other: &&Arc<Row>| {
            other.config.dependencies().iter().any(|dependency| match dependency {
                Dependency::On { group, process, condition: _ } => {
                    *group == *row.group && process.as_ref().is_none_or(|name| *name == row.config.identity.name)
                }
                Dependency::Written(_) => false,
            })
        };
        self.rows.iter().filter(depends).map(|other| other.namespec()).collect()
    }
}

/// Whether a process does not meet the condition that is awaited of it, as far as readers see.
fn holds_up(row: &Row, awaited: &AwaitedDependency) -> bool {
    match row.phase {
        ProcessPhase::Completed => false,
        ProcessPhase::Exited if awaited.condition.is_an_end() => false,
        _ => awaited.condition.is_an_end() || row.state() != ProcessState::Running,
    }
}
