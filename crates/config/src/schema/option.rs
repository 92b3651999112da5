//! One row of the option table, and what it says about an option.

use std::time::Duration;

use super::field::{Field, KeptIn};
use super::kind::{Context, Kind};
use super::section::SectionKind;
use crate::complaint::Complaint;
use crate::duration::Shown;
use crate::model::Process;
use crate::value::ConfigValue;

/// What holds where an option is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// It must be written.
    Required,
    /// This text, which is expanded and converted like a written one.
    Is(&'static str),
    /// Nothing is set; the text says what that means.
    Unset(&'static str),
}

/// What a change of an option needs to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// That the file is read again, and of a program that it takes its new definition, which it can while it runs.
    Live,
    /// That the daemon begins anew: `supervisorctl reload`, or SIGHUP.
    Reload,
    /// That what the option is about is started anew: programs by `supervisorctl update`, the daemon by whoever started it.
    Restart,
}

impl Needs {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Needs::Live => "live",
            Needs::Reload => "reload",
            Needs::Restart => "restart",
        }
    }
}

/// In which words a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// In those of its kind.
    OfItsKind,
    /// `Invalid NAME value VALUE`, with this name.
    Invalid(&'static str),
    /// `[SECTION] section sets invalid NAME (VALUE)`, for what is out of range.
    Sets,
}

/// One row of the table.
#[derive(Debug)]
pub struct OptionSpec {
    /// The kind of section it belongs to.
    pub section: SectionKind,
    /// Its name, lower case.
    pub name: &'static str,
    /// Other names that mean the same, lower case.
    pub aliases: &'static [&'static str],
    /// The options in place of which it is written, and which must not be written beside it.
    pub in_place_of: &'static [&'static str],
    /// The options without any of which it means nothing; empty where it needs none.
    pub only_with: &'static [&'static str],
    /// Options that have another default where it is written, with that default.
    pub implied: &'static [(&'static str, &'static str)],
    /// The same where it is written under an alias only, whose supervisor has other defaults.
    pub implied_by_alias: &'static [(&'static str, &'static str)],
    /// Whether it is written with a name of the user's in place of what stands behind the last dot, as often as there are names.
    pub is_family: bool,
    /// Whether it means nothing for a program that does its work and ends.
    pub is_not_of_oneshots: bool,
    /// The option that is about a time which must be later than the time of this one, where both are written.
    pub sooner_than: Option<&'static str>,
    /// What is written as a value.
    pub kind: Kind,
    /// The least and the largest number; of a duration, the shortest in seconds.
    pub range: (i64, i64),
    pub(super) refusal: Refusal,
    /// What holds where it is not written.
    pub default: Default,
    /// A value to show, where the default is not one.
    pub example: Option<&'static str>,
    /// The version of Supervisor that introduced it.
    pub since: &'static str,
    /// What a change of it needs to take effect.
    pub needs: Needs,
    /// What it does, in one line.
    pub help: &'static str,
    /// Where its value is kept.
    pub kept_in: KeptIn,
}

impl OptionSpec {
    /// Its name, then its aliases: what is written under the first of them counts.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }

    /// Whether an option of this name is it, or one of the family.
    pub fn is_called(&self, name: &str) -> bool {
        let prefix = self.name.rfind('.').filter(|_| self.is_family).map(|dot| &self.name[..=dot]);
        let is_member = prefix.and_then(|prefix| name.strip_prefix(prefix)).is_some_and(|own| !own.is_empty());
        is_member || self.names().any(|known| known == name)
    }

