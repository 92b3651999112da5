//! What the reference says about options, actions, calls and flags comes from the programs themselves.
//!
//! A page of `docs/` has it between `<!-- generated: SOURCE -->` and `<!-- end -->`; what people have written stands around it. A
//! source is `option SECTION NAME`, `action NAME`, `method NAME` or `flags PROGRAM`. With the variable `REGENERATE` the test writes
//! the pages, adds what is missing at the end of the page of its kind, and writes the manual pages; without it, it compares.

mod manual;
mod roff;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use supervisord_config::reference::{facts, text as configuration};
use supervisord_config::schema::TABLE;

use crate::documents::book::files;
use crate::harness::{Daemon, Program, Scene, Subject, Value, command, needs, only_ours};

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";
const COMMAND: &str = "REGENERATE=1 cargo test --test suite -- reference";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What belongs into the documentation under one source: the page of its kind, its heading there, and its text.
struct Entry {
    page: PathBuf,
    heading: String,
    text: String,
}

fn block(text: &str) -> String {
    format!("```text\n{}\n```", text.trim_end())
}

/// Text whose tabs are blanks up to each eighth column, as a terminal shows it.
fn untabbed(text: &str) -> String {
    let mut shown = String::new();
    let mut column = 0;
    for letter in text.chars() {
        match letter {
            '\t' => {
                let blanks = 8 - column % 8;
                shown.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\n' => {
                shown.push(letter);
                column = 0;
            }
            _ => {
                shown.push(letter);
                column += 1;
            }
        }
    }
    shown
}

/// All entries by their sources.
fn entries(daemon: &Daemon) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    let docs = root().join("docs");
    let mut add = |source: String, page: &str, heading: &str, text: String| {
        entries.insert(source, Entry { page: docs.join(page), heading: format!("### `{heading}`"), text });
    };
    for row in TABLE {
        let word = row.section.word();
        add(format!("option {word} {}", row.name), &format!("options/{word}.md"), row.name, facts(row));
    }
    // Only scripts use `complete`, so that the list does not have it.
    for action in actions(daemon).into_iter().chain(["complete".to_owned()]) {
        let help = daemon.ctl(&["help", &action]).stdout;
        add(format!("action {action}"), "actions.md", &action, block(&untabbed(&help)));
    }
    let Value::Array(methods) = daemon.call("system.listMethods", &[]) else { panic!("an array is expected") };
    for method in &methods {
        let help = daemon.call("system.methodHelp", std::slice::from_ref(method));
        add(format!("method {}", method.text()), "xml-rpc.md", method.text(), block(help.text()));
    }
    for (name, program, arguments) in [
        ("supervisord", Program::Supervisord, &["--help"][..]),
        ("hash-password", Program::Supervisord, &["hash-password", "--help"]),
        ("supervisorctl", Program::Supervisorctl, &["--help"]),
    ] {
        let path = Subject::Ours.path(program);
        let help = command::run(Command::new(&path).args(arguments), "").stdout;
        let called = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let help = help.replace(&path.display().to_string(), called);
        add(format!("flags {name}"), "command-lines.md", name, block(&help));
    }
    entries
}

