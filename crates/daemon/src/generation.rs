//! One generation of the daemon: from a configuration to its end. A restart is the next generation in the same process.

mod background;
mod exclusive;
mod output_plane;
mod time_limit;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::Purpose;
use supervisord_config::model::{ActivityLog, Config, LogLevel, Supervisord};
use supervisord_config::pyrepr::repr;
use supervisord_config::scale::{ProgramScale, ScaleRequest};
use supervisord_core::auto_log::is_auto_log;
use supervisord_core::disabled::DisabledPrograms;
use supervisord_core::supervisor::{Ending, Supervisor};
use supervisord_sys::signal::{Signal, Signals};
use tokio::sync::Notify;

use crate::activity::Activity;
use crate::adoption::UnidentifiedProcesses;
use crate::api::{self, Api, Clock, ReadConfig};
use crate::blocking::BlockingThreads;
use crate::clock::{local_time, present};
use crate::control::{self, ChildEnv, Control, End, Inbox, Message, MessageSender, Tools};
use crate::descriptor_store::DescriptorStore;
use crate::disabled_file;
use crate::follow::FollowHub;
use crate::hand_over::{self, HandOver, HandedServer};
use crate::memory_budget::MemoryBudget;
use crate::network::listen::{self, OpenServer};
use crate::network::{self, PlaneTask};
use crate::output::Output;
use crate::pidfile::{Lock, Taken};
use crate::plugins::process::Launcher;
use crate::plugins::{BUILT_IN, NotifyControl, Plugins};
use crate::privileges;
use crate::probing;
use crate::service_manager::{self, ServiceManager};
use crate::start_error::StartError;
use crate::start_mode::{self, Findings, Prepared, StartMode};
use crate::view::View;
use crate::xmlrpc::Responder;

use background::{go_into_background, in_foreground_as_first_process, stays_in_foreground, write_pidfile};
use exclusive::{Place, take_place};
use output_plane::{FINAL_WRITE_LIMIT, finish_output, log_final_line, open_output, reopen_output};
use time_limit::within;

/// How long an upgrade waits at its end for threads that ask a disk or a name server.
const BLOCKING_LIMIT: Duration = Duration::from_secs(2);

/// The clock of the network plane.
const CLOCK: Clock = Clock { now: || present().epoch(), local: local_time };

/// A daemon with everything open and nothing started.
pub struct Generation {
    config: Arc<Config>,
    start: GenerationContext,
    output: Output,
    follow: Arc<FollowHub>,
    servers: Vec<OpenServer>,
    mode: StartMode,
    /// Processes that must end before any program is started.
    unidentified: Option<UnidentifiedProcesses>,
    /// That of the pid file.
    lock: Lock,
}

/// Reads the configuration, now or again; the error is the message of the original. It may block. Python code that the
/// configuration names is imported by a plug-in process, which the launcher starts. Programs have these numbers of processes.
pub type Reader = Arc<dyn Fn(Purpose, &[ScaleRequest], Launcher) -> Result<Config, String> + Send + Sync>;

/// What stays the same from one generation to the next.
#[derive(Clone)]
pub struct GenerationContext {
    /// Reads the configuration again.
    pub read: Reader,
    /// The directory the daemon was started in, from which relative paths of the configuration count.
    pub directory: String,
}

/// How a generation ends.
pub enum GenerationEnd {
    /// The daemon is to exit with this status.
    Exit(u8),
    /// The next generation has this configuration, and this number for its next event. It obeys the signals that come between
    /// the two.
    Restart(Box<Config>, u64, Signals),
    /// Another program is to go on.
    HandOver(Box<HandOver<OwnedFd>>, Signals),
    /// Another program was to go on, but cannot, for this reason: this one goes on.
    NotHandedOver(Box<HandOver<OwnedFd>>, Signals, &'static str),
}

impl Generation {
    /// Begins the first generation: opens everything that can fail while there still is somebody to tell, catches the signals
    /// that all generations obey, and goes into the background.
    pub fn begin(config: Config, start: GenerationContext) -> Result<(Generation, Signals), StartError> {
        let generation = Generation::open(config, start, true, 0)?;
        let signals = catch_signals()?;
        let settings = &generation.config.supervisord;
        if !stays_in_foreground(settings) {
            // The parent writes nothing: what was logged so far waits in memory and is written by the child.
            go_into_background(settings, &generation.output.activity()).map_err(cannot_start)?;
        }
        Ok((generation, signals))
    }

