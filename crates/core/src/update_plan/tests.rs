use proptest::prelude::*;
use supervisord_config::dependency::DependencyCondition;
use supervisord_config::model::AutoRestart;
use supervisord_config::samples;

use super::*;

fn active(groups: &[Arc<Group>], standing: Standing) -> Vec<ActiveDefinition> {
    let active = |group: &Arc<Group>| ActiveDefinition {
        group: group.clone(),
        standings: group.processes.iter().map(|_| standing).collect(),
    };
    groups.iter().map(active).collect()
}

fn plan(old: &[Arc<Group>], new: &[Arc<Group>], mode: UpdateMode) -> UpdatePlan {
    UpdatePlan::new(&active(old, Standing::Active), new, mode, None)
}

/// A program with so many processes, changed by `change`.
fn program(name: &str, count: usize, change: impl Fn(&mut Process)) -> Arc<Group> {
    let process = |number: usize| {
        let mut process = samples::process(&format!("{name}_{number}"));
        change(&mut process);
        process
    };
    samples::group(name, 999, (0..count).map(process).collect())
}

fn steps(plan: &UpdatePlan) -> Vec<String> {
    let step = |step: &ProcessStep| format!("{}:{} {}", step.group, step.process, step.action.word());
    plan.steps.iter().map(step).collect()
}

fn command(text: &str) -> impl Fn(&mut Process) + '_ {
    move |process| text.clone_into(&mut process.spawn.command)
}

#[test]
fn only_the_processes_that_need_it_restart() {
    let one = |number: usize, change: fn(&mut Process)| {
        let mut group = Group::clone(&program("web", 3, |_| {}));
        change(Arc::make_mut(&mut group.processes[number]));
        Arc::new(group)
    };
    let old = [program("web", 3, |_| {}), program("db", 1, |_| {})];
    let changed = [one(1, |process| process.spawn.command = "/bin/true".to_owned()), old[1].clone()];
    assert_eq!(steps(&plan(&old, &changed, UpdateMode::Minimal)), ["web:web_1 restart"]);
    let all = ["web:web_0 restart", "web:web_1 restart", "web:web_2 restart"];
    assert_eq!(steps(&plan(&old, &changed, UpdateMode::Groups)), all);
    let live = [one(2, |process| process.restart.autorestart = AutoRestart::Always), old[1].clone()];
    assert_eq!(steps(&plan(&old, &live, UpdateMode::Minimal)), ["web:web_2 apply"]);
}

#[test]
fn a_larger_or_smaller_number_of_processes_changes_only_the_difference() {
    let (two, four) = ([program("web", 2, |_| {})], [program("web", 4, |_| {})]);
    assert_eq!(steps(&plan(&two, &four, UpdateMode::Minimal)), ["web:web_2 add", "web:web_3 add"]);
    assert_eq!(steps(&plan(&four, &two, UpdateMode::Minimal)), ["web:web_3 remove", "web:web_2 remove"]);
}

#[test]
fn what_does_not_run_is_not_started_unless_it_has_failed_or_never_was() {
    let old = [program("web", 1, |_| {})];
    let new = [program("web", 1, command("/bin/true"))];
    let with = |standing| steps(&UpdatePlan::new(&active(&old, standing), &new, UpdateMode::Minimal, None));
    assert_eq!(with(Standing::AtRest), ["web:web_0 next_start"]);
    assert_eq!(with(Standing::Failed), ["web:web_0 start"]);
    assert_eq!(with(Standing::NeverStarted), ["web:web_0 start"]);
}

#[test]
fn a_group_of_another_kind_is_replaced() {
    let old = [samples::pool("web", &["TICK_5"], 10)];
    let new = [samples::pool("web", &["TICK_60"], 10)];
    let plan = plan(&old, &new, UpdateMode::Minimal);
    assert_eq!((plan.groups[0].action, steps(&plan)), (GroupAction::Replace, vec!["web:web restart".to_owned()]));
    assert_eq!((&*plan.groups[0].changes[0].old, &*plan.groups[0].changes[0].new), ("TICK_5", "TICK_60"));
}

#[test]
fn only_the_named_groups_are_updated() {
    let old = [program("a", 1, |_| {}), program("b", 1, |_| {})];
    let new = [program("a", 1, command("x")), program("c", 1, |_| {})];
    let named = |names: &[&str]| {
        let only = names.iter().map(|&name| name.to_owned()).collect();
        steps(&UpdatePlan::new(&active(&old, Standing::Active), &new, UpdateMode::Minimal, Some(&only)))
    };
    assert_eq!(named(&["a"]), ["a:a_0 restart"]);
    assert_eq!(named(&["b", "c"]), ["b:b_0 remove", "c:c_0 add"]);
}

