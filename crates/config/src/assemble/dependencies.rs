//! What programs depend on: from names as they are written to processes, when all processes are known.
//!
//! `NAME:CONDITION` and `GROUP:PROCESS` look alike. A text that is a name as a whole is this name; only then is the word behind
//! its last colon a condition.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::inputs::Inputs;
use super::unknown;
use crate::complaint::Complaint;
use crate::dependency::{Dependency, DependencyCondition};
use crate::error::ConfigError;
use crate::model::{AutoRestart, Group, Process};
use crate::place::Place;
use crate::schema::{Kind, OptionSpec, SectionKind};
use crate::suggest::did_you_mean;

/// Replaces the written names in all processes, and refuses what is unknown and what depends on itself.
pub(super) fn resolve_all(groups: &mut [Group], inputs: &Inputs<'_>) -> Result<(), ConfigError> {
    let is_dependent = |process: &Arc<Process>| !process.order.depends_on.is_empty();
    if !groups.iter().flat_map(|group| &group.processes).any(is_dependent) {
        return Ok(());
    }
    let mut resolved = Vec::new();
    let names = Names::of(&*groups);
    for (index, group) in groups.iter().enumerate() {
        for (member, process) in group.processes.iter().enumerate().filter(|(_, process)| is_dependent(process)) {
            let dependencies = names.resolve(&group.name, process).map_err(|complaint| {
                // The section that should define what is missing may be among those that are ignored.
                let missing = complaint.quoted().and_then(|name| unknown::misspelt_section(inputs.ini, name));
                let advice = missing.or_else(|| complaint.advice().map(str::to_owned));
                ConfigError::at(complaint.to_string(), place(process, inputs).advise(advice))
            })?;
            resolved.push((index, member, dependencies));
        }
    }
    for (index, member, dependencies) in resolved {
        Arc::make_mut(&mut groups[index].processes[member]).order.depends_on = dependencies;
    }
    refuse_circles(groups, inputs)
}

/// Replaces the written names in a process that is to join a group of others.
///
/// # Errors
/// Which name is unknown.
pub fn resolve_dependencies(process: &mut Process, group: &str, groups: &[Arc<Group>]) -> Result<(), Complaint> {
    if !process.order.depends_on.is_empty() {
        process.order.depends_on = Names::of(groups.iter().map(|group| &**group)).resolve(group, process)?;
    }
    Ok(())
}

/// Where a process says what it depends on.
fn place(process: &Process, inputs: &Inputs<'_>) -> Place {
    let section = inputs.ini.section(&process.identity.section);
    let option =
        SectionKind::Program.options().find(|row| row.kind == Kind::Dependencies).map(|row: &OptionSpec| row.name);
    match (section, option) {
        (Some(section), Some(option)) => inputs.reader(section, SectionKind::Program).place(option),
        _ => Place::new(&process.identity.origin),
    }
}

/// What a name stands for.
struct Target<'g> {
    group: &'g str,
    /// None for all of the group.
    process: Option<&'g str>,
}

/// The names of all processes.
struct Names<'g> {
    groups: HashMap<&'g str, &'g Group>,
    /// The groups of the processes of this name.
    by_process: HashMap<&'g str, BTreeSet<&'g str>>,
}

