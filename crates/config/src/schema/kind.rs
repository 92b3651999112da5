//! What is written as the value of an option, and how it is converted.

use std::borrow::Cow;

use self::Kind as K;
use crate::accounts;
use crate::client_user::UserRole;
use crate::complaint::Complaint;
use crate::convert;
use crate::date_format::DateFormat;
use crate::disk_reserve::DiskReserve;
use crate::duration;
use crate::environment;
use crate::environment_file::EnvironmentFile;
use crate::expand::{ExpansionNames, expand_again};
use crate::forward_target::ForwardTarget;
use crate::host::DaemonHost;
use crate::log_compression::LogCompression;
use crate::log_form::LogFormat;
use crate::model::{ActivityLog, LogFile, OnUnhealthy, ProgramType, StopSteps};
use crate::pacing;
use crate::password_form;
use crate::path;
use crate::probe::Probe;
use crate::program_patterns::ProgramPatterns;
use crate::pytext::strip;
use crate::python_name;
use crate::readiness::ReadyWhen;
use crate::rotate_when::RotateWhen;
use crate::secret::SecretSource;
use crate::signal;
use crate::syslog_code::{SyslogFacility, SyslogSeverity};
use crate::value::ConfigValue;

/// What is written as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text that is nobody's business.
    Password,
    /// A password that is hashed.
    PasswordHash,
    /// A token that is hashed.
    TokenHash,
    UserRole,
    /// Patterns of programs, separated by commas.
    ProgramPatterns,
    /// The number of a user, or its name.
    UserId,
    /// The number of a group, or its name.
    GroupId,
    Integer,
    /// A number, which may be counted in processors.
    Count,
    /// A number from 0 to 1.
    Fraction,
    Duration,
    Boolean,
    ByteSize,
    Octal,
    LogLevel,
    /// A command line, which must consist of words.
    Command,
    Signal,
    /// One signal or several, separated by commas.
    Signals,
    /// Signals and commands with durations, separated by commas.
    StopSteps,
    ExitCodes,
    AutoRestart,
    /// Whether a program is to stay or to run to its end.
    ProgramType,
    ExitWhen,
    UpdateMode,
    /// What happens to output that a log cannot take.
    WhenBlocked,
    /// In which form entries of the activity log are.
    ActivityFormat,
    StopScope,
    Backoff,
    RestartLimit,
    /// A duration, which may be spread.
    RecycleAfter,
    /// Names of programs, with conditions, separated by commas.
    Dependencies,
    OnDependencyFailure,
    /// What says that a program is ready.
    ReadyWhen,
    /// A question about a program.
    Probe,
    OnUnhealthy,
    /// When a log is rotated by time.
    RotateWhen,
    /// A date in the name of a rotated log.
    DateFormat,
    LogCompression,
    /// How much of a disk is to stay free.
    DiskReserve,
    Environment,
    /// Paths separated by commas, each behind a dash if the file need not be there.
    EnvironmentFiles,
    /// Where a secret is.
    Secret,
    /// Names separated by commas.
    Names,
    /// Words separated by commas.
    Tags,
    /// Names of events separated by commas.
    Events,
    Name,
    User,
    /// `user` or `user:group`.
    Owner,
    /// A directory that must exist.
    Directory,
    /// A file in a directory that must exist.
    File,
    /// A file in a directory that must exist, or `syslog`.
    ActivityLog,
    /// A file, `AUTO`, `NONE` or `syslog`.
    ChildLog,
    /// In which form lines stand in a log.
    LogFormat,
    /// Log services separated by commas.
    ForwardTargets,
    /// What kind of program messages of the system log are from.
    SyslogFacility,
    /// How severe a message of the system log is.
    SyslogSeverity,
    InetAddress,
    /// `unix:///path` or `tcp://host:port`.
    Socket,
    Url,
    /// An address, or `AUTO`.
    UrlOrAuto,
    /// `package.module:attribute`.
    PythonName,
    /// Shell patterns separated by white space.
    Patterns,
}

/// What conversions may ask besides the text.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) host: &'c dyn DaemonHost,
    /// What may stand in a value that is expanded twice.
    pub(crate) names: &'c ExpansionNames<'c>,
    /// The section, as messages name it.
    pub(crate) section: &'c str,
    /// The option, as messages name it.
    pub(crate) option: &'c str,
}

