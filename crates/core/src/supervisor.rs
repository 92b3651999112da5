//! The supervisor: groups of processes, the state of the daemon as a whole (its mood), events and calls.
//!
//! A driver passes each [`SupervisorInput`] to [`Supervisor::handle`], and then calls [`Supervisor::poll_effect`] and carries
//! out the effects until there are none. [`Supervisor::next_deadline`] is the time of the next [`SupervisorInput::Elapsed`].
//! The driver answers the effects `Check`, `Spawn`, `Kill` and `Feed` at once, with the inputs `Checked`, `Spawned`, `Killed`
//! and `Fed`, before it passes any other input.

mod act_on;
mod activation;
mod autostart;
mod calls;
mod children;
mod commands;
mod enablement;
mod enablement_queue;
mod events;
mod exit_condition;
mod groups;
mod health;
mod job;
mod jobs;
mod listener_progress;
mod listeners;
mod losses_told;
mod lost_output;
mod machines;
mod messages;
mod order;
mod ordered_stop;
mod probes;
mod readiness;
mod recycle_queue;
mod recycling;
mod reload;
mod renewal;
mod rolling;
mod rolling_turn;
mod rollout;
mod running_command;
mod scaling;
mod shutdown;
mod shutdown_progress;
pub mod snapshot;
mod start_queue;
mod stop_order;
mod turns;
mod update;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{Config, GroupKind, LogLevel, Process};
use supervisord_wire::event::EventType;
use supervisord_wire::state::Mood;

use crate::auto_log::AutoLogNames;
use crate::dependencies::DependencyGraph;
use crate::disabled::Disabling;
use crate::event::Event;
use crate::last_request::{LastRequest, RequestedAction};
use crate::output::Channel;
use crate::pool::PoolQueue;
use crate::process::{EndTraces, ExitStatus, Machine, MachineInput, StopDecision, StopPlan};
use crate::program_counts::ProgramCounts;
use crate::random::Random;
use crate::readiness_probe::ReadinessProbe;
use crate::row::{Row, RowHealth};
use crate::ticks::Ticks;
use crate::time::Now;
pub use messages::{
    CallId, CommandFailure, DaemonExit, Effect, Ending, FeedFailure, HandlerVerdict, KillFailure, OutputKind,
    ProbePurpose, ProcessId, RunId, SpawnFailure, Spawned, SupervisorInput,
};

use enablement_queue::Enablement;
use groups::Groups;
use job::Job;
pub use listener_progress::ListenerProgress;
use losses_told::LossesTold;
use ordered_stop::OrderedStop;
use recycle_queue::RecycleQueue;
use renewal::Renewal;
pub use rolling_turn::RollingTurn;
use rollout::Rollout;
pub use running_command::RunningCommand;
use shutdown_progress::ShutdownProgress;
use start_queue::StartQueue;

/// The largest capacity of the queue of effects that is kept. The start of many processes needs more, but only once.
const MAX_KEPT_EFFECTS: usize = 1000;

/// How many effects [`Supervisor::coming_spawns`] looks at.
const LOOK_AHEAD: usize = 16;

/// A process of an active group.
struct Member {
    group: Arc<str>,
    config: Arc<Process>,
    machine: Machine,
    stdout_log: Option<Arc<str>>,
    stderr_log: Option<Arc<str>>,
    /// Whether somebody asked for the start that it waits for.
    is_asked_for: bool,
    /// Its commands that run.
    commands: Vec<RunningCommand>,
    /// How often something has happened to it; none where nothing has.
    counts: Option<Arc<ProgramCounts>>,
    /// Whether something that it depends on was not active when it was started, and is to be started with it as soon as it is.
    lacks_dependency: bool,
    /// Why it is to be stopped as soon as others have stopped that depend on it; none where it is not.
    stops_in_turn: Option<Arc<StopDecision>>,
    /// Set while an update stops it, for another definition or for good.
    renewal: Option<Renewal>,
    /// Set while a rolling restart has not come to it, or restarts it.
    rolling: Option<RollingTurn>,
    /// Who has disabled it, so that nothing starts it; none where nobody has.
    disabled: Option<Arc<Disabling>>,
    /// Its entry in `Supervisor::deadlines`.
    filed: Option<Duration>,
    /// The run of its child, if it has a child.
    run: Option<RunId>,
    /// The run whose end is the last that is known.
    ended: Option<RunId>,
    /// When its child died, until all output of the child has been read. Meanwhile the process has no deadline.
    died: Option<Now>,
    /// What is known of the end of its child besides the status, until the end is known.
    traces: Option<Box<EndTraces>>,
    /// The last request about it that was carried out, but for the automatic start.
    last_request: Option<Arc<LastRequest>>,
    /// How often its programs have said that another process is their main one.
    other_main_processes: u64,
    /// When somebody was told that output was lost.
    losses_told: LossesTold,
    /// Its probes while it is getting ready and must be asked.
    probes: Option<Box<ReadinessProbe>>,
    /// Set if the process is an event listener.
    listener: Option<Box<ListenerProgress>>,
}

