//! Any graph, and whatever happens to it: nothing starts before what it depends on allows it, nothing waits without saying for
//! what, and everything stops backwards.

use proptest::prelude::*;
use supervisord_config::dependency::{DependencyCondition, OnDependencyFailure};
use supervisord_config::probe::Probe;
use supervisord_config::readiness::ReadyWhen;

use super::commands::set_hooks;
use super::order::on;
use super::*;
use crate::process::ProcessPhase;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// A program: those before it in the list that it depends on, and how it is.
#[derive(Clone, Debug)]
struct Design {
    edges: Vec<(usize, DependencyCondition)>,
    reaction: OnDependencyFailure,
    autostart: bool,
    startsecs: i64,
    sign: Option<ReadyWhen>,
    restarts: AutoRestart,
    priority: i64,
    hooks: Vec<ProgramCommand>,
}

fn designs() -> impl Strategy<Value = Vec<Design>> {
    let condition = prop::sample::select(DependencyCondition::ALL.to_vec());
    let edges = prop::collection::vec((any::<prop::sample::Index>(), condition), 0..4);
    let reaction = prop::sample::select(OnDependencyFailure::ALL.to_vec());
    let restarts = prop_oneof![Just(AutoRestart::Never), Just(AutoRestart::Unexpected)];
    let probe = ReadyWhen::Probe(Probe::parse("tcp:localhost:1").unwrap().into());
    let sign = prop_oneof![2 => Just(None), 1 => Just(Some(ReadyWhen::Descriptor(3))), 1 => Just(Some(probe))];
    let hooks = prop::sample::subsequence(ProgramCommand::ALL.to_vec(), 0..=ProgramCommand::ALL.len());
    // Most programs have none.
    let hooks = prop_oneof![2 => Just(Vec::new()), 1 => hooks];
    let design = (edges, reaction, any::<bool>(), 0..3_i64, sign, restarts, 0..3_i64, hooks);
    prop::collection::vec(design, NAMES.len()).prop_map(|designs| {
        let each = designs.into_iter().enumerate();
        let design = each.map(|(number, (edges, reaction, autostart, startsecs, sign, restarts, priority, hooks))| {
            let before = edges.into_iter().filter(|_| number > 0);
            let edges = before.map(|(index, condition)| (index.index(number), condition)).collect();
            Design { edges, reaction, autostart, startsecs, sign, restarts, priority, hooks }
        });
        design.collect()
    })
}

fn groups(designs: &[Design]) -> Vec<Arc<Group>> {
    let group = |(name, design): (&&str, &Design)| {
        varied(name, |process| {
            let edges = design.edges.iter();
            process.order.depends_on = edges
                .map(|(other, condition)| on(NAMES[*other], Some(NAMES[*other]).filter(|_| other % 2 == 0), *condition))
                .collect();
            process.order.on_dependency_failure = design.reaction;
            process.start.autostart = design.autostart;
            process.start.startsecs = design.startsecs;
            process.readiness.ready_when = design.sign.clone();
            process.start.startretries = 1;
            process.restart.autorestart = design.restarts;
            process.identity.priority = design.priority;
            set_hooks(process, &design.hooks);
        })
    };
    NAMES.iter().zip(designs).map(group).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Start(usize, bool),
    Stop(usize, bool),
    StopWithDependents(usize, bool),
    StopAll(bool),
    StartAll(bool),
    Die(usize, i32),
    /// It says that it is ready.
    Ready(usize),
    /// All probes are answered.
    Answer(bool),
    Break(usize),
    Mend,
    Harden(usize),
    Pass(u64),
    Upgrade,
    /// The daemon is killed after so many effects of a start of all.
    Crash(usize),
    EndUnseen(usize),
    Remove(usize),
    Add(usize),
    Recycle(usize),
    /// From now on commands take so long.
    CommandsTake(u64),
    /// From now on these commands fail.
    FailCommands(Vec<ProgramCommand>),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..NAMES.len();
    prop_oneof![
        4 => (which.clone(), any::<bool>()).prop_map(|(index, wait)| Step::Start(index, wait)),
        3 => (which.clone(), any::<bool>()).prop_map(|(index, wait)| Step::Stop(index, wait)),
        2 => (which.clone(), any::<bool>()).prop_map(|(index, wait)| Step::StopWithDependents(index, wait)),
        1 => any::<bool>().prop_map(Step::StopAll),
        2 => any::<bool>().prop_map(Step::StartAll),
        5 => (which.clone(), 0..2).prop_map(|(index, status)| Step::Die(index, status)),
        4 => which.clone().prop_map(Step::Ready),
        3 => any::<bool>().prop_map(Step::Answer),
        1 => which.clone().prop_map(Step::Break),
        1 => Just(Step::Mend),
        1 => which.clone().prop_map(Step::Harden),
        6 => (0..4000_u64).prop_map(Step::Pass),
        1 => Just(Step::Upgrade),
        2 => (0..16_usize).prop_map(Step::Crash),
        1 => which.clone().prop_map(Step::EndUnseen),
        1 => which.clone().prop_map(Step::Remove),
        1 => which.clone().prop_map(Step::Add),
        1 => which.prop_map(Step::Recycle),
        2 => prop_oneof![Just(0), 0..3_000_u64, Just(100_000)].prop_map(Step::CommandsTake),
        1 => prop::sample::subsequence(ProgramCommand::ALL.to_vec(), 0..3).prop_map(Step::FailCommands),
    ]
}

