//! The typed configuration: what a `supervisord.conf` means once it has been read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::client_user::ClientUser;
use crate::date_format::DateFormat;
use crate::dependency::{Dependency, OnDependencyFailure};
use crate::disk_reserve::DiskReserve;
use crate::environment_file::EnvironmentFile;
use crate::forward_target::ForwardTarget;
use crate::host::Account;
use crate::log_compression::LogCompression;
use crate::log_form::LogFormat;
pub use crate::origin::Origin;
use crate::place::Place;
use crate::probe::Probe;
use crate::readiness::ReadyWhen;
use crate::rotate_when::RotateWhen;
use crate::scale::ProgramScale;
use crate::secret::Secret;
use crate::syslog_code::{SyslogFacility, SyslogSeverity};

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The path of the main file, absolute, resolved once so that a later change of directory cannot lose it.
    pub file: String,
    /// The directory of the main file, `%(here)s`.
    pub here: String,
    /// `[supervisord]`, overlaid with the command line.
    pub supervisord: Supervisord,
    /// HTTP servers in the order they are opened: inet in file order, then unix in file order.
    pub servers: Vec<HttpServer>,
    /// `[rpcinterface:x]` sections in file order.
    pub rpc_interfaces: Vec<Plugin>,
    /// Groups sorted by (priority, name); names are unique.
    pub groups: Vec<Arc<Group>>,
    /// The programs that run with another number of processes than their sections say.
    pub scales: Vec<ProgramScale>,
    /// What is to be logged once the activity log is open: all warnings, then all information.
    pub notices: Vec<ConfigNotice>,
}

impl Config {
    /// What is worth a warning about it.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let warnings = self.notices.iter().filter(|notice| notice.level == NoticeLevel::Warn);
        warnings.map(|notice| notice.text.as_str())
    }

    /// What children find in `SUPERVISOR_SERVER_URL` unless told otherwise: the first unix server, else the last inet
    /// server, as `unix://PATH` or `http://HOST:PORT`; none without servers.
    pub fn server_url(&self) -> Option<String> {
        let unix = self.servers.iter().find_map(|server| match &server.address {
            ServerAddress::Unix { path, .. } => Some(format!("unix://{path}")),
            ServerAddress::Inet { .. } => None,
        });
        unix.or_else(|| self.servers.iter().rev().find_map(HttpServer::url))
    }
}

impl HttpServer {
    fn url(&self) -> Option<String> {
        let rest = self.address.host_and_port()?;
        Some(format!("{}://{rest}", if self.tls.is_some() { "https" } else { "http" }))
    }
}

impl ServerAddress {
    /// `HOST:PORT` of a TCP port, with `localhost` where it is open on all interfaces.
    fn host_and_port(&self) -> Option<String> {
        match self {
            ServerAddress::Unix { .. } => None,
            ServerAddress::Inet { host, port } if host.is_empty() => Some(format!("localhost:{port}")),
            ServerAddress::Inet { host, port } if host.contains(':') => Some(format!("[{host}]:{port}")),
            ServerAddress::Inet { host, port } => Some(format!("{host}:{port}")),
        }
    }
}

/// The severity of a [`ConfigNotice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeLevel {
    /// Logged at WARN.
    Warn,
    /// Logged at INFO.
    Info,
}

impl From<NoticeLevel> for LogLevel {
    fn from(level: NoticeLevel) -> LogLevel {
        match level {
            NoticeLevel::Warn => LogLevel::Warn,
            NoticeLevel::Info => LogLevel::Info,
        }
    }
}

/// Something worth saying about a configuration that is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigNotice {
    /// How loud.
    pub level: NoticeLevel,
    /// The text, with the place at its end where one is known.
    pub text: String,
    /// Where that is; none where it is not known.
    pub place: Option<Place>,
}

