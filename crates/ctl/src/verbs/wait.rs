//! `wait`: waits until processes have reached a state, or cannot reach it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use supervisord_config::duration;
use supervisord_wire::name::{Namespec, namespec};
use supervisord_wire::state::ProcessState;

use super::health::should_run;
use super::selection::{programs, selected};
use super::verb::{Flow, Invocation};
use super::wide::{JSON, print_json};
use crate::client::ProgramStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::status;

/// How long to wait where nothing is said about it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The pause before another attempt to reach a daemon that is being started.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// Up to so many programs are read one by one when something has changed.
const MOST_SINGLE_READS: usize = 4;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Running,
    Ready,
    Healthy,
    Stopped,
}

/// The words for what can be awaited.
pub fn goals() -> impl Iterator<Item = &'static str> {
    Goal::ALL.into_iter().map(Goal::word)
}

impl Goal {
    const ALL: [Goal; 4] = [Goal::Running, Goal::Ready, Goal::Healthy, Goal::Stopped];

    fn word(self) -> &'static str {
        match self {
            Goal::Running => "running",
            Goal::Ready => "ready",
            Goal::Healthy => "healthy",
            Goal::Stopped => "stopped",
        }
    }

    /// How far a program has got.
    fn judge(self, program: &ProgramStatus) -> Verdict {
        let is_up = program.state == ProcessState::Running;
        // A program that does its work and ends has come as far as it can.
        let is_up = is_up || program.has_completed();
        // Somebody may be about to start one that was stopped, and later daemons may know more reasons to wait.
        let may_come = !HOPELESS.contains(&program.outlook.as_str());
        match self {
            // A program that can say when it is ready is not RUNNING before.
            Goal::Running | Goal::Ready if is_up => Verdict::Reached,
            Goal::Healthy if is_up => match program.health.as_deref() {
                None | Some("healthy") => Verdict::Reached,
                Some(_) => Verdict::NotYet,
            },
            Goal::Running | Goal::Ready | Goal::Healthy if may_come => Verdict::NotYet,
            Goal::Running | Goal::Ready | Goal::Healthy => Verdict::Never,
            Goal::Stopped if program.state.is_stopped() && program.outlook != "next_start" => Verdict::Reached,
            Goal::Stopped => Verdict::NotYet,
        }
    }
}

/// What a program does not get out of by itself, in the words of the daemon.
const HOPELESS: [&str; 7] = [
    "waits_in_vain",
    "not_restarted",
    "out_of_attempts",
    "out_of_restarts",
    "stopped_by_daemon",
    "disabled",
    "unknown",
];

/// How far a program has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Reached,
    NotYet,
    /// Not without a request.
    Never,
}

/// What the user asked for.
struct Request<'a> {
    names: Vec<&'a str>,
    goal: Goal,
    timeout: Duration,
    /// Whether the outcome is printed as JSON instead of lines.
    json: bool,
}

impl<'a> Request<'a> {
    /// The error is the text after `Error: `.
    fn parse(words: &[&'a str]) -> Result<Request<'a>, String> {
        let mut request = Request { names: Vec::new(), goal: Goal::Running, timeout: DEFAULT_TIMEOUT, json: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').map_or((*word, None), |(option, value)| (option, Some(value)));
            match option {
                "--for" => {
                    let value = value.or_else(|| words.next().copied()).unwrap_or_default();
                    let goal = Goal::ALL.into_iter().find(|goal| goal.word() == value);
                    request.goal = goal.ok_or_else(|| {
                        format!("invalid value for --for '{value}': running, ready, healthy or stopped is expected")
                    })?;
                }
                JSON => request.json = true,
                "--timeout" => {
                    let value = value.or_else(|| words.next().copied()).unwrap_or_default();
                    request.timeout = duration::parse(value).map_err(|_| {
                        format!("invalid value for --timeout '{value}': a time is expected, such as 30s or 2min")
                    })?;
                }
                _ if option.starts_with("--") => return Err(format!("wait does not accept {option}")),
                _ => request.names.push(word),
            }
        }
        if request.names.is_empty() { Err("wait requires a process name".to_owned()) } else { Ok(request) }
    }
}

/// A process that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Awaited {
    group: String,
    name: String,
    /// Whether it is named itself, and not only chosen with others.
    is_named: bool,
}

impl Awaited {
    fn new(program: &ProgramStatus, names: &[&str]) -> Awaited {
        let is_named = names.iter().any(|name| {
            let Namespec { group, process } = Namespec::parse(name);
            group == program.group && process.is_some_and(|process| process == program.name)
        });
        Awaited { group: program.group.clone(), name: program.name.clone(), is_named }
    }

