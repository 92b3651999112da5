//! `logs`: the ends of logs of many hosts, and what follows them.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ArgMatches;
use supervisord_wire::terminal_text::{escaped, escaped_in_line};
use tokio::time::{Instant, interval, sleep_until};

use crate::asking::Asking;
use crate::command_line;
use crate::fleet_error::{FleetError, exit_status};
use crate::host_name::HostName;
use crate::output::print;
use crate::request::{FleetAnswer, FleetRefusal, FleetVerb, LogChannel, LogPiece};

/// How often followed logs are asked for again. A host stops sending after three times as long.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The longest line that is put together, in bytes.
const MAX_LINE: usize = 64 << 10;
/// The most logs of which an unfinished line is kept.
const MAX_LOGS: usize = 4096;

/// Prints logs, each line with its host and program.
pub(crate) async fn run(matches: &ArgMatches) -> Result<u8, FleetError> {
    let (follow, tail) = (matches.get_flag("follow"), command_line::number(matches, "bytes", 4096)?);
    let channel = if matches.get_flag("stderr") { LogChannel::Stderr } else { LogChannel::Stdout };
    let asking = Asking::open(matches).await?;
    let verb = FleetVerb::Logs { select: command_line::programs(matches), channel, tail, follow };
    let mut request = asking.client.send(&asking.person, asking.hosts.clone(), verb).await?;
    let mut lines = LogLines { is_json: asking.is_json, unfinished: BTreeMap::new() };
    let mut missing = asking.hosts.clone();
    let mut status = exit_status::SUCCESS;
    let mut renewal = interval(RENEW_EVERY);
    renewal.tick().await;
    let mut end = Instant::now() + asking.limit;
    while follow || !missing.is_empty() {
        let text = tokio::select! {
            () = sleep_until(end), if !follow => {
                status = exit_status::GENERIC;
                missing.iter().map(|host| format!("{host}  no answer\n")).collect()
            }
            _ = renewal.tick() => {
                // Hosts that come back, and logs whose deadline for a beginning has passed, are new requests.
                let verb = FleetVerb::Logs { select: command_line::programs(matches), channel, tail: 0, follow };
                if follow {
                    asking.client.renew(&mut request, verb).await?;
                }
                continue;
            }
            answer = request.next() => match answer {
                None => return Err(FleetError::NoServer("the connection to the NATS server has ended".to_owned())),
                Some((host, Some(FleetAnswer::Log(piece)))) => {
                    end = Instant::now() + asking.limit;
                    lines.take(&host, piece)
                }
                Some((host, Some(FleetAnswer::Refused { reason, detail }))) => {
                    let is_new = missing.contains(&host);
                    missing.retain(|other| *other != host);
                    // A host without this program has nothing to say among others.
                    if !is_new || reason == FleetRefusal::UnknownProgram && asking.hosts.len() > 1 {
                        continue;
                    }
                    status = exit_status::GENERIC;
                    format!("{host}  ERROR ({})\n", escaped_in_line(&detail))
                }
                Some((host, Some(_))) => {
                    missing.retain(|other| *other != host);
                    continue;
                }
                Some((host, None)) if missing.contains(&host) && !follow => {
                    missing.retain(|other| *other != host);
                    status = exit_status::GENERIC;
                    format!("{host}  not connected\n")
                }
                Some((_, None)) => continue,
            }
        };
        if !print(&text) {
            return Ok(exit_status::GENERIC);
        }
        if !follow && status == exit_status::GENERIC && Instant::now() >= end {
            break;
        }
    }
    print(&lines.rest());
    Ok(status)
}

/// Makes whole lines of pieces.
struct LogLines {
    is_json: bool,
    unfinished: BTreeMap<(HostName, String), String>,
}

impl LogLines {
    fn take(&mut self, host: &HostName, piece: LogPiece) -> String {
        let LogPiece { program, text, dropped } = piece;
        if self.is_json {
            return format!(
                "{}\n",
                serde_json::json!({ "host": host, "program": program, "text": text, "dropped": dropped })
            );
        }
        let mut told = String::new();
        if dropped > 0 {
            told =
                format!("{host}  {}  ({dropped} bytes left out: the log grows too fast)\n", escaped_in_line(&program));
        }
        let key = (host.clone(), program);
        if self.unfinished.len() >= MAX_LOGS && !self.unfinished.contains_key(&key) {
            self.unfinished.clear();
        }
        let kept = self.unfinished.entry(key.clone()).or_default();
        kept.push_str(&text);
        while let Some(end) = kept.find('\n').or_else(|| (kept.len() > MAX_LINE).then_some(kept.len())) {
            told.push_str(&line(&key, &kept[..end]));
            kept.drain(..kept.len().min(end + 1));
        }
        told
    }

    /// What no line feed has ended.
    fn rest(&self) -> String {
        let unfinished = self.unfinished.iter().filter(|(_, text)| !text.is_empty());
        unfinished.map(|(key, text)| line(key, text)).collect()
    }
}

fn line((host, program): &(HostName, String), text: &str) -> String {
    format!("{host}  {}  {}\n", escaped_in_line(program), escaped(text.trim_end_matches('\r')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines_of_their_host() {
        let mut lines = LogLines { is_json: false, unfinished: BTreeMap::new() };
        let mut take = |host: &str, text: &str, dropped| {
            let piece = LogPiece { program: "web".to_owned(), text: text.to_owned(), dropped };
            lines.take(&HostName::parse(host).unwrap(), piece)
        };
        assert_eq!(take("a", "one\ntw", 0), "a  web  one\n");
        assert_eq!(take("b", "x\u{1b}[31m\r\n", 0), "b  web  x\\x1b[31m\n");
        assert_eq!(take("a", "o\n", 7), "a  web  (7 bytes left out: the log grows too fast)\na  web  two\n");
        assert_eq!(take("a", "end", 0), "");
        // A name cannot look like the line of another host.
        let piece = LogPiece { program: "x\nb  web".to_owned(), text: "\t1\n".to_owned(), dropped: 1 };
        let told = lines.take(&HostName::parse("a").unwrap(), piece);
        assert_eq!(told.lines().filter(|line| line.starts_with("a  x\\x0ab  web  ")).count(), 2, "{told}");
        assert_eq!(lines.rest(), "a  web  end\n");
    }
}
