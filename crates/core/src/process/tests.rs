use proptest::prelude::*;
use supervisord_config::model::{AutoRestart, ProgramType};
use supervisord_config::readiness::ReadyWhen;
use supervisord_config::samples;
use supervisord_wire::state::ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};

use super::*;
use crate::random::Random;

mod hooks;
mod oneshot;
mod readiness;
mod restarts;

/// A machine with a simulated clock.
struct TestMachine {
    machine: Machine,
    config: Process,
    now: Now,
    next_pid: u32,
    random: Random,
    supervising: bool,
    dependencies_met: bool,
    has_place: bool,
    events: Vec<String>,
    lines: Vec<String>,
    signals: Vec<(i32, bool)>,
    /// The result of a spawn other than a child.
    no_child: Option<MachineInput>,
    /// Whether a command runs.
    commands_run: bool,
    /// How often running commands were to be ended.
    commands_ended: u32,
}

impl TestMachine {
    fn new(vary: impl FnOnce(&mut Process)) -> TestMachine {
        let mut config = samples::process("p");
        vary(&mut config);
        TestMachine {
            machine: Machine::default(),
            config,
            now: Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_000) },
            next_pid: 1000,
            random: Random::new(7),
            supervising: true,
            dependencies_met: true,
            has_place: true,
            events: Vec::new(),
            lines: Vec::new(),
            signals: Vec::new(),
            no_child: None,
            commands_run: false,
            commands_ended: 0,
        }
    }

    fn give(&mut self, input: MachineInput) -> &mut TestMachine {
        let (now, supervising) = (self.now, self.supervising);
        let random = self.random.next();
        if matches!(input, MachineInput::CommandEnded(..)) {
            self.commands_run = false;
        }
        let (dependencies_met, has_place) = (self.dependencies_met && !self.commands_run, self.has_place);
        let at = MachineContext {
            now,
            died: now,
            config: &self.config,
            supervising,
            random,
            dependencies_met,
            has_place,
            trouble: None,
            owes_probe: false,
        };
        let mut spawn = false;
        for action in self.machine.handle(input, at) {
            match action {
                MachineAction::Changed { from, to, detail } => {
                    self.events.push(format!("{from}>{to} {detail}").trim_end().to_owned())
                }
                MachineAction::Log(level, line) => self.lines.push(format!("{} {line}", level.code())),
                MachineAction::Spawn => spawn = true,
                MachineAction::Run(hook) => {
                    self.events.push(hook.to_string());
                    self.commands_run = true;
                }
                MachineAction::EndCommands => self.commands_ended += 1,
                MachineAction::Signal { signal, scope } => self.signals.push((signal, scope == KillScope::Group)),
            }
        }
        if spawn {
            self.next_pid += 1;
            let answer = self.no_child.clone().unwrap_or(MachineInput::Spawned(self.next_pid));
            self.give(answer);
        }
        self
    }

    fn pass(&mut self, millis: u64) -> &mut TestMachine {
        let end = self.now.mono + Duration::from_millis(millis);
        while let Some((timer, deadline)) = self.machine.next_timer().filter(|(_, deadline)| *deadline <= end) {
            let step = deadline.saturating_sub(self.now.mono);
            self.now = Now { mono: self.now.mono + step, wall: self.now.wall + step };
            self.give(MachineInput::Due(timer));
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
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(999);
    assert_eq!(test.state(), Starting);
    test.pass(1);
    assert_eq!(test.state(), Running);
    assert_eq!(test.events, ["STOPPED>STARTING tries:0", "STARTING>RUNNING pid:1001"]);
    assert_eq!(
        test.lines,
        [
            "INFO spawned: 'p' with pid 1001",
            "INFO success: p entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)"
        ]
    );
}

#[test]
fn an_unanswered_spawn_is_retried_without_losing_an_attempt() {
    let mut test = TestMachine::new(|config| config.start.startretries = 0);
    test.no_child = Some(MachineInput::SpawnUnanswered("the disk does not respond".to_owned()));
    test.give(MachineInput::Start).pass(60_000);
    assert_eq!(test.state(), Backoff);
    assert_eq!(test.machine.spawn_error(), "the disk does not respond");
    assert_eq!(
        test.take_events()[..3],
        ["STOPPED>STARTING tries:0", "STARTING>BACKOFF tries:0", "BACKOFF>STARTING tries:0"]
    );
    test.no_child = None;
    test.pass(5000);
    assert_eq!(test.state(), Starting);
    test.pass(1000);
    assert_eq!((test.state(), test.machine.failure()), (Running, None));
}

#[test]
fn startsecs_0_means_running_at_once() {
    let mut test = TestMachine::new(|config| config.start.startsecs = 0);
    test.give(MachineInput::Start);
    assert_eq!(test.state(), Running);
}

#[test]
fn an_end_before_startsecs_is_a_failure_even_with_an_expected_status() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(500).give(MachineInput::Ended(CODE_0));
    assert_eq!(test.state(), Backoff);
    assert_eq!(test.lines.last().unwrap(), "WARN exited: p (exit status 0; not expected)");
    assert_eq!(test.machine.spawn_error(), "Exited too quickly (process log may have details)");
    assert_eq!(test.machine.exit_status(), None);
}

