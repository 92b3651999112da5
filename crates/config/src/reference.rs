//! The reference of all sections and options, made from the option table.

use std::fmt::Write as _;

use crate::schema::{Default, OptionSpec, SectionKind, TABLE};

const INTRODUCTION: &str = "\
# Configuration

The daemon reads one INI file: the one named with `-c`, or the first that exists of `../etc/supervisord.conf` and
`../supervisord.conf` beside the program's directory, `supervisord.conf`, `etc/supervisord.conf`,
`/etc/supervisord.conf` and `/etc/supervisor/supervisord.conf`. `echo_supervisord_conf` prints one to begin with.

A line `name = value` sets an option; a longer value goes on in the next line when that is indented. What follows a
blank and a semicolon is a comment. `%(here)s` is the directory of the file, `%(ENV_NAME)s` the environment variable
NAME, `%(host_node_name)s` the name of the host; programs also have `%(program_name)s`, `%(group_name)s`,
`%(process_num)d` and `%(numprocs)d`. Numbers can be calculated with, `%(process_num * 10 + 8000)d`, with `+ - * / %` and
parentheses; `%(ENV_PORT:-8000)s` stands for 8000 where PORT is empty or not set. A percent sign itself is written `%%`. An option that no section knows is
ignored, with a warning that says where it is written and what was probably meant.

A message about a mistake ends with its place in parentheses, `(FILE:LINE, [SECTION] OPTION=VALUE: WHAT TO WRITE)`.
Values that may be secret (passwords, environments, what comes from the environment) show as `***`.

The column *since* is the version of Supervisor that brought the option; 0.1.0 marks those of this program alone. The column
*change* says what a change of the option needs to take effect: `live`, that the file is read again (`supervisorctl reread`), and of
a program that it is [updated](changing.md), which need not restart it; `reload`, that the daemon begins anew
(`supervisorctl reload`); `restart`, that what the option is about is started anew:
programs by `supervisorctl update`, the daemon by whoever starts it.
This page is generated from the option table: `REGENERATE=1 cargo test --test suite -- reference`.
";

/// The header of the section as it is written, with `x` for a name of its own.
fn header(kind: SectionKind) -> String {
    use SectionKind::{Include, InetHttpServer, ProgramDefault, Supervisorctl, Supervisord, UnixHttpServer};
    match kind {
        UnixHttpServer | InetHttpServer | Supervisord | Supervisorctl | ProgramDefault | Include => {
            kind.word().to_owned()
        }
        _ => format!("{}:x", kind.word()),
    }
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// The name, and the other names that mean the same.
fn names(row: &OptionSpec) -> String {
    let names: Vec<String> = row.names().map(|name| format!("`{name}`")).collect();
    names.join(", also ")
}

/// What is written, with its range.
fn value(row: &OptionSpec) -> String {
    let what = row.kind.describe();
    match row.range {
        (i64::MIN, i64::MAX) => what.to_owned(),
        (i64::MIN, largest) => format!("{what}, at most {largest}"),
        (least, i64::MAX) => format!("{what}, at least {least}"),
        (least, largest) => format!("{what}, {least} to {largest}"),
    }
}

fn default(row: &OptionSpec) -> String {
    match row.default {
        Default::Required => "**required**".to_owned(),
        Default::Is("") => "empty".to_owned(),
        Default::Is(value) => format!("`{}`", cell(value)),
        Default::Unset(meaning) => cell(meaning),
    }
}

/// What the table says about one option, as a line of Markdown: value, default, what a change needs, since when, other names.
pub fn facts(row: &OptionSpec) -> String {
    let since = if row.since.starts_with("0.") { "this program alone" } else { row.since };
    let mut text = format!("Value: {}. Default: {}. ", cell(&value(row)), default(row).replace("**", ""));
    let _ = write!(text, "A change needs: {}. Since: {since}.", row.needs.word());
    if !row.aliases.is_empty() {
        let aliases: Vec<String> = row.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = write!(text, " Other names: {}.", aliases.join(", "));
    }
    text
}

/// The whole page in Markdown, ending in a line feed.
pub fn text() -> String {
    let mut text = String::from(INTRODUCTION);
    for kind in SectionKind::ALL {
        // Writing to a String cannot fail.
        let (title, about, word) = (header(kind), kind.describe(), kind.word());
        let _ = writeln!(text, "\n## `[{title}]`\n\n{about}");
        if !TABLE.iter().any(|row| row.section == kind) {
            continue;
        }
        let _ = writeln!(text, "[More about each option, with examples](options/{word}.md).\n");
        text.push_str("| option | value | default | change | since | what it does |\n|---|---|---|---|---|---|\n");
        for row in kind.options().filter(|row| row.section == kind) {
            let (value, help, change) = (cell(&value(row)), cell(row.help), row.needs.word());
            let _ =
                writeln!(text, "| {} | {value} | {} | {change} | {} | {help} |", names(row), default(row), row.since);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_the_generated_one() {
        let page = include_str!("../../../docs/configuration.md");
        for (number, (written, generated)) in page.lines().zip(text().lines()).enumerate() {
            assert_eq!(written, generated, "line {}", number + 1);
        }
        assert_eq!(page, text());
    }
}