impl Kind {
    /// A short description for reference pages.
    pub const fn describe(self) -> &'static str {
        match self {
            K::Text | K::Password => "text",
            K::PasswordHash => "{ARGON2ID}, {BCRYPT} or {SHA} and a hash",
            K::TokenHash => "{SHA256} and 64 hexadecimal digits",
            K::UserRole => "viewer, operator or admin",
            K::ProgramPatterns => "NAME, GROUP:NAME, GROUP:* or @TAG, separated by commas",
            K::UserId => "user name or id",
            K::GroupId => "group name or id",
            K::Command => "program and arguments",
            K::Integer => "whole number",
            K::Count => "whole number, or cpus, as in cpus*2",
            K::Fraction => "number from 0 to 1",
            K::Duration => "seconds, or a number with ms, s, min, h or d",
            K::Boolean => "true or false",
            K::ByteSize => "bytes, with KB, MB or GB",
            K::Octal => "octal permission bits",
            K::LogLevel => "critical, error, warn, info, debug, trace or blather",
            K::Signal => "signal name or number",
            K::Signals => "signal name or number, or several separated by commas",
            K::StopSteps => "SIGNAL:DURATION or exec:COMMAND:DURATION steps, separated by commas",
            K::ExitCodes => "exit statuses from 0 to 255, separated by commas",
            K::AutoRestart => "true, false or unexpected",
            K::StopScope => "process, group, tree or cgroup",
            K::ProgramType => "simple or oneshot",
            K::ActivityFormat => "text or json",
            K::WhenBlocked => "block, drop_oldest, drop_newest or spill:SIZE",
            K::ExitWhen => "never, all_finished or any_failed",
            K::UpdateMode => "groups or minimal",
            K::Backoff => "fixed, linear or exponential",
            K::RestartLimit => "COUNT/DURATION such as 5/60s, or unlimited",
            K::RecycleAfter => "DURATION, or DURATION±DURATION such as 6h±20min",
            K::Dependencies => "NAME or NAME:CONDITION, separated by commas",
            K::OnDependencyFailure => "ignore, stop or restart",
            K::ReadyWhen => {
                "notify, fd:NUMBER, log:REGEX, tcp:HOST:PORT, unix:PATH, http://HOST:PORT/PATH, file:PATH or exec:COMMAND"
            }
            K::Probe => "http://HOST:PORT/PATH, tcp:HOST:PORT, unix:PATH, file:PATH or exec:COMMAND",
            K::OnUnhealthy => "none, restart, stop or signal:NAME",
            K::RotateWhen => "hourly, daily, weekly, a time of day such as 03:30, or an interval such as 6h",
            K::DateFormat => "%Y, %m, %d, %H, %M and %S, such as %Y%m%d",
            K::LogCompression => "none, gzip or zstd",
            K::DiskReserve => "bytes, with KB, MB or GB, or a percentage such as 5%",
            K::Environment => "KEY=\"value\" pairs, separated by commas",
            K::EnvironmentFiles => "files, separated by commas; -FILE for one that need not be there",
            K::Secret => "file:PATH, credential:NAME or exec:COMMAND",
            K::Names => "names, separated by commas",
            K::Tags => "words of letters, digits, dots, dashes and underscores, separated by commas",
            K::Events => "event names, separated by commas",
            K::Name => "name without blanks, colons and slashes",
            K::User => "user name or id",
            K::Owner => "user or user:group",
            K::Directory => "existing directory",
            K::File | K::ActivityLog => "file in an existing directory",
            K::ChildLog => "file in an existing directory, AUTO or NONE",
            K::LogFormat => "raw, text, json or a template with %(message)s",
            K::ForwardTargets => {
                "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH or journald, or several separated by commas"
            }
            K::SyslogFacility => "user, daemon, local0 to local7, or another facility of the system log",
            K::SyslogSeverity => "emerg, alert, crit, err, warning, notice, info or debug",
            K::InetAddress => "PORT, *:PORT or HOST:PORT",
            K::Socket => "unix:///PATH or tcp://HOST:PORT",
            K::Url | K::UrlOrAuto => "http://HOST:PORT, https://HOST:PORT or unix:///PATH",
            K::PythonName => "package.module:attribute",
            K::Patterns => "file patterns, separated by white space",
        }
    }

    /// What stands before the description in a sentence.
    pub(super) const fn article(self) -> &'static str {
        match self {
            K::UserId
            | K::GroupId
            | K::Command
            | K::Integer
            | K::Count
            | K::Fraction
            | K::Signal
            | K::Signals
            | K::Name
            | K::User
            | K::Owner
            | K::File
            | K::ActivityLog
            | K::ChildLog => "a ",
            K::Directory => "an ",
            _ => "",
        }
    }

    /// Whether it is a command line, or may have one in it.
    pub(crate) const fn may_have_command(self) -> bool {
        matches!(self, K::Command | K::StopSteps | K::ReadyWhen | K::Probe | K::Secret)
    }

    /// A text as it is expanded: where percent signs have a meaning of their own, they need not be doubled.
    pub(crate) fn before_expansion(self, text: &str) -> Cow<'_, str> {
        match self {
            K::DateFormat => DateFormat::escape(text),
            K::DiskReserve => DiskReserve::escape(text).into(),
            K::LogFormat => LogFormat::before_expansion(text),
            _ => text.into(),
        }
    }

    /// What an expanded text means by itself, whoever it is about and wherever it is read.
    ///
    /// # Errors
    /// What is wrong with it, in the original's words.
    pub fn convert(self, text: &str) -> Result<ConfigValue<'static>, Complaint> {
        Ok(match self {
            K::PasswordHash => ConfigValue::Text(password_form::hashed_password(text)?.into()),
            K::TokenHash => ConfigValue::Text(password_form::hashed_token(text)?.into()),
            K::UserRole => ConfigValue::Text(UserRole::parse(text)?.word().into()),
            K::ProgramPatterns => ConfigValue::Text(ProgramPatterns::parse(text)?.to_string().into()),
            K::Integer => ConfigValue::Integer(convert::integer(text)?),
            K::Count => ConfigValue::Integer(convert::integer(text)?),
            K::ByteSize => ConfigValue::Integer(convert::byte_size(text)?),
            K::Octal => ConfigValue::Integer(convert::octal(text)?.into()),
            K::Command => ConfigValue::Text(convert::command(text)?.into()),
            K::Signal => ConfigValue::Integer(signal::parse_stop_signal(text)?.into()),
            K::Signals => stop_signals(text)?,
            K::StopSteps => ConfigValue::StopSteps(Cow::Owned(StopSteps::parse(text)?)),
            K::Fraction => ConfigValue::Fraction(pacing::fraction(text)?),
            K::Duration => ConfigValue::Duration(duration::parse(text)?),
            K::Boolean => ConfigValue::Boolean(convert::boolean(text)?),
            K::LogLevel => ConfigValue::LogLevel(convert::log_level(text)?),
            K::ExitCodes => ConfigValue::Numbers(convert::exit_codes(text)?.into()),
            K::AutoRestart => ConfigValue::AutoRestart(convert::auto_restart(text)?),
            K::StopScope => ConfigValue::Text(convert::stop_scope(text)?.word().into()),
            K::ProgramType => ConfigValue::Text(ProgramType::parse(text)?.word().into()),
            K::ActivityFormat => ConfigValue::Text(convert::activity_format(text)?.word().into()),
            K::WhenBlocked => ConfigValue::Text(convert::when_blocked(text)?.to_string().into()),
            K::ExitWhen => ConfigValue::Text(convert::exit_when(text)?.word().into()),
            K::UpdateMode => ConfigValue::Text(convert::update_mode(text)?.word().into()),
            K::Backoff => ConfigValue::Backoff(pacing::backoff(text)?),
            K::RestartLimit => ConfigValue::RestartLimit(pacing::limit_of_restarts(text)?),
            K::RecycleAfter => ConfigValue::RecycleAfter(pacing::time_to_recycle(text)?),
            K::Dependencies => ConfigValue::Texts(convert::dependencies(text)?.into()),
            K::OnDependencyFailure => ConfigValue::Text(convert::dependency_reaction(text)?.word().into()),
            K::ReadyWhen => ConfigValue::Text(ReadyWhen::parse(text)?.to_string().into()),
            K::Probe => ConfigValue::Text(Probe::parse(text)?.to_string().into()),
            K::OnUnhealthy => ConfigValue::Text(OnUnhealthy::parse(text)?.to_string().into()),
            K::RotateWhen => ConfigValue::Text(RotateWhen::parse(text)?.to_string().into()),
            K::DateFormat => ConfigValue::Text(DateFormat::parse(text)?.to_string().into()),
            K::LogCompression => ConfigValue::Text(LogCompression::parse(text)?.word().into()),
            K::DiskReserve => ConfigValue::Text(convert::disk_reserve(text)?.to_string().into()),
            K::Environment => ConfigValue::Pairs(environment::pairs(text)?.into()),
            K::EnvironmentFiles => ConfigValue::Texts(convert::environment_files(text)?.into()),
            K::Names | K::Events => ConfigValue::Texts(convert::strings(text).into()),
            K::Secret => ConfigValue::Text(SecretSource::parse(text)?.to_string().into()),
            K::Tags => ConfigValue::Texts(convert::labels(text)?.into()),
            K::Name => ConfigValue::Text(convert::name(text)?.into()),
            K::InetAddress => {
                let (host, port) = convert::inet_address(text)?;
                ConfigValue::Address(host.into(), port)
            }
            K::ChildLog => child_log(text),
            K::LogFormat => ConfigValue::Text(LogFormat::parse(text)?.to_string().into()),
            K::ForwardTargets => {
                let targets = ForwardTarget::parse_list(text)?;
                ConfigValue::Texts(targets.iter().map(ForwardTarget::to_string).collect())
            }
            K::SyslogFacility => ConfigValue::Text(SyslogFacility::parse(text)?.word().into()),
            K::SyslogSeverity => ConfigValue::Text(SyslogSeverity::parse(text)?.word().into()),
            K::ActivityLog if text == "syslog" => ConfigValue::ActivityLog(Cow::Owned(ActivityLog::Syslog)),
            K::ActivityLog => ConfigValue::ActivityLog(Cow::Owned(ActivityLog::File(text.to_owned()))),
            K::UrlOrAuto if strip(text).eq_ignore_ascii_case("AUTO") => ConfigValue::Unset,
            K::Text
            | K::Password
            | K::User
            | K::UserId
            | K::GroupId
            | K::Owner
            | K::Directory
            | K::File
            | K::Socket
            | K::Url
            | K::UrlOrAuto
            | K::PythonName
            | K::Patterns => ConfigValue::Text(text.to_owned().into()),
        })
    }

    /// What an expanded text means on a host: users, groups, files, directories and Python code are those that are there.
    pub(crate) fn convert_on(self, text: &str, context: &Context<'_>) -> Result<ConfigValue<'static>, Complaint> {
        let host = context.host;
        Ok(match self {
            K::User => ConfigValue::User(Cow::Owned(accounts::user(text, host)?)),
            K::UserId => ConfigValue::Integer(accounts::user_id(text, host)?.into()),
            K::GroupId => ConfigValue::Integer(accounts::group_id(text, host)?.into()),
            K::Count => ConfigValue::Integer(convert::count(text, host)?),
            K::EnvironmentFiles => {
                let files = convert::environment_files(text)?.into_iter().map(|text| EnvironmentFile::from_text(&text));
                let absolute =
                    files.map(|file| EnvironmentFile { path: path::absolute_from_home(&file.path, host), ..file });
                ConfigValue::Texts(absolute.map(|file| file.to_string()).collect())
            }
            K::Owner => {
                let (user, group) = accounts::owner(text, host)?;
                ConfigValue::Owner(user, group)
            }
            K::Directory => ConfigValue::Text(path::existing_directory(text, host)?.into()),
            K::File => ConfigValue::Text(file(text, host)?.into()),
            K::PythonName => ConfigValue::Text(python_name::resolved(text, context.section, host)?.into()),
            K::ActivityLog => match self.convert(text)? {
                ConfigValue::ActivityLog(log) if *log == ActivityLog::Syslog => ConfigValue::ActivityLog(log),
                _ => ConfigValue::ActivityLog(Cow::Owned(ActivityLog::File(file(text, host)?))),
            },
            K::ChildLog => {
                // This option is expanded twice, so a percent sign in it is written four times.
                match self.convert(&expand_again(text, context.names, context.option)?)? {
                    ConfigValue::LogFile(Cow::Owned(LogFile::Path(path))) => ConfigValue::LogFile(Cow::Owned(
                        LogFile::Path(path::in_existing_directory(&path, host)?.into()),
                    )),
                    other => other,
                }
            }
            _ => self.convert(text)?,
        })
    }
}

/// A file in a directory that exists, absolute.
fn file(text: &str, host: &dyn DaemonHost) -> Result<String, Complaint> {
    path::in_existing_directory(text, host).map(|path| path::absolute(&path, host))
}

fn stop_signals(text: &str) -> Result<ConfigValue<'static>, Complaint> {
    if !text.contains(',') {
        return Ok(ConfigValue::Integer(signal::parse_stop_signal(text)?.into()));
    }
    let signals: Result<Vec<i32>, _> = text.split(',').map(signal::parse_stop_signal).collect();
    Ok(ConfigValue::Numbers(signals?.into()))
}

fn child_log(text: &str) -> ConfigValue<'static> {
    let file = match text.to_lowercase().as_str() {
        "syslog" => return ConfigValue::Syslog,
        "" | "none" | "off" => LogFile::None,
        "auto" => LogFile::Auto,
        _ => LogFile::Path(text.into()),
    };
    ConfigValue::LogFile(Cow::Owned(file))
}
