//! `events`: what has happened, and what happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use supervisord_wire::name::Namespec;

use super::event_filter::EventFilter;
use super::selection::{lacks_json, say_json_is_missing};
use super::verb::{Arguments, Completion, DaemonCheck, Flags, Flow, Invocation, Verb};
use crate::client::{EventStream, StreamEvent};
use crate::event_line;
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::local_clock::time_of_day;
use crate::session::Session;
use crate::status;

pub(super) const VERB: Verb = Verb {
    name: "events",
    daemon_check: DaemonCheck::CheckedAs(status::GENERIC),
    arguments: Arguments::Any,
    flags: Flags::Only(&["--follow", "--json", "--lines"]),
    completion: Completion::Processes,
    help: Some(
        "events\t\t\tWhat has happened to processes, as far as the supervisor remembers\n\
         events <name> [...]\tThe same of these processes or groups only\n\
         events -f\t\tWhat happens from now on, until Ctrl-C\n\
         events -f -n 20\t\tThe same after the last 20 events\n\
         events --json [...]\tOne JSON object a line\n",
    ),
    run: events,
};

/// The pause before another attempt to reach a daemon that does not answer.
const RECONNECT_AFTER: Duration = Duration::from_millis(250);

/// No event has this id, so that a stream after it begins with all that the daemon remembers.
const BEFORE_ALL: &str = "none";

/// What the user asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    filter: EventFilter,
    follow: bool,
    json: bool,
    lines: Option<usize>,
}

impl Request {
    /// The error is the text after `Error: `.
    fn parse(words: &[&str]) -> Result<Request, String> {
        let mut request = Request::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').map_or((*word, None), |(option, value)| (option, Some(value)));
            match option {
                "-f" | "--follow" => request.follow = true,
                "--json" => request.json = true,
                "-n" | "--lines" => {
                    let value = value.or_else(|| words.next().copied()).unwrap_or_default();
                    let lines = value.parse();
                    request.lines = Some(lines.map_err(|_| {
                        format!("invalid value for {option} '{value}': a number is expected, such as 20")
                    })?);
                }
                _ if option.starts_with('-') => return Err(format!("events does not accept {word}")),
                _ => request.filter.add(word)?,
            }
        }
        Ok(request)
    }
}

fn events(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let request = match Request::parse(&invocation.words) {
        Ok(request) => request,
        Err(problem) => {
            invocation.misuse(session, status::GENERIC, format_args!("Error: {problem}"));
            return Ok(Flow::Continue);
        }
    };
    match is_known(session, &request) {
        Ok(true) => {}
        Ok(false) => return Ok(Flow::Continue),
        Err(Failure::Client(error)) if lacks_json(&error) => {
            say_json_is_missing(session, "events");
            return Ok(Flow::Continue);
        }
        Err(failure) => return Err(failure),
    }
    match remembered(session, &request) {
        Ok(last) if request.follow => follow(session, &request, last)?,
        Ok(_) => {}
        Err(Failure::Client(error)) if lacks_json(&error) => say_json_is_missing(session, "events"),
        Err(failure) => return Err(failure),
    }
    Ok(Flow::Continue)
}

/// Prints what happens after the event `last` until Ctrl-C, whatever happens to the daemon.
fn follow(session: &mut Session, request: &Request, mut last: String) -> Result<(), Failure> {
    let mut is_said = false;
    loop {
        match follow_one(session, request, &mut last) {
            Ok(Followed::Interrupted) => return Ok(()),
            Ok(Followed::Disconnected) => {}
            Err(Failure::Client(error)) if error.is_passing() => {}
            Err(failure) => return Err(failure),
        }
        if !std::mem::replace(&mut is_said, true) {
            session.console.explain("the connection has ended; trying to reach supervisord again (Ctrl-C to give up)");
        }
        thread::sleep(RECONNECT_AFTER);
    }
}

