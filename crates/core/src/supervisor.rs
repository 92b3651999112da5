//! The supervisor as a whole: groups of processes, the daemon's mood, events and calls.
//!
//! It is driven from outside: [`Supervisor::handle`] takes one [`SupervisorInput`], after which [`Supervisor::poll_effect`] must
//! be called until it returns none, and [`Supervisor::next_deadline`] says when a [`SupervisorInput::Elapsed`] is wanted. The
//! effects `Check`, `Spawn`, `Kill` and `Feed` are answered by the input of the same name before anything else happens.

mod calls;
mod events;
mod job;
mod jobs;
mod listener_progress;
mod listeners;
mod messages;
mod shutdown;
mod shutdown_progress;
pub mod snapshot;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{Config, Group, GroupKind, LogFile, LogLevel, Process};
use supervisord_wire::event::EventType;
use supervisord_wire::state::Mood;

use crate::auto_log::AutoLogNames;
use crate::event::{Event, SupervisorState};
use crate::output::Channel;
use crate::plan::Plan;
use crate::pool::PoolQueue;
use crate::process::{ExitStatus, Machine, MachineAction, MachineContext, MachineInput};
use crate::row::Row;
use crate::texts;
use crate::ticks::Ticks;
use crate::time::Now;
pub use messages::{
    CallId, CommandFailure, Effect, Ending, FeedFailure, HandlerVerdict, KillFailure, OutputKind, ProcessId, RunId,
    SpawnFailure, Spawned, SupervisorInput,
};

use job::Job;
pub use listener_progress::ListenerProgress;
use shutdown_progress::ShutdownProgress;

/// Room for how many effects is kept; the start of a crowd needs more, once.
const MAX_KEPT_EFFECTS: usize = 1000;

/// How many effects are looked at in advance.
const LOOK_AHEAD: usize = 16;

/// A process of an active group.
struct Member {
    group: Arc<str>,
    config: Arc<Process>,
    machine: Machine,
    stdout_log: Option<String>,
    stderr_log: Option<String>,
    /// The deadline under which it is filed in `Supervisor::deadlines`.
    filed: Option<Duration>,
    /// Its child; none when it has none.
    run: Option<RunId>,
    /// When its child died, while what it wrote is still read. No deadline counts then.
    died: Option<Now>,
    /// Where the process is an event listener.
    listener: Option<ListenerProgress>,
}

impl Member {
    fn log(&self, channel: Channel) -> Option<&String> {
        match channel {
            Channel::Stdout => self.stdout_log.as_ref(),
            Channel::Stderr => self.stderr_log.as_ref(),
        }
    }
}

/// An active group.
struct ActiveGroup {
    config: Arc<Group>,
    members: Vec<ProcessId>,
    pool: Option<PoolQueue>,
}

/// The whole supervisor.
pub struct Supervisor {
    config: Arc<Config>,
    /// The level of the activity log, which a reread does not change.
    log_level: LogLevel,
    mood: Mood,
    /// In the order of activation.
    groups: Vec<ActiveGroup>,
    /// Boxed, because the nodes of the tree are half empty after it has grown.
    members: BTreeMap<ProcessId, Box<Member>>,
    by_run: HashMap<RunId, ProcessId>,
    deadlines: BTreeSet<(Duration, ProcessId)>,
    next_process: u64,
    next_serial: u64,
    /// The types of events plug-ins want to hear of.
    subscribed: Vec<EventType>,
    next_judgement: u64,
    auto_logs: AutoLogNames,
    ticks: Ticks,
    jobs: Vec<Job>,
    /// The call whose items are being collected: it is not replied to before all have been.
    collecting: Option<CallId>,
    shutdown: Option<ShutdownProgress>,
    restart_with: Option<Box<Config>>,
    /// Groups that are removed, or replaced, as soon as all their processes have stopped.
    retiring: Vec<String>,
    effects: VecDeque<Effect>,
    finished: bool,
}

impl Supervisor {
    /// A supervisor of the groups of a configuration, none of them started. `seed` makes the names of automatic log
    /// files; `serial` continues the event numbers of an earlier life.
    pub fn new(config: Arc<Config>, now: Now, seed: u64, serial: u64) -> Supervisor {
        let mut supervisor = Supervisor::empty(config.clone(), now, seed, serial);
        for group in &config.groups {
            supervisor.activate(group.clone());
        }
        supervisor
    }