#[test]
fn retries_wait_one_second_longer_each_time_and_then_give_up() {
    let mut test = TestMachine::new(|config| config.start.startretries = 2);
    test.no_child = Some(MachineInput::SpawnFailed("can't find command 'x'".to_owned()));
    test.give(MachineInput::Start);
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0", "STARTING>BACKOFF tries:1"]);
    test.pass(999);
    assert!(test.take_events().is_empty());
    test.pass(1);
    assert_eq!(test.take_events(), ["BACKOFF>STARTING tries:1", "STARTING>BACKOFF tries:2"]);
    test.pass(2000);
    assert_eq!(test.take_events(), ["BACKOFF>STARTING tries:2", "STARTING>BACKOFF tries:3", "BACKOFF>FATAL"]);
    assert_eq!(test.lines.last().unwrap(), "INFO gave up: p entered FATAL state, too many start retries too quickly");
    assert_eq!(test.machine.spawn_error(), "can't find command 'x'");
    test.pass(60_000);
    assert_eq!(test.state(), Fatal);
}

#[test]
fn an_unexpected_end_is_followed_by_a_start_in_the_same_moment() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(5000);
    test.take_events();
    test.give(MachineInput::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
    assert_eq!(test.take_events(), ["RUNNING>EXITED expected:0 pid:1001", "EXITED>STARTING tries:0"]);
    assert!(test.lines.contains(&"WARN exited: p (terminated by SIGKILL; not expected)".to_owned()));
}

#[test]
fn an_expected_end_is_final_unless_restarts_are_unconditional() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(5000).give(MachineInput::Ended(CODE_0));
    assert_eq!((test.state(), test.machine.exit_status()), (Exited, Some(0)));
    assert_eq!(test.lines.last().unwrap(), "INFO exited: p (exit status 0; expected)");

    let mut test = TestMachine::new(|config| config.restart.autorestart = AutoRestart::Always);
    test.give(MachineInput::Start).pass(5000).give(MachineInput::Ended(CODE_0));
    assert_eq!(test.state(), Starting);
}

#[test]
fn a_program_that_keeps_ending_at_once_is_restarted_once_a_second() {
    let mut test = TestMachine::new(|config| {
        config.start.startsecs = 0;
        config.restart.autorestart = AutoRestart::Always;
    });
    test.give(MachineInput::Start);
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!(test.state(), Running, "the first restart does not wait");
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!(test.state(), Exited, "the second one does");
    test.pass(1000);
    assert_eq!(test.state(), Running);
}

