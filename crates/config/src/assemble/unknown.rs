//! Warnings about sections and options that mean nothing.

use crate::ini::{Ini, IniSection, WrittenIn};
use crate::notices::Notices;
use crate::place::Place;
use crate::schema::{OptionSpec, SectionKind};
use crate::suggest::{did_you_mean, nearest};

/// Options that other supervisors have and this one has not, and what to do instead.
const OF_OTHERS: [(&str, &str); 12] = [
    ("oom_score_adj", "it cannot be set yet; write command=choom -n NUMBER -- COMMAND"),
    ("cron", NO_SCHEDULES),
    ("schedule", NO_SCHEDULES),
    ("restart_when_binary_changed", FILES_ARE_NOT_WATCHED),
    ("restart_cmd_when_binary_changed", FILES_ARE_NOT_WATCHED),
    ("restart_signal_when_binary_changed", FILES_ARE_NOT_WATCHED),
    ("restart_cmd_when_file_changed", FILES_ARE_NOT_WATCHED),
    ("restart_signal_when_file_changed", FILES_ARE_NOT_WATCHED),
    ("liveness_check_success_threshold", "one success is enough for a program to be healthy again"),
    ("liveness_check_success_action", "nothing is run when a program is healthy again; follow its events"),
    ("restart_directory_monitor", FILES_ARE_NOT_WATCHED),
    ("restart_file_pattern", FILES_ARE_NOT_WATCHED),
];

const NO_SCHEDULES: &str = "schedules are not supported yet; write autostart=false, and start the program from crontab";

const FILES_ARE_NOT_WATCHED: &str = "files are not watched yet; run supervisorctl restart when they have changed";

/// Other words for options of programs, which are too unlike them to be typing errors.
const OTHER_WORDS: [(&str, &str); 13] = [
    ("restart", "autorestart"),
    ("stop_timeout", "stopwaitsecs"),
    ("stop_signal", "stopsignal"),
    ("env", "environment"),
    ("workdir", "directory"),
    ("working_directory", "directory"),
    ("cwd", "directory"),
    ("cmd", "command"),
    ("exec", "command"),
    // Words of systemd. There, what is required may still be starting.
    ("after", "depends_on"),
    ("requires", "depends_on"),
    ("wants", "depends_on"),
    ("restartsec", "restart_delay"),
];

/// A shorter option is no better guess where another one only begins like it.
const MIN_PREFIX: usize = 5;

/// One warning per unknown section and per unknown option of a known section. What comes from `[DEFAULT]` is meant for
/// other sections and not complained about; neither is what only the client or a plugin reads.
pub(super) fn warn(ini: &Ini, notices: &mut Notices) {
    for section in ini.sections() {
        let name = section.name();
        let Some(kind) = SectionKind::of(name) else {
            let place = Place::new(section.origin()).advise(meant_section(name));
            notices.warn_in(format!("Unknown section [{name}] is ignored"), place, name, None);
            continue;
        };
        if kind.is_open() || kind == SectionKind::Supervisorctl {
            continue;
        }
        for row in kind.options().filter(|row| !row.aliases.is_empty()) {
            written_twice(row, name, ini, notices);
        }
        for (option, entry) in ini.options(section) {
            if entry.written_in == WrittenIn::Here && kind.option(option).is_none() {
                let of_others =
                    OF_OTHERS.into_iter().find(|(name, _)| *name == option).map(|(_, advice)| advice.to_owned());
                let meant = || meant_option(option, kind);
                let place = Place::new(&entry.origin).advise(of_others.or_else(meant));
                let text = format!("Unknown option {option} in section [{name}] is ignored");
                notices.warn_in(text, place, name, Some(option));
            }
        }
    }
}

/// Unknown sections that probably should define something of this name, with the header that was meant.
pub(super) fn misspelt_section(ini: &Ini, name: &str) -> Option<String> {
    let is_meant = |header: &&str| {
        SectionKind::of(header).is_none() && header.split_once(':').is_some_and(|(_, own_name)| own_name.trim() == name)
    };
    let header = ini.sections().map(IniSection::name).find(is_meant)?;
    meant_section(header).map(|meant| format!("[{header}] is ignored: {meant}"))
}

