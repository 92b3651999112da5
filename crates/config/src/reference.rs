//! The reference of all sections and options, made from the option table.

use std::fmt::Write as _;

use crate::schema::{Default, OptionSpec, SectionKind, TABLE};

const INTRODUCTION: &str = "\
# Configuration

The daemon reads one INI file: the file named with `-c`, or else the first that exists of `../etc/supervisord.conf` and
`../supervisord.conf` (relative to the directory of the program), `supervisord.conf`, `etc/supervisord.conf`,
`/etc/supervisord.conf` and `/etc/supervisor/supervisord.conf`. `echo_supervisord_conf` prints a sample.

A line `name = value` sets an option. Indented lines continue the value. A semicolon after a blank starts a comment.

Values can contain expansions: `%(here)s` is the directory of the file, `%(ENV_NAME)s` the environment variable NAME,
`%(host_node_name)s` the host name. In programs there are also `%(program_name)s`, `%(group_name)s`, `%(process_num)d` and
`%(numprocs)d`. Arithmetic works with `+ - * / %` and parentheses, as in `%(process_num * 10 + 8000)d`, and
`%(ENV_PORT:-8000)s` is 8000 if PORT is unset or empty. Write `%%` for a percent sign. [Quoting](quoting.md) has the rules.

An unknown option is ignored with a warning, which names its line and the option that was probably meant. Error messages end with
the place of the mistake in parentheses: `(FILE:LINE, [SECTION] OPTION=VALUE: WHAT TO WRITE)`. Values that may be secret
(passwords, environments, what comes from the environment) appear as `***`.

The column *since* names the version of Supervisor that introduced the option; `new in 0.1.0` marks options that Supervisor does not
have. The column *change* says what it takes to apply a changed value:

* `live`: `supervisorctl reread`; for an option of a program, an [update](changing.md), which does not have to restart the program;
* `reload`: `supervisorctl reload`, which stops all programs and starts again with the new configuration;
* `restart`: a restart of what the option belongs to. `supervisorctl update` restarts programs; restart the daemon yourself.

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

/// Whether Supervisor does not have the option. The versions of this program begin with a zero.
fn is_new(row: &OptionSpec) -> bool {
    row.since.starts_with("0.")
}

/// The version that brought the option.
fn since(row: &OptionSpec) -> String {
    if is_new(row) { format!("new in {}", row.since) } else { row.since.to_owned() }
}

/// What the table says about one option, as a line of Markdown: value, default, what a change needs, since when, other names.
pub fn facts(row: &OptionSpec) -> String {
    let mut text = format!("Value: {}. Default: {}. ", cell(&value(row)), default(row).replace("**", ""));
    let since = since(row);
    let since = if is_new(row) { since.replacen("new", "New", 1) } else { format!("Since: {since}") };
    let _ = write!(text, "A change needs: {}. {since}.", row.needs.word());
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
                writeln!(text, "| {} | {value} | {} | {change} | {} | {help} |", names(row), default(row), since(row));
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
