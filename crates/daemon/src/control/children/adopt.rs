//! Children that an earlier daemon spawned: they are taken over, and their handles tell of their ends.

use std::os::fd::OwnedFd;
use std::time::Duration;

use mio::{Interest, Registry, Token};
use supervisord_core::process::{ExitStatus, ProcessPhase};
use supervisord_core::supervisor::{ProcessId, Supervisor};
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::process_tree::TreeMark;
use supervisord_sys::{Pid, proc_stat};

use super::Children;
use super::orphan::{Orphan, OrphanEnd};
use super::reach::Reach;
use super::role::{Role, Supervised};
use super::stdin::Stdin;
use crate::activity::Activity;
use crate::control::spawn;
use crate::control::tools::Tools;
use crate::descriptor::register;
use crate::hand_over::{HandedChannel, HandedChild};
use crate::output::{OutputRequest, RunId};
use crate::state;

impl Children {
    /// Takes over a child of the daemon before. False when it has ended meanwhile.
    pub(in crate::control) fn adopt(
        &mut self,
        child: HandedChild<OwnedFd>,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        registry: &Registry,
    ) -> bool {
        let HandedChild { run, pid, kept, handle, stdin, waiting, listener, ready, streams, .. } = child;
        let Some(process) = supervisor.process(id) else { return false };
        let name = process.identity.name.as_str();
        let channels: Vec<_> = streams
            .into_iter()
            .filter_map(|HandedChannel { channel, pipe, pipeline, end }| {
                spawn::channel(supervisor, id, Some(pid), channel, pipe, pipeline, end)
            })
            .map(|channel| spawn::awaiting(channel, supervisor.awaited_line(id)))
            .collect();
        tools.output.send(OutputRequest::Resume { run, process: name.into(), channels });
        // A child of our own cannot be anybody else, so that what was not asked before can be asked now.
        let kept = if child.orphan || kept.exact { kept } else { kept.of(pid) };
        let orphan = match child.orphan.then(|| self.watch_orphan(run, &kept, handle, name, &tools.activity, registry))
        {
            None => None,
            Some(Some(orphan)) => Some(orphan),
            Some(None) => {
                tools.output.send(OutputRequest::Drain { run, marker: None });
                return false;
            }
        };
        let stdin = stdin.map(|pipe| Stdin::with_waiting(pipe, waiting));
        let ready = ready.map(|pipe| self.await_readiness(run, pipe, name, &tools.activity, registry));
        // In the middle of a stop its descendants may be all that is left.
        let is_stopping = supervisor.row(id).is_some_and(|row| row.phase == ProcessPhase::Stopping);
        let tree = kept.tree.filter(|_| is_stopping).and_then(TreeMark::from_number);
        let supervised = Supervised { process: id, kept, stdin, orphan, ready };
        let role = match listener {
            Some(pipe) => Role::Listener(supervised, Box::new(self.listen(run, pipe, name, &tools.activity, registry))),
            None => Role::Program(supervised),
        };
        self.add(run, pid, role, None);
        if let Some(child) = self.living.get_mut(&run) {
            child.reach = tree.map(Reach::Tree);
        }
        self.watch_stdin(run, registry);
        true
    }

    /// None where the orphan has ended.
    pub(super) fn watch_orphan(
        &mut self,
        run: RunId,
        kept: &state::Run,
        handle: Option<OwnedFd>,
        name: &str,
        activity: &Activity,
        registry: &Registry,
    ) -> Option<Orphan> {
        let pid = Pid::new(kept.pid)?;
        let handle = match handle {
            Some(handle) => ProcessHandle::from_passed(handle, pid),
            None => {
                let handle = ProcessHandle::open(pid).ok()?;
                // It is on whoever has the number now: the right one, if that was started at the right time.
                proc_stat::read(pid).filter(|stat| kept.is(stat) && !handle.has_ended())?;
                handle
            }
        };
        let token = self.tokens.take(run);
        if let Err(error) = register(registry, &handle, Token(token), Interest::READABLE) {
            self.unwatched.add(token, name, "the process", &error, activity);
        }
        Some(Orphan { handle, token, reaped_by: None })
    }

    /// The orphan behind this token has ended, or its new parent has reaped it. Gives its end when it is known how it ended,
    /// or has been waited for long enough.
    pub(in crate::control) fn orphan_ended(&mut self, token: usize, now: Duration) -> Option<(RunId, ExitStatus)> {
        let run = self.tokens.run(token)?;
        let supervised = self.living.get_mut(&run)?.role.supervised_mut()?;
        let orphan = supervised.orphan.as_mut().filter(|orphan| orphan.token == token)?;
        match orphan.end(&supervised.kept, now)? {
            OrphanEnd::NotReaped => {
                if !self.not_reaped.contains(&token) {
                    self.not_reaped.push(token);
                }
                None
            }
            OrphanEnd::Known(status) => Some((run, status)),
        }
    }

    /// The tokens of orphans that have ended and that nobody has reaped.
    pub(in crate::control) fn not_reaped(&self) -> Vec<usize> {
        self.not_reaped.clone()
    }

    /// When the first of them is not waited for any longer.
    pub(in crate::control) fn next_reaping_deadline(&self) -> Option<Duration> {
        let supervised = |token: &usize| self.living.get(&self.tokens.run(*token)?)?.role.supervised();
        let orphans = self.not_reaped.iter().filter_map(|token| supervised(token)?.orphan.as_ref());
        orphans.filter_map(|orphan| orphan.reaped_by).min()
    }
}
