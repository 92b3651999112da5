//! The option that was probably meant to be one that is missing.

use crate::ini::{Ini, IniSection};
use crate::schema::SectionKind;
use crate::suggest::nearest;

/// Which unknown option of the section is a misspelling of `missing`, if one is.
pub(crate) fn misspelt(ini: &Ini, section: &IniSection, kind: SectionKind, missing: &str) -> Option<String> {
    let is_meant =
        |name: &str| kind.option(name).is_none() && nearest(name, kind.options().map(|row| row.name)) == Some(missing);
    let (name, entry) = ini.options(section).find(|(name, _)| is_meant(name))?;
    let place = match entry.origin.file == section.origin().file {
        true => format!("line {}", entry.origin.line),
        false => entry.origin.to_string(),
    };
    Some(format!("{place} has {name}: did you mean {missing}?"))
}
