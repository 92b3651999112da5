//! The manual pages, from the pages of `docs/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::roff::{body, inline, literal};
use supervisord_config::schema::{SectionKind, TABLE};

const SEE_ALSO: &str =
    "supervisord(8), supervisorctl(1), echo_supervisord_conf(1), pidproxy(1), supervisord.conf(5), supervisor-fleet(1)";

/// Where a configuration is, in the order in which it is looked for.
const CONFIGURATION_FILES: &str = "
## Files

The first of these that exists is read, unless `-c` names a file:

| file | |
|---|---|
| `../etc/supervisord.conf`, `../supervisord.conf` | relative to the directory of the program |
| `supervisord.conf`, `etc/supervisord.conf` | relative to the current directory |
| `/etc/supervisord.conf` | usual on Fedora and its relatives |
| `/etc/supervisor/supervisord.conf` | usual on Debian and Ubuntu |
";

/// A page of the manual: its name, section and one line about it; how the program is called; the rest of it in Markdown.
struct Manual {
    name: &'static str,
    section: u8,
    about: &'static str,
    synopsis: &'static str,
    text: String,
}

impl Manual {
    fn roff(&self) -> String {
        let Manual { name, section, about, synopsis, text } = self;
        let title = name.to_uppercase();
        let version = env!("CARGO_PKG_VERSION");
        let others = SEE_ALSO.split(", ").filter(|page| *page != format!("{name}({section})"));
        let others = others.collect::<Vec<_>>().join(", ");
        format!(
            ".\\\" Written by the test `reference`; do not edit.\n.TH \"{title}\" {section} \"\" \"supervisord {version}\"\n\
             .SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.nf\n{}\n.fi\n{}.SH SEE ALSO\n{}\n",
            literal(name),
            inline(about),
            synopsis.lines().map(literal).collect::<Vec<_>>().join("\n"),
            body(text),
            inline(&others)
        )
    }
}

/// What stands below a heading, up to the next one that is not below it.
fn below(page: &str, heading: &str) -> String {
    let level = heading.split(' ').next().unwrap_or_default().len();
    let after = page.split(&format!("{heading}\n")).nth(1).unwrap_or_else(|| panic!("a page lacks {heading}"));
    let ends = |line: &&str| {
        let marks = line.len() - line.trim_start_matches('#').len();
        marks > 0 && marks <= level && line[marks..].starts_with(' ')
    };
    after.lines().take_while(|line| !ends(line)).collect::<Vec<_>>().join("\n")
}

/// The manual pages by the names of their files.
pub fn pages(docs: &BTreeMap<PathBuf, String>) -> BTreeMap<String, String> {
    let page = |name: &str| -> &str {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        docs.get(&path).unwrap_or_else(|| panic!("docs/{name} is missing"))
    };
    let program = |name: &str, between: &str| described(&below(page("programs.md"), &format!("## {name}")), between);
    let flags = |name: &str| format!("## Options\n{}\n", below(page("command-lines.md"), &format!("### `{name}`")));
    let actions = format!("## Actions\n{}\n", page("actions.md"));
    let manuals = [
        Manual {
            name: "supervisord",
            section: 8,
            about: "run programs and keep them running",
            synopsis: "supervisord [OPTIONS]\n\
                       supervisord --check [--format text|json] [-c FILE]\n\
                       supervisord --resolved [--format text|json] [-c FILE]\n\
                       supervisord --json-schema\n\
                       supervisord hash-password [--scheme SCHEME]\n\
                       supervisord ctl [OPTIONS] [ACTION [ARGUMENTS]]",
            text: program("supervisord", &flags("supervisord")),
        },
        Manual {
            name: "supervisorctl",
            section: 1,
            about: "control the programs that supervisord runs",
            synopsis: "supervisorctl [OPTIONS] [ACTION [ARGUMENTS]]\n\
                       supervisorctl [OPTIONS] complete LINE\n\
                       supervisorctl --fleet ...",
            text: program("supervisorctl", &(flags("supervisorctl") + &actions)),
        },
        Manual {
            name: "echo_supervisord_conf",
            section: 1,
            about: "print a configuration of supervisord to begin with",
            synopsis: "echo_supervisord_conf",
            text: program("echo_supervisord_conf", ""),
        },
        Manual {
            name: "pidproxy",
            section: 1,
            about: "stay in the foreground for a program that does not",
            synopsis: "pidproxy PIDFILE COMMAND [ARGUMENT...]",
            text: program("pidproxy", ""),
        },
        Manual {
            name: "supervisord.conf",
            section: 5,
            about: "configuration of supervisord and supervisorctl",
            synopsis: "/etc/supervisord.conf\n/etc/supervisor/supervisord.conf",
            text: configuration(page),
        },
    ];
    manuals.iter().map(|manual| (format!("{}.{}", manual.name, manual.section), manual.roff())).collect()
}

/// The description of a program, other sections, and then its files, which the description ends with.
fn described(text: &str, between: &str) -> String {
    let (description, files) = text.split_once("### Files\n").unwrap_or((text, ""));
    let files = if files.is_empty() { String::new() } else { format!("## Files\n{files}\n") };
    format!("## Description\n{description}\n{between}{files}")
}

/// All sections with all options.
fn configuration<'a>(page: impl Fn(&str) -> &'a str) -> String {
    // What follows is about the columns of the tables.
    let introduction = page("configuration.md").split("\nThe column").next().unwrap_or_default();
    let mut text = format!("## Description\n{introduction}\n{}\n", below(page("quoting.md"), "## Percent signs"));
    for kind in SectionKind::ALL {
        // A section without options of its own has those of another one.
        let has_own = TABLE.iter().any(|row| row.section == kind);
        let options = if has_own { page(&format!("options/{}.md", kind.word())) } else { "" };
        let options = options.find("\n### ").map_or("", |start| &options[start..]);
        text.push_str(&format!("\n## [{}]\n\n{}\n{options}", kind.word(), kind.describe()));
    }
    text + CONFIGURATION_FILES
}
