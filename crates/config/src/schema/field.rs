//! Where the value of an option is kept in the typed configuration.

use crate::model::{Process, Supervisord};
use crate::value::{ConfigValue, OptionValue};

/// A value has another shape than the option it was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongShape;

/// A field of a type.
#[derive(Debug)]
pub struct Field<S: 'static> {
    pub(super) get: for<'s> fn(&'s S) -> ConfigValue<'s>,
    pub(super) set: fn(&mut S, ConfigValue<'_>) -> Result<(), WrongShape>,
}

impl<S> Field<S> {
    /// What is kept.
    pub fn get<'s>(&self, of: &'s S) -> ConfigValue<'s> {
        (self.get)(of)
    }

    /// Keeps another value.
    ///
    /// # Errors
    /// The value has another shape; everything is as it was.
    pub fn set(&self, of: &mut S, value: ConfigValue<'_>) -> Result<(), WrongShape> {
        (self.set)(of, value)
    }
}

/// The type whose field keeps the value.
#[derive(Debug)]
pub enum KeptIn {
    /// The value is a part of what is made of the section, by code of its own.
    Section,
    Process(Field<Process>),
    Supervisord(Field<Supervisord>),
}

pub(super) fn keep<T: OptionValue>(field: &mut T, value: ConfigValue<'_>) -> Result<(), WrongShape> {
    *field = T::from_value(value).ok_or(WrongShape)?;
    Ok(())
}

/// `field!(Process: stop.stopsignal)`: the field in which an option is kept.
macro_rules! field {
    ($kept_in:ident: $($part:ident).+) => {
        $crate::schema::field::KeptIn::$kept_in($crate::schema::field::Field {
            get: |section| $crate::value::OptionValue::value(&section.$($part).+),
            set: |section, value| $crate::schema::field::keep(&mut section.$($part).+, value),
        })
    };
}
pub(super) use field;
