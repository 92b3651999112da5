//! `logs`: the logs of many programs as one stream.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use supervisord_config::duration;
use supervisord_sys::{clock, local_time};
use supervisord_wire::name::namespec;

use super::log_history::{Extent, History, HistoryOf};
use super::selection::{programs, selected};
use super::verb::{Arguments, Completion, DaemonCheck, Flags, Flow, Invocation, Verb};
use super::wide::JSON;
use crate::client::{Channel, Client, ClientError, StreamGroup};
use crate::failure::Failure;
use crate::hints::HintRequest;
use crate::line_time;
use crate::log_lines::{Source, last_lines, whole_characters};
use crate::session::Session;
use crate::status;

pub(super) const VERB: Verb = Verb {
    name: "logs",
    daemon_check: DaemonCheck::CheckedAs(status::GENERIC),
    arguments: Arguments::Names(status::GENERIC),
    flags: Flags::Only(&["--follow", JSON, "--lines", "--since", "--stderr"]),
    completion: Completion::Processes,
    help: Some(
        "logs <name> [...]\tThe last 10 lines of the output of processes, each with its name\n\
         logs -n 100 <name>\tThe last 100 *lines*\n\
         logs --since 10min <name> [...]\tThe lines of the last 10 minutes, of rotated files too
\
         logs -f <name> [...]\tFollow the output of all of them until Ctrl-C\n\
         logs --stderr <name>\tThe same of their error output\n\
         logs --json <name>\tOne JSON object a line\n",
    ),
    run: logs,
};

/// How many lines are shown where nothing is said about it.
const DEFAULT_LINES: usize = 10;

/// The pause before another attempt to reach a daemon that does not answer.
const RECONNECT_AFTER: Duration = Duration::from_millis(250);

/// How many pieces may wait for a slow terminal.
const QUEUE_CAPACITY: usize = 16;

/// What the user asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    names: Vec<&'a str>,
    follow: bool,
    /// None where nothing is said about it.
    lines: Option<usize>,
    since: Option<Since>,
    channel: Channel,
    json: bool,
}

impl<'a> Request<'a> {
    /// The error is the text after `Error: `.
    fn parse(words: &[&'a str]) -> Result<Request<'a>, String> {
        let mut request = Request {
            names: Vec::new(),
            follow: false,
            lines: None,
            since: None,
            channel: Channel::Stdout,
            json: false,
        };
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').map_or((*word, None), |(option, value)| (option, Some(value)));
            match option {
                "-f" | "--follow" => request.follow = true,
                JSON => request.json = true,
                "--stderr" => request.channel = Channel::Stderr,
                "-n" | "--lines" => {
                    let value = value.or_else(|| words.next().copied()).unwrap_or_default();
                    let lines = value.parse().map_err(|_| {
                        format!("invalid value for {option} '{value}': a number is expected, such as 100")
                    })?;
                    request.lines = Some(lines);
                }
                "--since" => {
                    let value = value.or_else(|| words.next().copied()).unwrap_or_default();
                    // A line of words has no quotes: the time of day behind a date is a word of its own.
                    let is_whole = Since::parse_time(unquoted(value)).is_some();
                    let with_time = words.peek().filter(|_| !is_whole).map(|time| format!("{value} {time}"));
                    let with_time = with_time.and_then(|text| Since::parse_time(unquoted(&text)));
                    let since = with_time.inspect(|_| _ = words.next()).or_else(|| Since::parse(unquoted(value)));
                    request.since = Some(since.ok_or_else(|| {
                        format!(
                            "invalid value for --since '{value}': write 10min, 1d12h, 2026-11-30 or 2026-11-30T12:00:00"
                        )
                    })?);
                }
                _ => request.names.push(word),
            }
        }
        if request.names.is_empty() { Err("logs requires a process name".to_owned()) } else { Ok(request) }
    }
}

/// From when on lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// So long ago.
    Ago(Duration),
    /// This time, in milliseconds since the epoch.
    At(i64),
}