/// `[supervisord]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supervisord {
    /// Descriptors the daemon must be able to open.
    pub minfds: u64,
    /// Processes the daemon must be able to create.
    pub minprocs: u64,
    /// Where to go when daemonizing.
    pub directory: Option<String>,
    /// Whom to become.
    pub user: Option<Account>,
    /// File mode mask when daemonizing.
    pub umask: u32,
    /// Where the activity log goes.
    pub logfile: ActivityLog,
    /// Size at which the activity log is rotated, in bytes; 0 for never.
    pub logfile_maxbytes: u64,
    /// How many rotated activity logs are kept.
    pub logfile_backups: u32,
    /// In which form its entries are.
    pub logfile_format: ActivityFormat,
    /// When else it is rotated, and which rotated ones are kept.
    pub rotation: LogRotation,
    /// How much of a disk is to stay free for others: with less, nothing more is written to the logs of programs on it.
    pub log_min_free_disk: Option<DiskReserve>,
    /// Path of the audit log, absolute; none where there is none.
    pub audit_logfile: Option<String>,
    /// The directory of what outlives a reboot; none for that of the configuration file.
    pub state_directory: Option<String>,
    /// The least severe level that is logged.
    pub loglevel: LogLevel,
    /// Path of the pid file, absolute.
    pub pidfile: String,
    /// The name of this daemon towards clients and listeners.
    pub identifier: String,
    /// Stay in the foreground.
    pub nodaemon: bool,
    /// In the foreground, do not echo the activity log to stdout.
    pub silent: bool,
    /// Directory of automatic child logs.
    pub childlogdir: String,
    /// Keep automatic child logs of an earlier run.
    pub nocleanup: bool,
    /// Remove terminal escape sequences from child logs.
    pub strip_ansi: bool,
    /// When the daemon ends by itself.
    pub exit_when: ExitWhen,
    /// What an update restarts.
    pub update: UpdateMode,
    /// How many programs may be starting at the same time; 0 for any number.
    pub max_parallel_starts: usize,
    /// Let children survive a daemon that is killed, and take over those of one that was.
    pub adopt: bool,
    /// Added to the environment of every child; every [`Spawn::environment`] already contains it.
    pub environment: Vec<(String, String)>,
}

/// When the daemon ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitWhen {
    /// Never.
    #[default]
    Never,
    /// When every program has finished for good.
    AllFinished,
    /// When a program has failed for good.
    AnyFailed,
}

impl ExitWhen {
    /// All of them.
    pub const ALL: [ExitWhen; 3] = [ExitWhen::Never, ExitWhen::AllFinished, ExitWhen::AnyFailed];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            ExitWhen::Never => "never",
            ExitWhen::AllFinished => "all_finished",
            ExitWhen::AnyFailed => "any_failed",
        }
    }
}

/// What an update of the configuration restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateMode {
    /// Every group in which something has changed, as the original does.
    #[default]
    Groups,
    /// The processes that cannot do without.
    Minimal,
}

impl UpdateMode {
    /// All of them.
    pub const ALL: [UpdateMode; 2] = [UpdateMode::Groups, UpdateMode::Minimal];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            UpdateMode::Groups => "groups",
            UpdateMode::Minimal => "minimal",
        }
    }

    /// The one with this word.
    pub fn from_word(word: &str) -> Option<UpdateMode> {
        UpdateMode::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// Where the activity log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ActivityLog {
    /// To the system log.
    #[default]
    Syslog,
    /// To this file, absolute.
    File(String),
}

/// What happens to output that a log cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBlocked {
    /// It waits, and so does the program.
    Block,
    /// The oldest that waits is lost.
    DropOldest,
    /// The newest is lost.
    DropNewest,
    /// It waits in a file of so many bytes at the most; not 0. Beyond that the newest is lost.
    Spill(u64),
}

impl WhenBlocked {
    /// All that are one word.
    pub const ALL: [WhenBlocked; 3] = [WhenBlocked::Block, WhenBlocked::DropOldest, WhenBlocked::DropNewest];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            WhenBlocked::Block => "block",
            WhenBlocked::DropOldest => "drop_oldest",
            WhenBlocked::DropNewest => "drop_newest",
            WhenBlocked::Spill(_) => "spill",
        }
    }
}

impl fmt::Display for WhenBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhenBlocked::Spill(bytes) => write!(f, "{}:{bytes}", self.word()),
            policy => f.write_str(policy.word()),
        }
    }
}

/// In which form the entries of the activity log are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActivityFormat {
    /// The lines of the original.
    #[default]
    Text,
    /// One JSON object for each entry.
    Json,
}

impl ActivityFormat {
    /// All of them.
    pub const ALL: [ActivityFormat; 2] = [ActivityFormat::Text, ActivityFormat::Json];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            ActivityFormat::Text => "text",
            ActivityFormat::Json => "json",
        }
    }
}

/// Severity of an activity log line, most severe first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    Critical,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
    Blather,
}

