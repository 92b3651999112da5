//! The state of a running supervisor as plain data, for the next supervisor to go on from.
//!
//! There are two readers of it: the same daemon after it has replaced its program (everything is handed over), and a new
//! daemon that finds the children of one that was killed (what its journal kept).

use std::collections::HashMap;
use std::sync::Arc;

use supervisord_config::diff::{self, Difference};
use supervisord_config::model::{Config, Group, LogLevel, Process, UpdateMode};
use supervisord_wire::state::Mood;

use super::groups::ActiveGroup;
use super::listener_progress::ListenerProgress;
use super::renewal::Renewal;
use super::rolling_turn::RollingTurn;
use super::running_command::RunningCommand;
use super::{Effect, GroupKind, Member, ProcessId, Supervisor};
use crate::call::Refusal;
use crate::disabled::DisabledPrograms;
use crate::event::Event;
use crate::last_request::LastRequest;
use crate::pool::PoolQueue;
use crate::process::{AfterStop, Machine, MachineInput, StopCause, StopDecision};
use crate::program_counts::ProgramCounts;
use crate::ticks::Ticks;
use crate::time::Now;

/// Who asks for what has changed in the file while no daemon ran.
const RECONCILED: &str = "the daemon that took over";

/// A whole supervisor. Moments are on the monotonic clock, which goes on until the next boot.
#[derive(Clone, Debug)]
pub struct SupervisorSnapshot {
    /// The configuration read last.
    pub config: Arc<Config>,
    /// The active groups in the order of activation.
    pub groups: Vec<GroupSnapshot>,
    /// The number of the next event.
    pub next_serial: u64,
    /// The slices of the TICK events; none to begin with the present ones.
    pub ticks: Option<Ticks>,
    /// The groups that are stopping to be removed, or replaced where they still are configured.
    pub retiring: Vec<String>,
    /// The disabled programs, where they are known; otherwise they must be told ([`Supervisor::set_disabled_programs`]).
    pub disabled: Option<Arc<DisabledPrograms>>,
    /// How many orphaned processes have been reaped, where they are expected.
    pub reaped_orphans: u64,
}

/// An active group.
#[derive(Clone, Debug)]
pub struct GroupSnapshot {
    /// Its definition when it was activated.
    pub definition: Arc<Group>,
    /// The queue of a pool of listeners; none for other groups, or to begin with an empty one.
    pub pool: Option<PoolQueue>,
    /// Its members, in the order of the definition.
    pub members: Vec<MemberSnapshot>,
}

/// A process of an active group.
#[derive(Clone, Debug)]
pub struct MemberSnapshot {
    /// Its name.
    pub name: String,
    /// Its life so far.
    pub machine: Machine,
    /// Its stdout log, with the made-up name of an automatic one.
    pub stdout_log: Option<Arc<str>>,
    /// Its stderr log.
    pub stderr_log: Option<Arc<str>>,
    /// The last request about it.
    pub last_request: Option<Arc<LastRequest>>,
    /// Its commands that run.
    pub commands: Vec<RunningCommand>,
    /// How often something has happened to it; none where nothing has.
    pub counts: Option<Arc<ProgramCounts>>,
    /// Why it is to be stopped as soon as others have stopped that depend on it; none where it is not.
    pub stops_in_turn: Option<Arc<StopDecision>>,
    /// Whether an update stops it, for another definition or for good.
    pub is_renewed: bool,
    /// Where it stands in a rolling restart.
    pub rolling: Option<RollingTurn>,
    /// Where it is an event listener.
    pub listener: Option<ListenerProgress>,
}

impl MemberSnapshot {
    /// The child's process id; 0 when there is none.
    pub fn pid(&self) -> u32 {
        self.machine.pid()
    }
}

