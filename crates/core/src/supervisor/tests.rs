//! A small world: virtual time, children that do what the test says, and a supervisor that knows nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use supervisord_config::dependency::DependencyCondition;
use supervisord_config::model::{AutoRestart, Group, Process, ProgramType, UpdateMode};
use supervisord_config::samples;
use supervisord_wire::state::ProcessState;

use super::*;
use crate::actor::Actor;
use crate::call::{Answer, Call, CallOutcome, Reason, Refusal};
use crate::disabled::DisabledPrograms;
use crate::process::{CommandPlan, ProgramCommand};
use crate::supervisor::snapshot::MemberSnapshot;

mod any_graph;
mod any_life;
mod calls;
mod commands;
mod enablement;
mod exit_condition;
mod health;
mod last_ends;
mod listeners;
mod order;
mod plug_ins;
mod programs;
mod readiness;
mod recycling;
mod rolling;
mod scaling;
mod scopes;
mod shutdown;
mod snapshot;
mod turns;
mod update;

/// A child of the world.
struct Child {
    process: ProcessId,
    run: RunId,
    ignores_term: bool,
    heard: Vec<u8>,
}

/// A child that is dead, and whose pipes are still read.
struct Dead {
    process: ProcessId,
    run: RunId,
    pid: u32,
    status: ExitStatus,
}

/// A command of the world.
struct CommandOfWorld {
    ends: Duration,
    result: Result<(), String>,
}

struct World {
    supervisor: Supervisor,
    /// How many programs may start at once; 0 for any number.
    most: usize,
    now: Now,
    children: BTreeMap<u32, Child>,
    next_pid: u32,
    next_run: u64,
    /// How long it takes to make a child.
    birth: Duration,
    /// How long it takes to send a signal.
    signalling: Duration,
    next_call: u64,
    /// Children that a signal will end.
    dying: Vec<(u32, i32)>,
    draining: Vec<Dead>,
    /// The commands of processes that run.
    commands: BTreeMap<(ProcessId, ProgramCommand), CommandOfWorld>,
    /// How long commands take, if they are not ended.
    command_time: Duration,
    /// How long commands take that are ended.
    command_grace: Duration,
    /// The commands that fail when they end.
    failing: Vec<ProgramCommand>,
    /// The commands that cannot be run.
    unrunnable: Vec<ProgramCommand>,
    /// The commands that were run, with their variables.
    hooks: Vec<String>,
    /// What a daemon after a crash would find of each process.
    noted: BTreeMap<ProcessId, MemberSnapshot>,
    /// The processes that have changed since they were noted.
    changed: BTreeSet<ProcessId>,
    log: Vec<String>,
    replies: BTreeMap<CallId, CallOutcome>,
    /// Calls nobody waits for any more, because another daemon goes on.
    abandoned: BTreeSet<CallId>,
    mood: Mood,
    ending: Option<Ending>,
    /// Processes whose children ignore TERM.
    stubborn: Vec<String>,
    /// Processes whose command does not exist.
    missing: Vec<String>,
    /// Processes that may not be sent a signal.
    untouchable: Vec<String>,
    judgements: Vec<(ProcessId, u64, String, Vec<u8>)>,
    announced: Vec<String>,
    /// What was to be kept, and when which row was published.
    published: Vec<String>,
    /// There is no activity log to clear.
    cannot_clear: bool,
    /// The names of the disabled programs, as readers see them.
    published_disabled: Vec<String>,
    /// Which programs are disabled, as the disk has it.
    stored: Arc<DisabledPrograms>,
    /// The disk does not take it.
    cannot_store: bool,
    /// The calls for an upgrade.
    upgrades: Vec<CallId>,
    /// Probes that have not been answered; those of the health are when time passes.
    probes: Vec<(ProcessId, ProbePurpose, u64)>,
    /// Processes whose probes fail.
    ill: Vec<String>,
    /// Processes whose probes are never answered.
    silent: Vec<String>,
    /// Signals that were sent.
    signals: Vec<(ProcessId, i32)>,
}

impl World {
    fn new(groups: Vec<Arc<Group>>) -> World {
        World::limited(groups, 0)
    }

