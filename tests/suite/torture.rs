//! Overload, failures and attacks: the daemon must neither lose nor leak anything.
//!
//! Every scenario is short by default. `TORTURE=full cargo test --test suite -- torture --nocapture` makes them long
//! and large; a variable read with [`dial`] sets the size of one of them:
//!
//! | variable | default | full | meaning |
//! |---|---|---|---|
//! | `SOAK_SECONDS` | 4 | 600 | how long crashing and hostile clients go on |
//! | `CRASHERS` | 40 | 500 | programs that crash at random |
//! | `FLOOD_MIB` | 128 | 1024 | output of a flooding child |
//! | `RESTARTS` | 300 | 1000 | restarts of its neighbour |
//! | `CONNECTIONS` | 10000 | 10000 | clients that connect and say nothing |

mod children;
mod clients;
mod clock;
mod crashes;
mod disks;
mod exhaustion;
mod floods;
mod hangs;
mod resources;

/// A number that an environment variable may set; the defaults are for an ordinary and for a full run.
fn dial(variable: &str, usual: u64, full: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text}: expected a number")),
        Err(_) if std::env::var("TORTURE").is_ok_and(|size| size == "full") => full,
        Err(_) => usual,
    }
}
