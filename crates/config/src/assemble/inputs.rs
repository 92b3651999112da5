//! What the sections of a configuration are read from.

use std::cell::RefCell;

use crate::host::DaemonHost;
use crate::ini::{Ini, IniSection};
use crate::reader::Reader;
use crate::scale::{self, ProgramScale, ScaleRequest};
use crate::schema::SectionKind;

/// What everything is read from.
pub(super) struct Inputs<'a> {
    pub(super) ini: &'a Ini,
    pub(super) host: &'a dyn DaemonHost,
    /// The name of the machine, which every section may use.
    pub(super) host_name: String,
    pub(super) here: &'a str,
    /// The main file, as given.
    pub(super) file: &'a str,
    /// How many processes programs are to have.
    pub(super) scales: &'a [ScaleRequest],
    /// The programs that are scaled.
    pub(super) scaled: RefCell<Vec<ProgramScale>>,
}

impl<'a> Inputs<'a> {
    pub(super) fn reader(&self, section: &'a IniSection, kind: SectionKind) -> Reader<'a> {
        Reader::new(self.ini, section, kind)
    }

    /// How many processes a section has that says this number.
    pub(super) fn scaled(&self, section: &str, configured: i64) -> i64 {
        let Some(scale) = scale::scaled(self.scales, section, configured) else { return configured };
        let mut scaled = self.scaled.borrow_mut();
        let numprocs = scale.numprocs;
        // A program of several groups is read for each of them.
        if !scaled.contains(&scale) {
            scaled.push(scale);
        }
        numprocs
    }

    /// The sections of a kind, in file order.
    pub(super) fn sections(&self, kind: SectionKind) -> impl Iterator<Item = Reader<'a>> {
        Reader::of_kind(self.ini, kind)
    }
}
