//! Restarts that are delayed and limited, on virtual time.

use supervisord_config::model::{Backoff, RecycleAfter, Restart, RestartLimit};

use super::*;

/// A program that is restarted after 10, 20, 40... seconds, and never given up.
fn patient(config: &mut Process) {
    config.start.startretries = 0;
    config.restart.restart_delay = Some(Duration::from_secs(10));
    config.restart.restart_backoff = Some(Backoff::Exponential);
    config.restart.restart_limit = Some(RestartLimit::Unlimited);
}

const CRASH: ExitStatus = ExitStatus::Code(1);

#[test]
fn failed_starts_and_crashes_are_delayed_alike() {
    let mut test = TestMachine::new(patient);
    test.give(MachineInput::Start).give(MachineInput::Ended(CRASH));
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0", "STARTING>BACKOFF tries:1"]);
    assert_eq!(test.lines.last().unwrap(), "INFO delayed: p is started again in 10s after a failure");
    assert_eq!(test.machine.next_start(), Some(test.now.mono + Duration::from_secs(10)));
    test.pass(9999);
    assert_eq!(test.state(), Backoff);
    test.pass(1 + 5000);
    assert_eq!(test.take_events(), ["BACKOFF>STARTING tries:1", "STARTING>RUNNING pid:1002"]);
    test.give(MachineInput::Ended(CRASH));
    assert_eq!(test.take_events(), ["RUNNING>EXITED expected:0 pid:1002"]);
    assert_eq!(test.lines.last().unwrap(), "INFO delayed: p is started again in 20s after 2 failures in a row");
    assert!(test.machine.is_active());
    test.pass(19_999);
    assert_eq!((test.state(), test.machine.restarts()), (Exited, 1));
    test.pass(1);
    assert_eq!(test.take_events(), ["EXITED>STARTING tries:0"]);
    assert_eq!((test.machine.next_start(), test.machine.restarts()), (None, 2));
}

#[test]
fn a_request_ends_the_delay_and_begins_a_new_row() {
    for stop in [MachineInput::Stop, MachineInput::Shutdown] {
        let mut test = TestMachine::new(patient);
        test.give(MachineInput::Start).pass(5000).give(MachineInput::Ended(CRASH));
        test.give(stop);
        assert_eq!((test.state(), test.machine.next_start()), (Exited, None));
        assert!(test.machine.is_down());
        test.pass(3_600_000);
        assert_eq!(test.state(), Exited);
    }
    let mut test = TestMachine::new(patient);
    test.give(MachineInput::Start).pass(5000).give(MachineInput::Ended(CRASH)).pass(10_000);
    test.pass(5000).give(MachineInput::Ended(CRASH));
    test.give(MachineInput::Start);
    assert_eq!((test.state(), test.machine.restarts()), (Starting, 0));
    test.pass(5000).give(MachineInput::Ended(CRASH));
    assert_eq!(test.lines.last().unwrap(), "INFO delayed: p is started again in 10s after a failure");
}

#[test]
fn one_restart_more_than_the_limit_is_fatal_and_has_a_second_life() {
    let mut test = TestMachine::new(|config| {
        config.restart.restart_limit = Some(RestartLimit::Within { restarts: 2, window: Duration::from_secs(60) });
        config.restart.fatal_retry = Some(Duration::from_secs(300));
    });
    test.give(MachineInput::Start).pass(5000);
    for _ in 0..2 {
        test.give(MachineInput::Ended(CRASH)).pass(5000);
    }
    test.take_events();
    test.give(MachineInput::Ended(CRASH));
    assert_eq!(test.take_events(), ["RUNNING>EXITED expected:0 pid:1003", "EXITED>FATAL"]);
    let lines = &test.lines[test.lines.len() - 2..];
    assert_eq!(
        lines,
        [
            "INFO gave up: p entered FATAL state, it was restarted 2 times within 1min (restart_limit)",
            "INFO delayed: p is started again in 5min after 3 failures in a row"
        ]
    );
    assert_eq!(test.machine.spawn_error(), "Bad exit code 1");
    assert!(!test.machine.is_down() && test.machine.obstacle_to_start().is_none());
    test.pass(299_999);
    assert_eq!(test.state(), Fatal);
    test.pass(1 + 5000);
    assert_eq!(test.take_events(), ["FATAL>STARTING tries:0", "STARTING>RUNNING pid:1004"]);
    for _ in 0..2 {
        test.give(MachineInput::Ended(CRASH)).pass(5000);
        assert_eq!(test.state(), Running, "the second life has as many restarts");
    }
    test.give(MachineInput::Ended(CRASH)).give(MachineInput::Stop);
    assert_eq!((test.state(), test.machine.next_timer()), (Fatal, None));
    assert!(test.machine.is_down());
    test.pass(3_600_000);
    assert_eq!((test.state(), test.machine.restarts()), (Fatal, 5));
}

