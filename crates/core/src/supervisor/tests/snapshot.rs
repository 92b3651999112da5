//! A supervisor that goes on where another one was.

use supervisord_config::dependency::Dependency;

use super::*;
use crate::supervisor::snapshot::{GroupSnapshot, SupervisorSnapshot};

impl World {
    /// Replaces the supervisor by one that is restored from what the present one says of itself.
    pub(super) fn hand_over(&mut self) {
        self.go_on(self.supervisor.snapshot(), None);
    }

    /// Kills the daemon after so many effects of the last input. What was noted of the processes is left.
    pub(super) fn crash(&mut self, effects: usize, groups: Vec<Arc<Group>>) {
        for left in (0..effects).rev() {
            let Some(effect) = self.supervisor.poll_effect() else { break };
            if let Some(answer) = self.perform(effect).filter(|_| left > 0) {
                self.supervisor.handle(self.now, answer);
            }
        }
        let snapshot = self.supervisor.snapshot();
        let active: Vec<Vec<ProcessId>> = self.supervisor.active().map(|(_, ids)| ids.to_vec()).collect();
        let left_of = |(group, ids): (GroupSnapshot, Vec<ProcessId>)| {
            let members = ids.iter().filter_map(|id| self.noted.get(id).cloned()).collect();
            GroupSnapshot { pool: None, members, ..group }
        };
        let groups_left = snapshot.groups.into_iter().zip(active).map(left_of).collect();
        let left = SupervisorSnapshot {
            groups: groups_left,
            next_serial: 0,
            ticks: None,
            retiring: Vec::new(),
            disabled: Some(self.stored.clone()),
            ..snapshot
        };
        self.go_on(left, Some(groups));
    }

    /// Replaces the supervisor by one that is restored from this, and tells it what has become of its children, and after
    /// a crash what is configured now.
    fn go_on(&mut self, snapshot: SupervisorSnapshot, configured: Option<Vec<Arc<Group>>>) {
        let next = Supervisor::restore(snapshot, self.now, 2);
        let before = std::mem::replace(&mut self.supervisor, next);
        self.noted.clear();
        self.changed.clear();
        self.settle();
        let present = |process: ProcessId| {
            let row = before.row(process).unwrap();
            self.supervisor.find_process(&row.group, &row.config.identity.name).unwrap()
        };
        let mut found = Vec::new();
        for (pid, child) in &mut self.children {
            child.process = present(child.process);
            found.push((child.process, child.run, *pid, false));
        }
        for dead in &mut self.draining {
            dead.process = present(dead.process);
            found.push((dead.process, dead.run, dead.pid, true));
        }
        let commands = std::mem::take(&mut self.commands).into_iter();
        self.commands = commands.map(|((process, command), known)| ((present(process), command), known)).collect();
        for (process, run, pid, is_dead) in &found {
            let (process, run, pid, at) = (*process, *run, *pid, self.now);
            self.give(match self.supervisor.row(process).unwrap().pid {
                0 => SupervisorInput::Spawned { process, result: Ok(Spawned { run, pid, at }) },
                _ => SupervisorInput::Adopted { process, run },
            });
            if *is_dead {
                self.give(SupervisorInput::Died { run, at });
            }
        }
        let mut vanished = self.supervisor.believed_alive();
        vanished.retain(|(process, _)| !found.iter().any(|(known, ..)| known == process));
        if let Some(groups) = configured {
            self.supervisor.mark_listeners_uncertain(self.now);
            self.reconcile(groups);
        }
        for (process, pid) in vanished {
            let lost = || Err(SpawnFailure::Refused("the daemon was killed".to_owned()));
            self.give(match pid {
                0 => SupervisorInput::Spawned { process, result: lost() },
                _ => SupervisorInput::Vanished { process },
            });
        }
        for (process, RunningCommand { command, .. }) in self.supervisor.running_commands() {
            if !self.commands.contains_key(&(process, command)) {
                self.give(SupervisorInput::CommandNotMade { process, command });
            }
        }
        self.supervisor.stop_disabled(self.now);
        self.settle();
    }

    fn reconcile(&mut self, groups: Vec<Arc<Group>>) {
        let mut config = samples::config(groups);
        config.supervisord.max_parallel_starts = self.most;
        self.supervisor.reconcile(config, false, self.now);
        self.settle();
    }
}

