//! One comparison with the original for every option of every section.
//!
//! [`pins!`] declares a test together with the options it is about; [`coverage`] demands that no option of the
//! option table is without one.

/// Declares tests that each pin what some options do. The options are written `"section option"`, with the section
/// without what follows its colon; `PINNED` lists them all.
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
