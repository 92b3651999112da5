//! A supervisor that goes on where another one was.

use super::*;

impl World {
    /// Replaces the supervisor by one that is restored from what the present one says of itself.
    pub(super) fn hand_over(&mut self) {
        let snapshot = self.supervisor.snapshot();
        let next = Supervisor::restore(snapshot, self.now, 2);
        let before = std::mem::replace(&mut self.supervisor, next);
        self.settle();
        let mut adopted = Vec::new();
        for child in self.children.values_mut() {
            let row = before.row(child.process).unwrap();
            child.process = self.supervisor.find_process(&row.group, &row.config.name).unwrap();
            adopted.push((child.process, child.run));
        }
        for (process, run) in adopted {
            self.give(Input::Adopted { process, run });
        }
    }

    fn reconcile(&mut self, groups: Vec<Arc<Group>>) {
        self.supervisor.reconcile(samples::config(groups), false, self.now);
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
    world.reconcile(vec![varied("changed", |process| process.startsecs = 0)]);
    assert_eq!(world.state("changed"), ProcessState::Stopping);
    let first = world.pid_of("changed");
    world.hand_over();
    assert_eq!(world.state("changed"), ProcessState::Stopping);
    world.pass(11_000);
    assert_eq!(world.state("changed"), ProcessState::Running);
    assert_ne!(world.pid_of("changed"), first);
    assert!(world.supervisor.find_process("removed", "removed").is_none());
    assert_eq!(world.children.len(), 1);
}

#[test]
fn what_ended_unseen_while_nobody_supervised_is_dealt_with() {
    let mut world = World::started(vec![varied("p", |process| process.autorestart = AutoRestart::Always)]);
    world.pass(2_000);
    let first = world.pid_of("p");
    world.children.clear();
    world.hand_over();
    world.give(Input::Vanished { process: world.id("p") });
    assert_eq!(world.state("p"), ProcessState::Starting);
    assert_ne!(world.pid_of("p"), first);
}
