//! The order in which the processes of a configuration are started, as far as that is known before anything runs.

use std::collections::HashMap;
use std::sync::Arc;

use supervisord_config::dependency::Dependency;
use supervisord_config::model::{Group, Process};

/// The place of each process, by group and name: by the priorities of groups and processes, and behind what it depends on.
pub fn start_order<'g>(groups: impl Iterator<Item = &'g Arc<Group>>) -> HashMap<(String, String), usize> {
    let all = by_priority(groups);
    let name = |(group, process): &(&str, &Process)| ((*group).to_owned(), process.identity.name.clone());
    let in_order = match all.iter().any(|(_, process)| !process.dependencies().is_empty()) {
        true => behind_dependencies(&all),
        false => (0..all.len()).collect(),
    };
    let names = in_order.into_iter().filter_map(|position| all.get(position));
    names.enumerate().map(|(place, process)| (name(process), place)).collect()
}

fn by_priority<'g>(groups: impl Iterator<Item = &'g Arc<Group>>) -> Vec<(&'g str, &'g Process)> {
    let mut groups: Vec<&Arc<Group>> = groups.collect();
    groups.sort_by_key(|group| group.priority);
    let mut all = Vec::new();
    for group in groups {
        let mut processes: Vec<&Arc<Process>> = group.processes.iter().collect();
        processes.sort_by_key(|process| process.identity.priority);
        all.extend(processes.into_iter().map(|process| (group.name.as_str(), &**process)));
    }
    all
}

/// The positions, each behind those of what it depends on.
fn behind_dependencies(all: &[(&str, &Process)]) -> Vec<usize> {
    let mut by_name: HashMap<(&str, &str), usize> = HashMap::new();
    let mut by_group: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, (group, process)) in all.iter().enumerate() {
        by_name.insert((*group, process.identity.name.as_str()), position);
        by_group.entry(*group).or_default().push(position);
    }
    let needs = |(_, process): &(&str, &Process)| -> Vec<usize> {
        let named = process.dependencies().iter().map(|dependency| match dependency {
            Dependency::Written(_) => Vec::new(),
            Dependency::On { group, process: None, .. } => by_group.get(group.as_str()).cloned().unwrap_or_default(),
            Dependency::On { group, process: Some(process), .. } => {
                by_name.get(&(group.as_str(), process.as_str())).copied().into_iter().collect()
            }
        });
        named.flatten().collect()
    };
    let mut order = Vec::with_capacity(all.len());
    let mut seen = vec![false; all.len()];
    for start in 0..all.len() {
        // What is left to look at of each process on the way.
        let mut way: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut next = Some(start);
        loop {
            match next.take() {
                Some(position) if !seen[position] => {
                    seen[position] = true;
                    way.push((position, needs(&all[position])));
                }
                _ => {}
            }
            let Some((position, left)) = way.last_mut() else { break };
            match left.pop() {
                Some(need) => next = Some(need),
                None => {
                    order.push(*position);
                    way.pop();
                }
            }
        }
    }
    order
}