#[test]
fn a_program_killed_from_outside_is_restarted_at_once() {
    let mut test = TestMachine::new(|config| config.start.startsecs = 0);
    test.give(MachineInput::Start);
    for _ in 0..50 {
        test.give(MachineInput::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
        assert_eq!(test.state(), Running);
    }
}

#[test]
fn without_a_time_to_stop_sigkill_follows_once_a_second() {
    let mut test = TestMachine::new(|config| config.stop.stopwaitsecs = 0);
    test.give(MachineInput::Start).pass(2000).give(MachineInput::Stop);
    test.pass(10);
    assert_eq!(test.signals, [(15, false), (9, false)]);
    test.pass(900);
    assert_eq!(test.signals.len(), 2);
    test.pass(100);
    assert_eq!(test.signals.len(), 3);
}

#[test]
fn a_stop_escalates_to_sigkill_again_and_again() {
    let mut test = TestMachine::new(|config| {
        config.stop.stopasgroup = true;
        config.stop.stopwaitsecs = 5;
    });
    test.give(MachineInput::Start).pass(2000).give(MachineInput::Stop);
    assert_eq!(test.signals, [(15, true)]);
    test.pass(5000);
    assert_eq!(test.signals, [(15, true), (9, false)]);
    test.pass(5000);
    assert_eq!(test.signals.len(), 3);
    test.give(MachineInput::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
    assert_eq!(test.state(), Stopped);
    assert_eq!(test.lines.last().unwrap(), "WARN stopped: p (terminated by SIGKILL)");
    test.pass(60_000);
    assert_eq!(test.state(), Stopped, "a stopped program stays stopped");
}

#[test]
fn a_stop_while_waiting_to_retry_needs_no_signal_and_resets_the_counter() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).give(MachineInput::Ended(CODE_0));
    test.take_events();
    test.give(MachineInput::Stop);
    assert_eq!(test.take_events(), ["BACKOFF>STOPPED pid:0"]);
    assert!(test.signals.is_empty());
    test.give(MachineInput::Start);
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0"]);
}

#[test]
fn shutdown_turns_waiting_programs_fatal_and_restarts_nothing() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).give(MachineInput::Ended(CODE_0));
    test.supervising = false;
    test.give(MachineInput::Shutdown);
    assert_eq!(test.state(), Fatal);

    let mut test = TestMachine::new(|config| config.restart.autorestart = AutoRestart::Always);
    test.give(MachineInput::Start).pass(2000);
    test.supervising = false;
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!(test.state(), Exited);
}

#[test]
fn a_refused_signal_makes_the_state_unknown_until_the_child_ends() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(2000).give(MachineInput::Stop).give(MachineInput::SignalRefused);
    assert_eq!(test.state(), Unknown);
    test.give(MachineInput::Start);
    assert_eq!(test.state(), Unknown);
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!((test.state(), test.machine.pid()), (Exited, 0));
}

#[test]
fn a_stop_during_the_spawn_waits_for_the_child() {
    let config = samples::process("p");
    let now = Now { mono: Duration::from_secs(100), wall: Duration::from_secs(1_000_000) };
    let at = MachineContext {
        now,
        died: now,
        config: &config,
        supervising: true,
        random: 0,
        dependencies_met: true,
        trouble: None,
        owes_probe: false,
        has_place: true,
    };
    let answers = [
        (MachineInput::Spawned(7), ProcessPhase::Stopping),
        (MachineInput::SpawnFailed("no".to_owned()), ProcessPhase::Stopped),
        (MachineInput::SpawnUnanswered("no".to_owned()), ProcessPhase::Stopped),
    ];
    for (answer, phase) in answers {
        let mut machine = Machine::default();
        machine.handle(MachineInput::Start, at);
        assert_eq!(machine.handle(MachineInput::Stop, at), []);
        let actions = machine.handle(answer, at);
        assert_eq!(machine.phase(), phase);
        let signalled = actions.iter().any(|action| matches!(action, MachineAction::Signal { signal: 15, .. }));
        assert_eq!(signalled, phase == ProcessPhase::Stopping);
    }
}

#[test]
fn a_recycled_process_is_wanted_up_until_a_stop() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(2000).give(MachineInput::Recycle);
    assert_eq!((test.state(), test.signals.len()), (Stopping, 1));
    assert!(test.machine.is_recycled());
    test.give(MachineInput::Start);
    assert_eq!(test.state(), Stopping);
    test.give(MachineInput::Stop);
    assert_eq!((test.state(), test.signals.len()), (Stopping, 1), "it has been signalled already");
    assert!(!test.machine.is_recycled());
}