impl<'g> Names<'g> {
    fn of(groups: impl IntoIterator<Item = &'g Group>) -> Names<'g> {
        let mut names = Names { groups: HashMap::new(), by_process: HashMap::new() };
        for group in groups {
            names.groups.insert(&group.name, group);
            for process in &group.processes {
                names.by_process.entry(&process.identity.name).or_default().insert(&group.name);
                names.by_process.entry(program(process)).or_default().insert(&group.name);
            }
        }
        names
    }

    fn resolve(&self, own_group: &str, process: &Process) -> Result<Vec<Dependency>, Complaint> {
        let mut dependencies = Vec::new();
        for dependency in &process.order.depends_on {
            let text = dependency.to_string();
            let (targets, condition) = self.targets(own_group, process, &text)?;
            for Target { group, process: name } in targets {
                self.check_that_it_can_come(process, group, name, condition)?;
                let condition = self.meant_condition(group, name, condition);
                let dependency =
                    Dependency::On { group: group.to_owned(), process: name.map(str::to_owned), condition };
                if !dependencies.contains(&dependency) {
                    dependencies.push(dependency);
                }
            }
        }
        Ok(dependencies)
    }

    /// What is meant by `NAME` or `NAME:CONDITION`.
    fn targets(
        &self,
        own_group: &str,
        process: &Process,
        text: &str,
    ) -> Result<(Vec<Target<'g>>, DependencyCondition), Complaint> {
        let section = &process.identity.section;
        if let Some(targets) = self.find(own_group, section, text)? {
            return Ok((targets, DependencyCondition::Ready));
        }
        let (name, word) = text.rsplit_once(':').unwrap_or((text, ""));
        let condition = DependencyCondition::from_word(word);
        match (self.find(own_group, section, name)?, condition) {
            (Some(targets), Some(condition)) => Ok((targets, condition)),
            (Some(_), None) => {
                let words = DependencyCondition::ALL.map(DependencyCondition::word);
                let advice = did_you_mean(word, words).unwrap_or_else(|| format!("write {}", words.join(", ")));
                Err(complaint(section, "depends on an unknown condition or process", text).advise(advice))
            }
            (None, condition) => {
                let name = if condition.is_some() { name } else { text };
                let full = self.groups.values().flat_map(|group| {
                    group.processes.iter().map(|process| format!("{}:{}", group.name, process.identity.name))
                });
                let full: Vec<String> = full.collect();
                let mut known: Vec<&str> = self.groups.keys().chain(self.by_process.keys()).copied().collect();
                known.extend(full.iter().map(String::as_str));
                known.sort_unstable();
                Err(complaint(section, "depends on unknown program", name).advise(did_you_mean(name, known)))
            }
        }
    }

    /// What a name stands for; none for an unknown one.
    fn find(&self, own_group: &str, section: &str, name: &str) -> Result<Option<Vec<Target<'g>>>, Complaint> {
        if let Some((group, process)) = name.split_once(':') {
            let Some((group, known)) = self.groups.get_key_value(group) else { return Ok(None) };
            if ["", "*"].contains(&process) {
                return Ok(Some(vec![Target { group, process: None }]));
            }
            let process =
                known.processes.iter().map(|known| known.identity.name.as_str()).find(|known| *known == process);
            return Ok(process.map(|process| vec![Target { group, process: Some(process) }]));
        }
        for group in [name, own_group] {
            if let Some(targets) = self.within(group, name) {
                return Ok(Some(targets));
            }
        }
        if let Some((group, _)) = self.groups.get_key_value(name) {
            return Ok(Some(vec![Target { group, process: None }]));
        }
        let Some(groups) = self.by_process.get(name) else { return Ok(None) };
        if groups.len() > 1 {
            let all: Vec<String> = groups.iter().map(|group| format!("{group}:{name}")).collect();
            return Err(complaint(section, "depends on a program of several groups,", name)
                .advise(format!("write {}", all.join(" or "))));
        }
        Ok(groups.iter().find_map(|group| self.within(group, name)))
    }

