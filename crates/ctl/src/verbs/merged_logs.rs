//! `logs`: the logs of many programs as one stream.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use supervisord_wire::name::namespec;

use super::selection::{programs, selected};
use super::verb::{Arguments, Completion, DaemonCheck, Flags, Flow, Invocation, Verb};
use crate::client::{Channel, Client, ClientError, StreamGroup};
use crate::failure::Failure;
use crate::hints::HintRequest;
use crate::log_lines::{Source, last_lines, whole_characters};
use crate::session::Session;
use crate::status;

pub(super) const VERB: Verb = Verb {
    name: "logs",
    daemon_check: DaemonCheck::CheckedAs(status::GENERIC),
    arguments: Arguments::Names(status::GENERIC),
    flags: Flags::Only(&["--follow", "--lines", "--stderr"]),
    completion: Completion::Processes,
    help: Some(
        "logs <name> [...]\tThe last 10 lines of the output of processes, each with its name\n\
         logs -n 100 <name>\tThe last 100 *lines*\n\
         logs -f <name> [...]\tFollow the output of all of them until Ctrl-C\n\
         logs --stderr <name>\tThe same of their error output\n",
    ),
    run: logs,
};

/// How many lines are shown where nothing is said about it.
const DEFAULT_LINES: usize = 10;

/// How much of a log is read at first to find its last lines, and at the most, in bytes.
const FIRST_PART: u64 = 16 << 10;
const LARGEST_PART: u64 = 4 << 20;

/// The pause before another attempt to reach a daemon that does not answer.
const RECONNECT_AFTER: Duration = Duration::from_millis(250);

/// How many pieces may wait for a slow terminal.
const QUEUE_CAPACITY: usize = 16;

/// What the user asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    names: Vec<&'a str>,
    follow: bool,
    lines: usize,
    channel: Channel,
}

