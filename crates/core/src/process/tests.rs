use proptest::prelude::*;
use supervisord_config::model::AutoRestart;
use supervisord_config::samples;
use supervisord_wire::state::ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};

use super::*;

/// A machine with a clock that only moves when told to.
struct Bench {
    machine: Machine,
    config: Process,
    now: Now,
    next_pid: u32,
    supervising: bool,
    events: Vec<String>,
    lines: Vec<String>,
    signals: Vec<(i32, bool)>,
    /// What comes of a spawn instead of a child.
    no_child: Option<Stimulus>,
}

impl Bench {
    fn new(vary: impl FnOnce(&mut Process)) -> Bench {
        let mut config = samples::process("p");
        vary(&mut config);
        Bench {
            machine: Machine::default(),
            config,
            now: Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_000) },
            next_pid: 1000,
            supervising: true,
            events: Vec::new(),
            lines: Vec::new(),
            signals: Vec::new(),
            no_child: None,
        }
    }

    fn give(&mut self, stimulus: Stimulus) -> &mut Bench {
        let at = Circumstances { now: self.now, died: self.now, config: &self.config, supervising: self.supervising };
        let mut spawn = false;
        for action in self.machine.handle(stimulus, at) {
            match action {
                Action::Changed { from, to, detail } => {
                    self.events.push(format!("{from}>{to} {detail}").trim_end().to_owned())
                }
                Action::Log(level, line) => self.lines.push(format!("{} {line}", level.code())),
                Action::Spawn => spawn = true,
                Action::Signal { signal, scope } => self.signals.push((signal, scope == KillScope::Group)),
            }
        }
        if spawn {
            self.next_pid += 1;
            let answer = self.no_child.clone().unwrap_or(Stimulus::Spawned(self.next_pid));
            self.give(answer);
        }
        self
    }

    fn pass(&mut self, millis: u64) -> &mut Bench {
        let end = self.now.mono + Duration::from_millis(millis);
        while let Some((timer, deadline)) = self.machine.next_timer().filter(|(_, deadline)| *deadline <= end) {
            let step = deadline.saturating_sub(self.now.mono);
            self.now = Now { mono: self.now.mono + step, wall: self.now.wall + step };
            self.give(Stimulus::Due(timer));
        }
        let rest = end - self.now.mono;
        self.now = Now { mono: end, wall: self.now.wall + rest };
        self
    }

    fn state(&self) -> ProcessState {
        self.machine.state()
    }

    fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }
}

const CODE_0: ExitStatus = ExitStatus::Code(0);

#[test]
fn a_program_that_stays_up_is_running_after_startsecs() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).pass(999);
    assert_eq!(bench.state(), Starting);
    bench.pass(1);
    assert_eq!(bench.state(), Running);
    assert_eq!(bench.events, ["STOPPED>STARTING tries:0", "STARTING>RUNNING pid:1001"]);
    assert_eq!(
        bench.lines,
        [
            "INFO spawned: 'p' with pid 1001",
            "INFO success: p entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)"
        ]
    );
}

#[test]
fn a_start_that_nobody_can_judge_is_put_off_and_no_attempt_is_lost() {
    let mut bench = Bench::new(|config| config.start.startretries = 0);
    bench.no_child = Some(Stimulus::SpawnUnanswered("the disk does not respond".to_owned()));
    bench.give(Stimulus::Start).pass(60_000);
    assert_eq!(bench.state(), Backoff);
    assert_eq!(bench.machine.spawn_error(), "the disk does not respond");
    assert_eq!(
        bench.take_events()[..3],
        ["STOPPED>STARTING tries:0", "STARTING>BACKOFF tries:0", "BACKOFF>STARTING tries:0"]
    );
    bench.no_child = None;
    bench.pass(5000);
    assert_eq!(bench.state(), Starting);
    bench.pass(1000);
    assert_eq!((bench.state(), bench.machine.failure()), (Running, None));
}

#[test]
fn startsecs_0_means_running_at_once() {
    let mut bench = Bench::new(|config| config.start.startsecs = 0);
    bench.give(Stimulus::Start);
    assert_eq!(bench.state(), Running);
}

