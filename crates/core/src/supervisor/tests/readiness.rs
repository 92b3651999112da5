//! Programs that say when they are ready, or are asked.

use proptest::prelude::*;
use supervisord_config::probe::Probe;
use supervisord_config::readiness::ReadyWhen;

use super::*;
use crate::notification::Notification;

fn probed(name: &str, vary: impl FnOnce(&mut Process)) -> Arc<Group> {
    varied(name, |process| {
        process.start.startsecs = 0;
        process.readiness.ready_when = Some(ReadyWhen::Probe(Probe::parse("tcp:localhost:1").unwrap().into()));
        vary(process);
    })
}

fn refusal() -> Result<(), String> {
    Err("connection refused".to_owned())
}

fn trouble(world: &World, name: &str) -> Option<String> {
    world.supervisor.row(world.id(name)).unwrap().ready_trouble
}

#[test]
fn a_program_is_probed_until_it_is_ready() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(0);
    assert_eq!(world.probes.len(), 1, "at once");
    world.pass(5000);
    assert_eq!(world.probes.len(), 1, "one at a time");
    world.answer_probes(&refusal());
    assert_eq!((world.probes.len(), trouble(&world, "p").as_deref()), (0, Some("connection refused")));
    world.pass(49);
    assert_eq!(world.probes.len(), 0);
    world.pass(1);
    assert_eq!(world.probes.len(), 1, "a hundredth of the time waited later");
    world.answer_probes(&Ok(()));
    assert_eq!((world.state("p"), trouble(&world, "p")), (ProcessState::Running, None));
    world.pass(1_000_000);
    assert_eq!(
        (world.probes.len(), world.supervisor.next_deadline(world.now)),
        (0, None),
        "nothing is left to be done"
    );
}

#[test]
fn the_last_failure_says_why_it_was_not_ready_in_time() {
    let mut world = World::started(vec![probed("p", |process| process.start.startretries = 0)]);
    world.pass(0);
    world.answer_probes(&refusal());
    world.pass(90_000);
    assert_eq!(world.state("p"), ProcessState::Fatal);
    let row = world.supervisor.row(world.id("p")).unwrap();
    assert_eq!(row.spawnerr, "Not ready within 90s (tcp:localhost:1: connection refused)");
    // The answer comes when nobody waits for it any more.
    world.answer_probes(&Ok(()));
    assert_eq!((world.state("p"), world.probes.len()), (ProcessState::Fatal, 0));
}

#[test]
fn an_answer_about_the_child_before_says_nothing() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(0);
    let early = world.probes.clone();
    let pid = world.pid_of("p");
    world.end(pid, ExitStatus::Code(1));
    world.pass(1000);
    assert_eq!((world.state("p"), world.probes.len()), (ProcessState::Starting, 2));
    let late = std::mem::replace(&mut world.probes, early);
    world.probes.truncate(1);
    world.answer_probes(&Ok(()));
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.probes = late;
    world.answer_probes(&Ok(()));
    assert_eq!(world.state("p"), ProcessState::Running);
}

#[test]
fn an_answer_about_a_child_that_has_died_says_nothing() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(0);
    let pid = world.pid_of("p");
    world.die(pid, ExitStatus::Code(1));
    world.answer_probes(&Ok(()));
    world.pass(0);
    assert_eq!(world.state("p"), ProcessState::Backoff);
}

#[test]
fn probes_begin_anew_with_the_next_daemon_and_the_deadline_stays() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    world.pass(60_000);
    world.probes.clear();
    world.hand_over();
    world.pass(0);
    assert_eq!((world.state("p"), world.probes.len()), (ProcessState::Starting, 1));
    world.pass(29_999);
    assert_eq!(world.state("p"), ProcessState::Starting);
    world.pass(1);
    assert_eq!(world.pid_of("p"), 0, "it has been stopped");
}

#[test]
fn a_call_for_a_start_waits_until_it_is_ready_or_cannot_be() {
    let mut world = World::started(vec![
        probed("a", |process| process.start.autostart = false),
        probed("b", |process| process.start.autostart = false),
    ]);
    let (a, b) = (world.call(start("a", true)), world.call(start("b", true)));
    world.pass(0);
    world.probes.truncate(1);
    world.pass(20_000);
    assert!(world.replies.is_empty());
    world.answer_probes(&Ok(()));
    assert_eq!(world.reply(a), &Ok(Answer::Done));
    world.pass(70_000);
    assert_eq!(world.reply(b), &refused(Reason::AbnormalTermination, "b: not ready within 90s (tcp:localhost:1)"));
}