impl LogLevel {
    /// The four letters that mark the level in a line.
    pub const fn code(self) -> &'static str {
        match self {
            LogLevel::Critical => "CRIT",
            LogLevel::Error => "ERRO",
            LogLevel::Warn => "WARN",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBG",
            LogLevel::Trace => "TRAC",
            LogLevel::Blather => "BLAT",
        }
    }

    /// The word for it, as `loglevel` has it.
    pub const fn word(self) -> &'static str {
        match self {
            LogLevel::Critical => "critical",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
            LogLevel::Blather => "blather",
        }
    }

    /// The number by which Python code knows it, larger for more severe ones.
    pub const fn number(self) -> i64 {
        match self {
            LogLevel::Critical => 50,
            LogLevel::Error => 40,
            LogLevel::Warn => 30,
            LogLevel::Info => 20,
            LogLevel::Debug => 10,
            LogLevel::Trace => 5,
            LogLevel::Blather => 3,
        }
    }

    /// The level a number of Python code stands for: the most severe one it reaches.
    pub fn from_number(number: i64) -> LogLevel {
        use LogLevel::{Blather, Critical, Debug, Error, Info, Trace, Warn};
        let levels = [Critical, Error, Warn, Info, Debug, Trace];
        levels.into_iter().find(|level| level.number() <= number).unwrap_or(Blather)
    }
}

/// One `[unix_http_server]` or `[inet_http_server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpServer {
    /// The section name, as log lines show it.
    pub section: String,
    /// Where it listens.
    pub address: ServerAddress,
    /// User name and password (plain, or `{SHA}` and 40 hex digits), when authentication is on.
    pub credentials: Option<RequiredCredentials>,
    /// Who else may use it, with rights of their own.
    pub users: Vec<ClientUser>,
    /// The files of its TLS; none where it speaks plain HTTP.
    pub tls: Option<ServerTls>,
    /// Names besides its own by which browsers may ask it; none where only those of a server without a password are
    /// checked.
    pub allowed_hosts: Vec<String>,
    /// Let links on the web page change something, as the original's do, and not only forms.
    pub get_actions: bool,
}

/// The files of the TLS of a server, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Its certificate and those between it and one that clients know, in PEM.
    pub certfile: String,
    /// The private key, in PEM.
    pub keyfile: String,
    /// Certificates of which one must have signed that of a client, in PEM; none where clients need none.
    pub client_ca: Option<String>,
}

/// What a client must present.
#[derive(Clone, PartialEq, Eq)]
pub struct RequiredCredentials {
    /// User name.
    pub username: String,
    /// Password as configured.
    pub password: String,
}

impl fmt::Debug for RequiredCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A TCP port.
    Inet {
        /// Host name or address, lower case; empty for all interfaces.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// Path, absolute.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Owner, unchanged where none.
        uid: Option<u32>,
        /// Group, unchanged where none.
        gid: Option<u32>,
    },
}

/// A section that names Python code: `[rpcinterface:x]` or `[ctlplugin:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The text after the colon.
    pub name: String,
    /// `package.module:attribute`.
    pub factory: String,
    /// All other options of the section, expanded.
    pub options: Vec<(String, String)>,
}

/// A group of processes that is started, stopped, added and removed as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Lower numbers start first and stop last.
    pub priority: i64,
    /// What kind of group.
    pub kind: GroupKind,
    /// Members in stored order; names are unique.
    pub processes: Vec<Arc<Process>>,
}

/// The kinds of group.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupKind {
    /// `[program:x]` by itself, or a `[group:x]`.
    Programs,
    /// `[fcgi-program:x]` by itself.
    FastCgi,
    /// `[eventlistener:x]`.
    Listeners(ListenerPool),
}

/// What is particular to a pool of event listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPool {
    /// How many events wait for a free listener before the oldest is dropped.
    pub buffer_size: usize,
    /// Names of the subscribed events in capitals, without duplicates, in written order.
    pub events: Vec<String>,
    /// `package.module:callable` that judges results.
    pub result_handler: String,
}

