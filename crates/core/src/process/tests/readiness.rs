use super::*;
use crate::process::starting::MOST_EXTENDED;

/// A program that writes to a descriptor when it is ready.
fn test(startsecs: i64) -> TestMachine {
    TestMachine::new(|config| {
        config.readiness.ready_when = Some(ReadyWhen::Descriptor(3));
        config.start.startsecs = startsecs;
    })
}

#[test]
fn a_program_is_running_when_it_is_ready() {
    let mut test = test(0);
    test.give(MachineInput::Start).pass(30_000);
    assert_eq!((test.state(), test.machine.phase()), (Starting, ProcessPhase::GettingReady));
    assert_eq!(test.machine.ready_by(), Some(Duration::from_secs(190)));
    test.give(MachineInput::Ready);
    assert_eq!((test.state(), test.machine.next_timer()), (Running, None));
    test.give(MachineInput::Ready).pass(1_000_000);
    assert_eq!(test.events, ["STOPPED>STARTING tries:0", "STARTING>RUNNING pid:1001"]);
    assert_eq!(
        test.lines,
        ["INFO spawned: 'p' with pid 1001", "INFO success: p entered RUNNING state, it was ready after 30s (fd:3)"]
    );
}

#[test]
fn startsecs_must_have_passed_as_well_where_they_are_written() {
    let mut early = test(5);
    early.give(MachineInput::Start).pass(1000).give(MachineInput::Ready).pass(3999);
    assert_eq!((early.state(), early.machine.ready_by()), (Starting, None));
    early.pass(1);
    assert_eq!(early.state(), Running);

    let mut late = test(5);
    late.give(MachineInput::Start).pass(5000);
    assert_eq!(late.machine.phase(), ProcessPhase::GettingReady);
    late.give(MachineInput::Ready);
    assert_eq!(late.state(), Running);
}

#[test]
fn an_exit_before_it_is_ready_is_a_failed_start() {
    let mut test = test(0);
    for tries in 1..=4 {
        test.give(if tries == 1 { MachineInput::Start } else { MachineInput::Due(Timer::Retry) });
        test.pass(500).give(MachineInput::Ended(CODE_0));
        assert_eq!(test.machine.spawn_error(), "Exited before it was ready (process log may have details)");
    }
    assert_eq!(test.state(), Fatal);
    assert_eq!(test.lines[1], "WARN exited: p (exit status 0; not expected)");
}

#[test]
fn an_exit_within_startsecs_is_too_quick_even_when_it_was_ready() {
    let mut test = test(5);
    test.give(MachineInput::Start).give(MachineInput::Ready).pass(4000).give(MachineInput::Ended(CODE_0));
    assert_eq!((test.state(), test.machine.failure()), (Backoff, Some(&ProcessFailure::TooQuick)));
}

#[test]
fn a_program_that_is_not_ready_in_time_is_stopped_and_tried_again() {
    let mut test = test(0);
    test.give(MachineInput::Start).pass(90_000);
    assert_eq!((test.state(), test.machine.is_failing(), test.machine.is_recycled()), (Stopping, true, false));
    assert!(test.machine.comes_by_itself() && test.machine.can_be_stopped());
    assert_eq!(test.signals, [(15, false)]);
    test.pass(10_000);
    assert_eq!(test.signals, [(15, false), (9, false)], "by its stop plan");
    test.give(MachineInput::Ended(ExitStatus::Signal { number: 9, core_dumped: false }));
    assert_eq!((test.state(), test.machine.spawn_error()), (Backoff, "Not ready within 90s (fd:3)".to_owned()));
    test.pass(1000);
    assert_eq!((test.state(), test.machine.ready_by()), (Starting, Some(test.now.mono + Duration::from_secs(90))));
    assert!(test.lines.contains(&"WARN stopping p: Not ready within 90s (fd:3)".to_owned()), "{:?}", test.lines);
    for _ in 0..3 {
        test.pass(90_000).give(MachineInput::Ended(CODE_0)).pass(3000);
    }
    assert_eq!((test.state(), test.machine.finish()), (Fatal, Some(Finish::GivenUp)));
}

