//! Which modules of a crate use which, read from its sources.
//!
//! Within each module, its children and the file of the module itself are looked at: a file uses another one if it names
//! it, or something that is in it, by a path that begins with `crate`, `super` or the name of a child. What a module
//! re-exports counts as use of the file it comes from; re-exporting alone is no use. Methods that one type has in several
//! files are not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::harness::sources;

/// The file of a module itself among the children of that module.
pub const ITSELF: &str = "(itself)";

/// Files of one module, each with those it uses.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// The modules of a crate by their paths (`control::spawn`, empty for the crate), with what the files in each of them use.
pub fn of_crate(source: &Path) -> BTreeMap<String, Uses> {
    of_modules(&product_files(source).into_iter().collect())
}

/// The files of a crate without its tests, by their modules, each without its comments.
pub fn product_files(source: &Path) -> Vec<(Module, String)> {
    let files = sources::files(source).into_iter().filter_map(|(path, text)| {
        let path = path.strip_prefix(source).expect("it lies there").with_extension("");
        let module: Module = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let is_test = module.iter().any(|name| name == "tests");
        let module = if module == ["lib"] { Module::new() } else { module };
        (!is_test).then(|| (module, code(&text)))
    });
    files.collect()
}

/// The path of a module within its crate.
pub type Module = Vec<String>;

fn of_modules(files: &BTreeMap<Module, String>) -> BTreeMap<String, Uses> {
    let mut found: BTreeMap<String, Uses> = BTreeMap::new();
    let parsed: BTreeMap<&Module, File> =
        files.iter().map(|(module, code)| (module, File::parse(module, code))).collect();
    let has = |module: &[String]| files.contains_key(module);
    for (module, file) in &parsed {
        let own = file.paths.iter().filter(|path| has(&[module.as_slice(), &path[..1]].concat()));
        let from_itself = own.map(|path| [module.as_slice(), path].concat());
        for path in file.absolute.iter().cloned().chain(from_itself) {
            let shared = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (within, rest) = path.split_at(shared);
            let used = rest.first().map_or(ITSELF, |name| match has(&path[..=shared]) {
                true => name,
                false => parsed.get(&within.to_vec()).and_then(|file| file.origin(name)).unwrap_or(ITSELF),
            });
            let user = module.get(shared).map_or(ITSELF, String::as_str);
            if user != used {
                let uses = found.entry(within.join("::")).or_default();
                uses.entry(user.to_owned()).or_default().insert(used.to_owned());
            }
        }
    }
    found
}

/// What a source file names.
#[derive(Default)]
struct File {
    /// Paths from the crate on, by `crate` and `super`.
    absolute: Vec<Vec<String>>,
    /// Paths that begin otherwise, perhaps with a child of the module.
    paths: Vec<Vec<String>>,
    /// Names that the module has from elsewhere, with the first parts of their paths.
    imported: BTreeMap<String, String>,
}

impl File {
    fn parse(module: &[String], code: &str) -> File {
        let mut file = File::default();
        let mut rest = String::new();
        let mut re_exports = Vec::new();
        for statement in statements(code) {
            match statement.split_once("use ").filter(|(before, _)| is_visibility(before)) {
                None => rest.push_str(statement),
                Some((visibility, tree)) => {
                    for path in expand(tree.trim_start_matches("self::")) {
                        let name = path.last().cloned().unwrap_or_default();
                        match path.first().map(String::as_str) {
                            Some("crate" | "super") => file.absolute.extend(absolute(module, &path)),
                            Some(first) => {
                                file.imported.insert(name.clone(), first.to_owned());
                                match visibility.trim().is_empty() {
                                    true => file.paths.push(path),
                                    false => re_exports.push((name, path)),
                                }
                            }
                            None => {}
                        }
                    }
                }
            }
            rest.push('\n');
        }
        for path in inline(&rest) {
            match path[0].as_str() {
                "crate" | "super" => file.absolute.extend(absolute(module, &path)),
                _ => file.paths.push(path),
            }
        }
        let words: BTreeSet<&str> = rest.split(|letter: char| !is_of_name(letter)).collect();
        file.paths
            .extend(re_exports.into_iter().filter(|(name, _)| words.contains(name.as_str())).map(|(_, path)| path));
        file
    }

    /// The child of the module that a name comes from.
    fn origin(&self, name: &str) -> Option<&str> {
        self.imported.get(name).map(String::as_str)
    }
}

