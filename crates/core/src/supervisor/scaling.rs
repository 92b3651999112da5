//! Another number of processes for a program that runs: only the difference starts or stops, the highest numbers first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use supervisord_config::model::{Config, Group, Process, UpdateMode};
use supervisord_config::option_changes::option_changes;

use super::{CallId, Supervisor};
use crate::call::{Reason, Refusal};
use crate::scale_request::present_number;
use crate::scope::ProgramScope;
use crate::time::Now;

/// How many options a refusal names.
const MOST_OPTIONS: usize = 3;

impl Supervisor {
    /// Refuses a number that was worked out from one that is no longer the present one.
    pub(super) fn check_present_number(&self, section: &str, based_on: Option<i64>) -> Result<(), Refusal> {
        let present = present_number(&self.config, section);
        match based_on {
            Some(number) if number != present => {
                let text = format!("[{section}] has been scaled to {present} meanwhile: ask again");
                Err(Refusal::with(Reason::UnderWay, text))
            }
            _ => Ok(()),
        }
    }

    /// Makes active what a configuration has of one section, of which nothing but the number of processes may differ. The job of the
    /// call waits for what is stopped.
    ///
    /// # Errors
    /// Why it cannot be done; then nothing has changed.
    pub(super) fn scale(
        &mut self,
        now: Now,
        call: CallId,
        scope: &ProgramScope,
        config: Config,
        section: &str,
    ) -> Result<(), Refusal> {
        let mut scaled: BTreeMap<String, Arc<Group>> = BTreeMap::new();
        for group in config.groups.iter().filter(|group| self.has_section(group, section)) {
            let Some(index) = self.group_index(&group.name) else {
                let text = format!("the group {} is not active: run supervisorctl update first", group.name);
                return Err(Refusal::with(Reason::NotConfigured, text));
            };
            let active = self.groups[index].config.clone();
            let merged = merged(&active, group, section)?;
            let is_forbidden = |process: &Process| !scope.includes(&group.name, &process.identity.name);
            if difference(&active, &merged).any(is_forbidden) {
                let text = format!("not all processes of [{section}] are yours");
                return Err(Refusal::with(Reason::NotPermitted, text));
            }
            scaled.insert(group.name.clone(), Arc::new(merged));
        }
        if scaled.is_empty() {
            return Err(Refusal::with(Reason::UnknownName, section));
        }
        let only: Vec<String> = scaled.keys().cloned().collect();
        // What else has changed in the file is left to an update.
        let present = self.config().clone();
        let mut groups: Vec<Arc<Group>> = present.groups.clone();
        for group in &mut groups {
            if let Some(merged) = scaled.remove(&group.name) {
                *group = merged;
            }
        }
        groups.extend(scaled.into_values());
        let config = Config { groups, scales: config.scales, ..Config::clone(&present) };
        let plan = self.plan_update(&config, UpdateMode::Minimal, &only);
        debug_assert!(plan.steps.iter().all(|step| step.changes.is_empty()));
        self.take_config(config);
        self.carry_out_plan(now, call, plan, &only);
        Ok(())
    }

    /// Whether a group of a configuration, or the active one of its name, has a process of the section.
    fn has_section(&self, group: &Group, section: &str) -> bool {
        let active = self.group_index(&group.name).map(|index| &self.groups[index].config);
        let is_known =
            self.config.scales.iter().any(|scale| scale.section == section && of_section(&group.name, section));
        std::iter::once(group)
            .chain(active.map(|active| &**active))
            .any(|group| group.processes.iter().any(|process| process.identity.section == section))
            || is_known
    }
}

/// Whether a group is that of the section itself.
fn of_section(group: &str, section: &str) -> bool {
    section.split_once(':').is_some_and(|(_, name)| name == group)
}

/// The active group with the processes that the configuration has of the section. Those that are there stay as they are.
fn merged(active: &Group, configured: &Group, section: &str) -> Result<Group, Refusal> {
    let is_meant = |process: &&Arc<Process>| process.identity.section == section;
    let others = active.processes.iter().filter(|process| !is_meant(process)).cloned();
    let mut processes: Vec<Arc<Process>> = others.collect();
    let active_by_name: HashMap<&str, &Arc<Process>> =
        active.processes.iter().map(|known| (known.identity.name.as_str(), known)).collect();
    for process in configured.processes.iter().filter(is_meant) {
        let known = active_by_name.get(process.identity.name.as_str()).copied();
        if let Some(known) = known {
            let changes = option_changes(known, process);
            if !changes.is_empty() {
                let mut options: Vec<&str> = changes.iter().map(|change| change.option).collect();
                options.truncate(MOST_OPTIONS);
                let text = format!(
                    "[{section}] is not in the file what it is of {}, which runs ({} differs): run supervisorctl update first, or, where \
                     it uses %(numprocs)d, write numprocs in the file",
                    process.identity.name,
                    options.join(", ")
                );
                return Err(Refusal::with(Reason::NotConfigured, text));
            }
        }
        processes.push(known.unwrap_or(process).clone());
    }
    let places: HashMap<&str, usize> = configured
        .processes
        .iter()
        .enumerate()
        .map(|(place, process)| (process.identity.name.as_str(), place))
        .collect();
    processes.sort_by_cached_key(|process| places.get(process.identity.name.as_str()).copied().unwrap_or(usize::MAX));
    Ok(Group { processes, ..active.clone() })
}

/// The processes that only one of two definitions has.
fn difference<'g>(a: &'g Group, b: &'g Group) -> impl Iterator<Item = &'g Process> {
    let names = |group: &'g Group| -> HashSet<&'g str> {
        group.processes.iter().map(|process| process.identity.name.as_str()).collect()
    };
    let (of_a, of_b) = (names(a), names(b));
    let only = |group: &'g Group, other: HashSet<&'g str>| {
        group.processes.iter().filter(move |process| !other.contains(process.identity.name.as_str()))
    };
    only(a, of_b).chain(only(b, of_a)).map(|process| &**process)
}
