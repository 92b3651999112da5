//! What of a configuration does not fit the system: programs that are missing, logs that cannot be written, addresses that are taken.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use supervisord_config::CheckedConfig;
use supervisord_config::host::reason;
use supervisord_config::model::{
    ActivityLog, ChannelLog, Config, HttpServer, LogFile, Process, ServerAddress, SocketAddress,
};
use supervisord_config::pyrepr::repr;
use supervisord_config::schema::{Kind, SectionKind, options_of_processes};
use supervisord_config::secret::{PREFIX, Secret};
use supervisord_config::shell_syntax::shell_operator;
use supervisord_config::value::ConfigValue;
use supervisord_core::process::EnvironmentPlan;
use supervisord_sys::host::is_writable;
use supervisord_sys::priority;
use supervisord_sys::small_file;
use supervisord_sys::socket::{Holder, holder_of_path, holder_of_port};
use supervisord_sys::trusted;
use supervisord_sys::user::{current_name, current_uid};

use super::problem::{Problem, Severity};
use crate::control::{ChildEnv, locate_command, obstacle_to_secret, read_environment_file, shell_hint};
use crate::{disabled_file, hand_over, output};

/// All of them, each once, however many processes are made of a section.
pub(super) fn problems(config: &Config, checked: &CheckedConfig) -> Vec<Problem> {
    let mut look = SystemLook {
        checked,
        said: BTreeSet::new(),
        found: Vec::new(),
        daemon: running_daemon(config),
        own_files: own_files(config),
        powerless: powerless_user(config),
    };
    let settings = &config.supervisord;
    if let ActivityLog::File(path) = &settings.logfile {
        look.file("supervisord", "logfile", path);
    }
    look.file("supervisord", "pidfile", &settings.pidfile);
    if let Err(reason) = disabled_file::read(&disabled_file::path(config)) {
        let text = format!("no program counts as disabled, because {reason}; remove the file or repair it");
        look.say(Severity::Warning, &text, "supervisord", "state_directory");
    }
    config.servers.iter().for_each(|server| look.server(server));
    let child_env = ChildEnv::new(hand_over::environment(), config);
    for process in config.groups.iter().flat_map(|group| &group.processes) {
        look.process(process, &child_env);
    }
    look.found
}

/// The user of a daemon with this configuration; none where that is root.
fn powerless_user(config: &Config) -> Option<String> {
    match &config.supervisord.user {
        Some(user) if current_uid() == 0 => (user.uid != 0).then(|| user.name.clone()),
        _ => (current_uid() != 0).then(current_name),
    }
}

/// The process id of the daemon that runs with this configuration.
fn running_daemon(config: &Config) -> Option<u32> {
    let content = small_file::read(Path::new(&config.supervisord.pidfile), 32).ok()?;
    String::from_utf8(content).ok()?.trim().parse().ok()
}

fn own_files(config: &Config) -> Vec<(String, &'static str)> {
    let settings = &config.supervisord;
    let mut files = vec![
        (settings.pidfile.clone(), "its pid file"),
        (format!("{}.lock", settings.pidfile), "its lock"),
        (format!("{}.state", settings.pidfile), "its state"),
        (format!("{}.spawned", settings.pidfile), "its state"),
        (disabled_file::path(config), "its list of disabled programs"),
    ];
    if let ActivityLog::File(path) = &settings.logfile {
        files.push((path.clone(), "its activity log"));
    }
    files
}

/// The terminal of whoever opens it, which is asked for by trying: nothing else is opened to find out about it.
fn is_controlling_terminal(found: &Metadata) -> bool {
    let is_device = |found: &Metadata| found.file_type().is_char_device();
    is_device(found) && fs::metadata("/dev/tty").is_ok_and(|tty| is_device(&tty) && tty.rdev() == found.rdev())
}

/// The directory in which a file would be made that does not exist, behind links; none where there is no such directory.
fn new_file_directory(file: &Path) -> Option<PathBuf> {
    let mut file = file.to_owned();
    // As many links as the system follows.
    for _ in 0..40 {
        let directory = file.parent().unwrap_or(Path::new("/")).to_owned();
        match fs::read_link(&file) {
            Ok(target) => file = directory.join(target),
            Err(_) => return directory.is_dir().then_some(directory),
        }
    }
    None
}

