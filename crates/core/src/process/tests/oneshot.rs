use super::*;
use supervisord_config::model::ProgramType;

/// A program that does its work and ends.
fn test(vary: impl FnOnce(&mut Process)) -> TestMachine {
    TestMachine::new(|config| {
        config.start.r#type = ProgramType::Oneshot;
        vary(config);
    })
}

const CODE_3: ExitStatus = ExitStatus::Code(3);

#[test]
fn an_expected_end_is_a_success_however_quick() {
    for millis in [0, 500, 5000, 1_000_000] {
        let mut test = test(|_| {});
        test.give(MachineInput::Start).pass(millis);
        assert_eq!((test.state(), test.machine.is_coming_up()), (Starting, true), "it is not RUNNING meanwhile");
        test.give(MachineInput::Ended(CODE_0));
        assert_eq!((test.state(), test.machine.has_completed(), test.machine.failure()), (Exited, true, None));
        let last = ["STARTING>RUNNING pid:1001", "RUNNING>EXITED expected:1 pid:1001"];
        assert_eq!(test.take_events()[1..], last, "listeners see what they know");
        assert_eq!(test.lines[1..], ["INFO exited: p (exit status 0; expected)"]);
        let finish = Finish::Exited { status: Some(0), signal: None, expected: true };
        assert_eq!((test.machine.finish(), test.machine.next_timer()), (Some(finish), None));
        test.give(MachineInput::Start);
        assert_eq!((test.state(), test.machine.pid()), (Starting, 1002), "it can be done again");
    }
}

#[test]
fn an_unexpected_end_is_a_failed_start_however_late() {
    let mut test = test(|config| config.start.startretries = 2);
    test.give(MachineInput::Start);
    for (attempt, millis) in [(1, 0), (2, 1000), (3, 50_000)] {
        test.pass(millis).give(MachineInput::Ended(CODE_3));
        assert_eq!(test.machine.spawn_error(), "Bad exit code 3");
        assert_eq!(test.state(), if attempt < 3 { Backoff } else { Fatal });
        test.pass(attempt * 1000);
    }
    assert_eq!(test.machine.last_end().unwrap().judgement, EndJudgement::Unexpected);
    assert!(!test.take_events().iter().any(|event| event.contains("RUNNING")));
}

#[test]
fn without_autorestart_it_is_not_tried_again() {
    let mut test = test(|config| config.restart.autorestart = AutoRestart::Never);
    test.give(MachineInput::Start).pass(100).give(MachineInput::Ended(CODE_3)).pass(1_000_000);
    assert_eq!((test.state(), test.machine.spawn_error()), (Exited, "Bad exit code 3".to_owned()));
    assert!(!test.machine.has_completed() && test.machine.finish().is_some_and(|finish| finish.is_failure()));
    assert_eq!(test.take_events(), ["STOPPED>STARTING tries:0", "STARTING>EXITED expected:0 pid:1001"]);
}

#[test]
fn it_is_stopped_when_it_takes_longer_than_it_may() {
    let slow = |autorestart| {
        let mut test = test(|config| {
            config.restart.max_runtime = Some(Duration::from_secs(60));
            config.restart.autorestart = autorestart;
        });
        test.give(MachineInput::Start).pass(59_999);
        assert_eq!((test.state(), test.machine.runs_until()), (Starting, Some(Duration::from_secs(160))));
        test.pass(1);
        assert_eq!((test.state(), test.machine.is_failing()), (Stopping, true));
        test.give(MachineInput::Ended(ExitStatus::Signal { number: 15, core_dumped: false }));
        assert_eq!(test.machine.spawn_error(), "Not finished within 1min (max_runtime)");
        test
    };
    assert_eq!(slow(AutoRestart::Unexpected).state(), Backoff);
    assert_eq!(slow(AutoRestart::Never).state(), Exited);
}

#[test]
fn it_can_be_stopped_while_it_works() {
    let mut test = test(|_| {});
    test.give(MachineInput::Start).pass(5000).give(MachineInput::Stop);
    assert_eq!((test.state(), test.signals.len()), (Stopping, 1));
    test.give(MachineInput::Ended(CODE_0));
    assert_eq!((test.state(), test.machine.has_completed()), (Stopped, false));
}

#[test]
fn it_takes_a_place_among_those_that_start_for_startsecs_only() {
    let mut test = test(|_| {});
    test.give(MachineInput::Start);
    assert!(test.machine.is_starting());
    test.pass(1000);
    assert!(!test.machine.is_starting() && test.machine.is_alive() && test.machine.takes_signals());
}
