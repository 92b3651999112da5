//! The allowed dependencies of crates and modules, and the only place of `unsafe`.

mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::sources;

/// Each crate with our crates that it may depend on (tests included).
const LAYERS: [(&str, &[&str]); 9] = [
    ("supervisord-config", &[]),
    ("supervisord-wire", &[]),
    ("supervisord-sys", &[]),
    ("supervisord-tls", &["supervisord-sys"]),
    ("supervisord-core", &["supervisord-config", "supervisord-wire"]),
    ("supervisord-ctl", &["supervisord-config", "supervisord-sys", "supervisord-tls", "supervisord-wire"]),
    (
        "supervisord-daemon",
        &["supervisord-config", "supervisord-core", "supervisord-sys", "supervisord-tls", "supervisord-wire"],
    ),
    ("supervisord-fleet", &["supervisord-tls", "supervisord-wire"]),
    (
        "supervisord",
        &["supervisord-config", "supervisord-core", "supervisord-ctl", "supervisord-daemon", "supervisord-wire"],
    ),
];

/// The crates without I/O, and the crates that they must not depend on.
const PURE: [&str; 3] = ["supervisord-config", "supervisord-core", "supervisord-wire"];
const IMPURE: [&str; 6] = ["libc", "nix", "mio", "tokio", "hyper", "signal-hook"];

/// The only crate that may contain unsafe code.
const UNSAFE: &str = "supervisord-sys";

#[test]
fn crates_depend_only_on_the_layers_below() {
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    for (package, manifest) in packages() {
        let known = allowed.get(package.as_str()).unwrap_or_else(|| panic!("{package} has no layer yet"));
        let ours: BTreeSet<&str> = dependencies(&manifest).filter(|name| name.starts_with("supervisord")).collect();
        for name in ours {
            assert!(known.contains(&name), "{package} must not depend on {name}");
        }
    }
}

#[test]
fn pure_crates_depend_on_nothing_that_touches_the_system() {
    for (package, manifest) in packages() {
        if PURE.contains(&package.as_str()) {
            for name in dependencies(&manifest) {
                assert!(!IMPURE.contains(&name), "{package} decides, so it must not depend on {name}");
            }
            let lints = directory(&manifest).join("clippy.toml");
            assert!(lints.exists(), "{package} needs a clippy.toml that forbids clocks, files and threads");
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere_but_in_one_crate() {
    let workspace = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("a manifest");
    assert!(workspace.contains("unsafe_code = \"forbid\""), "the workspace must forbid unsafe code");
    for (package, manifest) in packages() {
        let text = fs::read_to_string(manifest["manifest_path"].as_str().expect("a path")).expect("a manifest");
        let inherits = text.contains("[lints]\nworkspace = true");
        let documents = package == UNSAFE && text.contains("undocumented_unsafe_blocks");
        assert!(inherits || documents, "{package}: `[lints] workspace = true` belongs everywhere but in {UNSAFE}");
    }
}

/// A module is one direction: its file and the files in its directory must not use a file that uses them, directly or
/// through others. The same holds for the modules of a crate.
#[test]
fn modules_have_no_circular_dependencies() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found = Vec::new();
    for (package, _) in LAYERS {
        let Some(name) = package.strip_prefix("supervisord-") else { continue };
        let modules = uses::of_crate(&crates.join(name).join("src"));
        assert!(!modules[""].is_empty(), "the modules of {name} are read: {modules:?}");
        for (module, uses) in modules {
            found.extend(uses::circles(&uses).into_iter().map(|circle| (name, module.clone(), circle)));
        }
    }
    assert!(found.is_empty(), "these files use each other in circles: {found:#?}");
}

/// Whoever reads or searches for the name of a type finds one type: no two crates have public types of one name.
#[test]
fn no_two_crates_have_public_types_of_one_name() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (package, _) in LAYERS {
        let Some(krate) = package.strip_prefix("supervisord-") else { continue };
        let files = uses::product_files(&crates.join(krate).join("src"));
        let names: BTreeSet<String> = files.iter().flat_map(|(_, code)| public_types(code)).collect();
        assert!(names.len() > 2, "the types of {krate} are read: {names:?}");
        for name in names {
            found.entry(name).or_default().insert(krate);
        }
    }
    let shared: BTreeMap<&str, &BTreeSet<&str>> =
        found.iter().filter(|(_, crates)| crates.len() > 1).map(|(name, crates)| (name.as_str(), crates)).collect();
    assert!(shared.is_empty(), "several crates have public types of these names: {shared:#?}");
}

/// The names of the types that a file defines as `pub`.
fn public_types(code: &str) -> impl Iterator<Item = String> {
    code.lines().filter_map(|line| {
        let definition = line.trim_start().strip_prefix("pub ")?;
        let definition = definition.strip_prefix("unsafe ").unwrap_or(definition);
        let keywords = ["struct ", "enum ", "union ", "trait ", "type "];
        let rest = keywords.iter().find_map(|keyword| definition.strip_prefix(keyword))?;
        Some(rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect())
    })
}

#[test]
fn public_types_are_found_by_their_definitions() {
    let code = "pub struct One;\n    pub enum Two<T> {\npub(crate) struct Three;\nstruct Four;\npub fn five() {}\npub type Six = u8;\n";
    let names: Vec<String> = public_types(code).collect();
    assert_eq!(names, ["One", "Two", "Six"]);
}

/// Only the part of the daemon that talks to a client decides how an outcome looks to that client.
#[test]
fn core_uses_no_protocol_types() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src");
    for (path, text) in sources::files(&sources) {
        for module in ["fault", "value", "xmlrpc", "plugin"] {
            let name = format!("supervisord_wire::{module}");
            assert!(!text.contains(&name), "{} uses {name}", path.display());
        }
    }
}

