//! A configuration as it is understood: every option of every section, with its value as it is written and where that comes from.

use std::fmt;

use crate::command_line::Overrides;
use crate::complaint::HIDDEN;
use crate::ini::{Entry, Ini, IniSection, WrittenIn};
use crate::model::Origin;
use crate::pytext::strip;
use crate::schema::{Default, OptionSpec, SectionKind};
use crate::secret::SecretSource;

/// The width to which a line is filled up before the note where its value comes from.
const COLUMN: usize = 40;

/// A section with its options: those of its kind, then those that only a plug-in knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSection {
    /// As it is written between the brackets.
    pub name: String,
    /// Where it begins.
    pub origin: Origin,
    /// Its options.
    pub options: Vec<ResolvedOption>,
}

/// An option of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedOption {
    /// Its name.
    pub name: String,
    /// Its value before `%` expansions; `***` where it may be a secret, none where nothing is set.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ValueSource,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// It is written here; in another section where one is named.
    Written { origin: Origin, section: Option<String> },
    /// The command line of the daemon.
    CommandLine,
    /// It is the default beside this other option.
    Beside(&'static str),
    /// It is the default of the option.
    BuiltIn,
    /// It is not set, which means this.
    NotSet(&'static str),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueSource::Written { origin, section: None } => write!(f, "{origin}"),
            ValueSource::Written { origin, section: Some(section) } => write!(f, "{origin}, [{section}]"),
            ValueSource::CommandLine => f.write_str("command line"),
            ValueSource::Beside(option) => write!(f, "default beside {option}"),
            ValueSource::BuiltIn => f.write_str("default"),
            ValueSource::NotSet(meaning) => write!(f, "not set: {meaning}"),
        }
    }
}

impl fmt::Display for ResolvedSection {
    /// As it could be written; options that are not set are comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "[{}]{:width$} ; {}",
            self.name,
            "",
            self.origin,
            width = COLUMN.saturating_sub(self.name.len() + 2)
        )?;
        for ResolvedOption { name, value, source } in &self.options {
            let line = match value {
                Some(value) => format!("{name} = {value}"),
                None => format!(";{name} ="),
            };
            // A value of several lines has its note at the end of the first.
            let (first, rest) =
                line.split_once('\n').map_or((line.as_str(), None), |(first, rest)| (first, Some(rest)));
            writeln!(f, "{first:<COLUMN$} ; {source}")?;
            for more in rest.into_iter().flat_map(str::lines) {
                writeln!(f, "  {more}")?;
            }
        }
        Ok(())
    }
}

/// All sections that mean something, in the order of the file.
pub(crate) fn sections(ini: &Ini, overrides: &Overrides) -> Vec<ResolvedSection> {
    let known = ini.sections().filter_map(|section| Some((section, SectionKind::of(section.name())?)));
    let resolve = |(section, kind): (&IniSection, SectionKind)| ResolvedSection {
        name: section.name().to_owned(),
        origin: section.origin().clone(),
        options: options(ini, section, kind, overrides),
    };
    known.map(resolve).collect()
}

fn options(ini: &Ini, section: &IniSection, kind: SectionKind, overrides: &Overrides) -> Vec<ResolvedOption> {
    let written = |row: &OptionSpec| row.names().find_map(|name| ini.get(section.name(), name));
    // What templates do not say is for their heirs to say.
    let is_partial = matches!(kind, SectionKind::Template | SectionKind::ProgramDefault);
    let rows = kind.options().filter(|row| !row.is_family && (!is_partial || written(row).is_some()));
    let known = rows.map(|row| {
        let name = row.name.to_owned();
        if kind == SectionKind::Supervisord
            && let Some(value) = overrides.written(row.name)
        {
            return ResolvedOption { name, value: Some(value.to_owned()), source: ValueSource::CommandLine };
        }
        match written(row) {
            Some(entry) => {
                let value = if row.is_secret() { HIDDEN.to_owned() } else { entry.value.clone() };
                ResolvedOption { name, value: Some(value), source: source(entry) }
            }
            None => unwritten(row, kind, written),
        }
    });
    let further = ini.options(section).filter_map(|(name, entry)| {
        let row = kind.option(name);
        let is_member = row.is_some_and(|row| row.is_family);
        // What only a plug-in knows may be anything, and what is no place of a secret may be the secret.
        let value = if is_member && is_place(&entry.value) { entry.value.clone() } else { HIDDEN.to_owned() };
        let name = entry.spelling.as_deref().unwrap_or(name).to_owned();
        let is_of_plugin = kind.is_open() && row.is_none() && entry.written_in == WrittenIn::Here;
        (is_member || is_of_plugin).then(|| ResolvedOption { name, value: Some(value), source: source(entry) })
    });
    known.chain(further).collect()
}

