//! What keeps somebody from using a page.

use std::fs;
use std::process::Command;

use super::page::Page;
use crate::harness::{needs, original};

/// The source of axe-core, an accessibility checker.
pub fn checker() -> String {
    let package = original::cache().join("axe");
    original::once(&package, &["axe-core@4.14.1"], |directory| {
        let npm = needs::program("npm");
        original::run(Command::new(npm).args(["install", "--silent", "axe-core@4.14.1"]).current_dir(directory));
    });
    fs::read_to_string(package.join("node_modules/axe-core/axe.min.js")).expect("the package has it")
}

/// What the checker finds that keeps somebody from using the page.
pub fn barriers(page: &Page, checker: &str) -> String {
    page.run(checker);
    let found = page.run_async(
        "const { violations } = await axe.run();
         return violations.map(({ id, help, nodes }) =>
             `${id}: ${help}\\n` + nodes.slice(0, 3).map(({ html, failureSummary }) => `  ${html}\\n  ${failureSummary}`).join('\\n')).join('\\n')",
    );
    found.as_str().unwrap_or_default().to_owned()
}