impl<'a> Request<'a> {
    /// The error is the text after `Error: `.
    fn parse(words: &[&'a str]) -> Result<Request<'a>, String> {
        let mut request = Request { names: Vec::new(), follow: false, lines: DEFAULT_LINES, channel: Channel::Stdout };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').map_or((*word, None), |(option, value)| (option, Some(value)));
            match option {
                "-f" | "--follow" => request.follow = true,
                "--stderr" => request.channel = Channel::Stderr,
                "-n" | "--lines" => {
                    let value = value.or_else(|| words.next().copied()).unwrap_or_default();
                    request.lines = value.parse().map_err(|_| {
                        format!("invalid value for {option} '{value}': a number is expected, such as 100")
                    })?;
                }
                _ => request.names.push(word),
            }
        }
        if request.names.is_empty() { Err("logs requires a process name".to_owned()) } else { Ok(request) }
    }
}

/// A log, and where it goes on.
struct Log {
    group: String,
    name: String,
    end: u64,
}

fn logs(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let request = match Request::parse(&invocation.words) {
        Ok(request) => request,
        Err(problem) => {
            invocation.misuse(session, status::GENERIC, format_args!("Error: {problem}"));
            return Ok(Flow::Continue);
        }
    };
    let Some(all) = programs(session, "logs")? else { return Ok(Flow::Continue) };
    let selection = selected(session, &all, &request.names);
    if !selection.is_complete {
        session.set_exit_status(status::GENERIC);
    }
    let mut found: Vec<(String, String)> = Vec::new();
    for program in selection.processes {
        let key = (program.group.clone(), program.name.clone());
        if !found.contains(&key) {
            found.push(key);
        }
    }
    let names: Vec<String> = found.iter().map(|(group, name)| namespec(group, name)).collect();
    let mut sources = Source::all(&names, session.console.colour(), || session.console.log_filter());
    let mut followed = Vec::new();
    for ((group, name), source) in found.into_iter().zip(&mut sources) {
        let end = show_end(session, &request, (&group, &name), source)?;
        followed.push(end.map(|end| Log { group, name, end }));
    }
    if request.follow && followed.iter().any(Option::is_some) {
        follow(session, request.channel, followed, &mut sources)?;
    }
    for source in &mut sources {
        session.console.raw(&source.end());
    }
    Ok(Flow::Continue)
}

/// Prints the last lines of a log; returns where it goes on, or none where there is no log, which is said.
fn show_end(
    session: &mut Session,
    request: &Request<'_>,
    (group, name): (&str, &str),
    source: &mut Source,
) -> Result<Option<u64>, Failure> {
    let mut length = FIRST_PART;
    loop {
        let part = match session.client()?.log_part(group, name, request.channel, length) {
            Ok(part) => part,
            Err(error) if error.is_status(404) => {
                let name = namespec(group, name);
                session.fail(status::GENERIC, format_args!("{name}: ERROR (no log file)"));
                session.hints.push(HintRequest::no_log(&name, request.channel));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let bytes = whole_characters(&part.bytes);
        let (lines, is_enough) = last_lines(bytes, request.lines, part.offset == 0);
        if is_enough || length >= LARGEST_PART {
            session.console.raw(&source.take(lines));
            return Ok(Some(part.offset + bytes.len() as u64));
        }
        length *= 4;
    }
}

/// What comes from the threads that follow.
enum Piece {
    Text(usize, String),
    /// The log cannot be followed any more.
    Ended,
    Interrupted,
}

#[derive(Deserialize)]
struct Output {
    text: String,
}

/// Prints what is appended to logs as it arrives, until Ctrl-C or until none can be followed any more.
fn follow(
    session: &mut Session,
    channel: Channel,
    logs: Vec<Option<Log>>,
    sources: &mut [Source],
) -> Result<(), Failure> {
    let (sender, pieces) = sync_channel(QUEUE_CAPACITY);
    let streams = StreamGroup::default();
    let (handled, wake) = (streams.clone(), sender.clone());
    let _handled = session.interrupts.handle(move || {
        handled.end();
        // A receiver with a full queue is awake already.
        drop(wake.try_send(Piece::Interrupted));
    })?;
    let mut open = 0;
    for (number, log) in logs.into_iter().enumerate() {
        let Some(log) = log else { continue };
        let client = session.settings.client().map_err(ClientError::from)?;
        let (streams, sender) = (streams.clone(), sender.clone());
        thread::Builder::new()
            .name("log".into())
            .spawn(move || follow_one(&client, channel, (number, log), &streams, &sender))?;
        open += 1;
    }
    while open > 0 && !streams.has_ended() && !session.console.is_closed() {
        match pieces.recv() {
            Ok(Piece::Text(number, text)) => {
                if let Some(source) = sources.get_mut(number) {
                    session.console.raw(&source.take(text.as_bytes()));
                }
            }
            Ok(Piece::Ended) => open -= 1,
            Ok(Piece::Interrupted) | Err(_) => break,
        }
    }
    streams.end();
    Ok(())
}

/// Sends what is appended to a log, through upgrades and restarts of the daemon.
fn follow_one(
    client: &Client,
    channel: Channel,
    (number, log): (usize, Log),
    streams: &StreamGroup,
    sender: &SyncSender<Piece>,
) {
    let mut last = log.end.to_string();
    while !streams.has_ended() {
        match client.follow_log(&log.group, &log.name, channel, &last) {
            Ok(events) => {
                streams.join(events.stopper());
                for event in events.map_while(Result::ok) {
                    last.clone_from(&event.id);
                    let output: Option<Output> = serde_json::from_str(&event.data).ok();
                    let Some(Output { text }) = output.filter(|_| event.name == "output") else { continue };
                    if sender.send(Piece::Text(number, text)).is_err() {
                        return;
                    }
                }
            }
            Err(error) if error.is_passing() => {}
            Err(_) => break,
        }
        thread::sleep(RECONNECT_AFTER);
    }
    drop(sender.send(Piece::Ended));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_anywhere() {
        let parse = |line: &'static str| Request::parse(&line.split_whitespace().collect::<Vec<_>>());
        let request = Request { names: vec!["web", "db"], follow: true, lines: 100, channel: Channel::Stderr };
        for line in ["-f -n 100 --stderr web db", "web --lines=100 db --follow --stderr"] {
            assert_eq!(parse(line).unwrap(), request, "{line}");
        }
        assert_eq!(parse("web").unwrap().lines, DEFAULT_LINES);
        for (line, part) in [("-f", "requires a process name"), ("web -n", "a number is expected"), ("-n x web", "'x'")]
        {
            assert!(parse(line).unwrap_err().contains(part), "{line}");
        }
    }
}