    /// A value to show: its example, or its default.
    pub fn shown(&self) -> &'static str {
        match (self.example, self.default) {
            (Some(text), _) | (None, Default::Is(text)) => text,
            (None, Default::Required | Default::Unset(_)) => "",
        }
    }

    /// Whether messages must not show its value.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Password | Kind::PasswordHash | Kind::TokenHash | Kind::Environment | Kind::Secret)
    }

    /// What a value must be, as a part of a sentence; nothing where any text will do.
    pub fn expected(&self) -> Option<String> {
        let range = match (self.kind, self.range) {
            (Kind::Integer, (least, i64::MAX)) if least > i64::MIN => format!(" of at least {least}"),
            (Kind::Integer, (i64::MIN, largest)) if largest < i64::MAX => format!(" of at most {largest}"),
            (Kind::Integer, (least, largest)) if (least, largest) != (i64::MIN, i64::MAX) => {
                format!(" from {least} to {largest}")
            }
            _ => String::new(),
        };
        match self.kind {
            Kind::Text | Kind::Password => None,
            kind => Some(format!("{}{}{range}", kind.article(), kind.describe())),
        }
    }

    /// Whether a section without it is refused.
    pub fn required(&self) -> bool {
        self.default == Default::Required
    }

    /// What an expanded text means on a host.
    pub(crate) fn convert_on(&self, text: &str, context: &Context<'_>) -> Result<ConfigValue<'static>, Complaint> {
        let value = self.kind.convert_on(text, context).map_err(|complaint| match self.refusal {
            Refusal::Invalid(name) if self.kind != Kind::Integer => invalid(name, text),
            _ => complaint,
        })?;
        match value {
            ConfigValue::Integer(number) => self.within_range(number, context.section).map(|()| value),
            ConfigValue::Duration(length) => self.long_enough(length).map(|()| value),
            _ => Ok(value),
        }
    }

    fn within_range(&self, number: i64, section: &str) -> Result<(), Complaint> {
        let (least, largest) = self.range;
        let (bound, limit) = match number {
            _ if number < least => ("below lower", least),
            _ if number > largest => ("above upper", largest),
            _ => return Ok(()),
        };
        Err(match self.refusal {
            Refusal::OfItsKind => Complaint::quoting("", number.to_string(), format!(" is {bound} bound ({limit})")),
            Refusal::Invalid(name) => invalid(name, number),
            Refusal::Sets => {
                let before = format!("[{section}] section sets invalid {} (", self.name);
                Complaint::quoting(before, number.to_string(), ")")
            }
        })
    }

    fn long_enough(&self, length: Duration) -> Result<(), Complaint> {
        let least = Duration::from_secs(self.range.0.try_into().unwrap_or(0));
        if length >= least {
            return Ok(());
        }
        let bound = format!(" is below lower bound ({})", Shown(least));
        Err(Complaint::quoting("", Shown(length).to_string(), bound))
    }

    /// The field of a process in which its value is kept.
    pub fn of_process(&self) -> Option<&Field<Process>> {
        if let KeptIn::Process(field) = &self.kept_in { Some(field) } else { None }
    }
}

fn invalid(name: &str, value: impl ToString) -> Complaint {
    Complaint::quoting(format!("Invalid {name} value "), value.to_string(), "")
}

/// The row of an option without aliases, range and field.
pub(super) const fn row(
    section: SectionKind,
    name: &'static str,
    kind: Kind,
    default: Default,
    since: &'static str,
    needs: Needs,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        section,
        name,
        aliases: &[],
        in_place_of: &[],
        only_with: &[],
        implied: &[],
        implied_by_alias: &[],
        is_family: false,
        is_not_of_oneshots: false,
        sooner_than: None,
        kind,
        range: (i64::MIN, i64::MAX),
        refusal: Refusal::OfItsKind,
        default,
        example: None,
        since,
        needs,
        help,
        kept_in: KeptIn::Section,
    }
}

impl OptionSpec {
    pub(super) const fn within(self, least: i64, largest: i64) -> OptionSpec {
        OptionSpec { range: (least, largest), ..self }
    }

    pub(super) const fn refused_as(self, refusal: Refusal) -> OptionSpec {
        OptionSpec { refusal, ..self }
    }

    pub(super) const fn example(self, text: &'static str) -> OptionSpec {
        OptionSpec { example: Some(text), ..self }
    }

    pub(super) const fn in_place_of(self, in_place_of: &'static [&'static str]) -> OptionSpec {
        OptionSpec { in_place_of, ..self }
    }

    pub(super) const fn only_with(self, only_with: &'static [&'static str]) -> OptionSpec {
        OptionSpec { only_with, ..self }
    }

    pub(super) const fn implies(self, implied: &'static [(&'static str, &'static str)]) -> OptionSpec {
        OptionSpec { implied, ..self }
    }

    pub(super) const fn alias_implies(self, implied: &'static [(&'static str, &'static str)]) -> OptionSpec {
        OptionSpec { implied_by_alias: implied, ..self }
    }

    pub(super) const fn not_of_oneshots(self) -> OptionSpec {
        OptionSpec { is_not_of_oneshots: true, ..self }
    }

    pub(super) const fn family(self) -> OptionSpec {
        OptionSpec { is_family: true, ..self }
    }

    pub(super) const fn sooner_than(self, other: &'static str) -> OptionSpec {
        OptionSpec { sooner_than: Some(other), ..self }
    }

    pub(super) const fn also(self, aliases: &'static [&'static str]) -> OptionSpec {
        OptionSpec { aliases, ..self }
    }

    pub(super) const fn kept(self, kept_in: KeptIn) -> OptionSpec {
        OptionSpec { kept_in, ..self }
    }
}
