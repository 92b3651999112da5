//! Shutdown and restart: one group after the other, by descending priority number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_wire::state::Mood;

use super::shutdown_progress::ShutdownProgress;
use super::{Effect, Ending, ProcessId, Supervisor};
use crate::event::{Event, SupervisorState};
use crate::plan::Plan;
use crate::process::MachineInput;
use crate::texts;
use crate::time::Now;

/// How long listeners may process their events before they are stopped.
const LAST_EVENT_TIMEOUT: Duration = Duration::from_secs(1);

impl Supervisor {
    /// TERM, INT or QUIT: also turns a pending restart into a shutdown.
    pub(super) fn shutdown_signal(&mut self, name: &'static str) {
        self.log(LogLevel::Warn, format!("received {name} indicating exit request"));
        self.set_mood(Mood::Shutdown);
        if self.finished {
            self.effects.push_back(Effect::Finished(Ending::Exit(self.exit_code())));
        }
    }

    /// HUP: restarts, unless the configuration is broken, which changes nothing, or the daemon is shutting down.
    pub(super) fn restart_signal(&mut self, config: Result<Box<supervisord_config::model::Config>, String>) {
        if self.mood == Mood::Shutdown {
            self.log(LogLevel::Warn, "ignored SIGHUP indicating restart request (shutdown in progress)");
            return;
        }
        self.log(LogLevel::Warn, "received SIGHUP indicating restart request");
        match config {
            Ok(config) => self.restart(config),
            Err(reason) => {
                self.log(LogLevel::Error, format!("not restarting, because the configuration is broken: {reason}"));
            }
        }
    }

    pub(super) fn restart(&mut self, config: Box<supervisord_config::model::Config>) {
        self.restart_with = Some(config);
        self.set_mood(Mood::Restarting);
    }

    pub(super) fn reopen_signal(&mut self) {
        self.log(LogLevel::Info, "received SIGUSR2 indicating log reopen request");
        self.log(LogLevel::Info, "supervisord logreopen");
        self.effects.push_back(Effect::ReopenLogs);
    }

    pub(super) fn set_mood(&mut self, mood: Mood) {
        self.mood = mood;
        self.effects.push_back(Effect::PublishMood(mood));
    }

    /// Continues the shutdown as far as possible now.
    pub(super) fn advance_shutdown(&mut self, now: Now) {
        if self.mood == Mood::Running || self.finished {
            return;
        }
        if self.shutdown.is_none() {
            self.begin_shutdown(now);
        }
        self.advance_ordered_shutdown(now);
        self.note_stopped_groups();
        while let Some(group) = self.next_group_to_stop() {
            if self.awaits_listeners(now, &group) {
                return;
            }
            self.stop_group_members(now, &group);
            self.note_stopped_groups();
        }
        // A group that is still being stopped has a member that is not down.
        let is_stopping = self.shutdown.as_ref().is_some_and(ShutdownProgress::is_stopping);
        if !is_stopping && self.members.values().all(|member| member.is_at_rest()) {
            self.finish_shutdown();
        }
    }

    fn begin_shutdown(&mut self, now: Now) {
        let is_ordered = !self.dependencies.is_empty();
        let groups = if is_ordered { Vec::new() } else { self.groups_by_priority() };
        let order = groups.into_iter().rev();
        let plan = Plan::sequence(order.map(|index| self.groups[index].config.name.as_str().into()));
        let ordered = is_ordered.then(|| self.plan_stop());
        let not_down = HashMap::new();
        self.shutdown = Some(ShutdownProgress { plan, ordered, not_down, heard_until: None, reported: now.mono });
        self.emit(Event::SupervisorState(SupervisorState::Stopping));
        self.dispatch_events();
        self.advance_ordered_shutdown(now);
        if let Some(group) = self.next_group_to_stop().filter(|group| !self.awaits_listeners(now, group)) {
            self.stop_group_members(now, &group);
        }
        self.report_survivors();
    }

    /// Where programs depend on others, stops each process whose turn it is.
    fn advance_ordered_shutdown(&mut self, now: Now) {
        let Some(mut plan) = self.shutdown.as_mut().and_then(|shutdown| shutdown.ordered.take()) else {
            self.moved.clear();
            return;
        };
        let mut is_heard = false;
        loop {
            let moved = std::mem::take(&mut self.moved);
            self.note_stopped(&mut plan, &moved);
            let ready: Vec<ProcessId> = plan.ready().copied().collect();
            let (busy, ready): (Vec<_>, Vec<_>) = ready.into_iter().partition(|id| self.awaits_listener(now, *id));
            is_heard |= !busy.is_empty();
            if ready.is_empty() {
                break;
            }
            for id in ready {
                plan.begin(&id);
                self.cancel_listener_restart(id);
                self.drive_machine(now, id, MachineInput::Shutdown);
            }
        }
        if let Some(shutdown) = self.shutdown.as_mut() {
            shutdown.ordered = Some(plan);
            shutdown.heard_until = shutdown.heard_until.filter(|_| is_heard);
        }
    }

