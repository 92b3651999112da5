//! The terminal while it is filled by a view.
//!
//! A view is drawn into a buffer of `ratatui`, and only what differs from the last one is written. The sequences are written here,
//! because the modes of the terminal, its signals and its keys are this program's own anyway.

use std::fmt::Write;
use std::io;
use std::os::fd::AsFd;

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier};
use supervisord_sys::terminal::{self, RawMode};

/// The size of a terminal that does not tell it.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// The terminal. Dropping this shows what was there before.
pub struct Screen {
    _mode: RawMode,
    shown: Buffer,
    has_colours: bool,
}

impl Screen {
    /// Takes the terminal.
    pub fn enter(has_colours: bool) -> io::Result<Screen> {
        let mode = RawMode::full_screen(io::stdin().as_fd(), io::stdout().as_fd())?;
        Ok(Screen { _mode: mode, shown: Buffer::empty(Rect::ZERO), has_colours })
    }

    /// Draws everything again the next time.
    pub fn forget(&mut self) {
        self.shown = Buffer::empty(Rect::ZERO);
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        usize::from(self.shown.area.height)
    }

    /// What must be written to show what `draw` draws.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> String {
        let (columns, rows) = terminal::size(io::stdout().as_fd()).map_or(USUAL_SIZE, |size| {
            let cells = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
            (cells(size.columns), cells(size.rows))
        });
        let area = Rect::new(0, 0, columns, rows);
        let mut next = Buffer::empty(area);
        draw(&mut next);
        let mut output = String::new();
        if self.shown.area != area {
            output.push_str("\x1b[0m\x1b[2J");
            self.shown = Buffer::empty(area);
        }
        encode(&self.shown.diff(&next), self.has_colours, &mut output);
        self.shown = next;
        output
    }
}

/// The sequences that change these cells.
fn encode(changes: &[(u16, u16, &Cell)], has_colours: bool, output: &mut String) {
    let mut after: Option<(u16, u16)> = None;
    let mut style: Option<(Color, Modifier)> = None;
    for (column, row, cell) in changes {
        if after != Some((*column, *row)) {
            // Writing to a string cannot fail.
            let _ = write!(output, "\x1b[{};{}H", row + 1, column + 1);
        }
        let wanted = (cell.fg, cell.modifier);
        if style != Some(wanted) {
            output.push_str("\x1b[0");
            for (modifier, number) in [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::REVERSED, 7)] {
                if cell.modifier.contains(modifier) {
                    let _ = write!(output, ";{number}");
                }
            }
            if let Some(number) = colour(cell.fg).filter(|_| has_colours) {
                let _ = write!(output, ";{number}");
            }
            output.push('m');
            style = Some(wanted);
        }
        output.push_str(cell.symbol());
        // What is wider than a cell moves the cursor further, which is set again then.
        after = cell.symbol().is_ascii().then_some((column + 1, *row));
    }
    if !changes.is_empty() {
        output.push_str("\x1b[0m");
    }
}

/// The number of a colour; none for that of the terminal.
fn colour(colour: Color) -> Option<u8> {
    match colour {
        Color::Red => Some(31),
        Color::Green => Some(32),
        Color::Yellow => Some(33),
        Color::Cyan => Some(36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::style::Style;

    use super::*;

    #[test]
    fn only_what_has_changed_is_written() {
        let area = Rect::new(0, 0, 10, 2);
        let before = Buffer::empty(area);
        let mut after = Buffer::empty(area);
        after.set_string(1, 0, "ab", Style::new().fg(Color::Red));
        after.set_string(0, 1, "é!", Style::new().add_modifier(Modifier::BOLD));
        let written = |has_colours| {
            let mut output = String::new();
            encode(&before.diff(&after), has_colours, &mut output);
            output
        };
        assert_eq!(written(true), "\x1b[1;2H\x1b[0;31mab\x1b[2;1H\x1b[0;1mé\x1b[2;2H!\x1b[0m");
        assert_eq!(written(false), "\x1b[1;2H\x1b[0mab\x1b[2;1H\x1b[0;1mé\x1b[2;2H!\x1b[0m");
        let mut nothing = String::new();
        encode(&after.diff(&after), true, &mut nothing);
        assert_eq!(nothing, "");
    }
}
