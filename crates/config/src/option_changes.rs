//! In which options two definitions of a process differ, with both values as people write them. What may be secret is not
//! shown.

use std::fmt::Write as _;

use crate::diff::is_same;
use crate::duration::Shown;
use crate::model::{ActivityLog, AutoRestart, Backoff, Identity, LogFile, Process, RestartLimit};
use crate::schema::{Kind, Needs, OptionSpec, options_of_processes};
use crate::signal;
use crate::url_user;
use crate::value::ConfigValue;

/// What stands for a value that may be secret.
const HIDDEN: &str = "(hidden)";

/// The same of one that differs from the one before.
const CHANGED: &str = "(hidden, changed)";

/// An option that two definitions set to different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionChange {
    /// Its name.
    pub option: &'static str,
    /// The value in the active definition; empty where nothing is set.
    pub old: String,
    /// The value in the new definition; empty where nothing is set.
    pub new: String,
    /// What the change needs to take effect.
    pub needs: Needs,
}

/// The options in which `new` differs from `old`, in the order of the table.
pub fn option_changes(old: &Process, new: &Process) -> Vec<OptionChange> {
    if is_equal_but_for_its_place(old, new) {
        return Vec::new();
    }
    let differing = options_of_processes().filter_map(|(row, field)| {
        let (before, after) = (field.get(old), field.get(new));
        (!is_same(&before, &after)).then(|| OptionChange {
            option: row.name,
            old: shown(row, &before),
            new: shown_after(row, &before, &after),
            needs: row.needs,
        })
    });
    differing.collect()
}

/// Whether nothing differs but where the section stands: the quick answer for most processes of an edited file.
fn is_equal_but_for_its_place(a: &Process, b: &Process) -> bool {
    let Process { identity, spawn, order, start, readiness, restart, health, stop, hooks, reload, logging } = a;
    let Identity { name, section: _, origin: _, priority, tags, number: _ } = identity;
    *name == b.identity.name
        && *priority == b.identity.priority
        && *tags == b.identity.tags
        && *spawn == b.spawn
        && *order == b.order
        && *start == b.start
        && *readiness == b.readiness
        && *restart == b.restart
        && *health == b.health
        && *stop == b.stop
        && *hooks == b.hooks
        && *reload == b.reload
        && *logging == b.logging
}

/// A value as it would be written; empty where nothing is set.
pub fn shown(row: &OptionSpec, value: &ConfigValue<'_>) -> String {
    match value {
        // Which variables there are is no secret.
        ConfigValue::Pairs(pairs) => {
            let names: Vec<String> = pairs.iter().map(|(name, _)| format!("{name}={HIDDEN}")).collect();
            names.join(",")
        }
        ConfigValue::Texts(places) if row.kind == Kind::Secret => {
            let names = places.iter().map(|text| name_and_value(text).0);
            names.map(|name| format!("{name}={HIDDEN}")).collect::<Vec<_>>().join(",")
        }
        ConfigValue::Unset => String::new(),
        _ if row.is_secret() => HIDDEN.to_owned(),
        ConfigValue::Integer(number) => integer(row.kind, *number),
        ConfigValue::Numbers(numbers) => {
            let each: Vec<String> = numbers.iter().map(|number| integer(row.kind, (*number).into())).collect();
            each.join(",")
        }
        ConfigValue::Boolean(truth) => truth.to_string(),
        ConfigValue::Fraction(number) => number.to_string(),
        ConfigValue::Duration(length) => Shown(*length).to_string(),
        ConfigValue::Text(text) => url_user::hidden(text).into_owned(),
        ConfigValue::Texts(texts) => url_user::hidden(&texts.join(", ")).into_owned(),
        ConfigValue::User(account) => account.name.clone(),
        ConfigValue::Owner(user, group) => {
            let mut text = user.to_string();
            if let Some(group) = group {
                let _ = write!(text, ":{group}");
            }
            text
        }
        ConfigValue::Address(host, port) => format!("{host}:{port}"),
        ConfigValue::AutoRestart(when) => match when {
            AutoRestart::Always => "true".to_owned(),
            AutoRestart::Never => "false".to_owned(),
            AutoRestart::Unexpected => "unexpected".to_owned(),
        },
        ConfigValue::StopSteps(steps) => steps.to_string(),
        ConfigValue::Backoff(backoff) => match backoff {
            Backoff::Fixed => "fixed".to_owned(),
            Backoff::Linear => "linear".to_owned(),
            Backoff::Exponential => "exponential".to_owned(),
        },
        ConfigValue::RestartLimit(limit) => match limit {
            RestartLimit::Unlimited => "unlimited".to_owned(),
            RestartLimit::Within { restarts, window } => format!("{restarts}/{}", Shown(*window)),
        },
        ConfigValue::RecycleAfter(recycle) => recycle.to_string(),
        ConfigValue::LogLevel(level) => format!("{level:?}").to_lowercase(),
        ConfigValue::LogFile(file) => match &**file {
            LogFile::Auto => "AUTO".to_owned(),
            LogFile::None => "NONE".to_owned(),
            LogFile::Path(path) => path.to_string(),
        },
        ConfigValue::Syslog => "syslog".to_owned(),
        ConfigValue::ActivityLog(log) => match &**log {
            ActivityLog::Syslog => "syslog".to_owned(),
            ActivityLog::File(path) => path.clone(),
        },
        ConfigValue::Socket(socket) => socket.url.clone(),
    }
}

