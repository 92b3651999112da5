//! A long random run of a daemon whose invariants are checked all the time.
//!
//! `cargo test --release --test soak -- --ignored [--seconds N] [--seed N]`
//!
//! Programs that write, crash, ignore SIGTERM and have children of their own are started, stopped, killed, signalled,
//! added and removed at random, while clients call, follow logs and disconnect. The daemon itself is restarted, upgraded
//! and killed, and the next one takes over. The printed seed decides the actions; their interleaving is not
//! reproducible. The invariants are in [`invariants`] and [`writers`].

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the output is for the user of the command")]

#[allow(dead_code, unused_imports)] // the suite uses more of it
#[path = "../suite"]
mod suite {
    pub mod harness;
    pub mod torture {
        pub mod resources;
    }
}
mod invariants;
mod workload;
mod writers;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[allow(unused_imports)] // the harness knows itself by this name
use suite::harness;
use suite::harness::random::Random;
use workload::Workload;

/// The default duration.
const DEFAULT: Duration = Duration::from_secs(120);

struct Options {
    length: Duration,
    seed: u64,
}

fn main() {
    let Some(options) = options() else {
        return println!(
            "soak: ignored; run it with `cargo test --release --test soak -- --ignored [--seconds N] [--seed N]`"
        );
    };
    let Options { length, seed } = options;
    println!("soak: {} seconds, --seed {seed}", length.as_secs());
    let start = Instant::now();
    let mut workload = Workload::begin(Random::new(seed));
    while start.elapsed() < length {
        workload.step();
    }
    let summary = workload.end();
    println!("soak: passed after {} seconds, --seed {seed}\n{summary}", start.elapsed().as_secs());
}

/// The options; none when this is an ordinary run of all tests.
fn options() -> Option<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = false;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut options = Options { length: DEFAULT, seed: now.as_micros() as u64 };
    while let Some(argument) = arguments.next() {
        let mut number =
            || arguments.next().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{argument} N"));
        match argument.as_str() {
            "--ignored" | "--include-ignored" => wanted = true,
            "--seconds" => (wanted, options.length) = (true, Duration::from_secs(number())),
            "--seed" => (wanted, options.seed) = (true, number()),
            // This argument is for the other tests of the same run.
            _ => {}
        }
    }
    wanted.then_some(options)
}