#[test]
fn a_call_for_a_start_that_is_stopped_says_how_far_it_had_got() {
    let mut world = World::started(vec![
        probed("a", |process| process.start.autostart = false),
        varied("b", |process| process.start.autostart = false),
    ]);
    for (name, reason) in [("a", "a: stopped before it was ready"), ("b", "b")] {
        let started = world.call(start(name, true));
        world.pass(100);
        world.call(stop(name, true));
        assert_eq!(
            world.reply(started),
            &refused(Reason::AbnormalTermination, reason),
            "as the original says it of others"
        );
    }
}

#[test]
fn what_depends_on_it_starts_when_it_is_ready() {
    let mut world = World::started(vec![
        probed("db", |_| {}),
        varied("web", |process| {
            process.order.depends_on = vec![order::on("db", Some("db"), DependencyCondition::Ready)];
        }),
        varied("watcher", |process| {
            process.order.depends_on = vec![order::on("db", Some("db"), DependencyCondition::Started)];
        }),
    ]);
    world.pass(3000);
    assert_eq!((world.pid_of("web"), world.state("watcher")), (0, ProcessState::Running));
    world.answer_probes(&Ok(()));
    assert!(world.pid_of("web") != 0);
}

#[test]
fn a_program_cannot_flood_the_log_with_its_main_process() {
    let mut world = World::started(vec![probed("p", |_| {})]);
    let run = world.children[&world.pid_of("p")].run;
    for other in 1..=100 {
        let notification = Notification { main_pid: Some(other), ..Notification::default() };
        world.give(SupervisorInput::Notified { run, notification });
    }
    let lines: Vec<_> = world.log.iter().filter(|line| line.contains("says that its main process is")).collect();
    assert_eq!(lines.len(), 7, "the 1st, 2nd, 4th, 8th and so on: {lines:?}");
    assert!(lines[6].ends_with("goes on to be supervised (64 so far)"), "{}", lines[6]);
}

/// What happens to the daemon while a program gets ready, for so many milliseconds.
#[derive(Clone, Debug)]
enum Spell {
    /// It works.
    Works(u64),
    /// It is stopped, or held up.
    Hangs(u64),
    /// It is killed, and the next one comes later.
    IsAway(u64),
}

fn spell() -> impl Strategy<Value = Spell> {
    let long = || prop_oneof![0..500_u64, 0..6000_u64];
    prop_oneof![long().prop_map(Spell::Works), long().prop_map(Spell::Hangs), long().prop_map(Spell::IsAway)]
}

/// The time that a program has to get ready, in milliseconds.
const READY_TIMEOUT: u64 = 4000;

/// A program that becomes ready at a time of its own, which is told or found out in its way.
struct Preparation {
    world: World,
    group: Arc<Group>,
    ready_at: Duration,
    /// What the probe has found that is under way.
    found: Option<Result<(), String>>,
    /// When probes were found under way.
    asked: Vec<Duration>,
}

impl Preparation {
    fn begin(sign: &ReadyWhen, ready_after: Option<u64>) -> Preparation {
        let group = varied("p", |process| {
            process.start.startsecs = 0;
            process.start.startretries = 0;
            process.readiness.ready_when = Some(sign.clone());
            process.readiness.ready_timeout = Duration::from_millis(READY_TIMEOUT);
        });
        let world = World::started(vec![group.clone()]);
        let ready_at = ready_after.map_or(Duration::MAX, |after| world.now.mono + Duration::from_millis(after));
        let mut preparation = Preparation { world, group, ready_at, found: None, asked: Vec::new() };
        preparation.look();
        preparation
    }

    fn is_ready(&self) -> bool {
        self.world.now.mono >= self.ready_at
    }

    /// A probe that has begun finds how things are.
    fn look(&mut self) {
        if !self.world.probes.is_empty() && self.found.is_none() {
            self.asked.push(self.world.now.mono);
            self.found = Some(if self.is_ready() { Ok(()) } else { refusal() });
        }
    }

    /// What has been said or answered by now is heard.
    fn hear(&mut self) {
        let is_ready = self.is_ready();
        self.world.failing = if is_ready { Vec::new() } else { vec![ProgramCommand::ReadinessProbe] };
        if let Some(found) = self.found.take() {
            self.world.answer_probes(&found);
        }
        let group = &self.group.processes[0];
        let run = self.world.children.values().next().map(|child| child.run);
        if let (true, Some(ReadyWhen::Descriptor(_)), Some(run)) = (is_ready, &group.readiness.ready_when, run) {
            self.world.give(SupervisorInput::Ready { run });
        }
    }

    fn work(&mut self, millis: u64) {
        const STEP: u64 = 10;
        for _ in 0..millis.div_ceil(STEP) {
            self.hear();
            self.world.pass(STEP);
            self.look();
        }
    }

