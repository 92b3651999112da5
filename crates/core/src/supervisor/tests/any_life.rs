//! Whatever happens in whatever order, every call is answered and every shutdown ends.

use proptest::prelude::*;
use supervisord_config::model::AutoRestart;

use super::*;

/// What may happen in a world.
#[derive(Clone, Debug)]
enum Step {
    Start(usize, bool),
    Stop(usize, bool),
    StopAll,
    StartAll,
    Die(usize, i32),
    Break(usize),
    Mend,
    Say(&'static [u8]),
    Event,
    Pass(u64),
    Reload(bool),
    Remove(usize),
    Add(usize),
}

const NAMES: [&str; 4] = ["a", "b", "c", "pool"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_usize, any::<bool>()).prop_map(|(index, wait)| Step::Start(index, wait)),
        (0..4_usize, any::<bool>()).prop_map(|(index, wait)| Step::Stop(index, wait)),
        Just(Step::StopAll),
        Just(Step::StartAll),
        (0..4_usize, 0..2).prop_map(|(index, code)| Step::Die(index, code)),
        (0..4_usize).prop_map(Step::Break),
        Just(Step::Mend),
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
        (0..4_usize).prop_map(Step::Remove),
        (0..4_usize).prop_map(Step::Add),
    ]
}

fn population(variant: bool) -> Vec<Arc<Group>> {
    vec![
        varied("a", |process| process.autorestart = AutoRestart::Always),
        varied("b", |process| process.startsecs = if variant { 2 } else { 0 }),
        varied("c", |process| process.startretries = 1),
        samples::pool("pool", &["EVENT"], 3),
    ]
}

impl World {
    fn step(&mut self, step: Step) {
        let name = |index: usize| NAMES[index].to_owned();
        match step {
            Step::Start(index, wait) => drop(self.call(start(NAMES[index], wait))),
            Step::Stop(index, wait) => drop(self.call(stop(NAMES[index], wait))),
            Step::StopAll => drop(self.call(Call::StopAllProcesses { wait: true })),
            Step::StartAll => drop(self.call(Call::StartAllProcesses { wait: true })),
            Step::Die(index, code) => {
                if let Some(pid) = self.children.keys().copied().nth(index) {
                    self.end(pid, ExitStatus::Code(code));
                }
            }
            Step::Break(index) => self.missing.push(name(index)),
            Step::Mend => self.missing.clear(),
            Step::Say(bytes) => {
                let listener =
                    self.children.values().map(|child| child.process).find(|id| self.supervisor.is_listener(*id));
                if let Some(process) = listener {
                    self.give(Input::ListenerOutput { process, bytes: bytes.to_vec() });
                }
            }
            Step::Event => {
                self.call(Call::SendRemoteCommEvent { kind: "t".to_owned(), data: "d".to_owned() });
            }
            Step::Pass(millis) => self.pass(millis),
            Step::Reload(variant) => {
                let config = Box::new(samples::config(population(variant)));
                self.call(Call::ReloadConfig { config });
            }
            Step::Remove(index) => drop(self.call(Call::RemoveProcessGroup { group: name(index) })),
            Step::Add(index) => drop(self.call(Call::AddProcessGroup { group: name(index) })),
        }
    }
}

proptest! {
    #[test]
    fn any_world_comes_to_rest_and_answers_every_call(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::started(population(false));
        for step in steps {
            world.step(step);
        }
        world.pass(200_000);
        prop_assert_eq!(world.replies.len() as u64, world.next_call, "every call has one reply");
        prop_assert!(world.supervisor.jobs.is_empty());
        world.give(Input::ShutdownSignal { name: "SIGTERM" });
        world.pass(30_000);
        prop_assert!(world.ending.is_some(), "a shutdown ends when children obey KILL");
        prop_assert!(world.children.is_empty());
    }
}
