//! Reading a password.

use crate::failure::Failure;
use crate::session::Session;

/// Asks for something that must not be seen.
pub fn secret(question: &str, session: &mut Session) -> Result<String, Failure> {
    session.console.complain_raw(question);
    let answer = session.input.line()?;
    session.console.complain_raw("\n");
    answer.ok_or(Failure::EndOfInput)
}
