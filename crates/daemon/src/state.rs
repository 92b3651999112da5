//! The state: what another daemon must know to go on if this one is killed.
//!
//! It is a sequence of lines (see [`record`]), to which one is added before a child is made and whenever something has
//! changed. It stands in two places. A memory file, which the keeper holds as well, has every line at once: no disk can
//! hold it up, tear it or be too full for it. The state file beside the pid file is written by the output plane as soon as
//! its disk takes it; it counts only where the keeper was killed, too. A daemon that ends in an orderly way leaves neither.

mod automatic_logs;
mod client_user;
pub mod command;
pub mod configuration;
mod counts;
mod definition;
mod encoding;
mod health;
pub mod history;
mod journal;
mod last_end;
mod last_request;
mod listener;
mod options;
pub mod pid_slots;
mod pool;
mod process_record;
mod reader;
mod record;
mod restarts;
mod rolling_turn;
mod run;
mod scale;
mod service_status;
mod snapshot;
mod stable;
mod stop_decision;
pub mod stream;
pub mod version;
pub mod version_1;

use std::path::PathBuf;

pub use automatic_logs::Logs;
pub use journal::{Journal, MemoryFile};
pub use process_record::ProcessRecord;
pub use reader::{Member, State, read, writer};
pub use record::{Record, Socket, Writer};
pub use run::{CommandRun, Run, Runs, run_id};
pub use snapshot::Snapshot;

/// Where a daemon leaves what the next one needs.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The state file.
    pub state_file: String,
    /// The socket of the keeper.
    pub keeper_socket: PathBuf,
    /// The file with the process ids of the children that were made last; none where no file system is in memory.
    pub spawned_pids: Option<PathBuf>,
}