/// One supervised process: one of the `numprocs` of a section. Its options stand together by concern.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    pub identity: Identity,
    pub spawn: Spawn,
    pub order: Order,
    pub start: Start,
    pub readiness: Readiness,
    pub restart: Restart,
    pub health: Health,
    pub stop: Stop,
    pub hooks: Hooks,
    pub reload: Reload,
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

    /// The words by which selectors find it, as `@WORD`.
    pub fn labels(&self) -> &[String] {
        &self.identity.tags
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
            order: Order::default(),
            start: Start::default(),
            readiness: Readiness::default(),
            restart: Restart::default(),
            health: Health::default(),
            stop: Stop::default(),
            hooks: Hooks::default(),
            reload: Reload::default(),
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

/// What follows when a process has ended by itself, or could not be started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restart {
    /// Start it again after it ended by itself.
    pub autorestart: AutoRestart,
    /// Exit statuses that `autorestart=unexpected` takes as expected.
    pub exitcodes: Vec<i32>,
    /// When it has finished for good, the daemon stops everything and ends with its status.
    pub essential: bool,
    /// The delay of a restart.
    pub restart_delay: Option<Duration>,
    /// How the delay grows with each failure in a row.
    pub restart_backoff: Option<Backoff>,
    /// The longest delay, without what is added to spread restarts.
    pub restart_max_delay: Option<Duration>,
    /// Which part of a delay is added at random at the most.
    pub restart_jitter: Option<f64>,
    /// How often it is restarted before it is given up, in place of `startretries`.
    pub restart_limit: Option<RestartLimit>,
    /// When it is started again after it has been given up.
    pub fatal_retry: Option<Duration>,
    /// How long it may run.
    pub max_runtime: Option<Duration>,
    /// How long it runs before it is stopped and started again, one of a group at a time.
    pub recycle_after: Option<RecycleAfter>,
}

/// How long a process runs before it is recycled: somewhere between `after - spread` and `after + spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecycleAfter {
    /// The time, before it is spread.
    pub after: Duration,
    /// How much sooner or later it may be.
    pub spread: Duration,
}

/// How the health of a process is watched while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is asked at intervals; none where it is not checked.
    pub healthcheck: Option<Arc<Probe>>,
    /// The time from the end of one check to the next.
    pub healthcheck_interval: Duration,
    /// How long a check may take.
    pub healthcheck_timeout: Duration,
    /// How many checks in a row must fail for it to be unhealthy.
    pub healthcheck_retries: u32,
    /// How long after it has begun to run failures do not count, unless a check has succeeded.
    pub healthcheck_start_period: Duration,
    /// The time from the end of one check to the next within that period.
    pub healthcheck_start_interval: Duration,
    /// How often it must say by itself that it is alive; none where it need not.
    pub watchdog: Option<Duration>,
    /// What follows when it becomes unhealthy.
    pub on_unhealthy: OnUnhealthy,
}

impl Health {
    /// Whether anything tells how it is.
    pub fn is_watched(&self) -> bool {
        self.healthcheck.is_some() || self.watchdog.is_some()
    }
}

/// What follows when a program becomes unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnhealthy {
    /// Nothing, but that it is shown.
    #[default]
    None,
    /// It is stopped, and started again by its restart policy.
    Restart,
    /// It is stopped.
    Stop,
    /// It gets this signal.
    Signal(i32),
}

/// How the delay of restarts grows with each failure in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Not at all.
    Fixed,
    /// By the first delay.
    Linear,
    /// To twice as long.
    Exponential,
}

impl Backoff {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Backoff::Fixed => "fixed",
            Backoff::Linear => "linear",
            Backoff::Exponential => "exponential",
        }
    }
}

/// How often a program is restarted before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartLimit {
    Unlimited,
    /// So many times within any window of this length.
    Within {
        restarts: u32,
        window: Duration,
    },
}

/// How a process is asked, and then made, to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// The signals that ask it to stop, one after the other.
    pub stopsignal: StopSignals,
    /// Seconds from each of them to the next, and to SIGKILL.
    pub stopwaitsecs: i64,
    /// What is done instead of both, where it is written.
    pub stop_sequence: Option<StopSteps>,
    /// Send the stop signal to the process group.
    pub stopasgroup: bool,
    /// Send SIGKILL to the process group.
    pub killasgroup: bool,
    /// Whom all signals of a stop reach, in place of both.
    pub kill_scope: Option<StopScope>,
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

/// Whom the signals of a stop reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopScope {
    /// The process.
    Process,
    /// Its process group.
    Group,
    /// All its descendants.
    Tree,
    /// All in its cgroup, which it gets for itself.
    Cgroup,
}

