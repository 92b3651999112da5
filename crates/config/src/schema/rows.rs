//! The rows of the option table.

use super::Default::{Is, Required, Unset};
use super::{Default, Kind as K, OptionSpec, SectionKind as S};

const fn row(
    section: S,
    name: &'static str,
    kind: K,
    default: Default,
    since: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec { section, name, kind, default, since, help }
}

const NO_LOGIN: Default = Unset("no authentication");

#[rustfmt::skip]
pub(super) const ROWS: [OptionSpec; 78] = [
    row(S::UnixHttpServer, "file", K::Text, Required, "3.0", "where the socket is created"),
    row(S::UnixHttpServer, "chmod", K::Octal, Is("0700"), "3.0", "who may connect: permission bits of the socket"),
    row(S::UnixHttpServer, "chown", K::Owner, Unset("the user the daemon runs as"), "3.0", "who owns the socket"),
    row(S::UnixHttpServer, "username", K::Text, NO_LOGIN, "3.0", "ask clients for this user name"),
    row(S::UnixHttpServer, "password", K::Password, NO_LOGIN, "3.0", "and this password: plain, {SHA} and 40 hex digits, or {ARGON2ID} and a hash"),
    row(S::UnixHttpServer, "get_actions", K::Boolean, Is("false"), "0.1.0", "let links start and stop programs, not only forms"),

    row(S::InetHttpServer, "port", K::InetAddress, Required, "3.0", "address to listen on; *:9001 for every interface"),
    row(S::InetHttpServer, "username", K::Text, NO_LOGIN, "3.0", "ask clients for this user name"),
    row(S::InetHttpServer, "password", K::Password, NO_LOGIN, "3.0", "and this password: plain, {SHA} and 40 hex digits, or {ARGON2ID} and a hash"),
    row(S::InetHttpServer, "get_actions", K::Boolean, Is("false"), "0.1.0", "let links start and stop programs, not only forms"),

    row(S::Supervisord, "logfile", K::File, Is("supervisord.log"), "3.0", "activity log; syslog sends it to the system log"),
    row(S::Supervisord, "logfile_maxbytes", K::ByteSize, Is("50MB"), "3.0", "rotate the activity log at this size; 0 for never"),
    row(S::Supervisord, "logfile_backups", K::Integer, Is("10"), "3.0", "rotated activity logs to keep"),
    row(S::Supervisord, "loglevel", K::LogLevel, Is("info"), "3.0", "how much to log: error, warn, info, debug, trace"),
    row(S::Supervisord, "pidfile", K::File, Is("supervisord.pid"), "3.0", "file that holds the daemon's process id"),
    row(S::Supervisord, "nodaemon", K::Boolean, Is("false"), "3.0", "stay in the foreground"),
    row(S::Supervisord, "silent", K::Boolean, Is("false"), "4.2.0", "in the foreground, do not copy the log to stdout"),
    row(S::Supervisord, "minfds", K::Integer, Is("1024"), "3.0", "file descriptors that must be available"),
    row(S::Supervisord, "minprocs", K::Integer, Is("200"), "3.0", "processes that must be available"),
    row(S::Supervisord, "umask", K::Octal, Is("022"), "3.0", "file mode mask of the daemon in the background"),
    row(S::Supervisord, "user", K::User, Unset("the user that starts the daemon"), "3.0", "switch to this user when started as root"),
    row(S::Supervisord, "identifier", K::Text, Is("supervisor"), "3.0", "name of this instance towards clients and listeners"),
    row(S::Supervisord, "directory", K::Directory, Unset("the current directory"), "3.0", "directory of the daemon in the background"),
    row(S::Supervisord, "nocleanup", K::Boolean, Is("false"), "3.0", "keep the automatic child logs of the last run"),
    row(S::Supervisord, "childlogdir", K::Directory, Unset("the directory for temporary files"), "3.0", "directory of automatic child logs"),
    row(S::Supervisord, "environment", K::Environment, Is(""), "3.0", "variables to add for every program"),
    row(S::Supervisord, "strip_ansi", K::Boolean, Is("false"), "3.0", "remove terminal colors and the like from child logs"),
    row(S::Supervisord, "adopt", K::Boolean, Is("true"), "0.1.0", "let programs survive a killed daemon, for the next one to take over"),

    row(S::RpcInterface, "supervisor.rpcinterface_factory", K::PythonName, Required, "3.0", "needed for supervisorctl and the web page"),

    row(S::Supervisorctl, "serverurl", K::Url, Is("http://localhost:9001"), "3.0", "where the daemon listens: unix:// or http://"),
    row(S::Supervisorctl, "username", K::Text, Unset("none"), "3.0", "user name, when the server asks for one"),
    row(S::Supervisorctl, "password", K::Password, Unset("none"), "3.0", "password, when the server asks for one"),
    row(S::Supervisorctl, "prompt", K::Text, Is("supervisor"), "3.0", "prompt of the shell"),
    row(S::Supervisorctl, "history_file", K::File, Unset("no history is kept"), "3.0a5", "keep the history of the shell in this file"),

    row(S::CtlPlugin, "supervisor.ctl_factory", K::PythonName, Required, "3.0", "the plugin"),

    row(S::Program, "command", K::Text, Required, "3.0", "what to run, with arguments; stays in the foreground"),
    row(S::Program, "process_name", K::Name, Is("%(program_name)s"), "3.0", "name of each process; with numprocs it needs %(process_num)"),
    row(S::Program, "numprocs", K::Integer, Is("1"), "3.0", "how many processes to run"),
    row(S::Program, "numprocs_start", K::Integer, Is("0"), "3.0", "number of the first process"),
    row(S::Program, "directory", K::Text, Unset("the daemon's directory"), "3.0", "directory to run in"),
    row(S::Program, "umask", K::Octal, Unset("the daemon's mask"), "3.0", "file mode mask"),
    row(S::Program, "priority", K::Integer, Is("999"), "3.0", "lower numbers start first and stop last"),
    row(S::Program, "autostart", K::Boolean, Is("true"), "3.0", "start together with the daemon"),
    row(S::Program, "startsecs", K::Integer, Is("1"), "3.0", "seconds it must stay up to count as started"),
    row(S::Program, "startretries", K::Integer, Is("3"), "3.0", "further attempts after a failed start"),
    row(S::Program, "autorestart", K::AutoRestart, Is("unexpected"), "3.0", "restart after an exit: true, false or unexpected"),
    row(S::Program, "exitcodes", K::ExitCodes, Is("0"), "3.0", "exit statuses that are expected"),
    row(S::Program, "stopsignal", K::Signal, Is("TERM"), "3.0", "signal that asks it to stop"),
    row(S::Program, "stopwaitsecs", K::Integer, Is("10"), "3.0", "seconds from that signal to SIGKILL"),
    row(S::Program, "stopasgroup", K::Boolean, Is("false"), "3.0b1", "send the stop signal to the whole process group"),
    row(S::Program, "killasgroup", K::Boolean, Unset("the value of stopasgroup"), "3.0a11", "send SIGKILL to the whole process group"),
    row(S::Program, "user", K::User, Unset("the daemon's user"), "3.0", "user to run as; needs a daemon that runs as root"),
    row(S::Program, "redirect_stderr", K::Boolean, Is("false"), "3.0", "write stderr to the log of stdout"),
    row(S::Program, "stdout_logfile", K::ChildLog, Is("AUTO"), "3.0", "log of stdout: a file, AUTO or NONE"),
    row(S::Program, "stdout_logfile_maxbytes", K::ByteSize, Is("50MB"), "3.0", "rotate it at this size; 0 for never"),
    row(S::Program, "stdout_logfile_backups", K::Integer, Is("10"), "3.0", "rotated logs to keep"),
    row(S::Program, "stdout_capture_maxbytes", K::ByteSize, Is("0"), "3.0", "buffer of capture mode; 0 turns it off"),
    row(S::Program, "stdout_events_enabled", K::Boolean, Is("false"), "3.0a7", "send an event for what is written to stdout"),
    row(S::Program, "stdout_syslog", K::Boolean, Is("false"), "4.0.0", "copy stdout to the system log"),
    row(S::Program, "stderr_logfile", K::ChildLog, Is("AUTO"), "3.0", "log of stderr: a file, AUTO or NONE"),
    row(S::Program, "stderr_logfile_maxbytes", K::ByteSize, Is("50MB"), "3.0", "rotate it at this size; 0 for never"),
    row(S::Program, "stderr_logfile_backups", K::Integer, Is("10"), "3.0", "rotated logs to keep"),
    row(S::Program, "stderr_capture_maxbytes", K::ByteSize, Is("0"), "3.0", "buffer of capture mode; 0 turns it off"),
    row(S::Program, "stderr_events_enabled", K::Boolean, Is("false"), "3.0a7", "send an event for what is written to stderr"),
    row(S::Program, "stderr_syslog", K::Boolean, Is("false"), "4.0.0", "copy stderr to the system log"),
    row(S::Program, "environment", K::Environment, Is(""), "3.0", "variables to add"),
    row(S::Program, "serverurl", K::Url, Unset("AUTO, the daemon's own"), "3.0", "value of SUPERVISOR_SERVER_URL"),

    row(S::FcgiProgram, "socket", K::Socket, Required, "3.0", "listening socket it gets as descriptor 0"),
    row(S::FcgiProgram, "socket_backlog", K::Integer, Unset("the system's maximum"), "3.4.0", "connections that may wait"),
    row(S::FcgiProgram, "socket_owner", K::Owner, Unset("the user of the program"), "3.0", "owner of a unix socket"),
    row(S::FcgiProgram, "socket_mode", K::Octal, Is("0700"), "3.0", "permission bits of a unix socket"),

    row(S::EventListener, "events", K::Events, Required, "3.0", "events it is told about"),
    row(S::EventListener, "buffer_size", K::Integer, Is("10"), "3.0", "events that may wait for a free listener"),
    row(S::EventListener, "result_handler", K::PythonName, Is("supervisor.dispatchers:default_handler"), "3.0", "what judges its answers"),
    row(S::EventListener, "priority", K::Integer, Is("-1"), "3.0", "lower numbers start first and stop last"),

    row(S::Group, "programs", K::Names, Unset("an empty group"), "3.0", "programs that form the group"),
    row(S::Group, "priority", K::Integer, Is("999"), "3.0", "lower numbers start first and stop last"),

    row(S::Include, "files", K::Patterns, Required, "3.0", "files to read, with the patterns of a shell"),
];