impl World {
    fn graph_step(&mut self, step: Step, designs: &[Design]) {
        let name = |index: usize| NAMES[index].to_owned();
        match step {
            Step::Start(index, wait) => drop(self.call(start(NAMES[index], wait))),
            Step::Stop(index, wait) => drop(self.call(stop(NAMES[index], wait))),
            Step::StopWithDependents(index, wait) => {
                self.call(Call::StopWithDependents { name: name(index), wait });
            }
            Step::StopAll(wait) => drop(self.call(Call::StopAllProcesses { wait })),
            Step::StartAll(wait) => drop(self.call(Call::StartAllProcesses { wait })),
            Step::Die(index, status) => {
                if let Some(pid) = self.children.keys().copied().nth(index) {
                    self.end(pid, ExitStatus::Code(status));
                }
            }
            Step::Ready(index) => {
                let run = self.children.values().nth(index).map(|child| child.run);
                run.into_iter().for_each(|run| self.give(SupervisorInput::Ready { run }));
            }
            Step::Answer(succeed) => {
                self.answer_probes(&if succeed { Ok(()) } else { Err("connection refused".to_owned()) });
            }
            Step::Break(index) => self.missing.push(name(index)),
            Step::Mend => self.missing.clear(),
            Step::Harden(index) => self.stubborn.push(name(index)),
            Step::Pass(millis) => self.pass(millis),
            Step::Upgrade => {
                self.give_up_calls();
                self.hand_over();
                self.pass(0);
            }
            Step::Crash(effects) => {
                self.next_call += 1;
                let (id, call) = (CallId(self.next_call - 1), Call::StartAllProcesses { wait: false });
                self.supervisor.handle(self.now, SupervisorInput::Call { id, actor: Actor::plug_in(), call });
                self.crash(effects, groups(designs));
                self.give_up_calls();
                self.pass(0);
            }
            Step::EndUnseen(index) => {
                if let Some(pid) = self.children.keys().copied().nth(index) {
                    self.children.remove(&pid);
                    self.crash(0, groups(designs));
                    self.give_up_calls();
                    self.pass(0);
                }
            }
            Step::Remove(index) => drop(self.call(Call::RemoveProcessGroup { group: name(index) })),
            Step::Add(index) => drop(self.call(Call::AddProcessGroup { group: name(index) })),
            Step::CommandsTake(millis) => self.command_time = Duration::from_millis(millis),
            Step::FailCommands(commands) => self.failing = commands,
            Step::Recycle(index) => {
                let process = self.supervisor.find_process(NAMES[index], NAMES[index]);
                process.into_iter().for_each(|process| self.supervisor.replace(process, self.now));
                self.settle();
            }
        }
    }

    fn give_up_calls(&mut self) {
        for id in (0..self.next_call).map(CallId) {
            self.abandoned.extend((!self.replies.contains_key(&id)).then_some(id));
        }
    }

    fn ids(&self) -> Vec<ProcessId> {
        self.supervisor.active().flat_map(|(_, ids)| ids.to_vec()).collect()
    }

