use super::SectionKind as S;
use super::*;

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

#[test]
fn defaults_convert_and_can_be_kept() {
    for row in TABLE {
        let Default::Is(text) = row.default else { continue };
        let value = row.kind.convert(text).unwrap_or_else(|complaint| panic!("default of {}: {complaint}", row.name));
        match &row.kept_in {
            KeptIn::Process(field) => {
                let mut process = Process::blank("program:a", Origin { file: "f".into(), line: 1 });
                field.set(&mut process, value.clone()).unwrap_or_else(|_| panic!("default of {}", row.name));
                assert_eq!(field.get(&process), value, "{}", row.name);
            }
            KeptIn::Supervisord(field) => {
                let mut supervisord = Supervisord::default();
                field.set(&mut supervisord, value.clone()).unwrap_or_else(|_| panic!("default of {}", row.name));
                assert_eq!(field.get(&supervisord), value, "{}", row.name);
            }
            KeptIn::Section => {}
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