/// Whether a value, before `%` expansions, is the place of a secret.
fn is_place(value: &str) -> bool {
    let value = strip(value);
    let here = value.strip_prefix("file:%(here)s").map(|rest| format!("file:{rest}"));
    SecretSource::parse(here.as_deref().unwrap_or(value)).is_ok()
}

fn source(entry: &Entry) -> ValueSource {
    let section = match &entry.written_in {
        WrittenIn::Here => None,
        WrittenIn::Defaults => Some(crate::ini::DEFAULTS.to_owned()),
        WrittenIn::Ancestor(section) => Some(section.to_string()),
    };
    ValueSource::Written { origin: entry.origin.clone(), section }
}

/// An option that is not written.
fn unwritten<'i>(
    row: &OptionSpec,
    kind: SectionKind,
    written: impl Fn(&OptionSpec) -> Option<&'i Entry>,
) -> ResolvedOption {
    let name = row.name.to_owned();
    let beside = kind.options().filter(|other| written(other).is_some()).find_map(|other| {
        let (_, default) = other.implied.iter().find(|(option, _)| *option == row.name)?;
        Some((other.name, *default))
    });
    let (value, source) = match (beside, row.default) {
        (Some((other, default)), _) => (Some(default.to_owned()), ValueSource::Beside(other)),
        (None, Default::Is(default)) => (Some(default.to_owned()), ValueSource::BuiltIn),
        (None, Default::Unset(meaning)) => (None, ValueSource::NotSet(meaning)),
        (None, Default::Required) => (None, ValueSource::NotSet("it must be written")),
    };
    ResolvedOption { name, value, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigError;
    use crate::check;
    use crate::command_line::{CommandLineFlags, Flag, Given};
    use crate::fake_host::FakeHost;

    fn resolved(text: &str) -> String {
        let (errors, text) = resolved_with_errors(text);
        assert_eq!(errors, []);
        text
    }

    fn resolved_with_errors(text: &str) -> (Vec<ConfigError>, String) {
        let host = FakeHost::new().file("/conf/c.conf", text);
        let given = vec![Given { flag: Flag::Loglevel, spelling: "-e".to_owned(), value: "debug".to_owned() }];
        let overrides = CommandLineFlags { given }.convert(&host).unwrap();
        let checked = check("c.conf", &overrides, &host);
        let text = checked.resolved(&overrides).iter().map(ResolvedSection::to_string).collect();
        (checked.errors, text)
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let text = resolved(
            "[supervisord]\nloglevel=info\n[DEFAULT]\npriority=5\n[template:t]\nautorestart=true\n\
             [program:a]\ncommand=/bin/a --home %(ENV_HOME)s\ninherit=t\nenvironment=KEY=\"hidden\"\nready_when=fd:3\nrestartpause=5\n\
             secret.API_KEY=file:/run/key\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\nkey=hidden\n",
        );
        let has = |line: &str| {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.lines().any(|known| squeezed(known) == line), "{line:?} is not in {text}");
        };
        has("[program:a] ; c.conf:7");
        has("command = /bin/a --home %(ENV_HOME)s ; c.conf:8");
        has("autorestart = true ; c.conf:6, [template:t]");
        has("priority = 5 ; c.conf:4, [DEFAULT]");
        has("environment = *** ; c.conf:10");
        has("startsecs = 0 ; default beside ready_when");
        has("restart_delay = 5 ; c.conf:12");
        has("stopwaitsecs = 10 ; default");
        has(";umask = ; not set: the daemon's mask");
        has("loglevel = debug ; command line");
        has("key = *** ; c.conf:16");
        has("secret.API_KEY = file:/run/key ; c.conf:13");
        assert!(!text.contains("hidden") && !text.contains("/root"), "{text}");
        let template = text.split("[template:t]").nth(1).unwrap().split('[').next().unwrap();
        assert!(!template.contains("stopwaitsecs"), "{template}");
    }

    #[test]
    fn what_is_no_place_of_a_secret_is_not_shown() {
        for section in ["template:t", "program-default", "program:b"] {
            let (_, text) = resolved_with_errors(&format!(
                "[supervisord]\n[{section}]\ncommand=/bin/b\nsecret.A=hunter2\nsecret.B=file:hunter2\n\
                 secret.C=%(ENV_HOME:-hunter2)s\nsecret.D=file:%(here)s/key\nsecret.E=credential:key\n"
            ));
            assert!(!text.contains("hunter2"), "{section}: {text}");
            assert!(text.contains("= file:%(here)s/key ") && text.contains("= credential:key "), "{section}: {text}");
        }
    }
}
