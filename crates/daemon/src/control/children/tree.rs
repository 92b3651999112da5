//! Stopping a child with all its descendants.

use std::collections::HashMap;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_core::process::{ExitStatus, KillScope};
use supervisord_core::supervisor::Supervisor;
use supervisord_core::time::Now;
use supervisord_sys::cgroup::Cgroup;
use supervisord_sys::process_tree::{self, TreeMark};
use supervisord_sys::{Errno, Pid, proc_stat};

use super::Children;
use super::lingering::Lingering;
use super::reach::Reach;
use crate::activity::Activity;
use crate::output::RunId;

/// How often it is asked which descendants are left. Those that are children of this process tell it sooner.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How many processes a line names.
const MOST_NAMED: usize = 10;

impl Children {
    /// Sends a signal to a child and all its descendants; none where these are not known.
    pub(super) fn kill_tree(&mut self, run: RunId, signal: i32, scope: KillScope) -> Option<Result<(), Errno>> {
        if let Some(lingering) = self.lingering.iter_mut().find(|lingering| lingering.run == run) {
            let sent = lingering.reach.send(signal, None);
            return Some(sent.map(|refused| lingering.refused = refused));
        }
        let is_alive = self.living.get(&run).is_some_and(|child| self.run_of(child.pid) == Some(run));
        let child = self.living.get_mut(&run).filter(|_| is_alive)?;
        let pid = Pid::new(child.pid)?;
        if child.reach.is_none() {
            let own = || child.cgroup.clone().or_else(|| Cgroup::of(pid)).map(Reach::Cgroup);
            let cgroup = if scope == KillScope::Cgroup { own() } else { None };
            let reach = cgroup.or_else(|| TreeMark::of(pid).map(Reach::Tree));
            // One that this daemon has not spawned may have ended, and another process may have its number.
            let orphan = child.role.supervised().and_then(|supervised| supervised.orphan.as_ref());
            if orphan.is_some_and(|orphan| orphan.handle.has_ended()) {
                return Some(Err(Errno::ESRCH));
            }
            child.reach = reach;
        }
        // Whoever is not reached now is asked about when the child has exited.
        let refused = match child.reach.as_ref()?.send(signal, Some(pid)) {
            Ok(refused) => refused,
            Err(error) => return Some(Err(error)),
        };
        if refused.contains(&pid) {
            // Like any other program that may not be signalled.
            child.reach = None;
            return Some(Err(Errno::EPERM));
        }
        Some(Ok(()))
    }

    /// A child has exited. Whether it counts as stopped only when its descendants have ended, too; [`Children::take_lingered`]
    /// finds out in this turn whether there are any, for all that have exited in it.
    pub(super) fn lingers(&mut self, run: RunId, status: ExitStatus, at: Now) -> bool {
        if self.lingering.iter().any(|lingering| lingering.run == run) {
            return true;
        }
        let Some(reach) = self.living.get(&run).and_then(|child| child.reach.clone()) else { return false };
        let orphan = self.living.get(&run).and_then(|child| child.role.supervised()?.orphan.as_ref());
        if let Some(token) = orphan.map(|orphan| orphan.token) {
            // How it ended is known.
            self.not_reaped.retain(|other| *other != token);
        }
        self.lingering.push(Lingering { run, status, at, reach, ask_at: at.mono, refused: Vec::new() });
        true
    }

    /// When it is asked again whose descendants have ended.
    pub(in crate::control) fn next_lingering(&self) -> Option<Duration> {
        self.lingering.iter().map(|lingering| lingering.ask_at).min()
    }

    /// Whether a stop waits for descendants.
    pub(in crate::control) fn is_lingering(&self) -> bool {
        !self.lingering.is_empty()
    }

    /// An unknown child has ended, which may have been the last descendant.
    pub(super) fn ask_lingering(&mut self, now: Duration) {
        self.lingering.iter_mut().for_each(|lingering| lingering.ask_at = now);
    }

    /// Children whose descendants have ended, or cannot be stopped or found, which is logged.
    pub(in crate::control) fn take_lingered(
        &mut self,
        now: Duration,
        supervisor: &Supervisor,
        activity: &Activity,
    ) -> Vec<(RunId, ExitStatus, Now)> {
        let due = self.lingering.iter().filter(|lingering| lingering.ask_at <= now);
        let trees: Vec<TreeMark> = due.filter_map(|lingering| lingering.reach.mark()).collect();
        let living = if trees.is_empty() { HashMap::new() } else { process_tree::living(&trees) };
        let are_unknown = !trees.is_empty() && !process_tree::can_list();
        let mut done = Vec::new();
        for mut lingering in std::mem::take(&mut self.lingering) {
            if lingering.ask_at > now {
                self.lingering.push(lingering);
                continue;
            }
            let left = match &lingering.reach {
                Reach::Tree(mark) => living.get(mark).cloned().unwrap_or_default(),
                Reach::Cgroup(cgroup) => cgroup.members(),
            };
            if left.iter().any(|pid| !lingering.refused.contains(pid)) {
                lingering.ask_at = now + ASK_AGAIN;
                self.lingering.push(lingering);
                continue;
            }
            if are_unknown && lingering.reach.mark().is_some() {
                let name = self.identify(lingering.run).and_then(|(process, _)| supervisor.process(process));
                activity.log(LogLevel::Warn, &not_found(name.map_or("", |process| &process.identity.name)));
            }
            if !left.is_empty() {
                let text = format!("processes that may not be signalled outlive a stop: {}", names(&left));
                activity.log(LogLevel::Warn, &text);
            }
            if let Some(child) = self.living.get_mut(&lingering.run) {
                child.reach = None;
            }
            done.push((lingering.run, lingering.status, lingering.at));
        }
        done
    }
}

/// What is said of a stop that has reached only a process group.
fn not_found(name: &str) -> String {
    format!(
        "descendants of {name} cannot be found without /proc: those that have left its process group outlive its stop"
    )
}

/// Processes as log lines name them, some of many.
pub(in crate::control) fn names(processes: &[Pid]) -> String {
    let name = |pid: &Pid| format!("{} (pid {pid})", proc_stat::name(*pid).unwrap_or_default());
    let names: Vec<String> = processes.iter().take(MOST_NAMED).map(name).collect();
    names.join(", ")
}
