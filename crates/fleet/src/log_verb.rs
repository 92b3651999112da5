//! `logs`: the ends of logs of many hosts, and what follows them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::ArgMatches;
use supervisord_wire::terminal_text::escaped_in_line;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::asking::Asking;
use crate::command_line;
use crate::fleet_error::{FleetError, exit_status};
use crate::host_name::HostName;
use crate::log_lines::LogLines;
use crate::output::{complain, print};
use crate::request::{FleetAnswer, FleetRefusal, FleetVerb, LogChannel, MAX_SELECTORS};

/// How often followed logs are asked for again. A host stops sending after three times as long.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// After how many times that, a host that says nothing is named.
const SILENT_AFTER: u32 = 3;

/// Prints logs, each line with its host and program.
pub(crate) async fn run(matches: &ArgMatches) -> Result<u8, FleetError> {
    let (follow, tail) = (matches.get_flag("follow"), command_line::number(matches, "bytes", 4096)?);
    let channel = if matches.get_flag("stderr") { LogChannel::Stderr } else { LogChannel::Stdout };
    let asking = Asking::open(matches).await?;
    let select = command_line::programs(matches);
    let verb = FleetVerb::Logs { select: select.clone(), channel, tail, follow, places: BTreeMap::new() };
    // What has been read is asked for no more, and a log of which nothing is known begins where it is then.
    let go_on = |lines: &LogLines, host: &HostName| {
        let places = lines.places(host, MAX_SELECTORS);
        FleetVerb::Logs { select: select.clone(), channel, tail: 0, follow, places }
    };
    let link = asking.client.link();
    let mut connection = link.connected().await;
    let mut request = asking.client.send(&asking.person, asking.hosts.clone(), verb, asking.limit).await?;
    let mut lines = LogLines::new(asking.is_json);
    let mut missing = asking.hosts.clone();
    let mut followed = FollowedHosts::default();
    let mut status = exit_status::SUCCESS;
    let mut renewal = interval(RENEW_EVERY);
    // After a sleep of this machine, once is enough.
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    renewal.tick().await;
    let mut end = Instant::now() + asking.limit;
    while follow || !missing.is_empty() {
        let text = tokio::select! {
            () = sleep_until(end), if !follow => {
                status = exit_status::GENERIC;
                missing.iter().map(|host| format!("{host}  no answer\n")).collect()
            }
            _ = renewal.tick() => {
                if !follow {
                    continue;
                }
                // Hosts that come back, and logs whose deadline for a beginning has passed, are new requests.
                asking.client.renew(&mut request, |host| go_on(&lines, host)).await?;
                followed.asked(&asking.hosts)
            }
            () = link.lost(connection), if follow => {
                complain("supervisor-fleet: the connection to the NATS server is lost; the logs go on where they are when it is back");
                connection = link.connected().await;
                // What was on its way is lost.
                asking.client.send_anew(&mut request, |host| go_on(&lines, host)).await?;
                continue;
            }
            answer = request.next() => match answer {
                None => return Err(FleetError::NoServer("the connection to the NATS server has ended".to_owned())),
                Some((host, Some(FleetAnswer::Log(piece)))) => {
                    end = Instant::now() + asking.limit;
                    followed.heard(&host);
                    let text = lines.take(&host, piece);
                    if let Some(told) = lines.take_complaint() {
                        complain(&format!("supervisor-fleet: {told}"));
                    }
                    text
                }
                Some((host, Some(FleetAnswer::Refused { reason, detail }))) => {
                    let is_new = missing.contains(&host);
                    missing.retain(|other| *other != host);
                    // A host without this program has nothing to say among others.
                    let is_elsewhere = reason == FleetRefusal::UnknownProgram && asking.hosts.len() > 1;
                    if !followed.refused(&host, &detail) || is_elsewhere {
                        continue;
                    }
                    if is_new {
                        status = exit_status::GENERIC;
                    }
                    format!("{host}  ERROR ({})\n", escaped_in_line(&detail))
                }
                Some((host, Some(_))) => {
                    missing.retain(|other| *other != host);
                    followed.well(&host);
                    continue;
                }
                Some((host, None)) if missing.contains(&host) && !follow => {
                    missing.retain(|other| *other != host);
                    status = exit_status::GENERIC;
                    format!("{host}  not connected\n")
                }
                Some((host, None)) => {
                    followed.not_connected(&host);
                    continue;
                }
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

/// What is the matter with hosts whose logs are followed, so that it is told once.
#[derive(Default)]
struct FollowedHosts {
    /// How often a host was asked since something came from it.
    asked: BTreeMap<HostName, u32>,
    away: BTreeSet<HostName>,
    refusals: BTreeMap<HostName, String>,
}

impl FollowedHosts {
    /// All are asked once more. Returns what there is to say about those from which nothing comes.
    fn asked(&mut self, hosts: &[HostName]) -> String {
        let mut told = String::new();
        for host in hosts {
            let asked = self.asked.entry(host.clone()).or_default();
            *asked = asked.saturating_add(1);
            if *asked == SILENT_AFTER {
                let what = if self.away.contains(host) { "not connected" } else { "no answer" };
                told += &format!("{host}  {what}\n");
            }
        }
        told
    }

    fn heard(&mut self, host: &HostName) {
        self.asked.remove(host);
        self.away.remove(host);
    }

    fn well(&mut self, host: &HostName) {
        self.heard(host);
        self.refusals.remove(host);
    }

    /// Returns whether that is new.
    fn refused(&mut self, host: &HostName, detail: &str) -> bool {
        self.heard(host);
        self.refusals.insert(host.clone(), detail.to_owned()).is_none_or(|last| last != detail)
    }

    fn not_connected(&mut self, host: &HostName) {
        self.away.insert(host.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_away_is_named_once() {
        let (near, far) = (HostName::parse("near").unwrap(), HostName::parse("far").unwrap());
        let hosts = [near.clone(), far.clone()];
        let mut followed = FollowedHosts::default();
        let mut told = String::new();
        for _ in 0..10 {
            followed.not_connected(&far);
            followed.well(&near);
            told += &followed.asked(&hosts);
        }
        assert_eq!(told, "far  not connected\n");
        assert!(followed.refused(&far, "no daemon") && !followed.refused(&far, "no daemon"));
        followed.well(&far);
        assert!(followed.refused(&far, "no daemon"));
    }
}
