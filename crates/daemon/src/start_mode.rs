//! How the daemon starts: afresh, where the program before an upgrade left off, or with the children of a daemon that was killed.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use supervisord_config::model::{Config, Supervisord};
use supervisord_core::history::History;
use supervisord_core::supervisor::Supervisor;
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::process_tree::{self, TreeMark};
use supervisord_sys::{Pid, host, start_time};

use crate::adoption::{self, Afresh, Found, Remains, UnidentifiedProcesses};
use crate::clock::present;
use crate::control::{HandedChildren, Reconfigured};
use crate::descriptor_store::{self, StoredDescriptor};
use crate::hand_over::{HandOver, HandedKeeper};
use crate::keeper::Keeper;
use crate::output::TransitFiles;
use crate::start_error::StartError;
use crate::state::{Paths, pid_slots};

/// How the daemon starts.
pub enum StartMode {
    /// With nothing but a configuration, and the number of the next event.
    Fresh(u64),
    /// Where the program before left off.
    Upgraded(Box<HandOver<OwnedFd>>),
    /// With the children of a daemon that was killed.
    Adopting(Box<Remains>),
}

/// What a daemon that starts finds.
pub struct Findings {
    /// How it starts.
    pub mode: StartMode,
    /// What the daemon before was writing to a log when it was killed.
    pub transit: Option<TransitFiles>,
    /// The output that it had kept in memory.
    pub output_memory: Option<OwnedFd>,
    /// What could not be taken over, in words.
    pub complaints: Vec<String>,
    /// Processes that must end before any program is started.
    pub unidentified: Option<UnidentifiedProcesses>,
}

/// What does not work without `/proc` although the system could do it.
const NO_TAKE_OVER: &str =
    "if this daemon is killed, the next one cannot take over its programs, and starts them beside those that still run";
const NO_TREES: &str = "kill_scope=tree and kill_scope=cgroup reach only the process group of a program";

/// A supervisor, and what it takes over.
pub struct Prepared {
    /// The supervisor.
    pub supervisor: Supervisor,
    /// What is to be taken over, and what is to be made of it where a daemon was killed.
    pub handed: Option<(HandedChildren, Option<Reconfigured>)>,
    /// The keeper that goes on.
    pub keeper: Option<Keeper>,
    /// What the service manager holds of the program before an upgrade.
    pub stored: Option<Vec<StoredDescriptor>>,
}

impl StartMode {
    /// Looks for what a killed daemon left. `serial` is the number of the next event where nothing was left.
    ///
    /// # Errors
    /// The daemon before still runs.
    pub fn find(config: &Config, directory: &str, serial: u64) -> Result<Findings, StartError> {
        let mut findings = StartMode::look(config, directory, serial)?;
        findings.complaints.extend(without_proc(&config.supervisord));
        Ok(findings)
    }

    fn look(config: &Config, directory: &str, serial: u64) -> Result<Findings, StartError> {
        let fresh = |transit, output_memory, complaints, unidentified| Findings {
            mode: StartMode::Fresh(serial),
            transit,
            output_memory,
            complaints,
            unidentified,
        };
        let stored = descriptor_store::take_given_back();
        let Some(paths) = paths(&config.supervisord) else {
            return Ok(fresh(None, None, Vec::new(), None));
        };
        match adoption::look(&paths, config, directory, stored) {
            Found::Nothing(complaints) => Ok(fresh(None, None, complaints, None)),
            // Somebody is left, or what somebody wrote last, or a program whose restart is delayed.
            Found::Remains(mut remains) if remains.has_children() || remains.awaits_starts() => {
                let (transit, complaints) = (remains.transit.take(), std::mem::take(&mut remains.losses));
                let (output_memory, unidentified) = (remains.output_memory.take(), remains.unidentified.take());
                let mode = StartMode::Adopting(remains);
                Ok(Findings { mode, transit, output_memory, complaints, unidentified })
            }
            Found::Remains(remains) => {
                let Remains { keeper, transit, output_memory, losses, mut unidentified, .. } = *remains;
                match (keeper, &mut unidentified) {
                    (Some(keeper), None) => keeper.end(),
                    (keeper, Some(unidentified)) => unidentified.keeper = keeper,
                    (None, None) => {}
                }
                Ok(fresh(transit, output_memory, losses, unidentified))
            }
            Found::Alive(pid) => Err(StartError(format!(
                "Another supervisord (pid {pid}) is running with the state file {}.  Shut this program down first \
                 before starting supervisord.",
                paths.state_file
            ))),
        }
    }

