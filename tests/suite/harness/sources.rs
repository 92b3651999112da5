//! The names of the tests, read from the source code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of all tests of the workspace, without their modules.
pub fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["crates", "src", "tests"].map(|folder| files(&root.join(folder)));
    folders.iter().flatten().flat_map(|(_, text)| tests_in(text)).collect()
}

/// The Rust sources below a folder with their texts.
pub fn files(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are text");
            found.push((path, text));
        }
    }
    found
}

/// The functions after `#[test]` (or `#[tokio::test]`), with or without other attributes between, and the declarations
/// within `pins!` of the form `name: "section option" … => {`.
fn tests_in(text: &str) -> BTreeSet<String> {
    let (mut is_test, mut are_pins) = (false, false);
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let code = line.trim();
        are_pins = (are_pins || code == "pins! {") && line != "}";
        if let Some(function) = code.strip_prefix("async ").unwrap_or(code).strip_prefix("fn ").filter(|_| is_test) {
            names.insert(name_at(function));
        } else if let Some((name, _)) = code.split_once(": \"").filter(|_| are_pins && code.ends_with("=> {")) {
            names.insert(name.to_owned());
        }
        is_test = code == "#[test]" || code.starts_with("#[tokio::test") || is_test && code.starts_with("#[");
    }
    names
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn only_tests_are_taken_for_tests() {
    let text = "#[test]\nfn a() {}\n    #[test]\n    #[ignore]\n    fn b(x in \"y\") {\nfn c() {}\n// #[test]\nfn d() {}\n\
        #[tokio::test]\nasync fn e() {}\n#[test]\nconst X: u8 = 1;\nfn f() {}\nmacro! {\n    g: \"x\" => {\n}\n\
        pins! {\n    h: \"x\" \"y\" => {\n    }\n}\nlet i: \"x\" => {\n";
    assert_eq!(tests_in(text).into_iter().collect::<Vec<_>>(), ["a", "b", "e", "h"]);
}