#[test]
fn a_stop_during_the_wait_for_a_restart_leaves_it_exited() {
    for stop in [MachineInput::Stop, MachineInput::Shutdown] {
        let mut test = TestMachine::new(|config| {
            config.start.startsecs = 0;
            config.restart.autorestart = AutoRestart::Always;
        });
        test.give(MachineInput::Start).give(MachineInput::Ended(CODE_0)).give(MachineInput::Ended(CODE_0));
        assert_eq!((test.state(), test.machine.phase()), (Exited, ProcessPhase::WaitingToRestart));
        assert!(!test.machine.is_down());
        test.take_events();
        test.give(stop);
        assert_eq!((test.take_events().len(), test.machine.phase()), (0, ProcessPhase::Exited));
        assert!(test.machine.is_down());
        test.pass(60_000);
        assert_eq!(test.state(), Exited);
    }
}

#[test]
fn a_late_end_of_a_starting_program_passes_through_running() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start);
    test.take_events();
    // The end is noticed before the deadline is: the clock has passed it, but nobody looked.
    test.now.mono += Duration::from_secs(3);
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!(test.take_events(), ["STARTING>RUNNING pid:1001", "RUNNING>EXITED expected:1 pid:1001"]);
}

/// What may happen to a test from outside.
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
    /// What it depends on allows it to start, or no longer.
    Dependencies(bool),
    Ready,
    Room(bool),
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
        1 => any::<bool>().prop_map(Step::Dependencies),
        3 => Just(Step::Ready),
        1 => any::<bool>().prop_map(Step::Room),
    ]
}

#[test]
fn it_waits_for_its_dependencies_at_each_start() {
    let mut test = TestMachine::new(|config| config.restart.autorestart = AutoRestart::Always);
    test.dependencies_met = false;
    test.give(MachineInput::Start).pass(60_000);
    assert_eq!((test.machine.phase(), test.machine.pid()), (ProcessPhase::AwaitingDependencies, 0));
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0"]);
    test.dependencies_met = true;
    test.give(MachineInput::DependenciesMet).pass(1000);
    assert_eq!(test.take_events(), ["STARTING>RUNNING pid:1001"]);
    test.dependencies_met = false;
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!(test.take_events(), ["RUNNING>EXITED expected:1 pid:1001", "EXITED>STARTING tries:0"]);
    test.give(MachineInput::Stop);
    assert_eq!(test.take_events(), ["STARTING>STOPPED pid:0"]);
    assert_eq!((test.machine.phase(), test.signals.len()), (ProcessPhase::Stopped, 0));
}

#[test]
fn it_waits_for_its_turn_at_each_start_and_attempt() {
    let mut test = TestMachine::new(|_| {});
    test.has_place = false;
    test.give(MachineInput::Start).pass(60_000);
    assert_eq!((test.machine.phase(), test.machine.pid()), (ProcessPhase::AwaitingTurn, 0));
    assert!(test.machine.is_active() && test.machine.is_coming_up() && !test.machine.is_starting());
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0"]);
    test.has_place = true;
    test.give(MachineInput::Turn);
    assert!(test.machine.is_starting());
    test.has_place = false;
    test.give(MachineInput::Ended(CODE_0)).pass(1000);
    assert_eq!(test.take_events(), ["STARTING>BACKOFF tries:1", "BACKOFF>STARTING tries:1"]);
    assert_eq!((test.machine.phase(), test.machine.progress().attempts), (ProcessPhase::AwaitingTurn, 1));
    // What it depends on may have failed while it waited.
    (test.has_place, test.dependencies_met) = (true, false);
    test.give(MachineInput::Turn);
    assert_eq!(test.machine.phase(), ProcessPhase::AwaitingDependencies);
    (test.has_place, test.dependencies_met) = (false, true);
    test.give(MachineInput::DependenciesMet);
    assert_eq!(test.machine.phase(), ProcessPhase::AwaitingTurn);
    test.give(MachineInput::Stop);
    assert_eq!(test.take_events(), ["STARTING>STOPPED pid:0"]);
    assert_eq!(test.lines.last().unwrap(), "INFO stopped: p (while it waited for its turn to start)");
}

