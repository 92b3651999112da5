//! Explanations of made-up processes.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::dependency::{Dependency, DependencyCondition};
use supervisord_config::model::{AutoRestart, Process, RestartLimit};
use supervisord_config::probe::Probe;

use super::*;
use crate::dependencies::{AwaitedDependency, Hindrance, HindranceCause};
use crate::health::HealthStatus;
use crate::last_request::{LastRequest, RequestedAction};
use crate::process::{
    AfterStop, EndJudgement, EndTraces, ExitStatus, LastEnd, MemoryKills, ProcessPhase, StopCause, StopDecision, Wanted,
};
use crate::program_counts::{LostOutput, ProgramCounts};
use crate::row::{LocalTime, Row, RowHealth};
use crate::time::Now;
use supervisord_wire::state::ProcessState;

fn clock() -> WhyClock {
    WhyClock {
        now: Now { mono: Duration::from_secs(50), wall: Duration::from_secs(112) },
        local: |at| LocalTime {
            year: 2026,
            month: 11,
            day: 30,
            hour: 9,
            minute: (at / 60) as u32,
            second: (at % 60) as u32,
            weekday: 1,
            utc_offset: 0,
        },
    }
}

fn end(status: ExitStatus, judgement: EndJudgement, output: &str) -> Option<Arc<LastEnd>> {
    let traces = EndTraces { output: output.to_owned(), kills: None };
    Some(Arc::new(LastEnd {
        at: 100,
        status,
        judgement,
        lived: Duration::from_millis(200),
        stop_decision: None,
        traces,
    }))
}

fn row(name: &str, phase: ProcessPhase) -> Row {
    Row { phase, pid: 0, ..crate::samples::row(name, name) }
}

fn varied(row: Row, vary: impl FnOnce(&mut Process)) -> Row {
    let mut process = Process::clone(&row.config);
    vary(&mut process);
    Row { config: Arc::new(process), ..row }
}

#[test]
fn the_health_of_a_program_with_a_watchdog_alone_is_explained_by_it() {
    let said = |status, is_checked: bool| {
        let health = Some(Box::new(RowHealth { status, failures: 0, last: None }));
        let program = varied(Row { health, ..row("p", ProcessPhase::Up) }, |process| {
            process.health.watchdog = Some(Duration::from_secs(2));
            process.health.healthcheck = is_checked.then(|| Probe::parse("tcp:localhost:1").unwrap().into());
        });
        explained(vec![program], "p")[1].clone()
    };
    assert_eq!(said(HealthStatus::Starting, false), "  health: starting, it has not sent WATCHDOG=1 yet");
    assert_eq!(said(HealthStatus::Healthy, false), "  health: healthy, it sends WATCHDOG=1 in time");
    assert_eq!(said(HealthStatus::Starting, true), "  health: starting, no check has ended yet");
}

fn awaits(row: Row, dependency: &str, cause: HindranceCause) -> Row {
    let awaited = AwaitedDependency {
        group: dependency.into(),
        process: Some(dependency.into()),
        condition: DependencyCondition::Ready,
        hindrance: Some(Hindrance { name: dependency.to_owned(), cause }),
    };
    let row = Row { awaited: vec![awaited], ..row };
    varied(row, |process| {
        process.order.depends_on.push(Dependency::On {
            group: dependency.to_owned(),
            process: Some(dependency.to_owned()),
            condition: DependencyCondition::Ready,
        });
    })
}

fn explained(rows: Vec<Row>, name: &str) -> Vec<String> {
    let rows: Vec<Arc<Row>> = rows.into_iter().map(Arc::new).collect();
    Why::of(&rows, name, name).expect("it is there").lines(clock())
}

#[test]
fn a_chain_is_explained_down_to_its_end() {
    let db = Row {
        spawnerr: "Exited too quickly (process log may have details)".to_owned(),
        last_end: end(ExitStatus::Code(3), EndJudgement::TooQuick, "first\ncannot open data directory"),
        ..varied(row("db", ProcessPhase::GivenUp), |process| process.start.startretries = 1)
    };
    let web = awaits(row("web", ProcessPhase::AwaitingDependencies), "db", HindranceCause::Is(ProcessState::Fatal));
    let proxy = awaits(row("proxy", ProcessPhase::AwaitingDependencies), "web", HindranceCause::Waits);
    let rows = vec![db, proxy, web];
    assert_eq!(
        explained(rows.clone(), "proxy"),
        [
            "proxy is STARTING since 2026-11-30 09:01:40 (12 s ago): it waits in vain for what it depends on",
            "  waiting for web to be ready (web waits in vain)",
            "    web is STARTING since 2026-11-30 09:01:40 (12 s ago): it waits in vain for what it depends on",
            "      waiting for db to be ready (db is FATAL)",
            "        db is FATAL since 2026-11-30 09:01:40 (12 s ago): 2 attempts to start it failed, and supervisord gave up (startretries=1)",
            "          last end: exit status 3 after 200 ms, 2026-11-30 09:01:40 (12 s ago); that was too quick (startsecs=1)",
            "          last lines on stderr:",
            "            | first",
            "            | cannot open data directory",
            "          depended on by: web",
            "          what to do: fix the cause, then start it: supervisorctl start db",
            "      depended on by: proxy",
        ]
    );
    let all: Vec<Arc<Row>> = rows.into_iter().map(Arc::new).collect();
    let why = Why::of(&all, "proxy", "proxy").expect("it is there");
    assert_eq!(why.outlook, Outlook::WaitsInVain);
    let [AwaitedWhy { because, .. }] = why.waits_for.as_slice() else { panic!("it waits for one") };
    assert_eq!(because[0].waits_for[0].because[0].outlook, Outlook::Rests(RestReason::OutOfAttempts(2)));
    assert!(Why::of(&all, "proxy", "other").is_none());
}

