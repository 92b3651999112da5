//! Draws what `top` shows, without I/O.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use supervisord_wire::state::ProcessState;
use supervisord_wire::terminal_text::escaped;
use unicode_width::UnicodeWidthStr;

use super::model::{Mode, Model};
use super::usage::size;
use crate::client::ProgramStatus;
use crate::wide_table::span;

/// What stands for nothing.
const NOTHING: &str = "-";

/// The least width of names; below it, other columns give way.
const LEAST_NAME: u16 = 16;

/// The share of the height that the explanation of a program may have.
const EXPLANATION_SHARE: u16 = 2;

const TABLE_KEYS: &str = "s start  x stop  r restart  Enter details  / filter  o order  ? help  q quit";
const READ_ONLY_KEYS: &str = "read-only  Enter details  / filter  o order  ? help  q quit";
const DETAILS_KEYS: &str = "Tab stdout/stderr  s start  x stop  r restart  Up/Down other program  q back";

const HELP: [&str; 20] = [
    "Up, Down, j, k       select a program",
    "PgUp, PgDn, Space    a page further",
    "Home, End, g, G      the first, the last",
    "Enter                why it is in its state, and the end of its log",
    "Tab                  there: stdout or stderr",
    "/                    only names, states and reasons with a text; Esc: all",
    "o                    order by name, state (failed first), CPU, memory",
    "",
    "s                    start",
    "x                    stop",
    "r                    restart",
    "u                    send SIGHUP",
    "c                    clear the logs",
    "d                    disable: nothing starts it until it is enabled",
    "e                    enable",
    "+                    one process more of its program",
    "-                    one process fewer: the last one",
    "",
    "q, Ctrl-C            leave",
    "Ctrl-Z               suspend",
];

struct Column {
    heading: &'static str,
    width: u16,
    /// The later columns give way first where there is little room.
    rank: u8,
    cell: fn(&Model, &ProgramStatus, i64) -> Option<String>,
}

const COLUMNS: [Column; 7] = [
    Column { heading: "STATE", width: 8, rank: 0, cell: |_, program, _| Some(program.state.name().to_owned()) },
    Column { heading: "HEALTH", width: 9, rank: 3, cell: |_, program, _| program.health.clone() },
    Column {
        heading: "CPU%",
        width: 5,
        rank: 4,
        cell: |model, program, _| Some(format!("{:.1}", model.usage_of(program)?.cpu_percent?)),
    },
    Column {
        heading: "MEM",
        width: 5,
        rank: 5,
        cell: |model, program, _| Some(size(model.usage_of(program)?.memory_bytes)),
    },
    Column { heading: "SINCE", width: 6, rank: 1, cell: |_, program, now| Some(span(now - program.since?)) },
    Column { heading: "RST", width: 4, rank: 2, cell: |_, program, _| Some(program.restarts.to_string()) },
    Column { heading: "PID", width: 7, rank: 6, cell: |_, program, _| Some(program.pid?.to_string()) },
];

/// Draws everything at the time `now`, in seconds since the epoch.
pub fn draw(model: &Model, now: i64, buffer: &mut Buffer) {
    let area = *buffer.area();
    if area.height < 3 || area.width == 0 {
        return;
    }
    header(model, buffer);
    let body = Rect::new(0, 1, area.width, area.height - 2);
    match model.mode {
        Mode::Table | Mode::Filter => table(model, now, body, buffer),
        Mode::Details => details(model, now, body, buffer),
        Mode::Help => {
            HELP.iter().zip(body.y..body.bottom()).for_each(|(text, row)| put(buffer, 1, row, text, Style::new()));
        }
    }
    footer(model, area.height - 1, buffer);
}

/// Writes a line from a column on, cut at the right edge.
fn put(buffer: &mut Buffer, column: u16, row: u16, text: &str, style: Style) {
    let width = buffer.area().width.saturating_sub(column);
    let text = escaped(text).replace(['\n', '\t'], " ");
    buffer.set_stringn(column, row, text, usize::from(width), style);
}

