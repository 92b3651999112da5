//! Tables as text, without I/O.

use std::borrow::Cow;
use std::iter::repeat_n;

use supervisord_wire::info::{ConfigInfo, ProcessInfo};
use supervisord_wire::name::namespec;
use supervisord_wire::state::ProcessState;

/// The minimal width of the name column.
const NAME_WIDTH: usize = 30;

/// The width of the state column.
const STATE_WIDTH: usize = 10;

/// The maximal width of the list of actions in `help`.
const LIST_WIDTH: usize = 79;

/// The lines of `status`: name, state, description. The name column is as wide as the longest name. `shown` makes names
/// and descriptions safe to print.
pub fn status(infos: &[&ProcessInfo], colour: bool, shown: impl Fn(&str) -> Cow<'_, str>) -> String {
    let names: Vec<String> = infos.iter().map(|info| shown(&namespec(&info.group, &info.name)).into_owned()).collect();
    let width = names.iter().map(|name| name.chars().count()).fold(NAME_WIDTH, usize::max) + 3;
    let mut text = String::new();
    for (name, info) in names.iter().zip(infos) {
        push_padded(&mut text, name, width);
        if colour {
            text.push_str(&coloured(info.state));
            push_padded(&mut text, "", STATE_WIDTH.saturating_sub(info.state.name().len()));
        } else {
            push_padded(&mut text, info.state.name(), STATE_WIDTH);
        }
        text.push_str(&shown(&info.description));
        text.push('\n');
    }
    text
}

/// Appends a text, and blanks up to a width in characters.
fn push_padded(text: &mut String, cell: &str, width: usize) {
    text.push_str(cell);
    text.extend(repeat_n(' ', width.saturating_sub(cell.chars().count())));
}

/// A state in its colour.
pub fn coloured(state: ProcessState) -> String {
    format!("\x1b[{}m{state}\x1b[0m", colour_of(state))
}

/// The SGR number of a state's colour.
fn colour_of(state: ProcessState) -> u8 {
    match state {
        ProcessState::Running => 32,
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Backoff => 33,
        ProcessState::Fatal | ProcessState::Unknown => 31,
        ProcessState::Stopped | ProcessState::Exited => 2,
    }
}

/// The lines of `avail`: name, whether in use, how it starts, priorities of group and process.
pub fn avail(infos: &[ConfigInfo]) -> String {
    infos.iter().map(avail_line).collect()
}

fn avail_line(info: &ConfigInfo) -> String {
    let name = namespec(&info.group, &info.name);
    let in_use = if info.in_use { "in use" } else { "avail" };
    let start = if info.autostart { "auto" } else { "manual" };
    format!("{name:32} {in_use:9} {start:9} {}:{}\n", info.group_priority, info.process_priority)
}

/// A block of `help`: an underlined heading, and names in columns that are filled downwards.
pub fn help_block(heading: &str, names: &[&str]) -> String {
    let rule = "=".repeat(heading.chars().count());
    format!("\n{heading}\n{rule}\n{}\n", columns(names, LIST_WIDTH))
}

/// Names in columns that are filled downwards, with as few rows as this width allows.
pub fn columns(names: &[&str], width: usize) -> String {
    let height = (1..=names.len()).find(|height| width_of(names, *height) <= width).unwrap_or(names.len());
    let widths: Vec<usize> = names.chunks(height.max(1)).map(longest).collect();
    let mut text = String::new();
    for row in 0..height {
        let cells = names.iter().skip(row).step_by(height).zip(&widths);
        let cells: Vec<String> = cells.map(|(name, &width)| format!("{name:width$}")).collect();
        text.push_str(&cells.join("  "));
        text.push('\n');
    }
    text
}

fn width_of(names: &[&str], height: usize) -> usize {
    let widths = names.chunks(height).map(longest);
    let columns = widths.len();
    widths.sum::<usize>() + 2 * columns.saturating_sub(1)
}

fn longest(names: &[&str]) -> usize {
    names.iter().map(|name| name.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(group: &str, name: &str, state: ProcessState, description: &str) -> ProcessInfo {
        ProcessInfo {
            name: name.into(),
            group: group.into(),
            start: 0,
            stop: 0,
            now: 0,
            state,
            spawnerr: String::new(),
            exitstatus: 0,
            stdout_logfile: String::new(),
            stderr_logfile: String::new(),
            pid: 0,
            description: description.into(),
        }
    }

    #[test]
    fn status_columns_start_at_33_and_43() {
        let running = process("cat", "cat", ProcessState::Running, "pid 2334, uptime 0:01:15");
        let starting = process("grp", "x", ProcessState::Starting, "");
        assert_eq!(
            status(&[&running, &starting], false, |text| text.into()),
            "cat                              RUNNING   pid 2334, uptime 0:01:15\n\
             grp:x                            STARTING  \n"
        );
    }

    #[test]
    fn a_long_name_widens_the_column_by_characters() {
        let long = process(&"ä".repeat(39), &"ä".repeat(39), ProcessState::Stopped, "Not started");
        let short = process("a", "a", ProcessState::Stopped, "Not started");
        let text = status(&[&long, &short], false, |text| text.into());
        let starts: Vec<_> = text.lines().map(|line| line.chars().position(|c| c == 'S')).collect();
        assert_eq!(starts, [Some(42), Some(42)]);
    }

    #[test]
    fn only_the_state_is_coloured() {
        let running = process("cat", "cat", ProcessState::Running, "pid 1");
        let coloured = status(&[&running], true, |text| text.into());
        assert!(coloured.contains("\x1b[32mRUNNING\x1b[0m   pid 1\n"), "{coloured:?}");
        assert_eq!(
            coloured.replace("\x1b[32m", "").replace("\x1b[0m", ""),
            status(&[&running], false, |text| text.into())
        );
    }

    #[test]
    fn avail_columns_are_fixed() {
        let mut info = ConfigInfo {
            name: "badcmd".into(),
            group: "badcmd".into(),
            in_use: true,
            autostart: false,
            group_priority: 999,
            process_priority: 5,
        };
        assert_eq!(avail(&[info.clone()]), "badcmd                           in use    manual    999:5\n");
        info.group = "g".repeat(40);
        info.in_use = false;
        info.autostart = true;
        assert_eq!(avail(&[info]), format!("{}:badcmd avail     auto      999:5\n", "g".repeat(40)));
    }

    #[test]
    fn help_fills_columns_downwards_and_pads_the_last_one() {
        let names = [
            "add", "avail", "clear", "exit", "fg", "maintail", "open", "pid", "quit", "reload", "remove", "reread",
            "restart", "shutdown", "signal", "start", "status", "stop", "tail", "update", "version",
        ];
        assert_eq!(
            help_block("default commands (type help <topic>):", &names),
            "\ndefault commands (type help <topic>):\n\
             =====================================\n\
             add    exit      open  reload  restart   start   tail   \n\
             avail  fg        pid   remove  shutdown  status  update \n\
             clear  maintail  quit  reread  signal    stop    version\n\n"
        );
    }

    #[test]
    fn an_empty_list_has_no_rows() {
        assert_eq!(help_block("x", &[]), "\nx\n=\n\n");
    }
}