#[test]
fn an_end_before_startsecs_is_a_failure_even_with_an_expected_status() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).pass(500).give(Stimulus::Ended(CODE_0));
    assert_eq!(bench.state(), Backoff);
    assert_eq!(bench.lines.last().unwrap(), "WARN exited: p (exit status 0; not expected)");
    assert_eq!(bench.machine.spawn_error(), "Exited too quickly (process log may have details)");
    assert_eq!(bench.machine.exit_status(), None);
}

#[test]
fn retries_wait_one_second_longer_each_time_and_then_give_up() {
    let mut bench = Bench::new(|config| config.start.startretries = 2);
    bench.no_child = Some(Stimulus::SpawnFailed("can't find command 'x'".to_owned()));
    bench.give(Stimulus::Start);
    assert_eq!(bench.take_events(), ["STOPPED>STARTING tries:0", "STARTING>BACKOFF tries:1"]);
    bench.pass(999);
    assert!(bench.take_events().is_empty());
    bench.pass(1);
    assert_eq!(bench.take_events(), ["BACKOFF>STARTING tries:1", "STARTING>BACKOFF tries:2"]);
    bench.pass(2000);
    assert_eq!(bench.take_events(), ["BACKOFF>STARTING tries:2", "STARTING>BACKOFF tries:3", "BACKOFF>FATAL"]);
    assert_eq!(bench.lines.last().unwrap(), "INFO gave up: p entered FATAL state, too many start retries too quickly");
    assert_eq!(bench.machine.spawn_error(), "can't find command 'x'");
    bench.pass(60_000);
    assert_eq!(bench.state(), Fatal);
}

#[test]
fn an_unexpected_end_is_followed_by_a_start_in_the_same_moment() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).pass(5000);
    bench.take_events();
    bench.give(Stimulus::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
    assert_eq!(bench.take_events(), ["RUNNING>EXITED expected:0 pid:1001", "EXITED>STARTING tries:0"]);
    assert!(bench.lines.contains(&"WARN exited: p (terminated by SIGKILL; not expected)".to_owned()));
}

#[test]
fn an_expected_end_is_final_unless_restarts_are_unconditional() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).pass(5000).give(Stimulus::Ended(CODE_0));
    assert_eq!((bench.state(), bench.machine.exit_status()), (Exited, Some(0)));
    assert_eq!(bench.lines.last().unwrap(), "INFO exited: p (exit status 0; expected)");

    let mut bench = Bench::new(|config| config.restart.autorestart = AutoRestart::Always);
    bench.give(Stimulus::Start).pass(5000).give(Stimulus::Ended(CODE_0));
    assert_eq!(bench.state(), Starting);
}

#[test]
fn a_program_that_keeps_ending_at_once_is_restarted_once_a_second() {
    let mut bench = Bench::new(|config| {
        config.start.startsecs = 0;
        config.restart.autorestart = AutoRestart::Always;
    });
    bench.give(Stimulus::Start);
    bench.give(Stimulus::Ended(CODE_0));
    assert_eq!(bench.state(), Running, "the first restart does not wait");
    bench.give(Stimulus::Ended(CODE_0));
    assert_eq!(bench.state(), Exited, "the second one does");
    bench.pass(1000);
    assert_eq!(bench.state(), Running);
}

#[test]
fn a_program_that_others_kill_is_always_restarted_at_once() {
    let mut bench = Bench::new(|config| config.start.startsecs = 0);
    bench.give(Stimulus::Start);
    for _ in 0..50 {
        bench.give(Stimulus::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
        assert_eq!(bench.state(), Running);
    }
}

#[test]
fn without_a_time_to_stop_sigkill_follows_once_a_second() {
    let mut bench = Bench::new(|config| config.stop.stopwaitsecs = 0);
    bench.give(Stimulus::Start).pass(2000).give(Stimulus::Stop);
    bench.pass(10);
    assert_eq!(bench.signals, [(15, false), (9, false)]);
    bench.pass(900);
    assert_eq!(bench.signals.len(), 2);
    bench.pass(100);
    assert_eq!(bench.signals.len(), 3);
}

#[test]
fn a_stop_escalates_to_sigkill_again_and_again() {
    let mut bench = Bench::new(|config| {
        config.stop.stopasgroup = true;
        config.stop.stopwaitsecs = 5;
    });
    bench.give(Stimulus::Start).pass(2000).give(Stimulus::Stop);
    assert_eq!(bench.signals, [(15, true)]);
    bench.pass(5000);
    assert_eq!(bench.signals, [(15, true), (9, false)]);
    bench.pass(5000);
    assert_eq!(bench.signals.len(), 3);
    bench.give(Stimulus::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
    assert_eq!(bench.state(), Stopped);
    assert_eq!(bench.lines.last().unwrap(), "WARN stopped: p (terminated by SIGKILL)");
    bench.pass(60_000);
    assert_eq!(bench.state(), Stopped, "a stopped program stays stopped");
}

#[test]
fn a_stop_while_waiting_to_retry_needs_no_signal_and_resets_the_counter() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).give(Stimulus::Ended(CODE_0));
    bench.take_events();
    bench.give(Stimulus::Stop);
    assert_eq!(bench.take_events(), ["BACKOFF>STOPPED pid:0"]);
    assert!(bench.signals.is_empty());
    bench.give(Stimulus::Start);
    assert_eq!(bench.take_events(), ["STOPPED>STARTING tries:0"]);
}