    /// The automatic logs of children that live on.
    pub fn logs_in_use(&self) -> HashSet<String> {
        let Some(handed) = self.handed() else { return HashSet::new() };
        let members = handed.snapshot.groups.iter().flat_map(|group| &group.members);
        members
            .flat_map(|member| member.stdout_log.iter().chain(&member.stderr_log))
            .map(|log| log.as_ref().to_owned())
            .collect()
    }

    /// What is taken over.
    pub fn handed(&self) -> Option<&HandOver<OwnedFd>> {
        match self {
            StartMode::Fresh(_) => None,
            StartMode::Upgraded(handed) => Some(handed),
            StartMode::Adopting(remains) => Some(&remains.handed),
        }
    }

    /// The keeper that goes on, where a daemon was killed.
    pub fn keeper(&mut self) -> Option<&mut Keeper> {
        match self {
            StartMode::Adopting(remains) => remains.keeper.as_mut(),
            StartMode::Fresh(_) | StartMode::Upgraded(_) => None,
        }
    }

    /// The last events of the program before an upgrade.
    pub fn take_history(&mut self) -> Option<History> {
        match self {
            StartMode::Upgraded(handed) => handed.history.take(),
            StartMode::Fresh(_) | StartMode::Adopting(_) => None,
        }
    }

    /// Makes the supervisor. `seed` makes the names of automatic logs.
    pub fn prepare(self, config: &Arc<Config>, seed: u64) -> Prepared {
        let restore = |handed: HandOver<OwnedFd>| {
            let HandOver { snapshot, children, commands, sockets, next_run, notifications, .. } = handed;
            (
                Supervisor::restore(snapshot, present(), seed),
                HandedChildren { children, commands, sockets, next_run, notifications },
            )
        };
        match self {
            StartMode::Fresh(serial) => {
                let supervisor = Supervisor::new(config.clone(), present(), seed, serial);
                Prepared { supervisor, handed: None, keeper: None, stored: None }
            }
            StartMode::Upgraded(mut handed) => {
                let keeper = handed.keeper.take().zip(paths(&config.supervisord));
                let keeper = keeper.map(|(HandedKeeper { connection, pid, handle }, paths)| {
                    Keeper::handed(connection, pid, handle, &paths.keeper_socket)
                });
                let stored = Some(std::mem::take(&mut handed.stored));
                let (supervisor, children) = restore(*handed);
                Prepared { supervisor, handed: Some((children, None)), keeper, stored }
            }
            StartMode::Adopting(remains) => {
                // What was stopped or given up is so as long as supervision goes on; with nobody left, it begins anew.
                let goes_on = remains.survivors() > 0 || remains.awaits_starts();
                let afresh = remains.afresh.or((!goes_on).then_some(Afresh::NobodyLeft));
                let Remains { handed, keeper, exit, .. } = *remains;
                let (supervisor, children) = restore(*handed);
                // What is to be said about the configuration has been said.
                let config = Config { notices: Vec::new(), ..Config::clone(config) };
                let reconfigured = Reconfigured { config, afresh, exit };
                Prepared { supervisor, handed: Some((children, Some(reconfigured))), keeper, stored: None }
            }
        }
    }
}

/// One line about everything that does not work because `/proc` is not mounted, or is that of another process-id namespace; none
/// where nothing is missing.
fn without_proc(settings: &Supervisord) -> Option<String> {
    let is_mounted = start_time::boot_id().is_some();
    let no_take_over = settings.adopt && host::CAPABILITIES.take_over && !is_mounted;
    let no_trees = TreeMark::random().is_some() && !process_tree::can_list();
    let missing = [no_take_over.then_some(NO_TAKE_OVER), no_trees.then_some(NO_TREES)];
    let missing: Vec<&str> = missing.into_iter().flatten().collect();
    let reason = if is_mounted { "is that of another process-id namespace" } else { "is not mounted" };
    (!missing.is_empty()).then(|| format!("/proc {reason}: {}", missing.join("; ")))
}

/// Where a daemon leaves what the next one needs; none where children do not survive it: this is not wanted, they could not
/// be watched or recognized (without `/proc`), they end with this process because it is the first of its namespace, or the
/// pid file is none that could have others beside it.
pub fn paths(settings: &Supervisord) -> Option<Paths> {
    let is_first = Pid::current().get() == 1;
    let has_room = std::fs::metadata(&settings.pidfile).map_or(true, |found| found.is_file());
    let can_survive = host::CAPABILITIES.take_over && ProcessHandle::is_supported() && start_time::boot_id().is_some();
    let survives = settings.adopt && can_survive && has_room && !is_first;
    survives.then(|| Paths {
        state_file: format!("{}.state", settings.pidfile),
        keeper_socket: PathBuf::from(format!("{}.keeper", settings.pidfile)),
        spawned_pids: pid_slots::path_for(Path::new(&settings.pidfile)),
    })
}
