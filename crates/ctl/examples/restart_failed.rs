//! Starts all FATAL processes again: `cargo run -p supervisord-ctl --example restart_failed --
//! unix:///tmp/supervisor.sock`.

#![expect(clippy::print_stdout, reason = "an example for people")]

use std::error::Error;

use supervisord_ctl::client::{Client, ServerUrl};
use supervisord_wire::name::namespec;
use supervisord_wire::state::ProcessState;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://localhost:9001".to_owned());
    let mut client = Client::new(ServerUrl::parse(&url)?, None);
    for process in client.all_process_info()? {
        if process.state == ProcessState::Fatal {
            let name = namespec(&process.group, &process.name);
            match client.start_process(&name, true) {
                Ok(()) => println!("{name}: runs again"),
                Err(error) => println!("{name}: {error}"),
            }
        }
    }
    Ok(())
}
