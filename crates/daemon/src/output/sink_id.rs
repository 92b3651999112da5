//! Which log is meant.

use mio::Token;

/// Names an open log; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SinkId(pub(super) usize);

impl SinkId {
    /// Logs have the odd tokens.
    pub const fn token(self) -> Token {
        Token(self.0 * 2 + 1)
    }

    /// The log of this token.
    pub const fn from_token(token: Token) -> Option<SinkId> {
        if token.0 % 2 == 1 { Some(SinkId(token.0 / 2)) } else { None }
    }
}
