//! A JSON schema of the configuration, made from the option table: an object with a member for each section, as editors and linters
//! see it that read INI files as such objects.

use serde_json::{Map, Value, json};
use supervisord_config::schema::{Default, Kind, OptionSpec, SectionKind};

/// The schema, ending in a line feed.
pub fn text() -> String {
    let mut sections = Map::new();
    let mut commands = Map::new();
    for kind in SectionKind::ALL {
        sections.insert(header(kind), section(kind));
        if kind.option("inherit").is_some()
            && kind.option("command").is_some_and(OptionSpec::required)
            && !is_partial(kind)
        {
            let command = json!({ "anyOf": [{ "required": ["command"] }, { "required": ["inherit"] }] });
            commands.insert(header(kind), command);
        }
    }
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "supervisord.conf",
        "type": "object",
        "patternProperties": sections,
        // Values that count for all sections.
        "properties": { "DEFAULT": { "type": "object" } },
        "additionalProperties": false,
        // [program-default] may have the command.
        "if": { "required": ["program-default"], "properties": { "program-default": { "required": ["command"] } } },
        "else": { "patternProperties": commands },
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
    let families: Map<String, Value> =
        kind.options().filter(|row| row.is_family).map(|row| (pattern(row), option(row))).collect();
    // What is inherited from a template need not be here; only sections that inherit nothing can be asked for it.
    let inherits = kind.option("inherit").is_some();
    let required: Vec<&str> = match is_partial(kind) || inherits {
        true => Vec::new(),
        false => kind.options().filter(|row| row.required()).map(|row| row.name).collect(),
    };
    // What only the client and plug-ins read may have any name.
    let has_others = kind.is_open() || kind == SectionKind::Supervisorctl;
    json!({
        "description": kind.describe().replace('\n', " "),
        "type": "object",
        "properties": options,
        "patternProperties": families,
        "required": required,
        "additionalProperties": has_others,
    })
}

/// Whether what such a section lacks stands elsewhere.
fn is_partial(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::Template | SectionKind::ProgramDefault)
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
    if let Some(members) = schema.as_object_mut() {
        if let Default::Is(text) = row.default {
            members.insert("default".to_owned(), text.into());
        }
        let mut forms = Vec::new();
        let words = words(row.kind);
        if !words.is_empty() {
            forms.push(json!({ "enum": words }));
            // Most words are understood in any case.
            let is_understood = |word: &&&str| row.kind.convert(&word.to_uppercase()).is_ok();
            let in_any_case: Vec<String> = words.iter().filter(is_understood).map(|word| any_case(word)).collect();
            if !in_any_case.is_empty() {
                forms.push(json!({ "pattern": format!("^({})$", in_any_case.join("|")) }));
            }
        }
        forms.extend(form(row).map(|pattern| json!({ "pattern": format!("^[ \\t]*({pattern})[ \\t]*$") })));
        if !forms.is_empty() {
            // What an expansion stands for is not known here.
            forms.push(json!({ "pattern": "%[(]" }));
            members.insert("anyOf".to_owned(), forms.into());
        }
    }
    schema
}

/// The words that are understood as values of a kind; none where others are, too.
fn words(kind: Kind) -> Vec<&'static str> {
    let candidates: &[&str] = match kind {
        Kind::Boolean => &["true", "false", "yes", "no", "on", "off", "1", "0"],
        Kind::AutoRestart => &["true", "false", "unexpected", "yes", "no", "on", "off", "1", "0"],
        Kind::LogLevel => {
            &["critical", "error", "warn", "info", "debug", "trace", "blather", "crit", "erro", "debg", "trac", "blat"]
        }
        Kind::StopScope => &["process", "group", "tree", "cgroup"],
        Kind::ProgramType => &["simple", "oneshot"],
        Kind::ActivityFormat => &["text", "json"],
        Kind::WhenBlocked => &["block", "drop_oldest", "drop_newest"],
        Kind::ExitWhen => &["never", "all_finished", "any_failed"],
        Kind::UpdateMode => &["groups", "minimal"],
        Kind::Backoff => &["fixed", "linear", "exponential"],
        Kind::RestartLimit => &["unlimited"],
        Kind::OnDependencyFailure => &["ignore", "stop", "restart"],
        Kind::LogCompression => &["none", "gzip", "zstd"],
        Kind::UserRole => &["viewer", "operator", "admin"],
        Kind::Signal | Kind::Signals => &SIGNALS,
        _ => &[],
    };
    candidates.iter().copied().filter(|word| kind.convert(word).is_ok()).collect()
}

