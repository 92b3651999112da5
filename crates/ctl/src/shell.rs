//! The interactive shell.

mod completion;
mod editor;
mod history;
mod screen;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use supervisord_sys::signal::{self, Signal};
use supervisord_sys::terminal::{self, RawMode, TypedAhead};

use crate::console::is_dumb;
use crate::failure::Failure;
use crate::interrupt::{exit_by_signal, leave_shell};
use crate::keys::Decoder;
use crate::render;
use crate::session::Session;
use crate::verbs::{self, Flow};
use completion::Names;
use editor::{Editor, Step};
use history::HistoryFile;
use screen::Screen;

/// Prints the status, then runs line by line until the user leaves or the input ends. The end of a shell is never a
/// failure, whatever its lines did.
pub fn run(session: &mut Session) -> Result<(), Failure> {
    session.settings.interactive = true;
    let _leave = session.interrupts.handle(|| leave_shell())?;
    verbs::perform(session, "status");
    let mut prompt = Prompt::new(session);
    while let Some(line) = prompt.next_line(session)? {
        if !line.trim().is_empty() && verbs::perform(session, &line) == Flow::Leave {
            break;
        }
    }
    Ok(())
}

/// Prints the words that may replace the last word of a line, one a line: for the completion of other shells.
pub fn print_candidates(session: &mut Session, line: &str) {
    let names = Names::new(&session.settings);
    for word in completion::candidates(line, &names).1 {
        session.print(word);
    }
}

/// The source of lines.
enum Prompt {
    /// A user who can edit them.
    Editor(EditedLines),
    /// A pipe, a file, or a terminal whose output is redirected.
    Plain,
}

/// The lines of earlier sessions and of this one.
struct EditedLines {
    known: Vec<String>,
    file: Option<HistoryFile>,
    /// Text that was cut from one line and can be inserted into the next.
    cut: Vec<char>,
}

impl Prompt {
    fn new(session: &Session) -> Prompt {
        let file = session.settings.history_file.clone().map(HistoryFile::new);
        file.iter().for_each(HistoryFile::make);
        if !session.input.is_terminal() || !io::stdout().is_terminal() {
            return Prompt::Plain;
        }
        let known = file.iter().flat_map(HistoryFile::load).collect();
        Prompt::Editor(EditedLines { known, file, cut: Vec::new() })
    }

    /// The next line; none at the end, with the cursor at the beginning of a line.
    fn next_line(&mut self, session: &mut Session) -> Result<Option<String>, Failure> {
        let prompt = format!("{}> ", session.settings.prompt);
        match self {
            Prompt::Plain => {
                session.console.raw(prompt.as_bytes());
                let line = session.input.line()?;
                if line.is_none() {
                    session.print("");
                }
                Ok(line)
            }
            Prompt::Editor(lines) => {
                let line = lines.read(session, &prompt)?;
                if let Some(line) = line.as_ref().filter(|line| !line.trim().is_empty()) {
                    lines.add(line);
                }
                Ok(line)
            }
        }
    }
}

impl EditedLines {
    /// Lets the user edit a line. It takes input that was typed before the prompt, and leaves input after the line for
    /// the next reader: the action may ask a question.
    fn read(&mut self, session: &mut Session, prompt: &str) -> Result<Option<String>, Failure> {
        let names = Names::new(&session.settings);
        let candidates = |line: &str| completion::candidates(line, &names);
        let mut editor = Editor::new(&self.known, std::mem::take(&mut self.cut));
        let (mut decoder, mut screen) = (Decoder::default(), Screen::default());
        let mut mode = Some(raw_mode()?);
        let line = loop {
            if !session.input.has_byte() {
                let (text, cursor) = editor.shown(prompt);
                session.console.raw(screen.draw(&text, cursor, width()).as_bytes());
            }
            let Some(byte) = session.input.byte()? else { break None };
            let Some(key) = decoder.take(byte) else { continue };
            match editor.press(key, &candidates) {
                Step::Edited => {}
                Step::Refused => session.console.raw(b"\x07"),
                Step::Cleared => {
                    let clear: &[u8] = if is_dumb() { b"\n" } else { b"\x1b[H\x1b[2J" };
                    session.console.raw(clear);
                    screen = Screen::default();
                }
                Step::Listed(words) => {
                    session.console.raw(screen.finish(&editor.shown(prompt).0).as_bytes());
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    let text = render::columns(&words, width() - 1);
                    session.console.raw(session.console.printable(&text).into_owned().as_bytes());
                }
                Step::Done(line) => break Some(line),
                Step::End => break None,
                Step::Interrupted if signal::is_ignored(Signal::Interrupt) => {}
                Step::Interrupted => break None,
                Step::Quit => exit_by_signal(Signal::Quit),
                Step::Suspended => {
                    drop(mode.take());
                    signal::suspend_job();
                    mode = Some(raw_mode()?);
                    screen = Screen::default();
                }
            }
        };
        session.console.raw(screen.finish(&(prompt.to_owned() + &editor.text())).as_bytes());
        self.cut = editor.into_cut();
        Ok(line)
    }

    fn add(&mut self, line: &str) {
        self.known.push(line.to_owned());
        if self.known.len() > history::MAX_LINES {
            self.known.remove(0);
        }
        self.file.iter().for_each(|file| file.append(line));
    }
}

fn raw_mode() -> io::Result<RawMode> {
    RawMode::enter(io::stdin().as_fd(), TypedAhead::Kept)
}

fn width() -> usize {
    terminal::size(io::stdout().as_fd()).map_or(screen::USUAL_WIDTH, |size| size.columns)
}