#[test]
fn shutdown_turns_waiting_programs_fatal_and_restarts_nothing() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).give(Stimulus::Ended(CODE_0));
    bench.supervising = false;
    bench.give(Stimulus::Shutdown);
    assert_eq!(bench.state(), Fatal);

    let mut bench = Bench::new(|config| config.restart.autorestart = AutoRestart::Always);
    bench.give(Stimulus::Start).pass(2000);
    bench.supervising = false;
    bench.give(Stimulus::Ended(CODE_0));
    assert_eq!(bench.state(), Exited);
}

#[test]
fn a_refused_signal_makes_the_state_unknown_until_the_child_ends() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).pass(2000).give(Stimulus::Stop).give(Stimulus::SignalRefused);
    assert_eq!(bench.state(), Unknown);
    bench.give(Stimulus::Start);
    assert_eq!(bench.state(), Unknown);
    bench.give(Stimulus::Ended(CODE_0));
    assert_eq!((bench.state(), bench.machine.pid()), (Exited, 0));
}

#[test]
fn a_stop_that_comes_while_the_child_is_made_waits_for_it() {
    let config = samples::process("p");
    let now = Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_000) };
    let at = Circumstances { now, died: now, config: &config, supervising: true };
    let answers = [
        (Stimulus::Spawned(7), Phase::Stopping),
        (Stimulus::SpawnFailed("no".to_owned()), Phase::Stopped),
        (Stimulus::SpawnUnanswered("no".to_owned()), Phase::Stopped),
    ];
    for (answer, phase) in answers {
        let mut machine = Machine::default();
        machine.handle(Stimulus::Start, at);
        assert_eq!(machine.handle(Stimulus::Stop, at), []);
        let actions = machine.handle(answer, at);
        assert_eq!(machine.phase(), phase);
        let signalled = actions.iter().any(|action| matches!(action, Action::Signal { signal: 15, .. }));
        assert_eq!(signalled, phase == Phase::Stopping);
    }
}

#[test]
fn what_is_recycled_is_wanted_until_somebody_stops_it() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start).pass(2000).give(Stimulus::Recycle);
    assert_eq!((bench.state(), bench.signals.len()), (Stopping, 1));
    assert!(bench.machine.is_recycled());
    bench.give(Stimulus::Start);
    assert_eq!(bench.state(), Stopping);
    bench.give(Stimulus::Stop);
    assert_eq!((bench.state(), bench.signals.len()), (Stopping, 1), "it has been signalled already");
    assert!(!bench.machine.is_recycled());
}

#[test]
fn what_waits_for_its_restart_stays_exited_when_it_is_stopped() {
    for stop in [Stimulus::Stop, Stimulus::Shutdown] {
        let mut bench = Bench::new(|config| {
            config.start.startsecs = 0;
            config.restart.autorestart = AutoRestart::Always;
        });
        bench.give(Stimulus::Start).give(Stimulus::Ended(CODE_0)).give(Stimulus::Ended(CODE_0));
        assert_eq!((bench.state(), bench.machine.phase()), (Exited, Phase::WaitingToRestart));
        assert!(!bench.machine.is_down());
        bench.take_events();
        bench.give(stop);
        assert_eq!((bench.take_events().len(), bench.machine.phase()), (0, Phase::Exited));
        assert!(bench.machine.is_down());
        bench.pass(60_000);
        assert_eq!(bench.state(), Exited);
    }
}