    /// Opens everything that can fail. What it opened before a failure is closed again, and nothing that another daemon
    /// uses has been touched.
    fn open(config: Config, start: GenerationContext, first: bool, serial: u64) -> Result<Generation, StartError> {
        let settings = &config.supervisord;
        let mut lines = opening_lines(&config);
        if first {
            lines.extend(privileges::permit_threads()?);
            lines.extend((stays_in_foreground(settings) && !settings.nodaemon).then(in_foreground_as_first_process));
        }
        lines.extend(privileges::become_user(settings)?);
        if first {
            lines.extend(privileges::raise_limits(settings)?);
        }
        lines.sort_by_key(|(level, _)| *level);
        let Place { lock, servers, findings } = take_place(&config, &start.directory, serial)?;
        let config = as_scaled(config, &findings.mode, &start);
        let settings = &config.supervisord;
        let Findings { mode, transit, output_memory, complaints, unidentified } = findings;
        let follow = Arc::new(FollowHub::default());
        let mut output = open_output(settings, &follow)?;
        if let Some(transit) = transit {
            output.take_over(transit);
        }
        if let Some(memory) = output_memory {
            output.take_over_memory(memory);
        }
        let activity = output.activity();
        lines.extend(complaints.into_iter().map(|complaint| (LogLevel::Warn, complaint)));
        for (level, line) in lines {
            activity.log(level, &line);
        }
        if !settings.nocleanup {
            remove_auto_logs(settings, &mode.logs_in_use(), &activity);
        }
        listen::announce(&servers, &namespaces(&config), &activity, CLOCK);
        Ok(Generation { config: Arc::new(config), start, output, follow, servers, mode, unidentified, lock })
    }

    /// Begins again with another configuration. Where its log or its servers cannot be opened, those of the generation before
    /// serve on: everything has been stopped already, and nobody may be there who could start it again.
    pub fn restart(
        config: Config,
        before: &Config,
        start: GenerationContext,
        serial: u64,
    ) -> Result<Generation, StartError> {
        let reason = match Generation::open(config.clone(), start.clone(), false, serial) {
            Ok(generation) => return Ok(generation),
            Err(reason) => reason,
        };
        let settings = &before.supervisord;
        let own = Config { supervisord: settings.clone(), servers: before.servers.clone(), ..config.clone() };
        // A user that was given up does not come back, and as another one its programs must not run.
        let again = match config.supervisord.user == settings.user {
            true => Generation::open(own, start, false, serial),
            false => Err(reason.clone()),
        };
        match &again {
            Ok(generation) => generation.log(
                LogLevel::Error,
                &format!("restarted with the [supervisord] section and the servers of before, because those of the configuration cannot be used: {reason}"),
            ),
            Err(_) => log_final_line(settings, &format!("cannot restart: {reason}")),
        }
        again
    }

