//! A JSON schema of the configuration, made from the option table: an object with a member for each section, as editors and linters
//! see it that read INI files as such objects.

use serde_json::{Map, Value, json};
use supervisord_config::schema::{Default, Kind, OptionSpec, SectionKind};

/// The schema, ending in a line feed.
pub fn text() -> String {
    let mut sections = Map::new();
    for kind in SectionKind::ALL {
        sections.insert(header(kind), section(kind));
    }
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "supervisord.conf",
        "type": "object",
        "patternProperties": sections,
    });
    format!("{document:#}\n")
}

/// A pattern of the headers of a kind of section.
fn header(kind: SectionKind) -> String {
    let named = SectionKind::of(&format!("{}:x", kind.word())).is_some();
    let bare = SectionKind::of(kind.word()).is_some();
    match (bare, named) {
        (true, true) => format!("^{}(:.+)?$", kind.word()),
        (true, false) => format!("^{}$", kind.word()),
        (false, _) => format!("^{}:.+$", kind.word()),
    }
}

fn section(kind: SectionKind) -> Value {
    let mut options = Map::new();
    for row in kind.options().filter(|row| !row.is_family) {
        for name in row.names() {
            options.insert(name.to_owned(), option(row));
        }
    }
    let is_partial = matches!(kind, SectionKind::Template | SectionKind::ProgramDefault);
    let families: Map<String, Value> =
        kind.options().filter(|row| row.is_family).map(|row| (pattern(row), option(row))).collect();
    // What is inherited from a template need not be here; only sections that inherit nothing can be asked for it.
    let inherits = kind.option("inherit").is_some();
    let required: Vec<&str> = match is_partial || inherits {
        true => Vec::new(),
        false => kind.options().filter(|row| row.required()).map(|row| row.name).collect(),
    };
    json!({
        "description": kind.describe().replace('\n', " "),
        "type": "object",
        "properties": options,
        "patternProperties": families,
        "required": required,
    })
}

/// A pattern of the names of a family of options.
fn pattern(row: &OptionSpec) -> String {
    let prefix = row.name.split('.').next().unwrap_or_default();
    format!("^{prefix}[.].+$")
}

fn option(row: &OptionSpec) -> Value {
    let default = match row.default {
        Default::Is(text) => format!("Default: {}.", if text.is_empty() { "empty" } else { text }),
        Default::Unset(meaning) => format!("Default: not set ({meaning})."),
        Default::Required => "It must be written.".to_owned(),
    };
    let mut schema = json!({
        "type": "string",
        "description": format!("{} ({}). {default}", row.help, row.kind.describe()),
    });
    let words: &[&str] = match row.kind {
        Kind::Boolean => &["true", "false"],
        Kind::AutoRestart => &["true", "false", "unexpected"],
        _ => &[],
    };
    if let Some(members) = schema.as_object_mut() {
        if let Default::Is(text) = row.default {
            members.insert("default".to_owned(), text.into());
        }
        if !words.is_empty() {
            members.insert("examples".to_owned(), words.into());
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_it_with_what_it_does() {
        let schema: Value = serde_json::from_str(&text()).unwrap();
        for kind in SectionKind::ALL {
            let section = &schema["patternProperties"][header(kind)];
            for row in kind.options().filter(|row| !row.is_family) {
                for name in row.names() {
                    let described = section["properties"][name]["description"].as_str().unwrap_or_default();
                    assert!(described.starts_with(row.help), "{name}: {described}");
                }
            }
        }
        assert_eq!(schema["patternProperties"]["^inet_http_server(:.+)?$"]["required"], json!(["port"]));
        assert!(schema["patternProperties"]["^program:.+$"]["properties"]["envfiles"].is_object());
        assert!(schema["patternProperties"]["^supervisord$"]["properties"]["exit_when"].is_object());
    }
}
