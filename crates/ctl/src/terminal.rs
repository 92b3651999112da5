//! Reads input without echo.

use std::io::ErrorKind;

use crate::failure::Failure;
use crate::session::Session;

/// Asks for a secret: on the terminal if there is one, else on standard error and standard input. Ctrl-C has its usual
/// effect.
pub fn secret(question: &str, session: &mut Session) -> Result<String, Failure> {
    session.interrupts.watch()?;
    session.input.discard_typed_ahead();
    match supervisord_sys::terminal::read_password(question) {
        Ok(answer) => Ok(answer),
        Err(error) => match error.kind() {
            ErrorKind::Interrupted => {
                session.interrupts.call_handler();
                Err(Failure::EndOfInput)
            }
            ErrorKind::UnexpectedEof => Err(Failure::EndOfInput),
            _ => plain(question, session),
        },
    }
}

fn plain(question: &str, session: &mut Session) -> Result<String, Failure> {
    session.console.print_error_raw(question);
    let answer = session.input.line()?;
    session.console.print_error_raw("\n");
    answer.ok_or(Failure::EndOfInput)
}