#[test]
fn a_spawn_without_an_answer_counts_as_no_restart() {
    let mut test = TestMachine::new(|config| {
        config.restart.restart_limit = Some(RestartLimit::Within { restarts: 1, window: Duration::from_secs(600) });
    });
    test.no_child = Some(MachineInput::SpawnUnanswered("who knows".to_owned()));
    test.give(MachineInput::Start).pass(60_000);
    test.no_child = None;
    test.pass(10_000);
    assert_eq!((test.state(), test.machine.restarts()), (Running, 0));
    test.give(MachineInput::Ended(CRASH)).pass(5000);
    assert_eq!((test.state(), test.machine.restarts()), (Running, 1));
    test.give(MachineInput::Ended(CRASH));
    assert_eq!(test.state(), Fatal);
}

#[test]
fn a_program_that_has_run_for_long_enough_is_stopped_and_started_again() {
    let mut test = TestMachine::new(|config| config.restart.max_runtime = Some(Duration::from_secs(60)));
    test.give(MachineInput::Start).pass(59_999);
    assert_eq!(test.state(), Running);
    test.pass(1);
    assert_eq!((test.state(), test.signals.len()), (Stopping, 1));
    assert!(test.lines.contains(&"INFO time is up: p has run for 1min, and is stopped".to_owned()), "{:?}", test.lines);
    assert!(test.machine.is_recycled());
    test.give(MachineInput::Ended(ExitStatus::Signal { number: 15, core_dumped: false }));
    // The driver starts what is recycled.
    test.give(MachineInput::Start);
    assert_eq!((test.state(), test.machine.restarts()), (Starting, 1));

    let mut test = TestMachine::new(|config| {
        config.restart.max_runtime = Some(Duration::from_secs(60));
        config.restart.autorestart = AutoRestart::Never;
    });
    test.give(MachineInput::Start).pass(60_000);
    assert_eq!(test.state(), Stopping);
    assert!(!test.machine.is_recycled());
}

/// Options that space and limit restarts.
fn pacing() -> impl Strategy<Value = Restart> {
    let limit = prop_oneof![
        Just(None),
        Just(Some(RestartLimit::Unlimited)),
        (1..4_u32, 1..40_u64).prop_map(|(restarts, seconds)| {
            Some(RestartLimit::Within { restarts, window: Duration::from_secs(seconds) })
        }),
    ];
    let backoff = prop_oneof![
        Just(None),
        Just(Some(Backoff::Fixed)),
        Just(Some(Backoff::Linear)),
        Just(Some(Backoff::Exponential))
    ];
    let millis = |most: u64| prop::option::of((0..most).prop_map(Duration::from_millis));
    let seconds = |most: u64| prop::option::of((1..most).prop_map(Duration::from_secs));
    let when = prop_oneof![Just(AutoRestart::Always), Just(AutoRestart::Never), Just(AutoRestart::Unexpected)];
    (when, millis(5000), backoff, seconds(20), prop::option::of(0.0..=1.0), limit, seconds(30), seconds(20)).prop_map(
        |(autorestart, delay, backoff, max_delay, jitter, limit, fatal_retry, max_runtime)| Restart {
            autorestart,
            exitcodes: vec![0],
            restart_delay: delay,
            restart_backoff: backoff,
            restart_max_delay: max_delay,
            restart_jitter: jitter,
            restart_limit: limit,
            fatal_retry,
            max_runtime,
            ..Restart::default()
        },
    )
}