impl Member {
    /// A process of which nothing is known but its definition.
    fn new(group: &Arc<str>, config: Arc<Process>) -> Member {
        Member {
            group: group.clone(),
            config,
            machine: Machine::default(),
            stdout_log: None,
            stderr_log: None,
            is_asked_for: false,
            commands: Vec::new(),
            counts: None,
            lacks_dependency: false,
            stops_in_turn: None,
            renewal: None,
            rolling: None,
            disabled: None,
            filed: None,
            run: None,
            ended: None,
            died: None,
            traces: None,
            last_request: None,
            other_main_processes: 0,
            losses_told: LossesTold::default(),
            probes: None,
            listener: None,
        }
    }

    /// Whether nothing of it runs, and nothing will without a request.
    fn is_at_rest(&self) -> bool {
        self.machine.is_down() && self.commands.is_empty()
    }

    fn log(&self, channel: Channel) -> Option<&Arc<str>> {
        match channel {
            Channel::Stdout => self.stdout_log.as_ref(),
            Channel::Stderr => self.stderr_log.as_ref(),
        }
    }
}

/// Processes that ended and never were children of ours.
#[derive(Clone, Copy, Default)]
struct Orphans {
    are_expected: bool,
    /// How many have ended, where they are expected.
    reaped: u64,
}

/// The processes of all active groups.
type Members = BTreeMap<ProcessId, Box<Member>>;

/// The whole supervisor.
pub struct Supervisor {
    config: Arc<Config>,
    /// The level of the activity log, which a reread does not change.
    log_level: LogLevel,
    mood: Mood,
    groups: Groups,
    /// Boxed, because the nodes of a tree that has grown are about half empty.
    members: Members,
    /// What depends on what; empty where nothing does.
    dependencies: DependencyGraph<ProcessId>,
    /// Which programs may start at once.
    turns: StartQueue,
    /// Which programs are recycled.
    recycles: RecycleQueue,
    /// Which programs an update stops, and who asked for it.
    renewals: BTreeMap<ProcessId, Arc<str>>,
    /// The rolling restarts, by their numbers.
    rollouts: BTreeMap<u64, Rollout>,
    /// Which programs are disabled.
    enablement: Enablement,
    /// The groups to which an update adds what is new, as soon as everything that is to stop has stopped: all where none is named.
    additions: Option<Vec<String>>,
    /// Whether waiting processes may have nothing left to wait for, because another daemon knew of it last.
    rechecks_waiting: bool,
    by_run: HashMap<RunId, ProcessId>,
    deadlines: BTreeSet<(Duration, ProcessId)>,
    next_process: u64,
    next_serial: u64,
    /// The types of events that plug-ins have subscribed to.
    subscribed: Vec<EventType>,
    next_judgement: u64,
    next_probe: u64,
    auto_logs: AutoLogNames,
    /// What spreads restarts in time.
    random: Random,
    ticks: Ticks,
    jobs: Vec<Job>,
    /// Stops that wait for others.
    ordered_stops: Vec<OrderedStop>,
    /// The processes that have changed since the stops that wait for others were looked at; empty where there are none.
    moved: Vec<ProcessId>,
    /// The processes that have reacted to the failure of others, until the driver takes them.
    reactions: Vec<ProcessId>,
    /// The call to whose job items are being added. It gets its reply after all of them have been added.
    collecting: Option<CallId>,
    /// Who made the last call.
    asker: Arc<str>,
    shutdown: Option<ShutdownProgress>,
    restart_with: Option<Box<Config>>,
    /// The end that a program has caused. It begins when all effects have been carried out.
    exit: Option<DaemonExit>,
    orphans: Orphans,
    /// The time of the last input.
    now: Now,
    /// Groups that are removed, or replaced, when all their processes have stopped.
    retiring: Vec<String>,
    effects: VecDeque<Effect>,
    finished: bool,
}

