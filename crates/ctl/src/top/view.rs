//! Draws what `top` shows, without I/O.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use supervisord_wire::state::ProcessState;
use supervisord_wire::terminal_text::{LogFilter, escaped};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::help::{DETAILS_KEYS, HELP, HELP_KEYS, LONG_HELP_KEYS, READ_ONLY_KEYS, TABLE_KEYS, fitting};
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
    if area.is_empty() {
        return;
    }
    header(model, buffer);
    if area.height < 3 {
        return;
    }
    let body = Rect::new(0, 1, area.width, area.height - 2);
    match model.mode {
        Mode::Table | Mode::Filter => table(model, now, body, buffer),
        Mode::Details => details(model, now, body, buffer),
        Mode::Help => {
            let lines = HELP.iter().skip(model.help_row);
            lines.zip(body.y..body.bottom()).for_each(|(text, row)| put(buffer, 1, row, text, Style::new()));
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

/// The states in the header: what has failed comes first, so that a narrow terminal shows it.
const COUNTED: [ProcessState; 8] = [
    ProcessState::Fatal,
    ProcessState::Unknown,
    ProcessState::Backoff,
    ProcessState::Starting,
    ProcessState::Stopping,
    ProcessState::Running,
    ProcessState::Exited,
    ProcessState::Stopped,
];

fn header(model: &Model, buffer: &mut Buffer) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut counts = vec![("...".to_owned(), bold)];
    if let Some(programs) = &model.programs {
        let all = if programs.len() == 1 { "1 program".to_owned() } else { format!("{} programs", programs.len()) };
        counts = vec![(all, bold)];
        for state in COUNTED {
            let number = programs.iter().filter(|program| program.state == state).count();
            if number > 0 {
                counts.push((format!("{number} {state}"), of_state(state).add_modifier(Modifier::BOLD)));
            }
        }
    }
    let mut column = 0;
    for (text, style) in &counts {
        put(buffer, column, 0, text, *style);
        column = column.saturating_add(text.width() as u16 + 2);
    }
    let room = buffer.area().width.saturating_sub(column);
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
    let longest = listed.iter().map(|program| escaped(&program.namespec()).width()).max().unwrap_or(0);
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
    if listed.len() > rows {
        let part = format!(" {}-{} of {} ", first + 1, (first + rows).min(listed.len()), listed.len());
        let column = area.width.saturating_sub(part.width() as u16);
        // Where it does not hide a heading.
        if column > at + 6 {
            put(buffer, column, area.y, &part, headings);
        }
    }
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
    let why = details.why.iter().flat_map(|text| wrapped(text, area.width));
    for text in why.take(usize::from(most)) {
        put(buffer, 0, row, &text, Style::new());
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
            let lines = end_of_log(log, area.width, room);
            for (text, row) in lines.iter().zip(row..area.bottom()) {
                put(buffer, 0, row, text, Style::new());
            }
        }
        Err(reason) => put(buffer, 0, row, reason, Style::new().add_modifier(Modifier::DIM)),
    }
}

/// The last lines of a log that fit, without colours and other sequences for terminals.
fn end_of_log(log: &str, width: u16, rows: usize) -> Vec<String> {
    let text = LogFilter::default().pass(log.as_bytes());
    let text = plain(&String::from_utf8_lossy(&text));
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().rev() {
        if lines.len() >= rows {
            break;
        }
        lines.extend(wrapped(line.trim_end_matches('\r'), width).into_iter().rev());
    }
    lines.truncate(rows);
    lines.reverse();
    lines
}

/// A text without its colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = sequence.find(|c: char| !c.is_ascii_digit() && !";:".contains(c)).unwrap_or(sequence.len());
        rest = sequence.get(end..).map_or("", |rest| rest.strip_prefix('m').unwrap_or(rest));
    }
    plain + rest
}

