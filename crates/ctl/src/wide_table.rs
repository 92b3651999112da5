//! The table of `status --wide` as text, without I/O.

use std::borrow::Cow;
use std::iter::repeat_n;

use supervisord_wire::state::ProcessState;

use crate::client::{LostBytes, ProgramStatus};
use crate::render::coloured;

/// What stands for nothing.
const NOTHING: &str = "-";

/// What separates two columns.
const GAP: usize = 2;

struct Column {
    heading: &'static str,
    /// Left out where no process has it.
    is_optional: bool,
    cell: fn(&ProgramStatus, i64) -> Option<String>,
}

const COLUMNS: [Column; 10] = [
    Column { heading: "NAME", is_optional: false, cell: |program, _| Some(program.namespec()) },
    Column { heading: "STATE", is_optional: false, cell: |program, _| Some(program.state.name().to_owned()) },
    Column { heading: "SINCE", is_optional: false, cell: |program, now| Some(span(now - program.since?)) },
    Column { heading: "PID", is_optional: false, cell: |program, _| Some(program.pid?.to_string()) },
    Column { heading: "RESTARTS", is_optional: false, cell: |program, _| Some(program.restarts.to_string()) },
    Column {
        heading: "NEXT START",
        is_optional: true,
        // Both moments are rounded up.
        cell: |program, now| Some(format!("in {}", span(program.next_start? - (now + 1)))),
    },
    Column { heading: "HEALTH", is_optional: true, cell: |program, _| program.health.clone() },
    Column {
        heading: "LAST END",
        is_optional: true,
        cell: |program, now| {
            let end = program.last_end.as_ref()?;
            Some(format!("{}, {} ago", end.description, span(now - end.at)))
        },
    },
    Column { heading: "LOST OUTPUT", is_optional: true, cell: |program, _| lost(program) },
    Column { heading: "DETAIL", is_optional: true, cell: |program, _| detail(program) },
];

/// The position of the state, which may be coloured.
const STATE: usize = 1;

/// The table at the time `now`, in seconds since the epoch. `shown` makes texts safe to print.
pub fn table(programs: &[&ProgramStatus], now: i64, colour: bool, shown: impl Fn(&str) -> Cow<'_, str>) -> String {
    let cells = |column: &Column| -> Vec<Option<String>> {
        let cell =
            |program: &&ProgramStatus| (column.cell)(program, now).map(|text| shown(&one_line(&text)).into_owned());
        programs.iter().map(cell).collect()
    };
    let columns = COLUMNS.iter().enumerate().map(|(position, column)| (position, column, cells(column)));
    let columns: Vec<_> =
        columns.filter(|(_, column, cells)| !column.is_optional || cells.iter().any(Option::is_some)).collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|(_, column, cells)| cells.iter().map(width_of).fold(column.heading.len(), usize::max))
        .collect();
    let mut lines = vec![
        columns.iter().map(|(_, column, _)| (column.heading.to_owned(), column.heading.len())).collect::<Vec<_>>(),
    ];
    for (row, program) in programs.iter().enumerate() {
        let cell = |(position, _, cells): &(usize, &Column, Vec<Option<String>>)| {
            let text = cells[row].as_deref().unwrap_or(NOTHING);
            let width = text.chars().count();
            match *position == STATE && colour {
                true => (coloured(program.state), width),
                false => (text.to_owned(), width),
            }
        };
        lines.push(columns.iter().map(cell).collect());
    }
    let mut text = String::new();
    for line in lines {
        let mut blanks = 0;
        for ((cell, used), width) in line.into_iter().zip(&widths) {
            text.extend(repeat_n(' ', blanks));
            text.push_str(&cell);
            blanks = width + GAP - used;
        }
        text.push('\n');
    }
    text
}

fn width_of(cell: &Option<String>) -> usize {
    cell.as_deref().unwrap_or(NOTHING).chars().count()
}

/// A cell must not break the table.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\t'], " ")
}

/// What it waits for, why it could not be started, what it says about itself, or the last line that it wrote before it failed. What
/// the process before wrote says nothing about one that is RUNNING.
fn detail(program: &ProgramStatus) -> Option<String> {
    let said = || {
        let last_end = program.last_end.as_ref().filter(|_| program.state != ProcessState::Running);
        let end = last_end.filter(|end| !["expected", "stopped"].contains(&end.judgement.as_str()))?;
        end.last_line.clone()
    };
    let own_words = || {
        let is_starting = program.state == ProcessState::Starting && program.pid.is_some();
        let lack =
            program.not_ready.as_ref().filter(|_| is_starting).map(|lack| format!("waiting to be ready ({lack})"));
        match (lack, &program.status_text) {
            (Some(lack), Some(text)) => Some(format!("{lack}; {text}")),
            (lack, text) => lack.or_else(|| text.clone()),
        }
    };
    let end = program.last_end.as_ref().map(|end| end.description.as_str());
    match &program.reason {
        Some(reason) if end.is_none_or(|end| !reason.starts_with(end)) => Some(reason.clone()),
        _ => own_words().or_else(said),
    }
}

