//! The interactive shell.

mod completion;
mod history;

use std::io::{self, IsTerminal};

use rustyline::completion::Pair;
use rustyline::config::{CompletionType, Config, Configurer};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use crate::failure::Failure;
use crate::interrupt::leave_shell;
use crate::session::Session;
use crate::terminal::is_dumb;
use crate::verbs::{self, Flow};
use completion::Names;
use history::HistoryFile;

/// Shows the status, then does what is asked line by line until somebody leaves or the input ends. How the shell
/// ends is no failure, whatever happened in it.
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

/// Where the lines come from.
enum Prompt {
    /// Somebody who can edit them.
    Editor(Box<Editor<Completion, MemHistory>>, Option<HistoryFile>),
    /// A pipe, a file, a terminal whose output goes elsewhere, or one that cannot move its cursor.
    Plain,
}

impl Prompt {
    fn new(session: &Session) -> Prompt {
        let history = session.settings.history_file.clone().map(HistoryFile::new);
        history.iter().for_each(HistoryFile::make);
        if !session.input.is_terminal() || !io::stdout().is_terminal() || is_dumb() {
            return Prompt::Plain;
        }
        match editor() {
            Ok(mut editor) => {
                for line in history.iter().flat_map(HistoryFile::load) {
                    // The only thing that can fail is a line the editor does not want to keep.
                    drop(editor.add_history_entry(line));
                }
                Prompt::Editor(Box::new(editor), history)
            }
            Err(_) => Prompt::Plain,
        }
    }

    /// The next line; none when there are no more, and then the cursor is at the beginning of a line.
    fn next_line(&mut self, session: &mut Session) -> Result<Option<String>, Failure> {
        let prompt = format!("{}> ", session.settings.prompt);
        match self {
            Prompt::Plain => {
                session.console.raw(prompt.as_bytes());
                let line = session.input.line()?;
                if line.is_none() {
                    session.say("");
                }
                Ok(line)
            }
            Prompt::Editor(editor, history) => {
                editor.set_helper(Some(Completion { names: Names::new(&session.settings) }));
                // The editor reads Ctrl-C as a key. A signal from elsewhere must not end us while the terminal is in
                // its hands.
                let _ignore = session.interrupts.handle(|| {})?;
                match editor.readline(&prompt) {
                    Ok(line) => {
                        if !line.trim().is_empty() {
                            drop(editor.add_history_entry(&line));
                            history.iter().for_each(|history| history.append(&line));
                        }
                        Ok(Some(line))
                    }
                    Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                    Err(ReadlineError::Io(error)) => Err(error.into()),
                    Err(error) => Err(io::Error::other(error).into()),
                }
            }
        }
    }
}

fn editor() -> rustyline::Result<Editor<Completion, MemHistory>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_dups(false)?
        .max_history_size(history::MAX_LINES)?
        .bracketed_paste(false)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    editor.enable_synchronized_output(false);
    Ok(editor)
}

/// What the editor asks for at the tab key. The names of processes are fetched once per line.
struct Completion {
    names: Names,
}

impl rustyline::completion::Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = completion::candidates(&line[..position], &self.names);
        let pair = |word: String| Pair { replacement: format!("{word} "), display: word };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

impl Helper for Completion {}
impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
