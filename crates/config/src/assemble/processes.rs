//! The processes of a `[program:x]`, `[fcgi-program:x]` or `[eventlistener:x]` section.

use std::sync::Arc;

use super::Inputs;
use super::supervisord::{count, unsigned};
use crate::accounts;
use crate::complaint::Complaint;
use crate::convert::{auto_restart, boolean, byte_size, exit_codes, integer, name, octal};
use crate::environment::{self, Environment};
use crate::error::ConfigError;
use crate::expand::{Names, expand, expand_again};
use crate::host::{Account, DaemonHost};
use crate::model::{
    ChannelLog, FastCgiSocket, Identity, LogFile, Logging, Process, Restart, ServerUrl, Spawn, Start, Stop,
};
use crate::notices::Notices;
use crate::path;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::reader::Reader;
use crate::schema::SectionKind;
use crate::signal;
use crate::words;

/// More processes than this from one section are refused: it is a slip, and would eat all memory.
const MOST_PROCESSES: i64 = 100_000;

/// All processes of a section, sorted by name. Errors name section and file, as the original's do.
pub(super) fn processes(
    reader: &Reader<'_>,
    group_name: &str,
    socket: Option<&Arc<FastCgiSocket>>,
    inputs: &Inputs<'_>,
    located: &Names<'_>,
    notices: &mut Notices,
) -> Result<Vec<Process>, ConfigError> {
    // Listeners differ in the priority of their pool, not in that of their processes.
    let reader = reader.read_as(SectionKind::Program);
    section_processes(&reader, group_name, socket, inputs, located, notices).map_err(|error| {
        let place = (repr(reader.section()), repr(&reader.section_origin().file));
        error.map(|message| format!("{message} in section {} (file: {})", place.0, place.1))
    })
}

fn section_processes(
    reader: &Reader<'_>,
    group_name: &str,
    socket: Option<&Arc<FastCgiSocket>>,
    inputs: &Inputs<'_>,
    located: &Names<'_>,
    notices: &mut Notices,
) -> Result<Vec<Process>, ConfigError> {
    let program_name = name(reader.own_name()).map_err(|complaint| reader.section_error(complaint.to_string()))?;
    let names = Names::over(located)
        .text("program_name", program_name)
        .text("host_node_name", inputs.host.host_name())
        .text("group_name", group_name);
    let shared = Shared::read(reader, &names, inputs.host)?;
    let mut processes = Vec::new();
    for offset in 0..shared.numprocs {
        let number = shared.numprocs_start.saturating_add(offset);
        let names = Names::over(&names).number("process_num", number).number("numprocs", shared.numprocs);
        processes.push(shared.process(reader, &names, socket, inputs.host, notices)?);
    }
    processes.sort_by(|a, b| a.identity.name.cmp(&b.identity.name));
    Ok(processes)
}

/// Capture and events of a channel.
struct Reporting {
    capture_maxbytes: u64,
    events_enabled: bool,
}

/// The options that are read once for all processes of a section.
struct Shared<'a> {
    priority: i64,
    start: Start,
    restart: Restart,
    stop: Stop,
    redirect_stderr: bool,
    numprocs: i64,
    numprocs_start: i64,
    stdout: Reporting,
    stderr: Reporting,
    serverurl: ServerUrl,
    user: Option<Account>,
    umask: Option<u32>,
    /// Not expanded.
    process_name: &'a str,
}