    /// The process of this name in a group, or the processes of the program of this name.
    fn within(&self, group: &str, name: &str) -> Option<Vec<Target<'g>>> {
        let (group, known) = self.groups.get_key_value(group)?;
        let found = |matches: &dyn Fn(&Process) -> bool| -> Vec<Target<'g>> {
            let matching = known.processes.iter().filter(|process| matches(process));
            matching.map(|process| Target { group, process: Some(&process.identity.name) }).collect()
        };
        let named = found(&|process| process.identity.name == name);
        let named = if named.is_empty() && *group != name { found(&|process| program(process) == name) } else { named };
        (!named.is_empty()).then_some(named)
    }

    /// The processes that a target stands for.
    fn meant<'a>(&'a self, group: &str, name: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Process>> {
        let members = self.groups.get(group).map_or(&[][..], |group| &group.processes);
        members.iter().filter(move |member| name.is_none_or(|name| member.identity.name == name))
    }

    /// Programs that do their work and end are ready when they have ended as expected.
    fn meant_condition(&self, group: &str, name: Option<&str>, condition: DependencyCondition) -> DependencyCondition {
        let mut meant = self.meant(group, name).peekable();
        let are_oneshots = meant.peek().is_some() && meant.all(|process| process.is_oneshot());
        match condition {
            DependencyCondition::Ready if are_oneshots => DependencyCondition::ExitedOk,
            written => written,
        }
    }

    /// A program that is started again whenever it has ended never stays ended, one that is not watched is never healthy, and
    /// one that is to end is not RUNNING before.
    fn check_that_it_can_come(
        &self,
        process: &Process,
        group: &str,
        name: Option<&str>,
        condition: DependencyCondition,
    ) -> Result<(), Complaint> {
        let mut meant = self.meant(group, name);
        let cannot_come = |member: &&Arc<Process>| match condition {
            DependencyCondition::Started | DependencyCondition::Ready => false,
            DependencyCondition::Running => member.is_oneshot(),
            DependencyCondition::Healthy => !member.health.is_watched(),
            DependencyCondition::Exited | DependencyCondition::ExitedOk => {
                member.restart.autorestart == AutoRestart::Always
            }
        };
        let Some(other) = meant.find(cannot_come) else { return Ok(()) };
        let section = &other.identity.section;
        let (words, advice) = match condition.is_an_end() {
            true => (
                "waits for the end of a program that is always restarted,",
                format!("write autorestart=unexpected in [{section}]"),
            ),
            false if other.is_oneshot() => {
                let words = "waits for a one-shot to be RUNNING or healthy, which it is not before it has ended:";
                (words, format!("write {0}, {0}:exited_ok or {0}:started", other.identity.name))
            }
            false => {
                let check = SectionKind::Program.options().find(|row| row.kind == Kind::Probe);
                let check = check.map(|row| format!("write {}={} in [{section}], or ", row.name, row.shown()));
                let advice = format!("{}ready instead of healthy", check.unwrap_or_default());
                ("waits for the health of a program that nothing checks,", advice)
            }
        };
        Err(complaint(&process.identity.section, words, &other.identity.name).advise(advice))
    }
}

/// The name of the program that a process comes from.
fn program(process: &Process) -> &str {
    process.identity.section.split_once(':').map_or("", |(_, name)| name)
}

fn complaint(section: &str, words: &str, name: &str) -> Complaint {
    Complaint::quoting(format!("[{section}] {words} "), name, "")
}

/// Refuses processes that wait for each other.
fn refuse_circles(groups: &[Group], inputs: &Inputs<'_>) -> Result<(), ConfigError> {
    let Some(circle) = circle(groups) else { return Ok(()) };
    let mut words = String::new();
    for process in &circle {
        words += &format!("{} ({}) -> ", process.identity.name, place(process, inputs).origin());
    }
    let [first, ..] = circle.as_slice() else { return Ok(()) };
    let message = format!("programs depend on each other in a circle: {words}{}", first.identity.name);
    Err(ConfigError::at(message, place(first, inputs)))
}