impl Supervisor {
    /// The present state. Whoever adds a field decides here what becomes of it.
    pub fn snapshot(&self) -> SupervisorSnapshot {
        let Supervisor {
            config,
            // It is that of the configuration.
            log_level: _,
            groups,
            next_serial,
            ticks,
            retiring,
            enablement: _,
            // In `member_snapshot`, and what is made of that.
            members: _,
            dependencies: _,
            turns: _,
            recycles: _,
            renewals: _,
            rollouts: _,
            additions: _,
            rechecks_waiting: _,
            by_run: _,
            deadlines: _,
            // Numbers that nobody else knows.
            next_process: _,
            next_judgement: _,
            next_probe: _,
            auto_logs: _,
            random: _,
            // Plug-ins begin anew, and say again what they want to hear of.
            subscribed: _,
            // Nobody is left who waits for an answer; what was asked for goes on without.
            jobs: _,
            // Each process knows whether it is to be stopped.
            ordered_stops: _,
            moved: _,
            // Those that react know so.
            reactions: _,
            collecting: _,
            asker: _,
            // Nobody takes over from a daemon that ends.
            mood: _,
            shutdown: _,
            restart_with: _,
            exit: _,
            finished: _,
            // There are none at rest.
            effects: _,
            orphans,
            // The clock.
            now: _,
        } = self;
        let members = |members: &[ProcessId]| members.iter().filter_map(|id| self.member_snapshot(*id)).collect();
        let group = |ActiveGroup { config, members: ids, pool }: &ActiveGroup| GroupSnapshot {
            definition: config.clone(),
            pool: pool.clone(),
            members: members(ids),
        };
        SupervisorSnapshot {
            config: config.clone(),
            groups: groups.iter().map(group).collect(),
            next_serial: *next_serial,
            ticks: Some(ticks.clone()),
            retiring: retiring.clone(),
            disabled: Some(self.disabled_programs().clone()),
            reaped_orphans: orphans.reaped,
        }
    }

    /// The present state of one process.
    pub fn member_snapshot(&self, id: ProcessId) -> Option<MemberSnapshot> {
        let Member {
            config,
            machine,
            stdout_log,
            stderr_log,
            last_request,
            commands,
            counts,
            stops_in_turn,
            renewal,
            rolling,
            listener,
            // Known of the whole.
            disabled: _,
            // Known from the definition of the group, and from the timers of the machine.
            group: _,
            filed: _,
            // They begin anew.
            probes: _,
            // It waits like the others.
            is_asked_for: _,
            // Somebody who updates a configuration while the daemon goes starts it.
            lacks_dependency: _,
            // Known to whoever finds the child.
            run: _,
            ended: _,
            died: _,
            traces: _,
            other_main_processes: _,
            losses_told: _,
        } = self.members.get(&id)?.as_ref();
        Some(MemberSnapshot {
            name: config.identity.name.clone(),
            machine: machine.without_last_chance(),
            stdout_log: stdout_log.clone(),
            stderr_log: stderr_log.clone(),
            last_request: last_request.clone(),
            commands: commands.clone(),
            counts: counts.clone(),
            stops_in_turn: stops_in_turn.clone(),
            is_renewed: renewal.is_some(),
            rolling: *rolling,
            listener: listener.as_deref().cloned(),
        })
    }

    /// The active groups with their processes.
    pub fn active(&self) -> impl Iterator<Item = (&Arc<Group>, &[ProcessId])> {
        self.groups.iter().map(|group| (&group.config, group.members.as_slice()))
    }

    /// How many events wait for each pool of listeners, by one of its listeners.
    pub fn waiting_events(&self) -> impl Iterator<Item = (ProcessId, usize)> {
        self.groups.with_pool().filter_map(|group| Some((*group.members.first()?, group.pool.as_ref()?.len())))
    }

    /// How many events wait for the pool this listener belongs to; none for other processes.
    pub fn waiting_for(&self, listener: ProcessId) -> usize {
        let group = self.groups.with_pool().find(|group| group.members.contains(&listener));
        group.and_then(|group| group.pool.as_ref()).map_or(0, crate::pool::PoolQueue::len)
    }

    /// The group a process belongs to.
    pub fn group_of(&self, id: ProcessId) -> Option<&Arc<str>> {
        self.members.get(&id).map(|member| &member.group)
    }

    /// The definition of an active group.
    pub fn definition(&self, group: &str) -> Option<&Arc<Group>> {
        self.group_index(group).map(|index| &self.groups[index].config)
    }

    /// Processes that have a child, as far as the supervisor knows: those being made (with process id 0) among them.
    pub fn believed_alive(&self) -> Vec<(ProcessId, u32)> {
        let alive = self.members.iter().filter(|(_, member)| member.machine.has_child());
        alive.map(|(id, member)| (*id, member.machine.pid())).collect()
    }

    /// The process of this name.
    pub fn find_process(&self, group: &str, process: &str) -> Option<ProcessId> {
        self.find(group, process)
    }

    /// All processes by the names of their groups and their own, for whoever looks for many.
    pub fn processes_by_name(&self) -> HashMap<(&str, &str), ProcessId> {
        self.members.iter().map(|(id, member)| ((&*member.group, member.config.identity.name.as_str()), *id)).collect()
    }

    /// The processes of an active group by their names.
    pub fn members_by_name(&self, group: &str) -> HashMap<&str, ProcessId> {
        let members = self.group_index(group).into_iter().flat_map(|index| &self.groups[index].members);
        members.filter_map(|id| Some((self.members.get(id)?.config.identity.name.as_str(), *id))).collect()
    }

