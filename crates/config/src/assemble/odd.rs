//! Warnings about what is taken, but may well be meant in another way.

use crate::expand::shows_all_variables;
use crate::ini::{DEFAULTS, Ini, IniSection, Oddity, WrittenIn, header, option};
use crate::model::Origin;
use crate::notices::Notices;
use crate::place::Place;
use crate::schema::{OptionSpec, SectionKind};

/// One warning for each oddity that can be a mistake.
pub(super) fn warn(ini: &Ini, notices: &mut Notices) {
    for oddity in ini.oddities() {
        match oddity {
            Oddity::SectionAgain { section, first, origin } => section_again(section, first, origin, notices),
            // Of sections that go on in another file it has been said that what stands there wins.
            Oddity::OptionAgain { section, first, origin, .. } if first.file != origin.file && section != DEFAULTS => {}
            Oddity::OptionAgain { section, option, first, origin } => {
                let text = format!("Option {option} in section [{section}] is written twice, the last one counts");
                let place = Place::new(origin).section(section).option(option);
                notices.warn_at(text, place.advise(format!("the other one is at {first}")));
            }
            Oddity::Swallowed { section, option, line, origin } => swallowed(section, option, line, origin, notices),
        }
    }
    for section in ini.sections() {
        percent_signs(ini, section, notices);
    }
}

/// A percent sign that means all variables at once, which nobody means. Others that mean nothing have been refused.
fn percent_signs(ini: &Ini, section: &IniSection, notices: &mut Notices) {
    let Some(kind) = SectionKind::of(section.name()).filter(|kind| *kind != SectionKind::Supervisorctl) else { return };
    let written = ini.options(section).filter(|(_, entry)| !matches!(entry.written_in, WrittenIn::Ancestor(_)));
    let options = written.filter_map(|(name, entry)| Some((kind.option(name)?, entry)));
    let is_odd = |value: &str, option: &OptionSpec| shows_all_variables(&option.kind.before_expansion(value));
    for (option, entry) in options.filter(|(option, entry)| is_odd(&entry.value, option)) {
        let text =
            format!("A percent sign in {} of [{}] stands for all variables at once", option.name, section.name());
        let place = Place::new(&entry.origin).section(section.name());
        let place = match option.is_secret() {
            true => place.hidden(option.name),
            false => place.value(option.name, &entry.value),
        };
        notices.warn_at(text, place.advise("write %% for a percent sign".to_owned()));
    }
}

fn section_again(section: &str, first: &Origin, origin: &Origin, notices: &mut Notices) {
    let place = Place::new(origin).section(section);
    if SectionKind::of(section) == Some(SectionKind::Include) && first.file != origin.file {
        return notices.warn_at("An [include] section in an included file is not followed", place);
    }
    let text = format!("Section [{section}] is there already, the options that follow are added to it and win");
    notices.warn_at(text, place.advise(format!("it begins at {first}")));
}

/// An indented line is a mistake only where it would mean something at the beginning of a line.
fn swallowed(section: &str, above: &str, line: &str, origin: &Origin, notices: &mut Notices) {
    let place = Place::new(origin).section(section);
    let advice = "remove the blanks before it".to_owned();
    if let Some(name) = header(line).filter(|name| SectionKind::of(name).is_some()) {
        let text = format!("The line [{name}] is indented and therefore a part of {above} in section [{section}]");
        return notices.warn_at(text, place.advise(advice));
    }
    let Some((name, _)) = option(line) else { return };
    // Names of variables are mostly in capitals, those of options are not.
    let is_option = SectionKind::of(section).is_some_and(|kind| kind.option(&name).is_some());
    if is_option && line.starts_with(name.as_str()) {
        let text = format!("Option {name} in section [{section}] is indented and therefore a part of {above}");
        notices.warn_at(text, place.option(&name).advise(advice));
    }
}
