//! Warnings about sections and options that mean nothing.

use crate::ini::Ini;
use crate::notices::Notices;
use crate::schema::SectionKind;

/// One warning per unknown section and per unknown option of a known section. What comes from `[DEFAULT]` is meant for
/// other sections and not complained about; neither is what only the client or a plugin reads.
pub(super) fn warn(ini: &Ini, notices: &mut Notices) {
    for section in ini.sections() {
        let name = section.name();
        let Some(kind) = SectionKind::of(name) else {
            notices.warn(format!("Unknown section [{name}] is ignored ({})", section.origin()));
            continue;
        };
        if kind.is_open() || kind == SectionKind::Supervisorctl {
            continue;
        }
        for (option, entry) in ini.options(section) {
            if !entry.inherited && kind.option(option).is_none() {
                notices.warn(format!("Unknown option {option} in section [{name}] is ignored ({})", entry.origin));
            }
        }
    }
}
