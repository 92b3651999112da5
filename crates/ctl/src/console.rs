//! Where answers and complaints go.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use supervisord_wire::harmless::{LogFilter, escaped};

/// The two output streams of a session.
///
/// When nobody reads standard output any more, what is asked for is still done to the end (half a `restart` would
/// be worse than none), only without words.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    colour: bool,
    /// Whether standard output is a terminal, which obeys what it is sent.
    obeys: bool,
    /// Whether somebody reads standard error on a terminal.
    explains: bool,
    lost: bool,
}

impl Console {
    /// The streams of this process; colours when it writes to a terminal and `NO_COLOR` is unset or empty.
    pub fn standard() -> Console {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let obeys = io::stdout().is_terminal();
        let colour = wanted && obeys && !is_dumb();
        let explains = io::stderr().is_terminal();
        Console { out: Box::new(io::stdout()), err: Box::new(io::stderr()), colour, obeys, explains, lost: false }
    }

    /// Whether tables may be coloured.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Whether explanations reach anybody: what is said beyond the words of the original is for people at a terminal. A
    /// script that runs from `cron` would have it mailed.
    pub fn explains(&self) -> bool {
        self.explains
    }

    /// Explains something on standard error to a person, if there is one.
    pub fn explain(&mut self, text: impl std::fmt::Display) {
        if self.explains {
            self.complain(format_args!("supervisorctl: {text}"));
        }
    }

    /// Whether standard output has gone away.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// A text that programs or other people have chosen, as it may be shown.
    pub fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.obeys { escaped(text) } else { text.into() }
    }

    /// Prints a line.
    pub fn line(&mut self, text: impl std::fmt::Display) {
        let line = format!("{text}\n");
        self.raw(self.shown(&line).as_bytes());
    }

    /// What the pieces of a log have to pass before they are printed, if anything.
    pub fn log_filter(&self) -> Option<LogFilter> {
        self.obeys.then(LogFilter::default)
    }

    /// Prints a log, and a line feed.
    pub fn log(&mut self, text: &str) {
        let text = format!("{text}\n");
        match self.log_filter() {
            Some(mut filter) => self.raw(&filter.pass(text.as_bytes())),
            None => self.raw(text.as_bytes()),
        }
    }

    /// Prints bytes as they are, and at once.
    pub fn raw(&mut self, bytes: &[u8]) {
        if !self.lost {
            self.lost = self.out.write_all(bytes).and_then(|()| self.out.flush()).is_err();
        }
    }

    /// Prints text on standard error as it is.
    pub fn complain_raw(&mut self, text: &str) {
        drop(self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush()));
    }

    /// Prints a line on standard error. There is nobody to tell when that fails.
    pub fn complain(&mut self, text: impl std::fmt::Display) {
        let line = format!("{text}\n");
        let line = if self.explains { escaped(&line) } else { line.into() };
        drop(self.err.write_all(line.as_bytes()));
    }
}

/// Whether the terminal knows neither colours nor how to move its cursor.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb" || name == "emacs" || name == "cons25")
}