/// The actions that `supervisorctl help` lists.
fn actions(daemon: &Daemon) -> Vec<String> {
    let list = daemon.ctl(&["help"]).stdout;
    let names = list.lines().skip_while(|line| !line.starts_with("===")).skip(1);
    names.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// A page with every generated part replaced, and the sources that it has.
fn renewed(page: &str, entries: &BTreeMap<String, Entry>) -> (String, Vec<String>) {
    let mut pieces = page.split(BEGIN);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    let mut sources = Vec::new();
    for piece in pieces {
        let (source, rest) = piece.split_once(" -->\n").expect("a source ends with -->");
        let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{source} has no {END}"));
        // What is no longer there is taken out by whoever removes it.
        let entry = entries.get(source).unwrap_or_else(|| panic!("nothing is known of `{source}`"));
        text.push_str(&format!("{BEGIN}{source} -->\n{}\n{END}{after}", entry.text));
        sources.push(source.to_owned());
    }
    (text, sources)
}

/// All pages as they should be, by their paths.
fn wanted(daemon: &Daemon) -> BTreeMap<PathBuf, String> {
    let entries = entries(daemon);
    let mut pages = BTreeMap::new();
    let mut missing: BTreeMap<&String, &Entry> = entries.iter().collect();
    for path in files(&root().join("docs"), "md") {
        let page = fs::read_to_string(&path).expect("a page");
        let (page, sources) = renewed(&page, &entries);
        for source in &sources {
            assert!(missing.remove(source).is_some(), "{source} is in the documentation twice");
        }
        pages.insert(path, page);
    }
    for (source, entry) in missing {
        let page = pages.entry(entry.page.clone()).or_default();
        page.push_str(&format!("\n{}\n\n{BEGIN}{source} -->\n{}\n{END}\n", entry.heading, entry.text));
    }
    pages.insert(root().join("docs/configuration.md"), configuration());
    let manual = manual::pages(&pages);
    pages.extend(manual.into_iter().map(|(name, text)| (root().join("docs/man").join(name), text)));
    pages
}

#[test]
fn the_reference_is_up_to_date() {
    only_ours(|| {
        let daemon = Scene::with("reference", "").start(Subject::Ours);
        let mut stale = Vec::new();
        for (path, text) in wanted(&daemon) {
            if fs::read_to_string(&path).is_ok_and(|written| written == text) {
                continue;
            }
            if std::env::var_os("REGENERATE").is_some() {
                fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
                fs::write(&path, text).expect("written");
            } else {
                stale.push(path.display().to_string());
            }
        }
        assert!(stale.is_empty(), "these do not say what the programs say; run `{COMMAND}`:\n{}", stale.join("\n"));
    });
}

/// An option is explained in sentences, and its example is a setting of it.
#[test]
fn every_option_is_explained_with_an_example() {
    for row in TABLE {
        let word = row.section.word();
        let page = fs::read_to_string(root().join(format!("docs/options/{word}.md"))).unwrap_or_default();
        let heading = format!("\n### `{}`\n", row.name);
        let section = page.split(&heading).nth(1).and_then(|after| after.split("\n### ").next());
        let section = section.unwrap_or_else(|| panic!("docs/options/{word}.md lacks {}; run `{COMMAND}`", row.name));
        let written = section.split(END).nth(1).unwrap_or_default();
        let (prose, example) = written.split_once("```ini\n").unwrap_or((written, ""));
        assert!(prose.trim().ends_with('.'), "docs/options/{word}.md is to say in sentences what {} does", row.name);
        let is_set = example.lines().any(|line| line.split('=').next().is_some_and(|name| name.trim() == row.name));
        assert!(is_set, "docs/options/{word}.md is to show an example of {}", row.name);
    }
}

/// Settings in the examples of the documentation are options that exist, in sections that exist.
#[test]
fn examples_of_configurations_name_options_that_exist() {
    use supervisord_config::schema::SectionKind;
    for path in files(&root().join("docs"), "md") {
        let page = fs::read_to_string(&path).expect("a page");
        for example in page.split("```ini\n").skip(1).filter_map(|after| after.split("\n```").next()) {
            let mut section = None;
            for line in example.lines().filter(|line| !line.starts_with([' ', ';', '#', '.', '…'])) {
                if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                    section = SectionKind::of(header);
                    assert!(section.is_some(), "{}: [{header}] is no section", path.display());
                } else if let (Some(kind), Some((name, _))) = (section, line.split_once('=')) {
                    let is_known = kind.is_open() || kind.option(name.trim()).is_some();
                    assert!(is_known, "{}: {} is no option of {}", path.display(), name, kind.word());
                }
            }
        }
    }
}

/// The formatter of manual pages has nothing to say about ours.
#[test]
fn manual_pages_have_no_mistakes() {
    let pages = fs::read_dir(root().join("docs/man")).expect("manual pages");
    let mut count = 0;
    for page in pages {
        let path = page.expect("a page").path();
        let mut groff = Command::new(needs::program("groff"));
        groff.args(["-man", "-ww", "-z", "-Kutf8", "-Tutf8"]).arg(&path);
        let output = command::run(&mut groff, "");
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        let text = fs::read_to_string(&path).expect("a page");
        assert!(!text.contains(".md"), "{} refers to a file of the book", path.display());
        count += 1;
    }
    assert_eq!(count, 6);
}