    fn empty(config: Arc<Config>, now: Now, seed: u64, serial: u64) -> Supervisor {
        Supervisor {
            log_level: config.supervisord.loglevel,
            config,
            mood: Mood::Running,
            groups: Vec::new(),
            members: BTreeMap::new(),
            by_run: HashMap::new(),
            deadlines: BTreeSet::new(),
            next_process: 0,
            next_serial: serial,
            subscribed: Vec::new(),
            next_judgement: 0,
            auto_logs: AutoLogNames::new(seed),
            ticks: Ticks::new(now),
            jobs: Vec::new(),
            collecting: None,
            shutdown: None,
            restart_with: None,
            retiring: Vec::new(),
            effects: VecDeque::new(),
            finished: false,
        }
    }

    /// The number the next event will get.
    pub fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// The definition of a process.
    pub fn process(&self, id: ProcessId) -> Option<&Arc<Process>> {
        self.members.get(&id).map(|member| &member.config)
    }

    /// The configuration read last.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The log file of a channel, with the made-up name of an automatic one.
    pub fn log_file(&self, id: ProcessId, channel: Channel) -> Option<&String> {
        self.members.get(&id)?.log(channel)
    }

    /// Whether the process is an event listener, whose stdout control itself must read.
    pub fn is_listener(&self, id: ProcessId) -> bool {
        self.members.get(&id).is_some_and(|member| member.listener.is_some())
    }

    /// The process as readers see it.
    pub fn row(&self, id: ProcessId) -> Option<Row> {
        let member = self.members.get(&id)?;
        Some(Row {
            group: member.group.clone(),
            config: member.config.clone(),
            phase: member.machine.phase(),
            pid: member.machine.pid(),
            start: member.machine.last_start(),
            stop: member.machine.last_stop(),
            spawnerr: member.machine.spawn_error(),
            exitstatus: member.machine.exit_status(),
            stdout_logfile: member.stdout_log.clone(),
            stderr_logfile: member.stderr_log.clone(),
        })
    }

    /// Takes one input. Call [`Supervisor::poll_effect`] until it returns none before anything else.
    pub fn handle(&mut self, now: Now, input: SupervisorInput) {
        let later = if input.is_answer() { std::mem::take(&mut self.effects) } else { VecDeque::new() };
        self.take(now, input);
        // What follows from an answer comes before what was to be done anyway.
        if !later.is_empty() {
            let first = std::mem::replace(&mut self.effects, later);
            first.into_iter().rev().for_each(|effect| self.effects.push_front(effect));
        }
    }

    fn take(&mut self, now: Now, input: SupervisorInput) {
        match input {
            SupervisorInput::Started => self.start(now),
            SupervisorInput::Call { id, actor, call } => self.call(now, id, &actor, call),
            SupervisorInput::ShutdownSignal { name } => self.shutdown_signal(name),
            SupervisorInput::RestartSignal { config } => self.restart_signal(config),
            SupervisorInput::ReopenSignal => self.reopen_signal(),
            SupervisorInput::Elapsed => self.elapsed(now),
            SupervisorInput::Died { run, at } => self.died(run, at),
            SupervisorInput::Exited { run, pid, status } => self.exited(now, run, pid, status),
            SupervisorInput::UnknownExited { pid, status } => self.unknown_exited(pid, status),
            SupervisorInput::Adopted { process, run } => self.belongs(process, run),
            SupervisorInput::Vanished { process } => self.ended(now, process, ExitStatus::Unknown),
            SupervisorInput::Checked { process, call, result } => self.checked(now, process, call, result),
            SupervisorInput::Spawned { process, result } => self.spawned(now, process, result),
            SupervisorInput::Killed { process, call, result } => self.killed(now, process, call, result),
            SupervisorInput::Fed { process, call, result } => self.fed(now, process, call, result),
            SupervisorInput::Cleared { process, call, result } => self.cleared(process, call, result),
            SupervisorInput::Output { process, pid, kind, channel, bytes } => {
                self.output(process, pid, kind, channel, bytes)
            }
            SupervisorInput::ListenerOutput { process, bytes } => self.listener_output(now, process, &bytes),
            SupervisorInput::Judged { process, judgement, verdict } => self.judged(now, process, judgement, verdict),
            SupervisorInput::Subscribed { kinds } => self.subscribed = kinds,
        }
        self.replace_retired(now);
        self.dispatch_events();
        self.advance_shutdown(now);
    }

