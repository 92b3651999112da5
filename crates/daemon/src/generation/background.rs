//! How the daemon goes into the background, and where it says that it runs.

use std::path::Path;

use supervisord_config::model::{LogLevel, Supervisord};
use supervisord_config::pyrepr::repr;
use supervisord_sys::Errno;
use supervisord_sys::daemonize;
use supervisord_sys::user::current_name;

use crate::activity::Activity;
use crate::pidfile::{self, DaemonPidFile, PidFile};
use crate::start_mode::StartMode;

/// With process 1 its whole container or namespace ends, whatever it has left in the background.
pub(super) fn stays_in_foreground(settings: &Supervisord) -> bool {
    settings.nodaemon || std::process::id() == 1
}

pub(super) fn in_foreground_as_first_process() -> (LogLevel, String) {
    let text = "supervisord is process 1 and stays in the foreground, because everything else would end with it; write \
                nodaemon=true in [supervisord], or use -n";
    (LogLevel::Warn, text.to_owned())
}

pub(super) fn go_into_background(settings: &Supervisord, activity: &Activity) -> std::io::Result<()> {
    let directory = settings.directory.as_deref();
    let background = daemonize::go_into_background(directory.map(Path::new), settings.umask, || {})?;
    activity.log(LogLevel::Blather, "supervisord forked; parent exiting");
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

pub(super) fn write_pidfile(settings: &Supervisord, activity: &Activity, mode: &StartMode) -> DaemonPidFile {
    let path = &settings.pidfile;
    let error = match PidFile::write(path) {
        Ok(pidfile) => {
            activity.log(LogLevel::Info, &opening_line(mode));
            return DaemonPidFile::Written(pidfile);
        }
        Err(error) => error,
    };
    let is_full = pidfile::is_full(&error);
    let (reason, user) = (Errno::from(error), current_name());
    let text = format!(
        "could not write pidfile {path} ({reason}, as user {user}: write pidfile=PATH in [supervisord], or --pidfile=PATH)"
    );
    activity.log(LogLevel::Critical, &text);
    if !is_full {
        return DaemonPidFile::Missing;
    }
    let (activity, text) = (activity.clone(), format!("the pid file {path} is written now"));
    DaemonPidFile::retry(path, move || activity.log(LogLevel::Info, &text))
}

fn opening_line(mode: &StartMode) -> String {
    let pid = std::process::id();
    match mode {
        StartMode::Fresh(_) => format!("supervisord started with pid {pid}"),
        StartMode::Upgraded(_) => format!("supervisord upgraded with pid {pid}"),
        StartMode::Adopting(remains) => {
            let survivors = remains.survivors();
            let processes = if survivors == 1 { "process" } else { "processes" };
            format!("supervisord started with pid {pid}, taking over {survivors} {processes} of a killed daemon")
        }
    }
}
