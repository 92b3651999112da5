//! Whatever happens in whatever order, whoever goes on with it: every call is answered, no child is forgotten, and every
//! shutdown ends.

use proptest::prelude::*;
use supervisord_config::model::{AutoRestart, Backoff, RecycleAfter, RestartLimit};

use super::commands::set_hooks;
use super::*;
use crate::call::ProgramAction;
use crate::event::ProcessName;
use crate::parallelism::Parallelism;

/// What may happen in a world.
#[derive(Clone, Debug)]
enum Step {
    Start(usize, bool),
    Stop(usize, bool),
    StopAll,
    StartAll,
    /// A child ends, and is reported at once, or when what it wrote has been read.
    Die(usize, ExitStatus, bool),
    /// A process is stopped and started again.
    Recycle(usize),
    /// Another program goes on.
    Upgrade,
    /// The daemon is killed after so many effects of a call, or of a death, and the next one goes on.
    Crash(usize, bool),
    /// A child ends while nobody supervises.
    EndUnseen(usize),
    Break(usize),
    Mend,
    /// The next children of a process ignore TERM.
    Harden(usize),
    Say(&'static [u8]),
    Event,
    Pass(u64),
    Reload(bool),
    /// An update that restarts only what cannot do without: to another command of one, without another, both or neither.
    Update(bool, bool),
    /// All are restarted, so many at a time.
    Roll(usize),
    Disable(usize),
    Enable(usize),
    /// From now on the list of disabled programs can be stored, or cannot.
    Store(bool),
    Remove(usize),
    Add(usize),
    /// From now on commands take so long.
    CommandsTake(u64),
    /// From now on these commands fail, or cannot be run.
    FailCommands(Vec<ProgramCommand>, bool),
}

const NAMES: [&str; 4] = ["a", "b", "c", "pool"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_usize, any::<bool>()).prop_map(|(index, wait)| Step::Start(index, wait)),
        (0..4_usize, any::<bool>()).prop_map(|(index, wait)| Step::Stop(index, wait)),
        Just(Step::StopAll),
        Just(Step::StartAll),
        (0..4_usize, status(), any::<bool>()).prop_map(|(index, status, read)| Step::Die(index, status, read)),
        (0..4_usize).prop_map(Step::Recycle),
        Just(Step::Upgrade),
        (0..12_usize, any::<bool>()).prop_map(|(effects, death)| Step::Crash(effects, death)),
        (0..4_usize).prop_map(Step::EndUnseen),
        (0..4_usize).prop_map(Step::Break),
        Just(Step::Mend),
        (0..4_usize).prop_map(Step::Harden),
        prop_oneof![
            Just(&b"READY\n"[..]),
            Just(&b"RESULT 2\nOK"[..]),
            Just(&b"RESULT 4\nFAIL"[..]),
            Just(&b"junk in any length\n"[..])
        ]
        .prop_map(Step::Say),
        Just(Step::Event),
        (0..5000_u64).prop_map(Step::Pass),
        any::<bool>().prop_map(Step::Reload),
        (any::<bool>(), any::<bool>()).prop_map(|(other, fewer)| Step::Update(other, fewer)),
        (1..3_usize).prop_map(Step::Roll),
        (0..4_usize).prop_map(Step::Disable),
        (0..4_usize).prop_map(Step::Enable),
        any::<bool>().prop_map(Step::Store),
        (0..4_usize).prop_map(Step::Remove),
        (0..4_usize).prop_map(Step::Add),
        prop_oneof![Just(0), 0..3_000_u64, Just(100_000)].prop_map(Step::CommandsTake),
        (prop::sample::subsequence(ProgramCommand::ALL.to_vec(), 0..3), any::<bool>())
            .prop_map(|(commands, is_broken)| Step::FailCommands(commands, is_broken)),
    ]
}

fn status() -> impl Strategy<Value = ExitStatus> {
    let signal = |number| ExitStatus::Signal { number, core_dumped: false };
    prop_oneof![(0..2).prop_map(ExitStatus::Code), prop_oneof![Just(9), Just(11)].prop_map(signal)]
}