#[test]
fn a_program_may_have_to_be_ready_before_startsecs_have_passed() {
    let mut test = test(100);
    test.give(MachineInput::Start).pass(90_000);
    assert_eq!((test.state(), test.machine.is_failing()), (Stopping, true));
}

/// A program could otherwise prevent its stop, and the end of the daemon.
#[test]
fn a_program_that_asks_for_ever_more_time_gets_an_hour() {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    let mut test = test(0);
    test.give(MachineInput::Start).pass(10_000).give(MachineInput::Extend(WEEK));
    assert_eq!(test.machine.ready_by().map(|by| by - test.machine.progress().started), Some(MOST_EXTENDED));
    test.give(MachineInput::Ready).give(MachineInput::Stop);
    let stopped = test.now.mono;
    for _ in 0..5 {
        test.give(MachineInput::Extend(WEEK)).pass(300_000);
        assert_eq!(test.machine.next_stop_step().map(|next| next - stopped), Some(MOST_EXTENDED));
    }
    test.give(MachineInput::Extend(Duration::from_secs(1)));
    assert_eq!(test.machine.next_stop_step().map(|next| next - stopped), Some(MOST_EXTENDED), "never shortened");
}

#[test]
fn a_stop_ends_the_wait_and_a_failure() {
    let mut waiting = test(0);
    waiting.give(MachineInput::Start).pass(10).give(MachineInput::Stop);
    assert_eq!((waiting.state(), waiting.machine.ready_by()), (Stopping, None));
    waiting.give(MachineInput::Ready).give(MachineInput::Ended(CODE_0));
    assert_eq!((waiting.state(), waiting.machine.has_failed()), (Stopped, false));

    let mut failing = test(0);
    failing.give(MachineInput::Start).pass(90_000).give(MachineInput::Stop);
    assert!(!failing.machine.is_failing() && !failing.machine.comes_by_itself());
    failing.give(MachineInput::Ended(CODE_0));
    assert_eq!((failing.state(), failing.machine.has_failed()), (Stopped, false));
}

#[test]
fn a_new_child_has_to_say_again_that_it_is_ready() {
    let mut test = test(0);
    test.give(MachineInput::Start).give(MachineInput::Ready).give(MachineInput::Ended(ExitStatus::Code(1)));
    assert_eq!((test.state(), test.machine.phase()), (Starting, ProcessPhase::GettingReady));
}

#[test]
fn nothing_is_tried_again_during_a_shutdown() {
    let mut test = test(0);
    test.give(MachineInput::Start).pass(90_000);
    test.supervising = false;
    test.give(MachineInput::Ended(CODE_0)).give(MachineInput::Shutdown).pass(100_000);
    assert_eq!((test.state(), test.machine.is_active()), (Fatal, false));
}

#[test]
fn more_time_counts_in_a_last_chance_too() {
    let late = || {
        let mut test = test(0);
        test.give(MachineInput::Start);
        // Nobody looks at the deadline, which is 90 seconds after the start.
        test.now.mono += Duration::from_secs(95);
        test.give(MachineInput::Due(Timer::ReadyTimeout));
        assert!(test.machine.has_last_chance());
        test
    };
    let mut asks = late();
    asks.give(MachineInput::Extend(Duration::from_secs(20)));
    assert_eq!((asks.machine.has_last_chance(), asks.machine.ready_by()), (false, Some(Duration::from_secs(215))));
    asks.pass(20_000);
    assert!(asks.lines.contains(&"WARN stopping p: Not ready within 115s (fd:3)".to_owned()), "{:?}", asks.lines);

    let mut asks_for_nothing = late();
    asks_for_nothing.give(MachineInput::Extend(Duration::ZERO)).pass(1000);
    let lines = &asks_for_nothing.lines;
    assert!(lines.contains(&"WARN stopping p: Not ready within 90s (fd:3)".to_owned()), "{lines:?}");
}
