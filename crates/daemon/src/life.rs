//! One life of the daemon: from a configuration to its end. A restart is the next life in the same process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{ActivityLog, Config, LogLevel, NoticeLevel, Supervisord};
use supervisord_config::pyrepr::repr;
use supervisord_core::auto_log::is_auto_log;
use supervisord_core::rotation::Rotation;
use supervisord_core::supervisor::{Ending, Supervisor};
use supervisord_core::time::Now;
use supervisord_sys::signal::{Signal, Signals};
use supervisord_sys::syslog::Syslog;
use supervisord_sys::{clock, daemonize};

use crate::activity::{Activity, local_time};
use crate::control::{Control, Entrance, Message, Surroundings, Tools};
use crate::follow::FollowHub;
use crate::network::listen::{self, OpenServer};
use crate::network::{self, Clock, Context};
use crate::output::{self, Options, Output, Request};
use crate::pidfile::PidFile;
use crate::privileges;
use crate::start::{ReadConfig, StartError};
use crate::view::View;

/// How long the end of the daemon waits for the last log lines to reach a disk.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The clock of the network plane.
const CLOCK: Clock = Clock { now: epoch, local: local_time };

/// A daemon with everything open and nothing started.
pub struct Life {
    config: Arc<Config>,
    read: ReadConfig,
    output: Output,
    follow: Arc<FollowHub>,
    servers: Vec<OpenServer>,
    signals: Signals,
    serial: u64,
}

impl Life {
    /// Opens everything that can fail while there still is somebody to tell, and goes into the background. What it
    /// opened before a failure is closed again, and nothing that another daemon uses has been touched.
    pub fn prepare(config: Config, read: ReadConfig, first: bool, serial: u64) -> Result<Life, StartError> {
        let settings = &config.supervisord;
        let mut lines = opening_lines(&config);
        lines.extend(privileges::become_user(settings)?);
        if first {
            lines.extend(privileges::raise_limits(settings)?);
        }
        lines.sort_by_key(|(level, _)| *level);
        let servers = listen::open(&config.servers).map_err(|error| StartError(error.to_string()))?;
        let follow = Arc::new(FollowHub::default());
        let output = Output::open(output_options(settings), follow.clone())
            .map_err(|error| StartError(format!("could not open the activity log {}: {}", error.path, error.source)))?;
        let activity = output.activity();
        for (level, line) in lines {
            activity.log(level, &line);
        }
        if !settings.nocleanup {
            remove_auto_logs(settings, &activity);
        }
        listen::announce(&servers, &namespaces(&config), &activity, CLOCK);
        let system = |error: std::io::Error| StartError(format!("cannot start: {error}"));
        let signals = Signals::catch(&Signal::DAEMON).map_err(system)?;
        supervisord_sys::signal::ignore_write_signals().map_err(|error| system(error.into()))?;
        if first && !settings.nodaemon {
            // The parent writes nothing: what was logged so far waits in memory and is written by the child.
            go_into_background(settings, &activity).map_err(system)?;
        }
        Ok(Life { config: Arc::new(config), read, output, follow, servers, signals, serial })
    }

    /// Supervises until the end. Gives the number of the next event with it.
    pub fn live(self) -> Result<(Ending, u64), StartError> {
        let Life { config, read, output, follow, servers, signals, serial } = self;
        let system = |error: std::io::Error| StartError(format!("cannot start: {error}"));
        let entrance = Entrance::new().map_err(system)?;
        let mailbox = entrance.mailbox.clone();
        let activity = output.activity();
        let output = output.start(move |report| mailbox.send(Message::Output(report))).map_err(system)?;
        let pidfile = write_pidfile(&config.supervisord, &activity);
        let view = Arc::new(View::new(config.clone()));
        let context = Context {
            view: view.clone(),
            calls: entrance.calls.clone(),
            activity: activity.clone(),
            activity_file: activity_file(&config.supervisord),
            load_config: read.clone(),
            loading: tokio::sync::Mutex::new(()),
            clock: CLOCK,
            namespaces: namespaces(&config),
        };
        let supervisor = Supervisor::new(config.clone(), present(), seed(), serial);
        let tools = Tools {
            view,
            activity,
            output: output.handle.clone(),
            budget: output.budget.clone(),
            surroundings: Surroundings::new(std::env::vars_os().collect(), &config),
            load_config: read,
        };
        let control = Control::new(entrance, signals, supervisor, tools).map_err(system)?;
        let network = network::start(servers, Arc::new(context), follow).map_err(system)?;
        let end = control.run();
        network.stop();
        drop(pidfile);
        finish_output(output);
        Ok(end)
    }
}