fn header(model: &Model, buffer: &mut Buffer) {
    let counts = match &model.programs {
        None => "...".to_owned(),
        Some(programs) => {
            let mut text = format!("{} programs", programs.len());
            for state in ProcessState::ALL {
                let number = programs.iter().filter(|program| program.state == state).count();
                if number > 0 {
                    text.push_str(&format!("  {number} {state}"));
                }
            }
            text
        }
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    put(buffer, 0, 0, &counts, bold);
    let room = buffer.area().width.saturating_sub(counts.width() as u16 + 2);
    let width = u16::try_from(model.url.width()).unwrap_or(u16::MAX);
    if width <= room {
        put(buffer, buffer.area().width - width, 0, &model.url, Style::new().add_modifier(Modifier::DIM));
    }
}

/// The columns that there is room for, with the width of names.
fn columns(width: u16) -> (Vec<&'static Column>, u16) {
    let mut shown: Vec<&Column> = COLUMNS.iter().collect();
    loop {
        let used: u16 = shown.iter().map(|column| column.width + 1).sum();
        let is_enough = width.saturating_sub(used) >= LEAST_NAME;
        let least = shown.iter().map(|column| column.rank).max().filter(|rank| *rank > 0 && !is_enough);
        let Some(least) = least else { return (shown, width.saturating_sub(used)) };
        shown.retain(|column| column.rank != least);
    }
}

fn table(model: &Model, now: i64, area: Rect, buffer: &mut Buffer) {
    let listed = model.listed();
    let place = model.selection().map_or(0, |(place, _)| place);
    let (columns, room) = columns(area.width);
    // Reasons get what names do not need.
    let longest = listed.iter().map(|program| program.namespec().width()).max().unwrap_or(0);
    let name_width = room.min(u16::try_from(longest).unwrap_or(u16::MAX).max(LEAST_NAME));
    let headings = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_style(Rect::new(0, area.y, area.width, 1), headings);
    put(buffer, 0, area.y, &format!("NAME (by {})", model.order.word()), headings);
    let mut at = name_width + 1;
    for column in &columns {
        put(buffer, at, area.y, column.heading, headings);
        at += column.width + 1;
    }
    if at + 6 < area.width {
        put(buffer, at, area.y, "DETAIL", headings);
    }
    let rows = usize::from(area.height - 1);
    let first = (place + 1).saturating_sub(rows);
    for ((number, program), row) in listed.iter().enumerate().skip(first).zip(area.y + 1..area.bottom()) {
        line(model, program, now, (&columns, name_width), row, buffer);
        if number == place {
            buffer.set_style(Rect::new(0, row, area.width, 1), Style::new().add_modifier(Modifier::REVERSED));
        }
    }
    if listed.is_empty() {
        let text = match (&model.programs, model.filter.is_empty()) {
            (None, _) => "reading ...",
            (Some(_), true) => "there are no programs",
            (Some(_), false) => "no program matches",
        };
        put(buffer, 0, area.y + 1, text, Style::new().add_modifier(Modifier::DIM));
    }
}

fn line(
    model: &Model,
    program: &ProgramStatus,
    now: i64,
    (columns, name_width): (&[&Column], u16),
    row: u16,
    buffer: &mut Buffer,
) {
    let name = escaped(&program.namespec()).into_owned();
    buffer.set_stringn(0, row, name, usize::from(name_width), Style::new());
    let mut at = name_width + 1;
    for column in columns {
        let text = (column.cell)(model, program, now).unwrap_or_else(|| NOTHING.to_owned());
        let style = match (column.rank, program.health.as_deref()) {
            (0, _) => of_state(program.state),
            (3, Some("unhealthy")) => Style::new().fg(Color::Red),
            _ => Style::new(),
        };
        buffer.set_stringn(at, row, text, usize::from(column.width), style);
        at += column.width + 1;
    }
    if let Some(reason) = &program.reason
        && at < buffer.area().width
    {
        put(buffer, at, row, reason, Style::new().add_modifier(Modifier::DIM));
    }
}

fn of_state(state: ProcessState) -> Style {
    match state {
        ProcessState::Running => Style::new().fg(Color::Green),
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Backoff => Style::new().fg(Color::Yellow),
        ProcessState::Fatal | ProcessState::Unknown => Style::new().fg(Color::Red),
        ProcessState::Stopped | ProcessState::Exited => Style::new().add_modifier(Modifier::DIM),
    }
}

fn details(model: &Model, now: i64, area: Rect, buffer: &mut Buffer) {
    let (Some((_, program)), Some(target)) = (model.selection(), model.wanted()) else { return };
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_style(Rect::new(0, area.y, area.width, 1), reversed);
    put(buffer, 0, area.y, &program.namespec(), reversed);
    let state =
        format!("{} for {}", program.state, program.since.map_or_else(|| "?".to_owned(), |since| span(now - since)));
    put(buffer, area.width.saturating_sub(state.width() as u16), area.y, &state, reversed);
    let known = model
        .details
        .as_ref()
        .filter(|details| details.target.group == target.group && details.target.name == target.name);
    let Some(details) = known else {
        return put(buffer, 0, area.y + 1, "reading ...", Style::new().add_modifier(Modifier::DIM));
    };
    let rows = area.height - 1;
    let most = rows / EXPLANATION_SHARE;
    let mut row = area.y + 1;
    for text in details.why.iter().take(usize::from(most)) {
        put(buffer, 0, row, text, Style::new());
        row += 1;
    }
    if row >= area.bottom() {
        return;
    }
    buffer.set_style(Rect::new(0, row, area.width, 1), reversed);
    put(buffer, 0, row, target.channel.name(), reversed);
    row += 1;
    let room = usize::from(area.bottom().saturating_sub(row));
    match &details.log {
        _ if details.target.channel != target.channel => {}
        Ok(log) => {
            let lines: Vec<&str> = log.lines().collect();
            for (text, row) in lines.iter().skip(lines.len().saturating_sub(room)).zip(row..area.bottom()) {
                put(buffer, 0, row, &plain(text), Style::new());
            }
        }
        Err(reason) => put(buffer, 0, row, reason, Style::new().add_modifier(Modifier::DIM)),
    }
}

/// A line of a log without its colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(sequence.len());
        rest = sequence.get(end..).map_or("", |rest| rest.strip_prefix('m').unwrap_or(rest));
    }
    plain + rest
}