/// What was lost of which stream; none where nothing was.
fn lost(program: &ProgramStatus) -> Option<String> {
    let parts: Vec<String> = [(program.lost_bytes, "byte", ""), (program.lost_lines, "line", " to log services")]
        .into_iter()
        .filter_map(|(lost, unit, whither)| lost.map(|lost| (lost, unit, whither)))
        .flat_map(|(LostBytes { stdout, stderr }, unit, whither)| {
            let streams = [("stdout", stdout), ("stderr", stderr)].into_iter().filter(|(_, lost)| *lost > 0);
            streams.map(move |(name, lost)| match lost {
                1 => format!("1 {unit} of {name}{whither}"),
                lost => format!("{lost} {unit}s of {name}{whither}"),
            })
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A length of time in one unit.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}min", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ProgramEnd;
    use crate::client::samples::program;

    #[test]
    fn what_was_lost_is_a_column_where_anything_was() {
        let (mut web, api) = (program("web", "RUNNING", "up"), program("api", "RUNNING", "up"));
        let text = |programs: &[&ProgramStatus]| table(programs, 114, false, |text| Cow::Borrowed(text));
        assert!(!text(&[&web, &api]).contains("LOST"));
        web.lost_bytes = Some(LostBytes { stdout: 1, stderr: 20 });
        web.lost_lines = Some(LostBytes { stdout: 0, stderr: 3 });
        let shown = text(&[&web, &api]);
        assert!(
            shown.contains("LOST OUTPUT")
                && shown.contains("1 byte of stdout, 20 bytes of stderr, 3 lines of stderr to log services"),
            "{shown}"
        );
    }

    fn end(description: &str, judgement: &str, last_line: &str) -> Option<ProgramEnd> {
        let (description, judgement) = (description.to_owned(), judgement.to_owned());
        Some(ProgramEnd { at: 110, description, judgement, last_line: Some(last_line.to_owned()) })
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut web = program("web", "BACKOFF", "next_start");
        web.next_start = Some(114);
        web.restarts = 3;
        web.last_end = end("exit status 3", "too_quick", "last line");
        web.reason = Some("exit status 3 after 200 ms: last line".to_owned());
        let mut proxy = program("proxy", "STARTING", "waits");
        proxy.reason = Some("waiting for web to be ready".to_owned());
        let mut db = program("db", "RUNNING", "runs");
        db.pid = Some(4242);
        let text = table(&[&web, &proxy, &db], 112, false, |text| text.into());
        assert_eq!(
            text,
            "NAME   STATE     SINCE  PID   RESTARTS  NEXT START  LAST END               DETAIL\n\
             web    BACKOFF   12s    -     3         in 1s       exit status 3, 2s ago  last line\n\
             proxy  STARTING  12s    -     0         -           -                      waiting for web to be ready\n\
             db     RUNNING   12s    4242  0         -           -                      -\n"
        );
        let coloured = table(&[&db], 112, true, |text| text.into());
        assert!(coloured.contains("db    \u{1b}[32mRUNNING\u{1b}[0m  12s"), "{coloured:?}");
    }

    #[test]
    fn a_program_tells_what_it_is_waited_for_and_how_it_is() {
        let mut db = program("db", "STARTING", "gets_ready");
        db.pid = Some(7);
        db.not_ready = Some("tcp:127.0.0.1:5432: connection refused".to_owned());
        assert_eq!(detail(&db).as_deref(), Some("waiting to be ready (tcp:127.0.0.1:5432: connection refused)"));
        db.status_text = Some("replaying the journal".to_owned());
        db.not_ready = Some("notify".to_owned());
        assert_eq!(detail(&db).as_deref(), Some("waiting to be ready (notify); replaying the journal"));
        let mut up = program("db", "RUNNING", "runs");
        up.status_text = Some("3 connections".to_owned());
        up.last_end = end("exit status 3", "unexpected", "last line");
        assert_eq!(detail(&up).as_deref(), Some("3 connections"));
    }

    #[test]
    fn a_cell_is_one_line_and_safe() {
        let mut web = program("web", "FATAL", "out_of_attempts");
        web.reason = Some("could not be started: a\nb".to_owned());
        let text = table(&[&web], 112, false, |text| text.replace('b', "?").into());
        assert!(text.ends_with("could not ?e started: a ?\n"), "{text}");
    }
}
