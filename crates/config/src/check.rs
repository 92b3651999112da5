//! All mistakes of a configuration at once. Reading stops at the first one, in the order of the original; so what is wrong is taken
//! out, and the rest is read again.

use crate::assemble::{Purpose, Source, load_ini};
use crate::command_line::Overrides;
use crate::error::ConfigError;
use crate::host::DaemonHost;
use crate::include;
use crate::ini::Ini;
use crate::model::Config;
use crate::notices::Notices;
use crate::place::Place;
use crate::reader::Reader;
use crate::resolved::{self, ResolvedSection};
use crate::schema::{OptionSpec, SectionKind};

/// The most mistakes that are looked for.
const MOST: usize = 100;

/// A configuration with everything that is wrong with it.
#[derive(Debug)]
pub struct CheckedConfig {
    /// The mistakes, in the order in which they are found.
    pub errors: Vec<ConfigError>,
    /// What is left without them; none where nothing can be made of it.
    pub config: Option<Config>,
    /// What is written, as far as it is free of mistakes, with what sections inherit.
    ini: Ini,
}

/// Reads a configuration file as for a start, and goes on behind mistakes.
pub fn check(file: &str, overrides: &Overrides, host: &dyn DaemonHost) -> CheckedConfig {
    let source = Source::find(file, host);
    let mut notices = Notices::default();
    let mut written = Ini::default();
    let read = source.read(host).and_then(|ini| {
        written = ini;
        include::read(&mut written, &source.here, host, &mut notices)
    });
    if let Err(error) = read {
        return CheckedConfig { errors: vec![error], config: None, ini: written };
    }
    let mut found = Found::default();
    loop {
        match load_ini(&source, written.clone(), overrides, Purpose::Start, host, notices.clone()) {
            Ok((config, ini)) => return CheckedConfig { errors: found.errors, config: Some(config), ini },
            Err(error) => {
                let goes_on = found.take_out(&mut written, &error);
                found.note(error);
                if !goes_on || found.errors.len() >= MOST {
                    return CheckedConfig { errors: found.errors, config: None, ini: written };
                }
            }
        }
    }
}

/// What has been found, and what has been taken out because of it.
#[derive(Default)]
struct Found {
    errors: Vec<ConfigError>,
    options: Vec<(String, String)>,
    /// The names of programs whose sections are no longer there.
    programs: Vec<String>,
    /// Whether the last error follows from what was taken out before.
    is_consequence: bool,
}

impl Found {
    fn note(&mut self, error: ConfigError) {
        if !std::mem::take(&mut self.is_consequence) {
            self.errors.push(error);
        }
    }

    /// Takes out what an error is about: the option, or the section where it is about something that is missing in it.
    fn take_out(&mut self, written: &mut Ini, error: &ConfigError) -> bool {
        let Some(section) = error.place().and_then(Place::section_name) else { return false };
        let about_missing =
            |name: &String| error.message().split_whitespace().any(|word| word.trim_end_matches(':') == name);
        self.is_consequence = error.message().contains("unknown program") && self.programs.iter().any(about_missing);
        if let Some(option) = error.place().and_then(Place::option_name) {
            // A place has the name of a variable as it is written.
            let option = &option.to_lowercase();
            let known = (section.to_owned(), option.clone());
            self.is_consequence |= self.options.contains(&known);
            let row = SectionKind::of(section).and_then(|kind| kind.option(option));
            let single = row.filter(|row| !row.is_family);
            let names: Vec<&str> = single.map_or(vec![option], |row: &OptionSpec| row.names().collect());
            // The first is the one that counts.
            if names.iter().any(|name| written.take_out(section, name)) {
                self.options.push(known);
                return true;
            }
        }
        self.programs.extend(section.split_once(':').map(|(_, name)| name.to_owned()));
        written.take_out_section(section)
    }
}

impl CheckedConfig {
    /// Where an option of a section is written, with its value; none for a section that is not there.
    pub fn place(&self, section: &str, option: &str) -> Option<Place> {
        let kind = SectionKind::of(section)?;
        Some(Reader::new(&self.ini, self.ini.section(section)?, kind).place(option))
    }

    /// Every section with all its options, where they come from and what they are, in the order of the file.
    pub fn resolved<'c>(&'c self, overrides: &'c Overrides) -> impl Iterator<Item = ResolvedSection> + 'c {
        resolved::sections(&self.ini, overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;

    fn checked(text: &str) -> CheckedConfig {
        check("c.conf", &Overrides::default(), &FakeHost::new().file("/conf/c.conf", text))
    }

    fn lines(text: &str) -> Vec<u32> {
        checked(text).errors.iter().map(|error| error.origin().map_or(0, |origin| origin.line)).collect()
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let text = "[supervisord]\nloglevel=loud\nminfds=many\n[template:t]\nstopwaitsecs=30s\n\
                    [program:a]\ncommand=c\ninherit=t\nuser=nosuch\nstartsecs=x\n[program:b]\ninherit=t\nautostart=maybe\n\
                    [program:d]\ncommand=c\ndepends_on=e\n[program:e]\ncommand=c\ndepends_on=d\n\
                    [eventlistener:l]\ncommand=c\nevents=NOPE\n[group:g]\nprograms=a,nobody\n";
        let checked = checked(text);
        let mut found: Vec<u32> = checked.errors.iter().filter_map(|error| Some(error.origin()?.line)).collect();
        found.sort_unstable();
        assert_eq!(found, [2, 3, 5, 9, 10, 11, 13, 16, 22, 24], "{:#?}", checked.errors);
        let config = checked.config.expect("the rest can be read");
        assert!(config.groups.iter().any(|group| group.name == "d"));
    }

    #[test]
    fn what_follows_from_a_mistake_is_not_told_again() {
        assert_eq!(lines("[supervisord]\n[program:a]\ncommand=c\nsecret.A=a\nsecret.B=b\nstartsecs=x\n"), [6, 4, 5]);
        assert_eq!(lines("[supervisord]\n[program:a]\n[group:g]\nprograms=a\n"), [2]);
        assert_eq!(lines("[supervisord]\n[eventlistener:l]\ncommand=c\nevents=NOPE\n"), [4]);
        assert_eq!(
            lines("[supervisord]\n[program:a]\ncommand=c\nstop_signal=TERM\nstartsecs=x\nstopsignal=??\n"),
            [5, 6]
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_one_mistake() {
        assert_eq!(lines("[supervisord]\nno option\n"), [2]);
        assert_eq!(lines("[program:a]\ncommand=c\n").len(), 1);
        assert!(checked("[supervisord]\n").errors.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn it_ends_for_any_text(lines in proptest::collection::vec("\\[(program|group|template):[ab]\\]|(inherit|command|programs|depends_on|startsecs)=[ab1]", 0..12)) {
            let _ = checked(&format!("[supervisord]\n{}\n", lines.join("\n")));
        }
    }
}