fn footer(model: &Model, row: u16, buffer: &mut Buffer) {
    let warning = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let (text, style) = match (&model.question, &model.notice, &model.trouble) {
        (Some((action, name)), ..) => {
            (format!("{} {name}? y/n", action.word()), Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD))
        }
        _ if model.mode == Mode::Filter => (format!("/{}_", model.filter), Style::new()),
        // A notice stays until the next key, and would hide that what is shown is old.
        (.., Some(trouble)) => (format!("supervisord does not answer, trying again: {trouble}"), warning),
        (_, Some(notice), _) => {
            (notice.text.clone(), if notice.is_failure { warning } else { Style::new().fg(Color::Green) })
        }
        _ if model.mode == Mode::Details => (DETAILS_KEYS.to_owned(), Style::new().fg(Color::Cyan)),
        _ if !model.filter.is_empty() => {
            (format!("only {:?} (Esc: all)  {TABLE_KEYS}", model.filter), Style::new().fg(Color::Cyan))
        }
        _ if model.is_read_only => (READ_ONLY_KEYS.to_owned(), Style::new().fg(Color::Cyan)),
        _ => (TABLE_KEYS.to_owned(), Style::new().fg(Color::Cyan)),
    };
    put(buffer, 0, row, &text, style);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::news::{Details, News};
    use super::*;
    use crate::client::samples::program;
    use crate::keys::Key;

    fn model() -> Model {
        let mut model = Model::new("unix:///run/s.sock".to_owned(), false);
        let mut fatal = program("db", "FATAL", "out_of_attempts");
        fatal.reason = Some("exit status 3: cannot open \x1b]0;data\x07".to_owned());
        let mut web = program("web", "RUNNING", "runs");
        (web.pid, web.health, web.restarts) = (Some(4242), Some("healthy".to_owned()), 2);
        model.take(News::Programs(vec![fatal, web]), Duration::ZERO);
        let counted = |seconds: f64| json!({"programs": [{"group": "web", "name": "web", "cpu_seconds": seconds, "memory_bytes": 52_428_800}]});
        model.take(News::Usage(counted(1.0)), Duration::from_secs(1));
        model.take(News::Usage(counted(1.5)), Duration::from_secs(3));
        model
    }

    fn drawn(model: &Model, width: u16, height: u16) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        draw(model, 112, &mut buffer);
        let row =
            |row| (0..width).map(|column| buffer[(column, row)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(row).collect()
    }

    #[test]
    fn the_table_fits_into_80_columns_and_uses_more() {
        let lines = drawn(&model(), 80, 6);
        assert_eq!(lines[0], "2 programs  1 RUNNING  1 FATAL                                unix:///run/s.sock");
        assert_eq!(lines[1], "NAME (by name)   STATE    HEALTH    CPU%  MEM   SINCE  RST  PID     DETAIL");
        assert_eq!(lines[2], "db               FATAL    -         -     -     12s    0    -       exit status");
        assert_eq!(lines[3], "web              RUNNING  healthy   25.0  50.0M 12s    2    4242");
        assert_eq!((lines[4].as_str(), lines[5].as_str()), ("", TABLE_KEYS));
        let wide = drawn(&model(), 120, 6);
        assert!(wide[2].ends_with("exit status 3: cannot open \\x1b]0;data\\x07"), "{}", wide[2]);
    }

    #[test]
    fn columns_give_way_in_their_order_and_nothing_is_too_small() {
        let lines = drawn(&model(), 40, 6);
        assert_eq!(lines[1], "NAME (by name)   STATE    SINCE  RST");
        for (width, height) in [(0, 0), (1, 1), (1, 3), (3, 3), (10, 4), (300, 3)] {
            drawn(&model(), width, height);
        }
    }

    #[test]
    fn a_long_table_moves_with_the_selection() {
        let mut model = model();
        let programs = (0..100).map(|number| program(&format!("p{number:02}"), "RUNNING", "runs")).collect();
        model.take(News::Programs(programs), Duration::ZERO);
        assert!(drawn(&model, 80, 8)[2].starts_with("p00"));
        model.press(Key::End, 8);
        let lines = drawn(&model, 80, 8);
        assert!(lines[2].starts_with("p95") && lines[6].starts_with("p99"), "{lines:#?}");
    }

    #[test]
    fn one_program_is_shown_with_why_and_the_end_of_its_log() {
        let mut model = model();
        model.press(Key::Enter, 24);
        assert_eq!(drawn(&model, 80, 8)[2], "reading ...");
        let target = model.wanted().expect("one");
        let log = (0..50).map(|number| format!("\x1b[31mline {number}\x1b[0m\n")).collect();
        let why = vec!["db is FATAL".to_owned(), "  last end: exit status 3".to_owned()];
        model.take(News::Details(Details { target, why, log: Ok(log) }), Duration::ZERO);
        let lines = drawn(&model, 60, 9);
        assert!(lines[1].starts_with("db ") && lines[1].ends_with("FATAL for 12s"), "{}", lines[1]);
        assert_eq!(
            lines[2..8],
            ["db is FATAL", "  last end: exit status 3", "stdout", "line 47", "line 48", "line 49"]
        );
        model.press(Key::Tab, 24);
        assert_eq!(drawn(&model, 60, 9)[4..6], ["stderr", ""], "what is not of this stream is not shown");
    }

    #[test]
    fn questions_and_troubles_are_in_the_last_line() {
        let mut model = model();
        let last = |model: &Model| drawn(model, 80, 8)[7].clone();
        model.press(Key::Char('r'), 24);
        assert_eq!(last(&model), "restart db? y/n");
        model.press(Key::Char('n'), 24);
        model.take(News::Done { text: "db: restarted".to_owned(), is_failure: false }, Duration::ZERO);
        assert_eq!(last(&model), "db: restarted");
        model.take(News::Lost("connection refused".to_owned()), Duration::ZERO);
        assert_eq!(last(&model), "supervisord does not answer, trying again: connection refused");
        let failed = "db: could not be started: connection refused".to_owned();
        model.take(News::Done { text: failed, is_failure: true }, Duration::ZERO);
        assert_eq!(last(&model), "supervisord does not answer, trying again: connection refused");
        model.press(Key::Char('/'), 24);
        model.press(Key::Char('w'), 24);
        assert_eq!(last(&model), "/w_");
        model.press(Key::Enter, 24);
        model.take(News::Programs(vec![program("web", "RUNNING", "runs")]), Duration::ZERO);
        assert!(last(&model).starts_with("only \"w\" (Esc: all)"), "{}", last(&model));
        model.press(Key::Char('?'), 24);
        assert!(drawn(&model, 80, 24)[1].contains("select a program"));
    }
}