    /// A supervisor that goes on where another one was. Every process it believes to have a child, and every command it believes
    /// to run ([`Supervisor::running_commands`]), must be accounted for before anything else: with [`super::SupervisorInput::Adopted`] or [`super::SupervisorInput::Vanished`], or as the answer to its
    /// spawn where it was being made. Only [`Supervisor::reconcile`] comes before what has vanished, so that this is not
    /// started as it was defined before.
    pub fn restore(snapshot: SupervisorSnapshot, now: Now, seed: u64) -> Supervisor {
        let SupervisorSnapshot { config, groups, next_serial, ticks, retiring, disabled, reaped_orphans } = snapshot;
        let mut supervisor = Supervisor::empty(config, now, seed, next_serial);
        if let Some(ticks) = ticks {
            supervisor.ticks = ticks;
        }
        supervisor.set_disabled_programs(disabled.unwrap_or_default());
        for group in groups {
            supervisor.restore_group(group, now);
        }
        supervisor.retiring = retiring;
        supervisor.orphans.reaped = reaped_orphans;
        supervisor.link();
        supervisor.resume_turns();
        supervisor.resume_recycling();
        supervisor.resume_renewals();
        supervisor.resume_rollouts();
        let is_anybody_waiting = !supervisor.rollouts.is_empty()
            || !supervisor.turns.is_empty()
            || !supervisor.recycles.is_empty()
            || !supervisor.renewals.is_empty();
        supervisor.rechecks_waiting = !supervisor.dependencies.is_empty() || is_anybody_waiting;
        supervisor.effects.push_back(Effect::PublishMood(Mood::Running));
        supervisor.forget_judgements(now);
        supervisor
    }

    fn restore_group(&mut self, snapshot: GroupSnapshot, now: Now) {
        let GroupSnapshot { definition, pool, members } = snapshot;
        let name: Arc<str> = definition.name.as_str().into();
        self.effects.push_back(Effect::PublishGroup(name.clone()));
        let mut members: HashMap<_, _> = members.into_iter().map(|member| (member.name.clone(), member)).collect();
        let mut ids = Vec::new();
        for process in &definition.processes {
            let id = match members.remove(&process.identity.name) {
                Some(known) => self.restore_member(&name, process.clone(), known, now),
                None => {
                    let id = self.register(&name, &definition, process);
                    self.effects.push_back(Effect::PublishRow(id));
                    id
                }
            };
            self.follow_readiness(now, id);
            self.refile(id, now);
            ids.push(id);
        }
        let pool = match (&definition.kind, pool) {
            (GroupKind::Listeners(_), Some(pool)) => Some(pool),
            (kind, _) => super::activation::fresh_pool(kind),
        };
        self.groups.push(ActiveGroup { config: definition, members: ids, pool });
    }

    fn restore_member(
        &mut self,
        group: &Arc<str>,
        config: Arc<supervisord_config::model::Process>,
        known: MemberSnapshot,
        now: Now,
    ) -> ProcessId {
        let id = self.next_id();
        let MemberSnapshot {
            name: _,
            mut machine,
            stdout_log,
            stderr_log,
            last_request,
            commands,
            counts,
            stops_in_turn,
            is_renewed,
            rolling,
            listener,
        } = known;
        machine.watch_health(&config, now.mono);
        let disabled = self.enablement.disabling(group, &config.identity.name);
        let member = Member {
            machine,
            stdout_log,
            stderr_log,
            commands,
            counts,
            stops_in_turn,
            renewal: is_renewed.then_some(Renewal::Waits),
            rolling,
            disabled,
            last_request,
            listener: listener.map(Box::new),
            ..Member::new(group, config)
        };
        self.members.insert(id, Box::new(member));
        self.effects.push_back(Effect::PublishRow(id));
        id
    }

