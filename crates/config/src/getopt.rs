//! Splits a command line into options and the words behind them, as `getopt_long(3)` does.

use std::ffi::OsString;

use crate::suggest::nearest;

/// An option: all its spellings, such as `-c` and `--configuration`, and what its value is called, where it has one.
#[derive(Clone, Copy, Debug)]
pub struct OptionForm {
    /// With their dashes. The first is its name.
    pub spellings: &'static [&'static str],
    /// The name of its value; none for a switch.
    pub value: Option<&'static str>,
}

/// One use of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionUse {
    /// The first spelling of the option.
    pub name: &'static str,
    /// The spelling that was used, written out where it was abbreviated.
    pub spelling: &'static str,
    /// The value; empty for a switch.
    pub value: String,
}

/// What a command line consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitLine {
    /// The options, in their order.
    pub options: Vec<OptionUse>,
    /// From the first word on that is neither an option nor its value, or from behind `--` on.
    pub words: Vec<String>,
}

/// Why a command line cannot be split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// What is wrong, without a full stop.
    pub problem: String,
    /// The word or option that is meant by that.
    pub word: String,
    /// What was probably meant instead.
    pub meant: Option<&'static str>,
}

impl Misuse {
    /// A word where only options are expected.
    pub fn unexpected(word: &str) -> Misuse {
        Misuse { problem: format!("unexpected argument '{word}'"), word: word.to_owned(), meant: None }
    }

    /// The text for people: with this advice, or else what was probably meant, and how the program is used.
    pub fn complaint(&self, advice: Option<&str>, usage: &str) -> String {
        let advice = advice.map(str::to_owned).or_else(|| self.meant.map(|meant| format!("did you mean {meant}?")));
        let advice = advice.map(|advice| format!("\n  tip: {advice}\n")).unwrap_or_default();
        format!("error: {}\n{advice}\nUsage: {usage}\n", self.problem)
    }
}

/// Splits the arguments behind the name of the program. Long options may be abbreviated, short ones bundled, and values
/// attached or separate; a value may begin with a dash.
pub fn split(forms: &[OptionForm], arguments: impl IntoIterator<Item = OsString>) -> Result<SplitLine, Misuse> {
    let mut line = SplitLine::default();
    let mut arguments = arguments.into_iter().map(text);
    while let Some(argument) = arguments.next() {
        let argument = argument?;
        if argument == "--" {
            break;
        }
        let mut next = || arguments.next().transpose();
        if let Some(long) = argument.strip_prefix("--") {
            line.options.push(long_option(forms, long, &mut next)?);
        } else if argument.len() > 1 && argument.starts_with('-') {
            short_options(forms, &argument, &mut next, &mut line.options)?;
        } else {
            line.words.push(argument);
            break;
        }
    }
    for word in arguments {
        line.words.push(word?);
    }
    Ok(line)
}

/// What follows on the command line.
type Next<'n> = &'n mut dyn FnMut() -> Result<Option<String>, Misuse>;

fn text(argument: OsString) -> Result<String, Misuse> {
    argument.into_string().map_err(|argument| {
        let word = argument.to_string_lossy().into_owned();
        Misuse { problem: format!("the argument '{word}' is not UTF-8"), word, meant: None }
    })
}

/// The option that is written behind two dashes.
fn long_option(forms: &[OptionForm], written: &str, next: Next<'_>) -> Result<OptionUse, Misuse> {
    let (name, attached) = match written.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (written, None),
    };
    let (form, spelling) = named(forms, &format!("--{name}"))?;
    let value = match (form.value, attached) {
        (None, None) => String::new(),
        (None, Some(value)) => {
            let problem = format!("{spelling} takes no value, but '{value}' is given");
            return Err(Misuse { problem, word: spelling.to_owned(), meant: None });
        }
        (Some(_), Some(value)) => value.to_owned(),
        (Some(kind), None) => following(next, spelling, kind)?,
    };
    Ok(OptionUse { name: form.spellings[0], spelling, value })
}

/// The options that are written behind one dash. The value of the last may be attached, also behind an equals sign.
fn short_options(
    forms: &[OptionForm],
    argument: &str,
    next: Next<'_>,
    options: &mut Vec<OptionUse>,
) -> Result<(), Misuse> {
    let mut letters = argument[1..].chars();
    while let Some(letter) = letters.next() {
        let (form, spelling) = exactly(forms, &format!("-{letter}")).ok_or_else(|| unknown(&format!("-{letter}")))?;
        let value = match form.value {
            None => String::new(),
            Some(kind) => match letters.as_str() {
                "" => following(next, spelling, kind)?,
                attached => attached.strip_prefix('=').unwrap_or(attached).to_owned(),
            },
        };
        options.push(OptionUse { name: form.spellings[0], spelling, value });
        if form.value.is_some() {
            break;
        }
    }
    Ok(())
}

/// The value that stands behind an option as a word of its own.
fn following(next: Next<'_>, spelling: &str, kind: &str) -> Result<String, Misuse> {
    let missing = || Misuse {
        problem: format!("{spelling} needs a value: {spelling} {kind}"),
        word: spelling.to_owned(),
        meant: None,
    };
    next()?.ok_or_else(missing)
}

