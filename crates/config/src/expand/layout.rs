//! Flags, width and precision of a conversion.

/// How a conversion is to look.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) left: bool,
    pub(super) plus: bool,
    pub(super) space: bool,
    pub(super) alternate: bool,
    pub(super) zeros: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

impl Layout {
    /// Whether `c` is a flag; if so it is noted.
    pub(super) fn flag(&mut self, c: char) -> bool {
        match c {
            '-' => self.left = true,
            '+' => self.plus = true,
            ' ' => self.space = true,
            '#' => self.alternate = true,
            '0' => self.zeros = true,
            _ => return false,
        }
        true
    }

    /// Filled up with spaces to the width.
    pub(super) fn pad(&self, text: String) -> String {
        let fill = " ".repeat(self.width.saturating_sub(text.chars().count()));
        if self.left { text + &fill } else { fill + &text }
    }

    /// Cut to the precision, then filled up.
    pub(super) fn text(&self, text: String) -> String {
        self.pad(match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        })
    }
}
