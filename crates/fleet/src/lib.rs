//! Many hosts, one view: the agent beside a daemon, the client and the hub, which meet on NATS.
//!
//! What decides is free of input and output: names ([`host_name`], [`host_selector`], [`subjects`]), messages ([`report`],
//! [`request`], [`event_batch`]), which commands are executed ([`command_memory`]), who has answered ([`gathering`]), in which
//! order hosts are restarted ([`rolling`]), who is lost ([`fleet_view`]).

mod agent;
mod asking;
mod clock;
mod command_journal;
pub mod command_line;
pub mod command_memory;
pub mod daemon_link;
pub mod event_batch;
mod event_verb;
pub mod fleet_client;
pub mod fleet_error;
pub mod fleet_view;
pub mod gathering;
pub mod host_name;
pub mod host_selector;
mod hub;
mod log_lines;
pub mod log_place;
mod log_verb;
mod login_name;
pub mod nats_link;
mod output;
mod random_id;
pub mod report;
pub mod request;
pub mod rolling;
mod rolling_restart;
pub mod send_budget;
pub mod server_sent;
mod signal_pipe;
mod store_setup;
pub mod stream_reader;
pub mod subjects;
pub mod table;
mod termination;

use std::process::ExitCode;

use clap::ArgMatches;
use tokio::runtime::Builder;

use crate::agent::AgentOptions;
use crate::fleet_error::{FleetError, exit_status};
use crate::hub::HubOptions;
use crate::nats_link::{NatsLink, Patience};
use crate::output::complain;
use crate::store_setup::StoreLimits;

/// Runs `supervisor-fleet` on the command line of this process.
pub fn main() -> ExitCode {
    let matches = match command_line::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| FleetError::Other(format!("cannot begin: {error}")));
    let done = runtime.and_then(|runtime| runtime.block_on(run(&matches)));
    ExitCode::from(done.unwrap_or_else(|error| {
        complain(&format!("supervisor-fleet: {error}"));
        error.exit_status()
    }))
}

async fn run(matches: &ArgMatches) -> Result<u8, FleetError> {
    if let Some(("agent" | "hub" | "setup" | "completions", options)) = matches.subcommand() {
        command_line::asks_nobody(options)?;
    }
    match matches.subcommand() {
        Some(("agent", options)) => {
            agent::run(AgentOptions {
                host: command_line::host(options)?,
                labels: command_line::labels(options)?,
                daemon: command_line::daemon(options)?,
                state: command_line::state(options),
                nats: command_line::nats(options)?,
                log: complain,
            })
            .await?;
            Ok(exit_status::SUCCESS)
        }
        Some(("hub", options)) => {
            hub::run(HubOptions {
                listen: command_line::listen(options)?,
                tls: command_line::server_tls(options)?,
                people: command_line::path(options, "people"),
                python: command_line::file(options, "python")?,
                nats: command_line::nats(options)?,
                log: complain,
            })
            .await?;
            Ok(exit_status::SUCCESS)
        }
        Some(("setup", options)) => {
            let limits =
                StoreLimits { replicas: command_line::number(options, "replicas", 1)?, ..StoreLimits::default() };
            let nats = command_line::nats(options)?;
            let link = NatsLink::open(
                &nats,
                "supervisor-fleet setup".to_owned(),
                "_INBOX.setup".to_owned(),
                Patience::None,
                |_| {},
            );
            store_setup::set_up(&link.await?.jetstream, limits).await?;
            output::print(&format!("ready: bucket {}, stream {}\n", subjects::BUCKET, subjects::EVENTS_STREAM));
            Ok(exit_status::SUCCESS)
        }
        Some(("completions", options)) => {
            output::print(&command_line::completions(options));
            Ok(exit_status::SUCCESS)
        }
        Some(("restart", options)) if command_line::is_rolling(options)? => rolling_restart::run(options).await,
        Some(("logs", options)) => log_verb::run(options).await,
        Some(("events", options)) => event_verb::run(options).await,
        Some((verb, options)) => asking::run(verb, options).await,
        None => Err(FleetError::Usage("write what is to be done".to_owned())),
    }
}