#[test]
fn a_program_is_recycled_when_it_is_its_turn_and_may_wait_only_so_long() {
    let mut test = TestMachine::new(|config| {
        config.restart.autorestart = AutoRestart::Never;
        let (after, spread) = (Duration::from_secs(60), Duration::from_secs(10));
        config.restart.recycle_after = Some(RecycleAfter { after, spread });
        config.restart.max_runtime = Some(Duration::from_secs(90));
    });
    test.give(MachineInput::Start).pass(1000);
    let until = test.machine.runs_until().unwrap().as_secs_f64() - 100.0;
    assert!((50.0..=70.0).contains(&until) && until != 60.0, "{until}");
    test.give(MachineInput::Turn);
    assert_eq!((test.state(), test.machine.recycling()), (Running, Recycling::No), "it is not due");
    test.pass(70_000);
    assert_eq!((test.state(), test.machine.recycling()), (Running, Recycling::Due), "it waits for its turn");
    let mut other = test.machine.clone();
    test.give(MachineInput::Turn);
    assert_eq!((test.state(), test.machine.recycling()), (Stopping, Recycling::UnderWay));
    assert!(test.lines.last().unwrap().starts_with("DEBG killing p"), "{:?}", test.lines);
    assert!(test.lines.iter().any(|line| line.starts_with("INFO recycling: p has run for ")), "{:?}", test.lines);
    assert!(test.machine.is_recycled());
    test.give(MachineInput::Ended(CRASH)).give(MachineInput::Start);
    assert_eq!((test.state(), test.machine.recycling()), (Starting, Recycling::UnderWay));
    test.pass(1000);
    assert_eq!((test.state(), test.machine.recycling(), test.machine.restarts()), (Running, Recycling::No, 1));
    std::mem::swap(&mut test.machine, &mut other);
    test.pass(90_000);
    assert_eq!((test.state(), test.machine.recycling()), (Stopping, Recycling::No), "max_runtime does not wait");
    assert!(!test.machine.is_recycled());
}

#[test]
fn whoever_stops_a_program_that_is_recycled_ends_that() {
    let vary = |config: &mut Process| {
        config.restart.recycle_after = Some(RecycleAfter { after: Duration::from_secs(60), spread: Duration::ZERO });
        config.start.startretries = 0;
    };
    for (input, phase) in
        [(MachineInput::Stop, ProcessPhase::Stopping), (MachineInput::SignalRefused, ProcessPhase::Unreachable)]
    {
        let mut test = TestMachine::new(vary);
        test.give(MachineInput::Start).pass(60_000).give(MachineInput::Turn).give(input);
        assert_eq!((test.machine.phase(), test.machine.recycling()), (phase, Recycling::No));
    }
    let mut test = TestMachine::new(vary);
    test.give(MachineInput::Start).pass(60_000).give(MachineInput::Turn).give(MachineInput::Ended(CRASH));
    test.no_child = Some(MachineInput::SpawnFailed("broken".to_owned()));
    test.give(MachineInput::Start);
    assert_eq!((test.state(), test.machine.recycling()), (Fatal, Recycling::No));
}