impl Supervisor {
    /// A supervisor of the groups of a configuration, none of which is started. The names of automatic log files are made
    /// from `seed`. `serial` is the number of the first event.
    pub fn new(config: Arc<Config>, now: Now, seed: u64, serial: u64) -> Supervisor {
        let mut supervisor = Supervisor::empty(config.clone(), now, seed, serial);
        for group in &config.groups {
            supervisor.activate(group.clone());
        }
        supervisor.link();
        supervisor
    }

    fn empty(config: Arc<Config>, now: Now, seed: u64, serial: u64) -> Supervisor {
        Supervisor {
            log_level: config.supervisord.loglevel,
            config,
            mood: Mood::Running,
            groups: Groups::default(),
            members: BTreeMap::new(),
            dependencies: DependencyGraph::default(),
            turns: StartQueue::default(),
            recycles: RecycleQueue::default(),
            renewals: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            enablement: Enablement::default(),
            additions: None,
            rechecks_waiting: false,
            by_run: HashMap::new(),
            deadlines: BTreeSet::new(),
            next_process: 0,
            next_serial: serial,
            subscribed: Vec::new(),
            next_judgement: 0,
            next_probe: 0,
            auto_logs: AutoLogNames::new(seed),
            random: Random::new(seed),
            ticks: Ticks::new(now),
            jobs: Vec::new(),
            ordered_stops: Vec::new(),
            moved: Vec::new(),
            reactions: Vec::new(),
            collecting: None,
            asker: "".into(),
            shutdown: None,
            restart_with: None,
            exit: None,
            orphans: Orphans::default(),
            now,
            retiring: Vec::new(),
            effects: VecDeque::new(),
            finished: false,
        }
    }

    /// Says that processes whose parents have ended become children of the daemon, because it is process 1. There may be many,
    /// so that each is a line at the level debug only.
    pub fn expect_orphans(&mut self) {
        self.orphans.are_expected = true;
    }

    /// The number of the next event.
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

    /// The log file of a channel. For an automatic log file, this is the generated name.
    pub fn log_file(&self, id: ProcessId, channel: Channel) -> Option<&Arc<str>> {
        self.members.get(&id)?.log(channel)
    }

    /// Whether a stop of any process is to reach everything in its cgroup.
    pub fn reaches_cgroups(&self) -> bool {
        self.members.values().any(|member| StopPlan::of(&member.config).reaches_cgroup())
    }

    /// Whether the process is being stopped.
    pub fn is_stopping(&self, id: ProcessId) -> bool {
        self.is(id, Machine::is_stopping)
    }