/// The processes of a circle, each of which depends on the next one, and the last one on the first; none where there is none.
fn circle(groups: &[Group]) -> Option<Vec<&Process>> {
    let mut all: Vec<&Process> = Vec::new();
    let mut members: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_name: HashMap<(&str, &str), usize> = HashMap::new();
    for group in groups {
        for process in &group.processes {
            members.entry(&group.name).or_default().push(all.len());
            by_name.insert((&group.name, &process.identity.name), all.len());
            all.push(process);
        }
    }
    let next = |position: usize| {
        let dependencies = all[position].order.depends_on.iter();
        dependencies.flat_map(|dependency| match dependency {
            Dependency::Written(_) => Vec::new(),
            Dependency::On { group, process: None, .. } => members.get(group.as_str()).cloned().unwrap_or_default(),
            Dependency::On { group, process: Some(process), .. } => {
                by_name.get(&(group.as_str(), process.as_str())).copied().into_iter().collect()
            }
        })
    };
    // Depth first. Processes on the path are `Some(true)`, those that lead into no circle `Some(false)`.
    let mut is_on_path: Vec<Option<bool>> = vec![None; all.len()];
    for start in 0..all.len() {
        if is_on_path[start].is_some() {
            continue;
        }
        is_on_path[start] = Some(true);
        let mut path = vec![(start, next(start).collect::<Vec<_>>())];
        while let Some((position, rest)) = path.last_mut() {
            match rest.pop() {
                None => {
                    is_on_path[*position] = Some(false);
                    path.pop();
                }
                Some(dependency) => match is_on_path[dependency] {
                    Some(false) => {}
                    None => {
                        is_on_path[dependency] = Some(true);
                        path.push((dependency, next(dependency).collect()));
                    }
                    Some(true) => {
                        let circle =
                            path.iter().map(|(position, _)| *position).skip_while(|known| *known != dependency);
                        return Some(circle.map(|position| all[position]).collect());
                    }
                },
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::{CommandLineFlags, load};

    fn read(programs: &str) -> Result<Vec<String>, String> {
        let host = FakeHost::new().file("/conf/c.conf", format!("[supervisord]\n{programs}"));
        let config = load("c.conf", &CommandLineFlags::default(), &host).map_err(|error| error.to_string())?;
        let processes = config.groups.iter().flat_map(|group| &group.processes);
        let dependencies = processes.flat_map(|process| process.dependencies());
        Ok(dependencies.map(Dependency::to_string).collect())
    }

    /// What `text` means to a program `web` beside these others.
    fn of_web(text: &str) -> Result<Vec<String>, String> {
        read(&format!(
            "[program:db]\ncommand=c\n[program:migrate]\ncommand=c\n\
             [program:worker]\ncommand=c\nnumprocs=2\nprocess_name=w%(process_num)d\n\
             [program:ready]\ncommand=c\n[program:a]\ncommand=c\n[group:g]\nprograms=a,ready\n\
             [group:h]\nprograms=a\n[program:pool]\ncommand=c\nnumprocs=2\nprocess_name=p%(process_num)d\n\
             [group:x]\nprograms=pool\n[program:endless]\ncommand=c\nautorestart=true\n\
             [program:checked]\ncommand=c\nhealthcheck=tcp:db:1\n[program:once]\ncommand=c\ntype=oneshot\n\
             [program:seed]\ncommand=c\ntype=oneshot\n[program:job]\ncommand=c\n[group:mixed]\nprograms=seed,job\n[program:web]\ncommand=c\ndepends_on={text}\n"
        ))
    }

    #[test]
    fn names_and_conditions_are_told_apart() {
        for (written, meant) in [
            ("", &[][..]),
            ("db", &["db:db:ready"]),
            ("db:running, migrate:exited_ok", &["db:db:running", "migrate:migrate:exited_ok"]),
            ("worker", &["worker:*:ready"]),
            ("worker:*", &["worker:*:ready"]),
            ("worker:*:started", &["worker:*:started"]),
            ("worker:w1", &["worker:w1:ready"]),
            ("checked:healthy", &["checked:checked:healthy"]),
            ("w1:exited", &["worker:w1:exited"]),
            ("once", &["once:once:exited_ok"]),
            ("once:ready, once:started", &["once:once:exited_ok", "once:once:started"]),
            ("mixed:*", &["mixed:*:ready"]),
            // The name of a process wins over the word of a condition.
            ("g:ready", &["g:ready:ready"]),
            ("g:ready:exited", &["g:ready:exited"]),
            ("g:a", &["g:a:ready"]),
            ("pool", &["x:p0:ready", "x:p1:ready"]),
            ("db, db:ready, db:started", &["db:db:ready", "db:db:started"]),
        ] {
            assert_eq!(
                of_web(written).as_deref(),
                Ok(&*meant.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()),
                "{written}"
            );
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (written, message) in [
            (
                "dbb",
                "[program:web] depends on unknown program dbb (c.conf:42, [program:web] depends_on=dbb: did you mean db?)",
            ),
            ("worker:w9", "[program:web] depends on an unknown condition or process worker:w9"),
            ("db:exited-ok", "did you mean exited_ok?"),
            ("db:gone", "write started, running, ready, healthy, exited, exited_ok)"),
            (
                "wrker:w1",
                "depends on unknown program wrker:w1 (c.conf:42, [program:web] depends_on=wrker:w1: did you mean worker:w1?)",
            ),
            (
                "db:healthy",
                "[program:web] waits for the health of a program that nothing checks, db (c.conf:42, [program:web] \
                 depends_on=db:healthy: write healthcheck=http://127.0.0.1:8080/health in [program:db], or ready instead of \
                 healthy)",
            ),
            ("once:running", "write once, once:exited_ok or once:started)"),
            ("mixed:*:running", "write seed, seed:exited_ok or seed:started)"),
            ("once:healthy", "write once, once:exited_ok or once:started)"),
            ("a", "write g:a or h:a"),
            ("db,,migrate", "not a list of names: 'db,,migrate'"),
            ("endless:exited", "write autorestart=unexpected in [program:endless]"),
            ("web", "programs depend on each other in a circle: web (c.conf:42) -> web"),
        ] {
            let error = of_web(written).unwrap_err();
            assert!(error.contains(message), "{written}: {error}");
        }
    }

    #[test]
    fn a_program_of_the_same_group_is_meant_first() {
        let text = "[program:db]\ncommand=c\n[program:web]\ncommand=c\ndepends_on=db\n\
                    [group:one]\nprograms=db,web\n[group:two]\nprograms=web,db\n";
        assert_eq!(read(text).unwrap(), ["one:db:ready", "two:db:ready"]);
    }

    #[test]
    fn a_circle_is_refused_with_all_its_places() {
        let text = "[program:a]\ncommand=c\ndepends_on=b\n[program:b]\ncommand=c\ndepends_on=c:started\n\
                    [program:c]\ncommand=c\ndepends_on=a\n[program:d]\ncommand=c\ndepends_on=a\n";
        let circle = "programs depend on each other in a circle: a (c.conf:4) -> b (c.conf:7) -> c (c.conf:10) -> a \
                      (c.conf:4, [program:a] depends_on=b)";
        assert_eq!(read(text).unwrap_err(), circle);
    }

    #[test]
    fn listeners_and_fastcgi_programs_depend_on_others_too() {
        let text = "[program:db]\ncommand=c\n[eventlistener:l]\ncommand=c\nevents=TICK_5\ndepends_on=db\n\
                    [fcgi-program:f]\ncommand=c\nsocket=unix:///tmp/s\ndepends_on=l:started\n";
        assert_eq!(read(text).unwrap(), ["db:db:ready", "l:l:started"]);
    }

    #[test]
    fn a_process_that_joins_a_group_is_resolved_among_the_others() {
        let host = FakeHost::new().file("/conf/c.conf", "[supervisord]\n[program:db]\ncommand=c\n");
        let groups = load("c.conf", &CommandLineFlags::default(), &host).unwrap().groups;
        let mut process =
            crate::schema::default_process("program:p", crate::model::Origin { file: "f".into(), line: 1 });
        process.order.depends_on = vec![Dependency::Written("db:started".to_owned())];
        resolve_dependencies(&mut process, "g", &groups).unwrap();
        assert_eq!(process.dependencies()[0].to_string(), "db:db:started");
        process.order.depends_on = vec![Dependency::Written("bd".to_owned())];
        assert!(resolve_dependencies(&mut process, "g", &groups).is_err());
    }
}
