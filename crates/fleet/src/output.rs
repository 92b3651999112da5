//! Standard output, which may be closed, and complaints.

use std::io::Write;

/// Writes a text; false where nobody reads any more.
pub fn print(text: &str) -> bool {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_ok()
}

/// Writes a complaint. Where even that fails there is nobody to tell.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