    /// Makes the active groups those of the present configuration, as `supervisorctl update` would: what is no longer
    /// configured is stopped and removed, what has changed is stopped and replaced, what is new is added. To begin `afresh`,
    /// everything is stopped and replaced. Who has read the configuration has logged what is to be said about it.
    pub fn reconcile(&mut self, config: Config, afresh: bool, now: Now) {
        let active: Vec<Arc<Group>> = self.groups.iter().map(|group| group.config.clone()).collect();
        // A daemon that was killed while it scaled a program must not replace its group.
        let was_minimal = self.members.values().any(|member| member.renewal.is_some()) || !config.scales.is_empty();
        if !afresh && (was_minimal || config.supervisord.update == UpdateMode::Minimal) {
            return self.reconcile_minimally(config, now);
        }
        let difference = diff::diff(&active, &config.groups);
        self.log_level = config.supervisord.loglevel;
        self.adopt_config(config);
        let retired: Vec<String> = match afresh {
            true => active.iter().map(|group| group.name.clone()).collect(),
            false => {
                self.log_difference(&difference);
                let changed = difference.changed.into_iter().map(|group| group.name);
                difference.removed.into_iter().chain(changed).collect()
            }
        };
        for name in retired {
            self.retire(&name, now);
        }
        for name in difference.added {
            self.activate_by_name(&name, now);
        }
        self.replace_retired(now);
        self.give_turns(now);
    }

    /// The same by a plan that restarts only what cannot do without.
    fn reconcile_minimally(&mut self, config: Config, now: Now) {
        let plan = self.plan_update(&config, UpdateMode::Minimal, &[]);
        self.log_level = config.supervisord.loglevel;
        self.adopt_config(config);
        self.begin_update(now, &plan, &[], RECONCILED);
        self.advance_renewals(now);
        self.replace_retired(now);
        self.advance_renewals(now);
        self.advance_additions(now);
        self.give_turns(now);
    }

    /// Says why processes that were left running do not go on, and why there are new ones.
    fn log_difference(&mut self, difference: &Difference) {
        let Difference { added, changed, removed } = difference;
        for group in changed {
            self.log(LogLevel::Info, format!("{group}; it is stopped and started again"));
        }
        for name in removed {
            self.log(LogLevel::Info, format!("'{name}' is not configured any more: it is stopped and removed"));
        }
        for name in added {
            self.log(LogLevel::Info, format!("'{name}' is new in the configuration: it is added"));
        }
    }

    /// Stops a process, and starts it again when it has ended.
    pub fn replace(&mut self, id: ProcessId, now: Now) {
        if self.is(id, Machine::is_alive) {
            let decision = StopDecision::restart(StopCause::Configuration);
            self.drive_machine(now, id, MachineInput::Intervene(decision));
        }
        // Nothing may follow soon that would give away its place.
        self.give_turns(now);
    }

    /// Stops a group for good; it is removed, and replaced where it still is configured, when all have stopped.
    fn retire(&mut self, name: &str, now: Now) {
        let Some(index) = self.group_index(name) else { return };
        self.retiring.push(name.to_owned());
        let successors = self.configured_group(name);
        for id in self.members_by_priority(index) {
            let is_followed = self.members.get(&id).is_some_and(|member| {
                let is_successor = |process: &&Arc<Process>| process.identity.name == member.config.identity.name;
                let mut processes = successors.iter().flat_map(|group| &group.processes);
                processes.find(is_successor).is_some_and(|process| process.start.autostart)
            });
            self.cancel_listener_restart(id);
            let then = if is_followed { AfterStop::Replace } else { AfterStop::Rest };
            self.drive_machine(now, id, MachineInput::Retire(then));
        }
    }

    /// Replaces the groups whose last process has stopped.
    pub(super) fn replace_retired(&mut self, now: Now) {
        if self.retiring.is_empty() || self.mood != Mood::Running {
            return;
        }
        for name in std::mem::take(&mut self.retiring) {
            let result = match self.configured_group(&name) {
                Some(group) => self.replace_group(group, now),
                None => self.remove_group(now, &name),
            };
            match result {
                Ok(()) => {}
                // Somebody removed it meanwhile.
                Err(_) if self.group_index(&name).is_none() => {}
                Err(_) => self.retiring.push(name),
            }
        }
    }

    /// Replaces a group whose last process has stopped. Readers see the old one or the new one, never neither.
    fn replace_group(&mut self, group: Arc<Group>, now: Now) -> Result<(), Refusal> {
        let name: Arc<str> = group.name.as_str().into();
        self.unregister_group(&name)?;
        let members = self.register_group(group);
        self.effects.push_back(Effect::ReplaceGroup { group: name.clone(), members });
        self.emit(Event::ProcessGroupRemoved(name.clone()));
        self.emit(Event::ProcessGroupAdded(name));
        self.autostart(now, self.groups.len() - 1);
        Ok(())
    }

    fn configured_group(&self, name: &str) -> Option<Arc<Group>> {
        self.config.groups.iter().find(|group| group.name == name).cloned()
    }

    pub(super) fn activate_by_name(&mut self, name: &str, now: Now) {
        if let Some(group) = self.configured_group(name) {
            self.activate(group);
            self.autostart(now, self.groups.len() - 1);
        }
    }
}