    fn next_group_to_stop(&self) -> Option<Arc<str>> {
        self.shutdown.as_ref()?.plan.ready().next().cloned()
    }

    /// Marks groups that were asked to stop, and have stopped, as done.
    fn note_stopped_groups(&mut self) {
        let Some(mut shutdown) = self.shutdown.take() else { return };
        let begun: Vec<Arc<str>> = shutdown.plan.begun().cloned().collect();
        for group in begun {
            let known = shutdown.not_down.get(&group).copied().unwrap_or_default();
            match self.not_down(&group, known) {
                Some(index) => _ = shutdown.not_down.insert(group, index),
                None => shutdown.plan.finish(&group),
            }
        }
        self.shutdown = Some(shutdown);
    }

    /// The index of a member of a group that is not down, where there is one. Those from `known` on are looked at first.
    fn not_down(&self, group: &str, known: usize) -> Option<usize> {
        let members = &self.groups[self.group_index(group)?].members;
        let is_not_down = |index: &usize| members.get(*index).is_some_and(|id| !self.is_down(*id));
        (known..members.len()).chain(0..known).find(is_not_down)
    }

    /// Whether a listener of the group is still processing an event, and has time left.
    fn awaits_listeners(&mut self, now: Now, group: &str) -> bool {
        let Some(index) = self.group_index(group) else { return false };
        let is_busy = self.groups[index].members.iter().any(|id| self.is_busy_listener(*id));
        self.grants_time(now, is_busy)
    }

    /// Whether a process is a listener that is still processing an event, and has time left.
    fn awaits_listener(&mut self, now: Now, id: ProcessId) -> bool {
        let is_busy = self.is_busy_listener(id);
        self.grants_time(now, is_busy)
    }

    fn is_busy_listener(&self, id: ProcessId) -> bool {
        let member = self.members.get(&id).filter(|member| member.machine.is_up());
        let listener = member.and_then(|member| member.listener.as_deref());
        listener.is_some_and(super::listener_progress::ListenerProgress::is_busy)
    }

    fn grants_time(&mut self, now: Now, is_busy: bool) -> bool {
        let Some(shutdown) = self.shutdown.as_mut() else { return false };
        is_busy && now.mono < *shutdown.heard_until.get_or_insert(now.mono + LAST_EVENT_TIMEOUT)
    }

    /// Stops the members of a group, by descending priority number.
    fn stop_group_members(&mut self, now: Now, group: &Arc<str>) {
        if let Some(shutdown) = self.shutdown.as_mut() {
            shutdown.plan.begin(group);
            shutdown.heard_until = None;
        }
        let Some(index) = self.group_index(group) else { return };
        for id in self.members_by_priority(index).into_iter().rev() {
            self.cancel_listener_restart(id);
            self.drive_machine(now, id, MachineInput::Shutdown);
        }
    }

    /// Whether the daemon shuts down or restarts.
    pub fn is_ending(&self) -> bool {
        self.mood != Mood::Running
    }

    pub(super) fn is_down(&self, id: ProcessId) -> bool {
        self.members.get(&id).is_none_or(|member| member.is_at_rest())
    }

    fn report_survivors(&mut self) {
        let in_order = self.groups.iter().flat_map(|group| &group.members);
        let survivors: Vec<_> =
            in_order.filter_map(|id| self.members.get(id)).filter(|member| !member.is_at_rest()).collect();
        if survivors.is_empty() {
            return;
        }
        let names: Vec<&str> = survivors.iter().map(|member| member.config.identity.name.as_str()).collect();
        let line = texts::waiting_to_die(&names);
        let states: Vec<String> = survivors
            .iter()
            .map(|member| format!("{} state: {}", member.config.identity.name, member.machine.state()))
            .collect();
        self.log(LogLevel::Info, line);
        for state in states {
            self.log(LogLevel::Blather, state);
        }
    }

    /// Logs the reports that are due: the remaining processes of a shutdown, and slow stops.
    pub(super) fn report_waiting(&mut self, now: Now) {
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.next_report() <= now.mono) {
            self.report_survivors();
            if let Some(shutdown) = self.shutdown.as_mut() {
                shutdown.reported = now.mono;
            }
        }
        self.report_slow_stops(now);
    }

    /// The exit status of the daemon: 0, unless a program has caused the end.
    fn exit_code(&self) -> u8 {
        self.exit().map_or(0, |exit| exit.code)
    }

    fn finish_shutdown(&mut self) {
        self.finished = true;
        if self.orphans.reaped > 0 {
            self.log(LogLevel::Info, texts::reaped_orphans(self.orphans.reaped));
        }
        let ending = match (self.mood, self.restart_with.take()) {
            (Mood::Restarting, Some(config)) => Ending::Restart(config),
            _ => Ending::Exit(self.exit_code()),
        };
        self.effects.push_back(Effect::Finished(ending));
    }
}