    /// Who waits says for what, and does not wait for what holds.
    fn check_waiting(&mut self) -> Result<(), TestCaseError> {
        for id in self.ids() {
            let row = self.supervisor.row(id).unwrap();
            let waits = row.phase == ProcessPhase::AwaitingDependencies;
            prop_assert!(waits || row.awaited.is_empty(), "{:?}", row);
            prop_assert!(!waits || !row.awaited.is_empty() || !row.commands.is_empty(), "{:?}", row);
            prop_assert!(!waits || !self.supervisor.are_dependencies_met(id), "{:?} waits for nothing", row);
            if waits {
                let Supervisor { dependencies, members, .. } = &mut self.supervisor;
                let before = dependencies.refresh(id, None, |id| members.get(&id).map(|member| &member.machine));
                prop_assert!(before.is_none(), "{:?} is out of date", before);
            }
        }
        Ok(())
    }

    /// Who is alive and must get ready is not RUNNING before, and is probed by one probe at a time.
    fn check_readiness(&self) -> Result<(), TestCaseError> {
        for id in self.ids() {
            let member = &self.supervisor.members[&id];
            let must = member.config.readiness.ready_when.is_some();
            prop_assert!(!must || !member.machine.is_up() || member.machine.progress().ready, "{:?}", member.machine);
            let waits = member.machine.ready_by().is_some();
            prop_assert!(!waits || must && member.machine.is_alive() && !member.machine.is_up());
            prop_assert!(member.probes.is_none() || waits);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(400)))]
    #[test]
    fn any_graph_starts_in_order_and_stops_backwards(
        designs in designs(),
        steps in prop::collection::vec(step(), 1..40),
        most in 0..4_usize,
    ) {
        let mut world = World::limited(groups(&designs), most);
        world.give(SupervisorInput::Started);
        world.pass(0);
        for step in steps {
            world.graph_step(step, &designs);
            world.check_waiting()?;
            world.check_readiness()?;
            world.supervisor.check_turns();
        }
        world.pass(6_000_000);
        world.check_waiting()?;
        prop_assert_eq!(world.supervisor.starting(), 0);
        world.supervisor.check_turns();
        for id in world.ids() {
            let Some(row) = world.supervisor.row(id) else { continue };
            for awaited in &row.awaited {
                // At rest, what may still come by itself is the end of something that runs.
                let runs = Some(&*awaited.group).is_some_and(|name| {
                    world.supervisor.find_process(&awaited.group, name).is_some_and(|id| {
                        world.supervisor.row(id).is_some_and(|row| row.pid != 0 || !row.awaited.is_empty())
                    })
                });
                prop_assert!(awaited.hindrance.is_some() || runs, "{:?}", row);
            }
        }
        world.stubborn.clear();
        let waits = |call: &CallId| !world.replies.contains_key(call) && !world.abandoned.contains(call);
        let open: Vec<CallId> = (0..world.next_call).map(CallId).filter(waits).collect();
        // Calls may still wait for programs that wait for the end of something that runs.
        for call in &open {
            let job = world.supervisor.jobs.iter().find(|job| job.call == *call);
            let items = job.map(|job| job.open.keys().copied().collect::<Vec<_>>()).unwrap_or_default();
            prop_assert!(!items.is_empty());
            for id in items {
                let row = world.supervisor.row(id);
                prop_assert!(row.as_ref().is_some_and(|row| !row.awaited.is_empty()), "{:?} {:#?}", row, world.log);
            }
        }
        world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
        world.pass(1_000_000);
        prop_assert!(world.ending.is_some(), "a shutdown ends");
        prop_assert!(world.children.is_empty());
    }
}

#[test]
fn an_upgrade_while_everything_is_started_again_starts_nothing_too_early() {
    let design = |edges: &[(usize, DependencyCondition)]| Design {
        edges: edges.to_vec(),
        reaction: OnDependencyFailure::Ignore,
        autostart: false,
        startsecs: 0,
        sign: None,
        restarts: AutoRestart::Never,
        priority: 0,
        hooks: Vec::new(),
    };
    let waits = design(&[(1, DependencyCondition::Started)]);
    let base = Design {
        sign: Some(ReadyWhen::Descriptor(3)),
        hooks: vec![ProgramCommand::PostStop],
        ..design(&[(0, DependencyCondition::Running)])
    };
    let healthy = design(&[(0, DependencyCondition::Healthy)]);
    let designs = [design(&[]), base, healthy.clone(), waits.clone(), waits, healthy, design(&[])];
    let mut world = World::limited(groups(&designs), 1);
    world.give(SupervisorInput::Started);
    world.pass(0);
    for step in [Step::StartAll(false), Step::Die(1, 0), Step::StopWithDependents(0, false), Step::StartAll(false)] {
        world.graph_step(step, &designs);
    }
    world.graph_step(Step::Upgrade, &designs);
    world.check_waiting().unwrap();
}