impl<'a> Shared<'a> {
    fn read(reader: &Reader<'a>, names: &Names<'_>, host: &dyn DaemonHost) -> Result<Shared<'a>, ConfigError> {
        let priority = reader.get("priority", names, integer)?;
        let autostart = reader.get("autostart", names, boolean)?;
        let autorestart = reader.get("autorestart", names, auto_restart)?;
        let startsecs = reader.get("startsecs", names, integer)?;
        let startretries = reader.get("startretries", names, integer)?;
        let stopsignal = reader.get("stopsignal", names, signal::parse_stop_signal)?;
        let stopwaitsecs = reader.get("stopwaitsecs", names, integer)?;
        let stopasgroup = reader.get("stopasgroup", names, boolean)?;
        let killasgroup = reader.maybe("killasgroup", names, boolean)?.unwrap_or(stopasgroup);
        let exitcodes = reader.get("exitcodes", names, exit_codes)?;
        let redirect_stderr = reader.get("redirect_stderr", names, boolean)?;
        let numprocs = reader.get("numprocs", names, |text| {
            let number = integer(text)?;
            let too_many =
                || Complaint::quoting("", number.to_string(), format!(" is above upper bound ({MOST_PROCESSES})"));
            if number > MOST_PROCESSES { Err(too_many()) } else { Ok(number) }
        })?;
        let numprocs_start = reader.get("numprocs_start", names, integer)?;
        let stdout = reporting(reader, "stdout", names)?;
        let stderr = reporting(reader, "stderr", names)?;
        let serverurl = reader.text("serverurl", names)?.map_or(ServerUrl::Auto, server_url);
        let user = reader.maybe("user", names, |text| accounts::user(text, host))?;
        let umask = reader.maybe("umask", names, octal)?;
        let process_name = reader.raw("process_name").unwrap_or_default();
        name(process_name).map_err(|complaint| reader.cannot_convert("process_name", &complaint))?;
        let shared = Shared {
            priority,
            start: Start { autostart, startsecs, startretries },
            restart: Restart { autorestart, exitcodes },
            stop: Stop { stopsignal, stopwaitsecs, stopasgroup, killasgroup },
            redirect_stderr,
            numprocs,
            numprocs_start,
            stdout,
            stderr,
            serverurl,
            user,
            umask,
            process_name: strip(process_name),
        };
        shared.check(reader)
    }

    /// What several options must satisfy together.
    fn check(self, reader: &Reader<'_>) -> Result<Shared<'a>, ConfigError> {
        if self.numprocs > 1 && !self.process_name.contains("%(process_num)") {
            let message = "%(process_num) must be present within process_name when numprocs > 1";
            let advice = "write process_name=%(program_name)s_%(process_num)02d";
            return Err(reader.error("numprocs", message).advise(advice.to_owned()));
        }
        if self.stop.stopasgroup && !self.stop.killasgroup {
            let advice = "remove this line: killasgroup is true where stopasgroup is";
            let error = reader.error("killasgroup", "Cannot set stopasgroup=true and killasgroup=false");
            return Err(error.advise(advice.to_owned()));
        }
        Ok(self)
    }

    /// One process; `names` has its number.
    fn process(
        &self,
        reader: &Reader<'_>,
        names: &Names<'_>,
        socket: Option<&Arc<FastCgiSocket>>,
        host: &dyn DaemonHost,
        notices: &mut Notices,
    ) -> Result<Process, ConfigError> {
        let environment = environment(reader, names, notices)?;
        let names = &Names::over(names).variables(&environment);
        let directory = reader.text("directory", names)?;
        let stdout = channel(reader, "stdout", &self.stdout, names, host, notices)?;
        let mut stderr = channel(reader, "stderr", &self.stderr, names, host, notices)?;
        let section = reader.section();
        if self.redirect_stderr {
            if matches!(stderr.file, LogFile::Path(_)) {
                notices.warn(format!(
                    "For [{section}], redirect_stderr=true but stderr_logfile has also been set to a filename, \
                     the filename has been ignored"
                ));
            }
            stderr.file = LogFile::None;
        }
        let command = reader
            .text("command", names)?
            .ok_or_else(|| reader.error("command", format!("program section {section} does not specify a command")))?;
        check_command(reader, &command, notices);
        Ok(Process {
            identity: Identity {
                name: self.expanded_name(reader, names)?,
                section: section.to_owned(),
                origin: reader.section_origin().clone(),
                priority: self.priority,
            },
            spawn: Spawn {
                command,
                directory,
                umask: self.umask,
                user: self.user.clone(),
                environment,
                serverurl: self.serverurl.clone(),
                socket: socket.cloned(),
            },
            start: self.start.clone(),
            restart: self.restart.clone(),
            stop: self.stop.clone(),
            logging: Logging { stdout, stderr, redirect_stderr: self.redirect_stderr },
        })
    }

    /// The name, whose characters were checked before it was expanded; after that only an empty one is refused.
    fn expanded_name(&self, reader: &Reader<'_>, names: &Names<'_>) -> Result<String, ConfigError> {
        match expand(self.process_name, names, "process_name") {
            Ok(expanded) if !expanded.is_empty() => Ok(expanded),
            Ok(_) => Err(reader.error("process_name", "Invalid name: '' because it is empty")),
            Err(complaint) => Err(reader.cannot_expand("process_name", &complaint)),
        }
    }
}

fn reporting(reader: &Reader<'_>, channel: &str, names: &Names<'_>) -> Result<Reporting, ConfigError> {
    Ok(Reporting {
        capture_maxbytes: unsigned(reader.get(&format!("{channel}_capture_maxbytes"), names, byte_size)?),
        events_enabled: reader.get(&format!("{channel}_events_enabled"), names, boolean)?,
    })
}

