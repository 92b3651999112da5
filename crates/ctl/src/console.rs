//! Where answers and complaints go.

use std::io::{self, IsTerminal, Write};

use crate::terminal::is_dumb;

/// The two output streams of a session.
///
/// When nobody reads standard output any more, what is asked for is still done to the end (half a `restart` would
/// be worse than none), only without words.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    colour: bool,
    /// Whether somebody reads standard error on a terminal.
    explains: bool,
    lost: bool,
}

impl Console {
    /// The streams of this process; colours when it writes to a terminal and `NO_COLOR` is unset or empty.
    pub fn standard() -> Console {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let colour = wanted && io::stdout().is_terminal() && !is_dumb();
        let explains = io::stderr().is_terminal();
        Console { out: Box::new(io::stdout()), err: Box::new(io::stderr()), colour, explains, lost: false }
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

    /// Prints a line.
    pub fn line(&mut self, text: impl std::fmt::Display) {
        self.raw(format!("{text}\n").as_bytes());
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
        drop(self.err.write_all(format!("{text}\n").as_bytes()));
    }
}
