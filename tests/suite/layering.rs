//! The allowed dependencies of crates and modules, and the only place of `unsafe`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::sources;

/// Each crate with our crates that it may depend on (tests included).
const LAYERS: [(&str, &[&str]); 7] = [
    ("supervisord-config", &[]),
    ("supervisord-wire", &[]),
    ("supervisord-sys", &[]),
    ("supervisord-core", &["supervisord-config", "supervisord-wire"]),
    ("supervisord-ctl", &["supervisord-config", "supervisord-sys", "supervisord-wire"]),
    ("supervisord-daemon", &["supervisord-config", "supervisord-core", "supervisord-sys", "supervisord-wire"]),
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

/// Modules that still depend on each other in circles, with their crates. This list may only shrink.
const CIRCLES: [(&str, &[&str]); 1] = [("sys", &["capabilities", "clock", "errno", "spawn", "system", "user"])];

/// A module must not use a module that uses it, directly or through others.
#[test]
fn modules_have_no_circular_dependencies() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found = Vec::new();
    for (package, _) in LAYERS {
        let Some(name) = package.strip_prefix("supervisord-") else { continue };
        let uses = uses(&crates.join(name).join("src"));
        assert!(uses.len() > 4, "the modules of {name} are read: {uses:?}");
        found.extend(circles(&uses).into_iter().map(|circle| (name, circle)));
    }
    let is_within = |circle: &[String], known: &[&str]| circle.iter().all(|module| known.contains(&module.as_str()));
    for (name, circle) in &found {
        let is_known = CIRCLES.iter().any(|(of, known)| of == name && is_within(circle, known));
        assert!(is_known, "{name}: these modules use each other in a circle: {circle:?}");
    }
    for (name, known) in CIRCLES {
        let is_there = found.iter().any(|(of, circle)| *of == name && is_within(circle, known));
        assert!(is_there, "{name}: the circle of {known:?} has gone, take it off the list");
    }
}

/// Directories of the daemon whose files use each other in one direction, too.
const DIRECTORIES: [&str; 2] = ["xmlrpc", "xmlrpc/methods"];

#[test]
fn files_of_a_directory_use_each_other_in_one_direction() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/daemon/src");
    for directory in DIRECTORIES {
        let uses = uses_within(&source, directory);
        assert!(uses.len() > 2, "the files of {directory} are read: {uses:?}");
        assert_eq!(circles(&uses), Vec::<Vec<String>>::new(), "{directory}: these files use each other in a circle");
    }
}

/// The files of a directory, and the file above them under the name of the directory, each with those it uses. What is in a
/// directory of its own counts for the file above it.
fn uses_within(source: &Path, directory: &str) -> Uses {
    let top = directory.rsplit('/').next().unwrap_or_default();
    let absolute = format!("crate::{}::", directory.replace('/', "::"));
    let below = source.join(directory);
    let mut uses = Uses::new();
    for (path, text) in sources::files(&below) {
        let path = path.strip_prefix(&below).expect("it lies there").with_extension("");
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        if names.iter().all(|name| name != "tests") {
            let relative = "super::".repeat(names.len());
            let text = text.replace(&absolute, "<here>").replace("crate::", "<there>");
            let text = text.replace(&format!("{relative}super::"), "<there>").replace(&relative, "<here>");
            uses.entry(names[0].clone().into_owned()).or_default().extend(used(&text.replace("<here>", "crate::")));
        }
    }
    let files: BTreeSet<String> = uses.keys().cloned().collect();
    for (file, used) in &mut uses {
        // What is no file is an item of the file above.
        *used = used.iter().map(|name| if files.contains(name) { name.clone() } else { top.to_owned() }).collect();
        used.remove(file);
    }
    let above = fs::read_to_string(below.with_extension("rs")).expect("the file above");
    let calls = |file: &&String| above.contains(&format!(" {file}::")) || above.contains(&format!("({file}::"));
    uses.insert(top.to_owned(), files.iter().filter(calls).cloned().collect());
    uses
}

#[test]
fn circles_of_any_length_are_found() {
    let uses = |edges: &[(&str, &[&str])]| -> Uses {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(from, to)| ((*from).to_owned(), set(to))).collect()
    };
    let tree = uses(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert!(circles(&tree).is_empty());
    let circle = uses(&[("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &["e"]), ("e", &["d"]), ("f", &["a"])]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(circles(&circle), [names(&["b", "c"]), names(&["d", "e"])]);
    let text = "use crate::a::{self, b};\nuse crate::{\n    c::d,\n    e::{f, g},\n    h,\n};\n// crate::i\nlet x = crate::j();\n\
        #[cfg(test)]\nmod tests {\n    use crate::k;\n}\n";
    assert_eq!(used(text), names(&["a", "c", "e", "h", "j"]));
}

/// The modules at the top of a crate, each with those it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn uses(source: &Path) -> Uses {
    let mut uses = Uses::new();
    for (path, text) in sources::files(source) {
        let path = path.strip_prefix(source).expect("it lies there").with_extension("");
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        if names[0] != "lib" && names.iter().all(|name| name != "tests") {
            uses.entry(names[0].clone().into_owned()).or_default().extend(used(&text));
        }
    }
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    for (module, used) in &mut uses {
        used.retain(|other| other != module && modules.contains(other));
    }
    uses
}

/// The names after `crate::` in a text, except in its tests and comments.
fn used(text: &str) -> Vec<String> {
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let name = |item: &str| -> String {
        item.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut names = Vec::new();
    for path in code.split("crate::").skip(1) {
        let Some(group) = path.strip_prefix('{').and_then(|group| group.split(';').next()) else {
            names.push(name(path));
            continue;
        };
        let mut depth = 0;
        let items = group.split(|letter| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        });
        names.extend(items.map(name).filter(|name| !name.is_empty()));
    }
    names
}

/// The modules of each circle, in order.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reached = |from: &String| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&String> = vec![from];
        while let Some(module) = next.pop() {
            next.extend(uses.get(module).into_iter().flatten().filter(|used| reached.insert((*used).clone())));
        }
        reached
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|module| (module, reached(module))).collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for (module, others) in reached.iter().filter(|(module, others)| others.contains(**module)) {
        if !circles.iter().flatten().any(|known| known == *module) {
            circles.push(others.iter().filter(|other| reached[other].contains(*module)).cloned().collect());
        }
    }
    circles
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
