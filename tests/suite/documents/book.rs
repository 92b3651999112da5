//! The documentation as a book: every page is in it once, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files with an extension below a directory.
pub fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut found: Vec<PathBuf> = entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => files(&path, extension),
                Some(own) if own == extension => vec![path],
                _ => Vec::new(),
            }
        })
        .collect();
    found.sort();
    found
}

/// A page without its blocks of code, in which nothing is a link or a heading.
fn prose(markdown: &str) -> String {
    markdown.split("```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The targets of the links and images of a page.
fn targets(markdown: &str) -> Vec<String> {
    let text = prose(markdown);
    text.split("](").skip(1).filter_map(|after| Some(after.split(')').next()?.to_owned())).collect()
}

/// The names by which links lead to the headings of a page.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let text = prose(markdown);
    let headings = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
    let anchor = |heading: &str| {
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        heading.trim().to_lowercase().replace(|letter| !kept(&letter), "").replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// A page that is in no part of the book is found by nobody.
#[test]
fn every_page_is_in_the_book_once() {
    let docs = root().join("docs");
    let summary = targets(&read(&docs.join("SUMMARY.md")));
    let listed: BTreeSet<PathBuf> = summary.iter().map(|target| docs.join(target)).collect();
    assert_eq!(listed.len(), summary.len(), "docs/SUMMARY.md lists a page twice");
    let mut pages: BTreeSet<PathBuf> = files(&docs, "md").into_iter().collect();
    pages.remove(&docs.join("SUMMARY.md"));
    assert_eq!(pages, listed, "docs/SUMMARY.md is to list every page of docs/");
}

/// Links lead to files and headings that exist; those of the book stay in the book, whose pages lie elsewhere once it is built.
#[test]
fn no_link_of_the_documentation_is_dead() {
    let docs = root().join("docs");
    let of_repository = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    let pages = of_repository.into_iter().map(|name| root().join(name)).filter(|page| page.exists());
    let mut dead = Vec::new();
    for page in pages.chain(files(&docs, "md")) {
        let text = read(&page);
        for target in targets(&text).into_iter().filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { page.clone() } else { page.with_file_name("").join(path) };
            let Ok(file) = file.canonicalize() else {
                dead.push(format!("{}: {target}", page.display()));
                continue;
            };
            let leaves_the_book = page.starts_with(&docs) && !file.starts_with(docs.canonicalize().expect("it exists"));
            let is_lost = !anchor.is_empty() && !anchors(&read(&file)).contains(anchor);
            if leaves_the_book || is_lost {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// The cells of a line of a table; none where it is no such line.
fn cells(line: &str) -> Option<usize> {
    let line = line.trim().strip_prefix('|')?.replace("\\|", "");
    Some(line.matches('|').count())
}

/// A row that an empty line divides from its table is shown as text with bars.
#[test]
fn tables_have_a_header_and_rows_of_its_width() {
    let mut broken = Vec::new();
    for page in files(&root().join("docs"), "md") {
        let text = prose(&read(&page));
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(width) = cells(line) else { continue };
            let rule = lines.next().unwrap_or_default();
            let is_rule =
                cells(rule) == Some(width) && rule.chars().all(|letter| matches!(letter, '|' | '-' | ':' | ' '));
            let mut rows = std::iter::from_fn(|| lines.next_if(|next| cells(next).is_some()));
            if !is_rule || rows.any(|row| cells(row) != Some(width)) {
                broken.push(format!("{}: {line}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "tables that a reader sees as text:\n{}", broken.join("\n"));
}
