//! The verbs that ask hosts for something.

use std::cell::Cell;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;

use crate::command_line;
use crate::fleet_client::{FleetClient, selected};
use crate::fleet_error::{FleetError, exit_status};
use crate::gathering::Gathering;
use crate::host_name::{HostName, PersonName};
use crate::nats_link::{NatsLink, Patience};
use crate::output::{complain, print};
use crate::request::FleetVerb;
use crate::subjects;
use crate::table;
use crate::termination::Termination;

/// How long to wait for answers when nobody says so, in seconds.
const WAIT: f64 = 60.0;

/// Who asks whom.
pub(crate) struct Asking {
    pub(crate) client: FleetClient,
    pub(crate) person: PersonName,
    pub(crate) hosts: Vec<HostName>,
    pub(crate) limit: Duration,
    pub(crate) is_json: bool,
}

impl Asking {
    /// Connects, and finds the hosts that are meant.
    pub(crate) async fn open(matches: &ArgMatches) -> Result<Asking, FleetError> {
        let person = command_line::person(matches)?;
        let selectors = command_line::hosts(matches)?;
        let limit = command_line::seconds(matches, "timeout", WAIT)?;
        let name = format!("supervisor-fleet of {person}");
        let nats = command_line::nats(matches)?;
        let link = NatsLink::open(&nats, name, subjects::inbox_prefix(&person), Patience::None, |_| {}).await?;
        let client = FleetClient::new(link);
        let view = client.view().await?;
        let hosts = selected(&view, &selectors);
        if hosts.is_empty() {
            return Err(FleetError::Other(match view.hosts().len() {
                0 => "the fleet has no hosts: no agent has connected yet".to_owned(),
                known => format!("no host is selected; the fleet has {known}"),
            }));
        }
        Ok(Asking { client, person, hosts, limit, is_json: matches.get_flag("json") })
    }

    /// Asks these hosts, and gathers the answers.
    pub(crate) async fn gather(&self, hosts: Vec<HostName>, verb: FleetVerb) -> Result<Gathering, FleetError> {
        self.client.ask(&self.person, hosts, verb, self.limit).await
    }
}

/// Runs `status`, `why`, `health`, `start`, `stop`, `disable`, `enable`, `scale`, or `restart` of all at once.
pub(crate) async fn run(verb: &str, matches: &ArgMatches) -> Result<u8, FleetError> {
    let asking = Asking::open(matches).await?;
    let select = command_line::programs(matches);
    let asked = match verb {
        "start" => FleetVerb::Start { select },
        "stop" => FleetVerb::Stop { select },
        "restart" => FleetVerb::Restart { select },
        "disable" => FleetVerb::Disable { select },
        "enable" => FleetVerb::Enable { select },
        "scale" => {
            let (program, size) = command_line::size(matches)?;
            FleetVerb::Scale { program, size }
        }
        "why" => FleetVerb::Why { select },
        _ => FleetVerb::Status { select },
    };
    // What is only read needs no farewell.
    let termination = match asked.action(&[]) {
        Some(_) => Some(Termination::watch().map_err(|error| FleetError::Other(error.to_string()))?),
        None => None,
    };
    let is_interrupted = Cell::new(false);
    let interruption = async {
        match &termination {
            Some(termination) => termination.requested().await,
            None => std::future::pending().await,
        }
        is_interrupted.set(true);
    };
    let (person, hosts) = (&asking.person, asking.hosts.clone());
    let gathering = asking.client.ask_until(interruption, person, hosts, asked, asking.limit).await?;
    if is_interrupted.get() {
        complain("interrupted; hosts that have not answered may still do it");
    }
    let told = match verb {
        "start" => table::actions(&gathering, "started"),
        "stop" => table::actions(&gathering, "stopped"),
        "restart" => table::actions(&gathering, "restarted"),
        "disable" => table::actions(&gathering, "disabled"),
        "enable" => table::actions(&gathering, "enabled"),
        "scale" => table::scaled(&gathering),
        "why" => table::why(&gathering),
        "health" => table::health(&gathering),
        _ => table::status(&gathering),
    };
    let written = match (asking.is_json, verb) {
        (false, _) => print(&told.text),
        (true, "health") => {
            let problems = table::problems(&gathering);
            let problem = |(host, problem): &(HostName, String)| json!({ "host": host, "problem": problem });
            let listed: Vec<_> = problems.iter().map(problem).collect();
            print(&format!("{}\n", json!({ "healthy": problems.is_empty(), "problems": listed })))
        }
        (true, "status") => print(&format!("{}\n", table::as_json(&gathering, "programs"))),
        (true, _) => print(&format!("{}\n", table::as_json(&gathering, "results"))),
    };
    // Whoever closes our output has seen enough, or has not seen everything.
    Ok(if written { told.status } else { exit_status::GENERIC })
}
