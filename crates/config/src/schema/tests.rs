use super::*;
use crate::convert;
use crate::signal;

#[test]
fn names_are_unique_within_a_section_and_lower_case() {
    for (position, row) in TABLE.iter().enumerate() {
        assert_eq!(row.name, row.name.to_lowercase());
        let twin = TABLE[..position].iter().find(|other| other.section == row.section && other.name == row.name);
        assert!(twin.is_none(), "{} in {:?}", row.name, row.section);
    }
}

#[test]
fn every_row_has_a_help_of_one_line() {
    for row in TABLE {
        assert!(!row.help.is_empty() && !row.since.is_empty(), "{}", row.name);
        assert!(!row.help.contains('\n'), "{}", row.name);
    }
}

fn accepts(kind: Kind, text: &str) -> bool {
    match kind {
        K::Integer => convert::integer(text).is_ok(),
        K::Boolean => convert::boolean(text).is_ok(),
        K::ByteSize => convert::byte_size(text).is_ok(),
        K::Octal => convert::octal(text).is_ok(),
        K::LogLevel => convert::log_level(text).is_ok(),
        K::Signal => signal::parse_stop_signal(text).is_ok(),
        K::ExitCodes => convert::exit_codes(text).is_ok(),
        K::AutoRestart => convert::auto_restart(text).is_ok(),
        K::Environment => crate::environment::pairs(text).is_ok(),
        K::InetAddress => convert::inet_address(text).is_ok(),
        K::Name => convert::name(text).is_ok(),
        _ => true,
    }
}

#[test]
fn defaults_convert() {
    for row in TABLE {
        if let Default::Is(text) = row.default {
            assert!(accepts(row.kind, text), "default of {}", row.name);
        }
    }
}

#[test]
fn a_section_is_known_by_its_exact_name() {
    for (section, kind) in [
        ("supervisord", Some(S::Supervisord)),
        ("program:a", Some(S::Program)),
        ("program:", Some(S::Program)),
        ("unix_http_server", Some(S::UnixHttpServer)),
        ("unix_http_server:b", Some(S::UnixHttpServer)),
        ("unix_http_serverb", None),
        ("program", None),
        ("programx", None),
        ("Program:a", None),
        ("supervisord:a", None),
        ("rpcinterface", None),
        (" program:a", None),
    ] {
        assert_eq!(SectionKind::of(section), kind, "{section}");
    }
}

#[test]
fn listeners_have_program_options_and_their_own_priority() {
    let names: Vec<&str> = S::EventListener.options().map(|row| row.name).collect();
    assert_eq!(names.iter().filter(|&&name| name == "priority").count(), 1);
    assert!(names.contains(&"command") && names.contains(&"events") && !names.contains(&"socket"));
    assert_eq!(S::EventListener.option("priority").unwrap().default, Default::Is("-1"));
    assert_eq!(S::EventListener.option("startsecs").unwrap().default, Default::Is("1"));
}
