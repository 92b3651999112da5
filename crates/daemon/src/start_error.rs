//! Why the daemon cannot start.

use std::fmt;

/// Why the daemon cannot start; the text is the original's where it has one.
#[derive(Clone, Debug)]
pub struct StartError(pub String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