    /// The next thing to do; none when nothing is left.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let next = self.effects.pop_front();
        if next.is_none() && self.effects.capacity() > MAX_KEPT_EFFECTS {
            self.effects.shrink_to(0);
        }
        next
    }

    /// Processes whose [`Effect::Spawn`] comes soon, with nothing before it that could matter to their logs: what they
    /// need may be opened in advance.
    pub fn coming_spawns(&self) -> impl Iterator<Item = ProcessId> {
        let harmless = |effect: &&Effect| {
            matches!(
                effect,
                Effect::Spawn { .. }
                    | Effect::PublishRow(_)
                    | Effect::Log(..)
                    | Effect::Announce(_)
                    | Effect::Record(_)
            )
        };
        self.effects.iter().take(LOOK_AHEAD).take_while(harmless).filter_map(|effect| match effect {
            Effect::Spawn { process } => Some(*process),
            _ => None,
        })
    }

    /// When [`SupervisorInput::Elapsed`] is wanted, on the monotonic clock; none for never.
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        let process = self.deadlines.first().map(|(deadline, _)| *deadline);
        let ticks = self.ticks.deadline(now, |kind| self.is_subscribed(kind));
        let shutdown = self.shutdown.as_ref().map(ShutdownProgress::deadline);
        let jobs = self.jobs.iter().filter_map(Job::next_report).min();
        let pools = self.groups.iter().filter_map(|group| group.pool.as_ref()?.deadline()).min();
        let listeners = self.next_listener_deadline();
        [process, ticks, shutdown, jobs, pools, listeners].into_iter().flatten().min()
    }

    fn start(&mut self, now: Now) {
        if self.is_ending() {
            return;
        }
        self.emit(Event::SupervisorState(SupervisorState::Running));
        let plan = self.plan_start(self.groups_by_priority());
        self.carry_out_start(now, plan);
    }

    fn elapsed(&mut self, now: Now) {
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now.mono {
                break;
            }
            self.deadlines.pop_first();
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.filed = None;
            if let Some((timer, _)) = member.machine.next_timer() {
                self.drive_machine(now, id, MachineInput::Due(timer));
            }
        }
        for (period, when) in self.ticks.due(now) {
            self.emit(Event::Tick { period, when });
        }
        self.report_waiting(now);
        self.release_events(now);
        self.restart_listeners(now);
        self.resolve_uncertain_listeners(now);
    }

    fn died(&mut self, run: RunId, at: Now) {
        let Some(id) = self.by_run.get(&run).copied() else { return };
        if let Some(member) = self.members.get_mut(&id) {
            member.died = Some(at);
        }
        self.unfile(id);
    }

    fn exited(&mut self, now: Now, run: RunId, pid: u32, status: ExitStatus) {
        match self.by_run.remove(&run) {
            Some(id) => self.ended(now, id, status),
            // Its process was removed when the child could not be signalled.
            None => self.unknown_exited(pid, status),
        }
    }

    fn unknown_exited(&mut self, pid: u32, status: ExitStatus) {
        self.log(LogLevel::Info, texts::reaped_unknown(pid, status));
    }

    /// A child belongs to a process from now on.
    fn belongs(&mut self, id: ProcessId, run: RunId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.run = Some(run);
            self.by_run.insert(run, id);
        }
    }

    fn ended(&mut self, now: Now, id: ProcessId, status: ExitStatus) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.run = None;
        let is_recycled = member.machine.is_recycled() && self.mood == Mood::Running;
        self.release_socket(id);
        self.drive_machine(now, id, MachineInput::Ended(status));
        self.listener_ended(now, id);
        if is_recycled {
            self.drive_machine(now, id, MachineInput::Start);
        }
    }

    fn spawned(&mut self, now: Now, id: ProcessId, result: Result<Spawned, SpawnFailure>) {
        match result {
            Ok(Spawned { run, pid, at }) => {
                self.belongs(id, run);
                self.seat_listener(id);
                self.drive_machine(at, id, MachineInput::Spawned(pid));
            }
            Err(failure) => {
                self.release_socket(id);
                let input = match failure {
                    SpawnFailure::Refused(reason) => MachineInput::SpawnFailed(reason),
                    SpawnFailure::Unanswered(reason) => MachineInput::SpawnUnanswered(reason),
                };
                self.drive_machine(now, id, input);
            }
        }
        self.spawn_settled(id);
    }

    /// Lets something happen to a process and carries out what its machine answers.
    fn drive_machine(&mut self, now: Now, id: ProcessId, input: MachineInput) {
        let supervising = self.mood == Mood::Running;
        let Some(member) = self.members.get_mut(&id) else { return };
        let config = member.config.clone();
        let died = match input {
            MachineInput::Ended(_) => member.died.take().unwrap_or(now),
            _ => now,
        };
        let actions = member.machine.handle(input, MachineContext { now, died, config: &config, supervising });
        let run = member.run;
        self.refile(id, now);
        for action in actions {
            match action {
                MachineAction::Changed { from, to, detail } => self.state_changed(id, from, to, detail),
                MachineAction::Log(level, line) => self.log(level, line),
                MachineAction::Spawn => self.effects.push_back(Effect::Spawn { process: id }),
                MachineAction::Signal { signal, scope } => {
                    let kill = run.map(|run| Effect::Kill { process: id, run, signal, scope, call: None });
                    self.effects.extend(kill);
                }
            }
        }
        self.effects.push_back(Effect::PublishRow(id));
        self.process_changed(id);
    }

    /// Files the deadline of a process; one that has passed already is due at once.
    fn refile(&mut self, id: ProcessId, now: Now) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let next = member.machine.next_timer().filter(|_| member.died.is_none());
        let wanted = next.map(|(_, deadline)| deadline.max(now.mono));
        if member.filed != wanted {
            if let Some(old) = member.filed {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = wanted {
                self.deadlines.insert((new, id));
            }
            member.filed = wanted;
        }
    }

    fn unfile(&mut self, id: ProcessId) {
        if let Some(deadline) = self.members.get_mut(&id).and_then(|member| member.filed.take()) {
            self.deadlines.remove(&(deadline, id));
        }
    }

    /// Brings a group into being, with its automatic log files.
    fn activate(&mut self, group: Arc<Group>) {
        let name: Arc<str> = group.name.as_str().into();
        self.effects.push_back(Effect::PublishGroup(name.clone()));
        for id in self.register_group(group) {
            self.effects.push_back(Effect::PublishRow(id));
        }
        self.emit(Event::ProcessGroupAdded(name));
    }

    /// Adds a group and its members. The caller publishes them.
    fn register_group(&mut self, group: Arc<Group>) -> Vec<ProcessId> {
        let name: Arc<str> = group.name.as_str().into();
        let members: Vec<_> = group.processes.iter().map(|process| self.register(&name, &group, process)).collect();
        let pool = fresh_pool(&group.kind);
        self.groups.push(ActiveGroup { config: group, members: members.clone(), pool });
        members
    }

    /// Adds a process. The caller publishes it.
    fn register(&mut self, group: &Arc<str>, definition: &Group, process: &Arc<Process>) -> ProcessId {
        let id = self.next_id();
        let stdout_log = self.resolve_log(process, Channel::Stdout);
        let stderr_log = self.resolve_log(process, Channel::Stderr);
        let member = Member {
            group: group.clone(),
            config: process.clone(),
            machine: Machine::default(),
            stdout_log,
            stderr_log,
            filed: None,
            run: None,
            died: None,
            listener: matches!(definition.kind, GroupKind::Listeners(_)).then(ListenerProgress::default),
        };
        self.members.insert(id, Box::new(member));
        id
    }

    fn next_id(&mut self) -> ProcessId {
        let id = ProcessId(self.next_process);
        self.next_process += 1;
        id
    }

    fn resolve_log(&mut self, process: &Process, channel: Channel) -> Option<String> {
        let file = match channel {
            Channel::Stdout => &process.logging.stdout.file,
            Channel::Stderr if process.logging.redirect_stderr => return None,
            Channel::Stderr => &process.logging.stderr.file,
        };
        match file {
            LogFile::None => None,
            LogFile::Path(path) => Some(path.clone()),
            LogFile::Auto => {
                let settings = &self.config.supervisord;
                let name = self.auto_logs.next(&process.identity.name, channel, &settings.identifier);
                let path = format!("{}/{name}", settings.childlogdir.trim_end_matches('/'));
                self.effects.push_back(Effect::CreateAutoLog { path: path.clone() });
                Some(path)
            }
        }
    }

    fn autostart(&mut self, now: Now, index: usize) {
        let plan = self.plan_start(vec![index]);
        self.carry_out_start(now, plan);
    }

    /// Which processes of these groups start by themselves, group by group, and in stored order within each.
    fn plan_start(&self, groups: Vec<usize>) -> Plan<ProcessId> {
        let starts = |id: &ProcessId| {
            self.members.get(id).is_some_and(|member| member.config.start.autostart && member.machine.never_started())
        };
        let members = groups.into_iter().flat_map(|index| self.groups[index].members.iter().copied());
        Plan::independent(members.filter(starts))
    }

    fn carry_out_start(&mut self, now: Now, mut plan: Plan<ProcessId>) {
        // No program waits for another one, so that all steps are ready at once.
        for id in plan.begin_ready() {
            self.drive_machine(now, id, MachineInput::Start);
        }
    }

    /// Positions of all groups, lowest priority number first, in order of activation among equals.
    fn groups_by_priority(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|index| self.groups[*index].config.priority);
        order
    }

    /// Members of a group, lowest priority number first, in stored order among equals.
    fn members_by_priority(&self, index: usize) -> Vec<ProcessId> {
        let mut order = self.groups[index].members.clone();
        order.sort_by_key(|id| self.members.get(id).map_or(0, |member| member.config.identity.priority));
        order
    }

    fn group_index(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.config.name == name)
    }

    fn find(&self, group: &str, process: &str) -> Option<ProcessId> {
        let members = &self.groups[self.group_index(group)?].members;
        members
            .iter()
            .copied()
            .find(|id| self.members.get(id).is_some_and(|member| member.config.identity.name == process))
    }

    /// Tells the driver to close a FastCGI socket when the last process that held it is gone.
    fn release_socket(&mut self, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let Some(socket) = member.config.spawn.socket.clone() else { return };
        let group = member.group.clone();
        let is_held = self.by_run.values().any(|other| {
            *other != id
                && self.members.get(other).is_some_and(|other| {
                    other.group == group
                        && other.config.spawn.socket.as_ref().is_some_and(|held| held.url == socket.url)
                })
        });
        if !is_held {
            self.effects.push_back(Effect::CloseSocket { group, url: socket.url.clone() });
        }
    }

    fn adopt_config(&mut self, config: Config) {
        if config.supervisord.strip_ansi != self.config.supervisord.strip_ansi {
            self.effects.push_back(Effect::StripAnsi(config.supervisord.strip_ansi));
        }
        self.config = Arc::new(config);
        self.effects.push_back(Effect::PublishConfig(self.config.clone()));
    }

    /// Whether lines of this level are written, so that the text of a costly one is made only where somebody reads it.
    fn logs(&self, level: LogLevel) -> bool {
        level <= self.log_level
    }

    fn log(&mut self, level: LogLevel, line: impl Into<String>) {
        self.effects.push_back(Effect::Log(level, line.into()));
    }
}

/// The empty queue of a pool of listeners; none for other groups.
fn fresh_pool(kind: &GroupKind) -> Option<PoolQueue> {
    match kind {
        GroupKind::Listeners(pool) => {
            let subscriptions = pool.events.iter().filter_map(|name| EventType::from_name(name)).collect();
            Some(PoolQueue::new(subscriptions, pool.buffer_size))
        }
        GroupKind::Programs | GroupKind::FastCgi => None,
    }
}

#[cfg(test)]
mod tests;