proptest! {
    /// Whatever happens: no restart comes before its delay, none is one too many, the jitter stays within its part, and a stop
    /// ends all waiting.
    #[test]
    fn restarts_keep_to_the_policy(
        restart in pacing(),
        startsecs in 0..2_i64,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut test = TestMachine::new(|config| {
            config.start.startsecs = startsecs;
            *config.restart = restart.clone();
        });
        let shortest = match (restart.restart_delay, restart.restart_backoff) {
            (None, None) => Duration::ZERO,
            (delay, _) => delay.unwrap_or(Duration::from_secs(1)).min(restart.restart_max_delay.unwrap_or(Duration::MAX)),
        };
        let longest = shortest.max(restart.restart_max_delay.unwrap_or(Duration::from_secs(300)));
        let (jitter, mut restarts, mut life) = (restart.restart_jitter.unwrap_or(0.0), Vec::new(), Vec::new());
        for step in steps {
            let before = test.now.mono;
            let due = test.machine.next_start();
            let was = (test.machine.phase(), test.machine.restarts());
            let no_answer = matches!(test.no_child, Some(MachineInput::SpawnUnanswered(_)));
            let (is_up, ends) = (test.machine.is_up(), test.machine.pid() != 0);
            match step {
                Step::Start => { test.give(MachineInput::Start); }
                Step::Stop | Step::SignalRefused => { test.give(MachineInput::Stop); }
                Step::End(code) if ends => { test.give(MachineInput::Ended(ExitStatus::Code(code))); }
                Step::Kill(number) if ends => {
                    test.give(MachineInput::Ended(ExitStatus::Signal { number, core_dumped: false }));
                }
                Step::Pass(millis) => {
                    // One timer at a time, so that each restart is seen.
                    let until_due = test.machine.next_timer().map(|(_, at)| at.saturating_sub(before));
                    let millis = until_due.map_or(millis, |wait| millis.min(wait.as_millis() as u64 + 1));
                    test.pass(millis);
                }
                Step::BreakSpawn(broken) => {
                    test.no_child = broken.then(|| MachineInput::SpawnFailed("broken".to_owned()));
                }
                Step::Doubt => test.no_child = Some(MachineInput::SpawnUnanswered("who knows".to_owned())),
                Step::Recycle => { test.give(MachineInput::Recycle); }
                Step::End(_) | Step::Kill(_) | Step::Shutdown | Step::Dependencies(_) | Step::Room(_) | Step::Ready => {}
            }
            let now = test.now.mono;
            let (phase, number) = (test.machine.phase(), test.machine.restarts());
            // A start by request, also of what is recycled, and a second life begin to count anew.
            let has_left = |left: ProcessPhase| was.0 == left && phase != left;
            if has_left(ProcessPhase::GivenUp) || has_left(ProcessPhase::Stopped) || number < was.1 {
                life.clear();
            }
            let restarted = number > was.1 && was.0 != ProcessPhase::GivenUp && was.0 != ProcessPhase::Stopping && was.0 != ProcessPhase::Stopped;
            if restarted {
                if let Some(due) = due {
                    prop_assert!(now >= due, "restarted before it was due");
                }
                restarts.push(now);
                life.push(now);
                if let Some(RestartLimit::Within { restarts: most, window }) = restart.restart_limit {
                    let within = life.iter().filter(|time| **time + window > now).count();
                    prop_assert!(within <= most as usize, "{within} restarts within {window:?}");
                }
            }
            // What waits since this step waits for at least the delay, and at most for the longest with its jitter.
            let waits = matches!(phase, ProcessPhase::WaitingToRestart | ProcessPhase::BackingOff) && (was.0 != phase || due.is_none());
            if waits && !no_answer && restart.restart_delay.is_none_or(|delay| !delay.is_zero()) {
                let wait = test.machine.next_start().unwrap().saturating_sub(now);
                let slack = Duration::from_millis(2);
                prop_assert!(wait + slack >= shortest, "{wait:?} is shorter than {shortest:?}");
                if !shortest.is_zero() {
                    let most = longest.mul_f64(1.0 + jitter);
                    prop_assert!(wait <= most + slack, "{wait:?} is longer than {most:?}");
                }
            }
            if is_up && phase == ProcessPhase::Up && let Some(runtime) = restart.max_runtime {
                let ran = now.saturating_sub(test.machine.progress().started);
                prop_assert!(ran <= runtime, "it runs for {ran:?}");
            }
            if test.machine.wanted() == Wanted::Down {
                prop_assert_eq!(test.machine.next_start(), None);
            }
        }
    }
}