/// What was probably meant by an unknown option.
fn meant_option(option: &str, kind: SectionKind) -> Option<String> {
    let names = || kind.options().map(|row| row.name);
    let other_word = OTHER_WORDS.into_iter().find(|(word, _)| *word == option).map(|(_, meant)| meant);
    if let Some(meant) = other_word.filter(|meant| kind.option(meant).is_some()) {
        return Some(format!("did you mean {meant}?"));
    }
    for (home, header) in [(SectionKind::Supervisord, "[supervisord]"), (SectionKind::Program, "[program:NAME]")] {
        if home.option(option).is_some() {
            return Some(format!("it belongs to {header}"));
        }
    }
    let begins = || {
        let known = names().filter(|name| name.len() >= MIN_PREFIX && option.starts_with(name));
        known.max_by_key(|name| name.len()).map(|meant| format!("did you mean {meant}?"))
    };
    did_you_mean(option, names()).or_else(begins)
}

/// A warning for each name of an option that does not count, because another one of it is there.
fn written_twice(row: &OptionSpec, section: &str, ini: &Ini, notices: &mut Notices) {
    let mut written = row.names().filter_map(|name| Some((name, ini.get(section, name)?)));
    let Some((winner, _)) = written.next() else { return };
    for (other, entry) in written {
        let text = format!("Option {other} in section [{section}] means the same as {winner} and is ignored");
        notices.warn_in(text, Place::new(&entry.origin), section, Some(other));
    }
}

/// The header that was probably meant.
fn meant_section(name: &str) -> Option<String> {
    let (word, own_name) = name.split_once(':').map_or((name, None), |(word, own_name)| (word, Some(own_name)));
    let word = nearest(word, SectionKind::ALL.map(SectionKind::word))?;
    let is_known = |header: &str| SectionKind::of(header).is_some();
    let named = format!("{word}:{}", own_name.unwrap_or("NAME"));
    let meant = if own_name.is_none() && is_known(word) || !is_known(&named) { word.to_owned() } else { named };
    Some(format!("did you mean [{meant}]?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::aliased;

    #[test]
    fn options_of_other_supervisors_are_explained() {
        let mut ini = Ini::default();
        ini.read("f", b"[programm:a]\n[program:a]\ncron=* * * * *\noom_score_adj=5\n").unwrap();
        let mut notices = Notices::default();
        warn(&ini, &mut notices);
        let texts: Vec<String> = notices.finish().into_iter().map(|notice| notice.text).collect();
        assert_eq!(
            texts,
            [
                "Unknown section [programm:a] is ignored (f:1: did you mean [program:a]?)",
                "Unknown option cron in section [program:a] is ignored (f:3: schedules are not supported yet; write \
                 autostart=false, and start the program from crontab)",
                "Unknown option oom_score_adj in section [program:a] is ignored (f:4: it cannot be set yet; write command=choom -n \
                 NUMBER -- COMMAND)"
            ]
        );
    }

    #[test]
    fn options_in_other_words_and_in_other_sections_are_recognized() {
        let meant = |option: &str| meant_option(option, SectionKind::Program).unwrap_or_default();
        for (option, expected) in [
            ("restart", "did you mean autorestart?"),
            ("stop_timeout", "did you mean stopwaitsecs?"),
            ("env", "did you mean environment?"),
            ("workdir", "did you mean directory?"),
            ("after", "did you mean depends_on?"),
            ("pre_start_hok", "did you mean pre_start?"),
            ("exit_when", "it belongs to [supervisord]"),
            ("ready_timout", "did you mean ready_timeout?"),
            ("colour", ""),
        ] {
            assert_eq!(meant(option), expected, "{option}");
        }
        for (_, option) in OTHER_WORDS {
            assert!(SectionKind::Program.option(option).is_some(), "{option}");
        }
    }

    #[test]
    fn no_option_of_others_is_one_of_ours() {
        for (name, _) in OF_OTHERS {
            assert!(SectionKind::Program.option(name).is_none(), "{name}");
        }
    }

    #[test]
    fn two_names_of_an_option_are_mentioned() {
        let mut ini = Ini::default();
        ini.read("f", b"[program:a]\nalias=1\nname=2\n").unwrap();
        let mut notices = Notices::default();
        written_twice(&aliased("name", &["alias"]), "program:a", &ini, &mut notices);
        let texts: Vec<String> = notices.finish().into_iter().map(|notice| notice.text).collect();
        assert_eq!(texts, ["Option alias in section [program:a] means the same as name and is ignored (f:2)"]);
    }
}
