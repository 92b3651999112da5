//! What Supervisor 4.3.0 was seen to make of some four hundred inputs, and whether we make the same of them.

use serde_json::Value;

use crate::command_line::CommandLineFlags;
use crate::complaint::Complaint;
use crate::convert;
use crate::environment::pairs;
use crate::expand::ExpansionNames;
use crate::fake_host::FakeHost;
use crate::ini::Ini;
use crate::model::{AutoRestart, LogFile};
use crate::schema::{Context, Kind};
use crate::{load, signal, value};

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'c>(case: &'c Value, key: &str) -> &'c str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} in {case}"))
}

/// The outcome that a case records, in the form of our own result.
fn recorded(case: &Value, key: &str) -> Result<Value, String> {
    match case.get("error") {
        Some(error) => Err(error.as_str().unwrap().to_owned()),
        None => Ok(case[key].clone()),
    }
}

#[test]
fn files_are_cut_into_sections_and_options() {
    for case in cases(include_str!("../tests-data/ini.json")) {
        let mut ini = Ini::default();
        let read = ini.read("FILE", text(&case, "text").as_bytes());
        let sections: Vec<_> = ini
            .sections()
            .map(|section| {
                let options: Vec<_> = ini.options(section).map(|(name, entry)| (name, &entry.value)).collect();
                (section.name(), options)
            })
            .collect();
        let outcome =
            read.map(|()| serde_json::to_value(sections).unwrap()).map_err(|error| error.message().to_owned());
        assert_eq!(outcome, recorded(&case, "sections"), "{case}");
    }
}

/// What 4.3.0 refuses and 4.4 reads.
const READ_BY_4_4: [&str; 1] = ["A=\u{e9}a,B=1"];

#[test]
fn environments_are_read() {
    for case in cases(include_str!("../tests-data/environment.json")) {
        if READ_BY_4_4.contains(&text(&case, "text")) {
            assert!(pairs(text(&case, "text")).is_ok() && case["error"].is_string(), "{case}");
            continue;
        }
        let outcome = pairs(text(&case, "text"));
        let outcome =
            outcome.map(|pairs| serde_json::to_value(pairs).unwrap()).map_err(|complaint| complaint.to_string());
        assert_eq!(outcome, recorded(&case, "pairs"), "{case}");
    }
}

/// Values that we take otherwise on purpose, with our outcome.
const OTHER_VALUES: [(&str, &str, &str); 7] = [
    ("signal", "_DFL", "error: value '_DFL' is not a valid signal name"),
    ("signal", "SIG_BLOCK", "error: value 'SIG_BLOCK' is not a valid signal name"),
    ("signal", "0", "error: value '0' is not a valid signal number"),
    // As a mask it would mean something else than what is written.
    ("octal", "-022", "error: -022 can not be converted to an octal type"),
    ("name", "", "error: Invalid name: '' because it is empty"),
    ("inet_address", "[::1]:9001", "[\"::1\",9001]"),
    // Both mean that there is no log; we do not keep them apart.
    ("child_logfile", "", "\"NONE\""),
];

fn child_log(text: &str) -> Result<String, Complaint> {
    let (host, names) = (FakeHost::new(), ExpansionNames::new());
    let context = Context { host: &host, names: &names, section: "", option: "stdout_logfile" };
    Ok(match Kind::ChildLog.convert_on(text, &context)? {
        value::ConfigValue::Syslog => "SYSLOG".to_owned(),
        value::ConfigValue::LogFile(file) => match file.into_owned() {
            LogFile::None => "NONE".to_owned(),
            LogFile::Auto => "AUTO".to_owned(),
            LogFile::Path(path) => path.to_string(),
        },
        other => panic!("{other:?}"),
    })
}

fn convert(kind: &str, text: &str) -> Result<Value, String> {
    let outcome = match kind {
        "integer" => convert::integer(text).map(Value::from),
        "boolean" => convert::boolean(text).map(Value::from),
        "byte_size" => convert::byte_size(text).map(Value::from),
        "octal" => convert::octal(text).map(Value::from),
        "loglevel" => convert::log_level(text).map(|level| Value::from(level.number())),
        "signal" => signal::parse_stop_signal(text).map(Value::from),
        "exit_codes" => convert::exit_codes(text).map(Value::from),
        "name" => convert::name(text).map(Value::from),
        "inet_address" => convert::inet_address(text).map(|address| serde_json::to_value(address).unwrap()),
        "autorestart" => convert::auto_restart(text).map(|restart| {
            Value::from(match restart {
                AutoRestart::Always => "always",
                AutoRestart::Never => "never",
                AutoRestart::Unexpected => "unexpected",
            })
        }),
        "child_logfile" => child_log(text).map(Value::from),
        "string_list" => Ok(Value::from(convert::strings(text))),
        _ => panic!("unknown kind {kind}"),
    };
    outcome.map_err(|complaint| complaint.to_string())
}

#[test]
fn values_are_converted() {
    let mut others = 0;
    for case in cases(include_str!("../tests-data/values.json")) {
        let (kind, text) = (text(&case, "kind"), text(&case, "text"));
        let outcome = convert(kind, text);
        let other = OTHER_VALUES.iter().find(|(other_kind, other, _)| (*other_kind, *other) == (kind, text));
        match other {
            None => assert_eq!(outcome, recorded(&case, "value"), "{case}"),
            Some((_, _, expected)) => {
                others += 1;
                let shown = outcome.map_or_else(|error| format!("error: {error}"), |value| value.to_string());
                assert_eq!(&shown, expected, "{case}");
            }
        }
    }
    assert_eq!(others, OTHER_VALUES.len());
}

