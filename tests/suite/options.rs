//! One comparison with the original for every option of every section.
//!
//! [`pins!`] declares a test together with its options; [`coverage`] demands a test for every option of the option
//! table.

use std::collections::BTreeSet;

use supervisord_config::schema::TABLE;

use crate::harness::areas::Area;
use crate::harness::record;

/// Declares tests, each with the options that it covers. An option is written `"section option"`, with the section
/// without the part after its colon; `PINNED` lists them all.
macro_rules! pins {
    ($($(#[$about:meta])* $name:ident: $($option:literal)+ => $body:block)+) => {
        pub const PINNED: &[&str] = &[$($($option),+),+];
        $($(#[$about])* #[test] fn $name() $body)+
    };
}

mod fcgi;
mod listener;
mod logs;
mod program;
mod servers;
mod supervisord;

/// Every option of the option table has a test, and every option with a test exists.
#[test]
fn coverage() {
    let pinned: BTreeSet<&str> = [
        fcgi::PINNED,
        listener::PINNED,
        logs::PINNED,
        program::PINNED,
        servers::PINNED,
        supervisord::PINNED,
        crate::survival::PINNED,
    ]
    .iter()
    .flat_map(|pinned| pinned.iter().copied())
    .collect();
    let known: BTreeSet<String> =
        TABLE.iter().map(|option| format!("{} {}", option.section.word(), option.name)).collect();
    let bare: Vec<&String> = known.iter().filter(|option| !pinned.contains(option.as_str())).collect();
    record::covered(Area::Configuration, "options", known.len() - bare.len(), known.len());
    assert!(bare.is_empty(), "options without a test: {bare:?}");
    let unknown: Vec<&&str> = pinned.iter().filter(|option| !known.contains(**option)).collect();
    assert!(unknown.is_empty(), "tests of options that do not exist: {unknown:?}");
}