    /// How far a program has got. One that is not named itself need not come up where all is well without it.
    fn judge(&self, program: &ProgramStatus, goal: Goal) -> Verdict {
        match goal {
            Goal::Running | Goal::Ready | Goal::Healthy if !self.is_named && !should_run(program) => Verdict::Reached,
            Goal::Running | Goal::Ready | Goal::Healthy | Goal::Stopped => goal.judge(program),
        }
    }
}

/// Waits for the named processes.
pub(super) fn wait(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let request = match Request::parse(&invocation.words) {
        Ok(request) => request,
        Err(problem) => {
            invocation.misuse(session, status::GENERIC, format_args!("Error: {problem}"));
            return Ok(Flow::Continue);
        }
    };
    let deadline = Instant::now() + request.timeout;
    let Some(all) = programs(session, "wait")? else { return Ok(Flow::Continue) };
    let selection = selected(session, &all, &request.names);
    let awaited: Vec<Awaited> =
        selection.processes.iter().map(|program| Awaited::new(program, &request.names)).collect();
    if !selection.is_complete {
        session.set_exit_status(status::GENERIC);
        return Ok(Flow::Continue);
    }
    drop(all);
    loop {
        match watch(session, &awaited, &request, deadline) {
            Ok(Watched::Reached) if request.json => return print_outcome(session, &awaited, &request, true),
            Ok(Watched::Reached) => {
                report_reached(session, &awaited, request.goal);
                return Ok(Flow::Continue);
            }
            Ok(Watched::Failed) if request.json => return print_outcome(session, &awaited, &request, false),
            Ok(Watched::Failed) => return Ok(Flow::Continue),
            // The daemon is being replaced, or has been killed and is started again.
            Ok(Watched::Disconnected) => {}
            Err(Failure::Client(error)) if error.is_passing() && Instant::now() < deadline => {}
            Err(failure) => return Err(failure),
        }
        session.disconnect();
        thread::sleep(RECONNECT_AFTER.min(deadline.saturating_duration_since(Instant::now())));
    }
}

/// How a connection to the daemon ended.
enum Watched {
    /// All have reached the goal.
    Reached,
    /// Not all have, which has been said.
    Failed,
    Disconnected,
}

/// Looks at the programs now and whenever something has changed.
fn watch(
    session: &mut Session,
    awaited: &[Awaited],
    request: &Request<'_>,
    deadline: Instant,
) -> Result<Watched, Failure> {
    // First, so that no change is missed.
    let mut changes = session.client()?.changes()?;
    let (interrupted, stopper) = (Arc::new(AtomicBool::new(false)), changes.stopper());
    let flag = interrupted.clone();
    let _handled = session.interrupts.handle(move || {
        flag.store(true, Ordering::SeqCst);
        stopper.stop();
    })?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let next = changes.next_within(left);
        if interrupted.load(Ordering::SeqCst) {
            session.set_exit_status(status::GENERIC);
            return Ok(Watched::Failed);
        }
        match next {
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) => return Ok(Watched::Disconnected),
            Err(_) => {
                // The daemon may have been too slow to tell in time what has been so for long.
                match verdict(session, awaited, request)? {
                    Verdict::Reached => return Ok(Watched::Reached),
                    Verdict::NotYet => {}
                    Verdict::Never => return Ok(Watched::Failed),
                }
                session.set_exit_status(status::GENERIC);
                if !request.json {
                    report_missing(session, awaited, request.goal)?;
                }
                return Ok(Watched::Failed);
            }
        }
        match verdict(session, awaited, request)? {
            Verdict::Reached => return Ok(Watched::Reached),
            Verdict::NotYet => {}
            Verdict::Never => return Ok(Watched::Failed),
        }
    }
}

