//! The record of comparisons for the compatibility report.

use std::fs::File;
use std::io::Write;
use std::thread;

use super::areas::Area;

/// The environment variable that names the file; without it nothing is written.
pub const RECORD: &str = "SUITE_RECORD";

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A test ran both programs and compared this many facts.
    Compared { test: String, facts: usize, equal: bool },
    /// How many of all things of a kind are compared; several entries of a kind add up.
    Covered { area: Area, what: String, done: usize, of: usize },
}

impl Entry {
    /// The line, without its end.
    fn line(&self) -> String {
        match self {
            Entry::Compared { test, facts, equal } => format!("compared\t{test}\t{facts}\t{equal}"),
            Entry::Covered { area, what, done, of } => format!("covered\t{area}\t{what}\t{done}\t{of}"),
        }
    }

    /// Reads a line that was written before.
    pub fn parse(line: &str) -> Option<Entry> {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["compared", test, facts, equal] => {
                Some(Entry::Compared { test: test.to_owned(), facts: facts.parse().ok()?, equal: equal.parse().ok()? })
            }
            ["covered", area, what, done, of] => Some(Entry::Covered {
                area: Area::named(area)?,
                what: what.to_owned(),
                done: done.parse().ok()?,
                of: of.parse().ok()?,
            }),
            _ => None,
        }
    }

    /// Appends the line to the record, if there is one. Tests run in parallel, so a line is written in one call.
    fn write(&self) {
        let Some(path) = std::env::var_os(RECORD) else { return };
        let mut file =
            File::options().append(true).create(true).open(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        file.write_all((self.line() + "\n").as_bytes()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    }
}

/// The name of the running test. Every test that compares must belong to an area.
pub fn comparing_test() -> String {
    let test = thread::current().name().unwrap_or_default().to_owned();
    // With --test-threads=1 tests run on the main thread, which has no test name.
    let known = Area::of(&test).is_some() || test == "main";
    assert!(known, "{test:?} compares both programs, so its module needs a line in tests/suite/harness/areas.rs");
    test
}

/// Records a comparison of a test.
pub fn compared(test: String, facts: usize, equal: bool) {
    Entry::Compared { test, facts, equal }.write();
}

/// Records how many things of a kind are compared.
pub fn covered(area: Area, what: &str, done: usize, of: usize) {
    Entry::Covered { area, what: what.to_owned(), done, of }.write();
}

#[test]
fn a_written_entry_can_be_parsed() {
    for entry in [
        Entry::Compared { test: "life::x".to_owned(), facts: 3, equal: false },
        Entry::Covered { area: Area::XmlRpc, what: "methods".to_owned(), done: 3, of: 4 },
    ] {
        assert_eq!(Entry::parse(&entry.line()), Some(entry));
    }
}
