//! What the terminal can do, and reading what it must not show.

use crate::failure::Failure;
use crate::session::Session;

/// Asks for something that must not be seen.
pub fn secret(question: &str, session: &mut Session) -> Result<String, Failure> {
    session.console.complain_raw(question);
    let answer = session.input.line()?;
    session.console.complain_raw("\n");
    answer.ok_or(Failure::EndOfInput)
}

/// Whether the terminal knows neither colours nor how to move its cursor.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb" || name == "emacs" || name == "cons25")
}
