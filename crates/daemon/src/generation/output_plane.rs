//! How the output plane of a generation is opened, and how it ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{ActivityForwarding, ActivityLog, LogLevel, Supervisord};
use supervisord_config::syslog_code::SyslogSeverity;
use supervisord_core::output::forward::{ForwardOrigin, ForwardPlan, TlsFiles};
use supervisord_core::rotation::Rotation;
use supervisord_core::rotation::rules::RotationRules;
use supervisord_sys::Errno;
use supervisord_sys::host;
use supervisord_sys::syslog::Syslog;
use supervisord_sys::user::current_name;

use super::background::stays_in_foreground;
use super::time_limit::within;
use crate::follow::FollowHub;
use crate::output::{self, Options, Output, OutputRequest};
use crate::start_error::StartError;

/// How long the end of the daemon waits for the last log lines to reach a disk.
pub(super) const FINAL_WRITE_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn open_output(settings: &Supervisord, follow: &Arc<FollowHub>) -> Result<Output, StartError> {
    Output::open(output_options(settings), follow.clone()).map_err(|error| {
        let (reason, user) = (Errno::from(error.source), current_name());
        if settings.audit_logfile.as_ref() == Some(&error.path) {
            return StartError(format!(
                "could not open the audit log {}: {reason}, as user {user}: write audit_logfile=PATH in [supervisord], with a path \
                 where this user may write",
                error.path
            ));
        }
        StartError(format!(
            "could not open the activity log {}: {reason}, as user {user}: write logfile=PATH in [supervisord], or \
             --logfile=PATH, with a path where this user may write",
            error.path
        ))
    })
}

/// After an upgrade there is no way back: where the activity log or the audit log cannot be opened any more, the system log stands
/// in for the first, and nothing for the second.
pub(super) fn reopen_output(settings: &Supervisord, follow: &Arc<FollowHub>) -> Result<Output, StartError> {
    open_output(settings, follow).or_else(|reason| {
        let without_audit = Supervisord { audit_logfile: None, ..settings.clone() };
        let syslog = Supervisord { logfile: ActivityLog::Syslog, ..without_audit.clone() };
        let output = open_output(&without_audit, follow).or_else(|_| open_output(&syslog, follow))?;
        output.activity().log(LogLevel::Error, &reason.0);
        Ok(output)
    })
}

fn output_options(settings: &Supervisord) -> Options {
    Options {
        activity: settings.logfile.clone(),
        format: settings.logfile_format,
        audit: settings.audit_logfile.clone(),
        rotation: Rotation { maxbytes: settings.logfile_maxbytes, backups: settings.logfile_backups },
        rotation_rules: RotationRules::of(&settings.rotation),
        disk_reserve: settings.log_min_free_disk,
        spill_directory: settings.childlogdir.clone(),
        forward: forward_plan(&settings.forwarding),
        echo_to_stdout: stays_in_foreground(settings) && !settings.silent,
        level: settings.loglevel,
        strip_ansi: settings.strip_ansi,
        syslog: Syslog::new(&program_name()),
    }
}

/// Where the entries of the activity log are forwarded; none where they are not.
fn forward_plan(forwarding: &ActivityForwarding) -> Option<ForwardPlan> {
    let ActivityForwarding { logfile_forward: targets, tag, facility, hostname, cafile, certfile, keyfile } =
        forwarding;
    let daemon = || "supervisord".to_owned();
    let origin = ForwardOrigin {
        facility: *facility,
        tag: tag.clone().unwrap_or_else(daemon),
        hostname: hostname.clone().unwrap_or_else(host::node_name),
        program: daemon(),
        group: String::new(),
        process: daemon(),
        channel: None,
        pid: Some(std::process::id()),
    };
    let tls = TlsFiles { trusted: cafile.clone(), certificate: certfile.clone(), key: keyfile.clone() };
    let plan = ForwardPlan { targets: targets.clone(), tls, severity: SyslogSeverity::INFO, origin: origin.into() };
    (!targets.is_empty()).then_some(plan)
}

/// The last part of the name the daemon was started by, which precedes its messages in the system log.
fn program_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_name().map_or_else(|| "supervisord".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Writes a last line to the activity log of a generation that is over. Who went into the background has nobody else to tell.
pub(super) fn log_final_line(settings: &Supervisord, line: &str) {
    let Ok(output) = open_output(settings, &Arc::default()) else { return };
    output.activity().log(LogLevel::Critical, line);
    if let Ok(output) = output.start(|_| ()) {
        finish_output(output);
    }
}

/// Lets the output plane write what it has, but not for ever.
pub(super) fn finish_output(output: output::Running) {
    output.handle.send(OutputRequest::Stop);
    within("final writes", FINAL_WRITE_LIMIT, move || _ = output.thread.join());
}