/// The option with this long spelling, or with the only one that begins so.
fn named<'f>(forms: &'f [OptionForm], written: &str) -> Result<(&'f OptionForm, &'static str), Misuse> {
    if let Some(found) = exactly(forms, written) {
        return Ok(found);
    }
    let begins_so = |form: &'f OptionForm| {
        let spelling = form.spellings.iter().find(|spelling| spelling.starts_with(written))?;
        Some((form, *spelling))
    };
    let candidates: Vec<_> = forms.iter().filter_map(begins_so).collect();
    match candidates[..] {
        [found] => Ok(found),
        [] => {
            let spellings = forms.iter().flat_map(|form| form.spellings).copied();
            let meant = nearest(written, spellings.clone()).and_then(|near| spellings.clone().find(|one| *one == near));
            Err(Misuse { meant, ..unknown(written) })
        }
        _ => {
            let all: Vec<&str> = candidates.iter().map(|(_, spelling)| *spelling).collect();
            let problem = format!("{written} may be any of {}", all.join(", "));
            Err(Misuse { problem, word: written.to_owned(), meant: None })
        }
    }
}

/// The option with exactly this spelling.
fn exactly<'f>(forms: &'f [OptionForm], written: &str) -> Option<(&'f OptionForm, &'static str)> {
    forms.iter().find_map(|form| {
        let spelling = form.spellings.iter().find(|spelling| **spelling == written)?;
        Some((form, *spelling))
    })
}

fn unknown(written: &str) -> Misuse {
    Misuse { problem: format!("unknown option '{written}'"), word: written.to_owned(), meant: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [OptionForm; 4] = [
        OptionForm { spellings: &["--file", "-f"], value: Some("FILENAME") },
        OptionForm { spellings: &["--filter", "--filtre"], value: Some("TEXT") },
        OptionForm { spellings: &["--verbose", "-v"], value: None },
        OptionForm { spellings: &["--quiet", "-q", "-é"], value: None },
    ];

    fn split_line(arguments: &[&str]) -> Result<SplitLine, Misuse> {
        split(&FORMS, arguments.iter().map(OsString::from))
    }

    /// The uses as they are written out, and then the words.
    fn shown(arguments: &[&str]) -> String {
        match split_line(arguments) {
            Ok(line) => {
                let uses = line.options.iter().map(|one| format!("{}={}", one.spelling, one.value));
                uses.chain(line.words).collect::<Vec<_>>().join(" ")
            }
            Err(misuse) => misuse.problem,
        }
    }

    #[test]
    fn options_are_separate_attached_bundled_and_abbreviated() {
        for (arguments, expected) in [
            (&["-f", "x"][..], "-f=x"),
            (&["-fx"], "-f=x"),
            (&["-f=x"], "-f=x"),
            (&["-f="], "-f="),
            (&["-vqfx"], "-v= -q= -f=x"),
            (&["-vf", "-q"], "-v= -f=-q"),
            (&["-é"], "-é="),
            (&["--file", "--verbose"], "--file=--verbose"),
            (&["--file="], "--file="),
            (&["--file=a=b"], "--file=a=b"),
            (&["--verb"], "--verbose="),
            (&["--filt", "x"], "--filter=x"),
            (&["--filtr=x"], "--filtre=x"),
            (&["-f", "--"], "-f=--"),
        ] {
            assert_eq!(shown(arguments), expected, "{arguments:?}");
        }
        assert_eq!(split_line(&["-f", "x"]).unwrap().options[0].name, "--file");
    }

    #[test]
    fn words_begin_with_what_is_no_option() {
        for (arguments, expected) in [
            (&["-v", "a", "-q", "--", "b"][..], "-v= a -q -- b"),
            (&["--", "-v"], "-v"),
            (&["-", "-v"], "- -v"),
            (&["", "-v"], " -v"),
            (&[], ""),
        ] {
            assert_eq!(shown(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (arguments, expected) in [
            (&["-x"][..], "unknown option '-x'"),
            (&["-vx"], "unknown option '-x'"),
            (&["--nosuch=1"], "unknown option '--nosuch'"),
            (&["-f"], "-f needs a value: -f FILENAME"),
            (&["--file"], "--file needs a value: --file FILENAME"),
            (&["--verb=1"], "--verbose takes no value, but '1' is given"),
            (&["--fil"], "--fil may be any of --file, --filter"),
        ] {
            assert_eq!(shown(arguments), expected, "{arguments:?}");
        }
        assert_eq!(split_line(&["--verbsoe"]).unwrap_err().meant, Some("--verbose"));
    }

    #[test]
    fn a_complaint_has_advice_and_the_usage() {
        let misuse = split_line(&["--verbsoe"]).unwrap_err();
        let expected = "error: unknown option '--verbsoe'\n\n  tip: did you mean --verbose?\n\nUsage: me [options]\n";
        assert_eq!(misuse.complaint(None, "me [options]"), expected);
        assert!(misuse.complaint(Some("other"), "me").contains("\n  tip: other\n"));
        assert_eq!(Misuse::unexpected("a").complaint(None, "me"), "error: unexpected argument 'a'\n\nUsage: me\n");
    }
}
