//! `%(name)s` expansion: printf-style formatting of a text against named values, by Python's rules. Where nobody knows a name, it
//! may be arithmetic, `%(process_num + 8000)d`, or a variable with a default, `%(ENV_PORT:-8000)s`.

use std::borrow::Cow;

use crate::complaint::Complaint;
use crate::pyrepr::{ascii, repr};
use crate::suggest::did_you_mean;

pub(crate) mod arithmetic;
mod expression;
mod layout;
mod names;
mod number;

use arithmetic::{NoValue, closing, is_name_part};
use layout::Layout;
pub use names::{ExpansionNames, NamedValue};

/// The widest a single conversion may get, in characters. A larger width or precision is refused.
const WIDEST: usize = 4096;

/// What to write for a percent sign.
const ESCAPE: &str = "write %% for a percent sign";

/// Expands a text. `label` is how a complaint names the option.
pub fn expand(text: &str, names: &ExpansionNames<'_>, label: &str) -> Result<String, Complaint> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    Formatter::new(text, names).run().map_err(|failure| {
        let complaint =
            |reason: String| Complaint::quoting("Format string ", repr(text), format!(" for {} {reason}", repr(label)));
        match failure {
            Failure::Unknown(name) => {
                let available: Vec<&str> = names.all().into_keys().collect();
                let meant = did_you_mean(&name, available.iter().copied());
                let available = available.join(", ");
                let reason =
                    format!("contains names ({}) which cannot be expanded. Available names: {available}", repr(&name));
                complaint(reason).advise(meant.unwrap_or_else(|| ESCAPE.to_owned()))
            }
            Failure::Calculation(reason) => {
                complaint(format!("is badly formatted: {reason}")).advise("correct the calculation behind %".to_owned())
            }
            Failure::Bad(reason) => complaint(format!("is badly formatted: {reason}")).advise(ESCAPE.to_owned()),
        }
    })
}

/// Expands a text that has been expanded once: some options are, and what is in them needs more percent signs.
pub(crate) fn expand_again(text: &str, names: &ExpansionNames<'_>, label: &str) -> Result<String, Complaint> {
    let advice = "write %%%% for a percent sign, because this option is expanded twice";
    expand(text, names, label).map_err(|complaint| match complaint.advice() {
        Some(ESCAPE) => complaint.advise(advice.to_owned()),
        _ => complaint,
    })
}

/// Whether the expanded text may have something of the environment in it, which is nobody's business.
pub(crate) fn may_show_environment(text: &str) -> bool {
    conversions(text).any(|conversion| expression::in_parentheses(conversion).is_none_or(|name| name.contains("ENV_")))
}

/// Whether a name stands in a conversion, alone or in an expression.
pub(crate) fn uses_name(text: &str, name: &str) -> bool {
    let mut named = conversions(text).filter_map(expression::in_parentheses);
    named.any(|expression| expression.split(|letter| !is_name_part(letter)).any(|word| word == name))
}

/// The text without what is written in conversions in place of names, whose characters say nothing about the expanded text.
pub(crate) fn without_expressions(text: &str) -> String {
    let mut rest = text.to_owned();
    for inside in
        conversions(text).filter_map(expression::in_parentheses).filter(|inside| expression::is_expression(inside))
    {
        rest = rest.replace(&format!("%({inside})"), "%()");
    }
    rest
}

/// Whether the expanded text has all names and values in it, as a conversion without a name gives.
pub(crate) fn shows_all_variables(text: &str) -> bool {
    conversions(text).any(|conversion| !conversion.starts_with('('))
}

/// What follows each percent sign that is not written twice.
fn conversions(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, behind) = rest.split_once('%')?;
            match behind.strip_prefix('%') {
                Some(escaped) => rest = escaped,
                None => {
                    rest = behind;
                    return Some(behind);
                }
            }
        }
    })
}

enum Failure {
    /// A name nobody knows.
    Unknown(String),
    /// A calculation that has no value, and why.
    Calculation(String),
    /// Anything else.
    Bad(String),
}

fn bad(reason: impl Into<String>) -> Failure {
    Failure::Bad(reason.into())
}

/// What the next conversion formats.
#[derive(Clone)]
enum Argument<'n> {
    /// All names, until a name in parentheses was used.
    Everything,
    /// The value of the last name in parentheses.
    One(Cow<'n, NamedValue>),
}

impl Argument<'_> {
    fn type_name(&self) -> &'static str {
        match self {
            Argument::Everything => "dict",
            Argument::One(value) => value.type_name(),
        }
    }
}

impl Argument<'_> {
    /// The number that it is.
    fn number(&self) -> Option<i64> {
        match self {
            Argument::One(value) => match **value {
                NamedValue::Number(number) => Some(number),
                NamedValue::Text(_) => None,
            },
            Argument::Everything => None,
        }
    }
}

struct Formatter<'t> {
    text: Vec<char>,
    at: usize,
    names: &'t ExpansionNames<'t>,
    argument: Option<Argument<'t>>,
    out: String,
}

