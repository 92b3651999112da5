//! Reading what the terminal must not show.

use std::io::ErrorKind;

use crate::failure::Failure;
use crate::session::Session;

/// Asks for something that must not be seen: on the terminal where there is one, else on standard error and standard
/// input. Ctrl-C does what it always does.
pub fn secret(question: &str, session: &mut Session) -> Result<String, Failure> {
    session.interrupts.watch()?;
    session.input.discard_typed_ahead();
    match supervisord_sys::terminal::read_password(question) {
        Ok(answer) => Ok(answer),
        Err(error) => match error.kind() {
            ErrorKind::Interrupted => {
                session.interrupts.react();
                Err(Failure::EndOfInput)
            }
            ErrorKind::UnexpectedEof => Err(Failure::EndOfInput),
            _ => plain(question, session),
        },
    }
}

fn plain(question: &str, session: &mut Session) -> Result<String, Failure> {
    session.console.complain_raw(question);
    let answer = session.input.line()?;
    session.console.complain_raw("\n");
    answer.ok_or(Failure::EndOfInput)
}