/// Prints which names stand for nothing that is there, or was as far as the daemon remembers; false where that are all names.
fn is_known(session: &mut Session, request: &Request) -> Result<bool, Failure> {
    if request.filter == EventFilter::default() {
        return Ok(true);
    }
    let infos = session.client()?.all_process_info()?;
    let processes: Vec<(&str, &str)> = infos.iter().map(|info| (&*info.group, &*info.name)).collect();
    if request.filter.unknown(&processes, &[]).is_empty() {
        return Ok(true);
    }
    let last = present(session)?;
    let past = past(session, &last)?;
    let past: Vec<&str> = past.iter().map(|event| event.data.as_str()).collect();
    let unknown = request.filter.unknown(&processes, &past);
    for name in &unknown {
        let what = if Namespec::parse(name).process.is_some() { "process" } else { "group" };
        session.fail(status::GENERIC, format_args!("{name}: ERROR (no such {what})"));
        session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
    }
    Ok(unknown.is_empty() || !request.filter.has_only(&unknown))
}

/// The id of the last event there is.
fn present(session: &mut Session) -> Result<String, Failure> {
    let mut present = session.client()?.events(None)?;
    Ok(present.next().transpose()?.map(|event| event.id).unwrap_or_default())
}

/// Prints as many of the past events as are asked for; returns the id of the last one there is.
fn remembered(session: &mut Session, request: &Request) -> Result<String, Failure> {
    let last = present(session)?;
    let wanted = request.lines.unwrap_or(if request.follow { 0 } else { usize::MAX });
    if wanted == 0 {
        return Ok(last);
    }
    let mut past = past(session, &last)?;
    let last = past.last().map_or(last, |event| event.id.clone());
    past.retain(|event| request.filter.takes(&event.data));
    for event in past.iter().skip(past.len().saturating_sub(wanted)) {
        print(session, request, event);
    }
    Ok(last)
}

/// The events that the daemon remembers, up to the last one, or those that have come meanwhile.
fn past(session: &mut Session, last: &str) -> Result<Vec<StreamEvent>, Failure> {
    let mut past: Vec<StreamEvent> = Vec::new();
    for event in session.client()?.events(Some(BEFORE_ALL))? {
        let event = event?;
        let is_last = number(&event.id) >= number(last);
        past.push(event);
        if is_last {
            break;
        }
    }
    // That there was something before is no news.
    past.retain(|event| !event.name.is_empty() && event.name != "gap");
    Ok(past)
}

/// The number of an event, which grows; 0 for an id of another form.
fn number(id: &str) -> u64 {
    id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// How a stream ended.
enum Followed {
    Interrupted,
    Disconnected,
}

/// Prints what happens after the event `last`, which it moves on, until the connection ends.
fn follow_one(session: &mut Session, request: &Request, last: &mut String) -> Result<Followed, Failure> {
    let stream: EventStream = session.client()?.events(Some(last))?;
    let (interrupted, stopper) = (Arc::new(AtomicBool::new(false)), stream.stopper());
    let flag = Arc::clone(&interrupted);
    let _handled = session.interrupts.handle(move || {
        flag.store(true, Ordering::SeqCst);
        stopper.stop();
    })?;
    // A broken stream goes on with another one.
    for event in stream.map_while(Result::ok) {
        last.clone_from(&event.id);
        if !event.name.is_empty() && (event.name == "gap" || request.filter.takes(&event.data)) {
            print(session, request, &event);
        }
        if session.console.is_closed() {
            break;
        }
    }
    let is_interrupted = interrupted.load(Ordering::SeqCst) || session.console.is_closed();
    Ok(if is_interrupted { Followed::Interrupted } else { Followed::Disconnected })
}

fn print(session: &mut Session, request: &Request, event: &StreamEvent) {
    if request.json {
        return session.print(event_line::as_json(event));
    }
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let what = event_line::describe(&event.name, &data);
    match data.get("time").and_then(Value::as_f64) {
        Some(time) => session.print(format_args!("{} {what}", time_of_day(time))),
        None => session.print(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_short_and_long_forms() {
        let parse = |line: &str| Request::parse(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(parse("").unwrap(), Request::default());
        let all = Request { follow: true, json: true, lines: Some(20), ..Request::default() };
        for line in ["-f --json -n 20", "--lines=20 --follow --json", "--json -f --lines 20"] {
            assert_eq!(parse(line).unwrap(), all, "{line}");
        }
        for (line, part) in [("-n", "a number is expected"), ("-n x", "'x'"), ("-x", "does not accept -x")] {
            assert!(parse(line).unwrap_err().contains(part), "{line}");
        }
    }

    #[test]
    fn ids_of_one_boot_are_compared_by_their_numbers() {
        assert!(number("4f3a1b2c-96318000123") > number("4f3a1b2c-9"));
        assert_eq!((number(""), number("x")), (0, 0));
    }
}
