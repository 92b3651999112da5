//! The value of an option as plain data, whichever option it is. Readers, formats and protocols deal with the few shapes of
//! values, and not with each option.

use std::borrow::Cow;
use std::sync::Arc;

use crate::host::Account;
use crate::model::{ActivityLog, AutoRestart, FastCgiSocket, LogFile, LogLevel, ServerUrl, StopSignals, StopSteps};

/// A value, borrowed from where it is kept, or made from a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'v> {
    /// Nothing is set.
    Unset,
    Boolean(bool),
    Integer(i64),
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
    LogLevel(LogLevel),
    LogFile(Cow<'v, LogFile>),
    /// No log file, but the system log: the old way to ask for it.
    Syslog,
    ActivityLog(Cow<'v, ActivityLog>),
    Socket(Cow<'v, Arc<FastCgiSocket>>),
}

/// A type in which the value of an option is kept.
pub trait OptionValue: Sized {
    /// What is kept.
    fn value(&self) -> Value<'_>;

    /// What is to be kept of a value; none where it has another shape.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl OptionValue for bool {
    fn value(&self) -> Value<'_> {
        Value::Boolean(*self)
    }

    fn from_value(value: Value<'_>) -> Option<bool> {
        if let Value::Boolean(truth) = value { Some(truth) } else { None }
    }
}

/// Numbers that a type cannot hold count as the nearest that it can: a negative size is 0.
macro_rules! integers {
    ($($number:ty)+) => {$(
        impl OptionValue for $number {
            fn value(&self) -> Value<'_> {
                Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }

            fn from_value(value: Value<'_>) -> Option<$number> {
                let Value::Integer(number) = value else { return None };
                Some(<$number>::try_from(number).unwrap_or(if number < 0 { <$number>::MIN } else { <$number>::MAX }))
            }
        }
    )+};
}

integers!(i64 u64 i32 u32 i8 usize);

impl OptionValue for String {
    fn value(&self) -> Value<'_> {
        Value::Text(self.into())
    }

    fn from_value(value: Value<'_>) -> Option<String> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Unset, T::value)
    }

    fn from_value(value: Value<'_>) -> Option<Option<T>> {
        if value == Value::Unset { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// Types that a shape of value holds as they are.
macro_rules! kept_whole {
    ($($shape:ident: $kept:ty,)+) => {$(
        impl OptionValue for $kept {
            fn value(&self) -> Value<'_> {
                Value::$shape(Cow::Borrowed(self))
            }

            fn from_value(value: Value<'_>) -> Option<$kept> {
                if let Value::$shape(kept) = value { Some(kept.into_owned()) } else { None }
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
    fn value(&self) -> Value<'_> {
        match self.more.is_empty() {
            true => Value::Integer(self.first.into()),
            false => Value::Numbers([self.first].into_iter().chain(self.more.iter().copied()).collect()),
        }
    }

    fn from_value(value: Value<'_>) -> Option<StopSignals> {
        match value {
            Value::Integer(number) => Some(i32::try_from(number).ok()?.into()),
            Value::Numbers(numbers) => {
                let (first, more) = numbers.split_first()?;
                Some(StopSignals { first: *first, more: more.to_vec() })
            }
            _ => None,
        }
    }
}

impl OptionValue for LogFile {
    fn value(&self) -> Value<'_> {
        Value::LogFile(Cow::Borrowed(self))
    }

    fn from_value(value: Value<'_>) -> Option<LogFile> {
        match value {
            Value::LogFile(file) => Some(file.into_owned()),
            Value::Syslog => Some(LogFile::None),
            _ => None,
        }
    }
}

impl OptionValue for AutoRestart {
    fn value(&self) -> Value<'_> {
        Value::AutoRestart(*self)
    }

    fn from_value(value: Value<'_>) -> Option<AutoRestart> {
        if let Value::AutoRestart(when) = value { Some(when) } else { None }
    }
}

impl OptionValue for LogLevel {
    fn value(&self) -> Value<'_> {
        Value::LogLevel(*self)
    }

    fn from_value(value: Value<'_>) -> Option<LogLevel> {
        if let Value::LogLevel(level) = value { Some(level) } else { None }
    }
}

impl OptionValue for ServerUrl {
    fn value(&self) -> Value<'_> {
        match self {
            ServerUrl::Auto => Value::Unset,
            ServerUrl::Text(text) => Value::Text(text.into()),
        }
    }

    fn from_value(value: Value<'_>) -> Option<ServerUrl> {
        match value {
            Value::Unset => Some(ServerUrl::Auto),
            Value::Text(text) => Some(ServerUrl::Text(text.into_owned())),
            _ => None,
        }
    }
}

impl OptionValue for (u32, Option<u32>) {
    fn value(&self) -> Value<'_> {
        Value::Owner(self.0, self.1)
    }

    fn from_value(value: Value<'_>) -> Option<(u32, Option<u32>)> {
        if let Value::Owner(user, group) = value { Some((user, group)) } else { None }
    }
}

impl OptionValue for (String, u16) {
    fn value(&self) -> Value<'_> {
        Value::Address((&self.0).into(), self.1)
    }

    fn from_value(value: Value<'_>) -> Option<(String, u16)> {
        if let Value::Address(host, port) = value { Some((host.into_owned(), port)) } else { None }
    }
}
