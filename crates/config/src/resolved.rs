//! A configuration as it is understood: every option of every section, with its value as it is written and where that comes from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use crate::command_line::Overrides;
use crate::complaint::HIDDEN;
use crate::ini::{Entry, Ini, IniSection, WrittenIn};
use crate::model::Origin;
use crate::pytext::strip;
use crate::schema::{Default, OptionSpec, SectionKind};
use crate::secret::SecretSource;
use crate::url_user;

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
    pub name: Cow<'static, str>,
    /// Its value before `%` expansions; `***` where it may be a secret, none where nothing is set.
    pub value: Option<Cow<'static, str>>,
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
            // A value of several lines has its note at the end of the first.
            let value = value.as_deref();
            let (first, rest) = value.map_or(("", None), |value| match value.split_once('\n') {
                Some((first, rest)) => (first, Some(rest)),
                None => (value, None),
            });
            let (sign, blank) = if value.is_some() { ("", " ") } else { (";", "") };
            let used = sign.len() + name.chars().count() + " =".len() + blank.len() + first.chars().count();
            let width = COLUMN.saturating_sub(used);
            writeln!(f, "{sign}{name} ={blank}{first}{:width$} ; {source}", "")?;
            for more in rest.into_iter().flat_map(str::lines) {
                writeln!(f, "  {more}")?;
            }
        }
        Ok(())
    }
}

/// All sections that mean something, in the order of the file.
pub(crate) fn sections<'c>(ini: &'c Ini, overrides: &'c Overrides) -> impl Iterator<Item = ResolvedSection> + 'c {
    // The rows of each kind are looked up once for all its sections.
    let mut rows: HashMap<SectionKind, Vec<&'static OptionSpec>> = HashMap::new();
    let known = ini.sections().filter_map(|section| Some((section, SectionKind::of(section.name())?)));
    known.map(move |(section, kind)| {
        let rows = rows.entry(kind).or_insert_with(|| kind.options().collect());
        ResolvedSection {
            name: section.name().to_owned(),
            origin: section.origin().clone(),
            options: options(ini, section, kind, rows, overrides),
        }
    })
}

fn options(
    ini: &Ini,
    section: &IniSection,
    kind: SectionKind,
    rows: &[&'static OptionSpec],
    overrides: &Overrides,
) -> Vec<ResolvedOption> {
    let entry = |row: &&'static OptionSpec| (*row, row.names().find_map(|name| ini.get(section.name(), name)));
    let written: Vec<(&'static OptionSpec, Option<&Entry>)> = rows.iter().map(entry).collect();
    // The defaults that stand beside what is written.
    let implied: Vec<(&'static str, &'static str, &'static str)> = written
        .iter()
        .filter(|(_, entry)| entry.is_some())
        .flat_map(|(row, _)| row.implied.iter().map(|(option, default)| (*option, row.name, *default)))
        .collect();
    // What templates do not say is for their heirs to say.
    let is_partial = matches!(kind, SectionKind::Template | SectionKind::ProgramDefault);
    let shown = written.into_iter().filter(|(row, entry)| !row.is_family && (!is_partial || entry.is_some()));
    let known = shown.map(|(row, entry)| {
        if kind == SectionKind::Supervisord
            && let Some(value) = overrides.written(row.name)
        {
            let (name, value) = (row.name.into(), Some(without_users(value)));
            return ResolvedOption { name, value, source: ValueSource::CommandLine };
        }
        match entry {
            Some(entry) => {
                let value = if row.is_secret() { HIDDEN.into() } else { without_users(&entry.value) };
                ResolvedOption { name: row.name.into(), value: Some(value), source: source(entry) }
            }
            None => unwritten(row, &implied),
        }
    });
    let further = ini.options(section).filter_map(|(name, entry)| {
        let row = kind.option(name);
        let is_member = row.is_some_and(|row| row.is_family);
        // What only a plug-in knows may be anything, and what is no place of a secret may be the secret.
        let value = if is_member && is_place(&entry.value) { without_users(&entry.value) } else { HIDDEN.into() };
        let name = entry.spelling.as_deref().unwrap_or(name).to_owned().into();
        let is_of_plugin = kind.is_open() && row.is_none() && entry.written_in == WrittenIn::Here;
        (is_member || is_of_plugin).then(|| ResolvedOption { name, value: Some(value), source: source(entry) })
    });
    known.chain(further).collect()
}

/// A value without the users of URLs in it.
fn without_users(value: &str) -> Cow<'static, str> {
    url_user::hidden(value).into_owned().into()
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

/// An option that is not written, with the defaults that stand beside what is: of which option, beside which, and what.
fn unwritten(row: &'static OptionSpec, implied: &[(&'static str, &'static str, &'static str)]) -> ResolvedOption {
    let beside = implied.iter().find(|(option, ..)| *option == row.name);
    let (value, source) = match (beside, row.default) {
        (Some((_, other, default)), _) => (Some((*default).into()), ValueSource::Beside(other)),
        (None, Default::Is(default)) => (Some(default.into()), ValueSource::BuiltIn),
        (None, Default::Unset(meaning)) => (None, ValueSource::NotSet(meaning)),
        (None, Default::Required) => (None, ValueSource::NotSet("it must be written")),
    };
    ResolvedOption { name: row.name.into(), value, source }
}

#[cfg(test)]
mod tests {
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
        let text = checked.resolved(&overrides).map(|section| section.to_string()).collect();
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
