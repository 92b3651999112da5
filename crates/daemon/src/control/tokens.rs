//! What the loop calls the descriptors that it watches.

use std::collections::HashMap;

use mio::Token;

use crate::output::RunId;

pub(super) const WAKER: Token = Token(0);
pub(super) const SIGNALS: Token = Token(1);
pub(super) const KEEPER: Token = Token(2);
pub(super) const NOTIFICATIONS: Token = Token(3);

/// Tokens of descriptors of children begin here.
const FIRST_OF_CHILDREN: usize = 4;

/// The tokens of descriptors of children. None is used twice, so that a late event cannot reach another child.
#[derive(Default)]
pub(super) struct ChildTokens {
    runs: HashMap<usize, RunId>,
    next: usize,
}

impl ChildTokens {
    /// A new token for a descriptor of a child.
    pub(super) fn take(&mut self, run: RunId) -> usize {
        let token = FIRST_OF_CHILDREN + self.next;
        self.next += 1;
        self.runs.insert(token, run);
        token
    }

    /// The descriptor is no longer watched.
    pub(super) fn release(&mut self, token: usize) {
        self.runs.remove(&token);
    }

    /// The child whose descriptor has this token.
    pub(super) fn run(&self, token: usize) -> Option<RunId> {
        self.runs.get(&token).copied()
    }
}
