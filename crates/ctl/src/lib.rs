//! The `supervisorctl` client.
//!
//! A command line ([`options`]) and a configuration file make [`settings`]; a [`session`] with them performs actions
//! ([`verbs`]): one, or many from the [`shell`]. All communication with the daemon goes through [`client`].

pub mod client;
mod console;
mod diagnosis;
mod dialogue;
mod event_line;
mod failure;
mod fleet;
mod hints;
mod host;
mod input;
mod interrupt;
mod keys;
mod line;
mod line_time;
mod local_clock;
mod log_lines;
mod mcp;
mod options;
mod plugin_process;
mod render;
mod session;
mod settings;
mod shell;
mod status;
mod terminal;
mod top;
mod update_order;
mod verbs;
mod wide_table;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use console::Console;
use failure::Failure;
use input::Input;
use interrupt::Interrupts;
use options::EarlyExit;
use session::Session;
use settings::Settings;
use supervisord_sys::thread;

/// The word by which other shells ask what completes a line. It is not listed, because only scripts in
/// `packaging/completions` use it.
const COMPLETE: &str = "complete";

/// Runs `supervisorctl` with these arguments, of which the first is the name by which it was started.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    // If this fails, the first thread that is needed reports it.
    let _ = thread::ensure_threads_work();
    let program = arguments.first().map_or_else(|| "supervisorctl".into(), |name| name.to_string_lossy().into_owned());
    let usage_error = |problem: &str| usage_error(&program, problem);
    if let Some(arguments) = fleet::handed_over(arguments.iter().cloned()) {
        return usage_error(&fleet::become_fleet(arguments));
    }
    let command_line = match options::parse(arguments) {
        Ok(command_line) => command_line,
        Err(EarlyExit::Help(text)) => {
            // Nothing is lost if standard output is closed.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(EarlyExit::UsageError(problem)) => return usage_error(&problem),
        Err(EarlyExit::ParseError(text)) => {
            let _ = std::io::stderr().write_all(text.as_bytes());
            return ExitCode::from(status::INVALID_ARGUMENTS);
        }
    };
    let action = command_line.action.clone();
    let settings = match Settings::read(command_line) {
        Ok(settings) => settings,
        Err(problem) => return usage_error(&problem),
    };
    let session = Input::standard()
        .map_err(Failure::from)
        .map(|input| Session::new(settings, Console::standard(), input, Interrupts::ending_the_program()));
    let mut session = match session {
        Ok(session) => session,
        Err(failure) => {
            print_error(&failure.line());
            return ExitCode::from(status::GENERIC);
        }
    };
    if let Err(problem) = verbs::prepare_plugins(&mut session) {
        return usage_error(&problem);
    }
    match run_session(&mut session, &action) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            print_error(&failure.line());
            ExitCode::from(status::GENERIC)
        }
    }
}

/// Performs the action of the command line, or runs the shell.
fn run_session(session: &mut Session, action: &[String]) -> Result<u8, Failure> {
    if action.is_empty() {
        shell::run(session)?;
        return Ok(status::SUCCESS);
    }
    match action {
        [word, line @ ..] if word == COMPLETE => shell::print_candidates(session, &line.join(" ")),
        _ => {
            verbs::perform(session, &action.join(" "));
        }
    }
    Ok(match session.exit_status() {
        // The output did not reach its reader.
        status::SUCCESS if session.console.is_closed() => status::GENERIC,
        status => status,
    })
}

fn usage_error(program: &str, problem: &str) -> ExitCode {
    print_error(&format!("Error: {problem}\nFor help, use {program} -h"));
    ExitCode::from(status::INVALID_ARGUMENTS)
}

/// Prints the reason of a failed start. A failure to print is ignored.
fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