/// How far all of them have got. Who cannot reach the goal any more is said.
fn verdict(session: &mut Session, awaited: &[Awaited], request: &Request<'_>) -> Result<Verdict, Failure> {
    let goal = request.goal;
    let mut waits = false;
    let mut is_lost = false;
    for (one, program) in awaited.iter().zip(read(session, awaited)?) {
        let text = match program.as_ref().map(|program| one.judge(program, goal)) {
            Some(Verdict::Reached) => continue,
            Some(Verdict::NotYet) => {
                waits = true;
                continue;
            }
            Some(Verdict::Never) => program.as_ref().map(|program| described(program, goal, "cannot become")),
            None if goal == Goal::Stopped => continue,
            None => None,
        };
        is_lost = true;
        session.set_exit_status(status::GENERIC);
        if request.json {
            continue;
        }
        let name = namespec(&one.group, &one.name);
        session.fail(status::GENERIC, text.unwrap_or_else(|| format!("{name}: ERROR (it has been removed)")));
    }
    Ok(match (is_lost, waits) {
        (true, _) => Verdict::Never,
        (false, true) => Verdict::NotYet,
        (false, false) => Verdict::Reached,
    })
}

/// Prints how far each has got, as JSON.
fn print_outcome(
    session: &mut Session,
    awaited: &[Awaited],
    request: &Request<'_>,
    is_reached: bool,
) -> Result<Flow, Failure> {
    let programs = read(session, awaited)?;
    let outcomes: Vec<Value> = (awaited.iter().zip(programs))
        .map(|(one, program)| {
            let has_reached =
                program.as_ref().is_some_and(|program| one.judge(program, request.goal) == Verdict::Reached);
            let (state, reason) = program.map_or((None, None), |program| (Some(program.state.name()), program.reason));
            json!({
                "group": one.group,
                "name": one.name,
                "reached": has_reached,
                "state": state,
                "reason": reason,
            })
        })
        .collect();
    print_json(session, &json!({ "for": request.goal.word(), "reached": is_reached, "programs": outcomes }));
    Ok(Flow::Continue)
}

/// Says in the shell, where nobody sees the exit status, that all is as it should be.
fn report_reached(session: &mut Session, awaited: &[Awaited], goal: Goal) {
    if session.settings.interactive {
        for Awaited { group, name, .. } in awaited {
            session.print(format_args!("{}: {}", namespec(group, name), goal.word()));
        }
    }
}

fn report_missing(session: &mut Session, awaited: &[Awaited], goal: Goal) -> Result<(), Failure> {
    for (one, program) in awaited.iter().zip(read(session, awaited)?) {
        if let Some(program) = program.filter(|program| one.judge(program, goal) != Verdict::Reached) {
            session.fail(status::GENERIC, described(&program, goal, "is not"));
        }
    }
    Ok(())
}

/// The programs of these names as they are now; none for those that are not there any more.
fn read(session: &mut Session, awaited: &[Awaited]) -> Result<Vec<Option<ProgramStatus>>, Failure> {
    if awaited.len() <= MOST_SINGLE_READS {
        let one = |Awaited { group, name, .. }: &Awaited| Ok(session.client()?.program(group, name)?);
        return awaited.iter().map(one).collect();
    }
    let all = session.client()?.programs()?;
    let find = |Awaited { group, name, .. }: &Awaited| {
        all.iter().find(|program| program.group == *group && program.name == *name).cloned()
    };
    Ok(awaited.iter().map(find).collect())
}