proptest! {
    #[test]
    fn the_machine_stays_consistent_for_any_inputs(
        steps in prop::collection::vec(step(), 1..60),
        startsecs in -1..3_i64,
        startretries in -1..4_i64,
        ready_timeout in prop::option::of(1..4_u64),
        autorestart in prop_oneof![Just(AutoRestart::Always), Just(AutoRestart::Never), Just(AutoRestart::Unexpected)],
        is_oneshot: bool,
    ) {
        let mut test = TestMachine::new(|config| {
            config.start.startsecs = startsecs;
            config.start.startretries = startretries;
            config.readiness.ready_when = ready_timeout.map(|_| ReadyWhen::Descriptor(3));
            config.readiness.ready_timeout = Duration::from_secs(ready_timeout.unwrap_or_default());
            config.restart.autorestart = autorestart;
            config.start.r#type = if is_oneshot { ProgramType::Oneshot } else { ProgramType::Simple };
        });
        for step in steps {
            let before = test.state();
            match step {
                Step::Start => { test.give(MachineInput::Start); }
                Step::Stop => { test.give(MachineInput::Stop); }
                Step::End(code) if test.machine.pid() != 0 => { test.give(MachineInput::Ended(ExitStatus::Code(code))); }
                Step::Kill(number) if test.machine.pid() != 0 => {
                    test.give(MachineInput::Ended(ExitStatus::Signal { number, core_dumped: false }));
                }
                Step::Pass(millis) => { test.pass(millis); }
                Step::SignalRefused => { test.give(MachineInput::SignalRefused); }
                Step::BreakSpawn(broken) => {
                    test.no_child = broken.then(|| MachineInput::SpawnFailed("broken".to_owned()));
                }
                Step::Doubt => test.no_child = Some(MachineInput::SpawnUnanswered("who knows".to_owned())),
                Step::Recycle => { test.give(MachineInput::Recycle); }
                Step::Shutdown => {
                    test.supervising = false;
                    test.give(MachineInput::Shutdown);
                    prop_assert_eq!(test.machine.wanted(), Wanted::Down);
                    prop_assert!(!test.machine.is_active());
                }
                Step::Dependencies(met) => {
                    test.dependencies_met = met;
                    if met {
                        test.give(MachineInput::DependenciesMet);
                    }
                }
                Step::Ready => { test.give(MachineInput::Ready); }
                Step::Room(is_there) => {
                    test.has_place = is_there;
                    if is_there {
                        test.give(MachineInput::Turn);
                    }
                }
                Step::End(_) | Step::Kill(_) => {}
            }
            let (state, pid) = (test.state(), test.machine.pid());
            let (waits, awaits_turn) = (test.machine.awaits_dependencies(), test.machine.awaits_turn());
            prop_assert!(!waits || !test.dependencies_met || !test.supervising, "it waits for nothing");
            prop_assert!(!awaits_turn || !test.has_place || !test.supervising, "it waits for nothing");
            let has_child = matches!(state, Starting | Running | Stopping) && !waits && !awaits_turn;
            prop_assert!(state == Unknown || has_child == (pid != 0), "{state} with pid {pid}");
            prop_assert!(test.machine.progress().attempts <= startretries.max(0) + 1);
            let (phase, timer) = (test.machine.phase(), test.machine.next_timer().map(|(timer, _)| timer));
            let may_time_out = phase == ProcessPhase::Settling && timer == Some(Timer::ReadyTimeout);
            prop_assert!(may_time_out || timer.is_none_or(|timer| phase.timer() == Some(timer)), "{timer:?} in {phase:?}");
            let timer_of_phase = phase.timer().filter(|timer| !matches!(timer, Timer::EndOfRun | Timer::SecondLife));
            prop_assert!(may_time_out || timer_of_phase == timer || !test.supervising, "{phase:?} without its timer");
            let last_start = test.machine.last_start();
            prop_assert_eq!(test.machine.never_started() || (waits || awaits_turn) && last_start == 0, last_start == 0);
            prop_assert!(!test.machine.is_active() || test.machine.wanted() == Wanted::Up, "{phase:?} is wanted");
            prop_assert!(!test.machine.is_active() || !test.machine.is_down());
            let mut previous = before;
            for event in test.take_events() {
                let (from, rest) = event.split_once('>').unwrap();
                prop_assert_eq!(from, previous.name());
                let to = rest.split(' ').next().unwrap();
                previous = ProcessState::ALL.into_iter().find(|state| state.name() == to).unwrap();
            }
            prop_assert_eq!(previous, state, "each change of state is one event");
        }
    }
}