/// The same of a new value, which says of what is hidden in it whether it is another one than before. That is so, too, where both
/// look the same although they differ.
fn shown_after(row: &OptionSpec, before: &ConfigValue<'_>, after: &ConfigValue<'_>) -> String {
    let marked = |new: Vec<(&str, &str)>, old: Vec<(&str, &str)>| {
        let is_changed = |(name, value): &(&str, &str)| old.iter().any(|(known, was)| known == name && was != value);
        let one = |pair: &(&str, &str)| format!("{}={}", pair.0, if is_changed(pair) { CHANGED } else { HIDDEN });
        new.iter().map(one).collect::<Vec<_>>().join(",")
    };
    match (before, after) {
        (ConfigValue::Pairs(old), ConfigValue::Pairs(new)) => {
            marked(new.iter().map(|(a, b)| (&**a, &**b)).collect(), old.iter().map(|(a, b)| (&**a, &**b)).collect())
        }
        (ConfigValue::Texts(old), ConfigValue::Texts(new)) if row.kind == Kind::Secret => marked(
            new.iter().map(|text| name_and_value(text)).collect(),
            old.iter().map(|text| name_and_value(text)).collect(),
        ),
        _ => {
            let (old, new) = (shown(row, before), shown(row, after));
            match new.as_str() {
                "" => new,
                HIDDEN if old == new => CHANGED.to_owned(),
                _ if old == new => format!("{new} {CHANGED}"),
                _ => new,
            }
        }
    }
}

/// The name of a secret, and where it is.
fn name_and_value(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

fn integer(kind: Kind, number: i64) -> String {
    match kind {
        Kind::Octal => format!("{number:03o}"),
        Kind::Signal | Kind::Signals => {
            let name = i32::try_from(number).ok().and_then(signal::name);
            name.map_or_else(|| number.to_string(), |name| name.trim_start_matches("SIG").to_owned())
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::{CommandLineFlags, load};

    fn process(lines: &str) -> Process {
        let text = format!("[supervisord]\n[program:p]\n{lines}\n");
        let host = FakeHost::new().file("/conf/c.conf", text);
        let config = load("c.conf", &CommandLineFlags::default(), &host).unwrap();
        Process::clone(&config.groups[0].processes[0])
    }

    fn changes(old: &str, new: &str) -> Vec<String> {
        let changes = option_changes(&process(old), &process(new));
        let text = |OptionChange { option, old, new, needs }: OptionChange| {
            format!("{option}: {old} -> {new} ({})", needs.word())
        };
        changes.into_iter().map(text).collect()
    }

    #[test]
    fn both_values_are_shown_as_people_write_them() {
        let old = "command=a\numask=022\nstopsignal=TERM";
        let new = "command=b\numask=077\nstopsignal=INT\nstartsecs=5\nrestart_limit=5/60s\nautorestart=true\n\
                   healthcheck=tcp:localhost:80\nstop_sequence=TERM:10s, KILL\nstdout_logfile=NONE";
        let new = new.replace("stopsignal=INT\n", "");
        let expected = [
            "command: a -> b (restart)",
            "umask: 022 -> 077 (restart)",
            "startsecs: 1 -> 5 (live)",
            "autorestart: unexpected -> true (live)",
            "restart_limit:  -> 5/1min (live)",
            "healthcheck:  -> tcp:localhost:80 (live)",
            "stop_sequence:  -> TERM:10s, KILL:10s (live)",
            "stdout_logfile: AUTO -> NONE (restart)",
        ];
        assert_eq!(BTreeSet::from_iter(changes(old, &new)), expected.map(str::to_owned).into());
        assert_eq!(changes("command=a", "command=a\nstopsignal=INT"), ["stopsignal: TERM -> INT (live)"]);
    }

    #[test]
    fn the_values_of_variables_are_not_shown() {
        let shown = changes("command=a\n", "command=curl http://u:hunter2@h/");
        assert_eq!(shown, ["command: a -> curl http://***@h/ (restart)"]);
        let shown = changes("command=curl http://u:hunter2@h/", "command=curl http://u:hunter3@h/");
        assert_eq!(shown, ["command: curl http://***@h/ -> curl http://***@h/ (hidden, changed) (restart)"]);
        let user = |name| format!("command=a\npre_start=curl http://u:{name}@h/");
        let shown = changes(&user("hunter2"), &user("hunter3"));
        assert!(
            shown[0].starts_with("pre_start: curl http://***@h/ -> curl http://***@h/ (hidden, changed) ("),
            "{shown:?}"
        );
        let shown = changes("command=a\nenvironment=A=\"secret1\"", "command=a\nenvironment=A=\"secret2\",B=\"x\"");
        assert_eq!(shown, ["environment: A=(hidden) -> A=(hidden, changed),B=(hidden) (restart)"]);
        let places = |place| format!("command=a\nsecret.A=file:/a\nsecret.B=file:{place}");
        let shown = changes(&places("/b"), &places("/c"));
        assert!(shown[0].ends_with(": A=(hidden),B=(hidden) -> A=(hidden),B=(hidden, changed) (restart)"), "{shown:?}");
    }

    #[test]
    fn where_it_is_written_is_no_change() {
        assert!(changes("command=a", "\n\n; moved\ncommand=a").is_empty());
    }

    use std::collections::BTreeSet;
}