fn population(variant: bool) -> Vec<Arc<Group>> {
    vec![
        varied("a", |process| process.restart.autorestart = AutoRestart::Always),
        varied("b", |process| {
            process.start.startsecs = if variant { 2 } else { 0 };
            process.restart.restart_delay = Some(Duration::from_secs(2));
            process.restart.restart_backoff = Some(Backoff::Linear);
            process.restart.restart_jitter = Some(0.5);
            process.restart.restart_limit = Some(RestartLimit::Within { restarts: 2, window: Duration::from_secs(20) });
            process.restart.fatal_retry = Some(Duration::from_secs(6));
            process.restart.max_runtime = Some(Duration::from_secs(9));
            set_hooks(process, &[ProgramCommand::PreStop, ProgramCommand::PostStop]);
        }),
        varied("c", |process| {
            process.start.startretries = 1;
            let (after, spread) = (Duration::from_secs(7), Duration::from_secs(3));
            process.restart.recycle_after = Some(RecycleAfter { after, spread });
            set_hooks(process, &ProgramCommand::ALL);
        }),
        samples::pool("pool", &["EVENT"], 3),
    ]
}

impl World {
    /// Nobody waits any more for what has not been answered.
    fn abandon_calls(&mut self) {
        for id in (0..self.next_call).map(CallId) {
            self.abandoned.extend((!self.replies.contains_key(&id)).then_some(id));
        }
    }

    fn rows(&self) -> Vec<String> {
        let ids = self.supervisor.active().flat_map(|(_, ids)| ids);
        ids.map(|id| format!("{:?}", self.supervisor.row(*id))).collect()
    }

    /// Whether the supervisor and the world agree on who is alive.
    fn check(&self) -> Result<(), TestCaseError> {
        let alive = self.children.iter().map(|(pid, child)| (child.process, *pid));
        let dead = self.draining.iter().map(|dead| (dead.process, dead.pid));
        let there: BTreeSet<(ProcessId, u32)> = alive.chain(dead).collect();
        let known: BTreeSet<(ProcessId, u32)> = self.supervisor.believed_alive().into_iter().collect();
        prop_assert_eq!(there, known);
        let there: BTreeSet<_> = self.commands.keys().copied().collect();
        let known = self.supervisor.running_commands().into_iter();
        let mut known: BTreeSet<_> = known.map(|(process, running)| (process, running.command)).collect();
        // What comes after the end of a program waits for those that are ended with it.
        let is_alone = |process: ProcessId| {
            there.iter().all(|(other, command)| *other != process || *command == ProgramCommand::PostStop)
        };
        known.retain(|(process, command)| *command != ProgramCommand::PostStop || is_alone(*process));
        prop_assert_eq!(there, known);
        Ok(())
    }