    /// Goes on where the program before left off.
    pub fn resume(mut handed: HandOver<OwnedFd>, start: GenerationContext) -> Result<Generation, StartError> {
        let config = handed.snapshot.config.clone();
        let follow = Arc::new(FollowHub::default());
        let mut output = reopen_output(&config.supervisord, &follow)?;
        if let Some(transit) = handed.transit.take() {
            output.take_over(transit);
        }
        if let Some(memory) = handed.output_memory.take() {
            output.take_over_memory(memory);
        }
        let mut servers = Vec::new();
        for HandedServer { config, socket, clients } in std::mem::take(&mut handed.servers) {
            let section = config.section.clone();
            match OpenServer::adopt(config, socket, clients, &output.activity()) {
                Ok(server) => servers.push(server),
                Err(error) => {
                    let text = format!("Server '{section}' is lost in the upgrade: {error}");
                    output.activity().log(LogLevel::Error, &text);
                }
            }
        }
        let pidfile = &config.supervisord.pidfile;
        let lock = match handed.lock.take() {
            Some(lock) => Lock::handed(pidfile, lock),
            // The release before had none.
            None => Lock::take(pidfile).unwrap_or_else(|Taken { .. }| Lock::none(pidfile)),
        };
        let mode = StartMode::Upgraded(Box::new(handed));
        Ok(Generation { config, start, output, follow, servers, mode, unidentified: None, lock })
    }

    /// What the next generation needs, too.
    pub fn start_parameters(&self) -> GenerationContext {
        self.start.clone()
    }

    /// What this generation began with.
    pub fn config(&self) -> Arc<Config> {
        self.config.clone()
    }

    /// Writes a line to the activity log.
    pub fn log(&self, level: LogLevel, line: &str) {
        self.output.activity().log(level, line);
    }

