//! What the sections of a configuration are read from.

use crate::host::DaemonHost;
use crate::ini::{Ini, IniSection};
use crate::reader::Reader;
use crate::schema::SectionKind;

/// What everything is read from.
pub(super) struct Inputs<'a> {
    pub(super) ini: &'a Ini,
    pub(super) host: &'a dyn DaemonHost,
    pub(super) here: &'a str,
    /// The main file, as given.
    pub(super) file: &'a str,
}

impl<'a> Inputs<'a> {
    pub(super) fn reader(&self, section: &'a IniSection, kind: SectionKind) -> Reader<'a> {
        Reader::new(self.ini, section, kind)
    }

    /// The sections of a kind, in file order.
    pub(super) fn sections(&self, kind: SectionKind) -> impl Iterator<Item = Reader<'a>> {
        Reader::of_kind(self.ini, kind)
    }
}