/// Files that we take otherwise on purpose: why, and our message; none where we accept the file.
const OTHER_FILES: &[(&str, &str, Option<&str>)] = &[
    ("program stopsignal=0", "a signal that stops nothing", Some("value '0' is not a valid signal number@IN_P@")),
    ("program stopsignal=_DFL", "no signal", Some("value 'SIG_DFL' is not a valid signal name@IN_P@")),
    ("program stopsignal=SIGTERM,TERM", "several signals are sent one after the other", None),
    ("program empty name", "nobody can address it", Some("Invalid name: '' because it is empty")),
    ("group empty name", "nobody can address it", Some("Invalid name: '' because it is empty")),
    ("group trailing comma", "it names the wrong section", Some("[group:g] names unknown program or fcgi-program ")),
    ("fcgi bad socket scheme", "it shows its inside", Some("Bad socket format http://foo in [fcgi-program:f] socket")),
    ("fcgi tcp no port", "it shows its inside", Some("Bad socket format tcp://127.0.0.1 in [fcgi-program:f] socket")),
    (
        "fcgi unix relative",
        "it shows its inside",
        Some("Unix socket path rel.sock is not an absolute path in [fcgi-program:f] socket"),
    ),
    (
        "fcgi unix home-relative",
        "it shows its inside",
        Some("Unix socket path ~/f.sock is not an absolute path in [fcgi-program:f] socket"),
    ),
    (
        "fcgi tcp uppercase scheme",
        "it shows its inside",
        Some("Bad socket format TCP://127.0.0.1:21998 in [fcgi-program:f] socket"),
    ),
    (
        "fcgi tcp trailing text",
        "it shows its inside",
        Some("Bad socket format tcp://127.0.0.1:21998x in [fcgi-program:f] socket"),
    ),
    ("fcgi tcp no host", "it shows its inside", Some("Bad socket format tcp://:21998 in [fcgi-program:f] socket")),
    ("fcgi tcp ipv6", "IPv6 exists", None),
    ("supervisord environment pctpct", "4.4 takes it", None),
    ("supervisord environment host_node_name", "4.4 takes it", None),
    ("unix file empty", "it loops for ever", Some("section [unix_http_server] has an empty file value")),
];

/// Files whose mistake shows only when limits are raised or sockets are opened. Reading them works.
const LATER: [&str; 8] = [
    "supervisord minfds huge",
    "supervisord minprocs huge",
    "fcgi socket dir missing",
    "fcgi socket unresolvable",
    "inet bad host",
    "inet nonlocal ip",
    "unix file dir missing",
    "unix file too long",
];

const BASE: &str = "[supervisord]\nlogfile=%(here)s/s.log\npidfile=%(here)s/s.pid\nchildlogdir=%(here)s";

fn load_text(file: &str) -> Result<(), String> {
    let host = FakeHost::new().file("/conf/supervisord.conf", file);
    load("supervisord.conf", &CommandLineFlags::default(), &host).map(drop).map_err(|error| {
        let (words, whole) = (error.message().to_owned(), error.to_string());
        let place = whole.strip_prefix(&words).unwrap_or_else(|| panic!("{whole:?} does not begin with {words:?}"));
        let is_place = place.starts_with(" (supervisord.conf") && place.ends_with(')');
        assert!(is_place, "{whole:?} does not say where");
        words
    })
}

/// The recorded words without the values that we do not show.
fn without_secrets(message: &str) -> String {
    for (before, after) in [
        ("Format string ", " for 'environment'"),
        ("Format string ", " for 'supervisord.environment'"),
        ("Format string ", " for 'inet_http_server.password'"),
        ("Unexpected end of key/value pairs in value '", "'"),
    ] {
        if let Some(rest) = message.strip_prefix(before)
            && let Some((_, behind)) = rest.split_once(after)
        {
            return format!("{before}***{after}{behind}");
        }
    }
    message.to_owned()
}

fn expected_of_file(case: &Value) -> Result<(), String> {
    let name = text(case, "name");
    let fill = |message: &str| {
        let message = message.replace("@IN_P@", " in section 'program:p' (file: 'supervisord.conf')");
        message.replace("@DIR@", "/conf").replace("@LEN+3@", "8")
    };
    if let Some((_, _, ours)) = OTHER_FILES.iter().find(|(other, _, _)| *other == name) {
        return ours.map_or(Ok(()), |message| Err(fill(message)));
    }
    match case.get("error") {
        Some(_) if LATER.contains(&name) => Ok(()),
        Some(error) => Err(fill(&without_secrets(error.as_str().unwrap()))),
        None => Ok(()),
    }
}

#[test]
fn whole_files_are_taken_or_refused() {
    let cases = cases(include_str!("../tests-data/files.json"));
    let mut wrong = String::new();
    for case in &cases {
        let outcome = load_text(&text(case, "file").replace("@BASE@", BASE));
        let expected = expected_of_file(case);
        if outcome != expected {
            wrong.push_str(&format!("{}\n  ours {outcome:?}\n  theirs {expected:?}\n", text(case, "name")));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let known = |name: &str| cases.iter().any(|case| text(case, "name") == name);
    assert!(OTHER_FILES.iter().all(|(name, _, _)| known(name)) && LATER.into_iter().all(known));
}
