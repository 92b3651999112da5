//! `restart --rolling`: batch by batch, each well before the next.

use std::time::Duration;

use clap::ArgMatches;
use tokio::time::{Instant, sleep};

use crate::asking::Asking;
use crate::command_line;
use crate::fleet_error::{FleetError, exit_status};
use crate::gathering::Gathering;
use crate::host_name::HostName;
use crate::output::print;
use crate::request::FleetVerb;
use crate::rolling::{BatchSize, Rollout, RolloutStep};
use crate::table;

/// How often a host that is not well yet is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Restarts batch by batch.
pub(crate) async fn run(matches: &ArgMatches) -> Result<u8, FleetError> {
    let batch = match matches.get_one::<String>("batch") {
        None => BatchSize::Hosts(1),
        Some(text) => text.parse().map_err(|error| FleetError::Usage(format!("--batch: {error}")))?,
    };
    let settle = command_line::seconds(matches, "settle", 30.0)?;
    let asking = Asking::open(matches).await?;
    let select = command_line::programs(matches);
    let mut rollout = Rollout::over(asking.hosts.clone(), batch);
    loop {
        match rollout.step() {
            RolloutStep::Finished => return Ok(exit_status::SUCCESS),
            RolloutStep::Stopped(rest) => {
                let rest: Vec<&str> = rest.iter().map(HostName::as_str).collect();
                if !rest.is_empty() {
                    tell(&asking, &serde_json::json!({ "not_restarted": rest }), || {
                        format!("stopped; not restarted: {}\n", rest.join(", "))
                    });
                }
                return Ok(exit_status::GENERIC);
            }
            RolloutStep::Restart(hosts) => {
                if !is_well_after(&asking, hosts, &select, settle).await? {
                    rollout.failed();
                }
            }
        }
    }
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
    let told = table::actions(&restarted, "restarted");
    tell(asking, &table::as_json(&restarted, "results"), || told.text.clone());
    // A host that does not have the program has nothing to become well.
    if told.status != exit_status::SUCCESS && !lacks_programs(&restarted) {
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
            tell(asking, &serde_json::json!({ "not_well": listed }), || {
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