fn server_url(text: String) -> ServerUrl {
    if strip(&text).eq_ignore_ascii_case("AUTO") { ServerUrl::Auto } else { ServerUrl::Text(text) }
}

fn environment(
    reader: &Reader<'_>,
    names: &Names<'_>,
    notices: &mut Notices,
) -> Result<Vec<(String, String)>, ConfigError> {
    let raw = reader.raw("environment").unwrap_or_default();
    let text =
        expand(raw, names, "environment").map_err(|complaint| reader.cannot_expand("environment", &complaint))?;
    let read = environment::read(&text).map_err(|complaint| reader.cannot_convert("environment", &complaint))?;
    Ok(without_losses(reader, read, notices))
}

/// The pairs of an environment; what of it has no effect is mentioned.
pub(super) fn without_losses(
    reader: &Reader<'_>,
    Environment { pairs, losses }: Environment,
    notices: &mut Notices,
) -> Vec<(String, String)> {
    for loss in losses {
        let text = format!("In the environment of [{}], {}", reader.section(), loss.describe());
        notices.warn_at(text, reader.place("environment").advise(loss.advice()));
    }
    pairs
}

/// Mentions a command that no start will be able to take apart.
fn check_command(reader: &Reader<'_>, command: &str, notices: &mut Notices) {
    let Err(error) = words::split(command) else { return };
    let advice = reader.comment("command").map(|sign| {
        format!(
            "a blank before {sign} begins a comment, also within quotes; write {sign} without the blank, or a script"
        )
    });
    let text = format!("The command of [{}] cannot be split into words: {error}", reader.section());
    notices.warn_at(text, reader.place("command").advise(advice));
}

/// What `stdout_logfile=` or `stderr_logfile=` says.
enum ChildLog {
    File(LogFile),
    /// The old way to ask for the system log.
    Syslog,
}

fn child_log(text: &str, host: &dyn DaemonHost) -> Result<ChildLog, Complaint> {
    Ok(match text.to_lowercase().as_str() {
        "" | "none" | "off" => ChildLog::File(LogFile::None),
        "auto" => ChildLog::File(LogFile::Auto),
        "syslog" => ChildLog::Syslog,
        _ => ChildLog::File(LogFile::Path(path::in_existing_directory(text, host)?)),
    })
}

/// The outcome of [`child_log`] in the words of the recorded cases.
#[cfg(test)]
pub(crate) fn describe_child_log(text: &str, host: &dyn DaemonHost) -> Result<String, Complaint> {
    Ok(match child_log(text, host)? {
        ChildLog::Syslog => "SYSLOG".to_owned(),
        ChildLog::File(LogFile::None) => "NONE".to_owned(),
        ChildLog::File(LogFile::Auto) => "AUTO".to_owned(),
        ChildLog::File(LogFile::Path(path)) => path,
    })
}

fn channel(
    reader: &Reader<'_>,
    channel: &str,
    reporting: &Reporting,
    names: &Names<'_>,
    host: &dyn DaemonHost,
    notices: &mut Notices,
) -> Result<ChannelLog, ConfigError> {
    let key = format!("{channel}_logfile");
    // This option is expanded twice, so a percent sign in it is written four times.
    let log = reader.get(&key, names, |text| child_log(&expand_again(text, names, &key)?, host))?;
    let backups = reader.get(&format!("{key}_backups"), names, integer)?;
    let maxbytes = reader.get(&format!("{key}_maxbytes"), names, byte_size)?;
    let syslog_key = format!("{channel}_syslog");
    let wants_syslog = reader.get(&syslog_key, names, boolean)?;
    let section = reader.section();
    let (file, syslog) = match log {
        ChildLog::File(file) => (file, wants_syslog),
        ChildLog::Syslog => {
            notices.warn(format!(
                "For [{section}], {key}=syslog but this is deprecated and will be removed.  Use {syslog_key}=true to \
                 enable syslog instead."
            ));
            (LogFile::None, true)
        }
    };
    if file == LogFile::Auto && maxbytes == 0 {
        notices.warn(format!(
            "For [{section}], AUTO logging used for {key} without rollover, set maxbytes > 0 to avoid filling up \
             filesystem unintentionally"
        ));
    }
    Ok(ChannelLog {
        file,
        maxbytes: unsigned(maxbytes),
        backups: count(backups),
        capture_maxbytes: reporting.capture_maxbytes,
        events_enabled: reporting.events_enabled,
        syslog,
    })
}
