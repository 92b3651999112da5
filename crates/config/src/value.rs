//! The value of an option as plain data, whichever option it is. Readers, formats and protocols deal with the few shapes of
//! values, and not with each option.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::convert;
use crate::date_format::DateFormat;
use crate::dependency::{Dependency, OnDependencyFailure};
use crate::disk_reserve::DiskReserve;
use crate::environment_file::EnvironmentFile;
use crate::forward_target::ForwardTarget;
use crate::host::Account;
use crate::log_compression::LogCompression;
use crate::log_form::LogFormat;
use crate::model::{
    ActivityFormat, ActivityLog, AutoRestart, Backoff, ExitWhen, FastCgiSocket, LogFile, LogLevel, OnUnhealthy,
    ProgramServerUrl, ProgramType, RecycleAfter, RestartLimit, StopScope, StopSignals, StopSteps, UpdateMode,
    WhenBlocked,
};
use crate::probe::Probe;
use crate::readiness::ReadyWhen;
use crate::rotate_when::RotateWhen;
use crate::secret::Secret;
use crate::syslog_code::{SyslogFacility, SyslogSeverity};

/// A value, borrowed from where it is kept, or made from a text.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue<'v> {
    /// Nothing is set.
    Unset,
    Boolean(bool),
    Integer(i64),
    /// From 0 to 1.
    Fraction(f64),
    Duration(Duration),
    Text(Cow<'v, str>),
    Numbers(Cow<'v, [i32]>),
    Texts(Cow<'v, [String]>),
    /// Names with their values, in written order.
    Pairs(Cow<'v, [(String, String)]>),
    User(Cow<'v, Account>),
    /// A user id, and a group id where a group is named.
    Owner(u32, Option<u32>),
    /// Host and port.
    Address(Cow<'v, str>, u16),
    AutoRestart(AutoRestart),
    StopSteps(Cow<'v, StopSteps>),
    Backoff(Backoff),
    RestartLimit(RestartLimit),
    RecycleAfter(RecycleAfter),
    LogLevel(LogLevel),
    LogFile(Cow<'v, LogFile>),
    /// No log file, but the system log: the old way to ask for it.
    Syslog,
    ActivityLog(Cow<'v, ActivityLog>),
    Socket(Cow<'v, Arc<FastCgiSocket>>),
}

impl ConfigValue<'_> {
    /// The longest time that it may stand for; none where it is no time.
    pub fn longest(&self) -> Option<Duration> {
        match self {
            ConfigValue::Duration(length) => Some(*length),
            ConfigValue::RecycleAfter(recycle) => Some(recycle.latest()),
            _ => None,
        }
    }
}

/// A type in which the value of an option is kept.
pub trait OptionValue: Sized {
    /// What is kept.
    fn value(&self) -> ConfigValue<'_>;

    /// What is to be kept of a value; none where it has another shape.
    fn from_value(value: ConfigValue<'_>) -> Option<Self>;
}

/// Numbers that a type cannot hold count as the nearest that it can: a negative size is 0.
macro_rules! integers {
    ($($number:ty)+) => {$(
        impl OptionValue for $number {
            fn value(&self) -> ConfigValue<'_> {
                ConfigValue::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }

            fn from_value(value: ConfigValue<'_>) -> Option<$number> {
                let ConfigValue::Integer(number) = value else { return None };
                Some(<$number>::try_from(number).unwrap_or(if number < 0 { <$number>::MIN } else { <$number>::MAX }))
            }
        }
    )+};
}

integers!(i64 u64 i32 u32 i8 usize);

impl OptionValue for String {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<String> {
        if let ConfigValue::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    fn value(&self) -> ConfigValue<'_> {
        self.as_ref().map_or(ConfigValue::Unset, T::value)
    }

    fn from_value(value: ConfigValue<'_>) -> Option<Option<T>> {
        if value == ConfigValue::Unset { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// Types that a shape of value holds as they are.
macro_rules! kept_whole {
    ($($shape:ident: $kept:ty,)+) => {$(
        impl OptionValue for $kept {
            fn value(&self) -> ConfigValue<'_> {
                ConfigValue::$shape(Cow::Borrowed(self))
            }

            fn from_value(value: ConfigValue<'_>) -> Option<$kept> {
                if let ConfigValue::$shape(kept) = value { Some(kept.into_owned()) } else { None }
            }
        }
    )+};
}

kept_whole! {
    Numbers: Vec<i32>,
    Texts: Vec<String>,
    Pairs: Vec<(String, String)>,
    User: Account,
    ActivityLog: ActivityLog,
    StopSteps: StopSteps,
    Socket: Arc<FastCgiSocket>,
}

/// One is a number, several are numbers.
impl OptionValue for StopSignals {
    fn value(&self) -> ConfigValue<'_> {
        match self.more.is_empty() {
            true => ConfigValue::Integer(self.first.into()),
            false => ConfigValue::Numbers([self.first].into_iter().chain(self.more.iter().copied()).collect()),
        }
    }

    fn from_value(value: ConfigValue<'_>) -> Option<StopSignals> {
        match value {
            ConfigValue::Integer(number) => Some(i32::try_from(number).ok()?.into()),
            ConfigValue::Numbers(numbers) => {
                let (first, more) = numbers.split_first()?;
                Some(StopSignals { first: *first, more: more.to_vec() })
            }
            _ => None,
        }
    }
}

impl OptionValue for LogFile {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::LogFile(Cow::Borrowed(self))
    }

    fn from_value(value: ConfigValue<'_>) -> Option<LogFile> {
        match value {
            ConfigValue::LogFile(file) => Some(file.into_owned()),
            ConfigValue::Syslog => Some(LogFile::None),
            _ => None,
        }
    }
}

impl OptionValue for Vec<Dependency> {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Texts(self.iter().map(Dependency::to_string).collect())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<Vec<Dependency>> {
        let ConfigValue::Texts(texts) = value else { return None };
        Some(texts.iter().map(|text| Dependency::from_text(text)).collect())
    }
}

impl OptionValue for Vec<EnvironmentFile> {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Texts(self.iter().map(EnvironmentFile::to_string).collect())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<Vec<EnvironmentFile>> {
        let ConfigValue::Texts(texts) = value else { return None };
        Some(texts.iter().map(|text| EnvironmentFile::from_text(text)).collect())
    }
}

impl OptionValue for Vec<ForwardTarget> {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Texts(self.iter().map(ForwardTarget::to_string).collect())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<Vec<ForwardTarget>> {
        let ConfigValue::Texts(texts) = value else { return None };
        texts.iter().map(|text| ForwardTarget::parse(text).ok()).collect()
    }
}

impl OptionValue for SyslogFacility {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<SyslogFacility> {
        if let ConfigValue::Text(text) = value { SyslogFacility::parse(&text).ok() } else { None }
    }
}

impl OptionValue for SyslogSeverity {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<SyslogSeverity> {
        if let ConfigValue::Text(text) = value { SyslogSeverity::parse(&text).ok() } else { None }
    }
}

impl OptionValue for Vec<Secret> {
    fn value(&self) -> ConfigValue<'_> {
        match self.is_empty() {
            true => ConfigValue::Unset,
            false => ConfigValue::Texts(self.iter().map(Secret::to_string).collect()),
        }
    }

    fn from_value(value: ConfigValue<'_>) -> Option<Vec<Secret>> {
        match value {
            ConfigValue::Unset => Some(Vec::new()),
            ConfigValue::Texts(texts) => texts.iter().map(|text| Secret::from_text(text)).collect(),
            _ => None,
        }
    }
}

impl OptionValue for OnDependencyFailure {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<OnDependencyFailure> {
        if let ConfigValue::Text(word) = value { OnDependencyFailure::from_word(&word) } else { None }
    }
}

impl OptionValue for ReadyWhen {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<ReadyWhen> {
        if let ConfigValue::Text(text) = value { ReadyWhen::parse(&text).ok() } else { None }
    }
}

impl OptionValue for LogFormat {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<LogFormat> {
        if let ConfigValue::Text(text) = value { LogFormat::parse(&text).ok() } else { None }
    }
}

impl OptionValue for Arc<Probe> {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<Arc<Probe>> {
        if let ConfigValue::Text(text) = value { Probe::parse(&text).ok().map(Arc::new) } else { None }
    }
}

impl OptionValue for RotateWhen {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<RotateWhen> {
        if let ConfigValue::Text(text) = value { RotateWhen::parse(&text).ok() } else { None }
    }
}

impl OptionValue for DiskReserve {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<DiskReserve> {
        if let ConfigValue::Text(text) = value { convert::disk_reserve(&text).ok() } else { None }
    }
}

impl OptionValue for LogCompression {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<LogCompression> {
        if let ConfigValue::Text(text) = value { LogCompression::parse(&text).ok() } else { None }
    }
}

impl OptionValue for DateFormat {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<DateFormat> {
        if let ConfigValue::Text(text) = value { DateFormat::parse(&text).ok() } else { None }
    }
}

impl OptionValue for OnUnhealthy {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<OnUnhealthy> {
        if let ConfigValue::Text(text) = value { OnUnhealthy::parse(&text).ok() } else { None }
    }
}

/// Types that a shape of value holds by themselves.
macro_rules! kept_by_copy {
    ($($shape:ident: $kept:ty,)+) => {$(
        impl OptionValue for $kept {
            fn value(&self) -> ConfigValue<'_> {
                ConfigValue::$shape(*self)
            }

            fn from_value(value: ConfigValue<'_>) -> Option<$kept> {
                if let ConfigValue::$shape(kept) = value { Some(kept) } else { None }
            }
        }
    )+};
}

kept_by_copy! {
    Boolean: bool,
    Fraction: f64,
    Duration: Duration,
    AutoRestart: AutoRestart,
    Backoff: Backoff,
    RestartLimit: RestartLimit,
    RecycleAfter: RecycleAfter,
    LogLevel: LogLevel,
}

impl OptionValue for StopScope {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<StopScope> {
        let ConfigValue::Text(text) = value else { return None };
        StopScope::ALL.into_iter().find(|scope| scope.word() == text)
    }
}

impl OptionValue for ProgramType {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<ProgramType> {
        let ConfigValue::Text(text) = value else { return None };
        ProgramType::ALL.into_iter().find(|kind| kind.word() == text)
    }
}

impl OptionValue for ActivityFormat {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<ActivityFormat> {
        let ConfigValue::Text(text) = value else { return None };
        ActivityFormat::ALL.into_iter().find(|format| format.word() == text)
    }
}

impl OptionValue for WhenBlocked {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.to_string().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<WhenBlocked> {
        let ConfigValue::Text(text) = value else { return None };
        convert::when_blocked(&text).ok()
    }
}

impl OptionValue for ExitWhen {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<ExitWhen> {
        let ConfigValue::Text(text) = value else { return None };
        ExitWhen::ALL.into_iter().find(|when| when.word() == text)
    }
}

impl OptionValue for UpdateMode {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Text(self.word().into())
    }

    fn from_value(value: ConfigValue<'_>) -> Option<UpdateMode> {
        let ConfigValue::Text(text) = value else { return None };
        UpdateMode::from_word(&text)
    }
}

impl OptionValue for ProgramServerUrl {
    fn value(&self) -> ConfigValue<'_> {
        match self {
            ProgramServerUrl::Auto => ConfigValue::Unset,
            ProgramServerUrl::Text(text) => ConfigValue::Text(text.into()),
        }
    }

    fn from_value(value: ConfigValue<'_>) -> Option<ProgramServerUrl> {
        match value {
            ConfigValue::Unset => Some(ProgramServerUrl::Auto),
            ConfigValue::Text(text) => Some(ProgramServerUrl::Text(text.into_owned())),
            _ => None,
        }
    }
}

impl OptionValue for (u32, Option<u32>) {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Owner(self.0, self.1)
    }

    fn from_value(value: ConfigValue<'_>) -> Option<(u32, Option<u32>)> {
        if let ConfigValue::Owner(user, group) = value { Some((user, group)) } else { None }
    }
}

impl OptionValue for (String, u16) {
    fn value(&self) -> ConfigValue<'_> {
        ConfigValue::Address((&self.0).into(), self.1)
    }

    fn from_value(value: ConfigValue<'_>) -> Option<(String, u16)> {
        if let ConfigValue::Address(host, port) = value { Some((host.into_owned(), port)) } else { None }
    }
}