/// A line such as `web: ERROR (is not running: BACKOFF, exit status 3 …)`.
fn described(program: &ProgramStatus, goal: Goal, verb: &str) -> String {
    let ended = || program.last_end.as_ref().filter(|_| program.state == ProcessState::Exited);
    let reason = program.reason.as_ref().or_else(|| ended().map(|end| &end.description));
    let reason = reason.map(|reason| format!(", {reason}"));
    // The reason says why it is unhealthy.
    let health = program.health.as_ref().filter(|_| goal == Goal::Healthy && reason.is_none());
    let health = health.map(|health| format!(", {health}"));
    format!(
        "{}: ERROR ({verb} {}: {}{}{})",
        program.namespec(),
        goal.word(),
        program.state,
        health.unwrap_or_default(),
        reason.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ProgramEnd;
    use crate::client::samples::program;

    #[test]
    fn options_stand_anywhere() {
        let request = Request::parse(&["web", "--for", "stopped", "--timeout=2min", "grp:*"]).unwrap();
        assert_eq!((request.names, request.goal), (vec!["web", "grp:*"], Goal::Stopped));
        assert_eq!(request.timeout, Duration::from_secs(120));
        for (words, part) in [
            (vec![], "requires a process name"),
            (vec!["--for", "ready"], "requires a process name"),
            (vec!["web", "--for"], "running, ready, healthy or stopped is expected"),
            (vec!["web", "--for", "dead"], "'dead'"),
            (vec!["web", "--timeout", "soon"], "such as 30s"),
            (vec!["web", "--until"], "does not accept --until"),
        ] {
            let problem = Request::parse(&words).err().unwrap_or_default();
            assert!(problem.contains(part), "{words:?}: {problem}");
        }
    }

    #[test]
    fn what_cannot_come_by_itself_is_not_waited_for() {
        use Verdict::{Never, NotYet, Reached};
        for (state, outlook, running, stopped) in [
            ("RUNNING", "runs", Reached, NotYet),
            ("STARTING", "starts", NotYet, NotYet),
            ("STARTING", "gets_ready", NotYet, NotYet),
            ("STARTING", "waits", NotYet, NotYet),
            ("STARTING", "waits_in_vain", Never, NotYet),
            ("BACKOFF", "next_start", NotYet, NotYet),
            ("EXITED", "next_start", NotYet, NotYet),
            ("EXITED", "not_restarted", Never, Reached),
            ("STARTING", "runs_to_end", NotYet, NotYet),
            ("EXITED", "completed", Reached, Reached),
            ("FATAL", "out_of_attempts", Never, Reached),
            ("FATAL", "out_of_restarts", Never, Reached),
            ("FATAL", "next_start", NotYet, NotYet),
            ("STARTING", "waits_for_what_a_later_release_knows", NotYet, NotYet),
            ("UNKNOWN", "unknown", Never, Reached),
            ("STOPPING", "stops", NotYet, NotYet),
            ("STOPPED", "stopped", NotYet, Reached),
            ("STOPPED", "not_requested", NotYet, Reached),
            ("STOPPED", "stopped_by_daemon", Never, Reached),
        ] {
            let program = program("web", state, outlook);
            let verdicts = [Goal::Running, Goal::Ready, Goal::Healthy].map(|goal| goal.judge(&program));
            assert_eq!(verdicts, [running; 3], "{state} {outlook}");
            assert_eq!(Goal::Stopped.judge(&program), stopped, "{state} {outlook}");
        }
    }

    #[test]
    fn of_all_only_those_are_waited_for_that_should_run() {
        let named = program("p", "RUNNING", "runs");
        assert_eq!(
            [&["all"][..], &["p:*"], &["p"], &["p:p"]].map(|names| Awaited::new(&named, names).is_named),
            [false, false, true, true]
        );
        let awaited = |is_named| Awaited { group: "p".to_owned(), name: "p".to_owned(), is_named };
        let mut done = program("p", "EXITED", "not_restarted");
        done.last_end = Some(ProgramEnd { judgement: "expected".to_owned(), ..ProgramEnd::default() });
        let off = ProgramStatus { is_wanted: false, ..program("p", "STOPPED", "not_requested") };
        let failed = program("p", "EXITED", "not_restarted");
        for (program, of_all, named) in [
            (&done, Verdict::Reached, Verdict::Never),
            (&off, Verdict::Reached, Verdict::NotYet),
            (&failed, Verdict::Never, Verdict::Never),
        ] {
            let verdicts = [false, true].map(|is_named| awaited(is_named).judge(program, Goal::Running));
            assert_eq!(verdicts, [of_all, named], "{}", program.outlook);
        }
        assert_eq!(awaited(false).judge(&named, Goal::Stopped), Verdict::NotYet);
    }

    #[test]
    fn healthy_is_more_than_running() {
        let mut program = program("web", "RUNNING", "runs");
        for (health, verdict) in
            [("starting", Verdict::NotYet), ("unhealthy", Verdict::NotYet), ("healthy", Verdict::Reached)]
        {
            program.health = Some(health.to_owned());
            assert_eq!(Goal::Healthy.judge(&program), verdict);
            assert_eq!(Goal::Running.judge(&program), Verdict::Reached);
        }
        program.health = Some("unhealthy".to_owned());
        let text = described(&program, Goal::Healthy, "is not");
        assert_eq!(text, "web: ERROR (is not healthy: RUNNING, unhealthy)");
    }
}
