//! A log that is opened again, or emptied.

use std::io::{self, ErrorKind};

use supervisord_config::model::LogLevel;

use super::super::held_output::HeldOutput;
use super::super::log_file::NEW_MODE;
use super::super::log_path;
use super::super::log_target::{Target, empty, is_same};
use super::super::loss::{Entries, Loss};
use super::Sink;

impl Sink {
    /// Opens the path again; on an error the old file stays in use.
    pub fn reopen(&mut self) -> Entries {
        if self.inherited.is_some() {
            return Entries::new();
        }
        self.reopen_at_path()
            .unwrap_or_else(|error| vec![(LogLevel::Warn, format!("could not reopen {}: {error}", self.path))])
    }

    /// The same for one that was opened by its path.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn reopen_at_path(&mut self) -> io::Result<Entries> {
        let mode = match &self.target {
            Target::File(file) => file.mode().unwrap_or(NEW_MODE),
            Target::Stream(_) | Target::Unopened => NEW_MODE,
        };
        let target = Target::open(&self.path, log_path::inherited(&self.path), mode)?;
        Ok(self.replace(target))
    }

    /// Whether it is a regular file that is no longer at its path.
    pub fn has_moved(&self) -> bool {
        matches!(&self.target, Target::File(file) if !file.is_at_path())
    }

    /// Empties a regular file; anything else cannot be cleared.
    pub fn clear(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File(file) => file.clear(),
            Target::Stream(_) => Err(ErrorKind::InvalidInput.into()),
            Target::Unopened => empty(&self.path),
        }?;
        (self.is_torn, self.is_replaced) = (false, true);
        // It would have been in the file that is empty now.
        self.held.give_up_all();
        self.held = HeldOutput::default();
        self.upkeep.iter_mut().for_each(|upkeep| _ = upkeep.take_put_off());
        Ok(())
    }

    pub(super) fn replace(&mut self, target: Target) -> Entries {
        let mut entries = Entries::new();
        if let (Target::Stream(old), Target::Stream(new)) = (&self.target, &target)
            && is_same(old.fd(), new.fd())
        {
            return entries;
        }
        if let Some(stream) = self.stream()
            && stream.is_behind()
        {
            let loss = Loss::new(stream.give_up_waiting(), &"it was replaced while nobody read it");
            self.settle(Err(loss), &mut entries);
        }
        if !self.held.is_empty() && !matches!(target, Target::File(_)) {
            let loss = Loss::new(self.held.give_up_all(), &"it was replaced by something that is no file");
            self.settle(Err(loss), &mut entries);
        }
        let is_same = match (&self.target, &target) {
            (Target::File(old), Target::File(new)) => old.is_same(new),
            _ => false,
        };
        self.is_torn &= is_same;
        if !is_same && self.held.is_empty() {
            self.held.passed(b"\n");
        }
        (self.target, self.is_replaced) = (target, true);
        self.set_policy(self.policy);
        entries
    }
}
