//! The rows of the option table.

use super::field::field;
use super::kind::Kind as K;
use super::option::Default::{self, Is, Required, Unset};
use super::option::Needs::{Live, Reload, Restart};
use super::option::{OptionSpec, Refusal, row};
use super::section::SectionKind as S;

/// The most processes of one section: a larger number is a typing error that would exhaust the memory.
const MOST_PROCESSES: i64 = 100_000;

/// A number in `[program:x]` with these aliases.
#[cfg(test)]
pub(crate) fn aliased(name: &'static str, aliases: &'static [&'static str]) -> OptionSpec {
    OptionSpec { aliases, ..row(S::Program, name, K::Integer, Unset("nothing"), "1", Live, "a number") }
}

const NO_LOGIN: Default = Unset("no authentication");

#[rustfmt::skip]
pub(super) static ROWS: &[OptionSpec] = &[
    row(S::UnixHttpServer, "file", K::Text, Required, "3.0", Reload, "path of the socket"),
    row(S::UnixHttpServer, "chmod", K::Octal, Is("0700"), "3.0", Reload, "permission bits of the socket: who may connect").refused_as(Refusal::Invalid("chmod")),
    row(S::UnixHttpServer, "chown", K::Owner, Unset("the user the daemon runs as"), "3.0", Reload, "owner of the socket").refused_as(Refusal::Invalid("sockchown")),
    row(S::UnixHttpServer, "username", K::Text, NO_LOGIN, "3.0", Reload, "user name that clients must send"),
    row(S::UnixHttpServer, "password", K::Password, NO_LOGIN, "3.0", Reload, "password that clients must send: plain, {SHA} and 40 hex digits, or {ARGON2ID} or {BCRYPT} and a hash"),
    row(S::UnixHttpServer, "get_actions", K::Boolean, Is("false"), "0.1.0", Reload, "links, not only forms, can start and stop programs"),

    row(S::InetHttpServer, "port", K::InetAddress, Required, "3.0", Reload, "address to listen on; *:9001 for every interface"),
    row(S::InetHttpServer, "username", K::Text, NO_LOGIN, "3.0", Reload, "user name that clients must send"),
    row(S::InetHttpServer, "password", K::Password, NO_LOGIN, "3.0", Reload, "password that clients must send: plain, {SHA} and 40 hex digits, or {ARGON2ID} or {BCRYPT} and a hash"),
    row(S::InetHttpServer, "get_actions", K::Boolean, Is("false"), "0.1.0", Reload, "links, not only forms, can start and stop programs"),

    row(S::InetHttpServer, "certfile", K::File, Unset("no TLS"), "0.1.0", Reload, "certificate of the server and those that lead to it, in PEM; the server speaks HTTPS only").example("/tmp/server.crt").only_with(&["keyfile"]),
    row(S::InetHttpServer, "keyfile", K::File, Unset("no TLS"), "0.1.0", Reload, "private key of the certificate, in PEM").example("/tmp/server.key").only_with(&["certfile"]),
    row(S::InetHttpServer, "client_ca", K::File, Unset("clients need no certificate"), "0.1.0", Reload, "certificates in PEM of which one must have signed the certificate of each client").example("/tmp/clients.crt").only_with(&["certfile"]),
    row(S::InetHttpServer, "allowed_hosts", K::Names, Unset("any name, unless only this machine can connect and there is no password"), "0.1.0", Reload, "names by which browsers may ask the server, besides addresses and its own name").example("box.example.com"),

    row(S::User, "password", K::PasswordHash, Unset("none"), "0.1.0", Reload, "hash of the password, as supervisord hash-password prints it").example("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH"),
    row(S::User, "token", K::TokenHash, Unset("none"), "0.1.0", Reload, "hash of the token that programs send as Authorization: Bearer TOKEN").example("{SHA256}0000000000000000000000000000000000000000000000000000000000000000"),
    row(S::User, "uid", K::UserId, Unset("none"), "0.1.0", Reload, "the system's user whose programs are let in on the unix socket without a password").example("1000"),
    row(S::User, "gid", K::GroupId, Unset("none"), "0.1.0", Reload, "the system's group whose members are let in on the unix socket without a password").example("1000"),
    row(S::User, "role", K::UserRole, Is("viewer"), "0.1.0", Reload, "viewer reads states and logs, operator also starts, stops and signals, admin may do everything").example("operator"),
    row(S::User, "programs", K::ProgramPatterns, Unset("all programs"), "0.1.0", Reload, "the programs that the user sees and acts on; all others do not exist for the user").example("web:*, db"),

    row(S::Supervisord, "logfile", K::ActivityLog, Is("supervisord.log"), "3.0", Reload, "activity log; syslog sends it to the system log").kept(field!(Supervisord: logfile)),
    row(S::Supervisord, "logfile_maxbytes", K::ByteSize, Is("50MB"), "3.0", Reload, "rotate the activity log at this size; 0 for never").kept(field!(Supervisord: logfile_maxbytes)),
    row(S::Supervisord, "logfile_backups", K::Integer, Is("10"), "3.0", Reload, "rotated activity logs to keep").kept(field!(Supervisord: logfile_backups)),
    row(S::Supervisord, "logfile_rotate", K::RotateWhen, Unset("never"), "0.1.0", Reload, "rotate the activity log at these times of the local clock too: hourly, daily, weekly, 03:30 or 6h").kept(field!(Supervisord: rotation.logfile_rotate)).example("daily"),
    row(S::Supervisord, "logfile_date_format", K::DateFormat, Unset("numbers"), "0.1.0", Reload, "date in the name of a rotated log, before the extension, in place of a number behind it").kept(field!(Supervisord: rotation.logfile_date_format)).example("%Y%m%d"),
    row(S::Supervisord, "logfile_max_age", K::Duration, Unset("any"), "0.1.0", Reload, "remove rotated logs whose last line is older").kept(field!(Supervisord: rotation.logfile_max_age)).within(60, i64::MAX).example("30d"),
    row(S::Supervisord, "logfile_max_total", K::ByteSize, Is("0"), "0.1.0", Reload, "remove the oldest rotated logs when all of them together are larger; 0 for never").kept(field!(Supervisord: rotation.logfile_max_total)).example("1GB"),
    row(S::Supervisord, "loglevel", K::LogLevel, Is("info"), "3.0", Reload, "lowest level to log: error, warn, info, debug, trace").kept(field!(Supervisord: loglevel)),
    row(S::Supervisord, "pidfile", K::File, Is("supervisord.pid"), "3.0", Reload, "file that holds the daemon's process id").kept(field!(Supervisord: pidfile)),
    row(S::Supervisord, "nodaemon", K::Boolean, Is("false"), "3.0", Restart, "stay in the foreground").kept(field!(Supervisord: nodaemon)),
    row(S::Supervisord, "silent", K::Boolean, Is("false"), "4.2.0", Reload, "in the foreground, do not copy the log to stdout").kept(field!(Supervisord: silent)),
    row(S::Supervisord, "minfds", K::Integer, Is("1024"), "3.0", Restart, "file descriptors that must be available").kept(field!(Supervisord: minfds)),
    row(S::Supervisord, "minprocs", K::Integer, Is("200"), "3.0", Restart, "processes that must be available").kept(field!(Supervisord: minprocs)),
    row(S::Supervisord, "umask", K::Octal, Is("022"), "3.0", Restart, "file mode mask of the daemon in the background").kept(field!(Supervisord: umask)),
    row(S::Supervisord, "user", K::User, Unset("the user that starts the daemon"), "3.0", Restart, "switch to this user when started as root").kept(field!(Supervisord: user)),
    row(S::Supervisord, "identifier", K::Text, Is("supervisor"), "3.0", Live, "name of this instance in replies to clients and in events").kept(field!(Supervisord: identifier)),
    row(S::Supervisord, "directory", K::Directory, Unset("the current directory"), "3.0", Restart, "directory of the daemon in the background").kept(field!(Supervisord: directory)),
    row(S::Supervisord, "nocleanup", K::Boolean, Is("false"), "3.0", Reload, "keep the automatic child logs of the last run").kept(field!(Supervisord: nocleanup)),
    row(S::Supervisord, "childlogdir", K::Directory, Unset("the directory for temporary files"), "3.0", Live, "directory of automatic child logs").kept(field!(Supervisord: childlogdir)),
    row(S::Supervisord, "environment", K::Environment, Is(""), "3.0", Restart, "variables to add to the environment of every program").kept(field!(Supervisord: environment)),
    row(S::Supervisord, "strip_ansi", K::Boolean, Is("false"), "3.0", Live, "remove terminal escape sequences, such as colors, from child logs").kept(field!(Supervisord: strip_ansi)),
    row(S::Supervisord, "adopt", K::Boolean, Is("true"), "0.1.0", Reload, "programs go on if the daemon is killed, and the next daemon takes them over").kept(field!(Supervisord: adopt)),
    row(S::Supervisord, "audit_logfile", K::File, Unset("none"), "0.1.0", Reload, "file with a line of JSON for each request that changes something or is refused; rotated like the activity log").kept(field!(Supervisord: audit_logfile)).example("/tmp/supervisord-audit.log"),
    row(S::Supervisord, "exit_when", K::ExitWhen, Is("never"), "0.1.0", Live, "stop everything and exit when all programs have finished, or when one has failed").kept(field!(Supervisord: exit_when)),
    row(S::Supervisord, "update", K::UpdateMode, Is("groups"), "0.1.0", Live, "what an update restarts: whole groups, as the original does, or only the processes that need it (minimal)").kept(field!(Supervisord: update)).example("minimal"),
    row(S::Supervisord, "max_parallel_starts", K::Integer, Is("0"), "0.1.0", Live, "programs that may be starting at the same time, each until it runs; 0 for any number").kept(field!(Supervisord: max_parallel_starts)).within(0, i64::MAX).example("10"),

    row(S::RpcInterface, "supervisor.rpcinterface_factory", K::PythonName, Required, "3.0", Reload, "factory of the RPC interface; supervisorctl and the web page need it"),

    row(S::Supervisorctl, "serverurl", K::Url, Is("http://localhost:9001"), "3.0", Live, "address of the daemon: unix://, http:// or https://"),
    row(S::Supervisorctl, "cafile", K::File, Unset("the certificates that the system trusts"), "0.1.0", Live, "certificates in PEM of which one must have signed that of an https:// server").example("/tmp/ca.crt"),
    row(S::Supervisorctl, "certfile", K::File, Unset("none"), "0.1.0", Live, "certificate to show to an https:// server, in PEM").example("/tmp/client.crt").only_with(&["keyfile"]),
    row(S::Supervisorctl, "keyfile", K::File, Unset("none"), "0.1.0", Live, "private key of this certificate, in PEM").example("/tmp/client.key").only_with(&["certfile"]),
    row(S::Supervisorctl, "username", K::Text, Unset("none"), "3.0", Live, "user name, if the server requires one"),
    row(S::Supervisorctl, "password", K::Password, Unset("none"), "3.0", Live, "password, if the server requires one"),
    row(S::Supervisorctl, "prompt", K::Text, Is("supervisor"), "3.0", Live, "prompt of the shell"),
    row(S::Supervisorctl, "history_file", K::File, Unset("no history is kept"), "3.0a5", Live, "keep the history of the shell in this file"),

    row(S::CtlPlugin, "supervisor.ctl_factory", K::PythonName, Required, "3.0", Live, "factory of the plug-in"),

    row(S::Program, "command", K::Text, Required, "3.0", Restart, "program and arguments; the program must stay in the foreground").kept(field!(Process: spawn.command)),
    row(S::Program, "process_name", K::Name, Is("%(program_name)s"), "3.0", Restart, "name of each process; needs %(process_num) if numprocs is above 1"),
    row(S::Program, "numprocs", K::Count, Is("1"), "3.0", Live, "how many processes to run").within(i64::MIN, MOST_PROCESSES),
    row(S::Program, "numprocs_start", K::Integer, Is("0"), "3.0", Live, "number of the first process"),
    row(S::Program, "inherit", K::Text, Unset("no template"), "0.1.0", Restart, "template from which the program has the options that it does not set itself").example("thetemplatename"),
    row(S::Program, "tags", K::Tags, Is(""), "0.1.0", Restart, "words by which selectors find the program, as @WORD").kept(field!(Process: identity.tags)).example("blue, batch"),
    row(S::Program, "directory", K::Text, Unset("the daemon's directory"), "3.0", Restart, "directory to run in").kept(field!(Process: spawn.directory)),
    row(S::Program, "umask", K::Octal, Unset("the daemon's mask"), "3.0", Restart, "file mode mask").kept(field!(Process: spawn.umask)),
    row(S::Program, "priority", K::Integer, Is("999"), "3.0", Live, "lower numbers start first and stop last").kept(field!(Process: identity.priority)),
    row(S::Program, "autostart", K::Boolean, Is("true"), "3.0", Live, "start together with the daemon").kept(field!(Process: start.autostart)),
    row(S::Program, "depends_on", K::Dependencies, Is(""), "0.1.0", Live, "what must be ready, or in another condition, before it is started").kept(field!(Process: order.depends_on)).example("db, migrate:exited_ok"),
    row(S::Program, "on_dependency_failure", K::OnDependencyFailure, Is("ignore"), "0.1.0", Live, "when what it depends on ends unexpectedly or is FATAL: ignore, stop or restart").kept(field!(Process: order.on_dependency_failure)).example("restart"),
    row(S::Program, "type", K::ProgramType, Is("simple"), "0.1.0", Restart, "simple for a program that stays, oneshot for one that does its work and ends").kept(field!(Process: start.r#type)),
    row(S::Program, "startsecs", K::Integer, Is("1"), "3.0", Live, "seconds the program must stay up to count as started").kept(field!(Process: start.startsecs)),
    row(S::Program, "ready_when", K::ReadyWhen, Unset("the program is ready once it is RUNNING"), "0.1.0", Restart, "what says that the program is ready: it is RUNNING then, and when startsecs have passed if they are written").kept(field!(Process: readiness.ready_when)).example("fd:3").implies(&[("startsecs", "0")]).not_of_oneshots(),
    row(S::Program, "ready_timeout", K::Duration, Is("90s"), "0.1.0", Live, "time after which a program that is not ready is stopped, which is a failed start").kept(field!(Process: readiness.ready_timeout)).within(1, i64::MAX).example("2min").only_with(&["ready_when"]),
    row(S::Program, "startretries", K::Integer, Is("3"), "3.0", Live, "further attempts after a failed start").kept(field!(Process: start.startretries)),
    row(S::Program, "autorestart", K::AutoRestart, Is("unexpected"), "3.0", Live, "restart after an exit: true, false or unexpected").kept(field!(Process: restart.autorestart)),
    row(S::Program, "exitcodes", K::ExitCodes, Is("0"), "3.0", Live, "expected exit statuses").kept(field!(Process: restart.exitcodes)),
    row(S::Program, "essential", K::Boolean, Is("false"), "0.1.0", Live, "when the program has finished for good, stop everything and exit with its status").kept(field!(Process: restart.essential)).example("true"),
    row(S::Program, "restart_delay", K::Duration, Unset("none after an exit, a second more with each failed start"), "0.1.0", Live, "delay of each restart").kept(field!(Process: restart.restart_delay)).also(&["restartpause"]).example("5s"),
    row(S::Program, "restart_backoff", K::Backoff, Unset("fixed, if restart_delay is set"), "0.1.0", Live, "growth of the delay with each failure in a row; without restart_delay it begins at 1s").kept(field!(Process: restart.restart_backoff)).example("exponential"),
    row(S::Program, "restart_max_delay", K::Duration, Unset("5min, or restart_delay if that is longer"), "0.1.0", Live, "longest delay; a run that is longer ends the row of failures").kept(field!(Process: restart.restart_max_delay)).within(1, i64::MAX).example("2min"),
    row(S::Program, "restart_jitter", K::Fraction, Unset("0"), "0.1.0", Live, "largest part of the delay that is added at random").kept(field!(Process: restart.restart_jitter)).example("0.2"),
    row(S::Program, "restart_limit", K::RestartLimit, Unset("startretries, which counts failed starts only"), "0.1.0", Live, "restarts allowed within a time, in place of startretries; then the program is FATAL").kept(field!(Process: restart.restart_limit)).example("5/60s").in_place_of(&["startretries"]),
    row(S::Program, "fatal_retry", K::Duration, Unset("never"), "0.1.0", Live, "time after which a FATAL program is started again").kept(field!(Process: restart.fatal_retry)).within(1, i64::MAX).example("10min"),
    row(S::Program, "max_runtime", K::Duration, Unset("no limit"), "0.1.0", Live, "time after which the program is stopped, and started again unless autorestart=false").kept(field!(Process: restart.max_runtime)).within(1, i64::MAX).example("12h"),
    row(S::Program, "recycle_after", K::RecycleAfter, Unset("never"), "0.1.0", Live, "time after which the program is stopped and started again, spread at random, one of a group at a time").kept(field!(Process: restart.recycle_after)).sooner_than("max_runtime").example("6h±20min").not_of_oneshots(),
    row(S::Program, "healthcheck", K::Probe, Unset("none"), "0.1.0", Live, "what is asked at intervals while the program runs; it is healthy while the answer is good").kept(field!(Process: health.healthcheck)).example("http://127.0.0.1:8080/health").not_of_oneshots().also(&["liveness_check_script"]).alias_implies(&[("healthcheck_interval", "60s"), ("healthcheck_start_period", "60s"), ("on_unhealthy", "restart")]),
    row(S::Program, "healthcheck_interval", K::Duration, Is("30s"), "0.1.0", Live, "time from the end of one health check to the next").kept(field!(Process: health.healthcheck_interval)).within(1, i64::MAX).example("10s").only_with(&["healthcheck"]).also(&["liveness_check_period"]),
    row(S::Program, "healthcheck_timeout", K::Duration, Is("30s"), "0.1.0", Live, "time within which a health check must succeed").kept(field!(Process: health.healthcheck_timeout)).within(1, i64::MAX).example("5s").only_with(&["healthcheck"]).also(&["liveness_check_timeout"]),
    row(S::Program, "healthcheck_retries", K::Integer, Is("3"), "0.1.0", Live, "health checks in a row that must fail for the program to be unhealthy").kept(field!(Process: health.healthcheck_retries)).within(1, 1_000_000).example("5").only_with(&["healthcheck"]).also(&["liveness_check_failure_threshold"]),
    row(S::Program, "healthcheck_start_period", K::Duration, Is("0s"), "0.1.0", Live, "time after the start in which failed health checks do not count, until the first one succeeds").kept(field!(Process: health.healthcheck_start_period)).example("1min").only_with(&["healthcheck"]).also(&["liveness_check_initial_delay"]),
    row(S::Program, "healthcheck_start_interval", K::Duration, Is("5s"), "0.1.0", Live, "time from the end of one health check to the next within healthcheck_start_period").kept(field!(Process: health.healthcheck_start_interval)).within(1, i64::MAX).example("2s").only_with(&["healthcheck"]),
    row(S::Program, "watchdog", K::Duration, Unset("none"), "0.1.0", Restart, "time within which the program must send WATCHDOG=1 to NOTIFY_SOCKET again, or it is unhealthy").kept(field!(Process: health.watchdog)).within(1, i64::MAX).example("30s").not_of_oneshots(),
    row(S::Program, "on_unhealthy", K::OnUnhealthy, Is("none"), "0.1.0", Live, "when the program becomes unhealthy: none, restart, stop or signal:NAME").kept(field!(Process: health.on_unhealthy)).example("restart").only_with(&["healthcheck", "watchdog"]).also(&["liveness_check_failure_action"]),
    row(S::Program, "stopsignal", K::Signals, Is("TERM"), "3.0", Live, "signal that asks the program to stop").kept(field!(Process: stop.stopsignal)),
    row(S::Program, "stopwaitsecs", K::Integer, Is("10"), "3.0", Live, "seconds from the stop signal to SIGKILL").kept(field!(Process: stop.stopwaitsecs)),
    row(S::Program, "stop_sequence", K::StopSteps, Unset("the stop signal, then SIGKILL"), "0.1.0", Live, "signals and commands that stop it, each with the time until the next, in place of stopsignal and stopwaitsecs").kept(field!(Process: stop.stop_sequence)).example("TERM:10s, INT:5s, KILL").in_place_of(&["stopsignal", "stopwaitsecs"]),
    row(S::Program, "stopasgroup", K::Boolean, Is("false"), "3.0b1", Live, "send the stop signal to the whole process group").kept(field!(Process: stop.stopasgroup)),
    row(S::Program, "killasgroup", K::Boolean, Unset("the value of stopasgroup"), "3.0a11", Live, "send SIGKILL to the whole process group").kept(field!(Process: stop.killasgroup)),
    row(S::Program, "kill_scope", K::StopScope, Unset("process, or what stopasgroup and killasgroup say"), "0.1.0", Restart, "whom the signals of a stop reach: the process, its process group, the tree of all its descendants, or its cgroup").kept(field!(Process: stop.kill_scope)).example("tree").in_place_of(&["stopasgroup", "killasgroup"]),
    row(S::Program, "pre_start", K::Command, Unset("none"), "0.1.0", Live, "command to run before each start; the program is started when it has ended with status 0").kept(field!(Process: hooks.pre_start)).also(&["pre_start_hook"]).example("/usr/local/bin/migrate --check"),
    row(S::Program, "post_start", K::Command, Unset("none"), "0.1.0", Live, "command to run when the program has become RUNNING").kept(field!(Process: hooks.post_start)).example("/usr/local/bin/register %(program_name)s").not_of_oneshots(),
    row(S::Program, "pre_stop", K::Command, Unset("none"), "0.1.0", Live, "command to run before the program is stopped; the stop goes on when it has ended").kept(field!(Process: hooks.pre_stop)).also(&["pre_stop_hook"]).example("/usr/local/bin/drain"),
    row(S::Program, "post_stop", K::Command, Unset("none"), "0.1.0", Live, "command to run after each end of the program, which is not started again before it has ended").kept(field!(Process: hooks.post_stop)).also(&["post_stop_command"]).example("/usr/local/bin/clean_up"),
    row(S::Program, "hook_timeout", K::Duration, Is("30s"), "0.1.0", Live, "time that each of these commands may take; then it is killed, with its process group").kept(field!(Process: hooks.hook_timeout)).within(1, i64::MAX).example("2min"),
    row(S::Program, "reload_signal", K::Signal, Unset("none"), "0.1.0", Live, "signal by which supervisorctl reload NAME tells the program to read its configuration again").kept(field!(Process: reload.reload_signal)).example("HUP"),
    row(S::Program, "reload_command", K::Command, Unset("none"), "0.1.0", Live, "command that supervisorctl reload NAME runs, in place of a signal, within hook_timeout").kept(field!(Process: reload.reload_command)).example("nginx -s reload").in_place_of(&["reload_signal"]),
    row(S::Program, "user", K::User, Unset("the daemon's user"), "3.0", Restart, "user to run as; needs a daemon that runs as root").kept(field!(Process: spawn.user)),
    row(S::Program, "redirect_stderr", K::Boolean, Is("false"), "3.0", Restart, "write stderr to the log of stdout").kept(field!(Process: logging.redirect_stderr)),
    row(S::Program, "stdout_logfile", K::ChildLog, Is("AUTO"), "3.0", Restart, "log of stdout: a file, AUTO or NONE").kept(field!(Process: logging.stdout.file)),
    row(S::Program, "stdout_logfile_maxbytes", K::ByteSize, Is("50MB"), "3.0", Restart, "rotate the log at this size; 0 for never").kept(field!(Process: logging.stdout.maxbytes)),
    row(S::Program, "stdout_logfile_backups", K::Integer, Is("10"), "3.0", Restart, "rotated logs to keep").kept(field!(Process: logging.stdout.backups)),
    row(S::Program, "stdout_logfile_rotate", K::RotateWhen, Unset("never"), "0.1.0", Restart, "rotate the log at these times of the local clock too: hourly, daily, weekly, 03:30 or 6h").kept(field!(Process: logging.stdout.rotation.logfile_rotate)).example("daily"),
    row(S::Program, "stdout_logfile_date_format", K::DateFormat, Unset("numbers"), "0.1.0", Restart, "date in the name of a rotated log, before the extension, in place of a number behind it").kept(field!(Process: logging.stdout.rotation.logfile_date_format)).example("%Y%m%d"),
    row(S::Program, "stdout_logfile_max_age", K::Duration, Unset("any"), "0.1.0", Restart, "remove rotated logs whose last line is older").kept(field!(Process: logging.stdout.rotation.logfile_max_age)).within(60, i64::MAX).example("30d"),
    row(S::Program, "stdout_logfile_max_total", K::ByteSize, Is("0"), "0.1.0", Restart, "remove the oldest rotated logs when all of them together are larger; 0 for never").kept(field!(Process: logging.stdout.rotation.logfile_max_total)).example("1GB"),
    row(S::Program, "stdout_capture_maxbytes", K::ByteSize, Is("0"), "3.0", Restart, "buffer of capture mode; 0 turns it off").kept(field!(Process: logging.stdout.capture_maxbytes)),
    row(S::Program, "stdout_events_enabled", K::Boolean, Is("false"), "3.0a7", Restart, "send output on stdout as events").kept(field!(Process: logging.stdout.events_enabled)),
    row(S::Program, "stdout_syslog", K::Boolean, Is("false"), "4.0.0", Restart, "copy stdout to the system log").kept(field!(Process: logging.stdout.syslog)),
    row(S::Program, "stderr_logfile", K::ChildLog, Is("AUTO"), "3.0", Restart, "log of stderr: a file, AUTO or NONE").kept(field!(Process: logging.stderr.file)),
    row(S::Program, "stderr_logfile_maxbytes", K::ByteSize, Is("50MB"), "3.0", Restart, "rotate the log at this size; 0 for never").kept(field!(Process: logging.stderr.maxbytes)),
    row(S::Program, "stderr_logfile_backups", K::Integer, Is("10"), "3.0", Restart, "rotated logs to keep").kept(field!(Process: logging.stderr.backups)),
    row(S::Program, "stderr_logfile_rotate", K::RotateWhen, Unset("never"), "0.1.0", Restart, "rotate the log at these times of the local clock too: hourly, daily, weekly, 03:30 or 6h").kept(field!(Process: logging.stderr.rotation.logfile_rotate)).example("daily"),
    row(S::Program, "stderr_logfile_date_format", K::DateFormat, Unset("numbers"), "0.1.0", Restart, "date in the name of a rotated log, before the extension, in place of a number behind it").kept(field!(Process: logging.stderr.rotation.logfile_date_format)).example("%Y%m%d"),
    row(S::Program, "stderr_logfile_max_age", K::Duration, Unset("any"), "0.1.0", Restart, "remove rotated logs whose last line is older").kept(field!(Process: logging.stderr.rotation.logfile_max_age)).within(60, i64::MAX).example("30d"),
    row(S::Program, "stderr_logfile_max_total", K::ByteSize, Is("0"), "0.1.0", Restart, "remove the oldest rotated logs when all of them together are larger; 0 for never").kept(field!(Process: logging.stderr.rotation.logfile_max_total)).example("1GB"),
    row(S::Program, "stderr_capture_maxbytes", K::ByteSize, Is("0"), "3.0", Restart, "buffer of capture mode; 0 turns it off").kept(field!(Process: logging.stderr.capture_maxbytes)),
    row(S::Program, "stderr_events_enabled", K::Boolean, Is("false"), "3.0a7", Restart, "send output on stderr as events").kept(field!(Process: logging.stderr.events_enabled)),
    row(S::Program, "stderr_syslog", K::Boolean, Is("false"), "4.0.0", Restart, "copy stderr to the system log").kept(field!(Process: logging.stderr.syslog)),
    row(S::Program, "environment", K::Environment, Is(""), "3.0", Restart, "variables to add to the environment").kept(field!(Process: spawn.environment)),
    row(S::Program, "env_file", K::EnvironmentFiles, Is(""), "0.1.0", Restart, "files of variables, KEY=VALUE in each line, that are read at each start").kept(field!(Process: spawn.env_file)).also(&["envfiles", "environment_file"]).example("/etc/app.env, -/etc/optional.env"),
    row(S::Program, "secret.name", K::Secret, Unset("no secrets"), "0.1.0", Restart, "where the value of the variable NAME is, which is read at each start and kept nowhere").kept(field!(Process: spawn.secrets)).family().example("file:/run/secrets/name"),
    row(S::Program, "nice", K::Integer, Unset("the daemon's own"), "0.1.0", Restart, "nice value: -20 for the most processor time, 19 for the least").kept(field!(Process: spawn.nice)).within(-20, 19).example("10"),
    row(S::Program, "serverurl", K::UrlOrAuto, Unset("AUTO, the daemon's own"), "3.0", Restart, "value of SUPERVISOR_SERVER_URL").kept(field!(Process: spawn.serverurl)),

    row(S::FcgiProgram, "socket", K::Socket, Required, "3.0", Restart, "listening socket that the program gets as descriptor 0").kept(field!(Process: spawn.socket)),
    row(S::FcgiProgram, "socket_backlog", K::Integer, Unset("the system's maximum"), "3.4.0", Reload, "connections that may wait to be accepted").within(1, 65_535).refused_as(Refusal::Invalid("socket_backlog")),
    row(S::FcgiProgram, "socket_owner", K::Owner, Unset("the user of the program"), "3.0", Reload, "owner of a unix socket").refused_as(Refusal::Invalid("socket_owner")),
    row(S::FcgiProgram, "socket_mode", K::Octal, Is("0700"), "3.0", Reload, "permission bits of a unix socket").refused_as(Refusal::Invalid("socket_mode")),

    row(S::EventListener, "events", K::Events, Required, "3.0", Restart, "types of events to send to the listener"),
    row(S::EventListener, "buffer_size", K::Integer, Is("10"), "3.0", Restart, "events that may wait until a listener is ready").within(1, i64::MAX).refused_as(Refusal::Sets),
    row(S::EventListener, "result_handler", K::PythonName, Is("supervisor.dispatchers:default_handler"), "3.0", Restart, "callable that accepts or rejects the listener's results"),
    row(S::EventListener, "priority", K::Integer, Is("-1"), "3.0", Live, "lower numbers start first and stop last"),

    row(S::Group, "programs", K::Names, Unset("an empty group"), "3.0", Live, "programs in the group"),
    row(S::Group, "priority", K::Integer, Is("999"), "3.0", Live, "lower numbers start first and stop last"),

    row(S::Include, "files", K::Patterns, Required, "3.0", Live, "files to read, as shell patterns"),
];