#[test]
fn a_process_on_several_ways_is_explained_once() {
    let base = row("base", ProcessPhase::GivenUp);
    let fatal = HindranceCause::Is(ProcessState::Fatal);
    let left = awaits(row("left", ProcessPhase::AwaitingDependencies), "base", fatal);
    let right = awaits(row("right", ProcessPhase::AwaitingDependencies), "base", fatal);
    let top = awaits(row("top", ProcessPhase::AwaitingDependencies), "left", HindranceCause::Waits);
    let top = awaits(Row { awaited: top.awaited.clone(), ..top.clone() }, "right", HindranceCause::Waits);
    let both = Row { awaited: [left_of(&top, "left"), left_of(&top, "right")].concat(), ..top };
    let text = explained(vec![base, left, right, both], "top").join("\n");
    assert_eq!(text.matches("base is FATAL since").count(), 1, "{text}");
    assert!(text.contains("left is STARTING") && text.contains("right is STARTING"), "{text}");
}

#[test]
fn lost_output_is_said() {
    let counts = |stdout, stderr| {
        Some(Arc::new(ProgramCounts { lost_output: LostOutput { stdout, stderr }, ..ProgramCounts::default() }))
    };
    let said = |stdout, stderr| {
        explained(vec![Row { counts: counts(stdout, stderr), ..row("p", ProcessPhase::Up) }], "p").join("\n")
    };
    assert!(!said(0, 0).contains("lost output"));
    assert!(said(1, 20).ends_with("  lost output: 1 byte of stdout, 20 bytes of stderr; the activity log says why"));
}

fn left_of(row: &Row, name: &str) -> Vec<AwaitedDependency> {
    let mut awaited = row.awaited.clone();
    for awaited in &mut awaited {
        (awaited.group, awaited.process) = (name.into(), Some(name.into()));
        awaited.hindrance = Some(Hindrance { name: name.to_owned(), cause: HindranceCause::Waits });
    }
    awaited
}