/// Any stop sequence: its signals come in order, each after the time of the one before, and SIGKILL at the end.
mod stop_sequences {
    use supervisord_config::model::{StopAction, StopStep, StopSteps};

    use super::*;

    fn steps() -> impl Strategy<Value = Vec<(i32, u64)>> {
        prop::collection::vec((prop_oneof![Just(1), Just(2), Just(15)], 1..5_000_u64), 1..5)
    }

    fn draining() -> TestMachine {
        let sequence = StopSteps::parse("exec:/bin/drain:30s, exec:/bin/harder:5s, TERM:10s").unwrap();
        let mut machine = TestMachine::new(|config| config.stop.stop_sequence = Some(sequence));
        machine.give(MachineInput::Start).pass(5000).give(MachineInput::Stop);
        machine.take_events();
        machine
    }

    #[test]
    fn a_command_that_succeeds_leaves_the_program_its_time() {
        let mut machine = draining();
        machine.pass(7000).give(MachineInput::CommandEnded(ProgramCommand::StopStep, Ok(()))).pass(22_999);
        assert!(machine.take_events().is_empty());
        machine.pass(1);
        assert_eq!((machine.take_events(), machine.signals.len()), (vec!["stop command".to_owned()], 0));
        machine.give(MachineInput::CommandEnded(ProgramCommand::StopStep, Ok(()))).pass(5000);
        assert_eq!((machine.state(), machine.signals.as_slice()), (Stopping, &[(15, false)][..]));
        machine.give(MachineInput::CommandEnded(ProgramCommand::StopStep, Err("late".to_owned())));
        assert_eq!(machine.signals.len(), 1, "it is no step any more");
        machine.give(MachineInput::Ended(CODE_0));
        assert_eq!(machine.state(), Stopped);
    }

    #[test]
    fn a_command_that_fails_is_followed_by_the_next_step() {
        let mut machine = draining();
        let failed = || MachineInput::CommandEnded(ProgramCommand::StopStep, Err("exit status 3".to_owned()));
        machine.give(failed());
        assert_eq!(machine.take_events(), ["stop command"]);
        machine.give(failed());
        assert_eq!(machine.signals, [(15, false)]);
    }

    #[test]
    fn a_command_that_cannot_be_killed_does_not_hold_the_stop() {
        let mut machine = draining();
        machine.pass(34_999);
        assert!(machine.take_events().is_empty());
        machine.pass(1);
        assert_eq!(machine.take_events(), ["stop command"]);
    }

