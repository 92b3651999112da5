//! `restart --rolling`: batch by batch, each well before the next.

use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::asking::Asking;
use crate::command_line;
use crate::fleet_error::{FleetError, exit_status};
use crate::gathering::{Gathering, HostReply};
use crate::host_name::HostName;
use crate::output::print;
use crate::request::FleetVerb;
use crate::rolling::{BatchSize, Rollout, RolloutStep};
use crate::table;
use crate::termination::Termination;

/// How often a host that is not well yet is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long hosts may take to tell whether they have the programs. Who does not, is among those that are restarted.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Restarts batch by batch.
pub(crate) async fn run(matches: &ArgMatches) -> Result<u8, FleetError> {
    let batch = match matches.get_one::<String>("batch") {
        None => BatchSize::Hosts(1),
        Some(text) => text.parse().map_err(|error| FleetError::Usage(format!("--batch: {error}")))?,
    };
    let settle = command_line::seconds(matches, "settle", 30.0)?;
    let asking = Asking::open(matches).await?;
    let select = command_line::programs(matches);
    let termination = Termination::watch().map_err(|error| FleetError::Other(error.to_string()))?;
    let look = FleetVerb::Status { select: select.clone() };
    let seen = tokio::select! {
        seen = asking.client.ask(&asking.person, asking.hosts.clone(), look, asking.limit.min(LOOK_WITHIN)) => seen?,
        () = termination.requested() => return Ok(interrupted(&asking, &[], &asking.hosts)),
    };
    let has_any = |(_, reply): &(&HostName, &HostReply)| !table::has_no_such_program(reply);
    let hosts: Vec<HostName> = seen.replies().iter().filter(has_any).map(|(host, _)| host.clone()).collect();
    if hosts.is_empty() {
        let told = table::actions(&seen, "restarted");
        tell(&asking, &table::as_json(&seen, "results"), || told.text);
        return Ok(told.status);
    }
    let mut rollout = Rollout::over(hosts, batch);
    let mut begun = Vec::new();
    tokio::select! {
        done = roll(&asking, &mut rollout, &mut begun, &select, settle) => done,
        () = termination.requested() => Ok(interrupted(&asking, &begun, rollout.rest())),
    }
}

/// Goes over the hosts. Those of the present batch are in `begun`.
async fn roll(
    asking: &Asking,
    rollout: &mut Rollout,
    begun: &mut Vec<HostName>,
    select: &[String],
    settle: Duration,
) -> Result<u8, FleetError> {
    loop {
        match rollout.step() {
            RolloutStep::Finished => return Ok(exit_status::SUCCESS),
            RolloutStep::Stopped(rest) => {
                if !rest.is_empty() {
                    let names = names(&rest);
                    tell(asking, &json!({ "not_restarted": rest }), || format!("stopped; not restarted: {names}\n"));
                }
                return Ok(exit_status::GENERIC);
            }
            RolloutStep::Restart(hosts) => {
                begun.clone_from(&hosts);
                if !is_well_after(asking, hosts, select, settle).await? {
                    rollout.failed();
                }
            }
        }
    }
}

/// Tells how far it has come, for whoever has interrupted it.
fn interrupted(asking: &Asking, begun: &[HostName], rest: &[HostName]) -> u8 {
    tell(asking, &json!({ "interrupted": true, "unfinished": begun, "not_restarted": rest }), || {
        let begun = if begun.is_empty() {
            String::new()
        } else {
            format!("; asked to restart, not known to be healthy: {}", names(begun))
        };
        let rest = if rest.is_empty() { String::new() } else { format!("; not restarted: {}", names(rest)) };
        format!("interrupted{begun}{rest}\n")
    });
    exit_status::GENERIC
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// Restarts a batch, and waits until it is well.
async fn is_well_after(
    asking: &Asking,
    hosts: Vec<HostName>,
    select: &[String],
    settle: Duration,
) -> Result<bool, FleetError> {
    let select = select.to_vec();
    let restarted = asking.gather(hosts.clone(), FleetVerb::Restart { select: select.clone() }).await?;
    // Programs that have gone meanwhile have nothing to become well.
    if lacks_programs(&restarted) {
        return Ok(true);
    }
    let told = table::actions(&restarted, "restarted");
    tell(asking, &table::as_json(&restarted, "results"), || told.text);
    if told.status != exit_status::SUCCESS {
        return Ok(false);
    }
    let end = Instant::now() + settle;
    loop {
        let seen = asking.gather(hosts.clone(), FleetVerb::Status { select: select.clone() }).await?;
        if lacks_programs(&seen) {
            return Ok(true);
        }
        let problems = table::problems(&seen);
        let is_settling = seen.replies().values().flat_map(table::programs).any(|program| {
            program.health.as_deref() == Some("starting") || ["STARTING", "STOPPING"].contains(&program.state.as_str())
        });
        if problems.is_empty() && !is_settling {
            return Ok(true);
        }
        if Instant::now() >= end {
            let listed: Vec<String> = problems.iter().map(|(host, problem)| format!("{host}  {problem}\n")).collect();
            tell(asking, &json!({ "not_well": listed }), || {
                if listed.is_empty() { "not well in time\n".to_owned() } else { listed.concat() }
            });
            return Ok(false);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether no host of a batch has any of the programs.
fn lacks_programs(gathering: &Gathering) -> bool {
    gathering.replies().values().all(table::has_no_such_program)
}

fn tell(asking: &Asking, value: &serde_json::Value, text: impl FnOnce() -> String) {
    // The restart goes on when nobody reads what it says.
    let _ = if asking.is_json { print(&format!("{value}\n")) } else { print(&text()) };
}