#[test]
fn each_phase_says_what_comes_next() {
    let soon = Some(Duration::from_secs(54));
    let limit = RestartLimit::Within { restarts: 5, window: Duration::from_secs(60) };
    let stopped = |cause, then| Some(Arc::new(StopDecision { cause, then }));
    let ill = || StopCause::Unhealthy("HTTP status 503".to_owned());
    let overdue = StopCause::MaxRuntime(Duration::from_secs(2));
    let cases: [(Row, &str); 27] = [
        (row("p", ProcessPhase::NeverStarted), "nobody has started it"),
        (
            varied(row("p", ProcessPhase::NeverStarted), |process| process.start.autostart = false),
            "nobody has started it (autostart=false)",
        ),
        (row("p", ProcessPhase::AwaitingDependencies), "it is started as soon as what it depends on allows it"),
        (row("p", ProcessPhase::Spawning), "it is being started"),
        (
            Row { pid: 7, ..row("p", ProcessPhase::Settling) },
            "pid 7 was started and counts as RUNNING after startsecs=1",
        ),
        (
            Row { pid: 7, ready_by: soon, ..row("p", ProcessPhase::GettingReady) },
            "pid 7 was started and has not said that it is ready, for which it has 4.0 s left",
        ),
        (
            Row {
                pid: 7,
                ready_trouble: Some("connection refused".to_owned()),
                ..row("p", ProcessPhase::GettingReady)
            },
            "pid 7 was started and has not said that it is ready; the last probe failed: connection refused",
        ),
        (
            Row { pid: 7, runs_until: soon, ..row("p", ProcessPhase::RunningToEnd) },
            "pid 7 does its work and has not ended yet, for which it has 4.0 s left (max_runtime)",
        ),
        (row("p", ProcessPhase::Completed), "it has done its work (type=oneshot)"),
        (Row { pid: 7, ..row("p", ProcessPhase::Up) }, "it runs with pid 7"),
        (
            Row { stop_decision: stopped(ill(), AfterStop::Restart), ..row("p", ProcessPhase::Stopping) },
            "it is being stopped, and then started again (unhealthy: HTTP status 503)",
        ),
        (
            Row { stop_decision: stopped(ill(), AfterStop::Rest), ..row("p", ProcessPhase::PreStop) },
            "it is being stopped (unhealthy: HTTP status 503)",
        ),
        (
            Row { stop_decision: stopped(ill(), AfterStop::Rest), ..row("p", ProcessPhase::Stopped) },
            "it was stopped (unhealthy: HTTP status 503), and is not started without a request",
        ),
        (
            Row { stop_decision: stopped(overdue, AfterStop::Rest), ..row("p", ProcessPhase::Stopped) },
            "it was stopped (max_runtime: it ran for 2s), and is not started without a request",
        ),
        (
            Row {
                stop_decision: stopped(StopCause::DependencyFailure("db is FATAL".to_owned()), AfterStop::Rest),
                ..row("p", ProcessPhase::NeverStarted)
            },
            "it was stopped (on_dependency_failure: db is FATAL), and is not started without a request",
        ),
        (
            Row {
                wanted: Wanted::Down,
                stop_decision: stopped(StopCause::Configuration, AfterStop::Replace),
                ..row("p", ProcessPhase::Stopping)
            },
            "it is being stopped, and then started again (it is replaced or removed)",
        ),
        (
            Row { wanted: Wanted::Down, ..row("p", ProcessPhase::Stopping) },
            "it was asked to stop, and has not ended yet",
        ),
        (
            Row { wanted: Wanted::Down, next_stop_step: soon, ..row("p", ProcessPhase::Stopping) },
            "it was asked to stop, and has not ended yet; the next signal follows in 4.0 s",
        ),
        (
            Row { wanted: Wanted::Down, next_stop_step: soon, ..row("p", ProcessPhase::PreStop) },
            "it was asked to stop, and has not ended yet; its signals follow when its pre-stop hook has ended, in 4.0 s at the latest",
        ),
        (row("p", ProcessPhase::Stopped), "it was stopped, and is not started without a request"),
        (
            varied(row("p", ProcessPhase::Exited), |process| process.restart.autorestart = AutoRestart::Never),
            "it ended by itself, and is not started again (autorestart=false)",
        ),
        (Row { next_start: soon, ..row("p", ProcessPhase::WaitingToRestart) }, "it is started again in 4.0 s"),
        (
            Row { next_start: soon, attempts: 2, ..row("p", ProcessPhase::BackingOff) },
            "2 attempts to start it failed, the next one follows in 4.0 s (2 left of startretries=3)",
        ),
        (
            Row { next_start: soon, ..row("p", ProcessPhase::GivenUp) },
            "supervisord gave up, and starts it again in 4.0 s (fatal_retry)",
        ),
        (
            varied(row("p", ProcessPhase::GivenUp), |process| process.restart.restart_limit = Some(limit)),
            "supervisord gave up, because it would have been restarted more than 5 times within 1min (restart_limit)",
        ),
        (
            Row { wanted: Wanted::Down, ..row("p", ProcessPhase::GivenUp) },
            "it was stopped, and is not started without a request",
        ),
        (row("p", ProcessPhase::Unreachable), "a signal could not be sent to it, and it may still run"),
    ];
    for (row, text) in cases {
        let lines = explained(vec![row.clone()], "p");
        let (_, headline) = lines[0].split_once(": ").expect("it has a headline");
        assert_eq!(headline, text, "{:?}", row.phase);
    }
}

#[test]
fn what_is_known_of_a_kill_is_told_and_no_more() {
    let killed = |in_cgroup, on_machine| {
        let kills = Some(MemoryKills { since: 60, in_cgroup, on_machine });
        let traces = EndTraces { output: String::new(), kills };
        let status = ExitStatus::Signal { number: 9, core_dumped: false };
        let end = end(status, EndJudgement::Unexpected, "").map(|end| LastEnd { traces, ..LastEnd::clone(&end) });
        explained(vec![Row { last_end: end.map(Arc::new), ..row("p", ProcessPhase::Exited) }], "p").join("\n")
    };
    let text = killed(Some(1), Some(3));
    assert!(text.contains("terminated by SIGKILL after 200 ms"), "{text}");
    assert!(text.contains("the kernel has killed 1 process of its control group for want of memory since"), "{text}");
    let text = killed(Some(0), Some(2));
    assert!(text.contains("killed 2 processes of this machine for want of memory since"), "{text}");
    assert!(text.contains("perhaps this one"), "{text}");
    assert!(killed(Some(1), None).contains("what to do: let it use less memory"));
    assert!(!killed(Some(0), Some(0)).contains("what to do"));
    assert!(killed(Some(0), Some(0)).contains("somebody else sent it"));
}

