//! One supervised process: its options by concern.

use std::sync::Arc;
use std::time::Duration;

use super::{CopyOnWrite, FastCgiSocket, Health, Logging, Restart, Stop};
use crate::dependency::{Dependency, OnDependencyFailure};
use crate::environment_file::EnvironmentFile;
use crate::host::Account;
use crate::origin::Origin;
use crate::readiness::ReadyWhen;
use crate::secret::Secret;

/// One supervised process: one of the `numprocs` of a section. Its options stand together by concern. Those that are hardly ever its
/// own alone are shared with others.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    pub identity: Identity,
    pub spawn: Spawn,
    pub order: CopyOnWrite<Order>,
    pub start: Start,
    pub readiness: CopyOnWrite<Readiness>,
    pub restart: CopyOnWrite<Restart>,
    pub health: CopyOnWrite<Health>,
    pub stop: CopyOnWrite<Stop>,
    pub hooks: CopyOnWrite<Hooks>,
    pub reload: CopyOnWrite<Reload>,
    pub logging: Logging,
}

impl Process {
    /// What must hold before it is started.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.order.depends_on
    }

    /// The files of variables that are read at its start.
    pub fn environment_files(&self) -> &[EnvironmentFile] {
        &self.spawn.env_file
    }

    /// Where the values of its secrets are.
    pub fn places_of_secrets(&self) -> &[Secret] {
        &self.spawn.secrets
    }

    /// The share of processor time it gets, for those who do not start it: -20 for the most, 19 for the least.
    pub fn scheduling_priority(&self) -> Option<i8> {
        self.spawn.nice
    }

    /// The words by which selectors find it, as `@WORD`.
    pub fn labels(&self) -> &[String] {
        &self.identity.tags
    }

    /// Keeps what it has in common with another process only once.
    pub(crate) fn share_with(&mut self, other: &Process) {
        let Process {
            identity: _,
            spawn: _,
            order,
            start: _,
            readiness,
            restart,
            health,
            stop,
            hooks,
            reload,
            logging,
        } = self;
        order.share_with(&other.order);
        readiness.share_with(&other.readiness);
        restart.share_with(&other.restart);
        health.share_with(&other.health);
        stop.share_with(&other.stop);
        hooks.share_with(&other.hooks);
        reload.share_with(&other.reload);
        logging.forwarding.share_with(&other.logging.forwarding);
        logging.stdout.rotation.share_with(&other.logging.stdout.rotation);
        logging.stderr.rotation.share_with(&other.logging.stderr.rotation);
    }

    /// A process of a section before any option has been set.
    pub(crate) fn blank(section: &str, origin: Origin) -> Process {
        Process {
            identity: Identity {
                name: String::new(),
                number: 0,
                section: section.to_owned(),
                origin,
                priority: 0,
                tags: Vec::new(),
            },
            spawn: Spawn::default(),
            order: CopyOnWrite::default(),
            start: Start::default(),
            readiness: CopyOnWrite::default(),
            restart: CopyOnWrite::default(),
            health: CopyOnWrite::default(),
            stop: CopyOnWrite::default(),
            hooks: CopyOnWrite::default(),
            reload: CopyOnWrite::default(),
            logging: Logging::default(),
        }
    }
}

/// Who a process is, and where it stands among the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Name, expanded.
    pub name: String,
    /// Its number among those of its section; below zero only where `numprocs_start` is.
    pub number: i64,
    /// The section it comes from.
    pub section: String,
    /// Where that section begins.
    pub origin: Origin,
    /// Lower numbers start first and stop last.
    pub priority: i64,
    /// By which selectors find it; [`Process::labels`] for those who only read them.
    pub tags: Vec<String>,
}

/// What a process is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spawn {
    /// Command line, expanded, not yet split into words.
    pub command: String,
    /// Where to run it.
    pub directory: Option<String>,
    /// File mode mask.
    pub umask: Option<u32>,
    /// The share of processor time it gets: -20 for the most, 19 for the least; none for the daemon's own.
    pub nice: Option<i8>,
    /// Whom it runs as.
    pub user: Option<Account>,
    /// Added to its environment: the pairs of `[supervisord]`, overlaid with the section's own.
    pub environment: Vec<(String, String)>,
    /// Files of variables, which are read at each start; `environment` wins over them.
    pub env_file: Vec<EnvironmentFile>,
    /// A command that tells further variables before each start; they win over those of files.
    pub env_command: Option<String>,
    /// Variables whose values are looked up at each start; they win over `environment`.
    pub secrets: Vec<Secret>,
    /// Whether it finds those as files in a private directory, and not as variables.
    pub secret_files: bool,
    /// What to tell it in `SUPERVISOR_SERVER_URL`.
    pub serverurl: ProgramServerUrl,
    /// The listening socket it gets as descriptor 0.
    pub socket: Option<Arc<FastCgiSocket>>,
}

/// On which other processes a process depends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What must hold before it is started; [`Process::dependencies`] for those who only read it.
    pub depends_on: Vec<Dependency>,
    /// What becomes of it when one of them fails.
    pub on_dependency_failure: OnDependencyFailure,
}

/// When a process is started, and when it counts as started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Whether it is to stay or to run to its end; [`Process::is_oneshot`] for those who only read it.
    pub r#type: ProgramType,
    /// Start it with the daemon.
    pub autostart: bool,
    /// Seconds it must stay alive to count as running; negative like 0.
    pub startsecs: i64,
    /// How many more attempts after the first.
    pub startretries: i64,
}

/// What a program is started for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgramType {
    /// To run until it is stopped.
    #[default]
    Simple,
    /// To do its work and end.
    Oneshot,
}

impl ProgramType {
    /// All of them.
    pub const ALL: [ProgramType; 2] = [ProgramType::Simple, ProgramType::Oneshot];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            ProgramType::Simple => "simple",
            ProgramType::Oneshot => "oneshot",
        }
    }
}

/// When a process that has started is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What says that it is ready; none where it is ready once it runs.
    pub ready_when: Option<ReadyWhen>,
    /// How long after its start it must be ready, where something says that.
    pub ready_timeout: Duration,
}

/// The commands that are run at certain moments in the life of a process. Each runs as the user of the process, in its directory
/// and with its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before it is started; a failure is a failed start.
    pub pre_start: Option<String>,
    /// When it has become RUNNING.
    pub post_start: Option<String>,
    /// Before it is stopped.
    pub pre_stop: Option<String>,
    /// After each end of its child.
    pub post_stop: Option<String>,
    /// How long each of them may take.
    pub hook_timeout: Duration,
}

/// How a process is told to read its configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// The number of the signal that it is sent.
    pub reload_signal: Option<i32>,
    /// The command that is run, as a hook is.
    pub reload_command: Option<String>,
}

/// `serverurl` of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProgramServerUrl {
    /// The daemon's own.
    #[default]
    Auto,
    /// This text; empty leaves the variable out.
    Text(String),
}