    /// Supervises until the end, and obeys these signals.
    pub fn run(self, signals: Signals) -> Result<GenerationEnd, StartError> {
        let Generation { config, start, mut output, follow, servers, mut mode, unidentified, mut lock } = self;
        let inbox = Inbox::new().map_err(cannot_start)?;
        let sender = inbox.message_sender.clone();
        let activity = output.activity();
        let (activity_in_turns, audit) = (output.activity_in_turns(), output.audit());
        let (transit, memory) = (output.transit_files(), output.memory());
        let output = output.start(move |report| sender.send(Message::Output(report))).map_err(cannot_start)?;
        lock.name_holder();
        let pidfile = write_pidfile(&config.supervisord, &activity, &mode);
        if let Some(unidentified) = unidentified {
            unidentified.end(&config, mode.keeper(), &|level, line| activity.log(level, line));
        }
        let history = mode.take_history();
        let view = match history {
            Some(history) => View::with_history(config.clone(), history),
            None => View::new(config.clone()),
        };
        let view = Arc::new(view);
        let notify = notice_to(inbox.message_sender.clone());
        let plugins = Arc::new(Plugins::new(&config, Path::new(&start.directory), notify.clone()));
        let read = start.read.clone();
        let load_config: ReadConfig =
            Arc::new(move |purpose, scales| (read)(purpose, scales, Launcher::Control(notify.clone())));
        let daemon = api::Daemon {
            view: view.clone(),
            calls: inbox.calls.clone(),
            activity_file: activity_file(&config.supervisord),
            memory: memory.clone(),
            load_config: load_config.clone(),
        };
        let api = Arc::new(Api::new(daemon, activity.clone(), MemoryBudget::for_answers(), CLOCK).with_audit(audit));
        let plugin_task = plugins.take_work().map(|work| {
            let api = api.clone();
            network::task(move || work.run(api))
        });
        let answers = inbox.message_sender.clone();
        let blocking =
            [api.blocking.clone(), BlockingThreads::default(), BlockingThreads::default(), BlockingThreads::default()];
        let [_, for_probes, closing, storing] = blocking.clone();
        let warnings = activity.clone();
        let (prober, probes) = probing::queue(
            api.descriptors() / 8,
            for_probes,
            move |answer| answers.send(Message::Probed(answer)),
            move |text| warnings.log(LogLevel::Warn, text),
        );
        let own_environment = hand_over::environment();
        let reloads = Arc::new(Notify::new());
        let service_manager = tell_service_manager(&own_environment, view.clone(), &api, &reloads, &inbox);
        let tasks =
            plugin_task.into_iter().chain([network::task(move || probes.run())]).chain(service_manager).collect();
        let xmlrpc = Responder::new(api, namespaces(&config), plugins.clone());
        let servers_again =
            servers.iter().map(OpenServer::spare).collect::<std::io::Result<_>>().map_err(cannot_start)?;
        let knows_disabled = mode.handed().is_some_and(|handed| handed.snapshot.disabled.is_some());
        let Prepared { mut supervisor, handed, keeper, stored } = mode.prepare(&config, seed());
        let survival = start_mode::paths(&config.supervisord);
        let descriptor_store = match survival {
            Some(_) => DescriptorStore::open(&own_environment, stored, activity.clone()),
            // What a daemon before has left there is of no use.
            None => {
                DescriptorStore::open(&own_environment, stored, activity.clone())
                    .into_iter()
                    .for_each(DescriptorStore::end);
                None
            }
        };
        let disabled_file = match knows_disabled {
            // The program before may have had a list that it could not read, and must not write.
            true => writable_disabled(&config).map(|(path, _)| path),
            false => tell_disabled(&config, &mut supervisor, &activity),
        };
        let tools = Tools {
            servers: servers_again,
            view,
            activity: activity_in_turns,
            output: output.handle.clone(),
            memory,
            budget: output.budget.clone(),
            child_env: ChildEnv::new(service_manager::without_own_variables(own_environment), &config),
            load_config,
            reloads,
            survival,
            descriptor_store,
            transit,
            keeper,
            start_dir: start.directory,
            plugins,
            prober,
            blocking: blocking.to_vec(),
            closing,
            storing,
            disabled_file,
        };
        let resumed = matches!(handed, Some((_, None)));
        let mut control = Control::new(inbox, signals, supervisor, tools).map_err(cannot_start)?;
        if let Some((handed, reconfigured)) = handed {
            control.resume(handed, reconfigured);
        }
        let network = network::start(servers, Arc::new(xmlrpc), follow, tasks).map_err(cannot_start)?;
        let (end, network) = control.run(network, resumed);
        match end {
            End::Stopped { ending, serial, signals, leftover } => {
                within("last files", FINAL_WRITE_LIMIT, move || {
                    if let Some(network) = network {
                        network.stop();
                    }
                    leftover.reap();
                    pidfile.remove();
                });
                finish_output(output);
                // At the very end: the output plane removes the state file, which must not be that of the next daemon.
                within("lock", FINAL_WRITE_LIMIT, move || drop(lock));
                Ok(match ending {
                    Ending::Exit(status) => GenerationEnd::Exit(status),
                    Ending::Restart(config) => GenerationEnd::Restart(config, serial, signals),
                })
            }
            End::HandOver { mut handed, signals, leftover } => {
                // It stays what it is: the process keeps its id.
                pidfile.leave();
                handed.lock = lock.hand_over();
                leftover.reap();
                // The exec of another program waits for all threads, those that a disk holds up, too.
                let is_idle = blocking.iter().all(|threads| threads.wait_until_idle(BLOCKING_LIMIT));
                finish_output(output);
                Ok(match is_idle {
                    true => GenerationEnd::HandOver(handed, signals),
                    false => GenerationEnd::NotHandedOver(handed, signals, control::NO_ANSWER),
                })
            }
        }
    }
}

/// The configuration with the programs scaled that the daemon scaled which was killed. Where it cannot be read again, it is as it
/// is written.
fn as_scaled(config: Config, mode: &StartMode, start: &GenerationContext) -> Config {
    let StartMode::Adopting(remains) = mode else { return config };
    let scales: Vec<ScaleRequest> = remains.handed.snapshot.config.scales.iter().map(ProgramScale::request).collect();
    if scales.is_empty() || remains.afresh.is_some() {
        return config;
    }
    (start.read)(Purpose::Reread, &scales, Launcher::Caller).unwrap_or(config)
}

/// Tells the supervisor which programs are disabled. Gives the path of the file that says so, or why it must not be written:
/// where it cannot be read, it may name programs that nobody knows of.
fn tell_disabled(config: &Config, supervisor: &mut Supervisor, activity: &Activity) -> Result<String, String> {
    match writable_disabled(config) {
        Ok((path, disabled)) => {
            supervisor.set_disabled_programs(Arc::new(disabled));
            Ok(path)
        }
        Err(reason) => {
            activity.log(LogLevel::Error, &format!("no program counts as disabled, because {reason}"));
            Err(reason)
        }
    }
}

/// The path of the file that says which programs are disabled, and what it says. The error says why it cannot be read, and what to
/// do.
fn writable_disabled(config: &Config) -> Result<(String, DisabledPrograms), String> {
    let path = disabled_file::path(config);
    match disabled_file::read(&path) {
        Ok(disabled) => Ok((path, disabled)),
        Err(reason) => Err(format!("{reason}; remove the file or repair it, and reload")),
    }
}

/// The task that tells the service manager how the daemon is, if there is one.
fn tell_service_manager(
    environment: &[(OsString, OsString)],
    view: Arc<View>,
    api: &Arc<Api>,
    reloads: &Arc<Notify>,
    inbox: &Inbox,
) -> Option<PlaneTask> {
    match ServiceManager::from_environment(environment, std::process::id())? {
        Ok(manager) => {
            let (api, control, reloads) = (api.clone(), inbox.message_sender.notifier(), reloads.clone());
            Some(network::watching_task(move |plane| manager.run(view, api, control, reloads, plane)))
        }
        Err(error) => {
            let text = format!("cannot notify the service manager at NOTIFY_SOCKET: {error}");
            api.activity.log(LogLevel::Warn, &text);
            None
        }
    }
}

/// Catches what the daemon obeys. The handlers stay for all generations, so that nothing is lost between two.
pub fn catch_signals() -> Result<Signals, StartError> {
    let of_service_manager = service_manager::is_there().then_some(Signal::Urgent);
    let signals = Signal::DAEMON.into_iter().chain([Signal::User1]).chain(of_service_manager);
    let signals = Signals::catch(&signals.collect::<Vec<_>>()).map_err(cannot_start)?;
    supervisord_sys::signal::ignore_write_signals().map_err(|error| cannot_start(error.into()))?;
    Ok(signals)
}

fn cannot_start(error: std::io::Error) -> StartError {
    StartError(format!("cannot start: {error}"))
}

fn opening_lines(config: &Config) -> Vec<(LogLevel, String)> {
    config.notices.iter().map(|notice| (notice.level.into(), notice.text.clone())).collect()
}

fn activity_file(settings: &Supervisord) -> Option<String> {
    match &settings.logfile {
        ActivityLog::Syslog => None,
        ActivityLog::File(path) => Some(path.clone()),
    }
}

/// Hands what plug-ins have to say to the control plane.
fn notice_to(sender: MessageSender) -> NotifyControl {
    Arc::new(move |notice| sender.send(Message::Plugins(notice)))
}

/// The built-in XML-RPC namespaces besides `system`.
fn namespaces(config: &Config) -> Vec<String> {
    let built_in = config.rpc_interfaces.iter().filter(|interface| BUILT_IN.contains(&interface.factory.as_str()));
    built_in.map(|interface| interface.name.clone()).collect()
}

/// Removes the automatic logs an earlier daemon of the same identifier left behind.
fn remove_auto_logs(settings: &Supervisord, in_use: &HashSet<String>, activity: &Activity) {
    let Ok(entries) = fs::read_dir(&settings.childlogdir) else {
        return activity.log(LogLevel::Warn, "Could not clear childlog dir");
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| is_auto_log(name, &settings.identifier));
        let is_in_use = in_use.contains(entry.path().to_string_lossy().as_ref());
        if is_ours && !is_in_use && fs::remove_file(entry.path()).is_err() {
            let path = Path::new(&settings.childlogdir).join(entry.file_name());
            activity.log(LogLevel::Warn, &format!("Failed to clean up {}", repr(&path.to_string_lossy())));
        }
    }
}

/// Something that differs from one generation to the next, for the names of automatic logs.
fn seed() -> u64 {
    present().wall.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32)
}