#[test]
fn what_can_be_done_is_told_where_it_is_known() {
    let unspawned = |error: &str| Row { spawnerr: error.to_owned(), ..row("p", ProcessPhase::BackingOff) };
    let ended = |code, judgement, output: &str| Row {
        last_end: end(ExitStatus::Code(code), judgement, output),
        ..row("p", ProcessPhase::BackingOff)
    };
    let quick = EndJudgement::TooQuick;
    for (row, text) in [
        (unspawned("can't find command 'x'"), "write its absolute path"),
        (
            unspawned("can't find command 'cd' (supervisord runs no shell; write command=/bin/sh -c '...')"),
            "it is written for a shell: write /bin/sh -c and the whole of it in quotes in `command`",
        ),
        (unspawned("command at '/x' is not executable"), "chmod +x"),
        (unspawned("command at '/x' is a directory"), "not of a directory"),
        (unspawned("no permission to run command '/x'"), "read and execute"),
        (
            ended(127, quick, "supervisor: couldn't exec /x: ENOENT\nsupervisor: child process was not spawned"),
            "/x does not exist, or the interpreter",
        ),
        (ended(127, quick, "supervisor: couldn't exec /x: ENOEXEC"), "#!/bin/sh"),
        (ended(127, quick, "supervisor: couldn't chdir to /no/dir: ENOENT"), "the directory /no/dir does not exist"),
        (ended(127, quick, "supervisor: couldn't setuid to 1: Can't drop privilege as nonroot user"), "runs as root"),
        (
            ended(127, quick, "supervisor: couldn't set nice to -5: EACCES"),
            "CAP_SYS_NICE or enough of ulimit -e; nice=-5 is too low",
        ),
        (ended(127, quick, "sh: 1: x: not found"), "absolute paths"),
        (ended(0, quick, ""), "in the foreground"),
    ] {
        let lines = explained(vec![row], "p");
        let advice: Vec<&String> = lines.iter().filter(|line| line.contains("what to do: ")).collect();
        assert!(advice.len() == 1 && advice[0].contains(text), "{text}: {lines:?}");
    }
    for quiet in [ended(0, EndJudgement::Expected, ""), ended(3, quick, "x"), row("p", ProcessPhase::Up)] {
        assert!(!explained(vec![quiet], "p").join("\n").contains("what to do"));
    }
}

#[test]
fn who_asked_last_is_told() {
    let request = LastRequest { action: RequestedAction::Signal(1), by: "a plug-in".to_owned(), at: 111 };
    let lines = explained(vec![Row { last_request: Some(Arc::new(request)), ..row("p", ProcessPhase::Up) }], "p");
    assert_eq!(lines[1], "  last request: signal SIGHUP, 2026-11-30 09:01:51 (1 s ago), by a plug-in");
}

#[test]
fn a_reason_is_one_line() {
    let failed = Row {
        spawnerr: "Bad exit code 3".to_owned(),
        last_end: end(ExitStatus::Code(3), EndJudgement::Unexpected, "first\nlast"),
        ..row("p", ProcessPhase::BackingOff)
    };
    assert_eq!(reason(&failed).as_deref(), Some("exit status 3 after 200 ms: last"));
    let broken = Row {
        spawnerr: "Exited too quickly (process log may have details)".to_owned(),
        last_end: end(
            ExitStatus::Code(127),
            EndJudgement::TooQuick,
            "supervisor: couldn't exec /x: ENOENT\nsupervisor: child process was not spawned",
        ),
        ..row("p", ProcessPhase::GivenUp)
    };
    let text = "exit status 127 after 200 ms: supervisor: couldn't exec /x: ENOENT";
    assert_eq!(reason(&broken).as_deref(), Some(text));
    let slow = Row {
        spawnerr: "Not ready within 5s (fd:3)".to_owned(),
        last_end: end(ExitStatus::Signal { number: 15, core_dumped: false }, EndJudgement::NotReady, "loading"),
        ..row("p", ProcessPhase::BackingOff)
    };
    assert_eq!(reason(&slow).as_deref(), Some("not ready within 5s (fd:3): loading"));
    let missing = Row { spawnerr: "can't find command 'x'".to_owned(), ..row("p", ProcessPhase::GivenUp) };
    assert_eq!(reason(&missing).as_deref(), Some("could not be started: can't find command 'x'"));
    let waiting = awaits(row("web", ProcessPhase::AwaitingDependencies), "db", HindranceCause::Is(ProcessState::Fatal));
    assert_eq!(reason(&waiting).as_deref(), Some("waiting for db to be ready (db is FATAL)"));
    assert_eq!(reason(&row("p", ProcessPhase::Up)), None);
}
