//! One comparison with the original for every option of every section.
//!
//! [`pins!`] declares a test together with its options; [`coverage`] demands a test for every option of the option
//! table.

use std::collections::BTreeSet;
use std::path::Path;

use supervisord_config::schema::{OptionSpec, TABLE};

use crate::harness::areas::Area;
use crate::harness::{record, sources};

/// Declares tests, each with the options that it covers. An option is written `"section option"`, with the section
/// without the part after its colon; `PINNED` lists them all.
macro_rules! pins {
    ($($(#[$about:meta])* $name:ident: $($option:literal)+ => $body:block)+) => {
        pub const PINNED: &[&str] = &[$($($option),+),+];
        $($(#[$about])* #[test] fn $name() $body)+
    };
}

mod fcgi;
mod listener;
mod logs;
mod program;
mod servers;
mod supervisord;

/// Every option of the option table has a test, and every option with a test exists.
#[test]
fn coverage() {
    let pinned: BTreeSet<&str> = [
        fcgi::PINNED,
        listener::PINNED,
        logs::PINNED,
        program::PINNED,
        servers::PINNED,
        supervisord::PINNED,
        crate::survival::PINNED,
        crate::order::PINNED,
        crate::stopping::PINNED,
        crate::changing::PINNED,
        crate::containers::PINNED,
        crate::restarts::PINNED,
        crate::health::PINNED,
        crate::readiness::PINNED,
        crate::hooks::PINNED,
        crate::blocked_logs::PINNED,
        crate::log_formats::PINNED,
        crate::oneshot::PINNED,
        crate::rights::PINNED,
        crate::reload::PINNED,
        crate::tls::PINNED,
        crate::rotated_logs::PINNED,
        crate::templates::PINNED,
        crate::enablement::PINNED,
        crate::env_command::PINNED,
        crate::environment_files::PINNED,
        crate::forwarding::PINNED,
        crate::output_memory::PINNED,
        crate::secrets::PINNED,
    ]
    .iter()
    .flat_map(|pinned| pinned.iter().copied())
    .collect();
    let known: BTreeSet<String> =
        TABLE.iter().map(|option| format!("{} {}", option.section.word(), option.name)).collect();
    let bare: Vec<&String> = known.iter().filter(|option| !pinned.contains(option.as_str())).collect();
    record::covered(Area::Configuration, "options", known.len() - bare.len(), known.len());
    assert!(bare.is_empty(), "options without a test: {bare:?}");
    let unknown: Vec<&&str> = pinned.iter().filter(|option| !known.contains(**option)).collect();
    assert!(unknown.is_empty(), "tests of options that do not exist: {unknown:?}");
}

/// Product code by file, without its tests.
fn product_code() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let files = sources::files(&crates).into_iter().filter_map(|(path, text)| {
        let name = path.strip_prefix(&crates).ok()?.to_str()?.to_owned();
        let is_product = name.contains("/src/") && !name.contains("tests") && !name.ends_with("golden.rs");
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        is_product.then_some((name, product))
    });
    files.collect()
}

/// The options of programs that the original does not have.
fn new_options() -> impl Iterator<Item = &'static OptionSpec> {
    TABLE.iter().filter(|row| row.of_process().is_some() && row.since.starts_with("0."))
}

const ROWS: &str = "config/src/schema/rows.rs";

/// Where the fields of the options are, by concern.
const MODEL: &str = "config/src/model/";

/// Texts that are no options: members of JSON and XML-RPC, and causes of stops that are called like the options; the place of what
/// a check has found; and what the words of other supervisors mean.
const MEANS_SOMETHING_ELSE: [(&str, &str); 15] = [
    ("type", "daemon/src/json_schema.rs"),
    ("type", "daemon/src/xmlrpc/methods/table.rs"),
    ("type", "daemon/src/network/api_v1/actions.rs"),
    ("type", "daemon/src/network/api_v1/messages.rs"),
    ("type", "daemon/src/network/api_v1/openapi.rs"),
    ("type", "daemon/src/network/api_v1/problem.rs"),
    ("type", "daemon/src/network/api_v1/scale.rs"),
    ("type", "ctl/src/mcp/tools.rs"),
    ("tags", "daemon/src/network/api_v1/program_resource.rs"),
    ("syslog_cafile", "daemon/src/inquiry/system.rs"),
    ("nice", "daemon/src/inquiry/system.rs"),
    ("max_runtime", "core/src/process/stop_decision.rs"),
    ("recycle_after", "core/src/process/stop_decision.rs"),
    ("depends_on", "config/src/assemble/unknown.rs"),
    ("restart_delay", "config/src/assemble/unknown.rs"),
];

/// How the field of an option is called in the code: `type` is a keyword, and both logs of a program are of one type.
fn identifier(option: &str) -> String {
    let option = option.trim_start_matches("stdout_").trim_start_matches("stderr_");
    match option {
        "type" => format!("r#{option}"),
        // The option is written with names of the user's.
        "secret.name" => "secrets".to_owned(),
        _ => option.to_owned(),
    }
}

/// What reads, compares, keeps and shows options does so by the table, and knows none of them by its name.
#[test]
fn a_new_option_is_a_row_a_field_and_its_use() {
    let code = product_code();
    for row in new_options() {
        let named: Vec<&str> = code
            .iter()
            .filter(|(_, text)| text.contains(&format!("\"{}\"", row.name)))
            .map(|(file, _)| &**file)
            .filter(|file| !MEANS_SOMETHING_ELSE.contains(&(row.name, file)))
            .collect();
        assert_eq!(named, [ROWS], "{} is named elsewhere", row.name);
        let is_used = |text: &str| {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            // A text that names the option is no use of it.
            let field = identifier(row.name);
            code.map(|line| line.split('"').step_by(2).collect::<Vec<_>>().join("\"")).any(|line| {
                line.match_indices(&field)
                    .any(|(at, name)| !line[..at].ends_with(is_part) && !line[at + name.len()..].starts_with(is_part))
            })
        };
        let of_the_option = |file: &str| ["config/", "core/", "daemon/"].iter().any(|krate| file.starts_with(krate));
        let files: Vec<&str> =
            code.iter().filter(|(file, text)| of_the_option(file) && is_used(text)).map(|(file, _)| &**file).collect();
        let used: Vec<&&str> = files.iter().filter(|file| **file != ROWS && !file.starts_with(MODEL)).collect();
        assert_eq!((files.len(), used.len()), (3, 1), "{} is in {files:?}", row.name);
    }
}

/// Files that deal with all options alike, with the names of options that they may know: two that mean a group or a process
/// here, and those that plug-ins see under another name or with a path that was made up.
const GENERIC: [(&str, &[&str]); 9] = [
    ("config/src/diff.rs", &["priority"]),
    ("config/src/model/process.rs", &[]),
    ("config/src/reader.rs", &[]),
    ("config/src/reference.rs", &[]),
    ("config/src/schema.rs", &[]),
    ("config/src/schema/option.rs", &[]),
    ("daemon/src/plugin_process/snapshot.rs", &["priority", "user", "stdout_logfile", "stderr_logfile"]),
    ("daemon/src/state/definition.rs", &["command"]),
    ("daemon/src/state/options.rs", &[]),
];

#[test]
fn what_deals_with_all_options_knows_none_by_its_name() {
    let code = product_code();
    for (file, known) in GENERIC {
        let (_, text) = code.iter().find(|(name, _)| name == file).unwrap_or_else(|| panic!("{file} has gone"));
        let options =
            TABLE.iter().filter(|row| row.of_process().is_some() && text.contains(&format!("\"{}\"", row.name)));
        let named: BTreeSet<&str> = options.map(|row| row.name).collect();
        assert_eq!(named, known.iter().copied().collect(), "{file}");
    }
}
