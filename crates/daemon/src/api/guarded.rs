//! The one place where rights are checked.

use supervisord_core::actor::{Actor, Right};
use supervisord_core::call::Refusal;

/// Something that an actor gets at only with the right to it.
pub(super) struct Guarded<T> {
    guarded: T,
}

impl<T> Guarded<T> {
    pub(super) fn new(guarded: T) -> Guarded<T> {
        Guarded { guarded }
    }

    /// What is guarded, for an actor with this right.
    pub(super) fn open(&self, actor: &Actor, needed: Right) -> Result<&T, Refusal> {
        actor.check(needed)?;
        Ok(&self.guarded)
    }

    /// What is guarded, for the daemon itself, which shows it to nobody.
    pub(super) fn for_the_daemon(&self) -> &T {
        &self.guarded
    }
}
