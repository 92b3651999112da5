//! The `supervisorctl` client.
//!
//! A command line ([`options`]) and a configuration file make [`settings`]; a [`session`] on them performs actions
//! ([`verbs`]), one or, in the [`shell`], many. All that travels to the daemon goes through [`client`].

pub mod client;
mod console;
mod diagnosis;
mod dialogue;
mod doubts;
mod failure;
mod host;
mod input;
mod interrupt;
mod line;
mod options;
mod plugin_process;
mod render;
mod session;
mod settings;
mod shell;
mod status;
mod terminal;
mod verbs;

use std::io::Write;
use std::process::ExitCode;

use console::Console;
use failure::Failure;
use input::Input;
use interrupt::Interrupts;
use options::Instead;
use session::Session;
use settings::Settings;
use supervisord_sys::thread;

/// Runs `supervisorctl` on the command line of this process.
pub fn main() -> ExitCode {
    // Where it fails, the first thread that is needed says so.
    let _ = thread::make_possible();
    let command_line = match options::parse(std::env::args_os()) {
        Ok(command_line) => command_line,
        Err(Instead::Help(text)) => {
            // Whoever does not read it does not want it.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Instead::Misuse(problem)) => return misused(&problem),
        Err(Instead::Unreadable(error)) => error.exit(),
    };
    let action = command_line.action.clone();
    let settings = match Settings::read(command_line) {
        Ok(settings) => settings,
        Err(problem) => return misused(&problem),
    };
    let session = Input::standard()
        .map_err(Failure::from)
        .map(|input| Session::new(settings, Console::standard(), input, Interrupts::fatal()));
    let mut session = match session {
        Ok(session) => session,
        Err(failure) => {
            complain(&failure.line());
            return ExitCode::from(status::GENERIC);
        }
    };
    if let Err(problem) = verbs::prepare_plugins(&mut session) {
        return misused(&problem);
    }
    match converse(&mut session, &action) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            complain(&failure.line());
            ExitCode::from(status::GENERIC)
        }
    }
}

/// Performs the action of the command line, or what is asked for in the shell.
fn converse(session: &mut Session, action: &[String]) -> Result<u8, Failure> {
    if action.is_empty() {
        shell::run(session)?;
        return Ok(status::SUCCESS);
    }
    verbs::perform(session, &action.join(" "));
    Ok(match session.exit_status() {
        // Whoever wanted the words did not get them.
        status::SUCCESS if session.console.is_lost() => status::GENERIC,
        status => status,
    })
}

fn misused(problem: &str) -> ExitCode {
    let program = std::env::args_os().next().unwrap_or_else(|| "supervisorctl".into());
    complain(&format!("Error: {problem}\nFor help, use {} -h", program.to_string_lossy()));
    ExitCode::from(status::INVALID_ARGUMENTS)
}

/// Says why it ends. That nobody can read it changes nothing.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