impl Since {
    /// A time, a day, which begins at midnight, or a duration.
    fn parse(text: &str) -> Option<Since> {
        let day = || Since::parse_time(&format!("{text}T00:00:00"));
        Since::parse_time(text).or_else(day).or_else(|| length(text).map(Since::Ago))
    }

    /// A time, perhaps without seconds.
    fn parse_time(text: &str) -> Option<Since> {
        let at = |text: &str| line_time::parse(text.as_bytes(), &utc_offset).map(Since::At);
        at(text).or_else(|| at(&format!("{text}:00")))
    }

    /// In milliseconds since the epoch.
    fn time(self) -> i64 {
        match self {
            Since::At(time) => time,
            Since::Ago(length) => {
                let time = clock::wall().saturating_sub(length);
                i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }
}

/// A duration, or several with their units, which are added: `1d12h`.
fn length(text: &str) -> Option<Duration> {
    if let Ok(one) = duration::parse(text) {
        return Some(one);
    }
    let (mut sum, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let number = rest.find(char::is_alphabetic)?;
        let unit = rest.get(number..)?.find(|letter: char| !letter.is_alphabetic());
        let (part, behind) = rest.split_at(unit.map_or(rest.len(), |unit| number + unit));
        sum = sum.checked_add(duration::parse(part).ok()?)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

/// A text without the quotes around it.
fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote).map(|rest| rest.strip_suffix(quote).unwrap_or(rest));
    inside('\'').or_else(|| inside('"')).unwrap_or(text)
}

fn utc_offset(seconds: i64) -> i32 {
    local_time::local_time(seconds).utc_offset
}

/// A log, and where it goes on.
struct Log {
    group: String,
    name: String,
    end: u64,
    /// Whether it does not exist yet.
    is_awaited: bool,
}

/// The pause before another look for a log that does not exist yet.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    let as_json = |(group, name): &(String, String)| Source::json(group, name, request.channel.name());
    let mut sources: Vec<Source> = match request.json {
        true => found.iter().map(as_json).collect(),
        false => Source::all(&names, session.console.colour(), || session.console.log_filter()),
    };
    let extent = request
        .since
        .map_or(Extent::Lines(request.lines.unwrap_or(DEFAULT_LINES)), |since| Extent::Since(since.time()));
    let (mut followed, mut texts) = (Vec::new(), Vec::new());
    for (group, name) in found {
        let history = read(session, &request, extent, (&group, &name))?;
        let place = match &history {
            Found::Text(history) => Some((history.end, false)),
            Found::Awaited => Some((0, true)),
            Found::None => None,
        };
        texts.push(if let Found::Text(history) = history { history.text } else { Vec::new() });
        followed.push(place.map(|(end, is_awaited)| Log { group, name, end, is_awaited }));
    }
    show(session, &texts, &mut sources);
    if request.follow && followed.iter().any(Option::is_some) {
        follow(session, request.channel, followed, &mut sources)?;
    }
    for source in &mut sources {
        session.console.raw(&source.end());
    }
    Ok(Flow::Continue)
}

/// What there is of a log.
enum Found {
    /// What it has until now.
    Text(History),
    /// It is made when its program is started.
    Awaited,
    /// Nothing, which has been said.
    None,
}

/// What a log has until now.
fn read(
    session: &mut Session,
    request: &Request<'_>,
    extent: Extent,
    (group, name): (&str, &str),
) -> Result<Found, Failure> {
    let log = HistoryOf { group, name, channel: request.channel, offset: &utc_offset };
    match log.read(session.client()?, extent) {
        Ok(mut history) => {
            // The rest of a character that has not been written whole yet is followed.
            let cut = history.text.len() - whole_characters(&history.text).len();
            history.text.truncate(history.text.len() - cut);
            history.end -= cut as u64;
            if let (Some(lines), Some(_)) = (request.lines, request.since) {
                history.text = last_lines(&history.text, lines, true).0.to_vec();
            }
            if let Some(gap) = history.gap {
                session.fail(status::GENERIC, format_args!("{}: ERROR ({gap})", namespec(group, name)));
            }
            Ok(Found::Text(history))
        }
        Err(error) if error.is_status(404) => {
            let name = namespec(group, name);
            if request.follow
                && let Ok(info) = session.client()?.process_info(&name)
                && let path = if request.channel == Channel::Stdout { info.stdout_logfile } else { info.stderr_logfile }
                && !path.is_empty()
            {
                session.console.print_error_raw(&format!("{name}: waiting for {path}, which does not exist yet\n"));
                return Ok(Found::Awaited);
            }
            session.fail(status::GENERIC, format_args!("{name}: ERROR (no log file)"));
            session.hints.push(HintRequest::no_log(&name, request.channel));
            Ok(Found::None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints what logs have: in the order of times where all lines have one, else one log after the other.
fn show(session: &mut Session, texts: &[Vec<u8>], sources: &mut [Source]) {
    let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let in_order = if slices.len() > 1 { line_time::merged(&slices, &utc_offset) } else { None };
    let lines = in_order.unwrap_or_else(|| slices.into_iter().enumerate().collect());
    for (number, text) in lines {
        if let Some(source) = sources.get_mut(number) {
            session.console.raw(&source.take(text));
        }
    }
}

/// What comes from the threads that follow.
enum Piece {
    Text(usize, String),
    /// Something was not read: so many bytes, where that is known.
    Skipped(usize, Option<u64>, TornLine),
    /// The log cannot be followed any more.
    Ended,
    Interrupted,
}

#[derive(Deserialize)]
struct Output {
    text: String,
}

/// The log goes on elsewhere.
#[derive(Deserialize)]
struct Rotated {
    /// How many bytes were not read; none where all were, and null where nobody knows.
    #[serde(default, deserialize_with = "present")]
    skipped: Option<Option<u64>>,
}

/// A member that is there, though it may be null.
fn present<'de, D: serde::Deserializer<'de>>(member: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(member).map(Some)
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
    let mut names = Vec::new();
    for (number, log) in logs.into_iter().enumerate() {
        names.push(log.as_ref().map(|log| namespec(&log.group, &log.name)).unwrap_or_default());
        let Some(log) = log else { continue };
        let client = session.settings.client().map_err(ClientError::from)?;
        let (streams, sender) = (streams.clone(), sender.clone());
        thread::Builder::new()
            .name("log".into())
            .spawn(move || follow_one(client, channel, (number, log), &streams, &sender))?;
        open += 1;
    }
    while open > 0 && !streams.has_ended() && !session.console.is_closed() {
        match pieces.recv() {
            Ok(Piece::Text(number, text)) => {
                if let Some(source) = sources.get_mut(number) {
                    session.console.raw(&source.take(text.as_bytes()));
                }
            }
            Ok(Piece::Skipped(number, count, torn)) => {
                if let (Some(source), Some(name)) = (sources.get_mut(number), names.get(number)) {
                    let printed = source.tear(torn.0);
                    session.console.raw(&printed);
                    session.console.print_error_raw(&skipped_text(name, count));
                }
            }
            Ok(Piece::Ended) => open -= 1,
            Ok(Piece::Interrupted) | Err(_) => break,
        }
    }
    streams.end();
    Ok(())
}

/// Whether the place behind a gap is within a line, as far as that is known: only the beginning of a file certainly is not.
#[derive(Clone, Copy, Debug, PartialEq)]
struct TornLine(bool);

impl TornLine {
    /// At a place such as `OFFSET-INODE`.
    fn at(place: &str) -> TornLine {
        TornLine(place.split('-').next() != Some("0"))
    }
}

fn skipped_text(name: &str, count: Option<u64>) -> String {
    match count {
        Some(count) => format!("{name}: {count} bytes were not read in time, and are not kept\n"),
        None => format!("{name}: output is missing here, because its file was rotated away before it was read\n"),
    }
}

/// Sends what is appended to a log, through upgrades and restarts of the daemon.
fn follow_one(
    mut client: Client,
    channel: Channel,
    (number, log): (usize, Log),
    streams: &StreamGroup,
    sender: &SyncSender<Piece>,
) {
    let (mut last, mut is_awaited) = (log.end.to_string(), log.is_awaited);
    while !streams.has_ended() {
        match client.follow_log(&log.group, &log.name, channel, &last) {
            Ok(events) => {
                streams.join(events.stopper());
                for event in events.map_while(Result::ok) {
                    is_awaited = false;
                    last.clone_from(&event.id);
                    if event.name == "rotated" {
                        let rotated = serde_json::from_str(&event.data).ok();
                        let skipped = rotated.and_then(|Rotated { skipped }| skipped);
                        let torn = TornLine::at(&event.id);
                        if skipped.is_some_and(|count| sender.send(Piece::Skipped(number, count, torn)).is_err()) {
                            return;
                        }
                    }
                    let output: Option<Output> = serde_json::from_str(&event.data).ok();
                    let Some(Output { text }) = output.filter(|_| event.name == "output") else { continue };
                    if sender.send(Piece::Text(number, text)).is_err() {
                        return;
                    }
                }
            }
            Err(error) if error.is_passing() => {}
            // Its log, or the program itself.
            Err(error) if is_awaited && error.is_missing() => match client.program(&log.group, &log.name) {
                Ok(None) => break,
                _ => thread::sleep(LOOK_AGAIN_AFTER),
            },
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
    fn what_was_not_read_is_told() {
        let skipped = |data: &str| serde_json::from_str(data).map(|Rotated { skipped }| skipped).unwrap();
        assert_eq!(skipped("{}"), None);
        assert_eq!(skipped(r#"{"skipped":null}"#), Some(None));
        assert_eq!(skipped(r#"{"skipped":7}"#), Some(Some(7)));
        assert!(skipped_text("web", Some(7)).starts_with("web: 7 bytes"));
        assert_eq!((TornLine::at("0-17"), TornLine::at("70000-17")), (TornLine(false), TornLine(true)));
    }

    #[test]
    fn options_stand_anywhere() {
        let parse = |line: &'static str| Request::parse(&line.split_whitespace().collect::<Vec<_>>());
        let since = Some(Since::Ago(Duration::from_secs(600)));
        let request = Request {
            names: vec!["web", "db"],
            follow: true,
            lines: Some(100),
            since,
            channel: Channel::Stderr,
            json: false,
        };
        for line in ["-f -n 100 --since 10min --stderr web db", "web --lines=100 db --follow --stderr --since=600"] {
            assert_eq!(parse(line).unwrap(), request, "{line}");
        }
        assert_eq!(parse("web").unwrap().lines, None);
        for line in [
            "--since 2026-11-30 12:00:00Z web",
            "--since '2026-11-30 12:00:00Z' web",
            "--since=2026-11-30 12:00:00Z web",
        ] {
            let request = parse(line).unwrap();
            assert_eq!((request.since, request.names), (Some(Since::At(1_796_040_000_000)), vec!["web"]), "{line}");
        }
        let request = parse("--since 2026-11-30 web 12").unwrap();
        assert_eq!(request.names, ["web", "12"]);
        for (text, seconds) in [("1d12h", 129_600), ("1h30min", 5400), ("5", 5)] {
            assert_eq!(Since::parse(text), Some(Since::Ago(Duration::from_secs(seconds))), "{text}");
        }
        assert_eq!(Since::parse("1d12"), None);
        let at = parse("--since 2026-11-30T12:00:00Z web").unwrap().since;
        assert_eq!(at, Some(Since::At(1_796_040_000_000)));
        for (short, whole) in [("2026-11-30", "2026-11-30T00:00:00"), ("2026-11-30T12:01", "2026-11-30T12:01:00")] {
            let of = |time: &str| Since::parse(time).unwrap();
            assert!(of(short) == of(whole) && matches!(of(short), Since::At(_)), "{short}");
        }
        for (line, part) in [
            ("-f", "requires a process name"),
            ("web -n", "a number is expected"),
            ("-n x web", "'x'"),
            ("web --since", "write 10min"),
            ("--since soon web", "'soon'"),
            ("--since 2026-13-01 web", "2026-11-30 or"),
        ] {
            assert!(parse(line).unwrap_err().contains(part), "{line}");
        }
    }
}
