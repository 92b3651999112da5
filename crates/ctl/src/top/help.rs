//! The keys in words.

/// A line for each key.
pub const HELP: [&str; 21] = [
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
    "Ctrl-L               draw everything again",
    "Ctrl-Z               suspend",
];

/// Keys to remember in the last line, each with its rank: the later ranks give way first where there is little room.
pub type Hints = &'static [(u8, &'static str)];

pub const TABLE_KEYS: Hints = &[
    (3, "s start"),
    (3, "x stop"),
    (3, "r restart"),
    (2, "Enter details"),
    (1, "/ filter"),
    (4, "o order"),
    (0, "? help"),
    (0, "q quit"),
];

pub const READ_ONLY_KEYS: Hints =
    &[(3, "read-only"), (2, "Enter details"), (1, "/ filter"), (4, "o order"), (0, "? help"), (0, "q quit")];

pub const DETAILS_KEYS: Hints = &[
    (1, "Tab stdout/stderr"),
    (2, "s start"),
    (2, "x stop"),
    (2, "r restart"),
    (3, "Up/Down other program"),
    (0, "q back"),
];

pub const HELP_KEYS: Hints = &[(0, "any key back")];

/// Those of the help that does not fit.
pub const LONG_HELP_KEYS: Hints = &[(0, "Up/Down more"), (0, "any other key back")];

/// What fits into a line of this width.
pub fn fitting(hints: Hints, width: u16) -> String {
    let line =
        |most: u8| hints.iter().filter(|(rank, _)| *rank <= most).map(|(_, text)| *text).collect::<Vec<_>>().join("  ");
    let ranks = (0..=hints.iter().map(|(rank, _)| *rank).max().unwrap_or(0)).rev();
    ranks.map(line).find(|text| text.len() <= usize::from(width)).unwrap_or_else(|| line(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_important_keys_are_left_where_there_is_little_room() {
        for (width, expected) in [
            (80, "s start  x stop  r restart  Enter details  / filter  o order  ? help  q quit"),
            (70, "s start  x stop  r restart  Enter details  / filter  ? help  q quit"),
            (60, "Enter details  / filter  ? help  q quit"),
            (30, "/ filter  ? help  q quit"),
            (14, "? help  q quit"),
            (5, "? help  q quit"),
        ] {
            assert_eq!(fitting(TABLE_KEYS, width), expected, "{width}");
        }
    }
}