/// A text in lines of this width: between words where that is possible, all but the first as far from the left as the first.
fn wrapped(text: &str, width: u16) -> Vec<String> {
    let text = escaped(text).replace('\t', "    ");
    let indent: String = text.chars().take_while(|letter| *letter == ' ').collect();
    let (width, indent) = match usize::from(width) {
        width if indent.len() + 8 < width => (width, indent),
        width => (width.max(2), String::new()),
    };
    let (mut lines, mut line, mut taken) = (Vec::new(), String::new(), 0);
    for letter in text.chars() {
        let room = letter.width().unwrap_or(0);
        if taken + room > width {
            // A word that fills more than half of the line is cut.
            let end = line.rfind(' ').filter(|end| *end > width / 2).unwrap_or(line.len());
            let rest = line.split_off(end);
            lines.push(std::mem::replace(&mut line, indent.clone() + rest.trim_start()));
            taken = line.width();
        }
        line.push(letter);
        taken += room;
    }
    lines.push(line);
    lines
}

fn footer(model: &Model, row: u16, buffer: &mut Buffer) {
    let warning = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let width = buffer.area().width;
    let hint = Style::new().fg(Color::Cyan);
    let (text, style) = match (&model.question, &model.notice, &model.trouble) {
        (Some((action, name)), ..) => {
            (format!("{} {name}? y/n", action.word()), Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD))
        }
        _ if model.mode == Mode::Filter => (format!("/{}_", model.filter), Style::new()),
        // A notice stays until the next key, and would hide that what is shown is old.
        (.., Some(trouble)) => (format!("supervisord does not answer, trying again: {trouble}"), warning),
        _ if model.silence.is_some() => {
            let seconds = model.silence.unwrap_or_default().as_secs();
            (format!("supervisord has said nothing for {seconds} s: it may be stopped or hung"), warning)
        }
        (_, Some(notice), _) => {
            (notice.text.clone(), if notice.is_failure { warning } else { Style::new().fg(Color::Green) })
        }
        _ if model.mode == Mode::Details => (fitting(DETAILS_KEYS, width), hint),
        _ if model.mode == Mode::Help => {
            let is_whole = HELP.len() <= usize::from(buffer.area().height - 2);
            (fitting(if is_whole { HELP_KEYS } else { LONG_HELP_KEYS }, width), hint)
        }
        _ => {
            let only = match model.filter.is_empty() {
                true => String::new(),
                false => format!("only {:?} (Esc: all)  ", model.filter),
            };
            let keys = if model.is_read_only { READ_ONLY_KEYS } else { TABLE_KEYS };
            let keys = fitting(keys, width.saturating_sub(only.width() as u16));
            (only + &keys, hint)
        }
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
        assert_eq!(lines[0], "2 programs  1 FATAL  1 RUNNING                                unix:///run/s.sock");
        assert_eq!(lines[1], "NAME (by name)   STATE    HEALTH    CPU%  MEM   SINCE  RST  PID     DETAIL");
        assert_eq!(lines[2], "db               FATAL    -         -     -     12s    0    -       exit status");
        assert_eq!(lines[3], "web              RUNNING  healthy   25.0  50.0M 12s    2    4242");
        assert_eq!((lines[4].as_str(), lines[5].as_str()), ("", &*fitting(TABLE_KEYS, 80)));
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
        assert!(drawn(&model, 120, 8)[1].ends_with(" 96-100 of 100"), "{lines:#?}");
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
    fn long_lines_are_broken_between_words_and_what_moves_the_cursor_is_left_out() {
        assert_eq!(wrapped("  one two three", 12), ["  one two", "  three"]);
        assert_eq!(wrapped("0123456789", 4), ["0123", "4567", "89"]);
        assert_eq!(wrapped("日本語テキスト", 5), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(wrapped("", 10), [""]);
        let log = "first\r\n\x1b[2Jdone 1%\rdone 99%\n\x1b[38:5:1mlonger than that\x1b[0m\n";
        assert_eq!(end_of_log(log, 10, 4), ["done 1%", "done 99%", "longer", "than that"]);
        assert_eq!(end_of_log(log, 10, 10)[0], "first");
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
