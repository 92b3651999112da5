//! The one place where rights are checked.

use supervisord_core::actor::{Actor, Right};
use supervisord_core::call::{Call, Refusal};

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

    /// What is guarded, for an actor with this right to the daemon as a whole, and not only to some programs.
    pub(super) fn open_for_all_programs(&self, actor: &Actor, needed: Right) -> Result<&T, Refusal> {
        actor.check_all_programs(needed)?;
        Ok(&self.guarded)
    }

    /// What is guarded, for an actor who may make this call.
    pub(super) fn open_for(&self, actor: &Actor, call: &Call) -> Result<&T, Refusal> {
        call.check(actor)?;
        Ok(&self.guarded)
    }

    /// What is guarded, for the daemon itself, which shows it to nobody.
    pub(super) fn for_the_daemon(&self) -> &T {
        &self.guarded
    }
}
