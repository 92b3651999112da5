//! Looking at the descriptors of children that the loop cannot watch.

use std::time::Duration;

use mio::{Interest, Registry, Token};

use super::Children;
use super::role::Role;
use crate::descriptor::register;

impl Children {
    /// When descriptors that are not watched are looked at again.
    pub(in crate::control) fn next_look(&self) -> Option<Duration> {
        self.unwatched.due
    }

    /// The tokens of the descriptors that are to be looked at now. Those that can be watched by now are watched.
    pub(in crate::control) fn take_unwatched(&mut self, now: Duration, registry: &Registry) -> Vec<usize> {
        let all = self.unwatched.take_due(now);
        let unwatched = all.iter().copied().filter(|token| self.is_unwatched(*token, registry)).collect();
        self.unwatched.put_off(unwatched, now);
        all
    }

    /// Tries to watch a descriptor. False where that succeeds, or where there is no such descriptor any more.
    fn is_unwatched(&self, token: usize, registry: &Registry) -> bool {
        let child = self.tokens.run(token).and_then(|run| self.living.get(&run));
        let Some(role) = child.map(|child| &child.role) else { return false };
        let orphan = role.supervised().and_then(|supervised| supervised.orphan.as_ref());
        if let Some(orphan) = orphan.filter(|orphan| orphan.token == token) {
            return register(registry, &orphan.handle, Token(token), Interest::READABLE).is_err();
        }
        if let Some(ready) =
            role.supervised().and_then(|child| child.ready.as_ref()).filter(|ready| ready.token == token)
        {
            return register(registry, ready, Token(token), Interest::READABLE).is_err();
        }
        let capture = self.tokens.run(token).and_then(|run| self.captures.get(&run));
        if let Some(capture) = capture.filter(|capture| capture.token == token) {
            return register(registry, capture, Token(token), Interest::READABLE).is_err();
        }
        match role {
            Role::Listener(_, listener) if listener.token == token => {
                register(registry, &listener.pipe, Token(token), Interest::READABLE).is_err()
            }
            _ => false,
        }
    }
}
