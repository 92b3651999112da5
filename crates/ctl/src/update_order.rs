//! The order in which an update stops groups, without I/O.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::ProgramStatus;

/// Which groups depend on which others.
pub struct GroupDependencies<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> GroupDependencies<'a> {
    /// Those of the active programs.
    pub fn of(programs: &'a [ProgramStatus]) -> GroupDependencies<'a> {
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for program in programs {
            let on = program.dependencies().filter_map(|dependency| dependency.split(':').next());
            groups.entry(&program.group).or_default().extend(on.filter(|group| *group != program.group));
        }
        groups.retain(|_, on| !on.is_empty());
        GroupDependencies(groups)
    }

    /// Whether no group depends on another one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These groups in an order in which each stands before those that it depends on, directly or not, and otherwise as they
    /// are.
    pub fn dependents_first(&self, groups: &[String]) -> Vec<String> {
        let (mut seen, mut ordered) = (BTreeSet::new(), Vec::new());
        for group in groups.iter().rev() {
            self.visit(group, &mut seen, &mut ordered);
        }
        let ordered = ordered.into_iter().rev().filter(|group| groups.iter().any(|known| known == group));
        ordered.map(str::to_owned).collect()
    }

    /// Adds a group behind all that it depends on.
    fn visit<'g>(&'g self, group: &'g str, seen: &mut BTreeSet<&'g str>, ordered: &mut Vec<&'g str>) {
        let mut path = vec![(group, false)];
        while let Some((group, is_done)) = path.pop() {
            if is_done {
                ordered.push(group);
            } else if seen.insert(group) {
                path.push((group, true));
                let on = self.0.get(group).into_iter().flatten();
                path.extend(on.map(|group| (*group, false)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::samples::program;

    fn depending(name: &str, on: &[&str]) -> ProgramStatus {
        let mut program = program(name, "RUNNING", "runs");
        program.json["dependencies"] = on.iter().map(|on| format!("{on}:{on}:ready")).collect::<Vec<_>>().into();
        program
    }

    fn ordered(programs: &[ProgramStatus], groups: &[&str]) -> String {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        GroupDependencies::of(programs).dependents_first(&groups).join(" ")
    }

    #[test]
    fn what_depends_on_others_stops_before_them() {
        let programs = [
            depending("app", &["db", "migrate"]),
            depending("db", &[]),
            depending("migrate", &["db"]),
            depending("proxy", &["worker"]),
            depending("worker", &["migrate", "app"]),
        ];
        assert_eq!(ordered(&programs, &["app", "db", "migrate", "proxy", "worker"]), "proxy worker app migrate db");
        assert_eq!(ordered(&programs, &["db", "proxy"]), "proxy db", "by way of others");
        assert!(!GroupDependencies::of(&programs).is_empty());
    }

    #[test]
    fn what_does_not_depend_on_each_other_stays_as_it_is() {
        let programs = [depending("a", &[]), depending("b", &[]), depending("c", &["d"]), depending("d", &["c"])];
        assert_eq!(ordered(&programs, &["b", "a"]), "b a");
        assert_eq!(ordered(&programs, &["new", "b"]), "new b");
        assert_eq!(ordered(&programs, &["c", "d"]).len(), 3, "a circle of groups ends");
        assert!(GroupDependencies::of(&programs[..2]).is_empty());
    }
}