impl StopScope {
    /// All of them.
    pub const ALL: [StopScope; 4] = [StopScope::Process, StopScope::Group, StopScope::Tree, StopScope::Cgroup];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            StopScope::Process => "process",
            StopScope::Group => "group",
            StopScope::Tree => "tree",
            StopScope::Cgroup => "cgroup",
        }
    }
}

/// The numbers of the signals that ask a process to stop: nearly always one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSignals {
    /// The first one.
    pub first: i32,
    /// Those that follow if it does not exit.
    pub more: Vec<i32>,
}

impl From<i32> for StopSignals {
    fn from(signal: i32) -> StopSignals {
        StopSignals { first: signal, more: Vec::new() }
    }
}

/// SIGTERM.
impl Default for StopSignals {
    fn default() -> StopSignals {
        15.into()
    }
}

/// How a program is stopped, step by step: `exec:/bin/drain:30s, TERM:10s, KILL`. SIGKILL can only be the last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSteps(pub Vec<StopStep>);

/// What is done, and how long the program has to exit before the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopStep {
    /// What is done.
    pub action: StopAction,
    /// The time until the next step.
    pub wait: Duration,
}

/// What is done in a step of a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAction {
    /// The signal of this number is sent.
    Signal(i32),
    /// This command line is run, as a hook is.
    Exec(String),
}

/// Where the output of a process goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// Its stdout log.
    pub stdout: ChannelLog,
    /// Its stderr log; of no effect with `redirect_stderr`.
    pub stderr: ChannelLog,
    /// Send its stderr where its stdout goes.
    pub redirect_stderr: bool,
    /// Write lines into its log when it starts, is sent a signal and ends.
    pub log_markers: bool,
    /// What happens to output that a log cannot take, in place of what happens to all.
    pub log_when_blocked: Option<WhenBlocked>,
    /// What names the program in forwarded lines; none for the name of the process.
    pub syslog_tag: Option<String>,
    /// What kind of program it is for log services.
    pub syslog_facility: SyslogFacility,
    /// What names the host in forwarded lines; none for the name of the system.
    pub syslog_hostname: Option<String>,
    /// The file with the certificates that log services are trusted by; none for those of the system.
    pub syslog_cafile: Option<String>,
}

/// When to start a process again after it ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoRestart {
    /// Always.
    Always,
    /// Never.
    Never,
    /// When its exit status is not in `exitcodes`.
    #[default]
    Unexpected,
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

/// Logging of stdout or stderr of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelLog {
    /// Where it goes.
    pub file: LogFile,
    /// Size at which the file is rotated, in bytes; 0 for never.
    pub maxbytes: u64,
    /// How many rotated files are kept.
    pub backups: u32,
    /// When else the file is rotated, and which rotated ones are kept.
    pub rotation: LogRotation,
    /// Size of the buffer for capture mode, in bytes; 0 turns capture off.
    pub capture_maxbytes: u64,
    /// Emit PROCESS_LOG events.
    pub events_enabled: bool,
    /// In which form its lines stand in the file.
    pub log_format: LogFormat,
    /// Copy it to the system log.
    pub syslog: bool,
    /// The log services that get its lines besides.
    pub log_forward: Vec<ForwardTarget>,
    /// How severe its lines are for them, unless they say so themselves.
    pub log_severity: SyslogSeverity,
}

/// When a log is rotated besides at a size, and which rotated files are kept besides so many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRotation {
    /// The times at which it is rotated.
    pub logfile_rotate: Option<RotateWhen>,
    /// The date in the name of a rotated file; none for a number.
    pub logfile_date_format: Option<DateFormat>,
    /// How old the last line of a rotated file may become.
    pub logfile_max_age: Option<Duration>,
    /// How many bytes all rotated files may have; 0 for any number.
    pub logfile_max_total: u64,
    /// How a rotated file is compressed.
    pub logfile_compress: LogCompression,
}

/// The file of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogFile {
    /// No file.
    None,
    /// A file whose name the daemon makes up.
    #[default]
    Auto,
    /// This file.
    Path(String),
}

/// The socket of an `[fcgi-program:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastCgiSocket {
    /// `unix:///path` or `tcp://host:port`, as log lines show it.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddress,
    /// Pending connections; none for the system's maximum.
    pub backlog: Option<u32>,
}

/// Where a FastCGI socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// A TCP port.
    Tcp {
        /// Host, lower case; an IPv6 address in brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// Path, absolute and normalized.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Owner and group, unchanged where none.
        owner: Option<(u32, Option<u32>)>,
    },
}