    fn step(&mut self, step: Step) {
        let name = |index: usize| NAMES[index].to_owned();
        match step {
            Step::Start(index, wait) => drop(self.call(start(NAMES[index], wait))),
            Step::Stop(index, wait) => drop(self.call(stop(NAMES[index], wait))),
            Step::StopAll => drop(self.call(Call::StopAllProcesses { wait: true })),
            Step::StartAll => drop(self.call(Call::StartAllProcesses { wait: true })),
            Step::Die(index, status, is_read) => match self.children.keys().copied().nth(index) {
                Some(pid) if is_read => self.end(pid, status),
                Some(pid) => self.die(pid, status),
                None => {}
            },
            Step::Recycle(index) => {
                let process = self.supervisor.find_process(NAMES[index], NAMES[index]);
                process.into_iter().for_each(|process| self.supervisor.replace(process, self.now));
                self.settle();
            }
            Step::Upgrade => {
                self.abandon_calls();
                let before = self.rows();
                self.hand_over();
                assert_eq!(self.rows(), before, "an upgrade changes nothing");
            }
            Step::Crash(effects, is_death) => {
                let death = self.children.keys().copied().next().filter(|_| is_death);
                let input = match death.and_then(|pid| Some((pid, self.children.remove(&pid)?.run))) {
                    Some((pid, run)) => SupervisorInput::Exited { run, pid, status: ExitStatus::Code(1) },
                    None => {
                        self.next_call += 1;
                        let id = CallId(self.next_call - 1);
                        let call = Call::StartAllProcesses { wait: false };
                        SupervisorInput::Call { id, actor: Actor::plug_in(), call }
                    }
                };
                self.supervisor.handle(self.now, input);
                self.crash(effects, population(false));
                self.abandon_calls();
            }
            Step::EndUnseen(index) => {
                if let Some(pid) = self.children.keys().copied().nth(index) {
                    self.children.remove(&pid);
                    self.crash(0, population(false));
                    self.abandon_calls();
                }
            }
            Step::Break(index) => self.missing.push(name(index)),
            Step::Mend => self.missing.clear(),
            Step::Harden(index) => self.stubborn.push(name(index)),
            Step::Say(bytes) => {
                let listener =
                    self.children.values().map(|child| child.process).find(|id| self.supervisor.is_listener(*id));
                if let Some(process) = listener {
                    self.give(SupervisorInput::ListenerOutput { process, bytes: bytes.to_vec() });
                }
            }
            Step::Event => {
                self.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "d".to_owned() });
            }
            Step::Pass(millis) => self.pass(millis),
            Step::Reload(variant) => {
                let mut config = Box::new(samples::config(population(variant)));
                config.supervisord.max_parallel_starts = self.most;
                self.call(Call::ReloadConfig { config });
            }
            Step::Update(is_other, is_fewer) => {
                let mut groups = population(is_other);
                if is_other {
                    groups[2] = varied("c", |process| process.spawn.command = "/bin/other".to_owned());
                    groups[3] = samples::pool("pool", &["EVENT"], 5);
                }
                groups.drain(..usize::from(is_fewer));
                let mut config = Box::new(samples::config(groups));
                config.supervisord.max_parallel_starts = self.most;
                self.call(Call::ReloadConfig { config });
                self.call(Call::UpdateMinimally { groups: Vec::new() });
            }
            Step::Roll(count) => {
                let name = |name: &str| ProcessName { group: name.into(), process: name.into() };
                let (processes, parallelism) = (NAMES.map(name).into(), Parallelism::Count(count));
                self.call(Call::RollingRestart { processes, parallelism });
            }
            Step::Disable(index) => drop(self.act(ProgramAction::Disable, &[NAMES[index]])),
            Step::Enable(index) => drop(self.act(ProgramAction::Enable, &[NAMES[index]])),
            Step::Store(is_possible) => self.cannot_store = !is_possible,
            Step::Remove(index) => drop(self.call(Call::RemoveProcessGroup { group: name(index) })),
            Step::CommandsTake(millis) => self.command_time = Duration::from_millis(millis),
            Step::FailCommands(commands, is_broken) => {
                let list = if is_broken { &mut self.unrunnable } else { &mut self.failing };
                *list = commands;
            }
            Step::Add(index) => drop(self.call(Call::AddProcessGroup { group: name(index) })),
        }
    }
}

proptest! {
    #[test]
    fn any_world_comes_to_rest_and_answers_every_call(steps in prop::collection::vec(step(), 1..80), most in 0..3_usize) {
        let mut world = World::limited(population(false), most);
        world.give(SupervisorInput::Started);
        for step in steps {
            world.step(step);
            world.check()?;
            world.supervisor.check_turns();
        }
        world.pass(200_000);
        for row in world.supervisor.active().flat_map(|(_, ids)| ids).filter_map(|id| world.supervisor.row(*id)) {
            let is_down = matches!(row.state(), ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal);
            prop_assert!(row.disabled.is_none() || is_down, "{row:?} is disabled");
        }
        prop_assert_eq!((world.replies.len() + world.abandoned.len()) as u64, world.next_call, "every call has one reply");
        prop_assert!(world.supervisor.jobs.is_empty());
        world.give(SupervisorInput::ShutdownSignal { name: "SIGTERM" });
        // Hooks may take their time.
        world.pass(600_000);
        prop_assert!(world.ending.is_some(), "a shutdown ends when children obey KILL");
        prop_assert!(world.children.is_empty());
    }
}