/// Whether two paths lead to one file, which may not exist yet. A device, a pipe and an inherited descriptor have room for many
/// writers.
fn is_same_file(one: &str, other: &str) -> bool {
    let is_file =
        |path: &str| output::inherited(path).is_none() && fs::metadata(path).map_or(true, |found| found.is_file());
    let target = |path: &str| fs::canonicalize(path).unwrap_or_else(|_| path.into());
    (one == other || target(one) == target(other)) && is_file(one) && is_file(other)
}

/// Whether a log can be written, but stands in a directory in which nothing can be renamed.
fn is_unrotatable(log: &Path) -> bool {
    let directory = log.parent().unwrap_or(Path::new("/"));
    fs::metadata(log).is_ok_and(|found| found.is_file()) && is_writable(log) && !is_writable(directory)
}

struct SystemLook<'c> {
    checked: &'c CheckedConfig,
    said: BTreeSet<String>,
    found: Vec<Problem>,
    daemon: Option<u32>,
    /// The files that the daemon writes for itself, and what each is.
    own_files: Vec<(String, &'static str)>,
    /// The user of the daemon, where that is not root.
    powerless: Option<String>,
}

impl SystemLook<'_> {
    fn say(&mut self, severity: Severity, message: &str, section: &str, option: &str) {
        let problem = Problem::at(severity, message, self.checked.place(section, option).as_ref());
        if self.said.insert(problem.text.clone()) {
            self.found.push(problem);
        }
    }

    fn process(&mut self, process: &Process, child_env: &ChildEnv) {
        let section = &process.identity.section;
        self.command(&process.spawn.command, process, child_env, "command");
        for (row, field) in options_of_processes().filter(|(row, _)| row.kind == Kind::Command) {
            if let ConfigValue::Text(line) = field.get(process) {
                self.command(&line, process, child_env, row.name);
            }
        }
        for question in EnvironmentPlan::of(process).questions() {
            self.command(question.line(), process, child_env, &question.option().to_lowercase());
        }
        self.rights(process);
        if let Some(file) = process.logging.trusted_certificates()
            && let Some(reason) = output::unusable_certificates(file)
        {
            self.say(Severity::Error, &reason, section, "syslog_cafile");
        }
        if let Some(directory) = &process.spawn.directory
            && !Path::new(directory).is_dir()
        {
            self.say(Severity::Error, &format!("there is no directory {directory}"), section, "directory");
        }
        for (log, option) in [(&process.logging.stdout, "stdout_logfile"), (&process.logging.stderr, "stderr_logfile")]
        {
            if let LogFile::Path(path) = &log.file {
                self.log(section, option, path, log);
            }
        }
        let of_files = SectionKind::Program.options().find(|row| row.kind == Kind::EnvironmentFiles);
        for file in process.environment_files() {
            if let Err(reason) = read_environment_file(file) {
                let option = of_files.map_or("", |row| row.name);
                self.say(Severity::Error, &format!("environment file {reason}"), section, option);
            }
        }
        for Secret { name, source } in process.places_of_secrets() {
            if let Some(reason) = obstacle_to_secret(source, child_env) {
                let option = format!("{PREFIX}{}", name.to_lowercase());
                // Secrets often come to be where the daemon runs, and not where its configuration is checked.
                self.say(Severity::Warning, &format!("secret {name}: {reason}"), section, &option);
            }
        }
        match process.spawn.socket.as_ref().map(|socket| &socket.address) {
            Some(SocketAddress::Tcp { port, .. }) => {
                self.holder(holder_of_port(*port), &format!("port {port}"), section, "socket")
            }
            Some(SocketAddress::Unix { path, .. }) => {
                self.holder(holder_of_path(Path::new(path)), path, section, "socket")
            }
            None => {}
        }
    }

    /// What the daemon must be allowed to do for a process.
    fn rights(&mut self, process: &Process) {
        let section = &process.identity.section;
        let Some(name) = self.powerless.clone() else { return };
        if let Some(user) = &process.spawn.user
            && user.name != name
        {
            let reason =
                format!("only a daemon that runs as root can start a program as {}, not one of {name}", user.name);
            self.say(Severity::Error, &reason, section, "user");
        }
        if let Some(priority) = process.scheduling_priority()
            && !priority::can_be(priority)
        {
            let reason = format!("user {name} may not start a program with nice={priority}");
            self.say(Severity::Error, &reason, section, "nice");
        }
    }

    /// A command whose program is missing, or gets what only a shell understands.
    fn command(&mut self, line: &str, process: &Process, child_env: &ChildEnv, option: &str) {
        let section = &process.identity.section;
        if let Err(reason) = locate_command(line, process, child_env) {
            return self.say(Severity::Error, &reason, section, option);
        }
        if let Some(operator) = shell_operator(line) {
            let text = format!("{} is an argument of the program: {}", repr(operator), shell_hint(line, process));
            self.say(Severity::Warning, &text, section, option);
        }
    }

    fn server(&mut self, server: &HttpServer) {
        match &server.address {
            ServerAddress::Inet { port, .. } => {
                self.holder(holder_of_port(*port), &format!("port {port}"), &server.section, "port");
            }
            ServerAddress::Unix { path, .. } => {
                self.holder(holder_of_path(Path::new(path)), path, &server.section, "file");
                let directory = Path::new(path).parent().unwrap_or(Path::new("/"));
                if !directory.is_dir() || !is_writable(directory) {
                    let reason = format!("no socket can be made in {} by user {}", directory.display(), current_name());
                    self.say(Severity::Error, &reason, &server.section, "file");
                }
            }
        }
    }

    /// A file that is to be written.
    fn file(&mut self, section: &str, option: &str, path: &str) {
        let file = Path::new(path);
        let unwritable = || format!("{path} cannot be written by user {}", current_name());
        let reason = match fs::metadata(file) {
            Ok(found) if found.is_dir() => format!("{path} is a directory"),
            Ok(found) if is_controlling_terminal(&found) && trusted::open_write(path, 0).is_err() => {
                format!("{path} cannot be opened, because there is no controlling terminal")
            }
            Ok(_) if is_writable(file) => return,
            Err(error) if error.kind() != ErrorKind::NotFound => format!("{}: {}", unwritable(), reason(&error)),
            Err(_) => match new_file_directory(file) {
                Some(directory) if is_writable(&directory) => return,
                Some(_) => unwritable(),
                None => format!("{}: it leads to a directory that does not exist", unwritable()),
            },
            Ok(_) => unwritable(),
        };
        self.say(Severity::Error, &reason, section, option);
    }

    /// A log of a program.
    fn log(&mut self, section: &str, option: &str, path: &str, log: &ChannelLog) {
        self.file(section, option, path);
        if log.is_renamed() && output::inherited(path).is_none() && is_unrotatable(Path::new(path)) {
            let text = format!(
                "{path} cannot be rotated, because user {} may not rename files in its directory: it grows without limit",
                current_name()
            );
            self.say(Severity::Warning, &text, section, option);
        }
        if let Some((_, owner)) = self.own_files.iter().find(|(own, _)| is_same_file(own, path)) {
            let text = format!("{path} is a file of the daemon itself, {owner}: write another one");
            self.say(Severity::Warning, &text, section, option);
        }
    }

    /// Somebody else who has an address; the daemon that is to be started is not there yet, or has it already.
    fn holder(&mut self, holder: Option<Holder>, address: &str, section: &str, option: &str) {
        let Some(Holder { pid, name }) = holder.filter(|holder| Some(holder.pid) != self.daemon) else { return };
        self.say(Severity::Warning, &format!("{address} is in use by {name} (pid {pid})"), section, option);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_new_file_is_made_where_links_lead() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        for (name, target) in [("good", "real"), ("dangling", "nowhere/x"), ("one", "other"), ("other", "one")] {
            symlink(target, path(name)).expect("linked");
        }
        assert_eq!(new_file_directory(&path("new")), Some(directory.path().to_owned()));
        assert_eq!(new_file_directory(&path("good")), Some(directory.path().to_owned()));
        assert_eq!(new_file_directory(&path("dangling")), None);
        assert_eq!(new_file_directory(&path("one")), None);
        assert_eq!(new_file_directory(&path("none/x")), None);
        assert!(!is_controlling_terminal(&fs::metadata("/dev/null").expect("found")));
    }

    #[test]
    fn only_files_are_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        fs::write(path("file"), "").expect("written");
        for (name, target) in [("link", "file"), ("null", "/dev/null"), ("out", "/dev/stdout")] {
            symlink(target, path(name)).expect("linked");
        }
        for (one, other) in [("file", "file"), ("link", "file"), ("new", "new")] {
            assert!(is_same_file(&path(one), &path(other)), "{one} {other}");
        }
        for (one, other) in [("file", "new"), ("null", "null"), ("out", "out"), (".", ".")] {
            assert!(!is_same_file(&path(one), &path(other)), "{one} {other}");
        }
        for device in ["/dev/null", "/dev/stdout", "/dev/stderr"] {
            assert!(!is_same_file(device, device), "{device}");
        }
        assert!(!is_same_file(&path("null"), "/dev/null") && !is_same_file(&path("out"), "/dev/stdout"));
    }
}