    proptest! {
        #[test]
        fn are_followed_to_the_end(steps in steps(), ends_with_kill: bool, obeyed in prop::option::of(0..5_usize)) {
            let mut written: Vec<StopStep> = steps
                .iter()
                .map(|(signal, wait)| StopStep { action: StopAction::Signal(*signal), wait: Duration::from_millis(*wait) })
                .collect();
            if ends_with_kill {
                written.push(StopStep { action: StopAction::Signal(9), wait: Duration::from_secs(7) });
            }
            let mut machine = TestMachine::new(|config| config.stop.stop_sequence = Some(StopSteps(written)));
            machine.give(MachineInput::Start).pass(5000);
            prop_assert_eq!(machine.state(), Running);
            machine.give(MachineInput::Stop);
            let mut sent = Vec::new();
            for (number, (signal, wait)) in steps.iter().enumerate() {
                sent.push((*signal, false));
                prop_assert_eq!(&machine.signals, &sent, "step {} is sent at once and no sooner", number);
                if obeyed == Some(number) {
                    machine.give(MachineInput::Ended(ExitStatus::Code(0))).pass(60_000);
                    prop_assert_eq!(machine.state(), Stopped);
                    prop_assert_eq!(&machine.signals, &sent, "nothing is sent to the dead");
                    return Ok(());
                }
                machine.pass(wait - 1);
                prop_assert_eq!(machine.signals.len(), sent.len());
                machine.pass(1);
            }
            sent.push((9, false));
            prop_assert_eq!(&machine.signals, &sent);
            prop_assert_eq!(machine.state(), Stopping);
            machine.pass(7_000);
            prop_assert!(machine.signals.len() > sent.len(), "SIGKILL is repeated");
            machine.give(MachineInput::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
            prop_assert_eq!(machine.state(), Stopped);
        }
    }
}

/// Whatever the daemon itself stops remains wanted, and has finished for good where nothing follows.
#[test]
fn what_the_daemon_stops_for_good_has_failed_and_is_still_wanted() {
    let stop = || StopDecision::rest(StopCause::DependencyFailure("db is FATAL".to_owned()));
    let running: fn(&mut TestMachine) = |test| _ = test.give(MachineInput::Start).pass(2000);
    let settling: fn(&mut TestMachine) = |test| _ = test.give(MachineInput::Start);
    let waiting: fn(&mut TestMachine) = |test| {
        test.dependencies_met = false;
        test.give(MachineInput::Start);
    };
    let backing_off: fn(&mut TestMachine) = |test| {
        test.give(MachineInput::Start).give(MachineInput::Ended(ExitStatus::Code(3)));
    };
    for (prepare, has_child, code) in
        [(running, true, 7), (settling, true, 7), (waiting, false, 1), (backing_off, false, 1)]
    {
        let mut test = TestMachine::new(|_| {});
        prepare(&mut test);
        test.give(MachineInput::Intervene(stop()));
        if has_child {
            assert_eq!((test.state(), test.machine.finish()), (Stopping, None));
            assert!(!test.machine.is_recycled() && !test.machine.is_failing() && !test.machine.comes_by_itself());
            test.give(MachineInput::Ended(ExitStatus::Code(7)));
        }
        assert_eq!((test.state(), test.machine.wanted()), (Stopped, Wanted::Up));
        let finish = test.machine.finish().unwrap();
        assert_eq!((finish.exit_code(), finish.is_failure()), (code, true), "{finish:?}");
        assert!(test.machine.is_down() && !test.machine.comes_by_itself());
        test.dependencies_met = true;
        test.give(MachineInput::Start);
        assert_eq!((test.machine.stop_decision(), test.machine.finish()), (None, None));
    }
}

#[test]
fn a_client_that_stops_what_the_daemon_stops_has_the_last_word() {
    let mut test = TestMachine::new(|_| {});
    test.give(MachineInput::Start).pass(2000);
    test.give(MachineInput::Intervene(StopDecision::rest(StopCause::Unhealthy("ill".to_owned()))));
    assert!(test.machine.can_be_stopped());
    test.give(MachineInput::Stop).give(MachineInput::Ended(CODE_0));
    assert_eq!((test.state(), test.machine.finish()), (Stopped, None));
    let end = test.machine.last_end().unwrap();
    assert_eq!(end.stop_decision.as_deref(), Some(&StopDecision::rest(StopCause::Request)));
}

#[test]
fn time_that_is_up_is_a_failure_where_nothing_follows() {
    for (autorestart, is_failure) in [(AutoRestart::Never, true), (AutoRestart::Always, false)] {
        let mut test = TestMachine::new(|config| {
            config.restart.max_runtime = Some(Duration::from_secs(4));
            config.restart.autorestart = autorestart;
        });
        test.give(MachineInput::Start).pass(4000);
        assert_eq!((test.state(), test.machine.is_recycled()), (Stopping, !is_failure));
        test.give(MachineInput::Ended(CODE_0));
        assert_eq!(test.machine.finish().is_some_and(|finish| finish.is_failure()), is_failure);
        let cause = &test.machine.last_end().unwrap().stop_decision.as_ref().unwrap().cause;
        assert_eq!(*cause, StopCause::MaxRuntime(Duration::from_secs(4)));
    }
}

/// A dependent must not believe that it waits in vain for what is about to come.
#[test]
fn what_is_replaced_comes_by_itself() {
    for (then, comes) in [(AfterStop::Replace, true), (AfterStop::Rest, false)] {
        let mut test = TestMachine::new(|_| {});
        test.give(MachineInput::Start).pass(2000).give(MachineInput::Retire(then));
        assert_eq!((test.state(), test.machine.comes_by_itself()), (Stopping, comes));
        test.give(MachineInput::Ended(CODE_0));
        assert_eq!((test.state(), test.machine.comes_by_itself()), (Stopped, comes));
        assert_eq!((test.machine.finish(), test.machine.wanted()), (None, Wanted::Down));
    }
}