#[test]
fn steps_are_in_the_order_of_the_graph() {
    let needs = |name: &str, command: &str, on: Option<&str>| {
        let mut process = samples::process(name);
        command.clone_into(&mut process.spawn.command);
        let dependency = |on: &str| Dependency::On {
            group: on.to_owned(),
            process: Some(on.to_owned()),
            condition: DependencyCondition::Ready,
        };
        process.order.depends_on = on.into_iter().map(dependency).collect();
        samples::group(name, 999, vec![process])
    };
    let chain =
        |command: &str| [needs("a", command, Some("b")), needs("b", command, Some("c")), needs("c", command, None)];
    let expected = ["c:c restart", "b:b restart", "a:a restart"];
    assert_eq!(steps(&plan(&chain("x"), &chain("y"), UpdateMode::Minimal)), expected);
    assert_eq!(steps(&plan(&chain("x"), &[], UpdateMode::Minimal)), ["a:a remove", "b:b remove", "c:c remove"]);
}

use supervisord_config::dependency::Dependency;

/// Some programs, of which each may be there, have a number of processes, and differ in something live or not.
fn population() -> impl Strategy<Value = Vec<Arc<Group>>> {
    let program_of = |name: &'static str| {
        prop::option::of((0..4_usize, 0..3_u8, 0..2_i64)).prop_map(move |kind| {
            kind.map(|(count, variant, startsecs)| {
                program(name, count, |process| {
                    process.spawn.command = format!("/bin/{variant}");
                    process.start.startsecs = startsecs;
                })
            })
        })
    };
    (program_of("a"), program_of("b"), program_of("c")).prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect())
}

/// The names and definitions of all processes.
fn definitions(groups: &[Arc<Group>]) -> BTreeMap<(String, String), Process> {
    let of = |group: &Arc<Group>| {
        let name = group.name.clone();
        let processes = group.processes.iter();
        processes
            .map(move |process| ((name.clone(), process.identity.name.clone()), Process::clone(process)))
            .collect::<Vec<_>>()
    };
    groups.iter().flat_map(of).collect()
}

use std::collections::BTreeMap;

proptest! {
    #[test]
    fn nothing_is_to_be_done_where_nothing_differs(groups in population()) {
        for mode in UpdateMode::ALL {
            let plan = plan(&groups, &groups, mode);
            prop_assert!(plan.is_empty() && plan.steps.is_empty());
        }
    }

    #[test]
    fn the_steps_lead_from_the_old_to_the_new(old in population(), new in population()) {
        let (before, after) = (definitions(&old), definitions(&new));
        let plan = plan(&old, &new, UpdateMode::Minimal);
        let mut reached = before.clone();
        for step in &plan.steps {
            let key = (step.group.clone(), step.process.clone());
            match step.action {
                UpdateAction::Remove => {
                    prop_assert!(reached.remove(&key).is_some());
                }
                _ => {
                    reached.insert(key.clone(), after[&key].clone());
                }
            }
        }
        prop_assert_eq!(reached, after.clone());
        for step in plan.steps.iter().filter(|step| step.stops) {
            let key = (step.group.clone(), step.process.clone());
            let must = after.get(&key).is_none_or(|new| new.spawn.command != before[&key].spawn.command);
            prop_assert!(must, "{:?} need not be stopped", step);
        }
    }
}

/// How long the plan of 5,000 programs takes, of which one has changed and each stands elsewhere in the file; 200 ms is much.
/// `cargo test --release -p supervisord-core --lib -- --ignored --nocapture speed_of_plans`.
#[test]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures, and prints for who runs it")]
#[ignore = "it prints numbers, which differ from machine to machine"]
fn speed_of_plans() {
    let population = |change: Option<usize>, line: u32| -> Vec<Arc<Group>> {
        let of = |number: usize| {
            program(&format!("p{number}"), 1, |process| {
                process.identity.origin.line = line;
                if change == Some(number) {
                    process.spawn.command = "/bin/other".to_owned();
                }
            })
        };
        (0..5000).map(of).collect()
    };
    let (old, new) = (population(None, 1), population(Some(77), 2));
    let old = active(&old, Standing::Active);
    let begin = std::time::Instant::now();
    let plan = UpdatePlan::new(&old, &new, UpdateMode::Minimal, None);
    let took = begin.elapsed();
    assert_eq!(steps(&plan), ["p77:p77_0 restart"]);
    println!("{took:?}");
}
