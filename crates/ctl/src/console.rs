//! Standard output and standard error of a session.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

use supervisord_wire::terminal_text::{LogFilter, escaped};

/// The two output streams of a session.
///
/// After standard output is closed, actions still run to their end (half a `restart` would be worse than none), but
/// without output.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    colour: bool,
    /// Whether standard output is a terminal, which interprets control characters.
    interprets_controls: bool,
    /// Whether standard error is a terminal.
    explains: bool,
    is_closed: bool,
}

impl Console {
    /// The streams of this process; colours when it writes to a terminal and `NO_COLOR` is unset or empty.
    pub fn standard() -> Console {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let interprets_controls = io::stdout().is_terminal();
        let colour = wanted && interprets_controls && !is_dumb();
        let explains = io::stderr().is_terminal();
        Console {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            colour,
            interprets_controls,
            explains,
            is_closed: false,
        }
    }

    /// A console that keeps what is printed, explanations included, instead of showing it.
    pub fn recording() -> (Console, Recording) {
        let recording = Recording::default();
        let stream = || Box::new(recording.clone());
        let console = Console {
            out: stream(),
            err: stream(),
            colour: false,
            interprets_controls: false,
            explains: true,
            is_closed: false,
        };
        (console, recording)
    }

    /// Whether tables may be coloured.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Whether the reader is a terminal on which the cursor can be moved.
    pub fn moves_cursor(&self) -> bool {
        self.interprets_controls && !is_dumb()
    }

    /// Whether to print explanations: text beyond the original's messages is for users at a terminal. Scripts run by
    /// `cron` would mail it.
    pub fn explains(&self) -> bool {
        self.explains
    }

    /// Prints an explanation on standard error, if that is a terminal.
    pub fn explain(&mut self, text: impl std::fmt::Display) {
        if self.explains {
            self.print_error(format_args!("supervisorctl: {text}"));
        }
    }

    /// Whether standard output is closed.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// A text from programs or other users, made safe to print: on a terminal, control characters are escaped.
    pub fn printable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.interprets_controls { escaped(text) } else { text.into() }
    }

    /// Prints a line.
    pub fn line(&mut self, text: impl std::fmt::Display) {
        let line = format!("{text}\n");
        self.raw(self.printable(&line).as_bytes());
    }

    /// Prints lines, all at once.
    pub fn lines(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.line(lines.join("\n"));
        }
    }

    /// The filter for the chunks of a log before they are printed, if standard output is a terminal.
    pub fn log_filter(&self) -> Option<LogFilter> {
        self.interprets_controls.then(LogFilter::default)
    }

    /// Prints a log, and a line feed.
    pub fn log(&mut self, text: &str) {
        let text = format!("{text}\n");
        match self.log_filter() {
            Some(mut filter) => self.raw(&filter.pass(text.as_bytes())),
            None => self.raw(text.as_bytes()),
        }
    }

    /// Prints bytes unchanged, and flushes.
    pub fn raw(&mut self, bytes: &[u8]) {
        if !self.is_closed {
            self.is_closed = self.out.write_all(bytes).and_then(|()| self.out.flush()).is_err();
        }
    }

    /// Prints text on standard error unchanged.
    pub fn print_error_raw(&mut self, text: &str) {
        drop(self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush()));
    }

    /// Prints a line on standard error. A failure to do so cannot be reported.
    pub fn print_error(&mut self, text: impl std::fmt::Display) {
        let line = format!("{text}\n");
        let line = if self.explains { escaped(&line) } else { line.into() };
        drop(self.err.write_all(line.as_bytes()));
    }
}

/// What a console has printed.
#[derive(Clone, Default)]
pub struct Recording(Rc<RefCell<Vec<u8>>>);

impl Recording {
    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Recording {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the terminal supports neither colours nor cursor movement.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb" || name == "emacs" || name == "cons25")
}