/// The text of a file without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// Everything up to a semicolon that ends a line, and the lines that contain none.
fn statements(code: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut rest = code;
    while !rest.is_empty() {
        let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let is_use = rest[..line].split_once("use ").is_some_and(|(before, _)| is_visibility(before));
        let end = if is_use { rest.find(";\n").map_or(rest.len(), |end| end + 2) } else { line };
        statements.push(&rest[..end]);
        rest = &rest[end..];
    }
    statements
}

fn is_visibility(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text == "pub" || text.starts_with("pub(") && text.ends_with(')')
}

/// `a::{b, c::d}` becomes `a::b` and `a::c::d`; other names end with the path.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    if let Some(group) = tree.strip_prefix('{') {
        let mut depth = 0;
        let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
        let items = group.split(|letter| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        });
        return items.flat_map(expand).collect();
    }
    let name: String = tree.chars().take_while(|letter| is_of_name(*letter)).collect();
    if name.is_empty() || name == "self" {
        return if name.is_empty() { Vec::new() } else { vec![Vec::new()] };
    }
    match tree[name.len()..].strip_prefix("::") {
        None => vec![vec![name]],
        Some(rest) => {
            let below = expand(rest);
            let with = |below: Vec<String>| [vec![name.clone()], below].concat();
            if below.is_empty() { vec![vec![name]] } else { below.into_iter().map(with).collect() }
        }
    }
}

/// The paths in a text that has no `use`.
fn inline(text: &str) -> Vec<Vec<String>> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    let mut start = None;
    for (index, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        if is_of_name(letter) || letter == ':' {
            start.get_or_insert(index);
        } else if let Some(start) = start.take() {
            // The place in `pub(in crate::control)` uses nothing.
            let is_visibility = text[..start].ends_with("(in ");
            let path: Vec<String> = text[start..index].split("::").map(str::to_owned).collect();
            if path.len() > 1 && !is_visibility && !path[0].is_empty() {
                paths.push(path);
            }
        }
    }
    paths
}

/// A path that begins with `crate` or `super`, from the crate on.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let base = if ups == 0 { &[] } else { module.get(..module.len().checked_sub(ups)?)? };
    Some([base, &path[ups.max(1)..]].concat())
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The modules of each circle, in order.
pub fn circles(uses: &Uses) -> Vec<Vec<String>> {
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
            let is_in_it = |other: &&String| reached.get(other).is_some_and(|others| others.contains(*module));
            circles.push(others.iter().filter(is_in_it).cloned().collect());
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn circles_of_any_length_are_found() {
        let uses = |edges: &[(&str, &[&str])]| -> Uses {
            let set = |used: &[&str]| names(used).into_iter().collect();
            edges.iter().map(|(from, to)| ((*from).to_owned(), set(to))).collect()
        };
        let tree = uses(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
        assert!(circles(&tree).is_empty());
        let circle =
            uses(&[("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &["e"]), ("e", &["d"]), ("f", &["a"])]);
        assert_eq!(circles(&circle), [names(&["b", "c"]), names(&["d", "e"])]);
    }

    #[test]
    fn what_a_file_uses_is_found_at_the_level_where_the_paths_part() {
        let files = [
            ("", "pub mod a;\npub mod b;\n"),
            ("a", "mod c;\nmod d;\npub use c::{One, Two};\nfn f(two: Two) -> d::Three {}\nuse std::fs;\n"),
            ("a::c", "use super::d::Three;\nuse crate::b::{self, e};\npub(in crate::a) struct One;\n// crate::x::y\n"),
            ("a::d", "use super::{\n    One,\n    Four,\n};\nmod tests {\nuse crate::b::Five;\n}\n"),
            ("b", "fn g() { crate::a::One }\n"),
        ];
        let path = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let found = of_modules(&files.iter().map(|(name, text)| (path(name), code(text))).collect());
        let uses = |module: &str, user: &str| -> Vec<String> {
            found[module].get(user).into_iter().flatten().cloned().collect()
        };
        assert_eq!([uses("", "a"), uses("", "b"), uses("", ITSELF)], [names(&["b"]), names(&["a"]), names(&[])]);
        assert_eq!(uses("a", ITSELF), names(&["c", "d"]), "what is only re-exported is not used");
        assert_eq!(uses("a", "c"), names(&["d"]));
        assert_eq!(uses("a", "d"), names(&[ITSELF, "c"]), "what is re-exported comes from its file");
    }
}