    /// One in which only so many programs may start at once.
    fn limited(groups: Vec<Arc<Group>>, most: usize) -> World {
        let now = Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_002) };
        let mut config = samples::config(groups);
        config.supervisord.loglevel = LogLevel::Debug;
        config.supervisord.max_parallel_starts = most;
        let mut world = World {
            supervisor: Supervisor::new(Arc::new(config), now, 1, 0),
            most,
            now,
            children: BTreeMap::new(),
            next_pid: 1000,
            next_run: 0,
            birth: Duration::ZERO,
            signalling: Duration::ZERO,
            next_call: 0,
            dying: Vec::new(),
            draining: Vec::new(),
            commands: BTreeMap::new(),
            command_time: Duration::ZERO,
            command_grace: Duration::ZERO,
            failing: Vec::new(),
            unrunnable: Vec::new(),
            hooks: Vec::new(),
            noted: BTreeMap::new(),
            changed: BTreeSet::new(),
            log: Vec::new(),
            replies: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            mood: Mood::Running,
            ending: None,
            stubborn: Vec::new(),
            missing: Vec::new(),
            untouchable: Vec::new(),
            judgements: Vec::new(),
            announced: Vec::new(),
            published: Vec::new(),
            cannot_clear: false,
            stored: Arc::default(),
            published_disabled: Vec::new(),
            cannot_store: false,
            upgrades: Vec::new(),
            probes: Vec::new(),
            ill: Vec::new(),
            silent: Vec::new(),
            signals: Vec::new(),
        };
        world.settle();
        world
    }

    fn started(groups: Vec<Arc<Group>>) -> World {
        let mut world = World::new(groups);
        world.give(SupervisorInput::Started);
        world
    }

    fn give(&mut self, input: SupervisorInput) {
        self.supervisor.handle(self.now, input);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(effect) = self.supervisor.poll_effect() {
            if let Some(answer) = self.perform(effect) {
                self.supervisor.handle(self.now, answer);
            }
        }
        while let Some(process) = self.changed.pop_first() {
            self.note(process);
        }
    }

    fn note(&mut self, process: ProcessId) {
        self.noted.extend(self.supervisor.member_snapshot(process).map(|member| (process, member)));
    }

    fn perform(&mut self, effect: Effect) -> Option<SupervisorInput> {
        match effect {
            Effect::Log(level, line) => self.log.push(format!("{} {line}", level.code())),
            Effect::Check { process, call } => {
                let result = match self.is_missing(process) {
                    true => Err(CommandFailure::Missing("can't find command 'x'".to_owned())),
                    false => Ok(()),
                };
                return Some(SupervisorInput::Checked { process, call, result });
            }
            Effect::Spawn { process } => {
                self.note(process);
                return Some(self.spawn(process));
            }
            Effect::RunCommand { process, command, plan } => {
                self.note(process);
                return self.run_command(process, command, plan);
            }
            Effect::EndCommand { process, command } => {
                if let Some(known) = self.commands.get_mut(&(process, command)) {
                    *known = CommandOfWorld {
                        ends: self.now.mono + self.command_grace,
                        result: Err("terminated by SIGTERM".to_owned()),
                    };
                }
            }
            Effect::PublishRow(process) => {
                self.published.extend(self.supervisor.row(process).map(|row| format!("row {}", row.state())));
                self.changed.insert(process);
            }
            Effect::ReplaceGroup { group, members } => {
                self.published.push(format!("replaced {group}"));
                self.changed.extend(members);
            }
            Effect::WithdrawGroup(group) => self.published.push(format!("withdrawn {group}")),
            Effect::Kill { process, run, signal, call, .. } => {
                if signal == 15 && self.mood != Mood::Running {
                    let dependents = self.supervisor.dependencies.with_dependents(vec![process]);
                    let is_alive = |id: &ProcessId| self.children.values().any(|child| child.process == *id);
                    assert!(
                        !dependents[1..].iter().any(is_alive),
                        "it stops before what depends on it: {:#?}",
                        self.log
                    );
                }
                self.advance(self.now.mono + self.signalling);
                self.signals.push((process, signal));
                let name =
                    self.supervisor.process(process).map(|config| config.identity.name.clone()).unwrap_or_default();
                let result = match self.untouchable.contains(&name) {
                    true => Err(KillFailure::Refused("operation not permitted".to_owned())),
                    false => self.kill(run, signal),
                };
                return Some(SupervisorInput::Killed { process, call, result });
            }
            Effect::Feed { process, bytes, call } => {
                let child = self.children.values_mut().find(|child| child.process == process);
                let result = child.map(|child| child.heard.extend(bytes)).ok_or(FeedFailure::Closed);
                return Some(SupervisorInput::Fed { process, call, result });
            }
            Effect::ClearLogs { process, call, .. } => {
                return Some(SupervisorInput::Cleared { process: Some(process), call, result: Ok(()) });
            }
            Effect::ClearActivity { call } => {
                let result = if self.cannot_clear { Err(Refusal::new(Reason::NoFile)) } else { Ok(()) };
                return Some(SupervisorInput::Cleared { process: None, call, result });
            }
            Effect::StoreDisabled(_) if self.cannot_store => {
                return Some(SupervisorInput::DisabledStored { result: Err("the disk is full".to_owned()) });
            }
            Effect::StoreDisabled(disabled) => {
                self.stored = disabled;
                return Some(SupervisorInput::DisabledStored { result: Ok(()) });
            }
            Effect::PublishDisabled(disabled) => {
                self.published_disabled = disabled.iter().map(|(name, _)| name.process.to_string()).collect();
            }
            Effect::Upgrade { call } => self.upgrades.push(call),
            Effect::Probe { process, purpose, attempt, .. } => self.probes.push((process, purpose, attempt)),
            Effect::PublishMood(mood) => self.mood = mood,
            Effect::Judge { process, judgement, handler, result, .. } => {
                self.judgements.push((process, judgement, handler, result));
            }
            Effect::Record(Event::ProcessHealth { from, to, .. }) => {
                self.published.push(format!("{} to {}", from.word(), to.word()));
            }
            Effect::Record(Event::OutputLost { channel, lost_bytes, .. }) => {
                self.published.push(format!("lost {} {lost_bytes}", channel.name()));
            }
            Effect::Record(event) => self.published.extend(event.kind().map(|kind| kind.name().to_owned())),
            Effect::Announce(event) => self.announced.push(event.payload.clone()),
            Effect::Reply { call, outcome } => {
                assert!(self.replies.insert(call, outcome).is_none(), "two replies to one call");
            }
            Effect::Finished(ending) => {
                assert!(self.commands.is_empty(), "the daemon ends before its commands");
                assert!(self.ending.replace(ending).is_none(), "finished twice");
            }
            _ => {}
        }
        None
    }

    fn is_missing(&self, process: ProcessId) -> bool {
        self.supervisor.process(process).is_some_and(|config| self.missing.contains(&config.identity.name))
    }

    fn run_command(
        &mut self,
        process: ProcessId,
        command: ProgramCommand,
        plan: CommandPlan,
    ) -> Option<SupervisorInput> {
        let variables = plan.environment.into_iter().map(|(name, value)| format!(" {name}={value}"));
        self.hooks.push(format!("{command}{}", variables.collect::<String>()));
        if self.unrunnable.contains(&command) {
            let result = Err("can't find command 'x'".to_owned());
            return Some(SupervisorInput::CommandEnded { process, command, result });
        }
        let limit = self.now.mono.saturating_add(plan.timeout);
        let ends = self.now.mono.saturating_add(self.command_time);
        let result = match self.failing.contains(&command) {
            _ if ends > limit => Err("killed".to_owned()),
            true => Err("exit status 1".to_owned()),
            false => Ok(()),
        };
        let before = self.commands.insert((process, command), CommandOfWorld { ends: ends.min(limit), result });
        assert!(before.is_none(), "two {command}s at once");
        None
    }

    /// Reports the end of a command that has ended by now.
    fn end_next_command(&mut self) -> bool {
        let ended = self.commands.iter().find(|(_, known)| known.ends <= self.now.mono).map(|(key, _)| *key);
        let Some((process, command)) = ended else { return false };
        let Some(CommandOfWorld { result, .. }) = self.commands.remove(&(process, command)) else { return false };
        self.give(SupervisorInput::CommandEnded { process, command, result });
        true
    }

    fn spawn(&mut self, process: ProcessId) -> SupervisorInput {
        if self.is_missing(process) {
            return SupervisorInput::Spawned {
                process,
                result: Err(SpawnFailure::Refused("can't find command 'x'".to_owned())),
            };
        }
        assert!(!self.children.values().any(|child| child.process == process), "two children of one process");
        assert!(!self.draining.iter().any(|dead| dead.process == process), "a child before the end of the last");
        assert!(!self.commands.keys().any(|(owner, _)| *owner == process), "a child while a command runs");
        assert!(self.ending.is_none() && self.mood == Mood::Running, "nothing is started during a shutdown");
        assert!(self.supervisor.row(process).is_none_or(|row| row.disabled.is_none()), "what is disabled is started");
        assert!(self.may_start(process), "a start of {process:?} before what it depends on allows it");
        assert!(self.most == 0 || self.supervisor.starting() <= self.most, "too many start at once");
        self.next_pid += 1;
        let ignores_term =
            self.supervisor.process(process).is_some_and(|config| self.stubborn.contains(&config.identity.name));
        let run = RunId(self.next_run);
        self.next_run += 1;
        self.advance(self.now.mono + self.birth);
        self.children.insert(self.next_pid, Child { process, run, ignores_term, heard: Vec::new() });
        SupervisorInput::Spawned { process, result: Ok(Spawned { run, pid: self.next_pid, at: self.now }) }
    }

    /// Whether what a process depends on allows it to start. What had ended may have been started again since that was decided.
    fn may_start(&self, process: ProcessId) -> bool {
        let holds = |need: &crate::dependencies::Need<ProcessId>| {
            !matches!(
                need.condition,
                DependencyCondition::Running | DependencyCondition::Ready | DependencyCondition::Healthy
            ) || need.members.iter().all(|id| {
                let member = self.supervisor.members.get(id);
                member.is_some_and(|member| crate::dependencies::holds(need.condition, &member.machine))
            })
        };
        self.supervisor.dependencies.needs(process).iter().all(holds)
    }

    /// Signals reach the child at once; its end is noticed when time passes.
    fn kill(&mut self, run: RunId, signal: i32) -> Result<(), KillFailure> {
        let child = self.children.iter().find(|(_, child)| child.run == run);
        let (pid, child) = child.ok_or_else(|| KillFailure::Gone("no such process".to_owned()))?;
        if signal == 9 || (signal == 15 && !child.ignores_term) {
            self.dying.push((*pid, signal));
        }
        Ok(())
    }

    /// Lets everything happen that happens by itself in this time.
    fn pass(&mut self, millis: u64) {
        let end = self.now.mono + Duration::from_millis(millis);
        loop {
            for Dead { run, pid, status, .. } in std::mem::take(&mut self.draining) {
                self.give(SupervisorInput::Exited { run, pid, status });
            }
            self.answer_health_checks();
            for (pid, number) in std::mem::take(&mut self.dying) {
                self.end(pid, ExitStatus::Signal { number, core_dumped: false });
            }
            if self.end_next_command() {
                continue;
            }
            let next_command = self.commands.values().map(|known| known.ends).min();
            let deadline = self.supervisor.next_deadline(self.now);
            if next_command.is_some_and(|ends| ends <= end && deadline.is_none_or(|deadline| ends < deadline)) {
                self.advance(next_command.unwrap_or_default());
                continue;
            }
            match deadline.filter(|deadline| *deadline <= end) {
                Some(deadline) if self.ending.is_none() => {
                    self.advance(deadline);
                    self.give(SupervisorInput::Elapsed);
                }
                _ if self.dying.is_empty() => break,
                _ => {}
            }
        }
        self.advance(end);
    }

    fn answer_health_checks(&mut self) {
        for (process, purpose, attempt) in std::mem::take(&mut self.probes) {
            let name = self.supervisor.process(process).map(|config| config.identity.name.clone()).unwrap_or_default();
            if purpose == ProbePurpose::Readiness || self.silent.contains(&name) {
                self.probes.push((process, purpose, attempt));
                continue;
            }
            let result = if self.ill.contains(&name) { Err("refused".to_owned()) } else { Ok(()) };
            self.give(SupervisorInput::Probed { process, purpose, attempt, result });
        }
    }

    fn advance(&mut self, to: Duration) {
        let step = to.saturating_sub(self.now.mono);
        self.now = Now { mono: self.now.mono + step, wall: self.now.wall + step };
    }

    fn end(&mut self, pid: u32, status: ExitStatus) {
        if let Some(child) = self.children.remove(&pid) {
            self.give(SupervisorInput::Exited { run: child.run, pid, status });
        }
    }

    /// A child dies, and what it wrote is still to be read.
    fn die(&mut self, pid: u32, status: ExitStatus) {
        if let Some(Child { process, run, .. }) = self.children.remove(&pid) {
            self.draining.push(Dead { process, run, pid, status });
            self.give(SupervisorInput::Died { run, at: self.now });
        }
    }

    /// Answers all probes that are being run.
    fn answer_probes(&mut self, result: &Result<(), String>) {
        for (process, purpose, attempt) in std::mem::take(&mut self.probes) {
            self.give(SupervisorInput::Probed { process, purpose, attempt, result: result.clone() });
        }
    }

    fn pid_of(&self, name: &str) -> u32 {
        let id = self.id(name);
        self.supervisor.row(id).unwrap().pid
    }

    fn id(&self, name: &str) -> ProcessId {
        *self.supervisor.members.iter().find(|(_, member)| member.config.identity.name == name).unwrap().0
    }

    fn state(&self, name: &str) -> ProcessState {
        self.supervisor.row(self.id(name)).unwrap().state()
    }

    fn call(&mut self, call: Call) -> CallId {
        self.call_as(Actor::plug_in(), call)
    }

    fn call_as(&mut self, actor: Actor, call: Call) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.give(SupervisorInput::Call { id, actor, call });
        id
    }

    fn reply(&self, id: CallId) -> &CallOutcome {
        self.replies.get(&id).expect("the call has been answered")
    }
}

fn program(name: &str) -> Arc<Group> {
    varied(name, |_| {})
}

fn varied(name: &str, vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    let mut process = samples::process(name);
    vary(&mut process);
    samples::group(name, process.identity.priority, vec![process])
}

fn start(name: &str, wait: bool) -> Call {
    Call::StartProcess { name: name.to_owned(), wait }
}

fn stop(name: &str, wait: bool) -> Call {
    Call::StopProcess { name: name.to_owned(), wait }
}

fn refused(reason: Reason, detail: &str) -> CallOutcome {
    Err(Refusal::with(reason, detail))
}