/// What differs between systems stands in one module. Tests may ask for the system they run on.
#[test]
fn only_one_module_depends_on_the_target_system() {
    const QUESTIONS: [&str; 5] = ["target_os", "target_vendor", "target_arch", "target_env", "target_family"];
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut asked_in_its_place = 0;
    let in_src = |file: &Path| file.components().any(|part| part.as_os_str() == "src");
    for (file, text) in sources::files(&crates).into_iter().filter(|(file, _)| in_src(file)) {
        let is_the_place = file.starts_with(crates.join("sys/src/system")) || file.ends_with("sys/src/system.rs");
        let is_test = |line: &str| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test, ");
        let of_the_product = text.lines().take_while(|line| !is_test(line) || line.ends_with(";"));
        let asks = |line: &&str| QUESTIONS.iter().any(|question| line.contains(question));
        let asking: Vec<&str> = of_the_product.filter(asks).collect();
        if is_the_place {
            asked_in_its_place += asking.len();
        } else if !file.ends_with("tests.rs") {
            assert!(asking.is_empty(), "{}: {asking:?} belongs into sys/src/system", file.display());
        }
    }
    assert!(asked_in_its_place > 0, "this test finds what it looks for");
}

/// Samples are for tests: a release is built without them.
#[test]
fn only_tests_ask_for_samples() {
    for (package, manifest) in packages() {
        for dependency in list(&manifest["dependencies"]).iter().filter(|dependency| dependency["kind"] != "dev") {
            assert!(
                !list(&dependency["features"]).contains(&"samples".into()),
                "{package} must not be built with samples"
            );
        }
        assert!(!list(&manifest["features"]["default"]).contains(&"samples".into()), "{package} must not have samples");
    }
}

/// The packages of the workspace, by name.
fn packages() -> Vec<(String, Value)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = list(&metadata["packages"]);
    assert!(packages.len() >= LAYERS.len(), "the workspace has its crates");
    packages.iter().map(|package| (package["name"].as_str().unwrap_or_default().to_owned(), package.clone())).collect()
}

/// The names of all direct dependencies, of every kind.
fn dependencies(manifest: &Value) -> impl Iterator<Item = &str> {
    list(&manifest["dependencies"]).iter().filter_map(|dependency| dependency["name"].as_str())
}

/// The items of an array, which may be missing.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn directory(manifest: &Value) -> &Path {
    Path::new(manifest["manifest_path"].as_str().expect("a path")).parent().expect("a manifest lies in a directory")
}