#[test]
fn a_late_end_of_a_starting_program_passes_through_running() {
    let mut bench = Bench::new(|_| {});
    bench.give(Stimulus::Start);
    bench.take_events();
    // The end is noticed before the deadline is: the clock has passed it, but nobody looked.
    bench.now.mono += Duration::from_secs(3);
    bench.give(Stimulus::Ended(CODE_0));
    assert_eq!(bench.take_events(), ["STARTING>RUNNING pid:1001", "RUNNING>EXITED expected:1 pid:1001"]);
}

/// What may happen to a bench from outside.
#[derive(Clone, Debug)]
enum Step {
    Start,
    Stop,
    Recycle,
    End(i32),
    Kill(i32),
    Pass(u64),
    SignalRefused,
    BreakSpawn(bool),
    /// Nobody knows whether a child can be made.
    Doubt,
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Start),
        2 => Just(Step::Stop),
        3 => (0..3).prop_map(Step::End),
        2 => prop_oneof![Just(9), Just(11), Just(15)].prop_map(Step::Kill),
        5 => (0..4000_u64).prop_map(Step::Pass),
        1 => Just(Step::SignalRefused),
        1 => any::<bool>().prop_map(Step::BreakSpawn),
        1 => Just(Step::Doubt),
        1 => Just(Step::Recycle),
        1 => Just(Step::Shutdown),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_machine_stays_consistent(
        steps in prop::collection::vec(step(), 1..60),
        startsecs in -1..3_i64,
        startretries in -1..4_i64,
        autorestart in prop_oneof![Just(AutoRestart::Always), Just(AutoRestart::Never), Just(AutoRestart::Unexpected)],
    ) {
        let mut bench = Bench::new(|config| {
            config.start.startsecs = startsecs;
            config.start.startretries = startretries;
            config.restart.autorestart = autorestart;
        });
        for step in steps {
            let before = bench.state();
            match step {
                Step::Start => { bench.give(Stimulus::Start); }
                Step::Stop => { bench.give(Stimulus::Stop); }
                Step::End(code) if bench.machine.pid() != 0 => { bench.give(Stimulus::Ended(ExitStatus::Code(code))); }
                Step::Kill(number) if bench.machine.pid() != 0 => {
                    bench.give(Stimulus::Ended(ExitStatus::Signal { number, core_dumped: false }));
                }
                Step::Pass(millis) => { bench.pass(millis); }
                Step::SignalRefused => { bench.give(Stimulus::SignalRefused); }
                Step::BreakSpawn(broken) => {
                    bench.no_child = broken.then(|| Stimulus::SpawnFailed("broken".to_owned()));
                }
                Step::Doubt => bench.no_child = Some(Stimulus::SpawnUnanswered("who knows".to_owned())),
                Step::Recycle => { bench.give(Stimulus::Recycle); }
                Step::Shutdown => {
                    bench.supervising = false;
                    bench.give(Stimulus::Shutdown);
                    prop_assert_eq!(bench.machine.wanted(), Wanted::Down);
                    prop_assert!(!bench.machine.is_active());
                }
                Step::End(_) | Step::Kill(_) => {}
            }
            let (state, pid) = (bench.state(), bench.machine.pid());
            let has_child = matches!(state, Starting | Running | Stopping);
            prop_assert!(state == Unknown || has_child == (pid != 0), "{state} with pid {pid}");
            prop_assert!(bench.machine.progress().attempts <= startretries.max(0) + 1);
            let (phase, timer) = (bench.machine.phase(), bench.machine.next_timer().map(|(timer, _)| timer));
            prop_assert!(timer.is_none_or(|timer| phase.timer() == Some(timer)), "{timer:?} in {phase:?}");
            prop_assert!(phase.timer() == timer || !bench.supervising, "{phase:?} without its timer");
            prop_assert_eq!(bench.machine.never_started(), bench.machine.last_start() == 0);
            prop_assert!(!bench.machine.is_active() || bench.machine.wanted() == Wanted::Up, "{phase:?} is wanted");
            prop_assert!(!bench.machine.is_active() || !bench.machine.is_down());
            let mut previous = before;
            for event in bench.take_events() {
                let (from, rest) = event.split_once('>').unwrap();
                prop_assert_eq!(from, previous.name());
                let to = rest.split(' ').next().unwrap();
                previous = ProcessState::ALL.into_iter().find(|state| state.name() == to).unwrap();
            }
            prop_assert_eq!(previous, state, "each change of state is one event");
        }
    }
}