/// The names of signals that systems have; those of this system are in the schema.
const SIGNALS: [&str; 34] = [
    "TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "ILL",
    "IO", "IOT", "PIPE", "POLL", "PROF", "PWR", "SEGV", "STKFLT", "STOP", "SYS", "TRAP", "TSTP", "TTIN", "TTOU", "URG",
    "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// A pattern of what else is understood as a value of an option; none where that cannot be said by a pattern.
fn form(row: &OptionSpec) -> Option<String> {
    const INTEGER: &str = "[0-9][0-9_]*";
    const DURATION: &str = "[0-9]+([.][0-9]+)?[ \\t]*([Mm][Ss]|[Ss]|[Mm]|[Mm][Ii][Nn]|[Hh]|[Dd])?";
    const SIZE: &str = "[0-9][0-9_]*[ \\t]*([KkMmGg][Bb])?";
    let signed = |number: &str| match row.range.0 {
        ..0 => format!("[+-]?{number}"),
        0 => format!("[+]?{number}|-0+"),
        // Not zero.
        _ => "[+]?[0_]*[1-9][0-9_]*".to_owned(),
    };
    Some(match row.kind {
        Kind::Integer => signed(INTEGER),
        // A calculation may have a negative number in it.
        Kind::Count => format!("[+-]?{INTEGER}|.*[Cc][Pp][Uu][Ss].*"),
        Kind::Fraction => "[+-]?[0-9]*[.]?[0-9]*([eE][+-]?[0-9]+)?".to_owned(),
        Kind::Duration => DURATION.to_owned(),
        Kind::ByteSize => format!("[+-]?{SIZE}"),
        Kind::DiskReserve => format!("{SIZE}|[0-9]+[ \\t]*%%?"),
        Kind::Octal => "[+]?(0[oO])?[0-7_]+".to_owned(),
        Kind::ExitCodes => "[0-9_+ \\t,]*".to_owned(),
        Kind::RestartLimit => format!("[0-9]+[ \\t]*/[ \\t]*{DURATION}"),
        Kind::WhenBlocked => format!("[Ss][Pp][Ii][Ll][Ll]:[ \\t]*{SIZE}"),
        Kind::Signal => signal(),
        Kind::Signals => format!("{0}([ \\t]*,[ \\t]*{0})*", signal()),
        _ => return None,
    })
}

/// A pattern of one signal, by name or number.
fn signal() -> String {
    let names: Vec<String> = words(Kind::Signal).into_iter().map(any_case).collect();
    format!("(([Ss][Ii][Gg])?({}|[Rr][Tt][Mm](?:[Ii][Nn]|[Aa][Xx])([+-][0-9]+)?)|[0-9]+)", names.join("|"))
}

/// A pattern of a word in any case.
fn any_case(word: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!("[{}{}]", letter.to_ascii_uppercase(), letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    word.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use supervisord_config::line_pattern::LinePattern;

    use super::*;

    /// Whether an object fits a schema, as far as this one uses the language.
    fn fits(value: &Value, schema: &Value) -> bool {
        let matches = |pattern: &str, text: &str| LinePattern::parse(pattern).expect("a pattern").is_match(text);
        let Some(schema) = schema.as_object() else { return schema != &Value::Bool(false) };
        let all = |name: &str| schema.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let members = |name: &str| schema.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        for (rule, what) in schema {
            let holds = match rule.as_str() {
                "type" => value.is_object() == (what == "object") && value.is_string() == (what == "string"),
                "enum" => all(rule).contains(value),
                "pattern" => value.as_str().is_none_or(|text| matches(what.as_str().expect("text"), text)),
                "anyOf" => all(rule).iter().any(|schema| fits(value, schema)),
                "required" => all(rule).iter().all(|name| value.get(name.as_str().expect("text")).is_some()),
                "else" => fits(value, &schema["if"]) || fits(value, what),
                "properties" => {
                    members(rule).iter().all(|(name, schema)| value.get(name).is_none_or(|value| fits(value, schema)))
                }
                "patternProperties" => members(rule).iter().all(|(pattern, schema)| {
                    let mut found = value.as_object().into_iter().flatten().filter(|(name, _)| matches(pattern, name));
                    found.all(|(_, value)| fits(value, schema))
                }),
                "additionalProperties" => value.as_object().into_iter().flatten().all(|(name, value)| {
                    members("properties").contains_key(name)
                        || members("patternProperties").keys().any(|pattern| matches(pattern, name))
                        || fits(value, what)
                }),
                "$schema" | "title" | "description" | "default" | "if" => true,
                other => panic!("{other} is not checked"),
            };
            if !holds {
                return false;
            }
        }
        true
    }

    #[test]
    fn what_the_check_refuses_does_not_fit_and_what_it_takes_does() {
        let schema: Value = serde_json::from_str(&text()).expect("it is JSON");
        let with = |option: &str, value: &str| json!({ "program:x": { "command": "/bin/x", option: value } });
        for (option, good, bad) in [
            ("autostart", &["true", "OFF", "1", "%(ENV_X)s"][..], &["maybe", ""][..]),
            ("autorestart", &["unexpected", "True"], &["sometimes"]),
            ("stdout_logfile_compress", &["gzip", "zstd", "none"], &["bz2"]),
            ("numprocs", &["4", "cpus*2", "%(ENV_N)s"], &["x"]),
            ("stopsignal", &["TERM", "SIGHUP", "sigusr1", "9", "INT,TERM"], &["FOO", "TERM,FOO"]),
            ("startsecs", &["0", "10", "+5"], &["1.5x", "ten"]),
            ("stdout_logfile_maxbytes", &["50MB", "1kb", "0"], &["50TB", "x"]),
            ("log_when_blocked", &["block", "spill:64MB"], &["spill", "wait"]),
            ("umask", &["022", "0o22"], &["9"]),
            ("comand", &[], &["x"]),
        ] {
            good.iter().for_each(|value| assert!(fits(&with(option, value), &schema), "{option}={value}"));
            bad.iter().for_each(|value| assert!(!fits(&with(option, value), &schema), "{option}={value}"));
        }
        for (document, is_good) in [
            (json!({ "program:x": {} }), false),
            (json!({ "program:x": { "inherit": "t" }, "template:t": { "command": "a" } }), true),
            (json!({ "program:x": {}, "program-default": { "command": "a" } }), true),
            (json!({ "program:x": {}, "program-default": { "startsecs": "1" } }), false),
            (json!({ "prgram:x": { "command": "a" } }), false),
            (json!({ "program:x": { "command": "a", "secret.A": "file:/x" }, "DEFAULT": { "a": "b" } }), true),
            (json!({ "rpcinterface:x": { "supervisor.rpcinterface_factory": "a:b", "retries": "3" } }), true),
            (json!({ "supervisord": { "loglevel": "loud" } }), false),
        ] {
            assert_eq!(fits(&document, &schema), is_good, "{document}");
        }
    }

    #[test]
    fn what_the_table_shows_fits() {
        for kind in SectionKind::ALL {
            for row in kind.options().filter(|row| !row.shown().is_empty()) {
                assert!(fits(&row.shown().into(), &option(row)), "{}={}: {}", row.name, row.shown(), option(row));
            }
        }
    }

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