#[test]
fn a_program_that_stops_to_be_replaced_is_replaced_after_an_upgrade() {
    let mut world = World::started(vec![program("changed"), program("removed")]);
    world.stubborn = vec!["changed".to_owned(), "removed".to_owned()];
    world.pass(2_000);
    for child in world.children.values_mut() {
        child.ignores_term = true;
    }
    world.reconcile(vec![varied("changed", |process| process.start.startsecs = 0)]);
    assert_eq!(world.state("changed"), ProcessState::Stopping);
    for line in [
        "INFO the definition of changed differs: changed startsecs (live); it is stopped and started again",
        "INFO 'removed' is not configured any more: it is stopped and removed",
    ] {
        assert!(world.log.iter().any(|logged| logged == line), "{:?}", world.log);
    }
    let first = world.pid_of("changed");
    world.hand_over();
    assert_eq!(world.state("changed"), ProcessState::Stopping);
    world.pass(11_000);
    assert_eq!(world.state("changed"), ProcessState::Running);
    assert_ne!(world.pid_of("changed"), first);
    assert!(world.supervisor.find_process("removed", "removed").is_none());
    assert_eq!(world.children.len(), 1);
    let groups = |text: &&String| text.starts_with("replaced") || text.starts_with("withdrawn");
    let mut groups: Vec<&String> = world.published.iter().filter(groups).collect();
    groups.sort();
    assert_eq!(groups, ["replaced changed", "withdrawn removed"], "readers always see a group that is replaced");
}

#[test]
fn what_ended_unseen_while_nobody_supervised_is_dealt_with() {
    let mut world = World::started(vec![varied("p", |process| process.restart.autorestart = AutoRestart::Always)]);
    world.pass(2_000);
    let first = world.pid_of("p");
    world.children.clear();
    world.hand_over();
    assert_eq!(world.state("p"), ProcessState::Starting);
    assert_ne!(world.pid_of("p"), first);
}

/// The next daemon after a killed one that was ending starts everything anew. Who depends on what has not ended yet does not wait
/// in vain.
#[test]
fn what_is_about_to_be_replaced_is_waited_for() {
    let groups = || {
        vec![
            program("slow"),
            varied("web", |process| {
                let (group, name) = ("slow".to_owned(), Some("slow".to_owned()));
                process.order.depends_on =
                    vec![Dependency::On { group, process: name, condition: DependencyCondition::Ready }];
            }),
        ]
    };
    let mut world = World::new(groups());
    world.stubborn.push("slow".to_owned());
    world.give(SupervisorInput::Started);
    world.pass(5000);
    world.log.clear();
    world.supervisor.reconcile(samples::config(groups()), true, world.now);
    world.settle();
    world.pass(100);
    assert_eq!((world.state("slow"), world.state("web")), (ProcessState::Stopping, ProcessState::Starting));
    let row = world.supervisor.row(world.id("web")).unwrap();
    assert_eq!(crate::dependencies::waiting_for(&row.awaited), "waiting for slow to be ready");
    let call = world.call(start("web", true));
    world.pass(60_000);
    assert_eq!((world.state("slow"), world.state("web")), (ProcessState::Running, ProcessState::Running));
    assert_eq!(world.reply(call), &Ok(Answer::Done));
    assert!(!world.log.iter().any(|line| line.contains("cannot start")), "{:#?}", world.log);
}

#[test]
fn a_program_that_is_recycled_starts_again_after_an_upgrade() {
    let mut world = World::new(vec![program("p")]);
    world.stubborn = vec!["p".to_owned()];
    world.give(SupervisorInput::Started);
    world.pass(2_000);
    let first = world.pid_of("p");
    world.supervisor.replace(world.id("p"), world.now);
    world.settle();
    assert_eq!(world.state("p"), ProcessState::Stopping);
    world.hand_over();
    assert_eq!(world.state("p"), ProcessState::Stopping);
    world.pass(12_000);
    assert_eq!(world.state("p"), ProcessState::Running);
    assert_ne!(world.pid_of("p"), first);
}

#[test]
fn a_child_that_was_made_when_the_daemon_was_killed_is_not_made_again() {
    let started = || {
        let mut world = World::new(vec![program("p")]);
        world.supervisor.handle(world.now, SupervisorInput::Started);
        world
    };
    let mut twin = started().supervisor;
    let before = std::iter::from_fn(|| twin.poll_effect()).take_while(|effect| !matches!(effect, Effect::Spawn { .. }));
    let before = before.count();
    // The answer to the spawn is lost where that is the last effect.
    for effects in 0..before + 4 {
        let mut world = started();
        world.crash(effects, vec![program("p")]);
        world.pass(2_000);
        assert_eq!(world.children.len(), usize::from(effects > before), "after {effects} effects");
        assert!(world.children.keys().all(|pid| *pid == world.pid_of("p")));
    }
}

/// A stop counts, although the process is being stopped already to be started again.
#[test]
fn a_program_that_is_recycled_can_be_stopped() {
    for wait in [true, false] {
        let mut world = World::new(vec![program("p")]);
        world.stubborn = vec!["p".to_owned()];
        world.give(SupervisorInput::Started);
        world.pass(2_000);
        world.supervisor.replace(world.id("p"), world.now);
        world.settle();
        assert_eq!(world.state("p"), ProcessState::Stopping);
        let call = world.call(Call::StopProcess { name: "p".to_owned(), wait });
        assert_eq!(world.replies.contains_key(&call), !wait, "who waits learns of the end");
        world.pass(12_000);
        assert_eq!(world.state("p"), ProcessState::Stopped);
        assert_eq!(world.replies.get(&call), Some(&Ok(Answer::Done)));
    }
}