impl<'t> Formatter<'t> {
    fn new(text: &str, names: &'t ExpansionNames<'t>) -> Formatter<'t> {
        let out = String::with_capacity(text.len());
        Formatter { text: text.chars().collect(), at: 0, names, argument: Some(Argument::Everything), out }
    }

    fn run(mut self) -> Result<String, Failure> {
        while let Some(c) = self.next() {
            if c != '%' {
                self.out.push(c);
            } else if self.peek() == Some('%') {
                self.at += 1;
                self.out.push('%');
            } else {
                self.conversion()?;
            }
        }
        Ok(self.out)
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// One conversion, from behind its `%`.
    fn conversion(&mut self) -> Result<(), Failure> {
        if self.peek() == Some('(') {
            let name = self.name()?;
            let value = expression::value(&name, self.names).map_err(|failure| match failure {
                NoValue::NotAnExpression => Failure::Unknown(name),
                NoValue::Unknown(unknown) => Failure::Unknown(unknown),
                NoValue::Bad(reason) => Failure::Calculation(reason),
            })?;
            self.argument = Some(Argument::One(value));
        }
        let mut layout = Layout::default();
        while self.peek().is_some_and(|c| layout.flag(c)) {
            self.at += 1;
        }
        self.width(&mut layout)?;
        self.precision(&mut layout)?;
        if matches!(self.peek(), Some('h' | 'l' | 'L')) {
            self.at += 1;
        }
        let conversion = self.next().ok_or_else(|| bad("incomplete format"))?;
        if conversion == '%' {
            return Err(self.unsupported(conversion));
        }
        let argument = self.take()?;
        let formatted = self.format(conversion, argument, &layout)?;
        self.out.push_str(&formatted);
        Ok(())
    }

    /// The name in parentheses, which may contain pairs of parentheses.
    fn name(&mut self) -> Result<String, Failure> {
        self.at += 1;
        let letters = &self.text[self.at..];
        let end = closing(letters.iter().copied().enumerate()).ok_or_else(|| bad("incomplete format key"))?;
        self.at += end + 1;
        Ok(letters[..end].iter().collect())
    }

    fn width(&mut self, layout: &mut Layout) -> Result<(), Failure> {
        if self.peek() != Some('*') {
            layout.width = self.digits("width too big")?;
            return Ok(());
        }
        self.at += 1;
        let width = self.star()?;
        layout.left |= width < 0;
        layout.width = bounded(width.unsigned_abs(), "width too big")?;
        Ok(())
    }

    fn precision(&mut self, layout: &mut Layout) -> Result<(), Failure> {
        if self.peek() != Some('.') {
            return Ok(());
        }
        self.at += 1;
        layout.precision = Some(if self.peek() == Some('*') {
            self.at += 1;
            bounded(self.star()?.max(0).unsigned_abs(), "precision too big")?
        } else {
            self.digits("precision too big")?
        });
        Ok(())
    }

    fn digits(&mut self, too_big: &str) -> Result<usize, Failure> {
        let mut number: u64 = 0;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            number = number.saturating_mul(10).saturating_add(u64::from(digit));
        }
        bounded(number, too_big)
    }

    fn star(&mut self) -> Result<i64, Failure> {
        self.take()?.number().ok_or_else(|| bad("* wants int"))
    }

    /// The value to format; each name serves for one conversion.
    fn take(&mut self) -> Result<Argument<'t>, Failure> {
        self.argument.take().ok_or_else(|| bad("not enough arguments for format string"))
    }

    fn unsupported(&self, conversion: char) -> Failure {
        let shown = if (' '..='~').contains(&conversion) { conversion } else { '?' };
        let (code, index) = (u32::from(conversion), self.at - 1);
        bad(format!("unsupported format character '{shown}' (0x{code:x}) at index {index}"))
    }

    fn format(&self, conversion: char, argument: Argument<'_>, layout: &Layout) -> Result<String, Failure> {
        match conversion {
            's' | 'r' | 'a' => Ok(layout.text(self.in_words(conversion, argument))),
            'c' => character(argument).map(|c| layout.pad(c.to_string())),
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => match argument.number() {
                Some(number) => Ok(number::integer(number, conversion, layout)),
                None => {
                    let wanted = if matches!(conversion, 'd' | 'i' | 'u') { "a real number" } else { "an integer" };
                    let given = argument.type_name();
                    Err(bad(format!("%{conversion} format: {wanted} is required, not {given}")))
                }
            },
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => match argument.number() {
                Some(number) => Ok(number::real(number, conversion, layout)),
                None => Err(bad(format!("must be real number, not {}", argument.type_name()))),
            },
            _ => Err(self.unsupported(conversion)),
        }
    }

    fn in_words(&self, conversion: char, argument: Argument<'_>) -> String {
        let literal = if conversion == 'a' { ascii } else { repr };
        match argument {
            Argument::Everything => self.names.dictionary(literal),
            Argument::One(value) if conversion == 's' => value.shown(),
            Argument::One(value) => value.quoted(literal),
        }
    }
}

fn bounded(number: u64, too_big: &str) -> Result<usize, Failure> {
    usize::try_from(number).ok().filter(|&number| number <= WIDEST).ok_or_else(|| bad(too_big))
}

fn character(argument: Argument<'_>) -> Result<char, Failure> {
    match argument {
        Argument::One(value) => match &*value {
            NamedValue::Number(number) => {
                let code = u32::try_from(*number).ok();
                code.and_then(char::from_u32).ok_or_else(|| bad("%c arg not in range(0x110000)"))
            }
            NamedValue::Text(text) => {
                let mut all = text.chars();
                match (all.next(), all.next()) {
                    (Some(only), None) => Ok(only),
                    _ => Err(bad("%c requires int or char")),
                }
            }
        },
        Argument::Everything => Err(bad("%c requires int or char")),
    }
}

#[cfg(test)]
mod tests;
