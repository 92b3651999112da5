use supervisord_config::samples;
use supervisord_core::health::{HealthProgress, HealthResult, Heartbeat};
use supervisord_core::process::{EndJudgement, EndTraces, ExitStatus, LastEnd, Machine};

use supervisord_core::last_request::{LastRequest, RequestedAction};

use supervisord_core::process::Timers;

use super::*;

fn last_end() -> LastEnd {
    LastEnd {
        at: 7,
        status: ExitStatus::Code(3),
        judgement: EndJudgement::Unexpected,
        lived: Duration::from_millis(1500),
        stop_decision: None,
        traces: EndTraces::default(),
    }
}

fn known_health() -> HealthProgress {
    HealthProgress {
        since: Duration::from_nanos(11),
        has_succeeded: true,
        failures: 2,
        last: Some(HealthResult { at: 12, failure: Some("HTTP status 503".to_owned()) }),
        next_check: Some(Duration::from_nanos(13)),
        under_way: Some(14),
        heartbeat: Heartbeat {
            due: Some(Duration::from_nanos(15)),
            has_come: true,
            is_missing: true,
            interval: Some(Duration::from_nanos(16)),
            is_put_off: false,
        },
        ..HealthProgress::default()
    }
}

/// A process in each phase comes back in it, with what is wanted of it and what is due.
#[test]
fn how_far_a_process_has_got_is_read_back() {
    let last_request = LastRequest { action: RequestedAction::Signal(10), by: "somebody".to_owned(), at: 5 };
    let in_turn = Arc::new(StopDecision::restart(StopCause::DependencyFailure("db is unhealthy".to_owned())));
    for phase in ProcessPhase::ALL {
        for wanted in [process::Wanted::Up, process::Wanted::Down] {
            let mut timers = Timers::default();
            phase.timer().into_iter().for_each(|timer| timers.set(timer, Duration::from_nanos(77)));
            if phase == ProcessPhase::Settling {
                timers.set(Timer::ReadyTimeout, Duration::from_nanos(88));
            }
            let has_child = matches!(
                phase,
                ProcessPhase::Settling
                    | ProcessPhase::GettingReady
                    | ProcessPhase::RunningToEnd
                    | ProcessPhase::Up
                    | ProcessPhase::PreStop
                    | ProcessPhase::Stopping
                    | ProcessPhase::Unreachable
            );
            let progress = Progress {
                phase,
                wanted,
                timers,
                pid: if has_child { 7 } else { 0 },
                started: Duration::from_nanos(if phase == ProcessPhase::Spawning { 0 } else { 5 }),
                attempts: 3,
                quick_ends: 2,
                restarts: process::Restarts {
                    number: 4,
                    failures: 3,
                    anew: true,
                    times: vec![Duration::from_nanos(55), Duration::from_nanos(66)],
                },
                recycling: process::Recycling::UnderWay,
                stop_step: 1,
                environment_step: 1,
                ready: true,
                last_chance: None,
                service_status: Some(Box::new(process::ServiceStatus {
                    text: "serving".to_owned(),
                    is_reloading: true,
                    is_stopping: true,
                })),
                stop_decision: Some(Arc::new(StopDecision::rest(StopCause::Unhealthy("it is ill".to_owned())))),
                last_start: i64::from(phase != ProcessPhase::NeverStarted),
                last_stop: 9,
                health: (phase == ProcessPhase::Up).then(|| Box::new(known_health())),
                failure: Some(ProcessFailure::BadExit(3)),
                exit_status: Some(3),
                exit_signal: Some(4),
                last_end: Some(Arc::new(LastEnd { at: 8, ..last_end() })),
                since: 6,
            };
            let member = MemberSnapshot {
                name: "p".to_owned(),
                machine: Machine::from(progress.clone()),
                stdout_log: None,
                stderr_log: None,
                last_request: Some(Arc::new(last_request.clone())),
                counts: None,
                stops_in_turn: Some(in_turn.clone()),
                is_renewed: true,
                rolling: Some(supervisor::RollingTurn {
                    rollout: 1,
                    parallel: 2,
                    place: 3,
                    is_under_way: true,
                    has_failed: true,
                }),
                commands: Vec::new(),
                listener: None,
            };
            let text = serde_json::to_string(&ProcessRecord::new("g", &member, &Runs::default(), 0)).unwrap();
            let read: ProcessRecord = serde_json::from_str(&text).unwrap();
            let read = read.member(&samples::process("p"), None);
            assert_eq!(*read.machine.progress(), progress, "{text}");
            assert_eq!(read.last_request.as_deref(), Some(&last_request), "{text}");
            assert_eq!(read.stops_in_turn.as_ref(), Some(&in_turn), "{text}");
        }
    }
}

/// The codes of the states do not tell all phases, which other fields do.
#[test]
fn the_phase_is_told_by_the_state_that_clients_know() {
    let of = |state: ProcessState, pid, start, deadline| {
        let process = ProcessRecord { state: state.code(), pid, start, deadline, ..ProcessRecord::default() };
        let machine = Machine::from(process.progress());
        (machine.phase(), machine.wanted(), machine.next_timer().map(|(timer, _)| timer))
    };
    let (up, down, at) = (process::Wanted::Up, process::Wanted::Down, Some(5));
    assert_eq!(of(ProcessState::Stopped, 0, 0, None), (ProcessPhase::NeverStarted, down, None));
    assert_eq!(of(ProcessState::Stopped, 0, 9, None), (ProcessPhase::Stopped, down, None));
    assert_eq!(of(ProcessState::Starting, 0, 9, None), (ProcessPhase::Spawning, up, None));
    assert_eq!(of(ProcessState::Starting, 7, 9, at), (ProcessPhase::Settling, up, Some(Timer::Settled)));
    assert_eq!(of(ProcessState::Running, 7, 9, None), (ProcessPhase::Up, up, None));
    assert_eq!(of(ProcessState::Stopping, 7, 9, at), (ProcessPhase::Stopping, down, Some(Timer::NextStopStep)));
    assert_eq!(of(ProcessState::Exited, 0, 9, None), (ProcessPhase::Exited, up, None));
    assert_eq!(of(ProcessState::Exited, 0, 9, at), (ProcessPhase::WaitingToRestart, up, Some(Timer::Restart)));
    assert_eq!(of(ProcessState::Backoff, 0, 9, at), (ProcessPhase::BackingOff, up, Some(Timer::Retry)));
    assert_eq!(of(ProcessState::Fatal, 0, 9, None), (ProcessPhase::GivenUp, up, None));
    assert_eq!(of(ProcessState::Unknown, 7, 9, None), (ProcessPhase::Unreachable, down, None));
}
