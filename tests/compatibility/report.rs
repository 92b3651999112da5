//! The table of the compatibility report.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::areas::Area;
use crate::record::Entry;

/// The results of one area.
#[derive(Clone, Debug, Default)]
struct Row {
    comparisons: usize,
    facts: usize,
    /// Comparisons that failed, by test.
    failed: Vec<String>,
    /// For each kind of thing (options, methods), how many exist and how many are compared.
    covered: BTreeMap<String, (usize, usize)>,
}

/// All results, by area.
pub struct Report {
    rows: BTreeMap<Area, Row>,
}

impl Report {
    /// Sums up the record of a run.
    pub fn new(entries: &[Entry]) -> Report {
        let mut rows: BTreeMap<Area, Row> = Area::all().map(|area| (area, Row::default())).collect();
        for entry in entries {
            match entry {
                Entry::Compared { test, facts, equal } => {
                    let Some(row) = Area::of(test).and_then(|area| rows.get_mut(&area)) else { continue };
                    row.comparisons += 1;
                    row.facts += facts;
                    if !equal {
                        row.failed.push(test.clone());
                    }
                }
                Entry::Covered { area, what, done, of } => {
                    let row = rows.entry(*area).or_default();
                    row.covered.entry(what.clone()).or_insert((0, *of)).0 += done;
                }
            }
        }
        Report { rows }
    }

    /// Failed comparisons, and areas without any comparison.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (area, row) in &self.rows {
            complaints.extend(row.failed.iter().map(|test| format!("{area}: {test} failed")));
            if row.comparisons == 0 {
                complaints.push(format!("{area}: nothing was compared"));
            }
            let twice = row.covered.iter().filter(|(_, (done, of))| done > of);
            complaints.extend(twice.map(|(what, (done, of))| format!("{area}: {what} {done} of {of}")));
        }
        complaints
    }

    /// The table as Markdown, in columns of equal width.
    pub fn table(&self) -> String {
        let mut cells: Vec<[String; 6]> =
            vec![["area", "comparisons", "facts", "passed", "failed", "covered"].map(str::to_owned)];
        let mut all = Row::default();
        for (area, row) in &self.rows {
            cells.push(row.cells(area.name()));
            all.comparisons += row.comparisons;
            all.facts += row.facts;
            all.failed.extend(row.failed.iter().cloned());
        }
        cells.push(all.cells("all"));
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut table = String::new();
        for (number, row) in cells.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let _ = match (1..5).contains(&column) {
                    true => write!(table, "| {cell:>width$} "),
                    false => write!(table, "| {cell:<width$} "),
                };
            }
            table.push_str("|\n");
            if number == 0 {
                let rule = |(column, width): (usize, usize)| match (1..5).contains(&column) {
                    true => format!("|{}:", "-".repeat(width + 1)),
                    false => format!("|{}", "-".repeat(width + 2)),
                };
                let _ = writeln!(table, "{}|", widths.into_iter().enumerate().map(rule).collect::<String>());
            }
        }
        table
    }

    /// The file in `docs`.
    pub fn document(&self) -> String {
        format!("{INTRODUCTION}\n{}", self.table())
    }
}

const INTRODUCTION: &str = "\
# Compatibility with Supervisor 4.3.0

Made by `cargo compatibility`, which installs the original beside this program, gives both the same configurations,
commands, calls and signals, and compares what can be seen from outside. A comparison is one scene that both programs
play; facts are what was looked at in it: an answer, a log, a file, an exit status. What differs is either a failure or
a row of [the list of differences](differences.md). What is covered is counted against the tables in the sources, so that nothing
can be added without a test.
";

impl Row {
    fn cells(&self, name: &str) -> [String; 6] {
        let covered: Vec<String> =
            self.covered.iter().map(|(what, (done, of))| format!("{what} {done} of {of}")).collect();
        let failed = self.failed.len();
        let numbers = [self.comparisons, self.facts, self.comparisons - failed, failed];
        let [comparisons, facts, passed, failed] = numbers.map(|number| number.to_string());
        [name.to_owned(), comparisons, facts, passed, failed, covered.join(", ")]
    }
}