    /// Whether the process is an event listener, so that the control plane reads its stdout.
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
            last_end: member.machine.last_end().cloned(),
            since: member.machine.since(),
            attempts: member.machine.attempts(),
            wanted: member.machine.wanted(),
            stop_decision: member.machine.stop_decision().cloned(),
            last_request: member.last_request.clone(),
            disabled: member.disabled.clone(),
            restarts: member.machine.restarts(),
            next_start: member.machine.next_start(),
            ready_by: member.machine.ready_by(),
            next_stop_step: member.machine.next_stop_step(),
            service_status: member.machine.service_status().cloned(),
            ready_trouble: member.probes.as_ref().and_then(|probes| probes.trouble()).map(str::to_owned),
            runs_until: member.machine.runs_until(),
            stdout_logfile: member.stdout_log.clone(),
            stderr_logfile: member.stderr_log.clone(),
            awaited: self.awaited(id),
            health: RowHealth::of(&member.machine),
            commands: member.commands.iter().map(|running| running.command).collect(),
            environment_step: member.machine.progress().environment_step,
            counts: member.counts.clone(),
            event_queue: member.listener.as_ref().and_then(|_| self.event_queue_of(&member.group)),
        })
    }

    /// Processes one input. The driver must then call [`Supervisor::poll_effect`] until it returns none.
    pub fn handle(&mut self, now: Now, input: SupervisorInput) {
        let later = if input.is_answer() { std::mem::take(&mut self.effects) } else { VecDeque::new() };
        self.take(now, input);
        // The effects of an answer come before the effects that were already queued.
        if !later.is_empty() {
            let first = std::mem::replace(&mut self.effects, later);
            first.into_iter().rev().for_each(|effect| self.effects.push_front(effect));
        }
    }

    fn take(&mut self, now: Now, input: SupervisorInput) {
        self.now = now;
        match input {
            SupervisorInput::Started => self.start(now),
            SupervisorInput::Call { id, actor, call } => self.call(now, id, &actor, call),
            SupervisorInput::ShutdownSignal { name } => self.shutdown_signal(name),
            SupervisorInput::RestartSignal { config } => self.restart_signal(config),
            SupervisorInput::ReopenSignal => self.reopen_signal(),
            SupervisorInput::Elapsed => self.elapsed(now),
            SupervisorInput::Ready { run } => self.ready(now, run),
            SupervisorInput::LinesLost { process, channel, lines } => self.lines_lost(&process, channel, lines),
            SupervisorInput::OutputLost { run, channel, bytes } => self.output_lost(now, run, channel, bytes),
            SupervisorInput::Notified { run, notification } => self.notified(now, run, notification),
            SupervisorInput::Died { run, at } => self.died(run, at),
            SupervisorInput::Traces { run, traces } => self.keep_traces(run, traces),
            SupervisorInput::Exited { run, pid, status } => self.exited(now, run, pid, status),
            SupervisorInput::UnknownExited { pid, status } => self.unknown_exited(pid, status),
            SupervisorInput::Adopted { process, run } => self.belongs(process, run),
            SupervisorInput::Vanished { process } => self.ended(now, process, ExitStatus::Unknown),
            SupervisorInput::Checked { process, call, result } => self.checked(now, process, call, result),
            SupervisorInput::Spawned { process, result } => self.spawned(now, process, result),
            SupervisorInput::CommandEnded { process, command, result } => {
                self.command_ended(now, process, command, result)
            }
            SupervisorInput::CommandNotMade { process, command } => self.command_not_made(now, process, command),
            SupervisorInput::Killed { process, call, result } => self.killed(now, process, call, result),
            SupervisorInput::Fed { process, call, result } => self.fed(now, process, call, result),
            SupervisorInput::Cleared { process, call, result } => self.cleared(process, call, result),
            SupervisorInput::DisabledStored { result } => self.disabled_stored(now, result),
            SupervisorInput::Output { process, pid, kind, channel, bytes } => {
                self.output(process, pid, kind, channel, bytes)
            }
            SupervisorInput::ListenerOutput { process, bytes } => self.listener_output(now, process, &bytes),
            SupervisorInput::Judged { process, judgement, verdict } => self.judged(now, process, judgement, verdict),
            SupervisorInput::Subscribed { kinds } => self.subscribed = kinds,
            SupervisorInput::Probed { process, purpose, attempt, result } => {
                self.probed(now, process, purpose, attempt, result);
            }
        }
        self.advance_ordered_stops(now);
        self.advance_renewals(now);
        self.replace_retired(now);
        // Others may have waited for those.
        self.advance_renewals(now);
        self.advance_additions(now);
        self.advance_rollouts(now);
        self.advance_recycling(now);
        self.give_turns(now);
        self.dispatch_events();
        self.advance_shutdown(now);
    }

    /// The next effect to carry out, if there is one.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if self.effects.is_empty() {
            self.begin_exit(self.now);
        }
        let next = self.effects.pop_front();
        if next.is_none() && self.effects.capacity() > MAX_KEPT_EFFECTS {
            self.effects.shrink_to(0);
        }
        next
    }

    /// Processes whose [`Effect::Spawn`] is among the next effects, with no effect before it that could change their logs.
    /// The driver may open their logs in advance.
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

    /// Whether a process whose child has died will probably be spawned again once its last output has been read. The driver
    /// may open its logs in advance.
    pub fn restarts_after_exit(&self, id: ProcessId) -> bool {
        self.mood == Mood::Running
            && self.members.get(&id).is_some_and(|member| member.machine.restarts_after_exit(&member.config))
            && self.are_dependencies_met(id)
    }

    /// The time of the next [`SupervisorInput::Elapsed`], on the monotonic clock, if one is needed.
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        let process = self.deadlines.first().map(|(deadline, _)| *deadline);
        let waiting = self.rechecks_waiting.then_some(now.mono);
        let ticks = self.ticks.deadline(now, |kind| self.is_subscribed(kind));
        let shutdown = self.shutdown.as_ref().map(ShutdownProgress::deadline);
        let jobs = self.jobs.iter().filter_map(|job| job.next_report).min();
        let pools = self.groups.pools().filter_map(PoolQueue::deadline).min();
        let listeners = self.next_listener_deadline();
        [process, waiting, ticks, shutdown, jobs, pools, listeners].into_iter().flatten().min()
    }

    fn elapsed(&mut self, now: Now) {
        if std::mem::take(&mut self.rechecks_waiting) {
            self.link();
            // Nothing starts on what is to be stopped at once.
            self.resume_ordered_stop(now);
            // A hook may have ended meanwhile.
            self.recheck_waiting(now);
        }
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now.mono {
                break;
            }
            self.deadlines.pop_first();
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.filed = None;
            let timer = member.machine.next_timer().filter(|(_, due)| *due <= now.mono);
            if let Some((timer, _)) = timer {
                self.drive_machine(now, id, MachineInput::Due(timer));
            }
            self.readiness_due(now, id);
            self.health_due(now, id);
        }
        for (period, when) in self.ticks.due(now) {
            self.emit(Event::Tick { period, when });
        }
        self.report_waiting(now);
        self.release_events(now);
        self.restart_listeners(now);
        self.resolve_uncertain_listeners(now);
    }

    /// Remembers a request that is carried out.
    fn note_request(&mut self, id: ProcessId, action: RequestedAction, by: &str) {
        let at = self.now.epoch();
        if let Some(member) = self.members.get_mut(&id) {
            member.last_request = Some(Arc::new(LastRequest { action, by: by.to_owned(), at }));
        }
    }

    /// The indices of all groups by ascending priority number. Groups of equal priority are in the order of activation.
    fn groups_by_priority(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|index| self.groups[*index].config.priority);
        order
    }

    /// The members of a group by ascending priority number. Members of equal priority are in the order of definition.
    fn members_by_priority(&self, index: usize) -> Vec<ProcessId> {
        let mut order = self.groups[index].members.clone();
        order.sort_by_key(|id| self.members.get(id).map_or(0, |member| member.config.identity.priority));
        order
    }

    fn group_index(&self, name: &str) -> Option<usize> {
        self.groups.index_of(name)
    }

    /// What a machine says of its process; false where there is no such process.
    fn is(&self, id: ProcessId, what: impl FnOnce(&Machine) -> bool) -> bool {
        self.members.get(&id).is_some_and(|member| what(&member.machine))
    }

    fn find(&self, group: &str, process: &str) -> Option<ProcessId> {
        let members = &self.groups[self.group_index(group)?].members;
        members
            .iter()
            .copied()
            .find(|id| self.members.get(id).is_some_and(|member| member.config.identity.name == process))
    }

    fn adopt_config(&mut self, config: Config) {
        if config.supervisord.strip_ansi != self.config.supervisord.strip_ansi {
            self.effects.push_back(Effect::StripAnsi(config.supervisord.strip_ansi));
        }
        self.config = Arc::new(config);
        self.effects.push_back(Effect::PublishConfig(self.config.clone()));
    }

    /// Whether the activity log contains lines of this level. Callers check this before they format an expensive line.
    fn logs(&self, level: LogLevel) -> bool {
        level <= self.log_level
    }

    fn log(&mut self, level: LogLevel, line: impl Into<String>) {
        self.effects.push_back(Effect::Log(level, line.into()));
    }
}

/// What is counted of a process, from the first time on.
fn counts(member: &mut Member) -> &mut ProgramCounts {
    Arc::make_mut(member.counts.get_or_insert_default())
}

#[cfg(test)]
mod tests;