    fn live(&mut self, spell: &Spell) {
        match spell {
            Spell::Works(millis) => self.work(*millis),
            Spell::Hangs(millis) => self.world.advance(self.world.now.mono + Duration::from_millis(*millis)),
            Spell::IsAway(millis) => {
                self.world.advance(self.world.now.mono + Duration::from_millis(*millis));
                self.world.probes.clear();
                self.found = None;
                self.world.crash(0, vec![self.group.clone()]);
            }
        }
    }
}

fn signs() -> [ReadyWhen; 3] {
    let probe = |text| ReadyWhen::Probe(Probe::parse(text).unwrap().into());
    [ReadyWhen::Descriptor(3), probe("tcp:localhost:1"), probe("exec:true")]
}

proptest! {
    /// However long the daemon is stopped or away: who is ready in time is not stopped, and who is not ready is.
    #[test]
    fn whoever_is_ready_in_time_is_found_ready(
        sign in 0..3_usize,
        ready_after in prop_oneof![Just(None), (0..READY_TIMEOUT - 300).prop_map(Some)],
        spells in prop::collection::vec(spell(), 0..6),
    ) {
        let mut preparation = Preparation::begin(&signs()[sign], ready_after);
        let deadline = preparation.world.now.mono + Duration::from_millis(READY_TIMEOUT);
        for spell in &spells {
            preparation.live(spell);
        }
        let lives = 1 + spells.iter().filter(|spell| matches!(spell, Spell::IsAway(_))).count();
        preparation.work(60_000);
        let expected = if ready_after.is_some() { ProcessState::Running } else { ProcessState::Fatal };
        prop_assert_eq!(preparation.world.state("p"), expected, "{:#?}", preparation.world.log);
        let late = preparation.asked.iter().filter(|asked| **asked > deadline).count();
        // One that was under way, and the last one.
        prop_assert!(late <= 2 * lives, "{late} late probes of {lives} daemons");
        let is_undisturbed = spells.iter().all(|spell| matches!(spell, Spell::Works(_)));
        let has_been_lenient = preparation.world.log.iter().any(|line| line.contains("it has a last chance"));
        prop_assert!(!(is_undisturbed && has_been_lenient), "{:#?}", preparation.world.log);
    }
}

#[test]
fn a_program_that_nobody_could_ask_in_time_is_asked_once_more() {
    for is_ready in [true, false] {
        let mut preparation = Preparation::begin(&signs()[1], is_ready.then_some(2000));
        preparation.live(&Spell::Works(1000));
        preparation.live(&Spell::Hangs(5000));
        preparation.work(1000);
        let row = preparation.world.supervisor.row(preparation.world.id("p")).unwrap();
        match is_ready {
            true => assert_eq!(row.state(), ProcessState::Running),
            false => assert_eq!(row.spawnerr, "Not ready within 4s (tcp:localhost:1: connection refused)"),
        }
        let line = "INFO the time of p to get ready was over 2s ago, when nobody looked; it has a last chance";
        assert!(preparation.world.log.contains(&line.to_owned()), "{:#?}", preparation.world.log);
    }
}

#[test]
fn a_program_that_asks_for_more_time_in_its_last_chance_is_asked_on() {
    let mut preparation = Preparation::begin(&signs()[1], None);
    preparation.live(&Spell::Works(1000));
    preparation.live(&Spell::Hangs(5000));
    preparation.world.pass(0);
    let world = &mut preparation.world;
    let run = world.children[&world.pid_of("p")].run;
    let notification = Notification { extension: Some(Duration::from_secs(20)), ..Notification::default() };
    world.give(SupervisorInput::Notified { run, notification });
    preparation.work(10_000);
    assert_eq!(preparation.world.state("p"), ProcessState::Starting, "{:#?}", preparation.world.log);
    preparation.ready_at = preparation.world.now.mono;
    preparation.work(1000);
    assert_eq!(preparation.world.state("p"), ProcessState::Running);
}

#[test]
fn the_next_daemon_gives_a_last_chance_of_its_own() {
    for is_killed in [true, false] {
        let mut preparation = Preparation::begin(&signs()[1], None);
        preparation.live(&Spell::Works(1000));
        preparation.live(&Spell::Hangs(5000));
        preparation.world.pass(0);
        match is_killed {
            true => preparation.live(&Spell::IsAway(2000)),
            false => {
                preparation.world.probes.clear();
                preparation.found = None;
                preparation.world.hand_over();
            }
        }
        preparation.work(1000);
        let row = preparation.world.supervisor.row(preparation.world.id("p")).unwrap();
        assert_eq!(row.spawnerr, "Not ready within 4s (tcp:localhost:1: connection refused)");
        let lenient = preparation.world.log.iter().filter(|line| line.contains("it has a last chance"));
        assert_eq!(lenient.count(), 2, "{:#?}", preparation.world.log);
    }
}