fn opening_lines(config: &Config) -> Vec<(LogLevel, String)> {
    let level = |level| match level {
        NoticeLevel::Warn => LogLevel::Warn,
        NoticeLevel::Info => LogLevel::Info,
    };
    config.notices.iter().map(|notice| (level(notice.level), notice.text.clone())).collect()
}

fn output_options(settings: &Supervisord) -> Options {
    Options {
        activity: settings.logfile.clone(),
        rotation: Rotation { maxbytes: settings.logfile_maxbytes, backups: settings.logfile_backups },
        echo_to_stdout: settings.nodaemon && !settings.silent,
        level: settings.loglevel,
        strip_ansi: settings.strip_ansi,
        syslog: Syslog::new(&program_name()),
    }
}

/// The last part of the name the daemon was started by, which precedes its messages in the system log.
fn program_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_name().map_or_else(|| "supervisord".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn activity_file(settings: &Supervisord) -> Option<String> {
    match &settings.logfile {
        ActivityLog::Syslog => None,
        ActivityLog::File(path) => Some(path.clone()),
    }
}

/// The XML-RPC namespaces besides `system`.
fn namespaces(config: &Config) -> Vec<String> {
    config.rpc_interfaces.iter().map(|interface| interface.name.clone()).collect()
}

/// Removes the automatic logs an earlier daemon of the same identifier left behind.
fn remove_auto_logs(settings: &Supervisord, activity: &Activity) {
    let Ok(entries) = fs::read_dir(&settings.childlogdir) else {
        return activity.log(LogLevel::Warn, "Could not clear childlog dir");
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| is_auto_log(name, &settings.identifier));
        if is_ours && fs::remove_file(entry.path()).is_err() {
            let path = Path::new(&settings.childlogdir).join(entry.file_name());
            activity.log(LogLevel::Warn, &format!("Failed to clean up {}", repr(&path.to_string_lossy())));
        }
    }
}

fn go_into_background(settings: &Supervisord, activity: &Activity) -> std::io::Result<()> {
    let directory = settings.directory.as_deref();
    let background = daemonize::go_into_background(directory.map(Path::new), settings.umask, || {})?;
    activity.log(LogLevel::Info, "daemonizing the supervisord process");
    match (directory, background.directory) {
        (Some(directory), None) => {
            activity.log(LogLevel::Info, &format!("set current directory: {}", repr(directory)));
        }
        (Some(directory), Some(error)) => {
            activity.log(LogLevel::Critical, &format!("can't chdir into {}: {error}", repr(directory)));
        }
        (None, _) => {}
    }
    Ok(())
}

fn write_pidfile(settings: &Supervisord, activity: &Activity) -> Option<PidFile> {
    match PidFile::write(&settings.pidfile) {
        Ok(pidfile) => {
            activity.log(LogLevel::Info, &format!("supervisord started with pid {}", std::process::id()));
            Some(pidfile)
        }
        Err(_) => {
            activity.log(LogLevel::Critical, &format!("could not write pidfile {}", settings.pidfile));
            None
        }
    }
}

/// Lets the output plane write what it has, but not for ever: a disk that hangs must not keep the daemon alive.
fn finish_output(output: output::Running) {
    output.handle.send(Request::Stop);
    let (done, finished) = std::sync::mpsc::channel();
    let waiter = std::thread::Builder::new().name("last words".to_owned()).spawn(move || {
        let _ = output.thread.join();
        let _ = done.send(());
    });
    if waiter.is_ok() {
        let _ = finished.recv_timeout(LAST_WORDS);
    }
}

fn present() -> Now {
    Now { mono: clock::monotonic(), wall: clock::wall() }
}

fn epoch() -> i64 {
    present().epoch()
}

/// Something that differs from one life to the next, for the names of automatic logs.
fn seed() -> u64 {
    let now = clock::wall();
    now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32)
}
