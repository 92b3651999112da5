//! What control works with.

use std::sync::Arc;

use tokio::sync::Notify;

use super::child_env::ChildEnv;
use crate::activity::Activity;
use crate::api::ReadConfig;
use crate::blocking::BlockingThreads;
use crate::descriptor_store::DescriptorStore;
use crate::keeper::Keeper;
use crate::network::listen::SpareServer;
use crate::output::{OutputHandle, ReportBudget, TransitFiles};
use crate::output_memory::OutputMemory;
use crate::plugins::Plugins;
use crate::probing::Prober;
use crate::state::Paths;
use crate::view::View;

/// What control works with.
pub struct Tools {
    /// Where readers look.
    pub view: Arc<View>,
    /// The activity log.
    pub activity: Activity,
    /// The output plane.
    pub output: OutputHandle,
    /// What is kept of output in memory.
    pub memory: Arc<OutputMemory>,
    /// Where the output plane learns that its reports have been dealt with.
    pub budget: ReportBudget,
    /// What every child inherits.
    pub child_env: ChildEnv,
    /// The Python plug-ins.
    pub plugins: Arc<Plugins>,
    /// Runs probes without a process.
    pub prober: Prober,
    /// The threads on which the network plane asks disks and name servers. An upgrade waits for them.
    pub blocking: Vec<BlockingThreads>,
    /// The threads on which descriptors are closed that others have sent, which are among them.
    pub closing: BlockingThreads,
    /// The threads that store which programs are disabled, which are among them.
    pub storing: BlockingThreads,
    /// The path of the file with the disabled programs, or why it must not be written.
    pub disabled_file: Result<String, String>,
    /// Reads the configuration again, on a thread of its own.
    pub load_config: ReadConfig,
    /// Children are to survive the daemon, should it be killed: where it leaves what the next one needs.
    pub survival: Option<Paths>,
    /// Where the service manager's wish is noted to have the configuration updated.
    pub reloads: Arc<Notify>,
    /// The keeper of the daemon before.
    pub keeper: Option<Keeper>,
    /// Where the service manager holds what the keeper holds.
    pub descriptor_store: Option<DescriptorStore>,
    /// What the keeper is to hold of the output plane.
    pub transit: Option<TransitFiles>,
    /// The directory from which relative paths of the configuration count.
    pub start_dir: String,
    /// The servers of the network plane, for the next program.
    pub servers: Vec<SpareServer>,
}
